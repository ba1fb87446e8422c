//! What lookups a quantized chain has, and what a change does to their price.

use super::super::activations::Grid;
use super::super::price::{Reading, total};
use super::{Integers, Network};
use ndarray::{Array2, ArrayView1};

impl Network<'_> {
    /// The lookup after each column of each product but the last.
    #[must_use]
    pub fn readings(&self) -> &[Vec<Reading>] {
        &self.readings
    }

    /// The ends of an accumulator.
    #[must_use]
    pub fn range(
        &self,
        (layer, column): (usize, usize),
        integers: &Integers,
        accumulator: &ArrayView1<'_, f64>,
    ) -> (f64, f64) {
        if self.target.is_box {
            extremes(accumulator.iter().copied())
        } else {
            self.interval(layer, column, integers)
        }
    }

    /// Whether the sums from this product on, but for the last product's, are at most so many integers.
    #[must_use]
    pub fn keeps(&self, layer: usize, widest: f64) -> bool {
        let last = self.products.len() - 1;
        widest.is_infinite()
            || (layer..last).all(|layer| {
                (0..self.products[layer].scales.len()).all(|column| {
                    let accumulator = self.accumulators[layer].column(column);
                    let (lo, hi) = self.range((layer, column), &Integers::Same, &accumulator);
                    hi - lo + 1.0 <= widest
                })
            })
    }

    /// The lookup of a column whose ends, steps and weights are given.
    pub(super) fn reading(
        &self,
        (layer, column): (usize, usize),
        (lo, hi): (f64, f64),
        (first, last): (f64, f64),
        norm2_squared: f64,
    ) -> Reading {
        let is_constant = first == last || !self.is_read(layer, column);
        if is_constant { Reading::default() } else { Reading::new(hi - lo + 1.0, norm2_squared) }
    }

    /// Whether a lookup that is not constant, or an output, sums up a column's result.
    fn is_read(&self, layer: usize, column: usize) -> bool {
        let weights = self.products[layer + 1].integers.row(column);
        match self.readings.get(layer + 1) {
            Some(readings) => {
                weights.iter().zip(readings).any(|(weight, next)| *weight != 0.0 && next.milliseconds > 0.0)
            }
            None => weights.iter().any(|weight| *weight != 0.0),
        }
    }

    /// Sets [`Self::readings`], from the last to the first.
    pub(super) fn drop_unread(&mut self) {
        self.readings = self.lookups.clone();
        for layer in (0..self.lookups.len()).rev() {
            for column in 0..self.lookups[layer].len() {
                if !self.is_read(layer, column) {
                    self.readings[layer][column] = Reading::default();
                }
            }
        }
    }

    /// Squared norm of the weights of lookup results in a column; fresh inputs are quiet.
    pub(super) fn norm2_squared(&self, layer: usize, column: usize, integers: &Integers) -> f64 {
        if layer == 0 {
            return 0.0;
        }
        let before = self.products[layer].integers.column(column);
        match integers {
            Integers::All(integers) => integers.iter().map(|weight| weight * weight).sum(),
            Integers::Same => before.dot(&before),
            Integers::One(input, by) => before.dot(&before) + by * (2.0 * before[*input] + by),
        }
    }

    /// Milliseconds of all lookups and this many more, one of them being another than it is.
    pub(super) fn price_with(&self, more: f64, other: Option<((usize, usize), Reading)>) -> f64 {
        let (mut milliseconds, mut demand) = (more, 0f64);
        for (layer, readings) in self.readings.iter().enumerate() {
            for (column, reading) in readings.iter().enumerate() {
                let reading = match &other {
                    Some((place, other)) if *place == (layer, column) => other,
                    _ => reading,
                };
                milliseconds += reading.milliseconds;
                demand = demand.max(reading.demand);
            }
        }
        total(milliseconds, demand)
    }

    /// What a change of sums in some rows does to the milliseconds of the lookups after a product.
    pub(super) fn difference_after(&self, layer: usize, rows: &[usize], deltas: &Array2<f64>) -> f64 {
        let accumulators = &self.accumulators[layer];
        let mut ends = vec![(f64::INFINITY, f64::NEG_INFINITY); accumulators.ncols()];
        let mut changed = rows.iter().enumerate().peekable();
        for (row, sums) in accumulators.rows().into_iter().enumerate() {
            let deltas = changed.next_if(|(_, changed)| **changed == row).map(|(at, _)| deltas.row(at));
            for (column, ends) in ends.iter_mut().enumerate() {
                let sum = sums[column] + deltas.map_or(0.0, |deltas| deltas[column]);
                *ends = (ends.0.min(sum), ends.1.max(sum));
            }
        }
        let difference = |((lo, hi), before): (&(f64, f64), &Reading)| {
            let is_constant = before.milliseconds == 0.0;
            if is_constant {
                0.0
            } else {
                Reading::new(hi - lo + 1.0, 0.0).milliseconds - before.milliseconds
            }
        };
        ends.iter().zip(&self.readings[layer]).map(difference).sum()
    }

    /// Sets the ranges of the steps that go into the first product.
    pub(super) fn measure_inputs(&mut self) {
        let levels = self.products[0].levels as f64;
        let of = |grid: &Grid| if grid.scale == 0.0 { (0.0, 0.0) } else { (0.0, levels) };
        self.ranges = vec![self.products[0].grids.iter().map(of).collect()];
    }

    /// Computes what is read of a product's columns, and the ranges of the steps that they become.
    pub(super) fn measure(&mut self, layer: usize) {
        let columns = self.products[layer].scales.len();
        let (mut ranges, mut readings) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
        for column in 0..columns {
            let place = (layer, column);
            let ends = self.range(place, &Integers::Same, &self.accumulators[layer].column(column));
            let steps = if self.target.is_box {
                extremes(self.steps[layer + 1].column(column).iter().copied())
            } else {
                let product = &self.products[layer];
                self.step_range(layer, column, (product.scales[column], product.shifts[column]), ends)
            };
            let norm2_squared = self.norm2_squared(layer, column, &Integers::Same);
            let is_constant = steps.0 == steps.1;
            let reading = Reading::new(ends.1 - ends.0 + 1.0, norm2_squared);
            readings.push(if is_constant { Reading::default() } else { reading });
            ranges.push(steps);
        }
        self.ranges.resize(self.ranges.len().max(layer + 2), Vec::new());
        self.ranges[layer + 1] = ranges;
        self.lookups.resize(self.lookups.len().max(layer + 1), Vec::new());
        self.lookups[layer] = readings;
    }

    /// Bounds of an accumulator by those of the steps.
    fn interval(&self, layer: usize, column: usize, integers: &Integers) -> (f64, f64) {
        let ranges = &self.ranges[layer];
        let term = |(lo, hi): (f64, f64), (weight, range): (f64, &(f64, f64))| {
            let ends = (weight * range.0, weight * range.1);
            (lo + ends.0.min(ends.1), hi + ends.0.max(ends.1))
        };
        let before = self.products[layer].integers.column(column);
        match integers {
            Integers::All(integers) => integers.iter().copied().zip(ranges).fold((0.0, 0.0), term),
            Integers::Same => before.iter().copied().zip(ranges).fold((0.0, 0.0), term),
            Integers::One(input, by) => {
                let changed = |(at, weight): (usize, &f64)| weight + if at == *input { *by } else { 0.0 };
                before.iter().enumerate().map(changed).zip(ranges).fold((0.0, 0.0), term)
            }
        }
    }

    /// The steps between which a monotone activation of a sum lies.
    pub(super) fn step_range(
        &self,
        layer: usize,
        column: usize,
        (scale, shift): (f64, f64),
        (lo, hi): (f64, f64),
    ) -> (f64, f64) {
        let next = &self.products[layer + 1];
        let [one, other] = [lo, hi].map(|sum| {
            next.grids[column].step(self.activated(layer, column, scale * sum + shift), next.levels)
        });
        (one.min(other), one.max(other))
    }
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), value| (lo.min(value), hi.max(value)))
}
