//! Keys and ciphertexts of arbitrary content: the time of an operation does not depend on it.

use super::super::KeySet;
use crate::client::shapes::{Shapes, modulus};
use crate::kernels::{BootstrapKernel, KeyswitchKernel};
use crate::program::message::ParameterSet;
use crate::units::accumulators;
use rayon::prelude::*;
use tfhe::core_crypto::prelude::{
    LweBootstrapKey, LweBootstrapKeyOwned, LweKeyswitchKey, LweKeyswitchKeyOwned,
};

/// Words that look random, the same each time.
pub(super) fn words(count: usize) -> Vec<u64> {
    // Of the generator splitmix64, which gives the word of each place alone.
    let word = |place: usize| {
        let mixed = (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..count).into_par_iter().map(word).collect()
}

pub(super) fn bootstrap_key(shapes: &Shapes) -> LweBootstrapKeyOwned<u64> {
    let length = shapes.small.0 * shapes.glwe.0 * shapes.glwe.0 * shapes.pbs_level.0 * shapes.polynomial.0;
    LweBootstrapKey::from_container(
        words(length),
        shapes.glwe,
        shapes.polynomial,
        shapes.pbs_base,
        shapes.pbs_level,
        modulus(),
    )
}

pub(super) fn keyswitch_key(shapes: &Shapes) -> LweKeyswitchKeyOwned<u64> {
    let size = shapes.small.to_lwe_size();
    let length = shapes.big.0 * shapes.ks_level.0 * size.0;
    LweKeyswitchKey::from_container(words(length), shapes.ks_base, shapes.ks_level, size, modulus())
}

/// Keys of a set, ready to compute with.
pub(super) fn key_set(set: &ParameterSet) -> KeySet {
    let shapes = Shapes::new(set);
    let bootstrap = BootstrapKernel::new(&bootstrap_key(&shapes));
    KeySet::of(shapes, bootstrap, KeyswitchKernel::new(&keyswitch_key(&shapes)))
}

/// Ciphertexts of whose masks each element turns by another number of positions of `2^log2_positions`: as many odd ones,
/// multiples of 2, of 4 and so on as of a random mask on average, in another order in each ciphertext. The first is always
/// a multiple of `2^extension`.
pub(super) fn small_ciphertexts(
    count: usize,
    elements: usize,
    log2_positions: u32,
    extension: i32,
) -> Vec<u64> {
    let odd = 0x9e37_79b9_7f4a_7c15u64;
    let position =
        |index: usize| ((index + accumulators(extension)) as u64).wrapping_mul(odd) << (64 - log2_positions);
    let others = elements.saturating_sub(1).max(1);
    let ciphertext = |number: usize| {
        let mask = (1..elements).map(move |place| 1 + (place - 1 + number) % others);
        std::iter::once(0).chain(mask).chain([elements]).map(position)
    };
    (0..count).flat_map(ciphertext).collect()
}
