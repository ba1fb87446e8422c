//! What calibration saw of the values that lookups read.

use cml_dialects::fhe::{MEASURED_HIGHS, MEASURED_LOWS};
use cml_dialects::ir::{Attributes, defining_op};
use cml_runtime::units::Width;
use melior::ir::Value;
use melior::ir::operation::OperationLike;

/// Values that calibration saw, within the proved ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The smallest one of all.
    pub low: i64,
    /// The largest.
    pub high: i64,
    /// Width of the widest range of one element, bits.
    pub width: u32,
}

impl Measured {
    /// Of one element; `None` where nothing that was seen is within the proved range.
    #[must_use]
    pub fn of((low, high): (i64, i64), proved: (i64, i64)) -> Option<Self> {
        let (low, high) = (low.max(proved.0), high.min(proved.1));
        (low <= high).then(|| Self { low, high, width: Width::of_range(low, high).0 })
    }

    /// Of all elements together.
    #[must_use]
    pub fn of_all(each: &[Option<Self>]) -> Option<Self> {
        each.iter().copied().fold(None, Self::hull)
    }

    /// Of all elements that either is of.
    #[must_use]
    pub fn hull(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self {
                low: one.low.min(other.low),
                high: one.high.max(other.high),
                width: one.width.max(other.width),
            }),
            (one, other) => one.or(other),
        }
    }

    /// The smallest and the largest that was seen of each element of a value; nothing where no calibration data was run.
    pub(super) fn ranges(value: Value<'_, '_>) -> Vec<(i64, i64)> {
        let Some(op) = defining_op(value).filter(|op| op.has_attribute(MEASURED_LOWS)) else {
            return Vec::new();
        };
        let attributes = Attributes(op);
        let ends = (attributes.i64_array(MEASURED_LOWS), attributes.i64_array(MEASURED_HIGHS));
        let (Ok(lows), Ok(highs)) = ends else { return Vec::new() };
        lows.iter().copied().zip(highs.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_lies_within_what_is_proved() {
        let of = |low, high, width| Some(Measured { low, high, width });
        assert_eq!(Measured::of((-3, 4), (-8, 7)), of(-3, 4, 3));
        assert_eq!(Measured::of((-3, 4), (0, 2)), of(0, 2, 2));
        assert_eq!(Measured::of((8, 9), (0, 7)), None);
        assert_eq!(Measured::hull(of(-3, 4, 3), of(10, 11, 1)), of(-3, 11, 3));
        assert_eq!(Measured::of_all(&[None, of(1, 2, 1), of(0, 1, 1), None]), of(0, 2, 1));
    }
}
