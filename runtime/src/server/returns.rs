//! Results as they are returned: under a small key, rounded.

use super::{Lists, ServerKey, Switched};
use crate::program::message::Returned;
use rayon::prelude::*;
use tfhe::core_crypto::prelude::LweSize;

/// Ciphertexts under the big key of this size, in the form in which they are returned: positions of mask and body.
pub(super) fn shorten(key: &ServerKey, list: Lists, big: LweSize, returned: Returned) -> Lists {
    let Lists { words, samples } = list;
    let (mut words, size) = match returned.key {
        None => (words, big.0),
        Some(set) => {
            let kernel = key.sets()[set as usize].keyswitch();
            (kernel.switched(&words.chunks_exact(big.0).collect::<Vec<_>>()), kernel.output_size())
        }
    };
    words.par_chunks_exact_mut(size).for_each_init(Switched::default, |switched, ciphertext| {
        switched.switch(ciphertext, returned.log2_modulus);
        let (body, mask) = ciphertext.split_last_mut().expect("a ciphertext has a body");
        *body = switched.body_position() as u64;
        for (element, position) in mask.iter_mut().zip(switched.positions()) {
            *element = *position as u64;
        }
    });
    Lists { words, samples }
}
