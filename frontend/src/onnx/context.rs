//! What an operator's file sees of its node, and how it makes operations.

use super::ops::Operator;
use super::proto::{Attribute, AttributeType, DataType, Node, Tensor};
use super::quantizer::as_steps;
use super::tensor;
use crate::error::Fault;
use cml_runtime::reference::message::{Cast, Element, Graph, Op, Quantizer, Tensor as Constant};
use cml_runtime::reference::{self, TensorType, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An ONNX value during import.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// Known at import.
    Constant {
        /// Tells constants apart.
        id: usize,
        /// Name of the initializer, or of the value that it was computed for.
        name: String,
        /// What it is.
        value: Value,
        /// How the file stores it, where it is as stored: a zero point tells the integers of its quantizer.
        kind: Option<DataType>,
    },
    /// Integers that a quantizer makes of floats. The dialect `nn` has none, so they wait for the way back.
    Stored {
        /// The floats.
        source: Box<Self>,
        /// What makes integers of them.
        quantizer: Quantizer,
    },
    /// Integers that a product makes of integers: floats that hold whole numbers, until a cast makes floats of them.
    Whole {
        /// The floats.
        source: Box<Self>,
    },
    /// A value of the graph.
    Computed {
        /// Its number.
        number: u32,
        /// Its type.
        tensor_type: TensorType,
    },
}

impl Operand {
    /// Extents, outermost first.
    pub(crate) fn shape(&self) -> Vec<usize> {
        self.tensor_type().shape
    }

    /// Shape and kind of numbers.
    pub(crate) fn tensor_type(&self) -> TensorType {
        match self {
            Self::Constant { value, .. } => value.tensor_type(),
            Self::Computed { tensor_type, .. } => tensor_type.clone(),
            Self::Stored { source, .. } | Self::Whole { source } => {
                TensorType::new(source.shape(), Element::I64)
            }
        }
    }
}

/// The graph under construction. Constants enter it when something computed reads them.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(crate) graph: Graph,
    /// How the file stores each graph input, by number.
    pub(crate) input_kinds: BTreeMap<u32, DataType>,
    /// Constants that have entered the graph, by id.
    numbers: BTreeMap<usize, u32>,
    constants: usize,
}

impl Builder {
    /// The number of an operand, which a constant gets at its first use.
    pub(crate) fn number(&mut self, operand: &Operand) -> u32 {
        match operand {
            Operand::Computed { number, .. } => *number,
            Operand::Stored { source, quantizer } => {
                let source = self.number(source);
                let integers = self.graph.push("", Op::FakeQuantize(as_steps(quantizer, 0)), [source]);
                self.graph.push("", Op::Cast(Cast { element: Element::I64.into() }), [integers])
            }
            Operand::Whole { source } => {
                let source = self.number(source);
                self.graph.push("", Op::Cast(Cast { element: Element::I64.into() }), [source])
            }
            Operand::Constant { id, name, value, .. } => {
                if let Some(number) = self.numbers.get(id) {
                    return *number;
                }
                let number = self.graph.push(name, Op::Constant(Constant::from(value)), []);
                self.numbers.insert(*id, number);
                number
            }
        }
    }

    /// A constant that a quantizer reads, and that quantizer, by the number of what it gives.
    pub(crate) fn quantized_constant(&self, number: u32) -> Option<(Value, Quantizer)> {
        let node =
            |number: u32| self.graph.nodes.get((number as usize).checked_sub(self.graph.inputs.len())?);
        let quantize = node(number)?;
        let Some(Op::FakeQuantize(quantizer)) = &quantize.op else { return None };
        let Some(Op::Constant(tensor)) = &node(*quantize.inputs.first()?)?.op else { return None };
        Some((Value::try_from(tensor).ok()?, quantizer.clone()))
    }

    /// Whether all that an operand has comes out of a quantizer, moved or not.
    pub(crate) fn is_quantized(&self, operand: &Operand) -> bool {
        let Operand::Computed { number, .. } = operand else { return false };
        let (mut open, mut seen) = (vec![*number], BTreeSet::new());
        while let Some(number) = open.pop() {
            let index = (number as usize).checked_sub(self.graph.inputs.len());
            let Some(node) = index.and_then(|index| self.graph.nodes.get(index)) else { return false };
            match &node.op {
                Some(Op::FakeQuantize(_)) => {}
                Some(Op::Reshape(_) | Op::Transpose(_) | Op::Concat(_)) => {
                    open.extend(node.inputs.iter().filter(|input| seen.insert(**input)));
                }
                _ => return false,
            }
        }
        true
    }

    /// A new constant.
    pub(crate) fn constant(&mut self, name: &str, value: Value, kind: Option<DataType>) -> Operand {
        self.constants += 1;
        Operand::Constant { id: self.constants, name: name.to_owned(), value, kind }
    }
}

