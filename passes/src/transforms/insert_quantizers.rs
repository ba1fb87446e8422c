//! Put the quantizers that calibration chose into the network.
//!
//! Before: `%y = nn.matmul %x, %w {cml.offsets = ..., ...}`
//! After:  `%a = nn.fake_quantize((%x - offsets) * 1/scales)`, steps 0 to `levels` as real numbers;
//!         `%v = nn.fake_quantize(scales * w)`, `%p = nn.matmul %a, %v`, `%y = nn.add %p, offsets * w + corrections`
//!                                                               (tested: lit-tests/passes/insert-quantizers.mlir)
//!
//! Scales of channels stand in ops around one quantizer of scale 1, so that the integer product has one scale for all its
//! inputs. A scale of 0 makes its channel constant: it is multiplied by 0, and so are its weights. What never fires by the
//! attribute `cml.unfired` is made constant so, and what its step adds goes into the bias. Those of them that are not proved to stay
//! on one step, whatever the client sends, are named by `cml.observed` on the quantizer.
//! Requires: `cml-calibrate`, or attributes that someone else wrote.
//! Guarantees: no attribute of [`ProductQuantizers`] remains; a value that several products quantize alike is quantized once.

use super::infer_ranges::declared_ranges;
use super::quantization::unfired::{OBSERVED, products, proved};
use super::quantization::{ProductQuantizers, Weights};
use super::rewrite::Replacement;
use crate::analysis::ranges::DeclaredRange;
use crate::framework::{Pass, PassError, PassInfo, PassOption, Preserves, parse};
use cml_dialects::ir::{Function, Make, key, operand, result, tensor_shape};
use cml_dialects::nn::{MAIN, fake_quantize};
use cml_runtime::reference::message::Quantizer;
use melior::Context;
use melior::ir::{OperationRef, Value, ValueLike};
use std::collections::BTreeMap;

/// See the module's text.
pub struct InsertQuantizers {
    enumerate: u64,
    declared: BTreeMap<String, DeclaredRange>,
}

impl Pass for InsertQuantizers {
    const INFO: PassInfo = PassInfo {
        name: "cml-insert-quantizers",
        summary: "Put the chosen quantizers into the network",
        description: "Rewrites every `nn.matmul` with the attributes of `cml-calibrate` into one whose operands come out \
                      of `nn.fake_quantize`, with offsets and scales of channels as ops around it. Inputs that never \
                      fire become constants.",
        options: &[
            PassOption {
                name: "enumerate",
                description: "Most inputs that are all tried to prove that a neuron never fires",
                default: "65536",
            },
            PassOption {
                name: "input-range",
                description: "What the client may send, for these proofs: name=LO:HI, separated by ;",
                default: "",
            },
        ],
        preserves: Preserves::Nothing,
    };

    fn new(values: &[&str]) -> Result<Self, String> {
        Ok(Self { enumerate: parse("enumerate", values[0])?, declared: declared_ranges(values[1])? })
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let mut unfired = 0;
        for product in products(Function::named(module, MAIN)?) {
            unfired += ProductQuantizers::read(product)?.map_or(0, |quantizers| quantizers.unfired.len());
        }
        let proved =
            if unfired > 0 { proved(context, module, &self.declared, self.enumerate) } else { Vec::new() };
        insert(context, module, &proved)
    }
}

/// The pass; `proved` are the inputs of each product that stay on one step whatever the client sends.
///
/// # Errors
/// [`PassError`] where attributes or weights are not as they should be.
pub(super) fn insert<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    proved: &[Vec<usize>],
) -> Result<(), PassError> {
    let mut inputs = Vec::new();
    for (number, op) in products(Function::named(module, MAIN)?).into_iter().enumerate() {
        if let Some(quantizers) = ProductQuantizers::read(op)? {
            let is_proved = |input: &usize| proved.get(number).is_some_and(|proved| proved.contains(input));
            let unfired = quantizers.unfired.iter().map(|(input, _)| *input);
            let observed: Vec<i64> =
                unfired.filter(|input| !is_proved(input)).map(|input| input as i64).collect();
            let quantizers = quantizers.without_unfired(op, &Weights::of(op)?)?;
            rewrite(context, op, (&quantizers, &observed), &mut inputs)?;
        }
    }
    Ok(())
}

