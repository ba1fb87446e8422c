//! What is known of each class: the shape and the proved ranges of its value, and where it comes from.
//!
//! All terms of a class have the same value, so whatever was proved of one holds for all: ranges intersect when classes merge.
//! The ranges that are emitted are those of the class, whichever of its terms is chosen.

use super::attributes::{Attribute, Elements, Interner};
use super::language::Term;
use super::tables::Tables;
use crate::analysis::shapes::{
    broadcast, broadcast_index, concat_origins, concatenated, count, transpose_origins, transposed,
};
use cml_dialects::fhe::Ranges;
use egg::{Analysis, DidMerge, Id};
use std::sync::Arc;

pub(crate) type EGraph = egg::EGraph<Term, Facts>;

/// No range of `fhe` lies farther from 0.
const LIMIT: i64 = 1 << 40;

/// What is known of a tensor of encrypted integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) shape: Vec<u64>,
    pub(crate) ranges: Arc<Ranges>,
    /// It is an argument of the function: its type is given, and its ranges are those of the type.
    pub(crate) is_argument: bool,
    /// The first op of the function that makes it.
    pub(crate) origin: Option<u32>,
    /// The first such op that says which ranges were measured.
    pub(crate) measured: Option<u32>,
}

impl Value {
    /// A value of which only the ranges are known.
    pub(crate) fn new(shape: Vec<u64>, ranges: Ranges) -> Self {
        Self { shape, ranges: Arc::new(ranges), is_argument: false, origin: None, measured: None }
    }

    /// Whether `fhe` has a type for it.
    pub(crate) fn has_type(&self) -> bool {
        let (lo, hi) = self.ranges.hull();
        -LIMIT <= lo && hi <= LIMIT
    }
}

/// What is known of a class.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// The term does not fit together; no rule uses it.
    Unknown,
    Attribute(Attribute),
    Value(Value),
}

/// The analysis of the e-graph, with the attributes and arguments that its leaves number.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) interner: Interner,
    pub(crate) arguments: Vec<Value>,
    /// Two proofs exclude each other: one of the ranges that the function states is wrong.
    pub(crate) contradiction: bool,
}

impl Facts {
    /// What both ranges allow, element by element.
    fn intersect(&mut self, left: &Ranges, right: &Ranges) -> Ranges {
        let mut both = left.clone();
        for (index, (lo, hi)) in right.lows.iter().zip(&right.highs).enumerate() {
            let (Some(low), Some(high)) = (both.lows.get_mut(index), both.highs.get_mut(index)) else {
                continue;
            };
            if (*lo).max(*low) > (*hi).min(*high) {
                self.contradiction = true;
            } else {
                (*low, *high) = ((*lo).max(*low), (*hi).min(*high));
            }
        }
        both
    }

    fn merged(&mut self, left: &Value, right: &Value) -> Value {
        let ranges = match (left.is_argument, right.is_argument) {
            (true, _) => left.ranges.clone(),
            (_, true) => right.ranges.clone(),
            _ if left.ranges == right.ranges => left.ranges.clone(),
            _ => Arc::new(self.intersect(&left.ranges, &right.ranges)),
        };
        let first = |left: Option<u32>, right: Option<u32>| left.into_iter().chain(right).min();
        Value {
            shape: left.shape.clone(),
            ranges,
            is_argument: left.is_argument || right.is_argument,
            origin: first(left.origin, right.origin),
            measured: first(left.measured, right.measured),
        }
    }
}

impl Analysis<Term> for Facts {
    type Data = Data;

    fn make(egraph: &mut EGraph, term: &Term, _: Id) -> Data {
        infer(egraph, term).unwrap_or(Data::Unknown)
    }

    fn merge(&mut self, left: &mut Data, right: Data) -> DidMerge {
        match (&mut *left, right) {
            (Data::Value(mine), Data::Value(other)) => {
                let merged = self.merged(mine, &other);
                let changes = DidMerge(*mine != merged, other != merged);
                *mine = merged;
                changes
            }
            (Data::Unknown, Data::Unknown) | (Data::Attribute(_), Data::Attribute(_)) => {
                DidMerge(false, false)
            }
            (Data::Unknown, other) => {
                *left = other;
                DidMerge(true, false)
            }
            (_, _) => DidMerge(false, true),
        }
    }
}

/// What is known of the value of a class.
pub(crate) fn value(egraph: &EGraph, id: Id) -> Option<&Value> {
    match &egraph[id].data {
        Data::Value(value) => Some(value),
        _ => None,
    }
}

/// The clear integers of an attribute.
pub(crate) fn elements(egraph: &EGraph, id: Id) -> Option<Arc<Elements>> {
    match &egraph[id].data {
        Data::Attribute(Attribute::Elements(elements)) => Some(elements.clone()),
        _ => None,
    }
}

