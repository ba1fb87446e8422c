//! Windows that slide over a tensor: convolutions and pooling, which are products with a sparse matrix.
//!
//! The matrix has a row for each element of the input, and a column for each of the result. A sum over a window is then a sum
//! of the same products in the same integers; what is multiplied by 0 costs nothing once it is encrypted.

use super::context::{NodeContext, Operand};
use crate::error::Fault;
use cml_runtime::reference::message::{Empty, Op, Quantizer};
use cml_runtime::reference::{self, Value};

/// Most elements of a matrix, 64 MiB of floats, and of all windows together.
const MAX_MATRIX: usize = 1 << 24;

/// Where windows lie on the axes behind batch and channels.
pub(super) struct Windows {
    /// Extents of the input.
    from: Vec<usize>,
    /// Extents of a window.
    kernel: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    /// Zeros before the first element of each axis.
    pads: Vec<usize>,
    /// Extents of the result.
    to: Vec<usize>,
}

/// A window's element inside of the input: positions in result, window and input, row-major.
struct Tap {
    to: usize,
    kernel: usize,
    from: usize,
}

impl Windows {
    /// Reads the attributes of a node whose input has a shape, with batch and channels first.
    ///
    /// # Errors
    /// [`Fault::AttributeValue`] for attributes that do not fit the shape.
    pub(super) fn read(
        context: &NodeContext<'_>,
        shape: &[usize],
        kernel: Vec<usize>,
    ) -> Result<Self, Fault> {
        let from = shape.get(2..).unwrap_or_default().to_vec();
        let rank = from.len();
        let wrong = |name, found: String, supported| Fault::AttributeValue { name, found, supported };
        let fits = |extent: &usize| (1..=MAX_MATRIX).contains(extent);
        if rank == 0 || kernel.len() != rank || !kernel.iter().all(fits) {
            let found = format!("{kernel:?} for an input of shape {shape:?}");
            return Err(wrong(
                "kernel_shape",
                found,
                "an extent of 1 to 2^24 for each axis behind the channels",
            ));
        }
        let list = |name: &'static str, count: usize, default: i64| {
            let values = context.integers_attribute(name)?.unwrap_or_else(|| vec![default; count]);
            let extents: Option<Vec<usize>> =
                values.iter().map(|value| usize::try_from(*value).ok()).collect();
            let extents =
                extents.filter(|extents| extents.len() == count && extents.iter().all(|x| *x < 1 << 20));
            extents.ok_or_else(|| {
                wrong(name, format!("{values:?}"), "a small number of 0 or more for each axis")
            })
        };
        let (strides, dilations) = (list("strides", rank, 1)?, list("dilations", rank, 1)?);
        if strides.contains(&0) || dilations.contains(&0) {
            return Err(wrong("strides", format!("{strides:?}"), "strides and dilations above 0"));
        }
        let spans: Vec<usize> =
            kernel.iter().zip(&dilations).map(|(kernel, dilation)| (kernel - 1) * dilation + 1).collect();
        let auto = context.text_attribute("auto_pad")?.unwrap_or_default();
        let stated = list("pads", 2 * rank, 0)?;
        let (mut pads, mut to) = (vec![], vec![]);
        for axis in 0..rank {
            let (extent, span, stride) = (from[axis], spans[axis], strides[axis]);
            let (before, after) = match auto.as_str() {
                "" | "NOTSET" => (stated[axis], stated[axis + rank]),
                "VALID" => (0, 0),
                "SAME_UPPER" | "SAME_LOWER" => {
                    let all = ((extent.div_ceil(stride).max(1) - 1) * stride + span).saturating_sub(extent);
                    let less = all / 2;
                    if auto == "SAME_UPPER" { (less, all - less) } else { (all - less, less) }
                }
                _ => return Err(wrong("auto_pad", auto, "NOTSET, VALID, SAME_UPPER, SAME_LOWER")),
            };
            let room = (extent + before + after).checked_sub(span).ok_or_else(|| {
                wrong("kernel_shape", format!("{kernel:?} on {from:?}"), "windows that fit the padded input")
            })?;
            pads.push(before);
            to.push(room / stride + 1);
        }
        Ok(Self { from, kernel, strides, dilations, pads, to })
    }

    /// Elements of the input behind batch and channels.
    fn inputs(&self) -> usize {
        self.from.iter().product()
    }

    /// Elements of the result behind batch and channels.
    fn results(&self) -> usize {
        product(&self.to)
    }

    /// Refuses a matrix of too many elements, or windows: most of them may be padding.
    fn check_matrix(&self, rows: usize, columns: usize) -> Result<(), Fault> {
        if rows.saturating_mul(columns) > MAX_MATRIX {
            let shape = vec![rows as u64, columns as u64];
            return Err(Fault::Operation(reference::Fault::TooLarge { shape, limit: MAX_MATRIX }));
        }
        if product(&self.kernel).saturating_mul(self.results()) > MAX_MATRIX {
            let found = format!("{:?} at {:?} places", self.kernel, self.to);
            let supported = "windows of at most 2^24 elements together";
            return Err(Fault::AttributeValue { name: "kernel_shape", found, supported });
        }
        Ok(())
    }

    /// All elements of all windows that are inside of the input.
    fn taps(&self) -> Vec<Tap> {
        let mut taps = vec![];
        let size: usize = self.kernel.iter().product();
        for to in 0..self.results() {
            for kernel in 0..size {
                if let Some(from) = self.source(to, kernel) {
                    taps.push(Tap { to, kernel, from });
                }
            }
        }
        taps
    }

    /// The element of the input at an element of a window; `None` in the padding.
    fn source(&self, mut to: usize, mut kernel: usize) -> Option<usize> {
        let (mut from, mut stride) = (0, 1);
        for axis in (0..self.from.len()).rev() {
            let at =
                to % self.to[axis] * self.strides[axis] + kernel % self.kernel[axis] * self.dilations[axis];
            let at = at.checked_sub(self.pads[axis]).filter(|at| *at < self.from[axis])?;
            from += at * stride;
            stride *= self.from[axis];
            to /= self.to[axis];
            kernel /= self.kernel[axis];
        }
        Some(from)
    }
}

