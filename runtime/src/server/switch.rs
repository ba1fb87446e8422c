//! The centered modulus switch.

/// A ciphertext rounded to the positions of a test polynomial.
#[derive(Clone, Debug, Default)]
pub struct Switched {
    mask: Vec<usize>,
    body: usize,
}

impl Switched {
    /// Rounds a ciphertext (mask, then body) under a binary key to `2^log2_positions` positions.
    ///
    /// The expected rounding error of the mask, with half of the key's bits set, is taken from the body before that one is
    /// rounded: half the variance of plain rounding.
    ///
    /// # Panics
    /// If the ciphertext has no body, or there are fewer than 1 or more than 63 bits of positions (in a debug build).
    pub fn switch(&mut self, ciphertext: &[u64], log2_positions: u32) {
        let (body, mask) = ciphertext.split_last().expect("a ciphertext has a body");
        let shift = 64 - log2_positions;
        let round = |element: u64| (element.wrapping_add(1 << (shift - 1)) >> shift) as usize;
        self.mask.clear();
        let mut error = 0i128;
        for element in mask {
            let position = round(*element);
            error += i128::from(((position as u64) << shift).wrapping_sub(*element) as i64);
            self.mask.push(position);
        }
        self.body = round(body.wrapping_add((error / 2) as u64));
    }

    /// Positions of the mask, each below `2^log2_positions`.
    #[must_use]
    pub fn positions(&self) -> &[usize] {
        &self.mask
    }

    /// Position of the body.
    #[must_use]
    pub fn body_position(&self) -> usize {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_rounded_and_the_body_corrected() {
        let mut switched = Switched::default();
        let position = 1u64 << 54;
        // The mask is rounded up by a quarter of a position, twice; half of that error moves the body over its boundary.
        let quarter = position / 4;
        switched.switch(&[3 * quarter, 7 * quarter, position + quarter * 2 - quarter], 10);
        assert_eq!(switched.positions(), [1, 2]);
        assert_eq!(switched.body_position(), 2);
        // The last position rounds up to a whole turn, which is none.
        switched.switch(&[u64::MAX, 0], 10);
        assert_eq!(switched.positions(), [0]);
    }
}