/// The tables of an attribute.
pub(crate) fn tables(egraph: &EGraph, id: Id) -> Option<Arc<Tables>> {
    match &egraph[id].data {
        Data::Attribute(Attribute::Tables(tables)) => Some(tables.clone()),
        _ => None,
    }
}

/// Extents, axes or a permutation.
pub(crate) fn numbers(egraph: &EGraph, id: Id) -> Option<Arc<[u64]>> {
    match &egraph[id].data {
        Data::Attribute(Attribute::Numbers(numbers)) => Some(numbers.clone()),
        _ => None,
    }
}

/// Proves more of a class.
pub(crate) fn narrow(egraph: &mut EGraph, id: Id, known: &Value) {
    let Some(mine) = value(egraph, id).cloned() else { return };
    let merged = egraph.analysis.merged(&mine, known);
    if merged != mine {
        egraph.set_analysis_data(id, Data::Value(merged));
    }
}

/// What the range of a negation or of a sum with clear integers says of its input.
pub(crate) fn narrow_input(egraph: &mut EGraph, id: Id, term: &Term) {
    let Some(result) = value(egraph, id) else { return };
    let ranges = |of: &dyn Fn(usize, i64, i64) -> Option<(i64, i64)>| {
        let pairs = result.ranges.lows.iter().zip(&result.ranges.highs).enumerate();
        pairs.map(|(index, (lo, hi))| of(index, *lo, *hi)).collect::<Option<Vec<_>>>()
    };
    let (input, pairs) = match term {
        Term::Neg(input) => (*input, ranges(&|_, lo, hi| Some((-hi, -lo)))),
        Term::AddClear([clear, input]) => {
            let Some(clear) = elements(egraph, *clear) else { return };
            let shifted = |index, lo: i64, hi: i64| {
                let amount = clear.at(index)?;
                Some((lo.checked_sub(amount)?, hi.checked_sub(amount)?))
            };
            (*input, ranges(&shifted))
        }
        _ => return,
    };
    let Some(pairs) = pairs else { return };
    let (lows, highs) = pairs.into_iter().unzip();
    let known = Value::new(result.shape.clone(), Ranges { lows, highs });
    narrow(egraph, input, &known);
}

/// Interval arithmetic on wide integers, so that no sum of products overflows.
struct Bounds(Vec<(i128, i128)>);

impl Bounds {
    fn of(ranges: &Ranges) -> Self {
        let wide = |(lo, hi): (&i64, &i64)| (i128::from(*lo), i128::from(*hi));
        Self(ranges.lows.iter().zip(&ranges.highs).map(wide).collect())
    }

    /// Beyond the limit of every type, what exactly a bound is does not matter.
    fn ranges(self) -> Ranges {
        let narrow = |bound: i128| bound.clamp(-(1 << 62), 1 << 62) as i64;
        let (lows, highs) = self.0.into_iter().map(|(lo, hi)| (narrow(lo), narrow(hi))).unzip();
        Ranges { lows, highs }
    }
}

fn scaled((lo, hi): (i128, i128), factor: i64) -> (i128, i128) {
    let (x, y) = (lo * i128::from(factor), hi * i128::from(factor));
    (x.min(y), x.max(y))
}

fn plus(left: (i128, i128), right: (i128, i128)) -> (i128, i128) {
    (left.0 + right.0, left.1 + right.1)
}

