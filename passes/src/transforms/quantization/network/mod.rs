//! A quantized chain of products on all rows of a target, and what a small change does to its outputs and its price.

mod readings;
#[cfg(test)]
mod tests;

use super::activations::Grid;
use super::price::Reading;
use super::scores::centred;
use super::target::Target;
use ndarray::{Array1, Array2, ArrayView1};

/// Of a column with fewer weights than this share, as a convolution has, sums are made weight by weight.
const FEW: usize = 8;

/// One product: `scale * accumulator + shift`, for each column.
#[derive(Clone, Debug)]
pub struct Product {
    /// Of the inputs.
    pub grids: Vec<Grid>,
    /// The largest step of an input.
    pub levels: i64,
    /// The largest integer weight.
    pub limit: f64,
    /// Integer weights.
    pub integers: Array2<f64>,
    /// Of columns.
    pub scales: Vec<f64>,
    /// Of columns.
    pub shifts: Vec<f64>,
}

/// What a column of one product becomes.
#[derive(Clone, Debug)]
pub struct Change {
    /// Integer weights, where they change.
    pub integers: Integers,
    /// As in [`Product`].
    pub scale: f64,
    /// As in [`Product`].
    pub shift: f64,
}

/// How the integer weights of a column change.
#[derive(Clone, Debug)]
pub enum Integers {
    /// Not at all.
    Same,
    /// One of them: its input, and what is added.
    One(usize, f64),
    /// All are replaced.
    All(Vec<f64>),
}

/// What is to be made small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Weighted squared distance of the outputs from float, up to constants of classes.
    pub loss: f64,
    /// Milliseconds of all lookups.
    pub price: f64,
}

/// A chain with quantizers for its first products, or for all.
pub struct Network<'n> {
    target: &'n Target<'n>,
    products: Vec<Product>,
    /// Integer inputs of each product; those of the product after the last one are no part of it.
    steps: Vec<Array2<f64>>,
    accumulators: Vec<Array2<f64>>,
    /// Centred distances of the outputs from float, once all products are there.
    errors: Array2<f64>,
    /// Weighted sums of them and of their squares, for each class.
    moments: Vec<(f64, f64)>,
    /// The range of each step, proved, for each input of each product.
    ranges: Vec<Vec<(f64, f64)>>,
    /// The lookup after each column, but for the last product, if something reads it.
    lookups: Vec<Vec<Reading>>,
    /// The same where something reads it, else nothing.
    readings: Vec<Vec<Reading>>,
}

impl<'n> Network<'n> {
    /// No product has quantizers yet.
    #[must_use]
    pub fn new(target: &'n Target<'n>) -> Self {
        Self {
            target,
            products: Vec::new(),
            steps: Vec::new(),
            accumulators: Vec::new(),
            errors: Array2::zeros((0, 0)),
            moments: Vec::new(),
            ranges: Vec::new(),
            lookups: Vec::new(),
            readings: Vec::new(),
        }
    }

    /// What it is to meet.
    #[must_use]
    pub fn target(&self) -> &'n Target<'n> {
        self.target
    }

    /// What was chosen.
    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// The steps that go into a product.
    #[must_use]
    pub fn steps(&self, layer: usize) -> &Array2<f64> {
        &self.steps[layer]
    }

    /// The steps of the next product's inputs, if its quantizers were these.
    #[must_use]
    pub fn next_steps(&self, grids: &[Grid], levels: i64) -> Array2<f64> {
        let Some(layer) = self.products.len().checked_sub(1) else { return self.target.steps.clone() };
        let mut steps = self.accumulators[layer].clone();
        for (column, mut values) in steps.columns_mut().into_iter().enumerate() {
            let product = &self.products[layer];
            let (scale, shift) = (product.scales[column], product.shifts[column]);
            values.mapv_inplace(|sum| {
                grids[column].step(self.activated(layer, column, scale * sum + shift), levels)
            });
        }
        steps
    }

    /// Adds the next product.
    pub fn push(&mut self, product: Product) {
        self.steps.push(self.next_steps(&product.grids, product.levels));
        self.products.push(product);
        self.accumulators.push(Array2::zeros((0, 0)));
        if self.products.len() == 1 {
            self.measure_inputs();
        }
        self.refresh(self.products.len() - 1);
    }

