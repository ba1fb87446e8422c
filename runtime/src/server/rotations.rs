//! All blind rotations of a wave, spread evenly over the threads.
//!
//! Lookups of one layer come in groups of different sets and extensions, whose rotations differ in cost by factors of two
//! and more. Rotations of one set and one extension share batches, whatever group they belong to. One queue for all batches,
//! the expensive ones first, keeps every thread busy until the last of them.

use super::bootstrap::BlindRotation;
use super::{ServerKey, TestPolynomial};
use crate::units::{GlweShape, accumulators};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes of the accumulators of one pass over a bootstrapping key, unless a single ciphertext has more: they stay in
/// a second cache level of 512 KiB and more, twice as many of extended rotations where it has 1 MiB. Whatever leaves that
/// level takes its time from the other threads: the third level and the memory are shared by all of them.
pub(crate) const PASS_BYTES: usize = 1 << 18;

/// The key set and the extension of a rotation.
pub(super) type Class = (u32, i32);

/// One blind rotation.
pub(super) struct Rotated<'a> {
    /// The ciphertext under the small key.
    pub(super) small: &'a [u64],
    /// What is rotated.
    pub(super) polynomial: &'a TestPolynomial,
    /// What is extracted.
    pub(super) outputs: Vec<Extracted<'a>>,
}

/// One result of a rotation.
pub(super) struct Extracted<'a> {
    /// Which coefficient of component 0 it is.
    pub(super) coefficient: usize,
    /// What is added to it.
    pub(super) added: u64,
    /// Takes the ciphertext under the big key.
    pub(super) words: &'a mut [u64],
}

/// Some rotations of one class that run as one batch.
struct Task<'a> {
    class: Class,
    rotations: Vec<Rotated<'a>>,
    /// In words of the bootstrapping key that meet an accumulator, about.
    cost: u64,
}

/// Does all rotations; `progress` is told how many were finished.
pub(super) fn rotate_all(
    key: &ServerKey,
    classes: BTreeMap<Class, Vec<Rotated<'_>>>,
    progress: &(dyn Fn(usize) + Sync),
) {
    let mut tasks: Vec<Task<'_>> =
        classes.into_iter().flat_map(|(class, rotations)| batches(key, class, rotations)).collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.cost));
    let tasks: Vec<Mutex<Option<Task<'_>>>> = tasks.into_iter().map(|task| Mutex::new(Some(task))).collect();
    let next = AtomicUsize::new(0);
    rayon::broadcast(|_| {
        let mut scratch = BTreeMap::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Each task is taken once, so the lock is free and was never poisoned.
            let Some(mut task) = task.lock().ok().and_then(|mut task| task.take()) else { continue };
            let (set, extension) = task.class;
            let keys = &key.sets()[set as usize];
            let scratch = scratch.entry(set).or_insert_with(|| BlindRotation::new(keys));
            scratch.run(extension, &mut task.rotations);
            progress(task.rotations.len());
        }
    });
}

/// Rotations of one class in batches of nearly one size, as many for every thread.
fn batches<'a>(key: &ServerKey, class: Class, rotations: Vec<Rotated<'a>>) -> Vec<Task<'a>> {
    let keys = &key.sets()[class.0 as usize];
    let largest = largest_pass(keys.shapes().glwe_shape(), class.1);
    let batch = batch_size(rotations.len(), largest, rayon::current_num_threads());
    let mut rest = rotations.into_iter();
    let mut tasks = Vec::new();
    loop {
        let rotations: Vec<Rotated<'a>> = rest.by_ref().take(batch).collect();
        if rotations.is_empty() {
            return tasks;
        }
        let cost = (keys.rotation_cost() * rotations.len() as u64) * accumulators(class.1) as u64;
        tasks.push(Task { class, rotations, cost });
    }
}

/// Bytes of the accumulators of one ciphertext.
pub(crate) fn accumulator_bytes(shape: GlweShape, extension: i32) -> usize {
    8 * (shape.dimension + 1) * shape.polynomial_size * accumulators(extension)
}

/// Most ciphertexts of one pass.
pub(crate) fn largest_pass(shape: GlweShape, extension: i32) -> usize {
    (PASS_BYTES / accumulator_bytes(shape, extension)).max(1)
}

/// Size of batches, at most `largest`, so that each of the threads gets as many of them as any other.
pub(crate) fn batch_size(count: usize, largest: usize, threads: usize) -> usize {
    let rounds = count.div_ceil(largest * threads).max(1);
    count.div_ceil(rounds * threads).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_even() {
        for (count, threads) in [(1, 2), (7, 2), (28, 2), (100, 3), (1000, 1)] {
            let batch = batch_size(count, 16, threads);
            assert!(batch <= 16 && batch * (count.div_ceil(16 * threads) * threads) >= count);
            // No thread has more than one ciphertext more than it must, for each of its batches.
            let rounds = count.div_ceil(batch * threads);
            assert!(batch * rounds < count.div_ceil(threads) + rounds);
        }
        assert_eq!(batch_size(0, 16, 2), 1);
    }
}
