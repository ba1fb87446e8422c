//! Stored tensors: raw, typed and external data, of every numeric kind, as floats of 32 or integers of 64 bits.
//!
//! Floats of 16 and 64 bits become f32; booleans become 0 and 1.

use super::proto::{DataType, Tensor};
use crate::error::TensorFault;
use cml_runtime::reference::{Fault, MAX_ELEMENTS, Value};
use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// ONNX' name for a kind of element, or its number.
pub(crate) fn type_name(code: i32) -> String {
    DataType::try_from(code).map_or_else(|_| format!("number {code}"), |kind| kind.text().to_owned())
}

impl DataType {
    /// As Python's `TensorProto` spells it, in lower case.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Float => "float",
            Self::Uint8 => "uint8",
            Self::Int8 => "int8",
            Self::Uint16 => "uint16",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Float16 => "float16",
            Self::Double => "double",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
            Self::Bfloat16 => "bfloat16",
            Self::Uint4 => "uint4",
            Self::Int4 => "int4",
        }
    }

    /// Bits of one element; `None` for kinds that are not numbers of ours.
    fn bits(self) -> Option<usize> {
        match self {
            Self::Uint4 | Self::Int4 => Some(4),
            Self::Uint8 | Self::Int8 | Self::Bool => Some(8),
            Self::Uint16 | Self::Int16 | Self::Float16 | Self::Bfloat16 => Some(16),
            Self::Float | Self::Int32 | Self::Uint32 => Some(32),
            Self::Double | Self::Int64 | Self::Uint64 => Some(64),
            Self::Undefined | Self::String | Self::Complex64 | Self::Complex128 => None,
        }
    }

    /// Whether elements of this kind become floats; `None` for kinds that are not numbers of ours.
    pub(crate) fn is_float(self) -> Option<bool> {
        let float = matches!(self, Self::Float | Self::Float16 | Self::Bfloat16 | Self::Double);
        self.bits().map(|_| float)
    }
}

/// The value of a stored tensor; `folder` is the model's, where external data may be.
pub(crate) fn value(tensor: &Tensor, folder: Option<&Path>) -> Result<Value, TensorFault> {
    let kind = DataType::try_from(tensor.data_type).ok();
    let unsupported = || TensorFault::DataType { found: type_name(tensor.data_type) };
    let kind = kind.ok_or_else(unsupported)?;
    let bits = kind.bits().ok_or_else(unsupported)?;
    let shape = shape(&tensor.dims)?;
    let count: usize = shape.iter().product();
    let size = (count * bits).div_ceil(8);
    let raw = if tensor.data_location == 1 {
        Some(Cow::Owned(external(tensor, size, folder)?))
    } else {
        tensor.raw_data.as_deref().filter(|raw| !raw.is_empty() || count == 0).map(Cow::Borrowed)
    };
    if let Some(raw) = &raw {
        check_count(tensor, size, raw.len(), "bytes")?;
    }
    if kind.is_float() == Some(true) {
        let elements = raw.map_or_else(|| typed_floats(tensor, kind), |raw| raw_floats(&raw, kind));
        check_count(tensor, count, elements.len(), "elements")?;
        Ok(Value::floats(&shape, elements)?)
    } else {
        let mut elements =
            raw.map_or_else(|| typed_integers(tensor, kind), |raw| raw_integers(&raw, kind))?;
        if bits == 4 {
            elements = nibbles(&elements, kind == DataType::Int4, count);
        }
        check_count(tensor, count, elements.len(), "elements")?;
        Ok(Value::integers(&shape, elements)?)
    }
}

fn check_count(
    tensor: &Tensor,
    expected: usize,
    found: usize,
    unit: &'static str,
) -> Result<(), TensorFault> {
    if expected == found {
        Ok(())
    } else {
        Err(TensorFault::Count { dims: tensor.dims.clone(), expected, found, unit })
    }
}

fn shape(dims: &[i64]) -> Result<Vec<usize>, TensorFault> {
    let extents: Result<Vec<u64>, _> = dims.iter().map(|extent| u64::try_from(*extent)).collect();
    let extents = extents.map_err(|_| TensorFault::NegativeExtent { dims: dims.to_vec() })?;
    let mut nonzero = extents.iter().copied().filter(|extent| *extent != 0);
    let bound = nonzero.try_fold(1u64, u64::checked_mul);
    if bound.is_none_or(|bound| bound > MAX_ELEMENTS as u64) {
        return Err(Fault::TooLarge { shape: extents, limit: MAX_ELEMENTS }.into());
    }
    Ok(extents.into_iter().map(|extent| extent as usize).collect())
}

fn typed_floats(tensor: &Tensor, kind: DataType) -> Vec<f32> {
    let bits = || tensor.int32_data.iter().map(|bits| *bits as u16);
    match kind {
        DataType::Double => tensor.double_data.iter().map(|x| *x as f32).collect(),
        DataType::Float16 => bits().map(half_to_float).collect(),
        DataType::Bfloat16 => bits().map(bfloat_to_float).collect(),
        _ => tensor.float_data.clone(),
    }
}

