//! The only unsafe code: C functions of the shim, and of MLIR where melior does not wrap them.
//!
//! Every `unsafe` block relies on these facts: a melior object is a valid handle for as long as its lifetimes say, the
//! declarations below are those of `*.cpp`, and our dialects are loaded (`crate::load`).

mod pass;

pub use pass::{IrPass, PassFailed, register_pass, register_pipeline, register_transforms_passes};

use melior::StringRef;
use melior::diagnostic::Diagnostic;
use melior::dialect::{DialectHandle, DialectRegistry};
use melior::ir::attribute::{Attribute, AttributeLike, DenseElementsAttribute};
use melior::ir::{Location, Module, OperationRef, Type, TypeLike};
use mlir_sys::*;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt::Write;
use std::{ptr, slice};

unsafe extern "C" {
    fn mlirGetDialectHandle__nn__() -> MlirDialectHandle;
    fn mlirGetDialectHandle__qnn__() -> MlirDialectHandle;
    fn mlirGetDialectHandle__fhe__() -> MlirDialectHandle;
    fn mlirGetDialectHandle__tfhe__() -> MlirDialectHandle;
    fn cmlEintType(place: MlirLocation, lo: i64, hi: i64) -> MlirType;
    fn cmlEintRange(ty: MlirType, lo: *mut i64, hi: *mut i64) -> bool;
    fn cmlLweType(place: MlirLocation, set: i64, spacing: i64) -> MlirType;
    fn cmlLweParts(ty: MlirType, set: *mut i64, spacing: *mut i64) -> bool;
    fn cmlParameters(place: MlirLocation, sizes: *const i64, noise: *const f64) -> MlirAttribute;
    fn cmlParametersParts(attribute: MlirAttribute, sizes: *mut i64, noise: *mut f64) -> bool;
    fn cmlQuantType(
        place: MlirLocation,
        bits: u32,
        signed: bool,
        scales: *const f64,
        zeros: *const i64,
        count: isize,
        axis: i32,
        lo: i64,
        hi: i64,
    ) -> MlirType;
    fn cmlQuantTypeParts(
        ty: MlirType,
        scales: *mut *const f64,
        zeros: *mut *const i64,
        count: *mut isize,
        axis: *mut i32,
        lo: *mut i64,
        hi: *mut i64,
        scale: *mut f64,
        zero: *mut i64,
    ) -> bool;
    fn cmlDenseI64Array(attribute: MlirAttribute, data: *mut *const i64, length: *mut isize) -> bool;
    fn cmlDenseF64Array(attribute: MlirAttribute, data: *mut *const f64, length: *mut isize) -> bool;
    fn cmlEmitError(
        place: MlirLocation,
        message: MlirStringRef,
        places: *const MlirLocation,
        notes: *const MlirStringRef,
        count: isize,
    );
    fn cmlOptMain(argc: c_int, argv: *const *const c_char, registry: MlirDialectRegistry) -> c_int;
}

pub(crate) fn handles() -> [DialectHandle; 4] {
    let raw = unsafe {
        [
            mlirGetDialectHandle__nn__(),
            mlirGetDialectHandle__qnn__(),
            mlirGetDialectHandle__fhe__(),
            mlirGetDialectHandle__tfhe__(),
        ]
    };
    raw.map(|handle| unsafe { DialectHandle::from_raw(handle) })
}

/// `!fhe.eint<lo:hi>`; `None`, with a diagnostic at `place`, for a bad range.
#[must_use]
pub fn eint<'c>(place: Location<'c>, lo: i64, hi: i64) -> Option<Type<'c>> {
    unsafe { Type::from_option_raw(cmlEintType(place.to_raw(), lo, hi)) }
}

/// The range of an eint, `None` for any other type.
#[must_use]
pub fn eint_range(ty: Type<'_>) -> Option<(i64, i64)> {
    let (mut lo, mut hi) = (0, 0);
    unsafe { cmlEintRange(ty.to_raw(), &mut lo, &mut hi) }.then_some((lo, hi))
}

/// `!tfhe.lwe<key, spacing>` under the small key of `set`, or under the big key; `None`, with a diagnostic at `place`, for a
/// bad spacing.
#[must_use]
pub fn lwe<'c>(place: Location<'c>, set: Option<u32>, spacing: i64) -> Option<Type<'c>> {
    unsafe { Type::from_option_raw(cmlLweType(place.to_raw(), set.map_or(-1, i64::from), spacing)) }
}

/// The set of the small key, or none for the big key, and the spacing; `None` for any other type.
#[must_use]
pub fn lwe_parts(ty: Type<'_>) -> Option<(Option<u32>, i64)> {
    let (mut set, mut spacing) = (-1, 0);
    unsafe { cmlLweParts(ty.to_raw(), &mut set, &mut spacing) }.then_some((u32::try_from(set).ok(), spacing))
}

