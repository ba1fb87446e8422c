//! Another compiler embeds ours: its own context and module, a pass of its own between ours, a pipeline as text.
//!
//!     cargo run --release -p cml-passes --example embed

use cml_dialects::ffi::{IrPass, PassFailed, emit_error, register_pass};
use cml_dialects::ir::{Function, block_ops, module_op, op_name};
use cml_dialects::nn;
use cml_passes::pipelines;
use cml_runtime::reference::message::{Element, Empty, Gemm, Graph, Node, Op, Port, Tensor};
use melior::Context;
use melior::ir::OperationRef;
use melior::ir::operation::OperationLike;

/// A pass of the host: it refuses modules with more ops than its back end takes.
struct LimitOps {
    most: usize,
}

impl IrPass for LimitOps {
    const ARGUMENT: &'static str = "host-limit-ops";
    const DESCRIPTION: &'static str = "Refuse functions with too many ops";
    const ANCHOR: &'static str = "builtin.module";

    fn options() -> Vec<[&'static str; 3]> {
        vec![["most", "Largest number of ops", "100"]]
    }

    fn new(values: &[&str]) -> Result<Self, String> {
        let most = values[0].parse().map_err(|_| format!("`most={}` is no number", values[0]))?;
        Ok(Self { most })
    }

    fn run<'c>(self, _: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassFailed> {
        let function = Function::named(module, nn::MAIN).map_err(|error| {
            emit_error(module.location(), &error.to_string(), &[]);
            PassFailed
        })?;
        let found = block_ops(function.block).len();
        if found > self.most {
            emit_error(module.location(), &format!("{found} ops, at most {} are allowed", self.most), &[]);
            return Err(PassFailed);
        }
        Ok(())
    }
}

/// `y = relu(x W + b)` on 2 inputs and 2 outputs.
fn network() -> Graph {
    let constant = |name: &str, shape: &[u64], floats: &[f32]| Node {
        name: name.to_owned(),
        inputs: Vec::new(),
        op: Some(Op::Constant(Tensor {
            shape: shape.to_vec(),
            floats: floats.to_vec(),
            integers: Vec::new(),
        })),
    };
    let gemm = Gemm { alpha: 1.0, beta: 1.0, transpose_a: false, transpose_b: false };
    Graph {
        inputs: vec![Port { name: "x".to_owned(), shape: vec![1, 2], element: Element::F32.into() }],
        nodes: vec![
            constant("W", &[2, 2], &[1.0, -2.0, 0.5, 1.0]),
            constant("b", &[2], &[0.25, 0.0]),
            Node { name: "fc".to_owned(), inputs: vec![0, 1, 2], op: Some(Op::Gemm(gemm)) },
            Node { name: "relu".to_owned(), inputs: vec![3], op: Some(Op::Relu(Empty {})) },
        ],
        outputs: vec![4],
        output_names: vec!["y".to_owned()],
    }
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Once in the process: our passes, and the host's own.
    cml_passes::register();
    register_pass::<LimitOps>();

    // The context is the host's; it may have other dialects loaded as well.
    let context = Context::new();
    cml_dialects::load(&context);
    context.attach_diagnostic_handler(|diagnostic| {
        eprintln!("{}: {diagnostic}", diagnostic.location());
        true
    });

    let mut module = nn::build(&context, &network(), "embedded")?;
    pipelines::run(
        &context,
        &mut module,
        "cml-decompose-gemm,host-limit-ops{most=10},cml-fold-constants,canonicalize,cse",
    )?;
    println!("{}", module.as_operation());

    let ops = block_ops(Function::named(module_op(&module), nn::MAIN)?.block);
    assert!(ops.iter().all(|op| op_name(*op) != "nn.gemm"), "the pipeline ran");

    // A pass that refuses is an error here, and a diagnostic above.
    let refused = pipelines::run(&context, &mut module, "host-limit-ops{most=1}");
    assert!(refused.is_err());
    Ok(())
}
