//! Reshape: the same elements in row-major order under another shape; -1 is what fits, 0 copies the extent.
//!
//! 5: the shape is an input. 14: with `allowzero` a 0 is an extent of 0. 13, 19 to 25: more kinds of elements.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};

pub(super) const OPERATOR: Operator = Operator {
    name: "Reshape",
    versions: &[5, 13, 14, 19, 21, 23, 24, 25],
    inputs: &[(5, 2..=2)],
    attributes: &[("allowzero", 14..=i64::MAX)],
    limits: "constant shape",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "data")?;
    let missing = Fault::MissingInput { index: 1, name: "shape" };
    let requested = context.integers(1, "shape")?.ok_or(missing)?;
    let copies_zero = !context.flag_attribute("allowzero")?.unwrap_or(false);
    let from = input.shape();
    let shape = resolve(&from, &requested, copies_zero);
    let shape = shape.ok_or(Fault::Reshape { from, to: requested })?;
    Ok(vec![context.reshape(input, &shape)?])
}

/// The shape that a request means; `None` where no shape has as many elements.
fn resolve(from: &[usize], requested: &[i64], copies_zero: bool) -> Option<Vec<usize>> {
    let mut shape = vec![];
    let mut open = None;
    for (axis, extent) in requested.iter().enumerate() {
        shape.push(match extent {
            -1 if open.replace(axis).is_none() => 1,
            0 if copies_zero => *from.get(axis)?,
            extent => usize::try_from(*extent).ok()?,
        });
    }
    let count: usize = from.iter().product();
    let given = shape.iter().try_fold(1usize, |product, extent| product.checked_mul(*extent))?;
    if let Some(axis) = open {
        // With an extent of 0 beside it, any extent would do.
        shape[axis] = count.checked_div(given).filter(|rest| rest * given == count)?;
    } else if given != count {
        return None;
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn minus_one_fits_and_zero_copies() {
        assert_eq!(resolve(&[2, 3, 4], &[0, -1], true), Some(vec![2, 12]));
        assert_eq!(resolve(&[2, 3, 4], &[4, 0, 2], true), Some(vec![4, 3, 2]));
        assert_eq!(resolve(&[], &[-1], true), Some(vec![1]));
        assert_eq!(resolve(&[1], &[], true), Some(vec![]));
        assert_eq!(resolve(&[0, 3], &[3, 0], false), Some(vec![3, 0]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (requested, copies_zero) in [
            (&[5, -1][..], true),
            (&[-1, -1], true),
            (&[-2, 12], true),
            (&[24, 1, 1, 0], true),
            (&[0, -1], false),
            (&[25], true),
            (&[i64::MAX, i64::MAX], true),
        ] {
            assert_eq!(resolve(&[2, 3, 4], requested, copies_zero), None, "{requested:?}");
        }
    }
}