fn typed_integers(tensor: &Tensor, kind: DataType) -> Result<Vec<i64>, TensorFault> {
    match kind {
        DataType::Int64 => Ok(tensor.int64_data.clone()),
        DataType::Uint32 | DataType::Uint64 => tensor.uint64_data.iter().map(|x| signed(*x)).collect(),
        _ => Ok(tensor.int32_data.iter().map(|x| i64::from(*x)).collect()),
    }
}

/// Two elements of each byte, the low half first; of an odd count the last half byte is none.
fn nibbles(bytes: &[i64], is_signed: bool, count: usize) -> Vec<i64> {
    let element = |half: i64| if is_signed && half > 7 { half - 16 } else { half };
    let mut elements: Vec<i64> =
        bytes.iter().flat_map(|byte| [element(byte & 15), element(byte >> 4 & 15)]).collect();
    if elements.len() == count + 1 {
        elements.pop();
    }
    elements
}

fn signed(value: u64) -> Result<i64, TensorFault> {
    i64::try_from(value).map_err(|_| TensorFault::Range { value })
}

/// Every element as the 64 bits that it occupies.
fn words(raw: &[u8], size: usize) -> impl Iterator<Item = u64> {
    raw.chunks_exact(size)
        .map(|chunk| chunk.iter().rev().fold(0, |word: u64, byte| (word << 8) | u64::from(*byte)))
}

fn raw_floats(raw: &[u8], kind: DataType) -> Vec<f32> {
    match kind {
        DataType::Double => words(raw, 8).map(|word| f64::from_bits(word) as f32).collect(),
        DataType::Float16 => words(raw, 2).map(|word| half_to_float(word as u16)).collect(),
        DataType::Bfloat16 => words(raw, 2).map(|word| bfloat_to_float(word as u16)).collect(),
        _ => words(raw, 4).map(|word| f32::from_bits(word as u32)).collect(),
    }
}

fn raw_integers(raw: &[u8], kind: DataType) -> Result<Vec<i64>, TensorFault> {
    match kind {
        DataType::Int8 => Ok(raw.iter().map(|byte| i64::from(byte.cast_signed())).collect()),
        DataType::Uint8 | DataType::Uint4 | DataType::Int4 => {
            Ok(raw.iter().map(|byte| i64::from(*byte)).collect())
        }
        DataType::Bool => Ok(raw.iter().map(|byte| i64::from(*byte != 0)).collect()),
        DataType::Int16 => Ok(words(raw, 2).map(|word| i64::from(word as i16)).collect()),
        DataType::Uint16 => Ok(words(raw, 2).map(u64::cast_signed).collect()),
        DataType::Int32 => Ok(words(raw, 4).map(|word| i64::from(word as i32)).collect()),
        DataType::Uint32 => Ok(words(raw, 4).map(u64::cast_signed).collect()),
        DataType::Uint64 => words(raw, 8).map(signed).collect(),
        _ => Ok(words(raw, 8).map(u64::cast_signed).collect()),
    }
}

/// The value of an IEEE 754 half.
fn half_to_float(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => mantissa * (-24f32).exp2(),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + mantissa) * ((exponent - 25) as f32).exp2(),
    };
    sign * magnitude
}

/// The value of a bfloat16: the upper half of an f32.
fn bfloat_to_float(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The bytes of a tensor in another file of the model's folder.
fn external(tensor: &Tensor, size: usize, folder: Option<&Path>) -> Result<Vec<u8>, TensorFault> {
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let number = |what: &'static str| match entry(what) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| TensorFault::External { what }),
    };
    let location = entry("location").ok_or(TensorFault::External { what: "location" })?;
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let folder = folder.ok_or(TensorFault::NoFolder)?;
    let mut file = open_inside(folder, location)?;
    let read = |source| TensorFault::Read { location: location.clone(), source };
    let found = file.metadata().map_err(read)?.len();
    let length = length.unwrap_or(size as u64);
    let end = offset.saturating_add(length);
    if end > found {
        return Err(TensorFault::BeyondEnd { location: location.clone(), offset, end, found });
    }
    check_count(tensor, size, usize::try_from(length).unwrap_or(usize::MAX), "bytes")?;
    file.seek(SeekFrom::Start(offset)).map_err(read)?;
    let mut bytes = Vec::with_capacity(size);
    file.take(length).read_to_end(&mut bytes).map_err(read)?;
    Ok(bytes)
}

/// A file that lies inside a folder, after every link is followed.
fn open_inside(folder: &Path, location: &str) -> Result<File, TensorFault> {
    let outside = || TensorFault::Outside { location: location.to_owned() };
    let read = |source| TensorFault::Read { location: location.to_owned(), source };
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || !Path::new(location).components().all(plain) {
        return Err(outside());
    }
    let folder = folder.canonicalize().map_err(read)?;
    let path = folder.join(location).canonicalize().map_err(read)?;
    if !path.starts_with(&folder) {
        return Err(outside());
    }
    File::open(path).map_err(read)
}

#[cfg(test)]
mod tests;
