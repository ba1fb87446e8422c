//! Where the steps of an input lie, found from the values that it had.

/// The real numbers `offset + scale * step` with `step` in `0..=levels`; with scale 0 the offset alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The number of step 0.
    pub offset: f64,
    /// At least 0.
    pub scale: f64,
}

/// A range as narrow as this counts as constant: the inverse of its scale would leave f32.
const NARROWEST: f64 = 1e-30;

impl Grid {
    /// From the smallest to the largest value; a constant is met exactly. No value at all counts as constant 0.
    #[must_use]
    pub fn min_max(values: &[f32], levels: i64) -> Self {
        let (lo, hi) = extremes(values);
        if hi - lo < NARROWEST {
            return Self { offset: lo, scale: 0.0 };
        }
        Self { offset: lo, scale: (hi - lo) / levels as f64 }
    }

    /// The one of least summed squared error among grids that clip, begin at 0, or lie between the steps of others.
    ///
    /// # Source
    /// A search over a grid of scales as in Nagel et al. 2021 (A white paper on neural network quantization), 3.1; the
    /// candidates are those that did best on networks of few bits.
    #[must_use]
    pub fn least_squares(values: &[f32], levels: i64) -> Self {
        Self::weighted_least_squares(values, &vec![1.0; values.len()], levels)
    }

    /// The same where some values count more than others; as many weights as values.
    #[must_use]
    pub fn weighted_least_squares(values: &[f32], weights: &[f64], levels: i64) -> Self {
        let first = Self::min_max(values, levels);
        if first.scale == 0.0 {
            return first;
        }
        let (lo, hi) = extremes(values);
        let squared_error = |grid: Self| {
            let error = |value: &f32| f64::from(*value) - grid.nearest(f64::from(*value), levels);
            values.iter().zip(weights).map(|(value, weight)| weight * error(value).powi(2)).sum::<f64>()
        };
        let mut best = (squared_error(first), first);
        for grid in candidates(lo, hi, levels) {
            let error = squared_error(grid);
            if error < best.0 {
                best = (error, grid);
            }
        }
        best.1
    }

    /// The nearest step.
    #[must_use]
    pub fn step(self, value: f64, levels: i64) -> f64 {
        if self.scale == 0.0 {
            return 0.0;
        }
        ((value - self.offset) / self.scale).round_ties_even().clamp(0.0, levels as f64)
    }

    /// The number of the nearest step.
    #[must_use]
    pub fn nearest(self, value: f64, levels: i64) -> f64 {
        self.offset + self.scale * self.step(value, levels)
    }
}

fn extremes(values: &[f32]) -> (f64, f64) {
    let lo = values.iter().copied().reduce(f32::min).unwrap_or(0.0);
    let hi = values.iter().copied().reduce(f32::max).unwrap_or(0.0);
    (f64::from(lo), f64::from(hi))
}

/// Grids that reach `.4` to `1.06` of the way to the largest value. Values that are never negative (after Relu) begin at 0
/// or, if they are never 0 either, near their smallest; where there are negative ones, both ends are clipped.
fn candidates(lo: f64, hi: f64, levels: i64) -> Vec<Grid> {
    let mut grids = Vec::new();
    for reach in (20..54).map(|fiftieths| f64::from(fiftieths) / 50.0) {
        let scale = |origin: f64| (hi - origin) * reach / levels as f64;
        if lo < 0.0 {
            let clipped = (hi - lo) * (1.0 - reach);
            grids
                .extend([0.0, 0.5, 1.0].map(|share| Grid { offset: lo + share * clipped, scale: scale(lo) }));
            continue;
        }
        grids.push(Grid { offset: 0.0, scale: scale(0.0) });
        if lo > 0.0 {
            for (origin, shift) in [(lo / 2.0, 0.0), (lo / 2.0, 0.5), (lo, 0.0), (lo, 0.5)] {
                grids.push(Grid { offset: origin + shift * scale(origin), scale: scale(origin) });
            }
        }
    }
    grids.retain(|grid| grid.scale >= NARROWEST);
    grids
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clipping_is_never_worse_than_min_max(
            values in prop::collection::vec(-10f32..10.0, 1..40),
            relu: bool,
            levels in 1i64..16,
        ) {
            let values: Vec<f32> = values.iter().map(|x| if relu { x.max(0.0) } else { *x }).collect();
            let error = |grid: Grid| -> f64 {
                let error = |value: &f32| f64::from(*value) - grid.nearest(f64::from(*value), levels);
                values.iter().map(|value| error(value).powi(2)).sum()
            };
            prop_assert!(error(Grid::least_squares(&values, levels)) <= error(Grid::min_max(&values, levels)));
        }

        #[test]
        fn min_max_errs_by_half_a_step_at_most(
            values in prop::collection::vec(-1e3f32..1e3, 1..40), levels in 1i64..16,
        ) {
            let grid = Grid::min_max(&values, levels);
            for value in values {
                let value = f64::from(value);
                prop_assert!((value - grid.nearest(value, levels)).abs() <= grid.scale * 0.500_001);
            }
        }
    }

    #[test]
    fn an_outlier_is_clipped() {
        let mut values: Vec<f32> = (0..400).map(|i| i as f32 / 400.0).collect();
        values.push(2.0);
        let grid = Grid::least_squares(&values, 7);
        assert_eq!(grid.offset, 0.0);
        assert!(grid.scale * 7.0 < 1.3, "{grid:?}");
    }

    #[test]
    fn a_channel_that_never_fires_is_constant() {
        for values in [&[0.0; 5][..], &[3.5; 2], &[]] {
            let grid = Grid::least_squares(values, 7);
            assert_eq!(grid, Grid { offset: f64::from(values.first().copied().unwrap_or(0.0)), scale: 0.0 });
            assert_eq!(grid.nearest(100.0, 7), grid.offset);
        }
    }
}
