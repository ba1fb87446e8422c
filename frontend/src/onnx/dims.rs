//! Shapes of graph inputs: every extent becomes a number.
//!
//! A symbolic extent of the leading axis is the batch and becomes 1, wherever its symbol stands; any other needs a value from
//! the caller.

use super::proto::{DataType, Dimension, Extent, ValueInfo};
use super::tensor::type_name;
use crate::error::ImportError;
use cml_runtime::reference::message::Element;
use cml_runtime::reference::{MAX_ELEMENTS, TensorType};
use std::collections::{BTreeMap, BTreeSet};

/// The type of each graph input, in order.
///
/// `values` gives extents by symbol, or by `input[axis]` where the model has no symbol.
///
/// # Errors
/// [`ImportError::Input`], [`ImportError::SymbolicExtent`], [`ImportError::UnknownExtent`].
pub(crate) fn resolve(
    inputs: &[&ValueInfo],
    values: &BTreeMap<String, u64>,
) -> Result<Vec<TensorType>, ImportError> {
    let batches: BTreeSet<String> =
        inputs.iter().filter_map(|input| symbol(input, 0, dimensions(input)?.first()?)).collect();
    let mut known = BTreeSet::new();
    let mut types = vec![];
    for input in inputs {
        let element = element(input)?;
        let problem = "has no shape; run onnx.shape_inference on the model";
        let dimensions = dimensions(input).ok_or_else(|| refuse(input, problem.to_owned()))?;
        let mut shape = vec![];
        for (axis, dimension) in dimensions.iter().enumerate() {
            let Some(symbol) = symbol(input, axis, dimension) else {
                shape.push(fixed(dimension));
                continue;
            };
            known.insert(symbol.clone());
            match values.get(&symbol) {
                Some(value) => shape.push(*value),
                None if batches.contains(&symbol) => shape.push(1),
                None => return Err(ImportError::SymbolicExtent { input: input.name.clone(), axis, symbol }),
            }
        }
        types.push(TensorType::new(checked(input, &shape)?, element));
    }
    match values.keys().find(|name| !known.contains(*name)) {
        None => Ok(types),
        Some(name) => {
            let known: Vec<String> = known.into_iter().collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(ImportError::UnknownExtent { name: name.clone(), known })
        }
    }
}

fn refuse(input: &ValueInfo, problem: String) -> ImportError {
    ImportError::Input { name: input.name.clone(), problem }
}

fn dimensions(input: &ValueInfo) -> Option<&[Dimension]> {
    Some(&input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?.dim)
}

