//! Float network with quantizers to quantized integers.
//!
//! Before: `%q = nn.fake_quantize %x`, `%w = nn.fake_quantize %constant`, `%y = nn.matmul %q, %w`
//! After:  `%q = qnn.quantize %x`, `%a = qnn.matmul %q, dense<...>`, `%y = qnn.dequantize %a`
//!
//! Requires: constant weights behind an `nn.fake_quantize`, and an `nn.fake_quantize` of one scale on the input of each matrix
//! product (`cml-insert-quantizers` puts both there; quantization-aware networks bring them). Reshapes, transposes and
//! concatenations may stand between a quantizer and the product. Guarantees: every matrix product is exact integer arithmetic.
//!
//! Weights may have zero points and offsets: `scale * (q - zero_point - offset)` is `scale / 2^k` times an integer. An offset of
//! the input adds its multiple of each column's sum, which becomes the offset of the accumulator.

use crate::analysis::movement::on_level;
use crate::framework::{Pass, PassError, PassInfo, Preserves, model_error};
use crate::transforms::quantization::missing_quantizer;
use crate::transforms::quantization::unfired::OBSERVED;
use cml_dialects::ffi::{QuantParts, quant_parts, quant_type};
use cml_dialects::interpret::is_movement;
use cml_dialects::ir::{
    Function, Make, Mapping, NewOp, Signature, build_function, clone_op, defining_op, expected, f32_tensor,
    key, node_name, op_name, operand, operands, replace_function, result, shape_of, tensor_element,
    tensor_of,
};
use cml_dialects::nn::{MAIN, constant_floats, interpret::quantizer, with_offsets, with_rounding};
use cml_dialects::qnn::to_parts;
use cml_runtime::reference::Value as Tensor;
use cml_runtime::reference::message::{Element, Graph, Node, Op, Port};
use melior::Context;
use melior::ir::operation::{Operation, OperationLike};
use melior::ir::{Block, OperationRef, Value, ValueLike};
use std::collections::BTreeMap;

/// See the module's text.
pub struct NnToQnn;

impl Pass for NnToQnn {
    const INFO: PassInfo = PassInfo {
        name: "cml-nn-to-qnn",
        summary: "Turn quantized matrix products into integer arithmetic",
        description: "Each `nn.matmul` between quantizers becomes a `qnn.matmul` on stored integers with exact accumulators. \
            A product whose input or weights are not quantized is an error that names the node.",
        options: &[],
        // The float network rounds its sums, the integer one does not: at a tie they may differ.
        preserves: Preserves::Nothing,
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let main = Function::named(module, MAIN)?;
        let new = convert(context, main)?;
        replace_function(main, vec![new]);
        Ok(())
    }
}

/// The new block, and which values of it are quantized.
struct Converter<'c, 'b> {
    context: &'c Context,
    block: &'b Block<'c>,
    floats: Mapping<'c, 'b>,
    /// By the old float value: what it is the dequantization of.
    quantized: BTreeMap<usize, Integers<'c, 'b>>,
}

/// Stored integers, and what their type cannot say of the way back.
#[derive(Clone)]
struct Integers<'c, 'b> {
    value: Value<'c, 'b>,
    /// As many as the type has scales, or none for 0.
    offsets: Vec<f64>,
}

fn convert<'c>(context: &'c Context, main: Function<'c, '_>) -> Result<Operation<'c>, PassError> {
    let signature = Signature {
        name: MAIN.to_owned(),
        inputs: main.arguments().iter().map(|value| value.r#type()).collect(),
        input_names: main.input_names(),
        output_names: main.output_names(),
        location: main.op.location(),
        attributes: Vec::new(),
    };
    build_function(context, &signature, |block, arguments| {
        let mut converter = Converter { context, block, floats: Mapping::new(), quantized: BTreeMap::new() };
        for (old, new) in main.arguments().into_iter().zip(arguments) {
            converter.floats.insert(old, *new);
        }
        for op in main.ops() {
            let new = converter.op(op)?;
            converter.floats.insert(result(op)?, new);
        }
        main.results().into_iter().map(|old| Ok(converter.floats.get(main.op, old)?)).collect()
    })
}

