//! What a lookup costs, as far as quantization decides it.

/// Milliseconds of a lookup in a table of `2^p` entries, for `p` from 0 on: its order of magnitude, and how it grows.
///
/// # Source
/// Between what the parameter search predicts for programs under one key set, and what staircases cost that are folded.
const MILLISECONDS: [f64; 11] = [0.0, 10.0, 10.0, 10.0, 11.0, 13.0, 16.0, 26.0, 40.0, 60.0, 90.0];

/// log2 of range times norm that lookup results of one and of two decomposition levels are quiet enough for, about.
const QUIET: [f64; 2] = [9.2, 16.2];

/// What one more level adds to the price of all lookups.
const LEVEL: f64 = 0.6;

/// A lookup that reads a sum of lookup results.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Milliseconds; 0 for a constant.
    pub milliseconds: f64,
    /// log2 of range times 2-norm of the weights: how quiet what it sums up must be.
    pub demand: f64,
}

impl Reading {
    /// Of a sum with so many different values, and weights of this squared norm; 0 where it sums up fresh inputs.
    #[must_use]
    pub fn new(range: f64, norm2_squared: f64) -> Self {
        let demand = (range * norm2_squared.sqrt()).max(1.0).log2();
        Self { milliseconds: milliseconds(range), demand }
    }
}

fn milliseconds(range: f64) -> f64 {
    let bits = range.max(1.0).log2().ceil() as usize;
    let last = MILLISECONDS.len() - 1;
    match bits.checked_sub(last) {
        None | Some(0) => MILLISECONDS[bits],
        Some(beyond) => MILLISECONDS[last] * (beyond as f64).exp2(),
    }
}

/// Milliseconds of all lookups together.
#[must_use]
pub fn total(milliseconds: f64, demand: f64) -> f64 {
    let levels: f64 = QUIET.iter().map(|quiet| (demand - quiet).clamp(0.0, 1.0)).sum();
    milliseconds * (1.0 + LEVEL * levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_free_and_wider_is_never_cheaper() {
        assert_eq!(milliseconds(1.0), 0.0);
        let prices: Vec<f64> = (1..4000).map(|range| milliseconds(f64::from(range))).collect();
        assert!(prices.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(milliseconds(4096.0), 4.0 * milliseconds(1024.0));
    }

    #[test]
    fn wide_sums_of_large_weights_make_all_lookups_dearer() {
        let quiet = Reading::new(32.0, 16.0).demand;
        assert_eq!(total(100.0, quiet), 100.0);
        let loud = Reading::new(512.0, 400.0).demand;
        assert_eq!(total(100.0, loud), 160.0);
    }
}
