//! The quantizers of products one by one: where the network is no chain, or has one quantizer for each tensor.

use super::activations::Grid;
use super::layers::{COARSE, Column, FINE, Rounding, roundings, wanted};
use super::moments::Moments;
use super::products::Product;
use super::reach::Reach;
use super::rounding::Rounded;
use super::search::Bits;
use super::stride::Stride;
use super::weights::{SMALLEST, bounded, least_squares_scale, max_scale};
use super::{Effort, ProductQuantizers, Weights, unfired};
use crate::analysis::observe::Observed;
use crate::framework::PassError;
use cml_dialects::ir::Function;
use cml_dialects::nn::MAIN;
use cml_runtime::reference::Value as Tensor;
use melior::Context;
use melior::ir::OperationRef;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

/// How much an input counts whatever it did on the samples, relative to the mean variance of inputs.
const LEAST: f64 = 0.01;

/// How products are looked at.
pub struct Separately {
    /// One quantizer for each channel, or one for each tensor.
    pub per_channel: bool,
    /// Whether values are clipped, and how weights are rounded.
    pub effort: Effort,
    /// Bits of the widest sum that a lookup may read.
    pub accumulator_bits: Option<u32>,
    /// Whether inputs that never fire on the samples stay lookups.
    pub keep_unfired: bool,
}

impl Separately {
    /// Writes the quantizers of all products: first what each sees of the float network, then, in order, what rounding makes
    /// of the sums on the quantized inputs.
    ///
    /// # Errors
    /// [`PassError`]
    pub fn quantize<'c>(
        &self,
        (context, module): (&'c Context, OperationRef<'c, '_>),
        products: &[(&Product<'c, '_>, &Observed, Bits)],
        samples: &[Vec<Tensor>],
    ) -> Result<(), PassError> {
        for (product, observed, bits) in products {
            self.first(product, observed, *bits)?.write(context, product.op);
        }
        let all = unfired::products(Function::named(module, MAIN)?);
        for (product, observed, _) in products {
            let bits = self.accumulator_bits.filter(|_| product.is_bounded());
            let widest = bits.map(|bits| f64::from(bits).exp2());
            let refits = self.effort == Effort::Thorough && self.per_channel && !product.weights.is_mean();
            if self.effort == Effort::Fast && widest.is_none() {
                continue;
            }
            let Some(mut quantizers) = ProductQuantizers::read(product.op)? else { continue };
            let number = all.iter().position(|op| *op == product.op).unwrap_or_default();
            let quantized = unfired::steps_on(context, module, number, samples)?;
            let steps = quantized.rows();
            if !product.is_first && (refits || widest.is_some()) {
                unfired::let_fire(&mut quantizers, product.op, &product.weights, None)?;
            }
            let scaled = product.weights.scaled(product.op, &quantizers.scales)?;
            if refits || widest.is_some() {
                let columns = self.columns(&quantizers, product, (observed, &steps), refits);
                let inputs = product.weights.inputs();
                let bound = widest.map(|widest| {
                    let levels = quantizers.levels;
                    let reach = Reach::of((context, module), number, (inputs, levels));
                    let is_kept = self.keep_unfired || product.is_first;
                    let constants = if is_kept { Vec::new() } else { unfired::of_features(&quantized) };
                    let constants: Vec<usize> = constants.into_iter().map(|(input, _)| input).collect();
                    Bound { reach: reach.without(&constants), widest, most: (widest as i64 - 1) / levels }
                });
                let rounding = if refits { Rounding::SecondOrder } else { Rounding::Nearest };
                match &bound {
                    Some(bound) if !self.per_channel => {
                        together(&mut quantizers, &columns, inputs, bound);
                    }
                    bound => each(&mut quantizers, &columns, (inputs, rounding), bound.as_ref()),
                }
            }
            let mean = |values: &Array2<f64>| values.mean_axis(ndarray::Axis(0)).unwrap_or_default().to_vec();
            quantizers.keep_means(&product.weights, &scaled, (&mean(&observed.rows()), &mean(&steps)));
            quantizers.write(context, product.op);
        }
        Ok(())
    }