/// How the elements of a graph input are stored.
pub(crate) fn kind(input: &ValueInfo) -> Option<DataType> {
    DataType::try_from(input.r#type.as_ref()?.tensor_type.as_ref()?.elem_type).ok()
}

fn element(input: &ValueInfo) -> Result<Element, ImportError> {
    let tensor = input.r#type.as_ref().and_then(|found| found.tensor_type.as_ref());
    let tensor =
        tensor.ok_or_else(|| refuse(input, "is not a tensor; only tensors are supported".to_owned()))?;
    match DataType::try_from(tensor.elem_type).ok().and_then(DataType::is_float) {
        Some(true) => Ok(Element::F32),
        Some(false) => Ok(Element::I64),
        None => {
            let found = type_name(tensor.elem_type);
            Err(refuse(input, format!("has elements of type {found}, which are not supported; use float32")))
        }
    }
}

/// The name under which an extent can be given; `None` for a fixed one.
fn symbol(input: &ValueInfo, axis: usize, dimension: &Dimension) -> Option<String> {
    match &dimension.value {
        Some(Extent::Fixed(extent)) if *extent >= 0 => None,
        Some(Extent::Symbol(symbol)) if !symbol.is_empty() => Some(symbol.clone()),
        // Some exporters write -1, or nothing at all.
        _ => Some(format!("{}[{axis}]", input.name)),
    }
}

fn fixed(dimension: &Dimension) -> u64 {
    match dimension.value {
        Some(Extent::Fixed(extent)) => extent.unsigned_abs(),
        _ => 0,
    }
}

fn checked(input: &ValueInfo, shape: &[u64]) -> Result<Vec<usize>, ImportError> {
    let product = shape.iter().try_fold(1u64, |product, extent| product.checked_mul(*extent));
    if shape.contains(&0) {
        return Err(refuse(input, format!("has shape {shape:?}, which has no elements")));
    }
    if product.is_none_or(|product| product > MAX_ELEMENTS as u64) {
        return Err(refuse(input, format!("has shape {shape:?}, more than {MAX_ELEMENTS} elements")));
    }
    Ok(shape.iter().map(|extent| *extent as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::super::proto::{Shape, TensorType as ProtoTensorType, Type};
    use super::*;

    fn input(name: &str, kind: DataType, extents: &[Option<Extent>]) -> ValueInfo {
        let dim = extents.iter().map(|value| Dimension { value: value.clone() }).collect();
        let tensor = ProtoTensorType { elem_type: kind as i32, shape: Some(Shape { dim }) };
        ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type: Some(tensor) }) }
    }

    fn named(symbol: &str) -> Option<Extent> {
        Some(Extent::Symbol(symbol.to_owned()))
    }

    fn fixed(extent: i64) -> Option<Extent> {
        Some(Extent::Fixed(extent))
    }

    fn given(values: &[(&str, u64)]) -> BTreeMap<String, u64> {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn the_batch_becomes_one_wherever_its_symbol_stands() {
        let x = input("x", DataType::Double, &[named("N"), fixed(3)]);
        let y = input("y", DataType::Bool, &[fixed(2), named("N")]);
        let z = input("z", DataType::Float, &[None, fixed(4)]);
        let w = input("w", DataType::Float, &[fixed(-1)]);
        let types = resolve(&[&x, &y, &z, &w], &given(&[])).unwrap();
        let shapes: Vec<&[usize]> = types.iter().map(|found| found.shape.as_slice()).collect();
        assert_eq!(shapes, [&[1, 3][..], &[2, 1], &[1, 4], &[1]]);
        assert_eq!(types[0].element, Element::F32);
        assert_eq!(types[1].element, Element::I64);
    }

    #[test]
    fn other_extents_need_a_value() {
        let x = input("x", DataType::Float, &[named("N"), named("length"), None]);
        let refusal = |values: &[(&str, u64)]| resolve(&[&x], &given(values)).unwrap_err().to_string();
        assert_eq!(refusal(&[]), "graph input x has no fixed extent for axis 1; give one as length=VALUE");
        assert!(refusal(&[("length", 3)]).ends_with("axis 2; give one as x[2]=VALUE"));
        let values = [("length", 3), ("x[2]", 4), ("N", 2)];
        assert_eq!(resolve(&[&x], &given(&values)).unwrap()[0].shape, [2, 3, 4]);
        let unknown = [("length", 3), ("x[2]", 4), ("width", 2)];
        assert_eq!(
            refusal(&unknown),
            "no graph input has an extent called width; the model has N, length, x[2]"
        );
        assert!(refusal(&[("length", u64::MAX), ("x[2]", 4)]).contains("more than"));
        assert!(refusal(&[("length", 0), ("x[2]", 4)]).contains("has no elements"));
    }

    #[test]
    fn inputs_that_are_no_tensors_of_numbers_are_refused() {
        let refusal = |input: &ValueInfo| resolve(&[input], &given(&[])).unwrap_err().to_string();
        let text = input("x", DataType::String, &[fixed(1)]);
        assert!(refusal(&text).contains("elements of type string"));
        let sequence = ValueInfo { name: "x".to_owned(), r#type: Some(Type { tensor_type: None }) };
        assert!(refusal(&sequence).contains("is not a tensor"));
        let mut shapeless = input("x", DataType::Float, &[]);
        if let Some(tensor) = shapeless.r#type.as_mut().and_then(|found| found.tensor_type.as_mut()) {
            tensor.shape = None;
        }
        assert!(refusal(&shapeless).contains("has no shape"));
    }
}
