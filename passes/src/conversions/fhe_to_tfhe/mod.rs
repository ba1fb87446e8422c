//! Encrypted integers to ciphertexts, keyswitches and bootstraps.
//!
//! Before: `fhe.matmul`, `fhe.lookup` on tensors of `!fhe.eint`
//! After:  `tfhe.linear`, `tfhe.combine`, `tfhe.keyswitch`, `tfhe.bootstrap` on lists of `!tfhe.lwe`
//!
//! Everything linear between two lookups becomes one `tfhe.linear` for each group of lookups that are done alike; what is
//! constant vanishes into its bias. Each group becomes the chain of bootstraps and sums that its form says, one op for all of
//! its lookups; or one `tfhe.compare`, whose results what follows reads in place of the tables. Requires: `cml-parametrize`. Guarantees: `@server` has only `tfhe` ops.

mod chain;
mod compare;

use crate::analysis::linear_forms::{Form, Group, LinearForms, Output, lists};
use crate::framework::{Pass, PassError, PassInfo, Preserves, model_error};
use crate::lookups::{self, Node};
use chain::{Chain, Start};
use cml_dialects::fhe::{INPUT_HIGHS, INPUT_LOWS, ranges};
use cml_dialects::ir::{
    Attributes, Function, Make, NewOp, Signature, build_function, op_name, replace_function, shape_of,
};
use cml_dialects::qnn::SERVER;
use cml_dialects::tfhe::{INPUT_SHAPES, Key, OUTPUT_HIGHS, OUTPUT_LOWS, OUTPUT_SHAPES, PARAMETERS, list};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{Block, Location, OperationRef, Value};
use std::collections::BTreeMap;

/// Attribute of `@server`: the spacing of each list (arguments, then groups). Attribute of `fhe.lookup`: the spacing at which
/// each of its groups is read.
pub const SPACINGS: &str = "cml.spacings";
/// Attribute of `fhe.lookup`: the form of each of its groups, in order of their class.
pub const FORMS: &str = "cml.forms";
/// Attribute of `fhe.lookup`: for each of its groups, and each stage of it, the predicted milliseconds of a keyswitch and of a
/// rotation.
pub const STAGE_MILLISECONDS: &str = "cml.stage_milliseconds";

/// See the module's text.
pub struct FheToTfhe;

impl Pass for FheToTfhe {
    const INFO: PassInfo = PassInfo {
        name: "cml-fhe-to-tfhe",
        summary: "Lower @server to linear maps and bootstraps",
        description: "Linear ops collapse into one affine map for each group of lookups that are done alike; a group becomes the keyswitches, \
            bootstraps and sums of the form that `cml-parametrize` chose for it.",
        options: &[],
        preserves: Preserves::Exactly,
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let server = Function::named(module, SERVER)?;
        if !module.has_attribute(PARAMETERS) {
            return Err(model_error(
                module,
                "has no key sets: run `cml-parametrize` before `cml-fhe-to-tfhe`",
            ));
        }
        let forms = LinearForms::of(server)?;
        let spacings = spacings_of(server.op, forms.arguments.len() + forms.groups.len())?;
        let chosen = chosen(server, &forms)?;
        let compared = chosen.iter().enumerate().filter(|(_, chosen)| chosen.form.compares());
        let forms = forms.with_comparisons(&compared.map(|(number, _)| number).collect());
        let signature = signature(context, server, &forms, &spacings)?;
        let new = build_function(context, &signature, |block, arguments| {
            let lists = arguments.to_vec();
            let mut lowering = Lowering { context, block, forms: &forms, spacings: &spacings, lists };
            for (number, (group, chosen)) in forms.groups.iter().zip(&chosen).enumerate() {
                lowering.group(number, group, chosen)?;
            }
            forms.outputs.iter().map(|output| lowering.output(output)).collect::<Result<Vec<_>, PassError>>()
        })?;
        replace_function(server, vec![new]);
        Ok(())
    }
}

/// How a group is looked up.
struct Chosen {
    form: lookups::Form,
    /// At which it reads.
    spacing: Spacing,
    /// For each stage the milliseconds of a keyswitch and of a rotation, where they were predicted.
    milliseconds: Vec<[f64; 2]>,
}