/// A quantized input: the value, how it was quantized, and the result.
struct Input<'c, 'a> {
    value: Value<'c, 'a>,
    quantizers: ProductQuantizers,
    steps: Value<'c, 'a>,
}

impl Input<'_, '_> {
    fn serves(&self, value: Value<'_, '_>, quantizers: &ProductQuantizers) -> bool {
        key(self.value) == key(value)
            && self.quantizers.offsets == quantizers.offsets
            && self.quantizers.scales == quantizers.scales
            && self.quantizers.levels == quantizers.levels
    }
}

fn rewrite<'c, 'a>(
    context: &'c Context,
    product: OperationRef<'c, 'a>,
    (quantizers, observed): (&ProductQuantizers, &[i64]),
    inputs: &mut Vec<Input<'c, 'a>>,
) -> Result<(), PassError> {
    let weights = Weights::of(product)?;
    let place = Replacement::of(context, product)?;
    let value = operand(product, 0)?;
    let steps = match inputs.iter().find(|input| input.serves(value, quantizers)) {
        Some(input) => input.steps,
        None => {
            let steps = quantize_input(context, place, value, (quantizers, observed))?;
            inputs.push(Input { value, quantizers: quantizers.clone(), steps });
            steps
        }
    };
    let scaled = place.constant(&weights.shape, &quantizers.rounded_from(product, &weights)?)?;
    let quantizer = Quantizer {
        scales: quantizers.weight_scales.clone(),
        zero_points: vec![0; quantizers.weight_scales.len()],
        axis: weights.shape.len() as u32 - 1,
        lo: -quantizers.weight_limit,
        hi: quantizers.weight_limit,
        ..Quantizer::default()
    };
    let rounded = place.new_op("nn.fake_quantize").operands(&[scaled]).result(scaled.r#type());
    let rounded = place.insert(fake_quantize(Make(context), rounded, &quantizer))?;
    let ty = result(product)?.r#type();
    let mut sum = place.insert(place.new_op("nn.matmul").operands(&[steps, rounded]).result(ty))?;
    let constants = quantizers.constants(&weights);
    if constants.iter().any(|constant| *constant != 0.0) {
        let shape = if weights.shape.len() == 1 { vec![] } else { vec![constants.len() as u64] };
        let constants = place.constant(&shape, &constants)?;
        sum = place.insert(place.new_op("nn.add").operands(&[sum, constants]).result(ty))?;
    }
    place.replace_by(sum);
    Ok(())
}

/// `(x - offsets) * 1/scales`, rounded and clipped to the steps.
fn quantize_input<'c, 'a>(
    context: &'c Context,
    place: Replacement<'c, 'a>,
    input: Value<'c, 'a>,
    (quantizers, observed): (&ProductQuantizers, &[i64]),
) -> Result<Value<'c, 'a>, PassError> {
    let ty = input.r#type();
    // One for all broadcasts as a scalar, and is a scalar's only feature too.
    let each = |name, value, operand: Vec<f32>| -> Result<Value<'c, 'a>, PassError> {
        let is_scalar = operand.len() == 1 && tensor_shape(ty).is_none_or(|shape| shape.is_empty());
        let shape = if is_scalar { vec![] } else { vec![operand.len() as u64] };
        let operand = place.constant(&shape, &operand)?;
        Ok(place.insert(place.new_op(name).operands(&[value, operand]).result(ty))?)
    };
    let mut value = input;
    let offsets: Vec<f32> = quantizers.offsets.iter().map(|offset| *offset as f32).collect();
    if offsets.iter().any(|offset| *offset != 0.0) {
        value = each("nn.sub", value, offsets)?;
    }
    if quantizers.scales.iter().any(|scale| *scale != 1.0) {
        let inverse = |scale: &f64| if *scale == 0.0 { 0.0 } else { (1.0 / scale) as f32 };
        value = each("nn.mul", value, quantizers.scales.iter().map(inverse).collect())?;
    }
    let (scales, zero_points) = (vec![1.0], vec![0]);
    let quantizer = Quantizer { scales, zero_points, hi: quantizers.levels, ..Quantizer::default() };
    let mark = (!observed.is_empty()).then(|| Make(context).i64_array(observed));
    let steps = place.new_op("nn.fake_quantize").operands(&[value]).optional(OBSERVED, mark).result(ty);
    Ok(place.insert(fake_quantize(Make(context), steps, &quantizer))?)
}