/// `#tfhe.parameters<...>` from n, k, N, and base log and level of bootstrap and keyswitch; noise of the small and the big
/// key. `None`, with a diagnostic at `place`, for impossible ones.
#[must_use]
pub fn parameters<'c>(place: Location<'c>, sizes: &[i64; 7], noise: &[f64; 2]) -> Option<Attribute<'c>> {
    unsafe { Attribute::from_option_raw(cmlParameters(place.to_raw(), sizes.as_ptr(), noise.as_ptr())) }
}

/// The parts of `#tfhe.parameters`; `None` for any other attribute.
#[must_use]
pub fn parameters_parts(attribute: Attribute<'_>) -> Option<([i64; 7], [f64; 2])> {
    let (mut sizes, mut noise) = ([0; 7], [0.0; 2]);
    unsafe { cmlParametersParts(attribute.to_raw(), sizes.as_mut_ptr(), noise.as_mut_ptr()) }
        .then_some((sizes, noise))
}

/// Parts of a `quant.uniform` type.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantParts {
    /// One, or one for each index of `axis`.
    pub scales: Vec<f64>,
    /// As many as scales.
    pub zero_points: Vec<i64>,
    /// Unused for one scale.
    pub axis: u32,
    /// Smallest stored integer.
    pub lo: i64,
    /// Largest stored integer.
    pub hi: i64,
}

/// A `quant.uniform` type whose storage is the narrowest integer that holds `lo..=hi`; `None`, with a diagnostic at
/// `place`, where MLIR refuses it.
#[must_use]
pub fn quant_type<'c>(place: Location<'c>, parts: &QuantParts) -> Option<Type<'c>> {
    if parts.scales.is_empty() || parts.scales.len() != parts.zero_points.len() {
        emit_error(place, "a quantizer needs as many zero points as scales, and at least one", &[]);
        return None;
    }
    let signed = parts.lo < 0;
    let bits = (1..=32).find(|bits| {
        let (lo, hi) =
            if signed { (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1) } else { (0, (1i64 << bits) - 1) };
        lo <= parts.lo && parts.hi <= hi
    });
    let Some(bits) = bits else {
        emit_error(place, &format!("stored integers {}:{} need more than 32 bits", parts.lo, parts.hi), &[]);
        return None;
    };
    let (scales, zeros, count) =
        (parts.scales.as_ptr(), parts.zero_points.as_ptr(), parts.scales.len() as isize);
    let axis = parts.axis as i32;
    unsafe {
        let raw = cmlQuantType(place.to_raw(), bits, signed, scales, zeros, count, axis, parts.lo, parts.hi);
        Type::from_option_raw(raw)
    }
}

/// The parts of a `quant.uniform` type, `None` for any other type.
#[must_use]
pub fn quant_parts(ty: Type<'_>) -> Option<QuantParts> {
    let (mut scales, mut zeros, mut count) = (ptr::null(), ptr::null(), 0);
    let (mut axis, mut lo, mut hi, mut scale, mut zero) = (0, 0, 0, 0.0, 0);
    unsafe {
        let found = cmlQuantTypeParts(
            ty.to_raw(),
            &mut scales,
            &mut zeros,
            &mut count,
            &mut axis,
            &mut lo,
            &mut hi,
            &mut scale,
            &mut zero,
        );
        // The pointers lead into the context, or to `scale` and `zero`; both are copied at once.
        found.then(|| QuantParts {
            scales: slice::from_raw_parts(scales, count as usize).to_vec(),
            zero_points: slice::from_raw_parts(zeros, count as usize).to_vec(),
            axis: axis as u32,
            lo,
            hi,
        })
    }
}

/// The values of `array<i64: ...>`, borrowed from the context.
#[must_use]
pub fn dense_i64_array<'c>(attribute: Attribute<'c>) -> Option<&'c [i64]> {
    let (mut data, mut length) = (ptr::null(), 0);
    let found = unsafe { cmlDenseI64Array(attribute.to_raw(), &mut data, &mut length) };
    // An empty array may have a null pointer, which a Rust slice must not.
    found.then(|| if length == 0 { &[] } else { unsafe { slice::from_raw_parts(data, length as usize) } })
}

/// The values of `array<f64: ...>`, borrowed from the context.
#[must_use]
pub fn dense_f64_array<'c>(attribute: Attribute<'c>) -> Option<&'c [f64]> {
    let (mut data, mut length) = (ptr::null(), 0);
    let found = unsafe { cmlDenseF64Array(attribute.to_raw(), &mut data, &mut length) };
    found.then(|| if length == 0 { &[] } else { unsafe { slice::from_raw_parts(data, length as usize) } })
}

