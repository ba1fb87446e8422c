//! Divide a quantized network between client and server.
//!
//! Before: `@main`, floats to floats
//! After:  `@client_in` (floats to stored integers), `@server` (stored integers to accumulators), `@client_out` (accumulators to
//!         results)
//!
//! The server gets what lies between the first quantizers and the last integer op. Everything before is done by the client in the
//! clear, and so is everything after: dequantization, softmax, argmax, affine tails. Requires: `cml-nn-to-qnn`. Guarantees: the
//! three in a row compute what `@main` computed.

use crate::framework::{Pass, PassError, PassInfo, Preserves};
use cml_dialects::ir::{
    Function, Mapping, Signature, build_function, clone_op, defining_op, describe, key, node_name, op_name,
    operands, replace_function, result,
};
use cml_dialects::nn::MAIN;
use cml_dialects::qnn::{CLIENT_IN, CLIENT_OUT, SERVER};
use melior::Context;
use melior::ir::operation::{Operation, OperationLike};
use melior::ir::{OperationRef, Value, ValueLike};
use std::collections::BTreeSet;

/// See the module's text.
pub struct SplitClientServer;

impl Pass for SplitClientServer {
    const INFO: PassInfo = PassInfo {
        name: "cml-split-client-server",
        summary: "Divide @main into client, server and client",
        description: "What happens before the first quantizer and after the last integer op is done by the client in the clear.",
        options: &[],
        preserves: Preserves::Exactly,
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let main = Function::named(module, MAIN)?;
        let parts = Parts::of(main)?;
        let new = vec![
            extract(context, main, &parts.client_in())?,
            extract(context, main, &parts.server())?,
            extract(context, main, &parts.client_out())?,
        ];
        replace_function(main, new);
        Ok(())
    }
}

/// One function to be: which ops it copies, from which values to which.
struct Part<'c, 'a> {
    name: &'static str,
    ops: Vec<OperationRef<'c, 'a>>,
    inputs: Vec<Value<'c, 'a>>,
    outputs: Vec<Value<'c, 'a>>,
    names: (Vec<String>, Vec<String>),
}

struct Parts<'c, 'a> {
    main: Function<'c, 'a>,
    ops: Vec<OperationRef<'c, 'a>>,
    /// Keys of the results of ops that the server computes.
    on_server: BTreeSet<usize>,
    /// Keys of values that depend on a server's result.
    after: BTreeSet<usize>,
    sent: Vec<Value<'c, 'a>>,
    returned: Vec<Value<'c, 'a>>,
}

fn is_integer(op: OperationRef<'_, '_>) -> bool {
    op_name(op) == "qnn.matmul"
}

impl<'c, 'a> Parts<'c, 'a> {
    fn of(main: Function<'c, 'a>) -> Result<Self, PassError> {
        let ops = main.ops();
        let depends = dependents(&ops)?;
        let leads = ancestors(&ops)?;
        if leads.is_empty() {
            let message =
                "no layer to encrypt: expected at least one matrix product between quantizers".to_owned();
            return Err(PassError::Model { node: describe(main.op), message });
        }
        let mut on_server = BTreeSet::new();
        for op in &ops {
            let this = key(result(*op)?);
            if is_integer(*op) || (depends.contains(&this) && leads.contains(&this)) {
                on_server.insert(this);
            }
        }
        let mut parts = Self { main, ops, on_server, after: depends, sent: Vec::new(), returned: Vec::new() };
        parts.find_borders()?;
        Ok(parts)
    }

    fn is_server(&self, value: Value<'c, 'a>) -> bool {
        self.on_server.contains(&key(value))
    }

    fn find_borders(&mut self) -> Result<(), PassError> {
        let (mut sent, mut returned) = (Vec::new(), Vec::new());
        let push = |list: &mut Vec<Value<'c, 'a>>, value: Value<'c, 'a>| {
            if !list.iter().any(|other| key(*other) == key(value)) {
                list.push(value);
            }
        };
        for op in &self.ops {
            let here = self.on_server.contains(&key(result(*op)?));
            for value in operands(*op) {
                if here && !self.is_server(value) && !is_clear(value) {
                    push(&mut sent, value);
                } else if !here && self.is_server(value) {
                    push(&mut returned, value);
                } else if !here
                    && self.after.contains(&key(result(*op)?))
                    && !self.after.contains(&key(value))
                    && !is_clear(value)
                {
                    let message = "combines a result of the server with a value that the server does not see: not supported".to_owned();
                    return Err(PassError::Model { node: describe(*op), message });
                }
            }
        }
        for value in self.main.results() {
            if self.is_server(value) {
                push(&mut returned, value);
            } else if !self.after.contains(&key(value)) {
                let message =
                    "a result does not depend on any encrypted layer: compute it outside".to_owned();
                return Err(PassError::Model { node: describe(self.main.op), message });
            }
        }
        (self.sent, self.returned) = (sent, returned);
        Ok(())
    }

