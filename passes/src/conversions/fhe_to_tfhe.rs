//! Encrypted integers to ciphertexts, keyswitches and bootstraps.
//!
//! Before: `fhe.matmul`, `fhe.lookup` on tensors of `!fhe.eint`
//! After:  `tfhe.linear`, `tfhe.keyswitch`, `tfhe.bootstrap` on lists of `!tfhe.lwe`
//!
//! Everything linear between two lookups becomes one `tfhe.linear` for each group of lookups of one width; what is constant
//! vanishes into its bias. Requires: `cml-parametrize`. Guarantees: `@server` has only `tfhe` ops.

use crate::analysis::linear_forms::{Form, Group, LinearForms, Output, lists};
use crate::framework::{Pass, PassError, PassInfo, Preserves, model_error};
use cml_dialects::fhe::{INPUT_HIGHS, INPUT_LOWS, ranges};
use cml_dialects::ir::{
    Attributes, Function, Make, NewOp, Signature, build_function, expected, op_name, replace_function,
    shape_of,
};
use cml_dialects::qnn::SERVER;
use cml_dialects::tfhe::{INPUT_SHAPES, Key, OUTPUT_HIGHS, OUTPUT_LOWS, OUTPUT_SHAPES, PARAMETERS, list};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{Block, Location, OperationRef, Value};
use std::collections::BTreeMap;

/// Attribute of `fhe.lookup`: log2 of the number of accumulators for each of its groups, in order of width.
pub const EXTENSIONS: &str = "cml.extensions";
/// Attribute of `tfhe.bootstrap`: width of the widest measured range, bits.
pub const MEASURED_WIDTH: &str = "cml.measured_width";

/// See the module's text.
pub struct FheToTfhe;

impl Pass for FheToTfhe {
    const INFO: PassInfo = PassInfo {
        name: "cml-fhe-to-tfhe",
        summary: "Lower @server to linear maps and bootstraps",
        description: "Linear ops collapse into one affine map for each group of lookups of one width; lookups become a keyswitch and a \
            bootstrap with the extension that `cml-parametrize` chose.",
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
                "has no key set: run `cml-parametrize` before `cml-fhe-to-tfhe`",
            ));
        }
        let forms = LinearForms::of(server)?;
        let extensions = extensions(server, &forms)?;
        let signature = signature(context, server, &forms)?;
        let new = build_function(context, &signature, |block, arguments| {
            let mut lowering = Lowering { context, block, forms: &forms, lists: arguments.to_vec() };
            for (group, extension) in forms.groups.iter().zip(&extensions) {
                lowering.group(group, *extension)?;
            }
            forms.outputs.iter().map(|output| lowering.output(output)).collect::<Result<Vec<_>, PassError>>()
        })?;
        replace_function(server, vec![new]);
        Ok(())
    }
}

/// The extension of each group, from the attributes of the lookups.
fn extensions(server: Function<'_, '_>, forms: &LinearForms) -> Result<Vec<i64>, PassError> {
    let mut all = Vec::new();
    for (number, op) in server.ops().into_iter().filter(|op| op_name(*op) == "fhe.lookup").enumerate() {
        let count = forms.groups.iter().filter(|group| group.lookup == number).count();
        if count == 0 {
            continue;
        }
        let stated = Attributes(op).i64_array(EXTENSIONS).ok().filter(|stated| stated.len() == count);
        let stated = stated.ok_or_else(|| {
            let help = format!("expected `{EXTENSIONS}` for its {count} groups: run `cml-parametrize` before `cml-fhe-to-tfhe`");
            model_error(op, help)
        })?;
        all.extend_from_slice(stated);
    }
    Ok(all)
}

fn signature<'c>(
    context: &'c Context,
    server: Function<'c, '_>,
    forms: &LinearForms,
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
        inputs.push(list(place, forms.arguments[number], Key::Big, forms.spacing(number as u32))?);
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

struct Lowering<'c, 'b, 'f> {
    context: &'c Context,
    block: &'b Block<'c>,
    forms: &'f LinearForms,
    /// The value of each list made so far.
    lists: Vec<Value<'c, 'b>>,
}

impl<'c, 'b> Lowering<'c, 'b, '_> {
    fn place(&self, node: &str) -> Location<'c> {
        Location::name(self.context, node, Location::unknown(self.context))
    }

    fn size(&self, list: u32) -> usize {
        let arguments = self.forms.arguments.len();
        let list = list as usize;
        if list < arguments {
            self.forms.arguments[list]
        } else {
            self.forms.groups[list - arguments].forms.len()
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
            && self.forms.spacing(used[0]) == spacing
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

    fn group(&mut self, group: &Group, extension: i64) -> Result<(), PassError> {
        let place = self.place(&group.node);
        let make = Make(self.context);
        let (count, read) = (group.forms.len(), self.forms.read_spacing(group));
        let sums = self.linear(place, &group.forms, read)?;
        let switched = NewOp::new("tfhe.keyswitch", place)
            .operands(&[sums])
            .result(list(place, count, Key::Small, read)?)
            .append(self.context, self.block)?;
        let mut tables: Vec<&Table> = Vec::new();
        let mut table_of = Vec::new();
        for table in &group.tables {
            let known = tables.iter().position(|known| *known == table);
            table_of.push(known.unwrap_or(tables.len()) as i64);
            if known.is_none() {
                tables.push(table);
            }
        }
        let values: Vec<&[i64]> = tables.iter().map(|table| table.values.as_slice()).collect();
        let firsts: Vec<i64> = tables.iter().map(|table| table.lo).collect();
        let own = self.lists.len() as u32;
        let bootstrapped = NewOp::new("tfhe.bootstrap", place)
            .operands(&[switched])
            .attribute("extension", make.i64(extension))
            .attribute("tables", make.i64_arrays(&values))
            .attribute("firsts", make.i64_array(&firsts))
            .attribute("table_of", make.i64_array(&table_of))
            .optional(MEASURED_WIDTH, group.measured_width.map(|width| make.i64(i64::from(width))))
            .result(list(place, count, Key::Big, self.forms.spacing(own))?)
            .append(self.context, self.block)?;
        self.lists.push(bootstrapped);
        Ok(())
    }

    fn output(&self, output: &Output) -> Result<Value<'c, 'b>, PassError> {
        if lists(&output.forms).is_empty() {
            let message = "does not depend on any encrypted value: its result is a constant".to_owned();
            return Err(PassError::Model { node: output.name.clone(), message });
        }
        self.linear(self.place(&output.name), &output.forms, self.forms.output_spacing(output))
    }
}

/// The lookups of a function, in order.
///
/// # Errors
/// [`PassError::Ir`] if there are fewer than `at_least`.
pub fn lookup_ops<'c, 'a>(
    server: Function<'c, 'a>,
    at_least: usize,
) -> Result<Vec<OperationRef<'c, 'a>>, PassError> {
    let ops: Vec<_> = server.ops().into_iter().filter(|op| op_name(*op) == "fhe.lookup").collect();
    if ops.len() < at_least { Err(expected(server.op, "a lookup for each group").into()) } else { Ok(ops) }
}