/// As many spacings as `count`, from the op's attribute.
fn spacings_of(op: OperationRef<'_, '_>, count: usize) -> Result<Vec<Spacing>, PassError> {
    let stated = Attributes(op).i64_array(SPACINGS).ok();
    let stated: Option<Vec<Spacing>> = stated
        .filter(|stated| stated.len() == count)
        .and_then(|stated| stated.iter().map(|spacing| u64::try_from(*spacing).ok().map(Spacing)).collect());
    stated.ok_or_else(|| {
        let help =
            format!("expected `{SPACINGS}` of {count} lists: run `cml-parametrize` before `cml-fhe-to-tfhe`");
        model_error(op, help)
    })
}

/// The form of each group, from the attributes of the lookups.
fn chosen(server: Function<'_, '_>, forms: &LinearForms) -> Result<Vec<Chosen>, PassError> {
    let mut all = Vec::new();
    for (number, op) in lookup_ops(server).enumerate() {
        let count = forms.groups.iter().filter(|group| group.lookup == number).count();
        if count == 0 {
            continue;
        }
        let help = |reason: &str| {
            let run = "run `cml-parametrize` before `cml-fhe-to-tfhe`";
            model_error(op, format!("expected `{FORMS}` for its {count} groups{reason}: {run}"))
        };
        let attributes = Attributes(op);
        let stated = attributes.strings(FORMS).ok().filter(|stated| stated.len() == count);
        let times = attributes.f64_arrays(STAGE_MILLISECONDS).unwrap_or_default();
        let stated = stated.ok_or_else(|| help(""))?;
        for (group, (text, spacing)) in stated.iter().zip(spacings_of(op, count)?).enumerate() {
            let form = text.parse().map_err(|error: lookups::ParseFormError| help(&format!(" ({error})")))?;
            let times = times.get(group).copied().unwrap_or_default();
            let milliseconds = times.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
            all.push(Chosen { form, spacing, milliseconds });
        }
    }
    Ok(all)
}

fn signature<'c>(
    context: &'c Context,
    server: Function<'c, '_>,
    forms: &LinearForms,
    spacings: &[Spacing],
) -> Result<Signature<'c>, PassError> {
    let make = Make(context);
    let place = server.op.location();
    let signed = |shape: &[u64]| shape.iter().map(|extent| *extent as i64).collect::<Vec<_>>();
    let (mut inputs, mut shapes, mut lows, mut highs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let attributes = Attributes(server.op);
    let stated = (attributes.i64_arrays(INPUT_LOWS), attributes.i64_arrays(INPUT_HIGHS));
    for (number, value) in server.arguments().into_iter().enumerate() {
        let shape = shape_of(server.op, value)?;
        let hull = ranges(server.op, value)?;
        let (low, high) = match &stated {
            (Ok(lows), Ok(highs)) if number < lows.len().min(highs.len()) => {
                (lows[number].to_vec(), highs[number].to_vec())
            }
            _ => (hull.lows, hull.highs),
        };
        inputs.push(list(place, forms.arguments[number], Key::Big, spacings[number])?);
        shapes.push(signed(&shape));
        lows.push(low);
        highs.push(high);
    }
    let outputs: Vec<_> = forms.outputs.iter().map(|output| signed(&output.shape)).collect();
    let output_lows: Vec<_> = forms.outputs.iter().map(|output| output.ranges.lows.clone()).collect();
    let output_highs: Vec<_> = forms.outputs.iter().map(|output| output.ranges.highs.clone()).collect();
    Ok(Signature {
        name: SERVER.to_owned(),
        inputs,
        input_names: server.input_names(),
        output_names: server.output_names(),
        location: place,
        attributes: vec![
            (INPUT_SHAPES, make.i64_arrays(&shapes)),
            (INPUT_LOWS, make.i64_arrays(&lows)),
            (INPUT_HIGHS, make.i64_arrays(&highs)),
            (OUTPUT_SHAPES, make.i64_arrays(&outputs)),
            (OUTPUT_LOWS, make.i64_arrays(&output_lows)),
            (OUTPUT_HIGHS, make.i64_arrays(&output_highs)),
        ],
    })
}

fn place<'c>(context: &'c Context, node: &str) -> Location<'c> {
    Location::name(context, node, Location::unknown(context))
}

struct Lowering<'c, 'b, 'f> {
    context: &'c Context,
    block: &'b Block<'c>,
    forms: &'f LinearForms,
    /// For each list.
    spacings: &'f [Spacing],
    /// The value of each list made so far.
    lists: Vec<Value<'c, 'b>>,
}

