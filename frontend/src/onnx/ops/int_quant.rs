//! IntQuant of QONNX: the name that Quant has since version 0.4.

use super::{Operator, quant};

pub(super) const OPERATOR: Operator = Operator { name: "IntQuant", ..quant::OPERATOR };