/// Saturating: extents come from a file.
fn product(extents: &[usize]) -> usize {
    extents.iter().fold(1, |product, extent| product.saturating_mul(*extent))
}

/// A convolution: `weights` are constants of shape `[results, channels / groups, kernel..]`, behind a quantizer or not.
///
/// # Errors
/// [`Fault`] for shapes that do not fit, weights that are not constant, or a matrix of too many elements.
pub(super) fn convolve(
    context: &mut NodeContext<'_>,
    input: Operand,
    (index, weights): (usize, Operand),
) -> Result<Operand, Fault> {
    let not_constant = || Fault::NotConstant { index, name: "W" };
    let (value, quantizer) = match &weights {
        Operand::Constant { value, .. } => (value.clone(), None),
        Operand::Computed { number, .. } => {
            let (value, quantizer) = context.builder.quantized_constant(*number).ok_or_else(not_constant)?;
            (value, Some(quantizer))
        }
        _ => return Err(not_constant()),
    };
    let (shape, own) = (input.shape(), value.shape().to_vec());
    let groups = context.integer_attribute("group")?.unwrap_or(1);
    let form = Fault::ConstantForm {
        index,
        name: "W",
        expected: "floats of shape [results, channels / group, kernel..]",
    };
    let Some(values) = value.as_floats() else { return Err(form) };
    let groups = usize::try_from(groups).unwrap_or(0);
    let fits = own.len() == shape.len()
        && own.len() >= 3
        && groups > 0
        && own[0].is_multiple_of(groups)
        && shape[1] == own[1].saturating_mul(groups);
    if !fits {
        return Err(form);
    }
    if let Some(stated) = context.integers_attribute("kernel_shape")?
        && !stated.iter().map(|extent| usize::try_from(*extent).ok()).eq(own[2..].iter().copied().map(Some))
    {
        let (found, supported) = (format!("{stated:?}"), "the extents of W behind its channels");
        return Err(Fault::AttributeValue { name: "kernel_shape", found, supported });
    }
    let windows = Windows::read(context, &shape, own[2..].to_vec())?;
    let (results, channels) = (own[0], own[1]);
    let (inputs, places) = (windows.inputs(), windows.results());
    let (rows, columns) = (shape[1].saturating_mul(inputs), results.saturating_mul(places));
    windows.check_matrix(rows, columns)?;
    let values: Vec<f32> = values.iter().copied().collect();
    let size: usize = own[2..].iter().product();
    let mut matrix = vec![0f32; rows * columns];
    let taps = windows.taps();
    for result in 0..results {
        let first = result / (results / groups) * channels;
        for channel in 0..channels {
            for tap in &taps {
                let row = (first + channel) * inputs + tap.from;
                matrix[row * columns + result * places + tap.to] =
                    values[(result * channels + channel) * size + tap.kernel];
            }
        }
    }
    let matrix = context.fold(Value::floats(&[rows, columns], matrix)?);
    let matrix = match quantizer {
        None => matrix,
        Some(quantizer) => {
            let quantizer = of_columns(&quantizer, results, places)?;
            context.push(Op::FakeQuantize(quantizer), &[matrix])?
        }
    };
    let flat = context.reshape(input, &[shape[0], rows])?;
    let sums = context.emit(Op::MatMul(Empty {}), &[flat, matrix])?;
    let extents: Vec<usize> = [shape[0], results].into_iter().chain(windows.to.iter().copied()).collect();
    context.reshape(sums, &extents)
}

