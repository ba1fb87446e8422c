//! Results as they are returned: under a small key, rounded.

use super::{Lists, ServerKey, Switched};
use crate::program::message::Returned;
use rayon::prelude::*;
use tfhe::core_crypto::prelude::LweSize;

/// Ciphertexts under the big key of this size, in the form in which they are returned: positions of mask and body.
pub(super) fn shorten(key: &ServerKey, list: &Lists, big: LweSize, returned: Returned) -> Lists {
    let (switched, size) = match returned.key {
        None => (None, big.0),
        Some(set) => {
            let kernel = key.sets()[set as usize].keyswitch();
            let (count, size) = (list.words.len() / big.0, kernel.output_size());
            let mut words = vec![0; count * size];
            kernel.run(&list.words.chunks_exact(big.0).collect::<Vec<_>>(), &mut words);
            (Some(words), size)
        }
    };
    let mut words = switched.unwrap_or_else(|| list.words.clone());
    words.par_chunks_exact_mut(size).for_each_init(Switched::default, |switched, ciphertext| {
        switched.switch(ciphertext, returned.log2_modulus);
        let (body, mask) = ciphertext.split_last_mut().expect("a ciphertext has a body");
        *body = switched.body_position() as u64;
        for (element, position) in mask.iter_mut().zip(switched.positions()) {
            *element = *position as u64;
        }
    });
    Lists { words, samples: list.samples }
}
