//! All blind rotations of a wave, spread evenly over the threads.
//!
//! Lookups of one layer come in groups of different extensions, whose rotations differ in cost by factors of two and more.
//! One queue for all groups, the expensive ones first, keeps every thread busy until the last of them.

use super::bootstrap::BlindRotation;
use super::{KeySet, TestPolynomial};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most accumulators of one pass over the bootstrapping key, unless a single ciphertext has more: they stay in the second
/// cache level.
const LARGEST_PASS: usize = 16;

/// Lookups of one step, after the keyswitch.
pub(super) struct Group<'a> {
    /// The keys of its set, and the index of that.
    pub(super) key: &'a KeySet,
    pub(super) set: u32,
    /// Ciphertexts under the small key, one after the other: sample by sample, in each the elements.
    pub(super) small: &'a [u64],
    /// One for each table.
    pub(super) polynomials: Vec<TestPolynomial>,
    /// For each element the index of its table.
    pub(super) table_of: &'a [u32],
    /// log2 of the accumulators.
    pub(super) extension: u32,
}

impl Group<'_> {
    fn polynomial(&self, index: usize) -> &TestPolynomial {
        &self.polynomials[self.table_of[index % self.table_of.len()] as usize]
    }
}

/// Some rotations of one group that run as one batch.
struct Task<'a> {
    group: &'a Group<'a>,
    /// The first ciphertext.
    first: usize,
    small: &'a [u64],
    outputs: &'a mut [u64],
}

impl Task<'_> {
    /// In words of the bootstrapping key that meet an accumulator, about.
    fn cost(&self) -> u64 {
        let shapes = self.group.key.shapes();
        let parts = (shapes.small.0 * shapes.glwe.0 * shapes.pbs_level.0 * shapes.polynomial.0) as u64;
        (self.ciphertexts() as u64 * parts) << self.group.extension
    }

    fn ciphertexts(&self) -> usize {
        self.outputs.len() / self.group.key.shapes().big_size().0
    }
}

/// Rotates all ciphertexts of all groups; `outputs` has one list of ciphertexts under the big key for each group.
pub(super) fn rotate_groups<'a>(
    groups: &'a [Group<'a>],
    outputs: impl Iterator<Item = &'a mut [u64]>,
    progress: &(dyn Fn(usize) + Sync),
) {
    let mut tasks = Vec::new();
    for (group, outputs) in groups.iter().zip(outputs) {
        let shapes = group.key.shapes();
        let (small, big) = (shapes.small.to_lwe_size().0, shapes.big_size().0);
        let count = outputs.len() / big;
        let batch = batch_size(count, (LARGEST_PASS >> group.extension).max(1));
        let parts = group.small.chunks(batch * small).zip(outputs.chunks_mut(batch * big));
        let task = |(index, (small, outputs))| Task { group, first: index * batch, small, outputs };
        tasks.extend(parts.enumerate().map(task));
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.cost()));
    let tasks: Vec<Mutex<Option<Task<'_>>>> = tasks.into_iter().map(|task| Mutex::new(Some(task))).collect();
    let next = AtomicUsize::new(0);
    rayon::broadcast(|_| {
        let mut scratch = BTreeMap::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Each task is taken once, so the lock is free and was never poisoned.
            let Some(mut task) = task.lock().ok().and_then(|mut task| task.take()) else { continue };
            let finished = task.ciphertexts();
            rotate(&mut scratch, &mut task);
            progress(finished);
        }
    });
}

/// Scratch of a thread for each key set.
type Scratch<'k> = BTreeMap<u32, BlindRotation<'k>>;

fn rotate<'k>(scratch: &mut Scratch<'k>, task: &mut Task<'k>) {
    let (group, first) = (task.group, task.first);
    let polynomials: Vec<_> =
        (first..first + task.ciphertexts()).map(|index| group.polynomial(index)).collect();
    let scratch = scratch.entry(group.set).or_insert_with(|| BlindRotation::new(group.key));
    scratch.run(group.extension, task.small, &polynomials, task.outputs);
    let size = group.key.shapes().big_size().0;
    for (output, polynomial) in task.outputs.chunks_exact_mut(size).zip(polynomials) {
        let body = &mut output[size - 1];
        *body = body.wrapping_add(polynomial.half_center());
    }
}

/// Size of batches, at most `largest`, so that every thread gets as many of them as any other.
pub(super) fn batch_size(count: usize, largest: usize) -> usize {
    let threads = rayon::current_num_threads();
    let rounds = count.div_ceil(largest * threads).max(1);
    count.div_ceil(rounds * threads).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_even() {
        let threads = rayon::current_num_threads();
        for count in [1, 7, 100, 1000] {
            let batch = batch_size(count, 16);
            assert!(batch <= 16 && batch * (count.div_ceil(16 * threads) * threads) >= count);
        }
        assert_eq!(batch_size(0, 16), 1);
    }
}