    /// Of one product, by what goes into it.
    fn first(
        &self,
        product: &Product<'_, '_>,
        observed: &Observed,
        bits: Bits,
    ) -> Result<ProductQuantizers, PassError> {
        let levels = bits.levels();
        let is_mean = product.weights.is_mean();
        // Clipping an input would throw away what the client sends; a hidden value has many neighbours that say the same.
        let clip = self.effort != Effort::Fast && !product.is_first;
        // Inputs of one scale have a mean that is their sum.
        let grids = grids(observed, levels, (self.per_channel && !is_mean, clip));
        let scales: Vec<f64> = grids.iter().map(|grid| grid.scale).collect();
        let weight_limit = if is_mean { 1 } else { bits.limit() };
        let scaled = product.weights.scaled(product.op, &scales)?;
        let columns = product.weights.columns();
        let choose = if self.effort == Effort::Fast { max_scale } else { least_squares_scale };
        let weight_scales = if self.per_channel || is_mean {
            let column =
                |column: usize| scaled.iter().skip(column).step_by(columns).copied().collect::<Vec<f32>>();
            (0..columns).into_par_iter().map(|index| choose(&column(index), weight_limit)).collect()
        } else {
            vec![choose(&scaled, weight_limit)]
        };
        Ok(ProductQuantizers {
            offsets: grids.iter().map(|grid| grid.offset).collect(),
            scales,
            levels,
            weight_scales,
            weight_limit,
            corrections: Vec::new(),
            integers: Vec::new(),
            unfired: Vec::new(),
        })
    }

    /// What the weights are to be, and how their errors count.
    fn columns(
        &self,
        quantizers: &ProductQuantizers,
        product: &Product<'_, '_>,
        (observed, steps): (&Observed, &Array2<f64>),
        refits: bool,
    ) -> Vec<Column> {
        let mut moments = Moments::of(steps, &Array1::ones(steps.nrows()));
        let mean = moments.covariances.diag().mean().unwrap_or_default();
        let least = if mean > 0.0 { LEAST * mean } else { 1.0 };
        moments.covariances.diag_mut().mapv_inplace(|variance| variance + least);
        let sums = refits.then(|| observed.rows().dot(&matrix(&product.weights)));
        wanted(&moments, &product.weights, |input| quantizers.grid(input).scale, sums.as_ref())
    }
}

fn grids(observed: &Observed, levels: i64, (per_channel, clip): (bool, bool)) -> Vec<Grid> {
    let choose = if clip { Grid::least_squares } else { Grid::min_max };
    if per_channel {
        observed.features.par_iter().map(|values| choose(values, levels)).collect()
    } else {
        vec![choose(&observed.features.concat(), levels)]
    }
}

fn matrix(weights: &Weights) -> Array2<f64> {
    let columns = weights.columns();
    Array2::from_shape_fn((weights.inputs(), columns), |(input, column)| {
        f64::from(weights.values[input * columns + column])
    })
}

/// Sums that a lookup reads: what their inputs can be, and how many integers they may be.
struct Bound {
    reach: Reach,
    widest: f64,
    /// What magnitudes of integer weights sum up to at most, so that all inputs may be anything.
    most: i64,
}

impl Bound {
    fn keeps(&self, column: &Column, integers: &[f64]) -> bool {
        self.reach.range(&column.support.inputs, integers) <= self.widest
    }

    /// The nearest integers at a scale, or what of them keeps the bound.
    fn projected(&self, column: &Column, scale: f64, limit: i64) -> Vec<f64> {
        let weights: Vec<f32> = column.weights.iter().map(|weight| *weight as f32).collect();
        bounded(&weights, scale, (limit, self.most)).into_iter().map(|integer| integer as f64).collect()
    }
}

/// Of all roundings of a column, the one of least error whose sums are no wider than they may be.
fn each(
    quantizers: &mut ProductQuantizers,
    columns: &[Column],
    (inputs, rounding): (usize, Rounding),
    bound: Option<&Bound>,
) {
    let limit = quantizers.weight_limit;
    let best = |column: &Column| -> Option<Rounded> {
        let mut found = roundings(column, limit, (rounding, Stride::FREE));
        if let Some(bound) = bound {
            let wanted = column.to_round(limit);
            let projected = |rounded: &Rounded| {
                wanted.with_best_scale(bound.projected(column, rounded.scale, limit), rounded.scale)
            };
            found = found.iter().map(projected).chain(found.iter().cloned()).collect();
            found.retain(|rounded| bound.keeps(column, &rounded.integers));
        }
        found.into_iter().min_by(|one, other| one.error.total_cmp(&other.error))
    };
    let found: Vec<Option<Rounded>> = columns.par_iter().map(best).collect();
    quantizers.integers = vec![0; inputs * columns.len()];
    for (at, (column, rounded)) in columns.iter().zip(found).enumerate() {
        let Some(rounded) = rounded else { continue };
        quantizers.weight_scales[at] = rounded.scale;
        set_column(&mut quantizers.integers, (at, columns.len()), column, &rounded.integers);
    }
}

