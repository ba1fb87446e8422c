//! A selection of terms as a function.

use super::attributes::Elements;
use super::facts::{self, Data, EGraph, Value as Known};
use super::language::Term;
use super::program::Program;
use super::select::Selection;
use crate::framework::PassError;
use cml_dialects::fhe::{INPUT_HIGHS, INPUT_LOWS, MEASURED_HIGHS, MEASURED_LOWS, Ranges, tensor};
use cml_dialects::ir::{Function, IrError, Make, NewOp, Signature, build_function};
use egg::{Id, Language};
use melior::Context;
use melior::ir::operation::{Operation, OperationLike};
use melior::ir::{Attribute as IrAttribute, Block, Location, Value, ValueLike};
use std::collections::BTreeMap;
use std::sync::Arc;

const MEASURED: [&str; 2] = [MEASURED_LOWS, MEASURED_HIGHS];

/// What is kept of an op of the function as it was.
pub(crate) struct Origin<'c> {
    pub(crate) location: Location<'c>,
    pub(crate) measured: [Option<IrAttribute<'c>>; 2],
}

/// What is kept of the function as it was.
pub(crate) struct Frame<'c> {
    pub(crate) signature: Signature<'c>,
    pub(crate) origins: Vec<Origin<'c>>,
}

impl<'c> Frame<'c> {
    /// Of `@server`.
    pub(crate) fn of(server: Function<'c, '_>) -> Self {
        let ranges = [INPUT_LOWS, INPUT_HIGHS];
        let signature = Signature {
            name: server.name(),
            inputs: server.arguments().iter().map(|value| value.r#type()).collect(),
            input_names: server.input_names(),
            output_names: server.output_names(),
            location: server.op.location(),
            attributes: ranges
                .into_iter()
                .filter_map(|name| Some((name, server.op.attribute(name).ok()?)))
                .collect(),
        };
        let origin = |op: melior::ir::OperationRef<'c, '_>| Origin {
            location: op.location(),
            measured: MEASURED.map(|name| op.attribute(name).ok()),
        };
        Self { signature, origins: server.ops().into_iter().map(origin).collect() }
    }
}

/// Builds the function. Each op states its ranges unless its type and its operands say as much.
///
/// # Errors
/// [`PassError::Ir`] if an op could not be built.
pub(crate) fn function<'c>(
    context: &'c Context,
    frame: &Frame<'c>,
    program: &Program,
    selection: &Selection,
) -> Result<Operation<'c>, PassError> {
    let egraph = &program.egraph;
    let places = places(frame, egraph, selection);
    build_function(context, &frame.signature, |block, arguments| {
        let mut emitter = Emitter { context, block, egraph, values: BTreeMap::new() };
        for (id, term) in &selection.terms {
            let value = match term {
                Term::Argument(number) => arguments.get(number.0 as usize).copied(),
                _ => Some(emitter.op(*id, term, frame, places.get(id).copied())?),
            };
            emitter.values.insert(*id, value.ok_or_else(|| misfit("an argument that the function has"))?);
        }
        program.roots.iter().map(|root| Ok(emitter.value(*root)?)).collect()
    })
}

/// Where each class comes from: its own op, else that of the first class that uses it.
fn places<'c>(frame: &Frame<'c>, egraph: &EGraph, selection: &Selection) -> BTreeMap<Id, Location<'c>> {
    let mut places: BTreeMap<Id, Location<'c>> = BTreeMap::new();
    for (id, term) in selection.terms.iter().rev() {
        let own = facts::value(egraph, *id).and_then(|value| frame.origins.get(value.origin? as usize));
        if let Some(own) = own {
            places.insert(*id, own.location);
        }
        let Some(place) = places.get(id).copied() else { continue };
        for child in term.children() {
            places.entry(*child).or_insert(place);
        }
    }
    places
}

/// The e-graph holds what no reader of IR put there.
fn misfit(wanted: &str) -> IrError {
    IrError::Expected { op: "a term of the e-graph".to_owned(), expected: wanted.to_owned() }
}

struct Emitter<'c, 'b, 'e> {
    context: &'c Context,
    block: &'b Block<'c>,
    egraph: &'e EGraph,
    values: BTreeMap<Id, Value<'c, 'b>>,
}

