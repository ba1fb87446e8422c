//! A quantized chain of products on all calibration rows, and what a small change of a quantizer does to its outputs.

use super::chain::Layer;
use super::scores::loss;
use super::{ProductQuantizers, weights};
use ndarray::{Array1, Array2, ArrayView1};

/// The float network that is to be met, on rows that count more or less.
pub struct Target<'n> {
    /// The products.
    pub layers: &'n [Layer],
    /// Weights of the rows.
    pub weights: Vec<f64>,
    /// What each product has as result, row by row.
    pub sums: Vec<Array2<f64>>,
    /// What goes into each product.
    pub inputs: Vec<Array2<f64>>,
    /// The outputs of the chain.
    pub outputs: Array2<f64>,
}

impl Target<'_> {
    /// The weighted mean of a column.
    #[must_use]
    pub fn mean(&self, column: &ArrayView1<'_, f64>) -> f64 {
        let total: f64 = self.weights.iter().sum();
        column.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum::<f64>() / total
    }
}

/// A change of what belongs to one column of one product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Number of the product.
    pub layer: usize,
    /// Its column.
    pub column: usize,
    /// Times the scale of the column's weights, which are rounded again; the column keeps its mean.
    pub weight_factor: f64,
    /// Times the scale of the next product's input that the column becomes, whose weights are rounded again; the next
    /// columns keep their means. Not for the last product.
    pub input_factor: f64,
    /// Added to the column.
    pub shift: f64,
}

impl Change {
    /// No change.
    #[must_use]
    pub fn none(layer: usize, column: usize) -> Self {
        Self { layer, column, weight_factor: 1.0, input_factor: 1.0, shift: 0.0 }
    }
}

/// A chain with quantizers for its first products, or for all.
pub struct State<'n> {
    target: &'n Target<'n>,
    quantizers: Vec<ProductQuantizers>,
    /// What the offsets of inputs amount to, in each column.
    constants: Vec<Vec<f64>>,
    /// Integer weights.
    integers: Vec<Array2<f64>>,
    /// Integer inputs; those of the product after the last one with quantizers too.
    steps: Vec<Array2<f64>>,
    /// Products of the two.
    accumulators: Vec<Array2<f64>>,
    loss: f64,
}

impl<'n> State<'n> {
    /// No product has quantizers yet.
    #[must_use]
    pub fn new(target: &'n Target<'n>) -> Self {
        let (quantizers, constants, integers) = (Vec::new(), Vec::new(), Vec::new());
        let (steps, accumulators) = (Vec::new(), Vec::new());
        Self { target, quantizers, constants, integers, steps, accumulators, loss: f64::INFINITY }
    }

    /// Weighted squared distance of the outputs from float, up to constants of classes; infinite until all products have
    /// quantizers.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// What was chosen, the last product's corrections set so that each class keeps its mean.
    #[must_use]
    pub fn finish(mut self) -> Vec<ProductQuantizers> {
        for layer in 0..self.quantizers.len() {
            if layer + 1 == self.target.layers.len() {
                for column in 0..self.accumulators[layer].ncols() {
                    let scale = self.weight_scale(layer, column);
                    let correction = self.keeping_mean(layer, column, scale);
                    self.quantizers[layer].corrections[column] = correction;
                }
            }
        }
        self.quantizers
    }

    /// The next product's quantizers: of its input as given, of each column's weights the scale of least squared error of its
    /// result, corrections that keep the means.
    pub fn push(&mut self, mut quantizers: ProductQuantizers) {
        let layer = self.quantizers.len();
        let weights = &self.target.layers[layer].weights;
        let columns = weights.columns();
        quantizers.weight_scales = vec![1.0; columns];
        quantizers.corrections = vec![0.0; columns];
        let none = ProductQuantizers { corrections: Vec::new(), ..quantizers.clone() };
        self.constants.push(none.constants(weights).into_iter().map(f64::from).collect());
        self.steps.push(match layer.checked_sub(1) {
            None => steps(&self.target.inputs[0], &quantizers),
            Some(before) => self.activated(before, &self.accumulators[before], &quantizers),
        });
        self.quantizers.push(quantizers);
        self.integers.push(Array2::zeros((weights.inputs(), columns)));
        self.accumulators.push(Array2::zeros((self.target.weights.len(), columns)));
        for column in 0..columns {
            let scale = self.least_squares_scale(layer, column);
            self.set_weight_scale(layer, column, scale);
            self.quantizers[layer].corrections[column] = self.keeping_mean(layer, column, scale);
        }
        if self.quantizers.len() == self.target.layers.len() {
            self.loss = self.loss_from(layer, &self.accumulators[layer], &self.quantizers[layer]);
        }
    }

