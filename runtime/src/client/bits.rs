//! Numbers of a few bits, one after the other.

use crate::parameters::packed_bytes;

/// The lowest `bits` (1 to 64) of each number, from the lowest bit of the first byte on.
pub(crate) fn pack(numbers: &[u64], bits: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed_bytes(numbers.len() as u64, bits) as usize);
    let (mut pending, mut held) = (0u128, 0);
    for number in numbers {
        pending |= u128::from(number & (u64::MAX >> (64 - bits))) << held;
        held += bits;
        while held >= 8 {
            bytes.push(pending as u8);
            pending >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        bytes.push(pending as u8);
    }
    bytes
}

/// The inverse of [`pack`]: as many numbers as the bytes hold, at most `count`.
pub(crate) fn unpack(bytes: &[u8], bits: u32, count: usize) -> Vec<u64> {
    let mut numbers = Vec::with_capacity(count);
    let (mut pending, mut held) = (0u128, 0);
    let mut bytes = bytes.iter();
    while numbers.len() < count {
        while held < bits {
            let Some(byte) = bytes.next() else { return numbers };
            pending |= u128::from(*byte) << held;
            held += 8;
        }
        numbers.push(pending as u64 & (u64::MAX >> (64 - bits)));
        pending >>= bits;
        held -= bits;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_survive_packing(numbers in proptest::collection::vec(any::<u64>(), 0..70), bits in 1u32..65) {
            let packed = pack(&numbers, bits);
            prop_assert_eq!(packed.len() as u64, packed_bytes(numbers.len() as u64, bits));
            let kept: Vec<u64> = numbers.iter().map(|number| number & (u64::MAX >> (64 - bits))).collect();
            prop_assert_eq!(unpack(&packed, bits, numbers.len()), kept);
        }
    }
}
