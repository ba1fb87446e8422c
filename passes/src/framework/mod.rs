//! What a pass is, how passes are registered, and the check that they keep what they promise to keep.

pub mod semantics;

use cml_dialects::ffi::{self, IrPass, PassFailed, emit_error};
use cml_dialects::ir::IrError;
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{Location, OperationRef};
use std::marker::PhantomData;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// What a pass leaves as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preserves {
    /// The function that the module computes, bit for bit.
    Exactly,
    /// The function that the module computes, up to float rounding: the largest relative difference allowed.
    Within(f64),
    /// Nothing: it approximates.
    Nothing,
}

/// One option of a pass.
#[derive(Clone, Copy, Debug)]
pub struct PassOption {
    /// As written in a pipeline.
    pub name: &'static str,
    /// For `--help`.
    pub description: &'static str,
    /// What holds when it is not given.
    pub default: &'static str,
}

/// What is said of a pass in `--help`, in `PASSES.md` and in tests.
#[derive(Clone, Copy, Debug)]
pub struct PassInfo {
    /// `cml-verb-object`, or `cml-a-to-b` for a conversion: flag of `cml-opt`, and name of the lit file without `cml-`.
    pub name: &'static str,
    /// One line of at most 60 characters.
    pub summary: &'static str,
    /// What the pass requires and guarantees, in Markdown.
    pub description: &'static str,
    /// Its options.
    pub options: &'static [PassOption],
    /// What it keeps.
    pub preserves: Preserves,
}

/// Why a pass failed: becomes a diagnostic.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The IR is not as the pass needs it.
    #[error(transparent)]
    Ir(#[from] IrError),
    /// The clear computation failed.
    #[error(transparent)]
    Reference(#[from] cml_runtime::reference::Error),
    /// A file of the options could not be read.
    #[error(transparent)]
    Arrays(Box<cml_runtime::arrays::Error>),
    /// The model cannot be compiled so; the sentence says what would help.
    #[error("{node}: {message}")]
    Model {
        /// The ONNX node.
        node: String,
        /// Expected, found, and what to do.
        message: String,
    },
}

impl From<cml_runtime::arrays::Error> for PassError {
    fn from(error: cml_runtime::arrays::Error) -> Self {
        Self::Arrays(Box::new(error))
    }
}

/// A [`PassError::Model`] at an op.
#[must_use]
pub fn model_error(op: OperationRef<'_, '_>, message: impl Into<String>) -> PassError {
    PassError::Model { node: cml_dialects::ir::describe(op), message: message.into() }
}

/// A pass on a module.
pub trait Pass: Sized {
    /// Name, options, promises.
    const INFO: PassInfo;

    /// `values` has one text for each option.
    ///
    /// # Errors
    /// A sentence on the bad option.
    fn new(values: &[&str]) -> Result<Self, String>;

    /// Changes the module.
    ///
    /// # Errors
    /// [`PassError`]; a diagnostic is made of it.
    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError>;
}

/// Parses the text of an option.
///
/// # Errors
/// A sentence that names the option and what was found.
pub fn parse<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("`{name}={text}` is not a {}", std::any::type_name::<T>()))
}

/// What a pass has to say while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'t> {
    /// What it does now.
    Stage(&'t str),
    /// What came of it.
    Note(&'t str),
    /// Something is not as it may seem.
    Warning(&'t str),
}

type Observer = dyn Fn(Message<'_>) + Send + Sync;

static OBSERVER: RwLock<Option<Box<Observer>>> = RwLock::new(None);

/// From now on, in the whole process, passes tell this function what they do; without one they are silent.
pub fn set_observer(observer: impl Fn(Message<'_>) + Send + Sync + 'static) {
    *OBSERVER.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(observer));
}

/// Tells the observer, if there is one.
pub fn tell(message: Message<'_>) {
    if let Some(observer) = &*OBSERVER.read().unwrap_or_else(PoisonError::into_inner) {
        observer(message);
    }
}

static CHECK_SEMANTICS: AtomicBool = AtomicBool::new(false);

/// `--cml-check-semantics`: from now on, in the whole process, the module's function is run before and after each of our
/// passes that promises to keep it, and a pass that breaks its promise fails.
pub fn set_check_semantics(on: bool) {
    CHECK_SEMANTICS.store(on, Ordering::Relaxed);
}

struct Adapter<P>(P, PhantomData<P>);

impl<P: Pass> IrPass for Adapter<P> {
    const ARGUMENT: &'static str = P::INFO.name;
    const DESCRIPTION: &'static str = P::INFO.summary;
    const ANCHOR: &'static str = "builtin.module";

    fn options() -> Vec<[&'static str; 3]> {
        P::INFO.options.iter().map(|option| [option.name, option.description, option.default]).collect()
    }

    fn new(values: &[&str]) -> Result<Self, String> {
        Ok(Self(P::new(values)?, PhantomData))
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassFailed> {
        let check = CHECK_SEMANTICS.load(Ordering::Relaxed) && P::INFO.preserves != Preserves::Nothing;
        let before = check.then(|| semantics::Samples::take(module)).flatten();
        self.0.run(context, module).map_err(|error| report(module.location(), &error))?;
        if let Some(before) = before {
            before.compare(module, P::INFO.preserves).map_err(|difference| {
                emit_error(
                    module.location(),
                    &format!("{} changed the function: {difference}", P::INFO.name),
                    &[],
                );
                PassFailed
            })?;
        }
        Ok(())
    }
}

fn report(place: Location<'_>, error: &PassError) -> PassFailed {
    emit_error(place, &error.to_string(), &[]);
    PassFailed
}

macro_rules! passes {
    ($($pass:ty),* $(,)?) => {
        /// What is known of every pass, in the order of the pipelines.
        pub const PASSES: &[PassInfo] = &[$(<$pass as Pass>::INFO),*];

        fn register_passes() {
            $(ffi::register_pass::<Adapter<$pass>>();)*
        }
    };
}

passes! {
    crate::transforms::fold_constants::FoldConstants,
    crate::transforms::fold_batch_norm::FoldBatchNorm,
    crate::transforms::decompose_gemm::DecomposeGemm,
    crate::transforms::prune::Prune,
    crate::transforms::fold_products::FoldProducts,
    crate::transforms::calibrate::Calibrate,
    crate::transforms::insert_quantizers::InsertQuantizers,
    crate::conversions::nn_to_qnn::NnToQnn,
    crate::transforms::split_client_server::SplitClientServer,
    crate::transforms::infer_ranges::InferRanges,
    crate::transforms::fuse_float_chains::FuseFloatChains,
    crate::conversions::qnn_to_fhe::QnnToFhe,
    crate::transforms::rewrite_fhe::RewriteFhe,
    crate::transforms::parametrize::Parametrize,
    crate::conversions::fhe_to_tfhe::FheToTfhe,
}

/// Makes our passes and named pipelines, and MLIR's canonicalizer, CSE and their like, known by name in this process. Any
/// number of calls, from any thread.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Not `registerAllPasses`: that links ten times as much.
        ffi::register_transforms_passes();
        register_passes();
        for pipeline in crate::pipelines::PIPELINES {
            ffi::register_pipeline(pipeline.name, pipeline.summary, &pipeline.text());
        }
    });
}
