//! What the attributes of ops hold, interned: equal attributes have equal numbers, so terms that agree in them are one term.

use super::language::AttributeId;
use super::tables::Tables;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Clear integers, row-major: weights, a constant, or what is added to or multiplied with a tensor (one for all, or one each).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Elements {
    pub(crate) shape: Vec<u64>,
    pub(crate) values: Vec<i64>,
}

impl Elements {
    /// Whether they meet a tensor of this shape: one for all, or one for each of its elements.
    pub(crate) fn fits(&self, shape: &[u64]) -> bool {
        self.values.len() == 1 || self.shape == shape
    }

    /// The clear integer that meets the element `index`.
    pub(crate) fn at(&self, index: usize) -> Option<i64> {
        let index = if self.values.len() == 1 { 0 } else { index };
        self.values.get(index).copied()
    }

    /// Each integer replaced; `None` if one overflows.
    pub(crate) fn map(&self, function: impl Fn(i64) -> Option<i64>) -> Option<Self> {
        let values = self.values.iter().map(|value| function(*value)).collect::<Option<_>>()?;
        Some(Self { shape: self.shape.clone(), values })
    }

    /// Combines what meets the same element; `None` if one overflows.
    pub(crate) fn zip(&self, other: &Self, function: impl Fn(i64, i64) -> Option<i64>) -> Option<Self> {
        let longer = if self.values.len() == 1 { other } else { self };
        let combine = |index| function(self.at(index)?, other.at(index)?);
        let values = (0..longer.values.len()).map(combine).collect::<Option<_>>()?;
        Some(Self { shape: longer.shape.clone(), values })
    }
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attribute {
    Elements(Arc<Elements>),
    Tables(Arc<Tables>),
    /// Extents of a reshape, permutation of a transpose, axes of a sum, axis of a concatenation.
    Numbers(Arc<[u64]>),
}

/// All attributes seen, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interner {
    all: Vec<Attribute>,
    numbers: BTreeMap<Attribute, u32>,
}

impl Interner {
    /// The number of an attribute.
    pub(crate) fn intern(&mut self, attribute: Attribute) -> AttributeId {
        let next = self.all.len() as u32;
        let number = *self.numbers.entry(attribute.clone()).or_insert(next);
        if number == next {
            self.all.push(attribute);
        }
        AttributeId(number)
    }

    /// What a number stands for.
    pub(crate) fn get(&self, id: AttributeId) -> Option<&Attribute> {
        self.all.get(id.0 as usize)
    }
}