impl<'c, 'b> Converter<'c, 'b> {
    fn op(&mut self, op: OperationRef<'c, '_>) -> Result<Value<'c, 'b>, PassError> {
        match op_name(op).as_str() {
            "nn.fake_quantize" if constant_floats(operand(op, 0)?).is_none() => self.quantize(op),
            "nn.matmul" => self.matmul(op),
            "nn.gemm" => Err(model_error(op, "run `cml-decompose-gemm` before `cml-nn-to-qnn`")),
            _ => {
                if is_movement(op) {
                    self.move_integers(op)?;
                }
                Ok(clone_op(op, &self.floats.operands(op)?, self.block)?)
            }
        }
    }

    fn dequantize(
        &self,
        op: OperationRef<'c, '_>,
        integers: &Integers<'c, 'b>,
    ) -> Result<Value<'c, 'b>, PassError> {
        let ty = f32_tensor(self.context, &shape_of(op, integers.value)?);
        let new = NewOp::new("qnn.dequantize", op.location()).operands(&[integers.value]).result(ty);
        Ok(with_offsets(Make(self.context), new, &integers.offsets).append(self.context, self.block)?)
    }

    fn quantize(&mut self, op: OperationRef<'c, '_>) -> Result<Value<'c, 'b>, PassError> {
        let quantizer = quantizer(op)?;
        let element = quant_type(op.location(), &to_parts(&quantizer));
        let element = element.ok_or_else(|| expected(op, "a quantizer that MLIR accepts"))?;
        let input = self.floats.get(op, operand(op, 0)?)?;
        let ty = tensor_of(&shape_of(op, input)?, element);
        let observed = op.attribute(OBSERVED).ok();
        let new = NewOp::new("qnn.quantize", op.location())
            .operands(&[input])
            .optional(OBSERVED, observed)
            .result(ty);
        let value = with_rounding(Make(self.context), new, &quantizer).append(self.context, self.block)?;
        let integers = Integers { value, offsets: quantizer.offsets };
        let floats = self.dequantize(op, &integers)?;
        self.quantized.insert(key(result(op)?), integers);
        Ok(floats)
    }

