//! Every value of `@server` as an affine form over independent sources of noise, and what follows for its encoding.
//!
//! Sources are the encrypted inputs and the results of lookups; all that lies between is linear and collapses. A form shows
//! exactly which weight each source has where a value is read, however often the value was used on the way: that is its noise.
//! A lookup whose input or whose read part of the table is constant is a constant, and costs nothing.

use crate::analysis::comparisons;
use crate::analysis::measured::Measured;
use crate::analysis::movement::origins;
use crate::analysis::shapes::broadcast_index;
use crate::framework::{PassError, model_error};
use crate::lookups::{Profile, gcd};
use crate::parameters::{self, Norms, Problem, Reading};
use cml_dialects::fhe::{Ranges, ranges};
use cml_dialects::interpret::{is_movement, lookup_of};
use cml_dialects::ir::{
    Attributes, Function, key, node_name, op_name, operand, operands, result, shape_of, tensor_shape,
};
use cml_runtime::program::message::Comparisons;
use cml_runtime::reference::message::Table;
use melior::ir::{AttributeLike, OperationRef, Value};
use std::collections::{BTreeMap, BTreeSet};

/// One element of a source: number of the list, and place in it. Lists are the function's arguments, then one for each [`Group`].
pub type Source = (u32, u32);

/// `sum of weight * source + constant`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Form {
    /// By source; no weight is 0.
    pub terms: BTreeMap<Source, i64>,
    /// The constant part.
    pub constant: i64,
}

impl Form {
    fn constant(value: i64) -> Self {
        Self { terms: BTreeMap::new(), constant: value }
    }

    fn source(source: Source) -> Self {
        Self { terms: BTreeMap::from([(source, 1)]), constant: 0 }
    }

    /// The same with other names of sources; those without a new name keep theirs.
    fn renamed(&self, names: &BTreeMap<Source, Source>) -> Self {
        let name =
            |(source, weight): (&Source, &i64)| (names.get(source).copied().unwrap_or(*source), *weight);
        Self { terms: self.terms.iter().map(name).collect(), constant: self.constant }
    }

    /// The same with forms in place of some sources.
    pub(super) fn substituted(&self, values: &BTreeMap<Source, Self>) -> Self {
        let mut result = Self::constant(self.constant);
        for (source, weight) in &self.terms {
            match values.get(source) {
                Some(value) => result.add(value, *weight),
                None => result.add(&Self::source(*source), *weight),
            }
        }
        result
    }

    /// Adds `factor * other`. The verifier proved that no value leaves 2^41; a weight beyond i64 would need one.
    fn add(&mut self, other: &Self, factor: i64) {
        if factor == 0 {
            return;
        }
        self.constant = self.constant.saturating_add(other.constant.saturating_mul(factor));
        for (source, weight) in &other.terms {
            let sum = self.terms.entry(*source).or_default();
            *sum = sum.saturating_add(weight.saturating_mul(factor));
            if *sum == 0 {
                self.terms.remove(source);
            }
        }
    }
}

/// Lookups of one op whose tables are alike: one form serves them all.
#[derive(Clone, Debug)]
pub struct Group {
    /// The ONNX node of the lookup.
    pub node: String,
    /// Number of the `fhe.lookup` among those of the function.
    pub lookup: usize,
    /// What each reads.
    pub forms: Vec<Form>,
    /// The table of each, cut to the range that it reads.
    pub tables: Vec<Table>,
    /// Where comparisons stand in place of the tables, those of each form; then forms are told apart, and there may be fewer than
    /// tables.
    pub comparisons: Vec<Comparisons>,
    /// What forms of lookups depend on in the tables.
    pub profile: Profile,
    /// What calibration saw of the values at which each table is read, where it ran.
    pub measured: Vec<Option<Measured>>,
}

/// One result of the function.
#[derive(Clone, Debug)]
pub struct Output {
    /// Name of the result.
    pub name: String,
    /// Its elements.
    pub forms: Vec<Form>,
    /// Their ranges.
    pub ranges: Ranges,
    /// Its shape.
    pub shape: Vec<u64>,
}