    /// As it is.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome { loss: self.loss(&self.moments), price: self.price_with(0.0, None) }
    }

    /// The weighted mean of an accumulator.
    #[must_use]
    pub fn mean(&self, layer: usize, column: usize) -> f64 {
        self.target.mean(&self.accumulators[layer].column(column))
    }

    /// What a column's accumulator would be.
    #[must_use]
    pub fn accumulator(&self, layer: usize, column: usize, integers: &Integers) -> Array1<f64> {
        let before = self.accumulators[layer].column(column);
        match integers {
            Integers::Same => before.to_owned(),
            Integers::One(input, by) => {
                let mut sums = before.to_owned();
                sums.scaled_add(*by, &self.steps[layer].column(*input));
                sums
            }
            Integers::All(integers) => {
                let live: Vec<usize> = (0..integers.len()).filter(|input| integers[*input] != 0.0).collect();
                if live.len() * FEW > integers.len() {
                    return self.steps[layer].dot(&ArrayView1::from(integers));
                }
                let mut sums = Array1::zeros(self.steps[layer].nrows());
                live.into_iter()
                    .for_each(|input| sums.scaled_add(integers[input], &self.steps[layer].column(input)));
                sums
            }
        }
    }

    /// What would come of a change, whose accumulator is given.
    #[must_use]
    pub fn after(
        &self,
        (layer, column): (usize, usize),
        change: &Change,
        accumulator: &ArrayView1<'_, f64>,
    ) -> Outcome {
        if layer + 1 == self.products.len() {
            let price = self.price_with(0.0, None);
            let product = &self.products[layer];
            let mut deltas = Array2::zeros((accumulator.len(), product.scales.len()));
            for (row, sum) in accumulator.iter().enumerate() {
                let before = product.scales[column] * self.accumulators[layer][(row, column)];
                deltas[(row, column)] = change.scale * sum - before;
            }
            let rows: Vec<usize> = (0..accumulator.len()).collect();
            return Outcome { loss: self.loss_of(&rows, &deltas), price };
        }
        let next = &self.products[layer + 1];
        let grid = next.grids[column];
        let (mut rows, mut changes) = (Vec::new(), Vec::new());
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for (row, sum) in accumulator.iter().enumerate() {
            let value = self.activated(layer, column, change.scale * sum + change.shift);
            let step = grid.step(value, next.levels);
            (lo, hi) = (lo.min(step), hi.max(step));
            let before = self.steps[layer + 1][(row, column)];
            if step != before {
                rows.push(row);
                changes.push(step - before);
            }
        }
        let range = self.range((layer, column), &change.integers, accumulator);
        let steps = if self.target.is_box {
            (lo, hi)
        } else {
            self.step_range(layer, column, (change.scale, change.shift), range)
        };
        let norm2_squared = self.norm2_squared(layer, column, &change.integers);
        let own = Some(((layer, column), self.reading((layer, column), range, steps, norm2_squared)));
        if rows.is_empty() {
            return Outcome { loss: self.loss(&self.moments), price: self.price_with(0.0, own) };
        }
        let weights = next.integers.row(column);
        let deltas = Array2::from_shape_fn((rows.len(), weights.len()), |(at, to)| changes[at] * weights[to]);
        let mut difference = 0.0;
        if self.target.is_box && layer + 2 < self.products.len() {
            difference = self.difference_after(layer + 1, &rows, &deltas);
        }
        Outcome { loss: self.loss_after(layer + 1, &rows, deltas), price: self.price_with(difference, own) }
    }

    /// Makes a change.
    pub fn apply(&mut self, (layer, column): (usize, usize), change: &Change) {
        let product = &mut self.products[layer];
        product.scales[column] = change.scale;
        product.shifts[column] = change.shift;
        match &change.integers {
            Integers::Same => {}
            Integers::One(input, by) => product.integers[(*input, column)] += by,
            Integers::All(integers) => {
                product.integers.column_mut(column).assign(&ArrayView1::from(integers));
            }
        }
        if !matches!(change.integers, Integers::Same) {
            let sums = self.steps[layer].dot(&self.products[layer].integers.column(column));
            self.accumulators[layer].column_mut(column).assign(&sums);
        }
        self.refresh_after(layer, Some(column));
    }

    fn refresh(&mut self, layer: usize) {
        self.accumulators[layer] = self.steps[layer].dot(&self.products[layer].integers);
        self.refresh_after(layer, None);
    }

    /// Computes what follows from the accumulators of a product, of which one column has changed or all have.
    fn refresh_after(&mut self, layer: usize, column: Option<usize>) {
        let last = self.products.len() - 1;
        for after in layer + 1..=last {
            let columns = match column {
                Some(column) if after == layer + 1 => column..column + 1,
                _ => 0..self.products[after].grids.len(),
            };
            for input in columns {
                let before = &self.products[after - 1];
                let (scale, shift) = (before.scales[input], before.shifts[input]);
                let (grid, levels) = (self.products[after].grids[input], self.products[after].levels);
                let sums = self.accumulators[after - 1].column(input);
                let steps =
                    sums.mapv(|sum| grid.step(self.activated(after - 1, input, scale * sum + shift), levels));
                let changes = &steps - &self.steps[after].column(input);
                if changes.iter().all(|change| *change == 0.0) {
                    continue;
                }
                for (row, change) in changes.iter().enumerate().filter(|(_, change)| **change != 0.0) {
                    let mut sums = self.accumulators[after].row_mut(row);
                    sums.scaled_add(*change, &self.products[after].integers.row(input));
                }
                self.steps[after].column_mut(input).assign(&steps);
            }
        }
        // Those before a new product are new as well.
        (layer.min(self.lookups.len())..last).for_each(|layer| self.measure(layer));
        self.drop_unread();
        if self.products.len() == self.target.layers.len() {
            let outputs = self.outputs();
            self.errors = centred(&(outputs - &self.target.outputs));
            self.moments = self
                .errors
                .columns()
                .into_iter()
                .map(|column| {
                    column.iter().zip(&self.target.weights).fold(
                        (0.0, 0.0),
                        |(sum, squares), (error, weight)| {
                            (sum + weight * error, squares + weight * error * error)
                        },
                    )
                })
                .collect();
        }
    }

    /// The outputs of the last product, activated.
    #[must_use]
    pub fn outputs(&self) -> Array2<f64> {
        let last = self.products.len() - 1;
        let product = &self.products[last];
        Array2::from_shape_fn(self.accumulators[last].dim(), |(row, column)| {
            let sum =
                product.scales[column] * self.accumulators[last][(row, column)] + product.shifts[column];
            self.activated(last, column, sum)
        })
    }

    fn activated(&self, layer: usize, column: usize, sum: f64) -> f64 {
        self.target.layers[layer].activate(column, sum)
    }

    fn loss(&self, moments: &[(f64, f64)]) -> f64 {
        let total = self.target.total();
        let of = |(sum, squares): &(f64, f64)| (squares - sum * sum / total).max(0.0);
        moments.iter().map(of).sum::<f64>() / total
    }

    /// The loss when sums of a product change in some rows by what is given.
    fn loss_after(&self, layer: usize, rows: &[usize], mut deltas: Array2<f64>) -> f64 {
        let last = self.products.len() - 1;
        for layer in layer..last {
            let (product, next) = (&self.products[layer], &self.products[layer + 1]);
            let mut after = Array2::<f64>::zeros((rows.len(), next.scales.len()));
            for (at, row) in rows.iter().enumerate() {
                for (column, delta) in deltas.row(at).iter().enumerate().filter(|(_, delta)| **delta != 0.0) {
                    let sum = self.accumulators[layer][(*row, column)] + delta;
                    let sum = product.scales[column] * sum + product.shifts[column];
                    let step = next.grids[column].step(self.activated(layer, column, sum), next.levels);
                    let change = step - self.steps[layer + 1][(*row, column)];
                    if change != 0.0 {
                        after.row_mut(at).scaled_add(change, &next.integers.row(column));
                    }
                }
            }
            deltas = after;
        }
        let scales = ArrayView1::from(&self.products[last].scales);
        self.loss_of(rows, &(deltas * scales))
    }

    /// The loss when the sums of the last product change in some rows by what is given, times their scale. After it come
    /// additions only.
    fn loss_of(&self, rows: &[usize], deltas: &Array2<f64>) -> f64 {
        let mut moments = self.moments.clone();
        let classes = deltas.ncols();
        for (row, deltas) in rows.iter().zip(deltas.rows()) {
            let mean = if classes > 1 { deltas.sum() / classes as f64 } else { 0.0 };
            let weight = self.target.weights[*row];
            for (class, delta) in deltas.iter().enumerate() {
                let (before, change) = (self.errors[(*row, class)], delta - mean);
                moments[class].0 += weight * change;
                moments[class].1 += weight * change * (2.0 * before + change);
            }
        }
        self.loss(&moments)
    }
}
