//! Measuring: what operations take on this machine, through the code that runs programs.
//!
//! Keys and ciphertexts have arbitrary content: the time does not depend on it. Times are the least of several runs,
//! since whatever else a machine does can only add to them.

mod arbitrary;
mod machine;

pub use machine::machine;

use rayon::ThreadPool;
use rustix::time::{ClockId, clock_gettime};

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

    fn seconds(self) -> f64 {
        self.0
    }
}
