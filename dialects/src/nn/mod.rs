//! The dialect `nn`: float networks.

pub mod interpret;

use crate::ffi::set_attribute;
use crate::ir::{
    IrError, Make, NewOp, Signature, build_function, f32_tensor, i64_tensor, tensor_element, tensor_shape,
};
use cml_runtime::reference::message::{Element, Graph, Node, Op, Quantizer, Rounding};
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{Attribute, Block, BlockLike, Location, Module, Type, Value, ValueLike};

/// Symbol of the one function of a float network.
pub const MAIN: &str = "main";
/// Attribute of a module: the name of the model.
pub const MODEL: &str = "cml.model";
/// Attribute of a module: the nodes whose weights were pruned, an array of strings.
pub const PRUNED_NODES: &str = "cml.pruned_nodes";
/// Attribute of a module: for each of these nodes an `array<i64>` of three: its weights, those that were not 0 before, and those
/// that are not 0 now.
pub const PRUNED_WEIGHTS: &str = "cml.pruned_weights";
/// Attribute of a module: an `array<i64>` of four: the most bits that a sum that a lookup reads may have, the calibration samples,
/// on how many of them the network decides as in floats without that bound, and on how many with it.
pub const ACCUMULATOR_BOUND: &str = "cml.accumulator_bound";
/// Attribute of a module: the activations between products by the ONNX node that a user knows them by, an array of strings.
pub const NEURON_NODES: &str = "cml.neuron_nodes";
/// Attribute of a module: for each of these an `array<i64>` of three: its neurons, those that are constant on every input that
/// the client may send, and those that were made constant because calibration never saw them fire.
pub const NEURON_COUNTS: &str = "cml.neuron_counts";

/// What the attribute `rounding` of a quantizer says.
pub(crate) const ROUNDINGS: [(Rounding, &str); 8] = [
    (Rounding::HalfEven, "half_even"),
    (Rounding::Ceil, "ceil"),
    (Rounding::Floor, "floor"),
    (Rounding::Up, "up"),
    (Rounding::Down, "down"),
    (Rounding::HalfUp, "half_up"),
    (Rounding::HalfDown, "half_down"),
    (Rounding::Sign, "sign"),
];

/// A graph cannot be a function of `nn`.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The graph does not fit together.
    #[error(transparent)]
    Graph(#[from] cml_runtime::reference::Error),
    /// The IR could not be built.
    #[error(transparent)]
    Ir(#[from] IrError),
    /// An operation of a lower level.
    #[error("{node}: not an operation of float networks")]
    NotFloat {
        /// The node.
        node: String,
    },
}

/// A module with `@main` that computes `graph`; each op has the name of its node as location.
///
/// # Errors
/// [`BuildError`] if the graph does not fit together, or has an operation that floats do not have.
pub fn build<'c>(context: &'c Context, graph: &Graph, model: &str) -> Result<Module<'c>, BuildError> {
    let types = graph.types()?;
    let place = Location::name(context, model, Location::unknown(context));
    let module = Module::new(place);
    let ty = |index: usize| {
        let shape: Vec<u64> = types[index].shape.iter().map(|extent| *extent as u64).collect();
        match types[index].element {
            Element::F32 => f32_tensor(context, &shape),
            Element::I64 => i64_tensor(context, &shape),
        }
    };
    let signature = Signature {
        name: MAIN.to_owned(),
        inputs: (0..graph.inputs.len()).map(ty).collect(),
        input_names: graph.inputs.iter().map(|port| port.name.clone()).collect(),
        output_names: graph.output_names.clone(),
        location: place,
        attributes: Vec::new(),
    };
    let function = build_function(context, &signature, |block, arguments| {
        let mut values = arguments.to_vec();
        for node in &graph.nodes {
            let operands: Vec<_> = node.inputs.iter().map(|input| values[*input as usize]).collect();
            values.push(emit(context, block, node, &operands, ty(values.len()))?);
        }
        Ok::<_, BuildError>(graph.outputs.iter().map(|output| values[*output as usize]).collect())
    })?;
    module.body().append_operation(function);
    set_attribute(module.as_operation(), MODEL, Make(context).string(model));
    Ok(module)
}