impl<'c, 'b> Lowering<'c, 'b, '_> {
    fn size(&self, list: u32) -> usize {
        let arguments = self.forms.arguments.len();
        let list = list as usize;
        if list < arguments {
            self.forms.arguments[list]
        } else {
            self.forms.groups[list - arguments].results()
        }
    }

    /// One affine map over the lists that the forms read.
    fn linear(
        &self,
        place: Location<'c>,
        forms: &[Form],
        spacing: Spacing,
    ) -> Result<Value<'c, 'b>, PassError> {
        let used = lists(forms);
        let mut first = BTreeMap::new();
        let mut columns = 0;
        for list in &used {
            first.insert(*list, columns);
            columns += self.size(*list);
        }
        let identity = used.len() == 1
            && self.spacings[used[0] as usize] == spacing
            && forms.len() == columns
            && forms.iter().enumerate().all(|(row, form)| {
                form.constant == 0
                    && form.terms.len() == 1
                    && form.terms.get(&(used[0], row as u32)) == Some(&1)
            });
        if identity {
            return Ok(self.lists[used[0] as usize]);
        }
        let mut weights = vec![0i64; forms.len() * columns];
        for (row, form) in forms.iter().enumerate() {
            for ((list, at), weight) in &form.terms {
                weights[row * columns + first[list] + *at as usize] = *weight;
            }
        }
        let make = Make(self.context);
        let inputs: Vec<_> = used.iter().map(|list| self.lists[*list as usize]).collect();
        let dense = make.i64_elements(&[forms.len() as u64, columns as u64], &weights);
        let dense = dense.ok_or_else(|| PassError::Model {
            node: "tfhe.linear".to_owned(),
            message: format!("{} weights do not make {} rows of {columns}", weights.len(), forms.len()),
        })?;
        let bias: Vec<i64> = forms.iter().map(|form| form.constant).collect();
        let new = NewOp::new("tfhe.linear", place)
            .operands(&inputs)
            .attribute("weights", dense)
            .attribute("bias", make.i64_array(&bias))
            .result(list(place, forms.len(), Key::Big, spacing)?);
        Ok(new.append(self.context, self.block)?)
    }

    /// The chain of a group's form: one op for each of its nodes.
    fn group(&mut self, number: usize, group: &Group, chosen: &Chosen) -> Result<(), PassError> {
        if chosen.form.compares() {
            return self.compare(number, group, chosen);
        }
        let place = place(self.context, &group.node);
        let (read, output) = (chosen.spacing, self.spacings[self.lists.len()]);
        let refuse = |message: String| PassError::Model { node: group.node.clone(), message };
        let chain = |table: &Table| {
            let nodes = chosen.form.nodes(table, read, output);
            let nodes = nodes.map_err(|unfit| refuse(format!("form `{}`: {unfit}", chosen.form)))?;
            lookups::verify(&nodes, table, read).map_err(|wrong| {
                refuse(format!(
                    "form `{}` is not exact: {wrong}; this is a defect of the compiler",
                    chosen.form
                ))
            })?;
            Ok(nodes)
        };
        let chains: Vec<Vec<Node>> = group.tables.iter().map(chain).collect::<Result<_, PassError>>()?;
        let value = (self.linear(place, &group.forms, read)?, read);
        let milliseconds = &chosen.milliseconds;
        let chain = Chain::new(Start {
            context: self.context,
            block: self.block,
            number,
            group,
            milliseconds,
            value,
        });
        self.lists.push(chain.lower(&chains)?);
        Ok(())
    }

    fn output(&self, output: &Output) -> Result<Value<'c, 'b>, PassError> {
        match lists(&output.forms).first() {
            Some(list) => {
                let spacing = self.spacings[*list as usize];
                self.linear(place(self.context, &output.name), &output.forms, spacing)
            }
            None => {
                let message = "does not depend on any encrypted value: its result is a constant".to_owned();
                Err(PassError::Model { node: output.name.clone(), message })
            }
        }
    }
}

/// The lookups of a function, in order.
pub(crate) fn lookup_ops<'c, 'a>(server: Function<'c, 'a>) -> impl Iterator<Item = OperationRef<'c, 'a>> {
    server.ops().into_iter().filter(|op| op_name(*op) == "fhe.lookup")
}