impl<'c, 'b> Emitter<'c, 'b, '_> {
    fn value(&self, id: Id) -> Result<Value<'c, 'b>, IrError> {
        let found = self.values.get(&self.egraph.find(id)).copied();
        found.ok_or_else(|| misfit("operands that come first"))
    }

    fn known(&self, id: Id) -> Result<&Known, IrError> {
        facts::value(self.egraph, id).ok_or_else(|| misfit("a tensor"))
    }

    fn elements(&self, id: Id) -> Result<IrAttribute<'c>, IrError> {
        let elements: Arc<Elements> =
            facts::elements(self.egraph, id).ok_or_else(|| misfit("clear integers"))?;
        let made = Make(self.context).i64_elements(&elements.shape, &elements.values);
        made.ok_or_else(|| misfit("as many clear integers as their shape says"))
    }

    fn numbers(&self, id: Id) -> Result<Vec<i64>, IrError> {
        let numbers = facts::numbers(self.egraph, id).ok_or_else(|| misfit("numbers"))?;
        Ok(numbers.iter().map(|number| *number as i64).collect())
    }

    fn op(
        &self,
        id: Id,
        term: &Term,
        frame: &Frame<'c>,
        place: Option<Location<'c>>,
    ) -> Result<Value<'c, 'b>, IrError> {
        let make = Make(self.context);
        let place = place.unwrap_or(frame.signature.location);
        let known = self.known(id)?;
        let new = self.start(term, place)?;
        let ranges = &known.ranges;
        let stated = states_ranges(self.egraph, term, ranges);
        let origin = known.measured.and_then(|number| frame.origins.get(number as usize));
        let [lows, highs] = origin.map_or([None, None], |origin| origin.measured);
        let new = new
            .optional("lows", stated.then(|| make.i64_array(&ranges.lows)))
            .optional("highs", stated.then(|| make.i64_array(&ranges.highs)))
            .optional(MEASURED[0], lows)
            .optional(MEASURED[1], highs)
            .result(tensor(place, &known.shape, ranges.hull())?);
        new.append(self.context, self.block)
    }

    /// The op with its operands and attributes.
    fn start(&self, term: &Term, place: Location<'c>) -> Result<NewOp<'c, 'b>, IrError> {
        let make = Make(self.context);
        let new = |name: &'static str, inputs: &[Id]| -> Result<NewOp<'c, 'b>, IrError> {
            let inputs = inputs.iter().map(|id| self.value(*id)).collect::<Result<Vec<_>, _>>()?;
            Ok(NewOp::new(name, place).operands(&inputs))
        };
        Ok(match term {
            Term::Constant(value) => new("fhe.constant", &[])?.attribute("value", self.elements(*value)?),
            Term::Matmul([weights, input]) => {
                new("fhe.matmul", &[*input])?.attribute("weights", self.elements(*weights)?)
            }
            Term::Add(inputs) => new("fhe.add", inputs)?,
            Term::Sub(inputs) => new("fhe.sub", inputs)?,
            Term::Neg(input) => new("fhe.neg", &[*input])?,
            Term::AddClear([clear, input]) => {
                new("fhe.add_clear", &[*input])?.attribute("clear", self.elements(*clear)?)
            }
            Term::MulClear([clear, input]) => {
                new("fhe.mul_clear", &[*input])?.attribute("clear", self.elements(*clear)?)
            }
            Term::Sum([axes, input]) => {
                new("fhe.sum", &[*input])?.attribute("axes", make.i64_array(&self.numbers(*axes)?))
            }
            Term::Reshape([_, input]) => new("fhe.reshape", &[*input])?,
            Term::Transpose([permutation, input]) => {
                let permutation = make.i64_array(&self.numbers(*permutation)?);
                new("fhe.transpose", &[*input])?.attribute("permutation", permutation)
            }
            Term::Concat(children) => {
                let (axis, inputs) = children.split_first().ok_or_else(|| misfit("an axis"))?;
                let axis = self.numbers(*axis)?.first().copied().ok_or_else(|| misfit("an axis"))?;
                new("fhe.concat", inputs)?.attribute("axis", make.i64(axis))
            }
            Term::Lookup([tables, input]) => {
                let tables = facts::tables(self.egraph, *tables).ok_or_else(|| misfit("tables"))?;
                let of: Vec<i64> = tables.of.iter().map(|number| i64::from(*number)).collect();
                new("fhe.lookup", &[*input])?
                    .attribute("tables", make.i64_arrays(&tables.values))
                    .attribute("firsts", make.i64_array(&tables.firsts))
                    .attribute("table_of", make.i64_array(&of))
            }
            Term::Argument(_) | Term::Attribute(_) => return Err(misfit("an op")),
        })
    }
}

/// Whether the hull in the type says less than is known, or what follows from the operands is wider.
fn states_ranges(egraph: &EGraph, term: &Term, ranges: &Ranges) -> bool {
    if matches!(term, Term::Constant(_)) {
        return false;
    }
    let Some(Data::Value(derived)) = facts::infer(egraph, term) else { return true };
    let (lo, hi) = ranges.hull();
    let wider =
        derived.ranges.lows.iter().any(|low| *low < lo) || derived.ranges.highs.iter().any(|high| *high > hi);
    wider || !ranges.is_uniform()
}