fn emit<'c, 'b>(
    context: &'c Context,
    block: &'b Block<'c>,
    node: &Node,
    operands: &[Value<'c, 'b>],
    ty: Type<'c>,
) -> Result<Value<'c, 'b>, BuildError> {
    let make = Make(context);
    let place = Location::name(context, &node.name, Location::unknown(context));
    let not_float = || BuildError::NotFloat { node: node.name.clone() };
    let new = |name| NewOp::new(name, place).operands(operands).result(ty);
    let signed =
        |values: &[u64]| make.i64_array(&values.iter().map(|value| *value as i64).collect::<Vec<_>>());
    let unit = |set: bool| set.then(|| make.unit());
    let op = match node.op.as_ref().ok_or_else(not_float)? {
        Op::Constant(tensor) => {
            let value = if tensor_element(ty) == Some(Type::float32(context)) {
                make.f32_elements(&tensor.shape, &tensor.floats)
            } else {
                make.i64_elements(&tensor.shape, &tensor.integers)
            };
            new("nn.constant").attribute("value", value.ok_or_else(not_float)?)
        }
        Op::MatMul(_) => new("nn.matmul"),
        Op::Gemm(gemm) => new("nn.gemm")
            .attribute("alpha", make.f32(gemm.alpha))
            .attribute("beta", make.f32(gemm.beta))
            .optional("transpose_a", unit(gemm.transpose_a))
            .optional("transpose_b", unit(gemm.transpose_b)),
        Op::Add(_) => new("nn.add"),
        Op::Sub(_) => new("nn.sub"),
        Op::Mul(_) => new("nn.mul"),
        Op::Div(_) => new("nn.div"),
        Op::Neg(_) => new("nn.neg"),
        Op::Relu(_) => new("nn.relu"),
        Op::LeakyRelu(slope) => new("nn.leaky_relu").attribute("alpha", make.f32(slope.alpha)),
        Op::Sigmoid(_) => new("nn.sigmoid"),
        Op::Tanh(_) => new("nn.tanh"),
        Op::Clip(clip) => new("nn.clip")
            .optional("min", clip.min.map(|min| make.f32(min)))
            .optional("max", clip.max.map(|max| make.f32(max))),
        Op::Elu(slope) => new("nn.elu").attribute("alpha", make.f32(slope.alpha)),
        Op::Softplus(_) => new("nn.softplus"),
        Op::Reshape(_) => new("nn.reshape"),
        Op::Transpose(dims) => new("nn.transpose").attribute("permutation", signed(&dims.dims)),
        Op::Concat(axis) => new("nn.concat").attribute("axis", make.i64(i64::from(axis.axis))),
        Op::Softmax(axis) => new("nn.softmax").attribute("axis", make.i64(i64::from(axis.axis))),
        Op::ArgMax(argmax) => new("nn.argmax")
            .attribute("axis", make.i64(i64::from(argmax.axis)))
            .optional("keep_dims", unit(argmax.keep_dims))
            .optional("select_last_index", unit(argmax.select_last_index)),
        Op::BatchNormalization(norm) => {
            new("nn.batch_normalization").attribute("epsilon", make.f32(norm.epsilon))
        }
        Op::Cast(_) => new("nn.cast"),
        Op::ReduceSum(dims) => new("nn.reduce_sum").attribute("axes", signed(&dims.dims)),
        Op::FakeQuantize(quantizer) => fake_quantize(make, new("nn.fake_quantize"), quantizer),
        Op::Quantize(_) | Op::Dequantize(_) | Op::Lookup(_) => return Err(not_float()),
    };
    Ok(op.append(context, block)?)
}

/// Sets the attributes of `nn.fake_quantize`.
#[must_use]
pub fn fake_quantize<'c, 'v>(make: Make<'c>, op: NewOp<'c, 'v>, quantizer: &Quantizer) -> NewOp<'c, 'v> {
    let op = op
        .attribute("scales", make.f64_array(&quantizer.scales))
        .attribute("zero_points", make.i64_array(&quantizer.zero_points))
        .attribute("axis", make.i64(i64::from(quantizer.axis)))
        .attribute("lo", make.i64(quantizer.lo))
        .attribute("hi", make.i64(quantizer.hi));
    with_offsets(make, with_rounding(make, op, quantizer), &quantizer.offsets)
}

/// Sets the attributes that say how an op comes to whole numbers, where it is not by ONNX' rule.
#[must_use]
pub fn with_rounding<'c, 'v>(make: Make<'c>, op: NewOp<'c, 'v>, quantizer: &Quantizer) -> NewOp<'c, 'v> {
    let rounding = quantizer.rounding();
    let name = ROUNDINGS.iter().find(|(known, _)| *known == rounding && rounding != Rounding::HalfEven);
    op.optional("divisors", reals(make, &quantizer.divisors))
        .optional("shifts", reals(make, &quantizer.shifts))
        .optional("rounding", name.map(|(_, name)| make.string(name)))
}

/// Sets the attribute `offsets`, unless there are none.
#[must_use]
pub fn with_offsets<'c, 'v>(make: Make<'c>, op: NewOp<'c, 'v>, offsets: &[f64]) -> NewOp<'c, 'v> {
    op.optional("offsets", reals(make, offsets))
}

fn reals<'c>(make: Make<'c>, reals: &[f64]) -> Option<Attribute<'c>> {
    (!reals.is_empty()).then(|| make.f64_array(reals))
}

/// Appends `nn.constant`.
///
/// # Errors
/// [`IrError`] if `values` do not fit `shape`.
pub fn constant<'c, 'b>(
    context: &'c Context,
    block: &'b Block<'c>,
    location: Location<'c>,
    (shape, values): (&[u64], &[f32]),
) -> Result<Value<'c, 'b>, IrError> {
    let value = Make(context).f32_elements(shape, values).ok_or_else(|| IrError::Expected {
        op: "nn.constant".to_owned(),
        expected: format!("{} values for shape {shape:?}", values.len()),
    })?;
    NewOp::new("nn.constant", location)
        .attribute("value", value)
        .result(f32_tensor(context, shape))
        .append(context, block)
}

/// The values of an `nn.constant` of floats, row-major.
#[must_use]
pub fn constant_floats(value: Value<'_, '_>) -> Option<(Vec<u64>, Vec<f32>)> {
    let op = crate::ir::defining_op(value).filter(|op| crate::ir::op_name(*op) == "nn.constant")?;
    let values = crate::ffi::dense_f32(op.attribute("value").ok()?)?;
    Some((tensor_shape(value.r#type())?, values))
}
