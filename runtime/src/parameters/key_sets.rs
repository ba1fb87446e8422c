//! What holds of all key sets of a program together.
//!
//! All sets write under one flattened secret of `k * N` bits, with one noise: a value can be read by any of them.

use super::Error;
use crate::program::message::ParameterSet;
use crate::units::Variance;

/// Most key sets of a program.
const MAX_SETS: usize = 8;

/// Most words of all keys as the server expands them: 16 GiB.
const MAX_KEY_WORDS: u64 = 1 << 31;

/// Checks that the engine can work with these sets; says nothing about security.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(sets: &[ParameterSet]) -> Result<(), Error> {
    let first = sets.first().ok_or(Error::Missing { what: "parameters" })?;
    let bound = |name, found: u64, fits: bool, expected| {
        if fits { Ok(()) } else { Err(Error::OutOfBounds { name, found: found.to_string(), expected }) }
    };
    bound("key sets", sets.len() as u64, sets.len() <= MAX_SETS, "at most 8")?;
    for (index, set) in sets.iter().enumerate() {
        set.check()?;
        let same = set.big_dimension() == first.big_dimension()
            && set.glwe_std_dev.to_bits() == first.glwe_std_dev.to_bits();
        if !same {
            return Err(Error::OtherBigKey { index });
        }
    }
    let words = sets.iter().map(ParameterSet::expanded_key_words).sum();
    bound("set", words, words <= MAX_KEY_WORDS, "keys of at most 2147483648 words")
}

/// Checks that all keys have the security that is demanded everywhere.
///
/// # Errors
/// [`Error::Insecure`] names the key.
pub fn check_security(sets: &[ParameterSet]) -> Result<(), Error> {
    sets.iter().try_for_each(ParameterSet::check_security)
}

/// Security of the weakest key, in bits; infinite for no sets.
#[must_use]
pub fn security_bits(sets: &[ParameterSet]) -> f64 {
    sets.iter().map(ParameterSet::security_bits).fold(f64::INFINITY, f64::min)
}

/// Bytes of the evaluation key as it is sent: masks as seeds.
#[must_use]
pub fn eval_key_bytes(sets: &[ParameterSet]) -> u64 {
    sets.iter().map(ParameterSet::eval_key_bytes).sum()
}

/// Noise of a fresh encryption, the same for all sets; 0 for no sets.
#[must_use]
pub fn fresh_variance(sets: &[ParameterSet]) -> Variance {
    sets.first().map_or(Variance(0.0), ParameterSet::fresh_variance)
}

#[cfg(test)]
mod tests {
    use super::super::set::tests::wide;
    use super::*;

    #[test]
    fn sets_share_the_big_key() {
        let (one, other) = (wide(), ParameterSet { glwe_dimension: 2, polynomial_size: 1024, ..wide() });
        assert_eq!(check(&[one.clone(), other.clone()]), Ok(()));
        assert_eq!(
            eval_key_bytes(&[one.clone(), other.clone()]),
            one.eval_key_bytes() + other.eval_key_bytes()
        );
        let longer = ParameterSet { glwe_dimension: 2, ..one.clone() };
        assert_eq!(check(&[one.clone(), longer]), Err(Error::OtherBigKey { index: 1 }));
        let noisier = ParameterSet { glwe_std_dev: 2.0 * one.glwe_std_dev, ..other };
        assert_eq!(check(&[one.clone(), noisier]), Err(Error::OtherBigKey { index: 1 }));
        assert_eq!(check(&[]), Err(Error::Missing { what: "parameters" }));
        assert!(matches!(check(&vec![one; 9]), Err(Error::OutOfBounds { name: "key sets", .. })));
        let large = ParameterSet { polynomial_size: 1 << 17, glwe_dimension: 16, ..wide() };
        assert!(matches!(check(&[large]), Err(Error::OutOfBounds { name: "set", .. })));
    }

    #[test]
    fn the_weakest_key_counts() {
        let weak = ParameterSet { lwe_dimension: 800, ..wide() };
        assert!(security_bits(&[wide(), weak.clone()]) < 128.0);
        assert!(matches!(check_security(&[wide(), weak]), Err(Error::Insecure { key: "small", .. })));
    }
}
