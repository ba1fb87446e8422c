//! From a model to a graph of reference operations.

use super::context::{Builder, NodeContext, Operand};
use super::ops::{self, Operator};
use super::order::{node_name, order};
use super::proto::{self, DataType, Node};
use super::{dims, tensor};
use crate::error::{Fault, ImportError};
use cml_dialects::nn;
use cml_runtime::reference::message::{Graph, Port};
use melior::Context;
use melior::ir::Module;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes of a protobuf message.
const MAX_BYTES: u64 = i32::MAX as u64;

/// What the model leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Extents by symbol, or by `input[axis]` where the model has no symbol. The batch is 1 without being told.
    pub dims: BTreeMap<String, u64>,
}

impl ImportOptions {
    /// One of [`Self::dims`] as command lines have it: `NAME=VALUE`.
    ///
    /// # Errors
    /// What was expected.
    pub fn dim(text: &str) -> Result<(String, u64), String> {
        let bad = || format!("`{text}` is no extent: expected NAME=VALUE with a value of 1 or more");
        let (name, value) = text.rsplit_once('=').ok_or_else(bad)?;
        let value = value.parse().ok().filter(|value| *value > 0).ok_or_else(bad)?;
        Ok((name.to_owned(), value))
    }
}

/// A model as a graph of reference operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// What is computed; each node has the name of its ONNX node.
    pub graph: Graph,
    /// Name of the file without its extension.
    pub name: String,
}

impl Imported {
    /// The function `@main` of the dialect `nn`; each op has the name of its ONNX node as location.
    ///
    /// # Errors
    /// [`ImportError::Build`].
    pub fn build<'c>(&self, context: &'c Context) -> Result<Module<'c>, ImportError> {
        Ok(nn::build(context, &self.graph, &self.name)?)
    }
}

/// Reads an ONNX file.
///
/// # Errors
/// [`ImportError`] names the file, the node or the input at fault.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    let read = |source| ImportError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let found = file.metadata().map_err(read)?.len();
    if found > MAX_BYTES {
        return Err(ImportError::TooLarge { path: path.to_owned(), found, limit: MAX_BYTES });
    }
    let mut bytes = vec![];
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(read)?;
    let folder =
        path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let model = path.display().to_string();
    let graph = translate(&bytes, &Source { model: &model, folder }, options)?;
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(Imported { graph, name })
}

/// Imports a model from memory; its tensors must not be in other files.
///
/// # Errors
/// [`ImportError`] names the node or the input at fault.
pub fn import_bytes(bytes: &[u8], name: &str, options: &ImportOptions) -> Result<Imported, ImportError> {
    let graph = translate(bytes, &Source { model: name, folder: None }, options)?;
    Ok(Imported { graph, name: name.to_owned() })
}

/// Where a model came from.
struct Source<'a> {
    model: &'a str,
    folder: Option<&'a Path>,
}

fn translate(bytes: &[u8], source: &Source<'_>, options: &ImportOptions) -> Result<Graph, ImportError> {
    let model = source.model;
    let decoded = proto::Model::decode(bytes)
        .map_err(|error| ImportError::Decode { model: model.to_owned(), source: error })?;
    let missing = |what| ImportError::Missing { model: model.to_owned(), what };
    let opset = opset(&decoded).ok_or_else(|| missing("opset"))?;
    if !(ops::OLDEST_OPSET..=ops::NEWEST_OPSET).contains(&opset) {
        let (oldest, newest) = (ops::OLDEST_OPSET, ops::NEWEST_OPSET);
        return Err(ImportError::Opset { model: model.to_owned(), found: opset, oldest, newest });
    }
    let graph = decoded.graph.as_ref().ok_or_else(|| missing("graph"))?;
    if graph.output.is_empty() {
        return Err(missing("graph output"));
    }
    let order = order(graph)?;
    let mut import = Import { builder: Builder::default(), values: BTreeMap::new(), opset, source };
    import.add_inputs(graph, options)?;
    for index in order {
        import.add_node(index, &graph.node[index], &decoded.opset_import)?;
    }
    import.finish(graph)
}

fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn opset(model: &proto::Model) -> Option<i64> {
    model.opset_import.iter().find(|set| is_onnx(&set.domain)).map(|set| set.version)
}

/// A graph that is being translated: what each ONNX value has become.
struct Import<'a> {
    builder: Builder,
    values: BTreeMap<&'a str, Operand>,
    opset: i64,
    source: &'a Source<'a>,
}