/// What a term says of its value, from what is known of its children; `None` if it does not fit together.
pub(crate) fn infer(egraph: &EGraph, term: &Term) -> Option<Data> {
    let of = |id: &Id| value(egraph, *id);
    let (shape, bounds) = match term {
        Term::Attribute(id) => return egraph.analysis.interner.get(*id).cloned().map(Data::Attribute),
        Term::Argument(number) => {
            return egraph.analysis.arguments.get(number.0 as usize).cloned().map(Data::Value);
        }
        Term::Constant(clear) => {
            let clear = elements(egraph, *clear)?;
            let ranges = Ranges { lows: clear.values.clone(), highs: clear.values.clone() };
            return Some(Data::Value(Value::new(clear.shape.clone(), ranges)));
        }
        Term::Matmul([weights, input]) => product(&*elements(egraph, *weights)?, of(input)?)?,
        Term::Add([left, right]) => combined(of(left)?, of(right)?, 1)?,
        Term::Sub([left, right]) => combined(of(left)?, of(right)?, -1)?,
        Term::Neg(input) => mapped(of(input)?, |_, range| Some(scaled(range, -1)))?,
        Term::AddClear([clear, input]) => {
            let (clear, input) = (elements(egraph, *clear)?, of(input)?);
            clear.fits(&input.shape).then_some(())?;
            mapped(input, |index, range| {
                let amount = i128::from(clear.at(index)?);
                Some(plus(range, (amount, amount)))
            })?
        }
        Term::MulClear([clear, input]) => {
            let (clear, input) = (elements(egraph, *clear)?, of(input)?);
            clear.fits(&input.shape).then_some(())?;
            mapped(input, |index, range| Some(scaled(range, clear.at(index)?)))?
        }
        Term::Sum([axes, input]) => summed(of(input)?, &numbers(egraph, *axes)?)?,
        Term::Reshape([extents, input]) => {
            let (extents, input) = (numbers(egraph, *extents)?, of(input)?);
            (count(&extents) == count(&input.shape)).then(|| (extents.to_vec(), Bounds::of(&input.ranges)))?
        }
        Term::Transpose([permutation, input]) => {
            let (permutation, input) = (numbers(egraph, *permutation)?, of(input)?);
            let from = Bounds::of(&input.ranges).0;
            let origins = transpose_origins(&input.shape, &permutation)?;
            (
                transposed(&input.shape, &permutation)?,
                Bounds(origins.into_iter().map(|at| from[at]).collect()),
            )
        }
        Term::Concat(children) => joined(egraph, children)?,
        Term::Lookup([which, input]) => {
            let (tables, input) = (tables(egraph, *which)?, of(input)?);
            mapped(input, |index, _| {
                let read = tables.read(index, input.ranges.lows[index], input.ranges.highs[index])?;
                Some((i128::from(*read.iter().min()?), i128::from(*read.iter().max()?)))
            })?
        }
    };
    Some(Data::Value(Value::new(shape, bounds.ranges())))
}

fn mapped(
    input: &Value,
    function: impl Fn(usize, (i128, i128)) -> Option<(i128, i128)>,
) -> Option<(Vec<u64>, Bounds)> {
    let from = Bounds::of(&input.ranges).0.into_iter().enumerate();
    let bounds = from.map(|(index, range)| function(index, range)).collect::<Option<_>>()?;
    Some((input.shape.clone(), Bounds(bounds)))
}

fn product(weights: &Elements, input: &Value) -> Option<(Vec<u64>, Bounds)> {
    let [inner, columns] = weights.shape[..] else { return None };
    let (last, leading) = input.shape.split_last()?;
    if *last != inner {
        return None;
    }
    let (inner, columns, rows) = (inner as usize, columns as usize, count(leading));
    let from = Bounds::of(&input.ranges).0;
    let mut sums = vec![(0, 0); rows * columns];
    for row in 0..rows {
        for i in 0..inner {
            for (j, weight) in weights.values.get(i * columns..(i + 1) * columns)?.iter().enumerate() {
                let sum = &mut sums[row * columns + j];
                *sum = plus(*sum, scaled(from[row * inner + i], *weight));
            }
        }
    }
    let shape = leading.iter().copied().chain([columns as u64]).collect();
    Some((shape, Bounds(sums)))
}

fn combined(left: &Value, right: &Value, sign: i64) -> Option<(Vec<u64>, Bounds)> {
    let shape = broadcast(&left.shape, &right.shape)?;
    let (from, with) = (Bounds::of(&left.ranges).0, Bounds::of(&right.ranges).0);
    let sum = |index| {
        let (mine, other) =
            (broadcast_index(index, &shape, &left.shape), broadcast_index(index, &shape, &right.shape));
        plus(from[mine], scaled(with[other], sign))
    };
    let bounds = Bounds((0..count(&shape)).map(sum).collect());
    Some((shape, bounds))
}

fn summed(input: &Value, axes: &[u64]) -> Option<(Vec<u64>, Bounds)> {
    let mut shape = input.shape.clone();
    for axis in axes {
        *shape.get_mut(*axis as usize)? = 1;
    }
    let mut sums = vec![(0, 0); count(&shape)];
    for (index, range) in Bounds::of(&input.ranges).0.into_iter().enumerate() {
        let sum = &mut sums[broadcast_index(index, &input.shape, &shape)];
        *sum = plus(*sum, range);
    }
    Some((shape, Bounds(sums)))
}

fn joined(egraph: &EGraph, children: &[Id]) -> Option<(Vec<u64>, Bounds)> {
    let (axis, inputs) = children.split_first()?;
    let axis = *numbers(egraph, *axis)?.first()? as usize;
    let inputs: Vec<&Value> = inputs.iter().map(|id| value(egraph, *id)).collect::<Option<_>>()?;
    let shapes: Vec<&[u64]> = inputs.iter().map(|input| input.shape.as_slice()).collect();
    let bounds: Vec<_> = inputs.iter().map(|input| Bounds::of(&input.ranges).0).collect();
    let origins = concat_origins(&shapes, axis)?.into_iter();
    let moved = origins.map(|(number, at)| bounds[number][at]).collect();
    Some((concatenated(&shapes, axis)?, Bounds(moved)))
}