/// The whole function.
#[derive(Clone, Debug, Default)]
pub struct LinearForms {
    /// Number of elements of each argument.
    pub arguments: Vec<usize>,
    /// The lookups that cost a bootstrap, in order.
    pub groups: Vec<Group>,
    /// The results.
    pub outputs: Vec<Output>,
    /// Lookups that turned out constant.
    pub constant_lookups: usize,
}

impl LinearForms {
    /// Analyses `@server` at level `fhe`.
    ///
    /// # Errors
    /// [`PassError::Model`] for an op of another level.
    pub fn of(server: Function<'_, '_>) -> Result<Self, PassError> {
        let mut builder = Builder::default();
        for (number, argument) in server.arguments().into_iter().enumerate() {
            let count = shape_of(server.op, argument)?.iter().product::<u64>() as usize;
            let forms = (0..count).map(|place| Form::source((number as u32, place as u32))).collect();
            builder.values.insert(key(argument), forms);
            builder.forms.arguments.push(count);
        }
        for op in server.ops() {
            let forms = builder.op(op)?;
            builder.values.insert(key(result(op)?), forms);
        }
        for (value, name) in server.results().into_iter().zip(server.output_names()) {
            let forms = builder.get(server.op, value)?.clone();
            let (ranges, shape) = (ranges(server.op, value)?, shape_of(server.op, value)?);
            builder.forms.outputs.push(Output { name, forms, ranges, shape });
        }
        let mut forms = builder.forms;
        forms.drop_unread();
        Ok(forms)
    }

    /// Drops the lookups whose results nothing reads: columns of zero weights behind them.
    fn drop_unread(&mut self) {
        let arguments = self.arguments.len();
        let mut read: BTreeSet<Source> = sources(self.outputs.iter().flat_map(|output| &output.forms));
        for (number, group) in self.groups.iter().enumerate().rev() {
            let list = (arguments + number) as u32;
            let live =
                group.forms.iter().enumerate().filter(|(place, _)| read.contains(&(list, *place as u32)));
            let more = sources(live.map(|(_, form)| form));
            read.extend(more);
        }
        let mut renamed: BTreeMap<Source, Source> = BTreeMap::new();
        let mut groups = Vec::new();
        for (number, group) in std::mem::take(&mut self.groups).into_iter().enumerate() {
            let (old, new) = ((arguments + number) as u32, (arguments + groups.len()) as u32);
            let live = |place: &usize| read.contains(&(old, *place as u32));
            let places: Vec<usize> = (0..group.forms.len()).filter(live).collect();
            for (place, before) in places.iter().enumerate() {
                renamed.insert((old, *before as u32), (new, place as u32));
            }
            if !places.is_empty() {
                let forms = places.iter().map(|place| group.forms[*place].renamed(&renamed)).collect();
                let tables = places.iter().map(|place| group.tables[*place].clone()).collect();
                let measured = places.iter().map(|place| group.measured[*place]).collect();
                groups.push(Group { forms, tables, measured, ..group });
            }
        }
        for output in &mut self.outputs {
            output.forms = output.forms.iter().map(|form| form.renamed(&renamed)).collect();
        }
        self.groups = groups;
    }

    /// What the search of parameters looks at.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let group = |group: &Group| parameters::Group {
            reading: self.reading(&group.node, widest(group.tables.iter().map(ends)), &group.forms),
            profile: group.profile.clone(),
            compares: (!group.comparisons.is_empty()).then(|| comparisons::slots(&group.comparisons)),
        };
        let output = |output: &Output| parameters::Output {
            reading: self.reading(&output.name, widest(output.pairs()), &output.forms),
            slots: output.slots(),
        };
        Problem {
            inputs: self.arguments.len(),
            groups: self.groups.iter().map(group).collect(),
            outputs: self.outputs.iter().map(output).collect(),
        }
    }
}

