//! Shapes: products that cannot overflow, broadcasting, lanes along an axis.

use super::error::Fault;
use super::message::Element;

/// Most elements of one tensor, and of all values of one graph together.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Shape and kind of numbers of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorType {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Kind of numbers.
    pub element: Element,
}

impl TensorType {
    /// A type from its parts.
    #[must_use]
    pub fn new(shape: impl Into<Vec<usize>>, element: Element) -> Self {
        Self { shape: shape.into(), element }
    }

    /// Number of elements; `MAX_ELEMENTS` bounds it for every type that inference returns.
    #[must_use]
    pub fn element_count(&self) -> usize {
        self.shape.iter().fold(1, |product: usize, extent| product.saturating_mul(*extent))
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of shape {:?}", self.element.text(), self.shape)
    }
}

/// The shape that both operands of a binary operation are repeated to, as numpy does; `None` where there is none.
#[must_use]
pub fn broadcast(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let extent = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).and_then(|at| shape.get(at).copied()).unwrap_or(1)
    };
    (0..rank)
        .map(|axis| match (extent(left, axis), extent(right, axis)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        })
        .collect()
}

/// Extents from a message, no larger than a tensor may be.
///
/// # Errors
/// [`Fault::TooLarge`] when the product passes [`MAX_ELEMENTS`], whatever extents of 0 it has.
pub(crate) fn checked_shape(extents: &[u64]) -> Result<Vec<usize>, Fault> {
    let too_large = || Fault::TooLarge { shape: extents.to_vec(), limit: MAX_ELEMENTS };
    let shape: Vec<usize> = extents
        .iter()
        .map(|extent| usize::try_from(*extent).map_err(|_| too_large()))
        .collect::<Result<_, _>>()?;
    let nonzero = shape.iter().filter(|extent| **extent != 0);
    nonzero
        .copied()
        .try_fold(1usize, usize::checked_mul)
        .filter(|product| *product <= MAX_ELEMENTS)
        .map(|_| shape.clone())
        .ok_or_else(too_large)
}

/// As [`checked_shape`], for extents that are already machine numbers.
pub(crate) fn checked(shape: Vec<usize>) -> Result<Vec<usize>, Fault> {
    let extents: Vec<u64> = shape.iter().map(|extent| *extent as u64).collect();
    checked_shape(&extents)?;
    Ok(shape)
}

/// An axis of a shape, as an index.
pub(crate) fn checked_axis(axis: u32, shape: &[usize]) -> Result<usize, Fault> {
    let index = axis as usize;
    if index < shape.len() {
        Ok(index)
    } else {
        Err(Fault::Axis { axis: u64::from(axis), shape: shape.to_vec() })
    }
}

/// A row-major tensor seen as lanes along one axis: element `l` of lane `(o, i)` is at `(o * length + l) * inner + i`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes {
    /// Product of the extents before the axis.
    pub(crate) outer: usize,
    /// Extent of the axis.
    pub(crate) length: usize,
    /// Product of the extents after the axis.
    pub(crate) inner: usize,
}

impl Lanes {
    /// Lanes of `shape` along `axis`, which must be one of its axes.
    pub(crate) fn new(shape: &[usize], axis: usize) -> Self {
        Self {
            outer: shape.iter().take(axis).product(),
            length: shape.get(axis).copied().unwrap_or(1),
            inner: shape.iter().skip(axis + 1).product(),
        }
    }

    /// Position of the first element of every lane, in row-major order of the lanes.
    pub(crate) fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.outer).flat_map(move |o| (0..self.inner).map(move |i| o * self.length * self.inner + i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn products_never_overflow() {
        assert!(checked_shape(&[u64::MAX, 2]).is_err());
        assert!(checked_shape(&[1 << 40, 0, 1 << 40]).is_err());
        assert_eq!(checked_shape(&[3, 0]).unwrap(), [3, 0]);
        assert_eq!(checked_shape(&[]).unwrap(), [0usize; 0]);
    }

    proptest! {
        #[test]
        fn broadcasting_agrees_with_ndarray(
            left in prop::collection::vec(1usize..4, 0..4),
            right in prop::collection::vec(1usize..4, 0..4),
        ) {
            let a = ndarray::ArrayD::<f32>::zeros(left.clone());
            let b = ndarray::ArrayD::<f32>::zeros(right.clone());
            match broadcast(&left, &right) {
                Some(shape) => {
                    prop_assert!(a.broadcast(shape.clone()).is_some());
                    prop_assert!(b.broadcast(shape).is_some());
                }
                None => {
                    let rank = left.len().min(right.len());
                    let clash = (1..=rank).any(|back| {
                        let (x, y) = (left[left.len() - back], right[right.len() - back]);
                        x != y && x != 1 && y != 1
                    });
                    prop_assert!(clash);
                }
            }
        }
    }
}
