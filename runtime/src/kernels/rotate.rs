//! Rotation of polynomials, for the extended bootstrap.

use super::Vectors;

/// `output = X^degree * input - subtrahend` in Z[X]/(X^N + 1), coefficients modulo 2^64; `0 <= degree < 2N`.
///
/// # Panics
/// If the slices differ in length, or the degree is 2N or more.
pub fn rotate_subtract(output: &mut [u64], input: &[u64], subtrahend: &[u64], degree: usize) {
    assert!(output.len() == input.len() && input.len() == subtrahend.len(), "polynomials of one size");
    assert!(degree < 2 * input.len(), "a rotation by less than a whole turn");
    match Vectors::widest() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the machine has what `widest` says.
        Vectors::Avx512 => unsafe { rotate_avx512(output, input, subtrahend, degree) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Vectors::Avx2 => unsafe { rotate_avx2(output, input, subtrahend, degree) },
        _ => rotate_portable(output, input, subtrahend, degree),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn rotate_avx512(output: &mut [u64], input: &[u64], subtrahend: &[u64], degree: usize) {
    rotate_portable(output, input, subtrahend, degree);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn rotate_avx2(output: &mut [u64], input: &[u64], subtrahend: &[u64], degree: usize) {
    rotate_portable(output, input, subtrahend, degree);
}

#[inline(always)]
fn rotate_portable(output: &mut [u64], input: &[u64], subtrahend: &[u64], degree: usize) {
    let size = input.len();
    let (shift, half_turn) = (degree % size, degree >= size);
    let (wrapped, straight) = output.split_at_mut(shift);
    let (wrapped_by, straight_by) = subtrahend.split_at(shift);
    let (to_straight, to_wrapped) = input.split_at(size - shift);
    // What passes X^N changes its sign; half a turn changes all signs.
    if half_turn {
        subtract(wrapped, to_wrapped, wrapped_by);
        negate_subtract(straight, to_straight, straight_by);
    } else {
        negate_subtract(wrapped, to_wrapped, wrapped_by);
        subtract(straight, to_straight, straight_by);
    }
}

#[inline(always)]
fn subtract(output: &mut [u64], input: &[u64], subtrahend: &[u64]) {
    for ((output, input), subtrahend) in output.iter_mut().zip(input).zip(subtrahend) {
        *output = input.wrapping_sub(*subtrahend);
    }
}

#[inline(always)]
fn negate_subtract(output: &mut [u64], input: &[u64], subtrahend: &[u64]) {
    for ((output, input), subtrahend) in output.iter_mut().zip(input).zip(subtrahend) {
        *output = input.wrapping_neg().wrapping_sub(*subtrahend);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rotation_is_multiplication_by_a_monomial(log2_size in 0u32..7, degree in 0usize..128, seed: u64) {
            let size = 1usize << log2_size;
            let degree = degree % (2 * size);
            let word = |index: usize| seed.wrapping_mul(index as u64 * 2 + 1);
            let input: Vec<u64> = (0..size).map(word).collect();
            let subtrahend: Vec<u64> = (0..size).map(|index| word(index + size)).collect();
            let mut expected: Vec<u64> = subtrahend.iter().map(|x| x.wrapping_neg()).collect();
            for (index, x) in input.iter().enumerate() {
                let place = (index + degree) % (2 * size);
                let term = if place < size { *x } else { x.wrapping_neg() };
                expected[place % size] = expected[place % size].wrapping_add(term);
            }
            let mut found = vec![7; size];
            rotate_subtract(&mut found, &input, &subtrahend, degree);
            prop_assert_eq!(&found, &expected);
            rotate_portable(&mut found, &input, &subtrahend, degree);
            prop_assert_eq!(&found, &expected);
        }
    }
}
