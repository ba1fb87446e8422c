//! Why a model cannot be imported. The model is at fault, or the options that were given with it.

use cml_dialects::nn::BuildError;
use std::path::PathBuf;

/// A model that cannot be imported as it is.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// More bytes than protobuf allows.
    #[error("{} has {found} bytes, more than the {limit} of a protobuf file; store the weights as external data", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Not protobuf.
    #[error("{model} is not an ONNX model, or it is damaged: {source}")]
    Decode {
        /// The file.
        model: String,
        /// What the decoder says.
        source: prost::DecodeError,
    },
    /// A part that every model has is absent.
    #[error("{model} is not an ONNX model, or it is damaged: it has no {what}")]
    Missing {
        /// The file.
        model: String,
        /// The part.
        what: &'static str,
    },
    /// Operators of another time.
    #[error(
        "{model} uses opset {found}, opsets {oldest} to {newest} are read; convert it with onnx.version_converter"
    )]
    Opset {
        /// The file.
        model: String,
        /// Its opset.
        found: i64,
        /// First that is read.
        oldest: i64,
        /// Last that is read.
        newest: i64,
    },
    /// An operator that is not on the list.
    #[error("{node}: operator {op} ({opset}) is not supported; {hint}")]
    UnsupportedOperator {
        /// Name of the node.
        node: String,
        /// The operator.
        op: String,
        /// Its opset.
        opset: String,
        /// Operators with similar names, or all that are supported.
        hint: String,
    },
    /// A node that cannot be translated.
    #[error("{node} ({op}, opset {opset}): {fault}")]
    Node {
        /// Name of the node.
        node: String,
        /// Its operator.
        op: &'static str,
        /// The model's opset.
        opset: i64,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// A node reads what nothing makes.
    #[error("{node}: input {value} is made by no node, initializer or graph input")]
    MissingValue {
        /// Name of the node.
        node: String,
        /// The value.
        value: String,
    },
    /// A graph output that nothing makes.
    #[error("graph output {name} is made by no node, initializer or graph input")]
    MissingOutput {
        /// Its name.
        name: String,
    },
    /// Two things of one name.
    #[error("the name {name} is given twice, by {first} and by {second}")]
    DuplicateName {
        /// The name.
        name: String,
        /// Who has it first.
        first: String,
        /// Who has it again.
        second: String,
    },
    /// Nodes that wait for each other.
    #[error("the graph has a cycle through {nodes}")]
    Cycle {
        /// Names of its nodes.
        nodes: String,
    },
    /// A graph input that cannot become one of ours.
    #[error("graph input {name} {problem}")]
    Input {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An extent that only the caller knows.
    #[error("graph input {input} has no fixed extent for axis {axis}; give one as {symbol}=VALUE")]
    SymbolicExtent {
        /// Name of the input.
        input: String,
        /// The axis.
        axis: usize,
        /// The name under which a value can be given.
        symbol: String,
    },
    /// A value was given for an extent that the model does not have.
    #[error("no graph input has an extent called {name}; the model has {known}")]
    UnknownExtent {
        /// The name.
        name: String,
        /// The names that it has.
        known: String,
    },
    /// An initializer that cannot be read.
    #[error("initializer {name}: {fault}")]
    Initializer {
        /// Its name.
        name: String,
        /// What is wrong.
        fault: TensorFault,
    },
    /// The result does not fit together.
    #[error(transparent)]
    Graph(#[from] cml_runtime::reference::Error),
    /// The MLIR module cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Why one node cannot be translated.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Wrong number of inputs.
    #[error("expected {expected} inputs, found {found}")]
    InputCount {
        /// How many the operator takes.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// More results are used than are made.
    #[error("output {index} is used, but only training makes it; export the model for inference")]
    TrainingOutput {
        /// Position of the output.
        index: usize,
    },
    /// A result that the operator does not have.
    #[error("it has {found} outputs, the operator has {expected}")]
    OutputCount {
        /// How many the operator has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// An input that must be there is left out.
    #[error("input {index} ({name}) is missing")]
    MissingInput {
        /// Position of the input.
        index: usize,
        /// ONNX' name for it.
        name: &'static str,
    },
    /// An input that must be known at import.
    #[error("input {index} ({name}) must be constant; simplify the model, for instance with onnxsim")]
    NotConstant {
        /// Position of the input.
        index: usize,
        /// ONNX' name for it.
        name: &'static str,
    },
    /// A constant input of the wrong form.
    #[error("input {index} ({name}) must be {expected}")]
    ConstantForm {
        /// Position of the input.
        index: usize,
        /// ONNX' name for it.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// An attribute that the operator does not have at this opset.
    #[error("attribute {name} is unknown at this opset")]
    UnknownAttribute {
        /// Its name.
        name: String,
    },
    /// An attribute that must be there is absent.
    #[error("attribute {name} is missing")]
    MissingAttribute {
        /// Its name.
        name: &'static str,
    },
    /// An attribute of the wrong kind.
    #[error("attribute {name} must be {expected}")]
    AttributeKind {
        /// Its name.
        name: String,
        /// What it must be.
        expected: &'static str,
    },
    /// An attribute whose value is not supported.
    #[error("attribute {name} is {found}, supported: {supported}")]
    AttributeValue {
        /// Its name.
        name: &'static str,
        /// What it is.
        found: String,
        /// What would do.
        supported: &'static str,
    },
    /// An axis outside the shape.
    #[error("axis {axis} is outside shape {shape:?}")]
    Axis {
        /// The axis.
        axis: i64,
        /// The shape.
        shape: Vec<usize>,
    },
    /// Axes that repeat.
    #[error("axes {axes:?} repeat one")]
    RepeatedAxes {
        /// The axes.
        axes: Vec<i64>,
    },
    /// An axis to be removed has several indices.
    #[error("axis {axis} of shape {shape:?} cannot be squeezed: its extent is not 1")]
    NotSqueezable {
        /// The axis.
        axis: usize,
        /// The shape.
        shape: Vec<usize>,
    },
    /// The target of Reshape.
    #[error("shape {from:?} cannot be reshaped to {to:?}")]
    Reshape {
        /// Shape of the input.
        from: Vec<usize>,
        /// Requested shape, with 0 and -1 as ONNX has them.
        to: Vec<i64>,
    },
    /// A computation on integers that come from the outside.
    #[error("it computes on integers that are not constant; cast them to float before")]
    Integers,
    /// An operation on the integers of a quantizer, or of a product of integers.
    #[error(
        "it reads the integers of a quantizer or of an integer product; only Clip, Reshape, Transpose and operators for \
         integers may do so, move it behind DequantizeLinear or Cast"
    )]
    Stored,
    /// A quantizer of a form that is not supported.
    #[error("its quantizer has {found}, supported: {supported}")]
    Quantizer {
        /// What it has.
        found: String,
        /// What would do.
        supported: &'static str,
    },
    /// A kind of number that is not supported.
    #[error("elements of type {found} are not supported; use float32")]
    DataType {
        /// ONNX' name for it.
        found: String,
    },
    /// A cast whose result cannot be represented.
    #[error("a cast of computed numbers to {to} is not supported; compare or clip them instead")]
    Cast {
        /// ONNX' name for the target.
        to: &'static str,
    },
    /// A constant that cannot be cast.
    #[error("the constant {value} does not fit {to}")]
    CastRange {
        /// The constant.
        value: i64,
        /// ONNX' name for the target.
        to: &'static str,
    },
    /// A tensor in an attribute that cannot be read.
    #[error("attribute {name}: {fault}")]
    Tensor {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        fault: TensorFault,
    },
    /// Shapes or numbers that the operation refuses.
    #[error(transparent)]
    Operation(#[from] cml_runtime::reference::Fault),
}

/// Why a stored tensor cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TensorFault {
    /// A kind of element that is not supported.
    #[error("elements of type {found} are not supported; use float32")]
    DataType {
        /// ONNX' name for it, or its number.
        found: String,
    },
    /// A negative extent.
    #[error("shape {dims:?} has a negative extent")]
    NegativeExtent {
        /// The shape.
        dims: Vec<i64>,
    },
    /// Elements and shape disagree.
    #[error("shape {dims:?} needs {expected} {unit}, found {found}")]
    Count {
        /// The shape.
        dims: Vec<i64>,
        /// How many it needs.
        expected: usize,
        /// How many there are.
        found: usize,
        /// Of what.
        unit: &'static str,
    },
    /// An unsigned number above the signed ones.
    #[error("the element {value} does not fit 64-bit signed integers")]
    Range {
        /// The element.
        value: u64,
    },
    /// Too many elements, or a value that is none of ours.
    #[error(transparent)]
    Value(#[from] cml_runtime::reference::Fault),
    /// The model did not come from a folder.
    #[error("its elements are in another file, but the model was not read from one")]
    NoFolder,
    /// A file outside of the model's folder.
    #[error("its elements are in {location}, which is not inside the model's folder")]
    Outside {
        /// The file as the model names it.
        location: String,
    },
    /// A description of a file that is malformed.
    #[error("its external data has no valid {what}")]
    External {
        /// The entry.
        what: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read {location}: {source}")]
    Read {
        /// The file as the model names it.
        location: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file ends too early.
    #[error("its elements are at {offset} to {end} of {location}, which has {found} bytes")]
    BeyondEnd {
        /// The file as the model names it.
        location: String,
        /// First byte.
        offset: u64,
        /// Byte after the last.
        end: u64,
        /// Bytes of the file.
        found: u64,
    },
}