    /// What the loss would be.
    #[must_use]
    pub fn loss_after(&self, change: &Change) -> f64 {
        let Change { layer, column, .. } = *change;
        let mut quantizers = self.quantizers[layer].clone();
        let accumulator = self.changed_column(change, &mut quantizers);
        if layer + 1 == self.quantizers.len() {
            let mut accumulators = self.accumulators[layer].clone();
            accumulators.column_mut(column).assign(&accumulator);
            return self.loss_from(layer, &accumulators, &quantizers);
        }
        let (next, accumulators, ..) = self.next_after(change, &accumulator, &quantizers);
        self.loss_from(layer + 1, &accumulators, &next)
    }

    /// Makes the change.
    pub fn apply(&mut self, change: &Change) {
        let Change { layer, column, .. } = *change;
        let mut quantizers = self.quantizers[layer].clone();
        let accumulator = self.changed_column(change, &mut quantizers);
        if layer + 1 < self.quantizers.len() {
            let (next, accumulators, steps, row) = self.next_after(change, &accumulator, &quantizers);
            self.quantizers[layer + 1] = next;
            self.accumulators[layer + 1] = accumulators;
            self.steps[layer + 1].column_mut(column).assign(&steps);
            self.integers[layer + 1].row_mut(column).assign(&row);
        }
        self.quantizers[layer] = quantizers;
        let scale = self.weight_scale(layer, column);
        self.set_weight_scale(layer, column, scale);
        for after in layer + 2..self.quantizers.len() {
            self.steps[after] =
                self.activated(after - 1, &self.accumulators[after - 1], &self.quantizers[after]);
            self.accumulators[after] = self.steps[after].dot(&self.integers[after]);
        }
        let last = self.quantizers.len() - 1;
        self.loss = self.loss_from(last, &self.accumulators[last], &self.quantizers[last]);
    }

    /// The scale of a column's weights.
    #[must_use]
    pub fn weight_scale(&self, layer: usize, column: usize) -> f64 {
        self.quantizers[layer].weight_scales[column]
    }

    /// The largest integer weight.
    #[must_use]
    pub fn weight_limit(&self) -> i64 {
        self.quantizers.first().map_or(1, |quantizers| quantizers.weight_limit)
    }

    /// The scale of an input.
    #[must_use]
    pub fn input_scale(&self, layer: usize, input: usize) -> f64 {
        self.quantizers[layer].scales[input]
    }

    /// A column's weights for inputs in steps.
    #[must_use]
    pub fn scaled_column(&self, layer: usize, column: usize) -> Vec<f32> {
        let inputs = 0..self.target.layers[layer].weights.inputs();
        inputs.map(|input| self.scaled(layer, input, column, self.input_scale(layer, input))).collect()
    }

    fn scaled(&self, layer: usize, input: usize, column: usize, scale: f64) -> f32 {
        let weights = &self.target.layers[layer].weights;
        (f64::from(weights.values[input * weights.columns() + column]) * scale + 0.0) as f32
    }

    fn rounded(&self, layer: usize, column: usize, scale: f64) -> Array1<f64> {
        let limit = self.quantizers[layer].weight_limit;
        let rounded = |weight: &f32| weights::step(f64::from(*weight), scale, limit);
        self.scaled_column(layer, column).iter().map(rounded).collect()
    }

    fn set_weight_scale(&mut self, layer: usize, column: usize, scale: f64) {
        let rounded = self.rounded(layer, column, scale);
        self.accumulators[layer].column_mut(column).assign(&self.steps[layer].dot(&rounded));
        self.integers[layer].column_mut(column).assign(&rounded);
        self.quantizers[layer].weight_scales[column] = scale;
    }

    fn least_squares_scale(&self, layer: usize, column: usize) -> f64 {
        let limit = self.quantizers[layer].weight_limit;
        let wanted = self.target.sums[layer].column(column);
        let mut best = (f64::INFINITY, 1.0);
        for scale in weights::candidates(&self.scaled_column(layer, column), limit) {
            let errors = &wanted - &(self.steps[layer].dot(&self.rounded(layer, column, scale)) * scale);
            let mean = self.target.mean(&errors.view());
            let error = self.target.mean(&errors.mapv(|error| (error - mean).powi(2)).view());
            if error < best.0 || best.0.is_infinite() {
                best = (error, scale);
            }
        }
        best.1
    }

