//! Quantizers as nodes state them, for the operators that quantize.

use super::context::{NodeContext, Operand, axis};
use super::proto::DataType;
use super::tensor::type_name;
use crate::error::Fault;
use cml_runtime::reference::Value;
use cml_runtime::reference::message::{Cast, Element, Empty, Op, Quantizer};

/// The smallest and the largest integer of a kind; `None` where quantizers do not store it.
fn range(kind: DataType) -> Option<(i64, i64)> {
    match kind {
        DataType::Uint4 => Some((0, 15)),
        DataType::Int4 => Some((-8, 7)),
        DataType::Uint8 => Some((0, 255)),
        DataType::Int8 => Some((-128, 127)),
        DataType::Uint16 => Some((0, 65535)),
        DataType::Int16 => Some((-32768, 32767)),
        _ => None,
    }
}

/// The range of the integers that a zero point's type tells; uint8 without one.
///
/// # Errors
/// [`Fault::Quantizer`] for a type that quantizers do not store, or that is not known.
pub(super) fn stored_range(context: &NodeContext<'_>, index: usize) -> Result<(i64, i64), Fault> {
    match context.optional(index) {
        None => range_of(DataType::Uint8 as i32),
        Some(Operand::Constant { kind: Some(kind), .. }) => range_of(*kind as i32),
        Some(_) => {
            let found = "a zero point whose type is not known at import".to_owned();
            Err(Fault::Quantizer { found, supported: "a zero point that the file stores" })
        }
    }
}

/// The range of the integers of a type.
///
/// # Errors
/// [`Fault::Quantizer`] for a type that quantizers do not store.
pub(super) fn range_of(code: i32) -> Result<(i64, i64), Fault> {
    let bounds = DataType::try_from(code).ok().and_then(range);
    bounds.ok_or_else(|| {
        let found = format!("elements of type {}", type_name(code));
        Fault::Quantizer { found, supported: "uint4, int4, uint8, int8, uint16, int16" }
    })
}

/// Scales of blocks are not supported.
///
/// # Errors
/// [`Fault::Quantizer`]
pub(super) fn refuse_blocks(context: &NodeContext<'_>) -> Result<(), Fault> {
    if context.integer_attribute("block_size")?.is_some_and(|size| size != 0) {
        let found = "a scale for each block".to_owned();
        return Err(Fault::Quantizer { found, supported: "one scale, or one for each index of an axis" });
    }
    Ok(())
}

/// Where a node states a scale or a zero point; `None` for a scale of 1, or no zero point.
pub(super) type Input = Option<(usize, &'static str)>;

/// The scale of QuantizeLinear and DequantizeLinear.
pub(super) const SCALE: Input = Some((1, "scale"));

/// The zero point of QuantizeLinear and DequantizeLinear.
pub(super) const ZERO_POINT: Input = Some((2, "zero_point"));

/// Scales and zero points of integers, as ONNX states them.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// One, or one for each index of the axis.
    pub(super) scales: Vec<f64>,
    /// As many as scales.
    pub(super) zero_points: Vec<i64>,
    /// Unused for one scale.
    pub(super) axis: u32,
}

impl Linear {
    /// Reads scales and zero points of a tensor of a shape; several go along `along`.
    ///
    /// # Errors
    /// [`Fault::ConstantForm`] for what is no list of numbers, [`Fault::Axis`] for an axis that the shape does not have.
    pub(super) fn read(
        context: &NodeContext<'_>,
        scale: Input,
        zero_point: Input,
        (shape, along): (&[usize], i64),
    ) -> Result<Self, Fault> {
        let form = |(index, name), expected| Fault::ConstantForm { index, name, expected };
        let scales: Vec<f64> = match scale {
            None => vec![1.0],
            Some((index, name)) => match context.constant(index, name)? {
                None => return Err(Fault::MissingInput { index, name }),
                Some(Value::F32(array)) if array.ndim() <= 1 => array.iter().map(|x| f64::from(*x)).collect(),
                Some(_) => return Err(form((index, name), "a float or a list of floats")),
            },
        };
        let stated = match zero_point {
            None => None,
            Some((index, name)) => context.constant(index, name)?.map(|value| ((index, name), value)),
        };
        let zero_points = match stated {
            None => vec![0; scales.len()],
            Some((_, Value::I64(array))) if array.ndim() <= 1 => array.iter().copied().collect(),
            Some((input, _)) => return Err(form(input, "an integer or a list of integers")),
        };
        let count = scales.len().max(zero_points.len());
        let axis = if count == 1 { 0 } else { axis(along, shape)? as u32 };
        Ok(Self { scales: spread(scales, count), zero_points: spread(zero_points, count), axis })
    }

