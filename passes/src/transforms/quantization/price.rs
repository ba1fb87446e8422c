//! What a lookup costs, as far as quantization decides it.

/// Milliseconds of a lookup in a table of `2^p` entries, for `p` from 0 on.
///
/// # Source
/// What the parameter search asks for staircases of seven steps that take all of the table, half of it or a fifth, as the tests
/// of this file do. Up to 5 bits that is one bootstrap, above it is a staircase in stages: each bit more adds the same.
const MILLISECONDS: [f64; 7] = [0.0, 6.0, 6.5, 7.5, 11.0, 16.0, 22.0];

/// What each bit above those adds.
const EACH_BIT: f64 = 4.5;

/// log2 of range times norm that lookup results of one and of two decomposition levels are quiet enough for, about.
const QUIET: [f64; 2] = [9.2, 16.2];

/// What one more level adds to the price of all lookups.
const LEVEL: f64 = 0.2;

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
    MILLISECONDS[bits.min(last)] + EACH_BIT * bits.saturating_sub(last) as f64
}

/// Milliseconds of all lookups together.
#[must_use]
pub fn total(milliseconds: f64, demand: f64) -> f64 {
    let levels: f64 = QUIET.iter().map(|quiet| (demand - quiet).clamp(0.0, 1.0)).sum();
    milliseconds * (1.0 + LEVEL * levels)
}

#[cfg(test)]
mod tests {
    use super::{EACH_BIT, milliseconds, total};
    use crate::lookups::Profile;
    use crate::parameters::{self, Budget, Group, Machine, Norms, Options, Output, Problem, Reading};
    use cml_runtime::reference::message::Table;
    use cml_runtime::units::Log2Probability;

    #[test]
    fn a_constant_is_free_and_wider_is_never_cheaper() {
        assert_eq!(milliseconds(1.0), 0.0);
        let prices: Vec<f64> = (1..4000).map(|range| milliseconds(f64::from(range))).collect();
        assert!(prices.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(milliseconds(4096.0) - milliseconds(1024.0), 2.0 * EACH_BIT);
    }

    /// Nanoseconds of a machine are a common factor: what is held to the search are ratios.
    #[test]
    fn prices_are_those_of_the_parameter_search() {
        let found = |bits: u32, share: f64| {
            let (range, steps) = (1i64 << bits, 7.0);
            let gap = range as f64 * share / steps;
            let first = (range as f64 - gap * steps) / 2.0;
            let step = |x: i64| ((x as f64 - first) / gap).clamp(0.0, steps) as i64;
            let table = Table { lo: 0, values: (0..range).map(step).collect() };
            let reading =
                |list: u32| Reading::new(String::new(), (0, range - 1), [Norms::from([(list, 64.0)])]);
            let of = |list: u32, table: &Table| Group {
                reading: reading(list),
                profile: Profile::of(table).unwrap(),
                compares: None,
            };
            // What is read comes out of a lookup, and so does what reads the result.
            let sign = Table { lo: 0, values: vec![0, 1] };
            let problem = Problem {
                inputs: 1,
                groups: vec![of(0, &sign), of(1, &table)],
                outputs: vec![Output { reading: reading(2), slots: 64 }],
            };
            let solution = parameters::search(
                &problem,
                Budget { inference: None, per_lookup: Some(Log2Probability(-48.0)) },
                &Machine::default_table(),
                Options::default(),
            );
            solution.unwrap().groups[1].seconds
        };
        let unit = found(6, 0.5) / milliseconds(64.0);
        for bits in 3..=12 {
            for share in [1.0, 0.5, 0.2].into_iter().filter(|share| f64::from(bits).exp2() * share > 7.0) {
                let ratio = found(bits, share) / unit / milliseconds(f64::from(bits).exp2());
                assert!((0.6..1.6).contains(&ratio), "{bits} bits, {share} of the range: {ratio}");
            }
        }
    }

    #[test]
    fn wide_sums_of_large_weights_make_all_lookups_dearer() {
        let quiet = super::Reading::new(32.0, 16.0).demand;
        assert_eq!(total(100.0, quiet), 100.0);
        let loud = super::Reading::new(512.0, 400.0).demand;
        assert_eq!(total(100.0, loud), 120.0);
    }
}