/// One node on its way into the graph.
pub(crate) struct NodeContext<'a> {
    pub(crate) node: &'a Node,
    pub(crate) name: &'a str,
    pub(crate) operator: &'static Operator,
    /// The model's opset.
    pub(crate) opset: i64,
    /// The model's folder.
    pub(crate) folder: Option<&'a Path>,
    /// `None` for an optional input that is left out.
    pub(crate) inputs: Vec<Option<Operand>>,
    pub(crate) builder: &'a mut Builder,
}

impl NodeContext<'_> {
    /// The opset in which the operator last changed, as of the model's.
    pub(crate) fn version(&self) -> i64 {
        self.operator.version(self.opset).unwrap_or(self.opset)
    }

    /// An input that must be there; `name` is ONNX' for it.
    pub(crate) fn input(&self, index: usize, name: &'static str) -> Result<Operand, Fault> {
        self.optional(index).cloned().ok_or(Fault::MissingInput { index, name })
    }

    /// An input that may be left out.
    pub(crate) fn optional(&self, index: usize) -> Option<&Operand> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    /// An input that may be left out, and must otherwise be known at import.
    pub(crate) fn constant(&self, index: usize, name: &'static str) -> Result<Option<&Value>, Fault> {
        match self.optional(index) {
            None => Ok(None),
            Some(Operand::Constant { value, .. }) => Ok(Some(value)),
            Some(_) => Err(Fault::NotConstant { index, name }),
        }
    }

    /// A constant list of integers.
    pub(crate) fn integers(&self, index: usize, name: &'static str) -> Result<Option<Vec<i64>>, Fault> {
        let Some(value) = self.constant(index, name)? else { return Ok(None) };
        let empty = value.shape().contains(&0);
        match value {
            Value::I64(array) if array.ndim() <= 1 => Ok(Some(array.iter().copied().collect())),
            _ if empty => Ok(Some(vec![])),
            _ => Err(Fault::ConstantForm { index, name, expected: "a list of integers" }),
        }
    }

    /// A constant number.
    pub(crate) fn number(&self, index: usize, name: &'static str) -> Result<Option<f32>, Fault> {
        let Some(value) = self.constant(index, name)? else { return Ok(None) };
        let number = match value {
            Value::F32(array) if array.len() == 1 => array.first().copied(),
            Value::I64(array) if array.len() == 1 => array.first().map(|x| *x as f32),
            _ => None,
        };
        number.map(Some).ok_or(Fault::ConstantForm { index, name, expected: "one number" })
    }

    fn attribute(
        &self,
        name: &str,
        kind: AttributeType,
        expected: &'static str,
    ) -> Result<Option<&Attribute>, Fault> {
        let Some(attribute) = self.node.attribute.iter().find(|attribute| attribute.name == name) else {
            return Ok(None);
        };
        // The first IR version has no kinds.
        let fits = attribute.r#type == kind as i32 || attribute.r#type == AttributeType::Undefined as i32;
        if fits && attribute.ref_attr_name.is_empty() {
            Ok(Some(attribute))
        } else {
            Err(Fault::AttributeKind { name: name.to_owned(), expected })
        }
    }

    /// A float attribute.
    pub(crate) fn float_attribute(&self, name: &str) -> Result<Option<f32>, Fault> {
        Ok(self.attribute(name, AttributeType::Float, "a float")?.map(|attribute| attribute.f))
    }

    /// An integer attribute.
    pub(crate) fn integer_attribute(&self, name: &str) -> Result<Option<i64>, Fault> {
        Ok(self.attribute(name, AttributeType::Int, "an integer")?.map(|attribute| attribute.i))
    }

    /// An attribute that is a list of integers.
    pub(crate) fn integers_attribute(&self, name: &str) -> Result<Option<Vec<i64>>, Fault> {
        let attribute = self.attribute(name, AttributeType::Ints, "a list of integers")?;
        Ok(attribute.map(|attribute| attribute.ints.clone()))
    }

    /// An attribute that is a list of floats.
    pub(crate) fn floats_attribute(&self, name: &str) -> Result<Option<Vec<f32>>, Fault> {
        let attribute = self.attribute(name, AttributeType::Floats, "a list of floats")?;
        Ok(attribute.map(|attribute| attribute.floats.clone()))
    }

    /// An attribute that is a tensor.
    pub(crate) fn tensor_attribute(&self, name: &'static str) -> Result<Option<Value>, Fault> {
        let Some(attribute) = self.attribute(name, AttributeType::Tensor, "a tensor")? else {
            return Ok(None);
        };
        let absent = Tensor::default();
        let stored = attribute.t.as_ref().unwrap_or(&absent);
        tensor::value(stored, self.folder).map(Some).map_err(|fault| Fault::Tensor { name, fault })
    }

    /// An attribute that is 0 or 1.
    pub(crate) fn flag_attribute(&self, name: &str) -> Result<Option<bool>, Fault> {
        Ok(self.integer_attribute(name)?.map(|flag| flag != 0))
    }

    /// Whether somebody may read an output.
    pub(crate) fn has_output(&self, index: usize) -> bool {
        self.node.output.get(index).is_some_and(|name| !name.is_empty())
    }

    /// An attribute that is text.
    pub(crate) fn text_attribute(&self, name: &str) -> Result<Option<String>, Fault> {
        let attribute = self.attribute(name, AttributeType::String, "a string")?;
        Ok(attribute.map(|attribute| String::from_utf8_lossy(&attribute.s).into_owned()))
    }

    /// A constant result.
    pub(crate) fn fold(&mut self, value: Value) -> Operand {
        let name = self.node.output.iter().find(|name| !name.is_empty()).map_or(self.name, String::as_str);
        self.builder.constant(name, value, None)
    }

    /// A constant result that is as the file stores it.
    pub(crate) fn fold_stored(&mut self, value: Value, stored: DataType) -> Operand {
        match self.fold(value) {
            Operand::Constant { id, name, value, .. } => {
                Operand::Constant { id, name, value, kind: Some(stored) }
            }
            other => other,
        }
    }

    /// The result of an operation: computed now where every operand is constant, in the graph otherwise.
    pub(crate) fn emit(&mut self, op: Op, operands: &[Operand]) -> Result<Operand, Fault> {
        let constants: Option<Vec<&Value>> = operands
            .iter()
            .map(|operand| match operand {
                Operand::Constant { value, .. } => Some(value),
                _ => None,
            })
            .collect();
        if let Some(constants) = constants {
            let value = op.run(&constants)?;
            return Ok(self.fold(value));
        }
        self.push(op, operands)
    }

    /// The result of an operation in the graph, also where every operand is constant.
    pub(crate) fn push(&mut self, op: Op, operands: &[Operand]) -> Result<Operand, Fault> {
        if let [Operand::Stored { .. } | Operand::Whole { .. }] = operands {
            return self.push_on_integers(op, &operands[0]);
        }
        if operands.iter().any(|operand| matches!(operand, Operand::Stored { .. } | Operand::Whole { .. })) {
            return Err(Fault::Stored);
        }
        let types: Vec<TensorType> = operands.iter().map(Operand::tensor_type).collect();
        if needs_floats(&op) && types.iter().any(|found| found.element == Element::I64) {
            return Err(Fault::Integers);
        }
        let tensor_type = op.infer(&types)?;
        let numbers: Vec<u32> = operands.iter().map(|operand| self.builder.number(operand)).collect();
        let number = self.builder.graph.push(self.name, op, numbers);
        Ok(Operand::Computed { number, tensor_type })
    }

    /// Integers move as the floats behind them do; nothing else is done to them.
    fn push_on_integers(&mut self, op: Op, operand: &Operand) -> Result<Operand, Fault> {
        let moves = matches!(op, Op::Reshape(_) | Op::Transpose(_));
        match operand {
            Operand::Whole { source } if moves => {
                let source = Box::new(self.emit(op, std::slice::from_ref(source))?);
                Ok(Operand::Whole { source })
            }
            Operand::Stored { source, quantizer } if moves && quantizer.scales.len() == 1 => {
                let source = Box::new(self.emit(op, std::slice::from_ref(source))?);
                Ok(Operand::Stored { source, quantizer: quantizer.clone() })
            }
            _ => Err(Fault::Stored),
        }
    }

    /// The operand under another shape; itself where it has that shape already.
    pub(crate) fn reshape(&mut self, operand: Operand, shape: &[usize]) -> Result<Operand, Fault> {
        if operand.shape() == shape {
            return Ok(operand);
        }
        let dims = shape.iter().map(|extent| *extent as u64).collect();
        self.emit(Op::Reshape(reference::message::Dims { dims }), &[operand])
    }
}

/// Whether the dialect `nn` has the operation for floats only.
fn needs_floats(op: &Op) -> bool {
    !matches!(
        op,
        Op::Constant(_)
            | Op::Add(_)
            | Op::Sub(_)
            | Op::Mul(_)
            | Op::Div(_)
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Concat(_)
            | Op::ReduceSum(_)
            | Op::ArgMax(_)
            | Op::Cast(_)
    )
}

/// An axis of a shape, counted from the end where it is negative.
pub(crate) fn axis(axis: i64, shape: &[usize]) -> Result<usize, Fault> {
    axis_of_rank(axis, shape.len()).ok_or_else(|| Fault::Axis { axis, shape: shape.to_vec() })
}

/// An axis below `rank`, counted from the end where it is negative.
pub(crate) fn axis_of_rank(axis: i64, rank: usize) -> Option<usize> {
    let rank_signed = i64::try_from(rank).ok()?;
    let index = if axis < 0 { axis.checked_add(rank_signed)? } else { axis };
    usize::try_from(index).ok().filter(|index| *index < rank)
}