/// The quantizer of a matrix whose column `j` belongs to the result `j / places`.
fn of_columns(quantizer: &Quantizer, results: usize, places: usize) -> Result<Quantizer, Fault> {
    let count = quantizer.scales.len();
    if count > 1 && quantizer.axis != 0 {
        let found = format!("scales along axis {}", quantizer.axis);
        return Err(Fault::Quantizer { found, supported: "one scale, or one for each result (axis 0)" });
    }
    let has_zero = |channel: usize| {
        quantizer.quantize(0.0, channel).is_ok_and(|zero| quantizer.dequantize(zero, channel) == 0.0)
    };
    if !(0..count).all(has_zero) {
        let found = "weights that cannot be 0, as what lies outside of a window is".to_owned();
        return Err(Fault::Quantizer { found, supported: "whole zero points inside of the range" });
    }
    if count == 1 {
        return Ok(quantizer.clone());
    }
    let reals = |values: &[f64]| match values.len() {
        0 => vec![],
        _ => (0..results * places).map(|column| values[column / places]).collect(),
    };
    Ok(Quantizer {
        scales: reals(&quantizer.scales),
        zero_points: (0..results * places).map(|column| quantizer.zero_points[column / places]).collect(),
        divisors: reals(&quantizer.divisors),
        shifts: reals(&quantizer.shifts),
        offsets: reals(&quantizer.offsets),
        axis: 1,
        ..quantizer.clone()
    })
}

/// One number for each result of a convolution, in a shape that broadcasts to it.
///
/// # Errors
/// [`Fault::Operation`] for another number of elements.
pub(super) fn of_results(
    context: &mut NodeContext<'_>,
    numbers: Operand,
    sums: &Operand,
) -> Result<Operand, Fault> {
    let shape = sums.shape();
    let mut extents = vec![1; shape.len() - 1];
    extents[0] = shape[1];
    context.reshape(numbers, &extents)
}

/// The mean of each window, channel by channel; with `counts_padding` the zeros around the input count.
///
/// Behind a quantizer the matrix has one as well, as the weights of a product must: its integers are 0 and 1, and the scale of a
/// window is what one of its elements counts. A network cannot bring it: the matrix is ours.
///
/// # Errors
/// [`Fault`] for a matrix of too many elements.
pub(super) fn average(
    context: &mut NodeContext<'_>,
    input: Operand,
    windows: &Windows,
    counts_padding: bool,
) -> Result<Operand, Fault> {
    let shape = input.shape();
    let (rows, columns) = (windows.inputs(), windows.results());
    windows.check_matrix(rows, columns)?;
    let taps = windows.taps();
    let mut counts = vec![0usize; columns];
    taps.iter().for_each(|tap| counts[tap.to] += 1);
    if counts_padding {
        counts.fill(windows.kernel.iter().product());
    }
    // A window of padding alone has no element.
    let shares: Vec<f64> = counts.iter().map(|count| 1.0 / (*count).max(1) as f64).collect();
    let mut matrix = vec![0f32; rows * columns];
    for tap in &taps {
        matrix[tap.from * columns + tap.to] = shares[tap.to] as f32;
    }
    let mut matrix = context.fold(Value::floats(&[rows, columns], matrix)?);
    if context.builder.is_quantized(&input) {
        let is_even = shares.windows(2).all(|pair| pair[0] == pair[1]);
        let scales = if is_even { shares.into_iter().take(1).collect() } else { shares };
        let zero_points = vec![0; scales.len()];
        let quantizer = Quantizer { scales, zero_points, axis: 1, lo: 0, hi: 1, ..Quantizer::default() };
        matrix = context.push(Op::FakeQuantize(quantizer), &[matrix])?;
    }
    let flat = context.reshape(input, &[shape[0], shape[1], rows])?;
    let means = context.emit(Op::MatMul(Empty {}), &[flat, matrix])?;
    let extents: Vec<usize> = shape[..2].iter().chain(&windows.to).copied().collect();
    context.reshape(means, &extents)
}
