//! Attributes: read from ops, made for new ones.

use super::{IrError, expected, f32_tensor, i64_tensor};
use crate::ffi;
use melior::Context;
use melior::ir::attribute::{
    ArrayAttribute, Attribute, DenseI64ArrayAttribute, FloatAttribute, IntegerAttribute, StringAttribute,
    TypeAttribute,
};
use melior::ir::operation::OperationLike;
use melior::ir::r#type::IntegerType;
use melior::ir::{OperationRef, Type};

/// Reads attributes of one op.
#[derive(Clone, Copy)]
pub struct Attributes<'c, 'a>(pub OperationRef<'c, 'a>);

impl<'c> Attributes<'c, '_> {
    /// Any attribute.
    ///
    /// # Errors
    /// [`IrError::Expected`] if it is absent.
    pub fn get(self, name: &str) -> Result<Attribute<'c>, IrError> {
        self.0.attribute(name).map_err(|_| expected(self.0, &format!("an attribute `{name}`")))
    }

    fn read<T>(self, name: &str, kind: &str, value: Option<T>) -> Result<T, IrError> {
        value.ok_or_else(|| expected(self.0, &format!("an attribute `{name}` of kind {kind}")))
    }

    /// An integer.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64(self, name: &str) -> Result<i64, IrError> {
        let value = IntegerAttribute::try_from(self.get(name)?).ok().map(|integer| integer.value());
        self.read(name, "integer", value)
    }

    /// A float of any width.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f64(self, name: &str) -> Result<f64, IrError> {
        let value = FloatAttribute::try_from(self.get(name)?).ok().map(|float| float.value());
        self.read(name, "float", value)
    }

    /// A string.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn string(self, name: &str) -> Result<String, IrError> {
        self.read(name, "string", ffi::string(self.get(name)?))
    }

    /// Whether a unit attribute, or any other of this name, is there.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.0.has_attribute(name)
    }

    /// `array<i64: ...>`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64_array(self, name: &str) -> Result<&'c [i64], IrError> {
        self.read(name, "array<i64>", ffi::dense_i64_array(self.get(name)?))
    }

    /// `array<f64: ...>`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f64_array(self, name: &str) -> Result<&'c [f64], IrError> {
        self.read(name, "array<f64>", ffi::dense_f64_array(self.get(name)?))
    }

    /// Values of `dense<...>` of i64, row-major.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64_elements(self, name: &str) -> Result<Vec<i64>, IrError> {
        self.read(name, "dense i64", ffi::dense_i64(self.get(name)?))
    }

    /// Values of `dense<...>` of f32, row-major.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f32_elements(self, name: &str) -> Result<Vec<f32>, IrError> {
        self.read(name, "dense f32", ffi::dense_f32(self.get(name)?))
    }

    /// The elements of an array attribute.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn array(self, name: &str) -> Result<Vec<Attribute<'c>>, IrError> {
        let array = ArrayAttribute::try_from(self.get(name)?).ok();
        let array = self.read(name, "array", array)?;
        Ok((0..array.len()).filter_map(|index| array.element(index).ok()).collect())
    }

    /// An array of strings.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn strings(self, name: &str) -> Result<Vec<String>, IrError> {
        let strings = self.array(name)?.into_iter().map(ffi::string).collect();
        self.read(name, "array of strings", strings)
    }

    /// An array of `array<f64: ...>`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f64_arrays(self, name: &str) -> Result<Vec<&'c [f64]>, IrError> {
        let arrays = self.array(name)?.into_iter().map(ffi::dense_f64_array).collect();
        self.read(name, "array of array<f64>", arrays)
    }

    /// An array of `array<i64: ...>`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64_arrays(self, name: &str) -> Result<Vec<&'c [i64]>, IrError> {
        let arrays = self.array(name)?.into_iter().map(ffi::dense_i64_array).collect();
        self.read(name, "array of array<i64>", arrays)
    }
}

/// Makes attributes.
#[derive(Clone, Copy)]
pub struct Make<'c>(pub &'c Context);

impl<'c> Make<'c> {
    /// An i64.
    #[must_use]
    pub fn i64(self, value: i64) -> Attribute<'c> {
        IntegerAttribute::new(IntegerType::new(self.0, 64).into(), value).into()
    }

    /// An f32.
    #[must_use]
    pub fn f32(self, value: f32) -> Attribute<'c> {
        FloatAttribute::new(self.0, Type::float32(self.0), f64::from(value)).into()
    }

    /// An f64.
    #[must_use]
    pub fn f64(self, value: f64) -> Attribute<'c> {
        FloatAttribute::new(self.0, Type::float64(self.0), value).into()
    }

    /// A string.
    #[must_use]
    pub fn string(self, value: &str) -> Attribute<'c> {
        StringAttribute::new(self.0, value).into()
    }

    /// `unit`.
    #[must_use]
    pub fn unit(self) -> Attribute<'c> {
        Attribute::unit(self.0)
    }

    /// `array<i64: ...>`.
    #[must_use]
    pub fn i64_array(self, values: &[i64]) -> Attribute<'c> {
        DenseI64ArrayAttribute::new(self.0, values).into()
    }

    /// `array<f64: ...>`.
    #[must_use]
    pub fn f64_array(self, values: &[f64]) -> Attribute<'c> {
        ffi::f64_array(self.0, values)
    }

    /// `[...]`.
    #[must_use]
    pub fn array(self, values: &[Attribute<'c>]) -> Attribute<'c> {
        ArrayAttribute::new(self.0, values).into()
    }

    /// An array of strings.
    #[must_use]
    pub fn strings(self, values: &[String]) -> Attribute<'c> {
        self.array(&values.iter().map(|value| self.string(value)).collect::<Vec<_>>())
    }

    /// An array of `array<i64: ...>`.
    #[must_use]
    pub fn i64_arrays<T: AsRef<[i64]>>(self, values: &[T]) -> Attribute<'c> {
        self.array(&values.iter().map(|value| self.i64_array(value.as_ref())).collect::<Vec<_>>())
    }

    /// A type as an attribute.
    #[must_use]
    pub fn r#type(self, ty: Type<'c>) -> Attribute<'c> {
        TypeAttribute::new(ty).into()
    }

    /// `dense<...> : tensor<...xi64>`; an empty tensor if the number of values does not fit the shape.
    #[must_use]
    pub fn i64_elements(self, shape: &[u64], values: &[i64]) -> Option<Attribute<'c>> {
        ffi::i64_elements(i64_tensor(self.0, shape), values)
    }

    /// `dense<...> : tensor<...xf32>`.
    #[must_use]
    pub fn f32_elements(self, shape: &[u64], values: &[f32]) -> Option<Attribute<'c>> {
        ffi::f32_elements(f32_tensor(self.0, shape), values)
    }
}