/// `array<f64: ...>`.
#[must_use]
pub fn f64_array<'c>(context: &'c melior::Context, values: &[f64]) -> Attribute<'c> {
    unsafe {
        let raw = mlirDenseF64ArrayGet(context.to_raw(), values.len() as isize, values.as_ptr());
        Attribute::from_raw(raw)
    }
}

fn dense_values<'c, T: Copy>(attribute: Attribute<'c>, is_element: fn(MlirType) -> bool) -> Option<Vec<T>> {
    let dense = DenseElementsAttribute::try_from(attribute).ok()?;
    let element = unsafe { mlirShapedTypeGetElementType(attribute.r#type().to_raw()) };
    if !is_element(element) {
        return None;
    }
    if dense.is_empty() {
        return Some(Vec::new());
    }
    // MLIR makes splats by itself, and then stores one element only.
    let data = unsafe { mlirDenseElementsAttrGetRawData(attribute.to_raw()) }.cast::<T>();
    Some(if dense.is_splat() {
        vec![unsafe { data.read_unaligned() }; dense.len()]
    } else {
        (0..dense.len()).map(|index| unsafe { data.add(index).read_unaligned() }).collect()
    })
}

/// The values of `dense<...> : tensor<...xi64>`, row-major; `None` for any other attribute.
#[must_use]
pub fn dense_i64(attribute: Attribute<'_>) -> Option<Vec<i64>> {
    dense_values(attribute, |element| unsafe {
        mlirTypeIsAInteger(element) && mlirIntegerTypeGetWidth(element) == 64
    })
}

/// The values of `dense<...> : tensor<...xf32>`, row-major; `None` for any other attribute.
#[must_use]
pub fn dense_f32(attribute: Attribute<'_>) -> Option<Vec<f32>> {
    dense_values(attribute, |element| unsafe { mlirTypeIsAF32(element) })
}

/// `dense<...> : ty` of f32 elements; `None` unless `ty` has as many elements.
#[must_use]
pub fn f32_elements<'c>(ty: Type<'c>, values: &[f32]) -> Option<Attribute<'c>> {
    let count = unsafe { mlirShapedTypeHasStaticShape(ty.to_raw()) }
        .then(|| crate::ir::tensor_shape(ty).map(|shape| shape.iter().product::<u64>()))??;
    (count == values.len() as u64).then(|| unsafe {
        let raw = mlirDenseElementsAttrFloatGet(ty.to_raw(), values.len() as isize, values.as_ptr());
        Attribute::from_raw(raw)
    })
}

/// `dense<...> : ty` of i64 elements; `None` unless `ty` has as many elements.
#[must_use]
pub fn i64_elements<'c>(ty: Type<'c>, values: &[i64]) -> Option<Attribute<'c>> {
    let count = crate::ir::tensor_shape(ty)?.iter().product::<u64>();
    (count == values.len() as u64).then(|| unsafe {
        let raw = mlirDenseElementsAttrInt64Get(ty.to_raw(), values.len() as isize, values.as_ptr());
        Attribute::from_raw(raw)
    })
}

/// The name in `loc("name")`, or in the first named location inside a fused or call-site one.
#[must_use]
pub fn location_name(place: Location<'_>) -> Option<String> {
    fn find(raw: MlirLocation) -> Option<String> {
        unsafe {
            if mlirLocationIsAName(raw) {
                let identifier = mlirLocationNameGetName(raw);
                return Some(text(mlirIdentifierStr(identifier)));
            }
            if mlirLocationIsAFused(raw) {
                let count = mlirLocationFusedGetNumLocations(raw) as usize;
                let mut parts = vec![MlirLocation { ptr: ptr::null() }; count];
                mlirLocationFusedGetLocations(raw, parts.as_mut_ptr());
                return parts.into_iter().find_map(find);
            }
            None
        }
    }
    find(place.to_raw())
}

/// File, line and column of a location that has them.
#[must_use]
pub fn location_file(place: Location<'_>) -> Option<(String, u32, u32)> {
    let raw = place.to_raw();
    unsafe {
        mlirLocationIsAFileLineColRange(raw).then(|| {
            let file = text(mlirIdentifierStr(mlirLocationFileLineColRangeGetFilename(raw)));
            let line = mlirLocationFileLineColRangeGetStartLine(raw) as u32;
            (file, line, mlirLocationFileLineColRangeGetStartColumn(raw) as u32)
        })
    }
}