    /// The quantizer that makes integers by these scales and zero points.
    pub(super) fn quantizer(self, (lo, hi): (i64, i64)) -> Quantizer {
        let Self { scales, zero_points, axis } = self;
        Quantizer { scales, zero_points, axis, lo, hi, ..Quantizer::default() }
    }

    /// The integers of another quantizer, read by these scales and zero points.
    ///
    /// # Errors
    /// [`Fault::Quantizer`] where both have a scale for each index, of different axes.
    pub(super) fn reading(self, quantizer: &Quantizer) -> Result<Quantizer, Fault> {
        let is_own = self.scales == quantizer.scales
            && self.zero_points == quantizer.zero_points
            && quantizer.offsets.is_empty();
        if is_own && (self.scales.len() == 1 || self.axis == quantizer.axis) {
            return Ok(quantizer.clone());
        }
        let count = self.scales.len().max(quantizer.scales.len());
        if self.scales.len() > 1 && quantizer.scales.len() > 1 && self.axis != quantizer.axis {
            let found = format!("scales along axis {}, those before along {}", self.axis, quantizer.axis);
            return Err(Fault::Quantizer { found, supported: "one axis" });
        }
        let stored = spread(quantizer.zero_points.clone(), count);
        let read = spread(self.zero_points, count);
        let offset = |(read, stored): (&i64, &i64)| (i128::from(*read) - i128::from(*stored)) as f64;
        let offsets: Vec<f64> = read.iter().zip(&stored).map(offset).collect();
        let divisors = if quantizer.divisors.is_empty() { &quantizer.scales } else { &quantizer.divisors };
        Ok(Quantizer {
            scales: spread(self.scales, count),
            divisors: spread(divisors.clone(), count),
            shifts: spread(quantizer.shifts.clone(), count),
            offsets: if offsets.iter().all(|offset| *offset == 0.0) { vec![] } else { offsets },
            zero_points: stored,
            axis: self.axis.max(quantizer.axis),
            ..quantizer.clone()
        })
    }
}

/// One for all as one for each; an empty list stays.
fn spread<T: Clone>(values: Vec<T>, count: usize) -> Vec<T> {
    if values.len() == 1 { vec![values[0].clone(); count] } else { values }
}

/// A quantizer whose way back gives whole numbers: the stored integers minus `zero_point`.
pub(super) fn as_steps(quantizer: &Quantizer, zero_point: i64) -> Quantizer {
    let linear = Linear { scales: vec![1.0], zero_points: vec![zero_point], axis: 0 };
    // One scale goes along no axis.
    linear.reading(quantizer).unwrap_or_else(|_| quantizer.clone())
}

/// Floats that went through a quantizer.
///
/// A constant matrix keeps its quantizer in the graph, as the weights of a product must: their integers are read off it. What
/// has fewer axes is added, never multiplied, and is computed now.
///
/// # Errors
/// [`Fault::Operation`] for a quantizer that does not fit the shape.
pub(super) fn fake_quantize(
    context: &mut NodeContext<'_>,
    source: Operand,
    quantizer: Quantizer,
) -> Result<Operand, Fault> {
    let is_vector = source.shape().len() < 2;
    let op = Op::FakeQuantize(quantizer);
    if is_vector { context.emit(op, &[source]) } else { context.push(op, &[source]) }
}