impl LinearForms {
    /// With the squared weights of each form, by list.
    fn reading(&self, node: &str, range: (i64, i64), forms: &[Form]) -> Reading {
        let norms = |form: &Form| {
            let mut weights: BTreeMap<u32, BTreeMap<u32, f64>> = BTreeMap::new();
            for ((list, place), weight) in &form.terms {
                weights.entry(*list).or_default().insert(*place, *weight as f64);
            }
            let norm = |(list, weights): (u32, BTreeMap<u32, f64>)| {
                let group = (list as usize).checked_sub(self.arguments.len());
                let compared = group.map_or(&[][..], |group| self.groups[group].comparisons.as_slice());
                let squares = || weights.values().map(|weight| weight * weight).sum();
                let bound = || comparisons::norm2_squared(compared, &weights);
                (list, if compared.is_empty() { squares() } else { bound() })
            };
            weights.into_iter().map(norm).collect::<Norms>()
        };
        Reading::new(node.to_owned(), range, forms.iter().map(norms))
    }
}

impl Output {
    /// Half-torus slots that it needs: a decrypted value needs no padding, so its range may fill the torus.
    #[must_use]
    pub fn slots(&self) -> u64 {
        let spans = self.pairs().map(|(lo, hi)| (hi - lo).unsigned_abs() + 1);
        spans.max().unwrap_or(1).div_ceil(2)
    }

    fn pairs(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.ranges.lows.iter().copied().zip(self.ranges.highs.iter().copied())
    }
}

/// First and last argument of a table.
fn ends(table: &Table) -> (i64, i64) {
    (table.lo, table.lo + table.values.len() as i64 - 1)
}

/// The first of the widest of some ranges.
fn widest(ranges: impl Iterator<Item = (i64, i64)>) -> (i64, i64) {
    let span = |range: &(i64, i64)| range.1.abs_diff(range.0);
    ranges.reduce(|one, other| if span(&other) > span(&one) { other } else { one }).unwrap_or_default()
}

fn sources<'f>(forms: impl Iterator<Item = &'f Form>) -> BTreeSet<Source> {
    forms.flat_map(|form| form.terms.keys().copied()).collect()
}