impl<'a> Import<'a> {
    fn add_inputs(&mut self, graph: &'a proto::Graph, options: &ImportOptions) -> Result<(), ImportError> {
        if !graph.sparse_initializer.is_empty() {
            let found = "sparse tensor".to_owned();
            let fault = crate::error::TensorFault::DataType { found };
            let values = graph.sparse_initializer[0].values.as_ref();
            let name = values.map_or_else(String::new, |values| values.name.clone());
            return Err(ImportError::Initializer { name, fault });
        }
        let stored: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs: Vec<&proto::ValueInfo> =
            graph.input.iter().filter(|input| !stored.contains(input.name.as_str())).collect();
        let types = dims::resolve(&inputs, &options.dims)?;
        for (number, (input, tensor_type)) in (0..).zip(inputs.into_iter().zip(types)) {
            self.builder.graph.inputs.push(Port::new(&input.name, &tensor_type));
            if let Some(kind) = dims::kind(input) {
                self.builder.input_kinds.insert(number, kind);
            }
            self.values.insert(&input.name, Operand::Computed { number, tensor_type });
        }
        for stored in &graph.initializer {
            let fault = |fault| ImportError::Initializer { name: stored.name.clone(), fault };
            let value = tensor::value(stored, self.source.folder).map_err(fault)?;
            let kind = DataType::try_from(stored.data_type).ok();
            let constant = self.builder.constant(&stored.name, value, kind);
            self.values.insert(&stored.name, constant);
        }
        Ok(())
    }

    fn add_node(
        &mut self,
        index: usize,
        node: &'a Node,
        sets: &[proto::OperatorSet],
    ) -> Result<(), ImportError> {
        let name = node_name(index, node);
        let opset = self.opset;
        let known = if is_onnx(&node.domain) {
            ops::find(&node.op_type)
        } else {
            ops::find_in(&node.domain, &node.op_type)
        };
        let operator = known
            .filter(|operator| operator.version(opset).is_some())
            .ok_or_else(|| unsupported(&name, node, opset, sets))?;
        let results = self.run(&name, node, operator);
        let results = results.map_err(|fault| {
            let node = name.clone();
            ImportError::Node { node, op: operator.name, opset, fault: Box::new(fault) }
        })?;
        for (output, result) in node.output.iter().zip(results) {
            if !output.is_empty() {
                self.values.insert(output, result);
            }
        }
        Ok(())
    }

    fn run(&mut self, name: &str, node: &Node, operator: &'static Operator) -> Result<Vec<Operand>, Fault> {
        operator.check(node, self.opset)?;
        let inputs = node.input.iter().map(|input| self.values.get(input.as_str()).cloned()).collect();
        let mut context = NodeContext {
            node,
            name,
            operator,
            opset: self.opset,
            folder: self.source.folder,
            inputs,
            builder: &mut self.builder,
        };
        let results = (operator.import)(&mut context)?;
        match (results.len()..node.output.len()).find(|index| !node.output[*index].is_empty()) {
            Some(_) => Err(Fault::OutputCount { expected: results.len(), found: node.output.len() }),
            None => Ok(results),
        }
    }

    fn finish(mut self, graph: &proto::Graph) -> Result<Graph, ImportError> {
        for output in &graph.output {
            let name = output.name.clone();
            let value = self.values.get(output.name.as_str());
            let value = value.ok_or_else(|| ImportError::MissingOutput { name: name.clone() })?;
            if self.builder.graph.output_names.contains(&name) {
                let (first, second) = ("a graph output".to_owned(), "another".to_owned());
                return Err(ImportError::DuplicateName { name, first, second });
            }
            let number = self.builder.number(value);
            self.builder.graph.outputs.push(number);
            self.builder.graph.output_names.push(name);
        }
        let graph = without_unused(self.builder.graph);
        graph.check()?;
        Ok(graph)
    }
}

/// The graph without what no output needs: the weights of a convolution, whose matrix stands in their place.
fn without_unused(mut graph: Graph) -> Graph {
    let first = graph.inputs.len();
    let mut needed = vec![false; first + graph.nodes.len()];
    graph.outputs.iter().for_each(|output| needed[*output as usize] = true);
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        if needed[first + at] {
            node.inputs.iter().for_each(|input| needed[*input as usize] = true);
        }
    }
    needed[..first].fill(true);
    let mut count = 0;
    let numbers: Vec<u32> = needed
        .iter()
        .map(|is_needed| {
            count += u32::from(*is_needed);
            count.saturating_sub(1)
        })
        .collect();
    let mut at = first;
    graph.nodes.retain(|_| {
        at += 1;
        needed[at - 1]
    });
    let inputs = graph.nodes.iter_mut().flat_map(|node| &mut node.inputs);
    inputs.chain(&mut graph.outputs).for_each(|number| *number = numbers[*number as usize]);
    graph
}

fn unsupported(name: &str, node: &Node, opset: i64, sets: &[proto::OperatorSet]) -> ImportError {
    let onnx = is_onnx(&node.domain);
    let version = sets.iter().find(|set| set.domain == node.domain).map_or(0, |set| set.version);
    ImportError::UnsupportedOperator {
        node: name.to_owned(),
        op: if onnx { node.op_type.clone() } else { format!("{}::{}", node.domain, node.op_type) },
        opset: if onnx { format!("opset {opset}") } else { format!("{} opset {version}", node.domain) },
        hint: ops::hint(&node.op_type),
    }
}