    fn part(
        &self,
        name: &'static str,
        inputs: Vec<Value<'c, 'a>>,
        outputs: Vec<Value<'c, 'a>>,
        names: (Vec<String>, Vec<String>),
    ) -> Part<'c, 'a> {
        // Only what the outputs need, up to the inputs.
        let mut needed: BTreeSet<usize> = outputs.iter().map(|value| key(*value)).collect();
        let given: BTreeSet<usize> = inputs.iter().map(|value| key(*value)).collect();
        let mut ops = Vec::new();
        for op in self.ops.iter().rev() {
            let Ok(value) = result(*op) else { continue };
            if needed.contains(&key(value)) && !given.contains(&key(value)) {
                needed.extend(operands(*op).iter().map(|operand| key(*operand)));
                ops.push(*op);
            }
        }
        ops.reverse();
        Part { name, ops, inputs, outputs, names }
    }

    fn client_in(&self) -> Part<'c, 'a> {
        let names = (self.main.input_names(), self.sent_names());
        self.part(CLIENT_IN, self.main.arguments(), self.sent.clone(), names)
    }

    fn server(&self) -> Part<'c, 'a> {
        let names = (self.sent_names(), self.returned_names());
        self.part(SERVER, self.sent.clone(), self.returned.clone(), names)
    }

    fn client_out(&self) -> Part<'c, 'a> {
        let names = (self.returned_names(), self.main.output_names());
        self.part(CLIENT_OUT, self.returned.clone(), self.main.results(), names)
    }

    fn sent_names(&self) -> Vec<String> {
        names(&self.sent, &self.main.input_names(), "input")
    }

    fn returned_names(&self) -> Vec<String> {
        names(&self.returned, &self.main.output_names(), "output")
    }
}

/// Names of border values: those of the network's own where there are as many, else those of the nodes.
fn names(values: &[Value<'_, '_>], whole: &[String], stem: &str) -> Vec<String> {
    if values.len() == whole.len() {
        return whole.to_vec();
    }
    let name = |(index, value): (usize, &Value<'_, '_>)| {
        let node = defining_op(*value).map(node_name).unwrap_or_default();
        if node.is_empty() { format!("{stem}{index}") } else { node }
    };
    values.iter().enumerate().map(name).collect()
}

fn is_clear(value: Value<'_, '_>) -> bool {
    defining_op(value).is_some_and(|op| operands(op).iter().all(|operand| is_clear(*operand)))
}

/// Values that depend on an integer op's result, that result included.
fn dependents(ops: &[OperationRef<'_, '_>]) -> Result<BTreeSet<usize>, PassError> {
    let mut found = BTreeSet::new();
    for op in ops {
        if is_integer(*op) || operands(*op).iter().any(|value| found.contains(&key(*value))) {
            found.insert(key(result(*op)?));
        }
    }
    Ok(found)
}

/// Values that an integer op depends on.
fn ancestors(ops: &[OperationRef<'_, '_>]) -> Result<BTreeSet<usize>, PassError> {
    let mut found = BTreeSet::new();
    for op in ops.iter().rev() {
        if is_integer(*op) || found.contains(&key(result(*op)?)) {
            found.extend(operands(*op).iter().map(|value| key(*value)));
        }
    }
    Ok(found)
}

fn extract<'c>(
    context: &'c Context,
    main: Function<'c, '_>,
    part: &Part<'c, '_>,
) -> Result<Operation<'c>, PassError> {
    let signature = Signature {
        name: part.name.to_owned(),
        inputs: part.inputs.iter().map(|value| value.r#type()).collect(),
        input_names: part.names.0.clone(),
        output_names: part.names.1.clone(),
        location: main.op.location(),
        attributes: Vec::new(),
    };
    build_function(context, &signature, |block, arguments| {
        let mut mapping = Mapping::new();
        for (old, new) in part.inputs.iter().zip(arguments) {
            mapping.insert(*old, *new);
        }
        for op in &part.ops {
            let new = clone_op(*op, &mapping.operands(*op)?, block)?;
            mapping.insert(result(*op)?, new);
        }
        part.outputs.iter().map(|old| Ok(mapping.get(main.op, *old)?)).collect()
    })
}