    /// The correction with which a column has the mean that it has in the float network.
    fn keeping_mean(&self, layer: usize, column: usize, scale: f64) -> f64 {
        let wanted = self.target.mean(&self.target.sums[layer].column(column));
        let mean = self.target.mean(&self.accumulators[layer].column(column));
        wanted - scale * mean - self.constants[layer][column]
    }

    /// The column's accumulator after the change, which is made to its quantizers.
    fn changed_column(&self, change: &Change, quantizers: &mut ProductQuantizers) -> Array1<f64> {
        let Change { layer, column, .. } = *change;
        let before = self.accumulators[layer].column(column);
        quantizers.corrections[column] += change.shift;
        if change.weight_factor == 1.0 {
            return before.to_owned();
        }
        let old = quantizers.weight_scales[column];
        let new = old * change.weight_factor;
        let accumulator = self.steps[layer].dot(&self.rounded(layer, column, new));
        let means = [before, accumulator.view()].map(|column| self.target.mean(&column));
        quantizers.corrections[column] += old * means[0] - new * means[1];
        quantizers.weight_scales[column] = new;
        accumulator
    }

    /// The next product after the change: quantizers, accumulators, the steps of the changed input, and its integer weights.
    fn next_after(
        &self,
        change: &Change,
        accumulator: &Array1<f64>,
        quantizers: &ProductQuantizers,
    ) -> (ProductQuantizers, Array2<f64>, Array1<f64>, Array1<f64>) {
        let (layer, input) = (change.layer + 1, change.column);
        let mut next = self.quantizers[layer].clone();
        next.scales[input] *= change.input_factor;
        let grid = next.grid(input);
        let steps = accumulator
            .mapv(|sum| grid.step(self.activation(change.layer, input, sum, quantizers), next.levels));
        let row: Array1<f64> = (0..self.integers[layer].ncols())
            .map(|column| {
                let weight = self.scaled(layer, input, column, next.scales[input]);
                weights::step(f64::from(weight), next.weight_scales[column], next.weight_limit)
            })
            .collect();
        let old = (self.steps[layer].column(input), self.integers[layer].row(input));
        let mut accumulators = self.accumulators[layer].clone();
        for (at, mut sums) in accumulators.rows_mut().into_iter().enumerate() {
            sums.scaled_add(steps[at], &row);
            sums.scaled_add(-old.0[at], &old.1);
        }
        if change.input_factor != 1.0 {
            for column in 0..row.len() {
                let means = [&self.accumulators[layer], &accumulators]
                    .map(|accumulators| self.target.mean(&accumulators.column(column)));
                next.corrections[column] += next.weight_scales[column] * (means[0] - means[1]);
            }
        }
        (next, accumulators, steps, row)
    }

    /// What a column of a product is after its activation.
    fn activation(&self, layer: usize, column: usize, sum: f64, quantizers: &ProductQuantizers) -> f64 {
        let constant = self.constants[layer][column] + quantizers.corrections[column];
        let sum = sum * quantizers.weight_scales[column] + constant;
        self.target.layers[layer].activate(column, sum)
    }

    fn activations(
        &self,
        layer: usize,
        accumulators: &Array2<f64>,
        quantizers: &ProductQuantizers,
    ) -> Array2<f64> {
        Array2::from_shape_fn(accumulators.dim(), |(row, column)| {
            self.activation(layer, column, accumulators[(row, column)], quantizers)
        })
    }

    /// The steps that go into the product after `layer`, whose quantizers are `next`.
    fn activated(&self, layer: usize, accumulators: &Array2<f64>, next: &ProductQuantizers) -> Array2<f64> {
        steps(&self.activations(layer, accumulators, &self.quantizers[layer]), next)
    }

    /// The loss with other accumulators and quantizers of one product, and what follows from them.
    fn loss_from(&self, layer: usize, accumulators: &Array2<f64>, quantizers: &ProductQuantizers) -> f64 {
        let mut values = self.activations(layer, accumulators, quantizers);
        for after in layer + 1..self.quantizers.len() {
            let steps = steps(&values, &self.quantizers[after]);
            values = self.activations(after, &steps.dot(&self.integers[after]), &self.quantizers[after]);
        }
        loss(&values, &self.target.outputs, &self.target.weights)
    }
}

/// The steps of each input.
fn steps(inputs: &Array2<f64>, quantizers: &ProductQuantizers) -> Array2<f64> {
    Array2::from_shape_fn(inputs.dim(), |(row, input)| {
        quantizers.grid(input).step(inputs[(row, input)], quantizers.levels)
    })
}