/// The lists that some forms read, in order.
#[must_use]
pub fn lists(forms: &[Form]) -> Vec<u32> {
    let mut all: Vec<u32> = forms.iter().flat_map(|form| form.terms.keys().map(|(list, _)| *list)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// First entry and values of a table.
type Entries = (i64, Vec<i64>);

/// One reading of a table, and the elements of a lookup that want it.
struct Read {
    form: Form,
    table: Entries,
    elements: Vec<usize>,
    measured: Option<Measured>,
}

#[derive(Default)]
struct Builder {
    values: BTreeMap<usize, Vec<Form>>,
    lookups: usize,
    /// A table read at the same form again is the same ciphertext, noise included: it is computed once.
    known: BTreeMap<(Form, Entries), Source>,
    forms: LinearForms,
}

impl Builder {
    fn get(&self, op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<&Vec<Form>, PassError> {
        let found = self.values.get(&key(value));
        found.ok_or_else(|| cml_dialects::ir::expected(op, "operands made by earlier ops").into())
    }

    fn op(&mut self, op: OperationRef<'_, '_>) -> Result<Vec<Form>, PassError> {
        let attributes = Attributes(op);
        let name = op_name(op);
        if name.starts_with("fhe.") && is_movement(op) {
            let mut all = Vec::new();
            for value in operands(op) {
                all.extend_from_slice(self.get(op, value)?);
            }
            return Ok(origins(op)?.into_iter().map(|number| all[number].clone()).collect());
        }
        match name.as_str() {
            "fhe.constant" => Ok(attributes.i64_elements("value")?.into_iter().map(Form::constant).collect()),
            "fhe.matmul" => self.matmul(op),
            "fhe.add" => self.combine(op, 1),
            "fhe.sub" => self.combine(op, -1),
            "fhe.neg" => Ok(self.get(op, operand(op, 0)?)?.iter().map(|form| scaled(form, -1)).collect()),
            "fhe.add_clear" => {
                let clear = attributes.i64_elements("clear")?;
                let forms = self.get(op, operand(op, 0)?)?.iter().enumerate();
                Ok(forms
                    .map(|(index, form)| {
                        let mut form = form.clone();
                        form.constant = form.constant.saturating_add(clear[index % clear.len()]);
                        form
                    })
                    .collect())
            }
            "fhe.mul_clear" => {
                let clear = attributes.i64_elements("clear")?;
                let forms = self.get(op, operand(op, 0)?)?.iter().enumerate();
                Ok(forms.map(|(index, form)| scaled(form, clear[index % clear.len()])).collect())
            }
            "fhe.sum" => self.sum(op),
            "fhe.lookup" => self.lookup(op),
            _ => Err(model_error(op, "expected an op of `fhe`: run `cml-qnn-to-fhe` first")),
        }
    }

    fn matmul(&self, op: OperationRef<'_, '_>) -> Result<Vec<Form>, PassError> {
        let input = self.get(op, operand(op, 0)?)?;
        let attributes = Attributes(op);
        let weights = attributes.i64_elements("weights")?;
        let shape = tensor_shape(attributes.get("weights")?.r#type()).unwrap_or_default();
        let [inner, columns] = shape[..] else { return Err(model_error(op, "expected weights of rank 2")) };
        let (inner, columns) = (inner as usize, columns as usize);
        let rows = input.len().checked_div(inner).unwrap_or(0);
        let mut forms = vec![Form::default(); rows * columns];
        for (place, form) in forms.iter_mut().enumerate() {
            let (row, column) = (place / columns, place % columns);
            for i in 0..inner {
                form.add(&input[row * inner + i], weights[i * columns + column]);
            }
        }
        Ok(forms)
    }

    fn combine(&self, op: OperationRef<'_, '_>, factor: i64) -> Result<Vec<Form>, PassError> {
        let (lhs, rhs) = (operand(op, 0)?, operand(op, 1)?);
        let out = shape_of(op, result(op)?)?;
        let (left, right) = (self.get(op, lhs)?, self.get(op, rhs)?);
        let (left_shape, right_shape) = (shape_of(op, lhs)?, shape_of(op, rhs)?);
        let count = out.iter().product::<u64>() as usize;
        Ok((0..count)
            .map(|place| {
                let mut form = left[broadcast_index(place, &out, &left_shape)].clone();
                form.add(&right[broadcast_index(place, &out, &right_shape)], factor);
                form
            })
            .collect())
    }

    fn sum(&self, op: OperationRef<'_, '_>) -> Result<Vec<Form>, PassError> {
        let input = operand(op, 0)?;
        let (from, to) = (shape_of(op, input)?, shape_of(op, result(op)?)?);
        let mut sums = vec![Form::default(); to.iter().product::<u64>() as usize];
        for (place, form) in self.get(op, input)?.iter().enumerate() {
            sums[broadcast_index(place, &from, &to)].add(form, 1);
        }
        Ok(sums)
    }

    fn lookup(&mut self, op: OperationRef<'_, '_>) -> Result<Vec<Form>, PassError> {
        let input = operand(op, 0)?;
        let lookup = lookup_of(op)?;
        let from = ranges(op, input)?;
        let measured = Measured::ranges(input);
        let forms = self.get(op, input)?.clone();
        let mut results = vec![Form::default(); forms.len()];
        let mut classes: BTreeMap<Class, (Profile, Vec<Read>)> = BTreeMap::new();
        for (element, form) in forms.iter().enumerate() {
            let table = &lookup.tables[lookup.table_of[element] as usize];
            let (lo, hi) = if form.terms.is_empty() {
                (form.constant, form.constant)
            } else {
                (from.lows[element], from.highs[element])
            };
            let read = usize::try_from(lo - table.lo).ok().zip(usize::try_from(hi - table.lo).ok());
            let read = read.and_then(|(first, last)| table.values.get(first..=last));
            let read =
                read.ok_or_else(|| model_error(op, "a table does not cover the range of its element"))?;
            if read.iter().all(|value| *value == read[0]) {
                results[element] = Form::constant(read[0]);
                self.forms.constant_lookups += 1;
                continue;
            }
            let seen = measured.get(element).map(|ends| in_units_of(form, *ends));
            let (form, table) = primitive(form, lo, read);
            let proved = (table.0, table.0.saturating_add(table.1.len() as i64 - 1));
            let measured = seen.and_then(|seen| Measured::of(seen, proved));
            let read = Read { form, table, elements: vec![element], measured };
            if let Some(source) = self.known.get(&(read.form.clone(), read.table.clone())) {
                results[element] = Form::source(*source);
                continue;
            }
            let table = Table { lo: read.table.0, values: read.table.1.clone() };
            let profile = Profile::of(&table).map_err(|unfit| model_error(op, unfit.to_string()))?;
            let new = || (profile.clone(), Vec::new());
            let (merged, class) = classes.entry(Class::of(&profile)).or_insert_with(new);
            *merged = merged.merge(&profile);
            match class.iter_mut().find(|known| known.form == read.form && known.table == read.table) {
                Some(known) => {
                    known.elements.push(element);
                    known.measured = Measured::hull(known.measured, read.measured);
                }
                None => class.push(read),
            }
        }
        for (profile, members) in classes.into_values() {
            let list = (self.forms.arguments.len() + self.forms.groups.len()) as u32;
            let mut group = Group {
                node: node_name(op),
                lookup: self.lookups,
                forms: Vec::new(),
                tables: Vec::new(),
                comparisons: Vec::new(),
                profile,
                measured: Vec::new(),
            };
            for (place, read) in members.into_iter().enumerate() {
                let source = (list, place as u32);
                for element in read.elements {
                    results[element] = Form::source(source);
                }
                self.known.insert((read.form.clone(), read.table.clone()), source);
                group.measured.push(read.measured);
                group.forms.push(read.form);
                group.tables.push(Table { lo: read.table.0, values: read.table.1 });
            }
            self.forms.groups.push(group);
        }
        self.lookups += 1;
        Ok(results)
    }
}

/// The same lookup on the shortest table: `f(factor * u + constant)` for the form `u` without constant, whose weights have no
/// common divisor and begin with a positive one. Lookups of forms that are multiples of each other read the same `u`.
fn primitive(form: &Form, lo: i64, values: &[i64]) -> (Form, Entries) {
    let Some(factor) = factor_of(form) else { return (form.clone(), (lo, values.to_vec())) };
    // All values of the form are `constant` modulo the factor; others in the range are never read.
    let read = values.iter().zip(lo..).filter(|(_, value)| (value - form.constant) % factor == 0);
    let mut read: Vec<(i64, i64)> =
        read.map(|(result, value)| ((value - form.constant) / factor, *result)).collect();
    read.sort_unstable();
    let Some((lo, _)) = read.first().copied() else { return (form.clone(), (lo, values.to_vec())) };
    let terms = form.terms.iter().map(|(source, weight)| (*source, weight / factor)).collect();
    (Form { terms, constant: 0 }, (lo, read.into_iter().map(|(_, result)| result).collect()))
}

/// The greatest common divisor of a form's weights, negative if the first of them is; `None` where there are none.
fn factor_of(form: &Form) -> Option<i64> {
    let divisor = form.terms.values().fold(0, |divisor, weight| gcd(divisor, weight.unsigned_abs()));
    let first = form.terms.values().next()?;
    i64::try_from(divisor).ok().filter(|divisor| *divisor > 0).map(|divisor| divisor * first.signum())
}

/// Values of a form as values of its primitive one.
fn in_units_of(form: &Form, (low, high): (i64, i64)) -> (i64, i64) {
    let Some(factor) = factor_of(form) else { return (low, high) };
    let ends = [low, high].map(|value| (value - form.constant) / factor);
    (ends[0].min(ends[1]), ends[0].max(ends[1]))
}

/// Lookups of one class are done in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    /// Half bits of the range: tables that differ by less than a factor of 1.41 are read alike.
    range: u32,
    /// Bits of the transition and of the flat ends that a fold leaves, where the range is wider than that.
    transition: Option<u32>,
    /// Bits of the smallest gap, where the range is wide and the transition as well.
    gap: Option<u32>,
}

impl Class {
    /// Half bits from which on a table may be worth a chain of stages; 45 entries and less are read at once.
    const WIDE: u32 = 12;

    /// Entries that a fold leaves beside the transition, about.
    const ENDS: u64 = 16;

    fn of(profile: &Profile) -> Self {
        let half_bits = |entries: u64| (2.0 * (entries.max(1) as f64).log2()).ceil() as u32;
        let range = half_bits(profile.range);
        let folded = half_bits(profile.transition.saturating_add(Self::ENDS)).div_ceil(2);
        let transition = (range >= Self::WIDE && 2 * folded < range).then_some(folded);
        let has_steps = range >= Self::WIDE && profile.transition > Self::ENDS;
        Self { range, transition, gap: profile.gap.filter(|_| has_steps).map(u64::ilog2) }
    }
}

fn scaled(form: &Form, factor: i64) -> Form {
    let mut result = Form::default();
    result.add(form, factor);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_told_in_the_units_that_are_read() {
        let form = |weights: &[i64], constant| Form {
            terms: (0..).zip(weights).map(|(place, weight)| ((0, place), *weight)).collect(),
            constant,
        };
        assert_eq!(in_units_of(&form(&[4, -6], 1), (-3, 9)), (-2, 4));
        assert_eq!(in_units_of(&form(&[-4, 6], 1), (-3, 9)), (-4, 2));
        assert_eq!(in_units_of(&form(&[], 3), (3, 3)), (3, 3));
    }

    #[test]
    fn a_reading_has_the_squared_weights_of_each_list() {
        let terms = BTreeMap::from([((0, 0), 1), ((0, 3), -2), ((1, 0), 3)]);
        let group = Group {
            node: "Relu_0".to_owned(),
            lookup: 0,
            forms: vec![Form::source((0, 0))],
            tables: Vec::new(),
            comparisons: Vec::new(),
            profile: profile(4, |x| x),
            measured: vec![None],
        };
        let forms = LinearForms { arguments: vec![4], groups: vec![group], ..LinearForms::default() };
        let found = forms.reading("fc", (0, 1), &[Form { terms, constant: 5 }]);
        assert_eq!((found.count, found.rows), (1, vec![Norms::from([(0, 5.0), (1, 9.0)])]));
    }

    #[test]
    fn a_source_used_twice_is_one_source_of_noise() {
        let mut twice = Form::source((0, 0));
        twice.add(&Form::source((0, 0)), 1);
        assert_eq!(twice.terms, BTreeMap::from([((0, 0), 2)]));
        twice.add(&Form::source((0, 0)), -2);
        assert!(twice.terms.is_empty());
    }

    fn profile(entries: i64, value: impl Fn(i64) -> i64) -> Profile {
        Profile::of(&Table { lo: 0, values: (0..entries).map(value).collect() }).unwrap()
    }

    #[test]
    fn multiples_of_one_form_read_the_same_table() {
        let form = |weights: [i64; 2], constant| Form {
            terms: BTreeMap::from([((0, 0), weights[0]), ((0, 1), weights[1])]),
            constant,
        };
        let unit = form([1, -2], 0);
        let square =
            |range: std::ops::RangeInclusive<i64>| range.map(|value| value * value).collect::<Vec<_>>();
        // -3 u + 1 for u from -1 to 2, and one value beyond at each end that is never read.
        let (found, (lo, values)) = primitive(&form([-3, 6], 1), -6, &square(-6..=5));
        assert_eq!((found, lo, values), (unit.clone(), -1, vec![16, 1, 4, 25]));
        assert_eq!(primitive(&form([1, -2], 7), 5, &square(5..=9)), (unit, (-2, square(5..=9))));
        let constant = Form::constant(3);
        assert_eq!(primitive(&constant, 3, &[9]), (constant, (3, vec![9])));
    }

    #[test]
    fn narrow_tables_are_told_apart_by_half_bits_of_their_range() {
        let range = |entries| Class::of(&profile(entries, |x| x)).range;
        assert_eq!([64, 63, 46, 45, 33, 32].map(range), [12, 12, 12, 11, 11, 10]);
        let [ramp, step] = [profile(32, |x| x), profile(32, |x| x / 16)];
        assert_eq!(Class::of(&ramp), Class::of(&step));
    }

    #[test]
    fn wide_tables_are_told_apart_by_their_steps() {
        let steps = |gap: i64| move |x: i64| ((x - 20) / gap).clamp(0, 4);
        let class = |entries, gap| {
            let found = Class::of(&profile(entries, steps(gap)));
            (found.transition, found.gap)
        };
        assert_eq!(class(400, 2), (Some(5), None));
        assert_eq!(class(400, 4), (Some(5), None));
        assert_eq!(class(400, 20), (Some(7), Some(4)));
        // Nothing to fold.
        assert_eq!(class(64, 20), (None, Some(4)));
        assert_eq!(class(40, 4), (None, None));
    }
}