pub(crate) fn text(raw: MlirStringRef) -> String {
    if raw.length == 0 {
        return String::new();
    }
    let bytes = unsafe { slice::from_raw_parts(raw.data.cast::<u8>(), raw.length) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Text of a string attribute; melior's own getter aborts on an empty one.
#[must_use]
pub fn string(attribute: Attribute<'_>) -> Option<String> {
    let raw = attribute.to_raw();
    unsafe { mlirAttributeIsAString(raw).then(|| text(mlirStringAttrGetValue(raw))) }
}

/// What MLIR's bytecode begins with.
const BYTECODE: &[u8] = b"ML\xefR";

/// A module from text or bytecode, with `name` as its file in locations; `None`, with a diagnostic, if it does not parse.
///
/// Text may hold anything. Bytecode is trusted as far as MLIR's reader trusts it: a damaged file that is not merely cut off
/// may end the process.
#[must_use]
pub fn parse_module<'c>(context: &'c melior::Context, source: &[u8], name: &str) -> Option<Module<'c>> {
    if !source.starts_with(BYTECODE) && std::str::from_utf8(source).is_err() {
        let message = format!("{name}: expected a module, found neither bytecode nor UTF-8 text");
        emit_error(Location::unknown(context), &message, &[]);
        return None;
    }
    // The parser wants a terminating zero byte that does not count.
    let mut source = source.to_vec();
    source.push(0);
    let text = MlirStringRef { data: source.as_ptr().cast(), length: source.len() - 1 };
    unsafe {
        let raw = mlirOperationCreateParse(context.to_raw(), text, StringRef::new(name).to_raw());
        if raw.ptr.is_null() {
            return None;
        }
        let module = mlirModuleFromOperation(raw);
        if module.ptr.is_null() {
            mlirOperationDestroy(raw);
            emit_error(Location::unknown(context), &format!("{name}: expected a module"), &[]);
            return None;
        }
        Some(Module::from_raw(module))
    }
}

/// MLIR bytecode of a module; the same module gives the same bytes.
#[must_use]
pub fn write_bytecode(module: &Module<'_>) -> Vec<u8> {
    unsafe extern "C" fn append(part: MlirStringRef, to: *mut c_void) {
        if part.length > 0 {
            let bytes = unsafe { slice::from_raw_parts(part.data.cast::<u8>(), part.length) };
            unsafe { &mut *to.cast::<Vec<u8>>() }.extend_from_slice(bytes);
        }
    }
    let mut bytes = Vec::new();
    unsafe {
        let operation = mlirModuleGetOperation(module.to_raw());
        mlirOperationWriteBytecode(operation, Some(append), (&raw mut bytes).cast());
    }
    bytes
}

/// Sets an attribute of an op that is in a module already.
pub fn set_attribute<'c>(op: OperationRef<'c, '_>, name: &str, value: Attribute<'c>) {
    unsafe { mlirOperationSetAttributeByName(op.to_raw(), StringRef::new(name).to_raw(), value.to_raw()) }
}

/// Removes an attribute; false if there was none.
pub fn remove_attribute(op: OperationRef<'_, '_>, name: &str) -> bool {
    unsafe { mlirOperationRemoveAttributeByName(op.to_raw(), StringRef::new(name).to_raw()) }
}

/// Whether a type is f32.
#[must_use]
pub fn is_f32(ty: Type<'_>) -> bool {
    unsafe { mlirTypeIsAF32(ty.to_raw()) }
}

/// The text of a diagnostic. Not its `to_string`, which panics where the text quotes bytes of a file that are no UTF-8: there
/// the text ends with `...`.
#[must_use]
pub fn diagnostic_text(diagnostic: &Diagnostic<'_>) -> String {
    let mut text = String::new();
    if write!(text, "{diagnostic}").is_err() {
        text.push_str("...");
    }
    text
}

/// Reports an error through MLIR's diagnostics, with notes at other places.
pub fn emit_error(place: Location<'_>, message: &str, notes: &[(Location<'_>, &str)]) {
    let places: Vec<_> = notes.iter().map(|(place, _)| place.to_raw()).collect();
    let texts: Vec<_> = notes.iter().map(|(_, text)| StringRef::new(text).to_raw()).collect();
    let (message, count) = (StringRef::new(message).to_raw(), notes.len() as isize);
    unsafe { cmlEmitError(place.to_raw(), message, places.as_ptr(), texts.as_ptr(), count) }
}

/// The whole command line of mlir-opt, with the dialects of `registry` and every registered pass.
#[must_use]
pub fn opt_main(arguments: impl Iterator<Item = String>, registry: &DialectRegistry) -> i32 {
    let arguments: Vec<_> = arguments.filter_map(|argument| CString::new(argument).ok()).collect();
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(ptr::null());
    unsafe { cmlOptMain(arguments.len() as c_int, pointers.as_ptr(), registry.to_raw()) }
}
