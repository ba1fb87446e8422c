//! Float network with quantizers to quantized integers.
//!
//! Before: `%q = nn.fake_quantize %x`, `%w = nn.fake_quantize %constant`, `%y = nn.matmul %q, %w`
//! After:  `%q = qnn.quantize %x`, `%a = qnn.matmul %q, dense<...>`, `%y = qnn.dequantize %a`
//!
//! Requires: constant weights behind an `nn.fake_quantize`, and an `nn.fake_quantize` of one scale on the input of each matrix
//! product (`cml-insert-quantizers` puts both there; quantization-aware networks bring them). Reshapes, transposes and
//! concatenations may stand between a quantizer and the product. Guarantees: every matrix product is exact integer arithmetic.

use crate::analysis::movement::on_level;
use crate::framework::{Pass, PassError, PassInfo, Preserves, model_error};
use cml_dialects::ffi::{QuantParts, quant_parts, quant_type};
use cml_dialects::interpret::is_movement;
use cml_dialects::ir::{
    Function, Make, Mapping, NewOp, Signature, build_function, clone_op, defining_op, expected, f32_tensor,
    key, node_name, op_name, operand, operands, replace_function, result, shape_of, tensor_element,
    tensor_of,
};
use cml_dialects::nn::{MAIN, constant_floats, interpret::quantizer};
use cml_dialects::qnn::to_parts;
use cml_runtime::reference::Value as Tensor;
use cml_runtime::reference::message::{Element, Graph, Node, Op, Port, Quantizer};
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
    /// By the old float value: the stored integers that it is the dequantization of.
    quantized: BTreeMap<usize, Value<'c, 'b>>,
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
        integers: Value<'c, 'b>,
    ) -> Result<Value<'c, 'b>, PassError> {
        let ty = f32_tensor(self.context, &shape_of(op, integers)?);
        let new = NewOp::new("qnn.dequantize", op.location()).operands(&[integers]).result(ty);
        Ok(new.append(self.context, self.block)?)
    }

    fn quantize(&mut self, op: OperationRef<'c, '_>) -> Result<Value<'c, 'b>, PassError> {
        let parts = to_parts(&quantizer(op)?);
        let element =
            quant_type(op.location(), &parts).ok_or_else(|| expected(op, "a quantizer that MLIR accepts"))?;
        let input = self.floats.get(op, operand(op, 0)?)?;
        let ty = tensor_of(&shape_of(op, input)?, element);
        let new = NewOp::new("qnn.quantize", op.location()).operands(&[input]).result(ty);
        let integers = new.append(self.context, self.block)?;
        self.quantized.insert(key(result(op)?), integers);
        self.dequantize(op, integers)
    }

    /// A movement of quantized values moves their integers as well, so that a product behind it finds them.
    fn move_integers(&mut self, op: OperationRef<'c, '_>) -> Result<(), PassError> {
        let sources: Option<Vec<_>> =
            operands(op).into_iter().map(|old| self.quantized.get(&key(old)).copied()).collect();
        let Some(sources) = sources else { return Ok(()) };
        let elements: Vec<_> = sources.iter().filter_map(|value| tensor_element(value.r#type())).collect();
        let Some(element) = elements.first().copied() else { return Ok(()) };
        let uniform = quant_parts(element).is_some_and(|parts| parts.scales.len() == 1);
        if !uniform || elements.iter().any(|other| *other != element) {
            return Ok(());
        }
        let ty = tensor_of(&shape_of(op, result(op)?)?, element);
        let new = on_level(op, "qnn", &sources, ty)?;
        let moved = new.append(self.context, self.block)?;
        self.quantized.insert(key(result(op)?), moved);
        Ok(())
    }

    fn matmul(&mut self, op: OperationRef<'c, '_>) -> Result<Value<'c, 'b>, PassError> {
        let Some(input) = self.quantized.get(&key(operand(op, 0)?)).copied() else {
            let help = "its input is not quantized: run `cml-calibrate` and `cml-insert-quantizers`, or put a quantizer \
                        before it in the network";
            return Err(model_error(op, help));
        };
        let (shape, integers, weights) = integer_weights(op)?;
        let activations = tensor_element(input.r#type()).and_then(quant_parts);
        let activations = activations.ok_or_else(|| expected(op, "a quantized input"))?;
        let [scale] = activations.scales[..] else {
            let help = "its input has a scale per channel, which does not factor out of a sum: use one scale per tensor";
            return Err(model_error(op, help));
        };
        check_width(op, &activations, &shape, &integers)?;
        let columns = weights.scales.len();
        let accumulator = QuantParts {
            scales: weights.scales.iter().map(|weight| scale * weight).collect(),
            zero_points: vec![0; columns],
            axis: shape_of(op, result(op)?)?.len() as u32 - 1,
            lo: i64::from(i32::MIN),
            hi: i64::from(i32::MAX),
        };
        let make = Make(self.context);
        let refused = |what: &str| expected(op, what);
        let element =
            quant_type(op.location(), &accumulator).ok_or_else(|| refused("scales that MLIR accepts"))?;
        let weight_type = quant_type(op.location(), &to_parts(&weights))
            .ok_or_else(|| refused("scales that MLIR accepts"))?;
        let dense =
            make.i64_elements(&shape, &integers).ok_or_else(|| refused("weights that fit their shape"))?;
        let new = NewOp::new("qnn.matmul", op.location())
            .operands(&[input])
            .attribute("weights", dense)
            .attribute("weight_type", make.r#type(weight_type))
            .result(tensor_of(&shape_of(op, result(op)?)?, element));
        let sums = new.append(self.context, self.block)?;
        self.dequantize(op, sums)
    }
}

/// Shape, stored integers and quantizer of the weights of a matrix product.
fn integer_weights(op: OperationRef<'_, '_>) -> Result<(Vec<u64>, Vec<i64>, Quantizer), PassError> {
    let help = "its weights are not quantized constants: run `cml-calibrate` and `cml-insert-quantizers`, or quantize them in \
                the network";
    let producer = defining_op(operand(op, 1)?).filter(|producer| op_name(*producer) == "nn.fake_quantize");
    let producer = producer.ok_or_else(|| model_error(op, help))?;
    let (shape, floats) = constant_floats(operand(producer, 0)?).ok_or_else(|| model_error(op, help))?;
    let quantizer = quantizer(producer)?;
    if shape.len() != 2 || (quantizer.scales.len() > 1 && quantizer.axis != 1) {
        let message = format!(
            "weights of shape {shape:?} with scales along axis {}: expected a matrix with one scale, or one for \
                               each column",
            quantizer.axis
        );
        return Err(model_error(op, message));
    }
    if quantizer.zero_points.iter().any(|zero| *zero != 0) {
        return Err(model_error(op, "weights have a zero point other than 0: quantize them symmetrically"));
    }
    let port = Port { name: node_name(op), shape: shape.clone(), element: Element::F32.into() };
    let node = Node { name: node_name(op), inputs: vec![0], op: Some(Op::Quantize(quantizer.clone())) };
    let graph =
        Graph { inputs: vec![port], nodes: vec![node], outputs: vec![1], output_names: vec![String::new()] };
    let extents: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
    let weights = Tensor::floats(&extents, floats).map_err(|fault| model_error(op, fault.to_string()))?;
    let stored = graph.run(&[weights])?;
    let stored =
        stored.first().and_then(Tensor::as_integers).ok_or_else(|| expected(op, "integer weights"))?;
    Ok((shape, stored.iter().copied().collect(), quantizer))
}

/// Accumulators are 32-bit storage at this level; what does not fit could not be encrypted either.
fn check_width(
    op: OperationRef<'_, '_>,
    activations: &QuantParts,
    shape: &[u64],
    weights: &[i64],
) -> Result<(), PassError> {
    let zero = activations.zero_points.first().copied().unwrap_or_default();
    let largest = i128::from((activations.hi - zero).abs().max((activations.lo - zero).abs()));
    let columns = shape[1] as usize;
    let widest = (0..columns)
        .map(|column| {
            weights.iter().skip(column).step_by(columns).map(|weight| i128::from(weight.abs())).sum::<i128>()
        })
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
