//! AveragePool: the mean of each window, channel by channel.
//!
//! 7: `count_include_pad`. 10: `ceil_mode`, not supported. 11: strides are 1 unless stated. 19: `dilations`. 22: bfloat16.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::windows::{Windows, average};

pub(super) const OPERATOR: Operator = Operator {
    name: "AveragePool",
    versions: &[7, 10, 11, 19, 22],
    inputs: &[(7, 1..=1)],
    attributes: &[
        ("auto_pad", ALWAYS),
        ("ceil_mode", 10..=i64::MAX),
        ("count_include_pad", ALWAYS),
        ("dilations", 19..=i64::MAX),
        ("kernel_shape", ALWAYS),
        ("pads", ALWAYS),
        ("strides", ALWAYS),
    ],
    limits: "ceil_mode 0; it becomes a product with a matrix of at most 2^24 elements",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "X")?;
    if context.flag_attribute("ceil_mode")?.unwrap_or(false) {
        return Err(Fault::AttributeValue { name: "ceil_mode", found: "1".to_owned(), supported: "0" });
    }
    let kernel = context.integers_attribute("kernel_shape")?;
    let kernel = kernel.ok_or(Fault::MissingAttribute { name: "kernel_shape" })?;
    let kernel = kernel.into_iter().map(|extent| usize::try_from(extent).unwrap_or(0)).collect();
    let windows = Windows::read(context, &input.shape(), kernel)?;
    let counts_padding = context.flag_attribute("count_include_pad")?.unwrap_or(false);
    Ok(vec![average(context, input, &windows, counts_padding)?])
}