    /// A movement of quantized values moves their integers as well, so that a product behind it finds them.
    fn move_integers(&mut self, op: OperationRef<'c, '_>) -> Result<(), PassError> {
        let sources: Option<Vec<_>> =
            operands(op).into_iter().map(|old| self.quantized.get(&key(old)).cloned()).collect();
        let Some(sources) = sources else { return Ok(()) };
        let elements: Vec<_> =
            sources.iter().filter_map(|source| tensor_element(source.value.r#type())).collect();
        let Some((element, offsets)) =
            elements.first().copied().zip(sources.first().map(|first| &first.offsets))
        else {
            return Ok(());
        };
        let uniform = quant_parts(element).is_some_and(|parts| parts.scales.len() == 1);
        let alike = sources.iter().all(|source| source.offsets == *offsets);
        if !uniform || !alike || elements.iter().any(|other| *other != element) {
            return Ok(());
        }
        let ty = tensor_of(&shape_of(op, result(op)?)?, element);
        let values: Vec<_> = sources.iter().map(|source| source.value).collect();
        let value = on_level(op, "qnn", &values, ty)?.append(self.context, self.block)?;
        let moved = Integers { value, offsets: offsets.clone() };
        self.quantized.insert(key(result(op)?), moved);
        Ok(())
    }

    fn matmul(&mut self, op: OperationRef<'c, '_>) -> Result<Value<'c, 'b>, PassError> {
        let Some(input) = self.quantized.get(&key(operand(op, 0)?)).cloned() else {
            let help = "or run `cml-calibrate` and `cml-insert-quantizers`";
            return Err(model_error(op, format!("{}, {help}", missing_quantizer(op)?)));
        };
        let activations = tensor_element(input.value.r#type()).and_then(quant_parts);
        let activations = activations.ok_or_else(|| expected(op, "a quantized input"))?;
        let [scale] = activations.scales[..] else {
            let help = "its input has a scale per channel, which does not factor out of a sum: use one scale per tensor";
            return Err(model_error(op, help));
        };
        let weights = integer_weights(op)?;
        check_width(op, &activations, &weights)?;
        let offset = input.offsets.first().copied().unwrap_or(0.0);
        let sums = weights.column_sums();
        // One scale for all columns says all of them unless each has an offset of its own.
        let columns = if offset == 0.0 { weights.scales.len() } else { sums.len() };
        let scale_of = |column: usize| scale * weights.scales[column.min(weights.scales.len() - 1)];
        let accumulator = QuantParts {
            scales: (0..columns).map(scale_of).collect(),
            zero_points: vec![0; columns],
            axis: shape_of(op, result(op)?)?.len() as u32 - 1,
            lo: i64::from(i32::MIN),
            hi: i64::from(i32::MAX),
        };
        let offsets =
            if offset == 0.0 { vec![] } else { sums.iter().map(|sum| offset * *sum as f64).collect() };
        let make = Make(self.context);
        let refused = |what: &str| expected(op, what);
        let element =
            quant_type(op.location(), &accumulator).ok_or_else(|| refused("scales that MLIR accepts"))?;
        let weight_type =
            quant_type(op.location(), &weights.parts()).ok_or_else(|| refused("scales that MLIR accepts"))?;
        let dense = make
            .i64_elements(&weights.shape, &weights.integers)
            .ok_or_else(|| refused("weights that fit their shape"))?;
        let new = NewOp::new("qnn.matmul", op.location())
            .operands(&[input.value])
            .attribute("weights", dense)
            .attribute("weight_type", make.r#type(weight_type))
            .result(tensor_of(&shape_of(op, result(op)?)?, element));
        let sums = new.append(self.context, self.block)?;
        self.dequantize(op, &Integers { value: sums, offsets })
    }
}

/// The weights of a matrix product: `scales[column] * integers`.
struct IntegerWeights {
    shape: Vec<u64>,
    integers: Vec<i64>,
    /// One, or one for each column.
    scales: Vec<f64>,
    /// What the quantizer can store, with 0, which is the zero point.
    bounds: (i64, i64),
}

impl IntegerWeights {
    fn columns(&self) -> usize {
        self.shape[1] as usize
    }

    fn column(&self, column: usize) -> impl Iterator<Item = i64> {
        self.integers.iter().skip(column).step_by(self.columns()).copied()
    }

    fn column_sums(&self) -> Vec<i64> {
        (0..self.columns()).map(|column| self.column(column).sum()).collect()
    }

    fn parts(&self) -> QuantParts {
        let (lo, hi) = self.bounds;
        let zero_points = vec![0; self.scales.len()];
        QuantParts { scales: self.scales.clone(), zero_points, axis: 1, lo, hi }
    }
}

/// Most halvings of the weights' grid that make their offsets integers.
const MAX_HALVINGS: i32 = 8;

fn integer_weights(op: OperationRef<'_, '_>) -> Result<IntegerWeights, PassError> {
    let help = "its weights are not quantized constants: put a quantizer (DequantizeLinear of stored integers, or Quant) on \
                them, or run `cml-calibrate` and `cml-insert-quantizers`";
    let producer = defining_op(operand(op, 1)?).filter(|producer| op_name(*producer) == "nn.fake_quantize");
    let producer = producer.ok_or_else(|| model_error(op, help))?;
    let (shape, floats) = constant_floats(operand(producer, 0)?).ok_or_else(|| model_error(op, help))?;
    let quantizer = quantizer(producer)?;
    let count = quantizer.scales.len();
    if shape.len() != 2 || (count > 1 && quantizer.axis != 1) {
        let message = format!(
            "weights of shape {shape:?} with scales along axis {}: expected a matrix with one scale, or one for \
                               each column",
            quantizer.axis
        );
        return Err(model_error(op, message));
    }
    let halvings = (0..=MAX_HALVINGS).find(|halvings| {
        quantizer.offsets.iter().all(|offset| (offset * f64::from(*halvings).exp2()).fract() == 0.0)
    });
    let Some(halvings) = halvings else {
        let offset =
            quantizer.offsets.iter().find(|offset| offset.fract() != 0.0).copied().unwrap_or_default();
        let message = format!(
            "weights have the zero point {offset}, which is no multiple of 2^-{MAX_HALVINGS}: use a whole one, or a half"
        );
        return Err(model_error(op, message));
    };
    let grid = f64::from(halvings).exp2();
    let stored = run(op, Op::Quantize(quantizer.clone()), (&shape, floats))?;
    let whole = |stored: i64, channel: usize| {
        let offset = quantizer.offsets.get(channel).copied().unwrap_or(0.0);
        let steps = i128::from(stored) - i128::from(quantizer.zero_points[channel]);
        i64::try_from(steps * grid as i128 - (offset * grid) as i128)
            .map_err(|_| model_error(op, "a weight has more than 64 bits: use fewer bits for weights"))
    };
    let integers = stored.into_iter().enumerate().map(|(at, stored)| whole(stored, at % count));
    let integers = integers.collect::<Result<_, _>>()?;
    let mut bounds = (0, 1);
    for channel in 0..count {
        bounds.0 = bounds.0.min(whole(quantizer.lo, channel)?);
        bounds.1 = bounds.1.max(whole(quantizer.hi, channel)?);
    }
    let scales = quantizer.scales.iter().map(|scale| scale / grid).collect();
    Ok(IntegerWeights { shape, integers, scales, bounds })
}

/// One operation on a float tensor that gives integers.
fn run(
    op: OperationRef<'_, '_>,
    operation: Op,
    (shape, floats): (&[u64], Vec<f32>),
) -> Result<Vec<i64>, PassError> {
    let port = Port { name: node_name(op), shape: shape.to_vec(), element: Element::F32.into() };
    let node = Node { name: node_name(op), inputs: vec![0], op: Some(operation) };
    let graph =
        Graph { inputs: vec![port], nodes: vec![node], outputs: vec![1], output_names: vec![String::new()] };
    let extents: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
    let input = Tensor::floats(&extents, floats).map_err(|fault| model_error(op, fault.to_string()))?;
    let results = graph.run(&[input])?;
    let integers =
        results.first().and_then(Tensor::as_integers).ok_or_else(|| expected(op, "integer weights"))?;
    Ok(integers.iter().copied().collect())
}

/// Accumulators are 32-bit storage at this level; what does not fit could not be encrypted either.
fn check_width(
    op: OperationRef<'_, '_>,
    activations: &QuantParts,
    weights: &IntegerWeights,
) -> Result<(), PassError> {
    let zero = activations.zero_points.first().copied().unwrap_or_default();
    let largest = i128::from((activations.hi - zero).abs().max((activations.lo - zero).abs()));
    let widest = (0..weights.columns())
        .map(|column| weights.column(column).map(|weight| i128::from(weight.abs())).sum::<i128>())
        .max()
        .unwrap_or_default()
        * largest;
    if widest > i128::from(i32::MAX) {
        let message = format!(
            "an accumulator can reach {widest}, more than 32 bits hold: use fewer bits for weights or inputs"
        );
        return Err(model_error(op, message));
    }
    Ok(())
}
