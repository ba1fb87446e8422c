//! Values of the clear computation.

use super::error::Fault;
use super::message::{Element, Tensor};
use super::shape::{TensorType, checked_shape};
use ndarray::{ArcArray, ArrayD, IxDyn};

/// A dense tensor; copying one copies a pointer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Floats.
    F32(ArcArray<f32, IxDyn>),
    /// Exact integers.
    I64(ArcArray<i64, IxDyn>),
}

impl Value {
    /// A float tensor from its elements in row-major order.
    ///
    /// # Errors
    /// [`Fault::ElementCount`] when the shape has another number of elements.
    pub fn floats(shape: &[usize], elements: Vec<f32>) -> Result<Self, Fault> {
        let found = elements.len();
        ArcArray::from_shape_vec(IxDyn(shape), elements).map(Self::F32).map_err(|_| count(shape, found))
    }

    /// An integer tensor from its elements in row-major order.
    ///
    /// # Errors
    /// [`Fault::ElementCount`] when the shape has another number of elements.
    pub fn integers(shape: &[usize], elements: Vec<i64>) -> Result<Self, Fault> {
        let found = elements.len();
        ArcArray::from_shape_vec(IxDyn(shape), elements).map(Self::I64).map_err(|_| count(shape, found))
    }

    /// Extents, outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(array) => array.shape(),
            Self::I64(array) => array.shape(),
        }
    }

    /// Kind of numbers.
    #[must_use]
    pub fn element(&self) -> Element {
        match self {
            Self::F32(_) => Element::F32,
            Self::I64(_) => Element::I64,
        }
    }

    /// Shape and kind of numbers.
    #[must_use]
    pub fn tensor_type(&self) -> TensorType {
        TensorType::new(self.shape(), self.element())
    }

    /// The floats, of a float tensor.
    #[must_use]
    pub fn as_floats(&self) -> Option<&ArcArray<f32, IxDyn>> {
        match self {
            Self::F32(array) => Some(array),
            Self::I64(_) => None,
        }
    }

    /// The integers, of an integer tensor.
    #[must_use]
    pub fn as_integers(&self) -> Option<&ArcArray<i64, IxDyn>> {
        match self {
            Self::F32(_) => None,
            Self::I64(array) => Some(array),
        }
    }

    /// The floats, or the fault of an operand that must hold some.
    pub(crate) fn need_floats(&self, index: usize) -> Result<&ArcArray<f32, IxDyn>, Fault> {
        self.as_floats().ok_or(Fault::Element { index, expected: "float", found: "integer" })
    }

    /// The integers, or the fault of an operand that must hold some.
    pub(crate) fn need_integers(&self, index: usize) -> Result<&ArcArray<i64, IxDyn>, Fault> {
        self.as_integers().ok_or(Fault::Element { index, expected: "integer", found: "float" })
    }
}

fn count(shape: &[usize], found: usize) -> Fault {
    Fault::ElementCount { shape: shape.iter().map(|extent| *extent as u64).collect(), found }
}

impl From<ArrayD<f32>> for Value {
    fn from(array: ArrayD<f32>) -> Self {
        Self::F32(array.into_shared())
    }
}

impl From<ArrayD<i64>> for Value {
    fn from(array: ArrayD<i64>) -> Self {
        Self::I64(array.into_shared())
    }
}

impl From<&Value> for Tensor {
    fn from(value: &Value) -> Self {
        let shape = value.shape().iter().map(|extent| *extent as u64).collect();
        match value {
            Value::F32(array) => Self { shape, floats: array.iter().copied().collect(), integers: vec![] },
            Value::I64(array) => Self { shape, floats: vec![], integers: array.iter().copied().collect() },
        }
    }
}

impl TryFrom<&Tensor> for Value {
    type Error = Fault;

    fn try_from(tensor: &Tensor) -> Result<Self, Fault> {
        let shape = tensor.tensor_type()?.shape;
        if tensor.integers.is_empty() {
            Self::floats(&shape, tensor.floats.clone())
        } else {
            Self::integers(&shape, tensor.integers.clone())
        }
    }
}

impl Tensor {
    /// Shape and kind of numbers; a tensor without elements counts as float.
    ///
    /// # Errors
    /// [`Fault::ElementCount`] when the elements do not fill the shape or both lists have some; [`Fault::TooLarge`].
    pub fn tensor_type(&self) -> Result<TensorType, Fault> {
        let element = if self.integers.is_empty() { Element::F32 } else { Element::I64 };
        let tensor_type = TensorType::new(checked_shape(&self.shape)?, element);
        let found = self.floats.len() + self.integers.len();
        let mixed = !self.floats.is_empty() && !self.integers.is_empty();
        if mixed || found != tensor_type.element_count() {
            return Err(Fault::ElementCount { shape: self.shape.clone(), found });
        }
        Ok(tensor_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_values_convert_both_ways() {
        for value in [
            Value::floats(&[1, 2], vec![0.5, -1.0]).unwrap(),
            Value::integers(&[2, 1], vec![i64::MIN, i64::MAX]).unwrap(),
            Value::floats(&[], vec![3.0]).unwrap(),
        ] {
            assert_eq!(Value::try_from(&Tensor::from(&value)).unwrap(), value);
        }
    }

    #[test]
    fn a_transposed_value_is_stored_row_major() {
        let array = ndarray::arr2(&[[1i64, 2, 3], [4, 5, 6]]).reversed_axes().into_dyn();
        let tensor = Tensor::from(&Value::from(array));
        assert_eq!((tensor.shape, tensor.integers), (vec![3, 2], vec![1, 4, 2, 5, 3, 6]));
    }

    #[test]
    fn a_tensor_must_fill_its_shape_with_one_kind_of_number() {
        let short = Tensor { shape: vec![3], floats: vec![1.0], integers: vec![] };
        assert_eq!(short.tensor_type(), Err(Fault::ElementCount { shape: vec![3], found: 1 }));
        let both = Tensor { shape: vec![2], floats: vec![1.0], integers: vec![1] };
        assert!(Value::try_from(&both).is_err());
        let huge = Tensor { shape: vec![1 << 40, 1 << 40], floats: vec![], integers: vec![] };
        assert!(matches!(huge.tensor_type(), Err(Fault::TooLarge { .. })));
    }
}
