//! What can be wrong with a graph or with what is fed to it. The file or the caller is at fault, never the kernels.

use super::message::Element;

/// A graph that cannot be run, or inputs that do not fit it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// An operation refuses its operands or its attributes.
    #[error("node {node} ({op}): {fault}")]
    Node {
        /// Name of the node.
        node: String,
        /// Name of the operation.
        op: &'static str,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// The operation is absent, as in a file that a newer version wrote.
    #[error("node {node} has no operation that this version knows; use the version that wrote the file")]
    UnknownOp {
        /// Name of the node.
        node: String,
    },
    /// A node reads a value that no earlier node makes.
    #[error("node {node} reads value {value}, but only {defined} values come before it")]
    UndefinedValue {
        /// Name of the node.
        node: String,
        /// The value number.
        value: u32,
        /// How many values come before the node.
        defined: usize,
    },
    /// A result of the graph is not one of its values.
    #[error("result {index} is value {value}, but the graph has {defined} values")]
    UndefinedOutput {
        /// Position among the results.
        index: usize,
        /// The value number.
        value: u32,
        /// How many values the graph has.
        defined: usize,
    },
    /// Results and names do not pair up.
    #[error("the graph has {outputs} results and {names} names for them")]
    OutputNames {
        /// Number of results.
        outputs: usize,
        /// Number of names.
        names: usize,
    },
    /// An input is declared with a shape or a kind of number that cannot be.
    #[error("input {name}: {fault}")]
    Port {
        /// Name of the input.
        name: String,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// As many values must be given as the graph has inputs.
    #[error("the graph has {expected} inputs, found {found} values")]
    InputCount {
        /// Number of inputs.
        expected: usize,
        /// Number of values given.
        found: usize,
    },
    /// A value does not fit its input.
    #[error("input {name} is {expected}, found {found}")]
    Input {
        /// Name of the input.
        name: String,
        /// Type of the input.
        expected: String,
        /// Type of the value.
        found: String,
    },
    /// All values together are larger than a graph may be.
    #[error("node {node}: the values of the graph have more than {limit} elements")]
    TooLarge {
        /// Name of the node at which the limit is passed.
        node: String,
        /// The limit.
        limit: usize,
    },
}

/// Why one operation cannot be done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Wrong number of operands.
    #[error("expected {expected} inputs, found {found}")]
    Arity {
        /// How many there must be.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// Wrong kind of numbers.
    #[error("input {index} must be {expected}, found {found}")]
    Element {
        /// Position among the operands.
        index: usize,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Two shapes do not go together.
    #[error("shapes {left:?} and {right:?} do not {relation}")]
    Shapes {
        /// Shape of the left operand.
        left: Vec<usize>,
        /// Shape of the right operand.
        right: Vec<usize>,
        /// What they should do.
        relation: &'static str,
    },
    /// An operand has too few or too many axes.
    #[error("input {index} must have {expected} axes, found shape {found:?}")]
    Rank {
        /// Position among the operands.
        index: usize,
        /// How many axes it must have.
        expected: &'static str,
        /// Its shape.
        found: Vec<usize>,
    },
    /// An axis is outside the shape.
    #[error("axis {axis} is outside shape {shape:?}")]
    Axis {
        /// The axis.
        axis: u64,
        /// The shape.
        shape: Vec<usize>,
    },
    /// Axes that are no permutation, or that repeat.
    #[error("axes {axes:?} must be {expected} of the {rank} axes")]
    Axes {
        /// The axes.
        axes: Vec<u64>,
        /// What they must be.
        expected: &'static str,
        /// Number of axes of the operand.
        rank: usize,
    },
    /// A shape of another number of elements.
    #[error("shape {from:?} cannot become {to:?}: the numbers of elements differ")]
    Reshape {
        /// Shape of the operand.
        from: Vec<usize>,
        /// Requested shape.
        to: Vec<u64>,
    },
    /// Elements and shape disagree.
    #[error("shape {shape:?} does not have {found} elements")]
    ElementCount {
        /// The shape.
        shape: Vec<u64>,
        /// Number of elements given.
        found: usize,
    },
    /// The shape has more elements than a tensor may have.
    #[error("shape {shape:?} has more elements than the {limit} that are allowed")]
    TooLarge {
        /// The shape.
        shape: Vec<u64>,
        /// The limit.
        limit: usize,
    },
    /// A number of the enumeration that this version does not know.
    #[error("unknown kind of number {0}; use the version that wrote the file")]
    UnknownElement(i32),
    /// Integer result outside i64.
    #[error("an integer result leaves the 64-bit range")]
    Overflow,
    /// Integer division by zero.
    #[error("an integer is divided by zero")]
    DivisionByZero,
    /// A NaN where a number is needed.
    #[error("the input holds a NaN")]
    NotANumber,
    /// An attribute whose value makes no sense.
    #[error("{attribute} must be {expected}, found {found}")]
    Attribute {
        /// Name of the attribute.
        attribute: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A table does not have an entry for its input.
    #[error("element {index} is {value}, outside its table of {lo}..={hi}")]
    OutsideTable {
        /// Position of the element, row-major.
        index: usize,
        /// Its value.
        value: i64,
        /// First input of the table.
        lo: i64,
        /// Last input of the table.
        hi: i64,
    },
}

impl Element {
    /// As written in messages.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::F32 => "float",
            Self::I64 => "integer",
        }
    }
}
