//! All blind rotations of a wave, spread evenly over the threads.
//!
//! Lookups of one layer come in groups of different extensions, whose rotations differ in cost by factors of two and more.
//! One queue for all groups, the expensive ones first, keeps every thread busy until the last of them.

use super::bootstrap::{Extended, rotate_batch};
use super::{ServerKey, TestPolynomial};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Largest batch of one pass over the bootstrapping key: its accumulators stay in the second cache level.
const LARGEST_BATCH: usize = 16;

/// Lookups of one step, after the keyswitch.
pub(super) struct Group<'a> {
    /// Ciphertexts under the small key, one after the other: sample by sample, in each the elements.
    pub(super) small: Vec<u64>,
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

/// Some rotations of one group that run as one: a batch, or a single extended one.
struct Task<'a> {
    group: &'a Group<'a>,
    /// The first ciphertext.
    first: usize,
    small: &'a [u64],
    outputs: &'a mut [u64],
}

impl Task<'_> {
    /// In external products for each bit of the key, about.
    fn cost(&self, big: usize) -> usize {
        (self.outputs.len() / big) << self.group.extension
    }
}

/// Rotates all ciphertexts of all groups; `outputs` has one list of ciphertexts under the big key for each group.
pub(super) fn rotate_groups<'a>(
    key: &ServerKey,
    groups: &'a [Group<'a>],
    outputs: impl Iterator<Item = &'a mut [u64]>,
    progress: &(dyn Fn(usize) + Sync),
) {
    let (small, big) = (key.shapes().small.to_lwe_size().0, key.shapes().big_size().0);
    let mut tasks = Vec::new();
    for (group, outputs) in groups.iter().zip(outputs) {
        let count = outputs.len() / big;
        let batch = if group.extension == 0 { batch_size(count, LARGEST_BATCH) } else { 1 };
        let parts = group.small.chunks(batch * small).zip(outputs.chunks_mut(batch * big));
        let task = |(index, (small, outputs))| Task { group, first: index * batch, small, outputs };
        tasks.extend(parts.enumerate().map(task));
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.cost(big)));
    let tasks: Vec<Mutex<Option<Task<'_>>>> = tasks.into_iter().map(|task| Mutex::new(Some(task))).collect();
    let next = AtomicUsize::new(0);
    rayon::broadcast(|_| {
        let mut scratch = BTreeMap::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Each task is taken once, so the lock is free and was never poisoned.
            let Some(mut task) = task.lock().ok().and_then(|mut task| task.take()) else { continue };
            let finished = task.outputs.len() / big;
            rotate(key, &mut scratch, &mut task);
            progress(finished);
        }
    });
}

fn rotate<'k>(key: &'k ServerKey, scratch: &mut BTreeMap<u32, Extended<'k>>, task: &mut Task<'_>) {
    let extension = task.group.extension;
    if extension > 0 {
        let scratch = scratch.entry(extension).or_insert_with(|| Extended::new(key, extension));
        return scratch.rotate(task.small, task.group.polynomial(task.first), task.outputs);
    }
    let count = task.outputs.len() / key.shapes().big_size().0;
    let polynomials: Vec<_> =
        (task.first..task.first + count).map(|index| task.group.polynomial(index)).collect();
    rotate_batch(key, task.small, &polynomials, task.outputs);
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