/// The floats that integers stand for: those of a quantizer, of the file, or of a graph input.
///
/// # Errors
/// [`Fault::Integers`] for any others.
pub(super) fn dequantize(
    context: &mut NodeContext<'_>,
    input: Operand,
    linear: Linear,
) -> Result<Operand, Fault> {
    match input {
        Operand::Stored { source, quantizer } => {
            let quantizer = linear.reading(&quantizer)?;
            fake_quantize(context, *source, quantizer)
        }
        Operand::Constant { value: Value::I64(ref stored), ref kind, .. } => {
            // The bounds are those of the integers that are there, zero among them.
            let lo = stored.iter().copied().fold(0, i64::min);
            let hi = stored.iter().copied().fold(1, i64::max);
            // Integers of 32 bits are sums, and no float has their quantizer's every step.
            let is_weight = kind.and_then(range).is_some() || (lo >= -32768 && hi <= 65535);
            let quantizer = linear.quantizer((lo, hi));
            let floats = context.emit(Op::Dequantize(quantizer.clone()), std::slice::from_ref(&input))?;
            if is_weight { fake_quantize(context, floats, quantizer) } else { Ok(floats) }
        }
        Operand::Computed { number, .. } => {
            let kind = context.builder.input_kinds.get(&number).copied();
            let bounds = kind.and_then(range).ok_or(Fault::Integers)?;
            let floats = context.emit(Op::Cast(Cast { element: Element::F32.into() }), &[input])?;
            let stored = Linear { scales: vec![1.0], zero_points: vec![0], axis: 0 }.quantizer(bounds);
            fake_quantize(context, floats, linear.reading(&stored)?)
        }
        _ => Err(Fault::Integers),
    }
}

/// The integers of an input minus its zero point, as floats that hold whole numbers; several zero points go along an axis.
///
/// # Errors
/// Those of [`Linear::read`] and [`dequantize`].
pub(super) fn steps(
    context: &mut NodeContext<'_>,
    (index, name): (usize, &'static str),
    zero_point: Input,
    along: i64,
) -> Result<Operand, Fault> {
    let input = context.input(index, name)?;
    let linear = Linear::read(context, None, zero_point, (&input.shape(), along))?;
    dequantize(context, input, linear)
}

/// Sums of products of integers, quantized anew: multiplied by `a_scale * b_scale / y_scale`, which is computed in f32. The
/// scales of B may be several, along an axis of the sums.
///
/// # Errors
/// [`Fault::ConstantForm`] for scales that are no floats, [`Fault::Quantizer`] for a type that quantizers do not store.
pub(super) fn requantize(
    context: &mut NodeContext<'_>,
    sums: Operand,
    [a, b, y]: [Input; 3],
    (index, name): (usize, &'static str),
    along: i64,
) -> Result<Operand, Fault> {
    let bounds = stored_range(context, index)?;
    let shape = sums.shape();
    let scales = |input: Input| Linear::read(context, input, None, (&shape, along));
    let (a, b, own) = (scales(a)?.scales, scales(b)?, scales(y)?.scales);
    let (&[a], &[y]) = (&a[..], &own[..]) else {
        let found = "several scales for A or for the result".to_owned();
        return Err(Fault::Quantizer { found, supported: "one for each of both" });
    };
    let factors: Vec<f32> = b.scales.iter().map(|b| a as f32 * *b as f32 / y as f32).collect();
    let mut extents = vec![];
    if factors.len() > 1 {
        extents = vec![1; shape.len() - b.axis as usize];
        extents[0] = factors.len();
    }
    let factors = context.fold(Value::floats(&extents, factors)?);
    let source = Box::new(context.emit(Op::Mul(Empty {}), &[sums, factors])?);
    let linear = Linear::read(context, None, Some((index, name)), (&shape, along))?;
    let [zero_point] = linear.zero_points[..] else {
        let found = "several zero points for the result".to_owned();
        return Err(Fault::Quantizer { found, supported: "one" });
    };
    let unit = Linear { scales: vec![1.0], zero_points: vec![zero_point], axis: 0 }.quantizer(bounds);
    let read = Linear { scales: vec![y], zero_points: vec![zero_point], axis: 0 };
    let quantizer = read.reading(&unit)?;
    quantizer.check(&shape)?;
    Ok(Operand::Stored { source, quantizer })
}