/// The same with one scale for all columns: what is too wide at it gets smaller weights.
fn together(quantizers: &mut ProductQuantizers, columns: &[Column], inputs: usize, bound: &Bound) {
    let limit = quantizers.weight_limit;
    let largest = columns
        .iter()
        .flat_map(|column| &column.weights)
        .fold(0.0, |largest: f64, weight| largest.max(weight.abs()));
    let round = |column: &Column, scale: f64| -> Rounded {
        let wanted = column.to_round(limit);
        let nearest = wanted.nearest(scale);
        if bound.keeps(column, &nearest.integers) {
            return nearest;
        }
        wanted.of_integers(bound.projected(column, scale, limit), scale)
    };
    let at = |factor: &f64| -> Vec<Rounded> {
        let scale = largest / limit as f64 * factor;
        columns.par_iter().map(|column| round(column, scale)).collect()
    };
    let error = |rounded: &[Rounded]| rounded.iter().map(|rounded| rounded.error).sum::<f64>();
    quantizers.integers = vec![0; inputs * columns.len()];
    if largest < SMALLEST {
        return;
    }
    let found = FINE.iter().chain(&COARSE).map(at).min_by(|one, other| error(one).total_cmp(&error(other)));
    for (at, (column, rounded)) in columns.iter().zip(found.unwrap_or_default()).enumerate() {
        quantizers.weight_scales = vec![rounded.scale];
        set_column(&mut quantizers.integers, (at, columns.len()), column, &rounded.integers);
    }
}

fn set_column(all: &mut [i64], (at, columns): (usize, usize), column: &Column, integers: &[f64]) {
    for (input, integer) in column.support.inputs.iter().zip(integers) {
        all[input * columns + at] = *integer as i64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounded_sums_keep_the_bound_and_what_can_be_kept_of_the_weights(
            weights in prop::collection::vec(-2f32..2.0, 12), bits in 4u32..8, per_channel: bool,
        ) {
            let float = Weights { shape: vec![6, 2], values: weights };
            let steps = Array2::from_shape_fn((40, 6), |(row, input)| ((row * (input + 3)) % 8) as f64);
            let moments = Moments::of(&steps, &Array1::ones(40));
            let columns = wanted(&moments, &float, |_| 1.0, None);
            let widest = f64::from(bits).exp2();
            let bound = Bound { reach: Reach::Widths(vec![7.0; 6]), widest, most: (widest as i64 - 1) / 7 };
            let mut quantizers = ProductQuantizers {
                offsets: vec![0.0],
                scales: vec![1.0],
                levels: 7,
                weight_scales: vec![1.0; if per_channel { 2 } else { 1 }],
                weight_limit: 7,
                corrections: vec![],
                integers: vec![],
                unfired: vec![],
            };
            if per_channel {
                each(&mut quantizers, &columns, (6, Rounding::Nearest), Some(&bound));
            } else {
                together(&mut quantizers, &columns, 6, &bound);
            }
            for column in 0..2 {
                let own = || quantizers.integers.iter().skip(column).step_by(2);
                let norm = own().map(|integer| integer.abs()).sum::<i64>();
                prop_assert!(1.0 + 7.0 * norm as f64 <= widest, "{:?}", quantizers.integers);
                // Even the narrowest bound leaves room for two weights.
                let live = float.values.iter().skip(column).step_by(2).any(|weight| weight.abs() > 0.1);
                prop_assert!(!per_channel || !live || norm > 0, "{:?}", quantizers.integers);
                let signs = own().zip(float.values.iter().skip(column).step_by(2));
                let kept = |(integer, weight): (&i64, &f32)| *integer == 0 || (*integer > 0) == (*weight > 0.0);
                prop_assert!(signs.into_iter().all(kept), "{:?}", quantizers.integers);
            }
        }
    }
}
