//! Measuring: what operations take on this machine, through the code that runs programs.
//!
//! Keys and ciphertexts have arbitrary content: the time does not depend on it. Times are the least of several runs,
//! since whatever else a machine does can only add to them.

mod arbitrary;
mod machine;
mod operations;
mod plain;

pub use machine::machine;
pub use operations::{Lookup, Operation, Operations, operations};

use rayon::ThreadPool;
use rustix::time::{ClockId, clock_gettime};
use std::time::Instant;

/// Seconds that this thread has worked: others that want its core do not count.
fn cpu_time() -> f64 {
    seconds_of(ClockId::ThreadCPUTime)
}

/// Seconds that all threads of this process have worked together.
fn cpu_time_of_all() -> f64 {
    seconds_of(ClockId::ProcessCPUTime)
}

fn seconds_of(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// A pool of its own for what is measured on a number of threads.
fn pool(threads: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("the system has threads")
}

/// The least of the times measured so far, in seconds.
#[derive(Clone, Copy, Debug)]
struct Least(f64);

impl Default for Least {
    fn default() -> Self {
        Self(f64::INFINITY)
    }
}

impl Least {
    /// Measures once more.
    fn measure(&mut self, work: impl FnOnce()) {
        let start = cpu_time();
        work();
        self.0 = self.0.min(cpu_time() - start);
    }

    /// Measures work of which all threads have an equal part: seconds of each.
    fn measure_all(&mut self, threads: usize, work: impl FnOnce()) {
        let start = cpu_time_of_all();
        work();
        self.0 = self.0.min((cpu_time_of_all() - start) / threads as f64);
    }

    /// Measures work of several threads on the wall: their waiting for each other counts.
    fn measure_wall(&mut self, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.0 = self.0.min(start.elapsed().as_secs_f64());
    }

    fn seconds(self) -> f64 {
        self.0
    }
}

/// Times on the wall: whatever takes cores and memory from the threads counts.
#[derive(Clone, Debug, Default)]
struct Median(Vec<f64>);

impl Median {
    /// Measures once more.
    fn measure(&mut self, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.0.push(start.elapsed().as_secs_f64());
    }

    /// The median of the times measured so far; not a number without any.
    fn seconds(&self) -> f64 {
        let mut times = self.0.clone();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
