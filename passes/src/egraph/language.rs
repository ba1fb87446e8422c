//! The terms of the e-graph: the ops of `fhe` with their attributes as leaves.
//!
//! An attribute is the first child of its op, so that a pattern can name it: `(lookup ?tables ?x)`. What it holds lies in the
//! [`Interner`](super::attributes::Interner).

use egg::Id;
use std::fmt;
use std::str::FromStr;

/// The number of an interned attribute; `#3` in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AttributeId(pub(crate) u32);

/// The number of an argument of the function; `@0` in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ArgumentNumber(pub(crate) u32);

egg::define_language! {
    pub(crate) enum Term {
        "constant" = Constant(Id),
        "matmul" = Matmul([Id; 2]),
        "add" = Add([Id; 2]),
        "sub" = Sub([Id; 2]),
        "neg" = Neg(Id),
        "add_clear" = AddClear([Id; 2]),
        "mul_clear" = MulClear([Id; 2]),
        "sum" = Sum([Id; 2]),
        "reshape" = Reshape([Id; 2]),
        "transpose" = Transpose([Id; 2]),
        "concat" = Concat(Box<[Id]>),
        "lookup" = Lookup([Id; 2]),
        Argument(ArgumentNumber),
        Attribute(AttributeId),
    }
}

impl fmt::Display for AttributeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl FromStr for AttributeId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        number(text, '#').map(Self)
    }
}

impl fmt::Display for ArgumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl FromStr for ArgumentNumber {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        number(text, '@').map(Self)
    }
}

fn number(text: &str, mark: char) -> Result<u32, ()> {
    text.strip_prefix(mark).and_then(|digits| digits.parse().ok()).ok_or(())
}
