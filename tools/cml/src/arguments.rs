//! The command line.

use crate::compile::options::{Bits, Effort, Granularity, InputRange, Probability, Rounding, Share, Steps};
use crate::compile::source::Level;
use clap::{Args, Parser, Subcommand, ValueEnum};
use cml_frontend::ImportOptions;
use cml_runtime::arrays::ArraySource;
use cml_runtime::commands::Named;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Compiles ONNX networks to programs on encrypted data, and runs them.
#[derive(Parser)]
#[command(name = "cml", version, propagate_version = true, subcommand_required = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compile a network to a program
    #[command(after_help = COMPILE_EXAMPLES)]
    Compile(Box<CompileArguments>),
    /// Show widths, lookups, parameters, failure probability, sizes and predicted time of a program
    #[command(after_help = "Examples:\n  cml inspect model.cml\n  cml inspect model.cml --json")]
    Inspect(InspectArguments),
    /// Write what a client needs of a program: no weights
    #[command(after_help = "Example:\n  cml export-client model.cml -o client.cml")]
    ExportClient(ExportArguments),
    /// Make keys for a program: the client's step
    #[command(after_help = "Example:\n  cml keygen client.cml --client-key client.key --eval-key eval.key")]
    Keygen(KeygenArguments),
    /// Quantize and encrypt arrays: the client's step
    #[command(after_help = "Examples:\n  \
        cml encrypt client.cml --client-key client.key x.npy -o x.ct\n  \
        cml encrypt client.cml --client-key client.key --input a=a.npy --input b=data.npz:b[0:10] -o x.ct")]
    Encrypt(EncryptArguments),
    /// Compute on ciphertexts: the server's step
    #[command(after_help = "Example:\n  cml run model.cml --eval-key eval.key x.ct -o y.ct")]
    Run(RunArguments),
    /// Decrypt results: the client's step
    #[command(after_help = "Examples:\n  \
        cml decrypt client.cml --client-key client.key y.ct -o y.npy\n  \
        cml decrypt client.cml --client-key client.key y.ct -o a=a.npy -o b=b.npy")]
    Decrypt(DecryptArguments),
    /// Predict in one process: in floats, quantized, simulated, or encrypted with keys made for the occasion
    #[command(after_help = "Examples:\n  \
        cml predict model.cml data.npz:x_test --labels data.npz:y_test --mode quantized\n  \
        cml predict model.cml x.npy --mode fhe --limit 3 -o y.npy\n  \
        cml predict model.cml x.npy --mode float --model model.onnx --json")]
    Predict(PredictArguments),
    /// Run a network in floats, quantized and simulated, and name the first layer that diverges
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(Box<CompareArguments>),
    /// Compile a network again as a program was compiled, and compare the two
    #[command(after_help = "Example:\n  cml verify model.cml model.onnx")]
    Verify(VerifyArguments),
    /// Measure this machine, and the noise of encrypted operations
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[derive(Subcommand)]
pub(crate) enum BenchCommand {
    /// Write the cost table of this machine, for --machine of compile; takes about 75 seconds
    #[command(
        after_help = "Example:\n  cml bench machine -o machine.json && cml compile model.onnx --machine machine.json -o model.cml"
    )]
    Machine {
        /// Where the table goes
        #[arg(short, long)]
        output: PathBuf,
        /// What reports call it
        #[arg(long, default_value = "measured")]
        name: String,
    },
    /// Print the noise of every encrypted operation, measured and predicted, for five key sets; takes some minutes
    #[command(after_help = "Examples:\n  cml bench noise\n  cml bench noise --samples 4000 --json")]
    Noise {
        /// Ciphertexts that each operation is measured on
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=4000))]
        samples: u32,
        /// Print one object for programs
        #[arg(long)]
        json: bool,
    },
    /// Print what lookups and other operations take, beside the floor of this machine and plain calls of tfhe; takes a minute
    #[command(after_help = "Examples:\n  cml bench operations\n  cml bench operations --runs 15 --json")]
    Operations {
        /// How often each is measured
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
        runs: u32,
        /// Print one object for programs
        #[arg(long)]
        json: bool,
    },
}

const COMPILE_EXAMPLES: &str = "Examples:
  cml compile model.onnx --calibration calib.npy --bits 3 -o model.cml
  cml compile model.onnx --calibration data.npz:calibration[0:500] --bits inputs=4,weights=3,activations=3 -o model.cml
  cml compile model.onnx --calibration calib.npy --prune 30 -o pruned.cml
  cml compile model.onnx --calibration calib.npy --max-loss 2% --validation x.npy --labels y.npy --save-config best.json -o model.cml
  cml compile model.onnx --calibration few.npy --keep-unfired -o model.cml       (few samples: they may not show all)
  cml compile two.onnx --calibration a=a.npy --calibration b=b.npy --input-range a=-1:1 --p-error 2^-64 -o two.cml
  cml compile quantized.onnx -o model.cml                  (a network that brings its own quantizers)
  cml compile model.onnx --calibration calib.npy --emit fhe -o model.mlir && cml compile model.mlir -o model.cml";

const COMPARE_EXAMPLES: &str = "Examples:
  cml compare model.onnx data.npz:calibration                     (compiled with 3 bits for the occasion)
  cml compare model.onnx data.npz:calibration --bits 4 --prune 30
  cml compare model.onnx data.npz:x_test[0:200] --program model.cml --json";

#[derive(Args)]
pub(crate) struct CompileArguments {
    /// model.onnx, or MLIR (text or bytecode) at any level
    pub(crate) model: PathBuf,
    /// Where the program goes, or with --emit the module
    #[arg(short, long)]
    pub(crate) output: PathBuf,
    /// Samples that set the scales: x.npy, data.npz:name, data.npz:name[0:500]; once for each input, by name if there are several
    #[arg(long, value_name = "[NAME=]ARRAY")]
    pub(crate) calibration: Vec<String>,
    #[command(flatten)]
    pub(crate) options: OptionArguments,
    #[command(flatten)]
    pub(crate) search: SearchArguments,
    /// Where the options go, with the bits of each node by name, and the scales
    #[arg(long, value_name = "FILE")]
    pub(crate) save_config: Option<PathBuf>,
    /// Stop at a level and write the module as text
    #[arg(long, value_name = "LEVEL")]
    pub(crate) emit: Option<Level>,
    /// Run the network's function before and after each pass that promises to keep it
    #[arg(long)]
    pub(crate) check_semantics: bool,
}

/// What decides what program comes out, beside the model and its calibration data.
#[derive(Args)]
pub(crate) struct OptionArguments {
    /// Bits of all values, or of each kind: inputs=3,weights=4,activations=3; they replace those of single nodes in --config
    #[arg(long)]
    pub(crate) bits: Option<Bits>,
    /// One scale for each channel, or one for each tensor
    #[arg(long)]
    pub(crate) granularity: Option<Granularity>,
    /// How much calibration looks for [default: normal]
    #[arg(long)]
    pub(crate) effort: Option<Effort>,
    /// How many integers of a sum make one step of the next layer's input [default: free]
    #[arg(long)]
    pub(crate) steps: Option<Steps>,
    /// Bits of the widest sum that a lookup reads; weights are made smaller where it takes that, and inspect says what it costs
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) max_accumulator_bits: Option<u32>,
    /// Keep the K largest weights of each neuron, and no others; narrower sums, and no training to make up for it
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) prune: Option<u32>,
    /// Neurons that never fire on the calibration samples stay lookups; by default they become constants
    #[arg(long)]
    pub(crate) keep_unfired: bool,
    /// Failure probability of one whole inference [default: 2^-40]; 2^-128 where the server may learn results
    #[arg(long, value_name = "P")]
    pub(crate) p_error: Option<Probability>,
    /// Failure probability of each lookup and each decrypted output
    #[arg(long, value_name = "P")]
    pub(crate) p_error_per_lookup: Option<Probability>,
    /// All bootstrapping keys in one ring: a more conservative security assumption, and slower lookups
    #[arg(long)]
    pub(crate) one_ring: bool,
    /// Exactness for speed: approximate:6 reads lookups of more than 6 bits as if they had 6, off by half a step of that at most;
    /// predict --mode simulate says how many results differ
    #[arg(long, value_name = "approximate:BITS")]
    pub(crate) rounding: Option<Rounding>,
    /// What the client may send, enforced there: LO:HI, or LO:HI,LO:HI,.. for each feature
    #[arg(long, value_name = "[NAME=]LO:HI", allow_hyphen_values = true)]
    pub(crate) input_range: Vec<InputRange>,
    /// Cost table of another machine than the one shipped
    #[arg(long, value_name = "FILE")]
    pub(crate) machine: Option<PathBuf>,
    /// Options, bits of single nodes, and scales, as --save-config writes them; options given here as well win, and those that
    /// scales depend on need --calibration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Value of a symbolic extent of the model
    #[arg(long, value_name = "NAME=VALUE", value_parser = ImportOptions::dim)]
    pub(crate) dim: Vec<(String, u64)>,
}

/// The search for bits.
#[derive(Args)]
#[command(next_help_heading = "Search for bits")]
pub(crate) struct SearchArguments {
    /// Find the bits of each layer for the fastest program whose accuracy on the validation samples is at least this: 0.87 or 87%
    #[arg(
        long, value_name = "SHARE", requires = "validation", requires = "labels",
        conflicts_with_all = ["max_loss", "bits"]
    )]
    pub(crate) accuracy_target: Option<Share>,
    /// The same for at most this loss against float: of accuracy where there are labels, else the share of samples whose largest
    /// result is another one, which is stricter: 2% or 0.02
    #[arg(long, value_name = "SHARE", requires = "validation", conflicts_with = "bits")]
    pub(crate) max_loss: Option<Share>,
    /// Samples that the search decides by, other ones than those of calibration; as --calibration
    #[arg(long, value_name = "[NAME=]ARRAY")]
    pub(crate) validation: Vec<String>,
    /// The class of each validation sample
    #[arg(long, value_name = "ARRAY", requires = "validation")]
    pub(crate) labels: Option<ArraySource>,
    /// Standard errors of the loss that are kept from the limit, so that it holds for other samples too; 0 to trust the validation
    /// samples alone. By default 3, since the best of many configurations is taken: one that just misses the limit then passes in 0.1 %
    /// of all cases, the luckiest of 37 in 5 % (1.64 for a network that brings its own quantizers, where nothing is chosen). The
    /// standard error is sqrt(d / n): d is the share of validation and calibration samples on which quantized and float networks
    /// differ, one more counted, and n the number of validation samples. For --accuracy-target it counts what quantization may change
    /// on other samples, and not by how much they may be harder for the network in floats
    #[arg(long, value_name = "ERRORS", value_parser = margin)]
    pub(crate) margin: Option<f64>,
}

#[derive(Args)]
pub(crate) struct InspectArguments {
    /// model.cml
    pub(crate) program: PathBuf,
    /// Print one object for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    /// model.cml
    pub(crate) program: PathBuf,
    /// Where the bundle goes
    #[arg(short, long)]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct KeygenArguments {
    /// client.cml or model.cml
    pub(crate) bundle: PathBuf,
    /// Where the secret keys go; they stay with the client
    #[arg(long)]
    pub(crate) client_key: PathBuf,
    /// Where the key for the server goes
    #[arg(long)]
    pub(crate) eval_key: PathBuf,
}

#[derive(Args)]
pub(crate) struct EncryptArguments {
    /// client.cml or model.cml
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    /// The secret keys
    #[arg(long)]
    pub(crate) client_key: PathBuf,
    /// Where the ciphertexts go
    #[arg(short, long)]
    pub(crate) output: PathBuf,
    /// Refuse values outside of the calibrated range instead of clipping them
    #[arg(long)]
    pub(crate) strict: bool,
}

/// The arrays of a program's inputs.
#[derive(Args)]
pub(crate) struct InputArguments {
    /// The array of a program with one input: x.npy, data.npz:name, data.npz:name[0:10]
    #[arg(required_unless_present = "input", conflicts_with = "input")]
    array: Option<ArraySource>,
    /// The array of one of several inputs
    #[arg(long, value_name = "NAME=ARRAY")]
    input: Vec<Named<ArraySource>>,
}

impl InputArguments {
    pub(crate) fn sources(&self) -> Vec<Named<ArraySource>> {
        let single = self.array.iter().map(|place| Named { name: None, place: place.clone() });
        self.input.iter().cloned().chain(single).collect()
    }
}

#[derive(Args)]
pub(crate) struct RunArguments {
    /// model.cml
    pub(crate) program: PathBuf,
    /// The encrypted input
    pub(crate) input: PathBuf,
    /// The client's evaluation key
    #[arg(long)]
    pub(crate) eval_key: PathBuf,
    /// Where the encrypted results go
    #[arg(short, long)]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct DecryptArguments {
    /// client.cml or model.cml
    pub(crate) bundle: PathBuf,
    /// The encrypted results
    pub(crate) input: PathBuf,
    /// The secret keys
    #[arg(long)]
    pub(crate) client_key: PathBuf,
    /// Where the results go; once for each output, by name if there are several
    #[arg(short, long, required = true, value_name = "[NAME=]FILE")]
    pub(crate) output: Vec<Named<PathBuf>>,
}

/// What a prediction is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The network in floats
    Float,
    /// The integers of the quantized network, in the clear
    Quantized,
    /// The program with the noise that encryption would bring
    Simulate,
    /// The program on ciphertexts
    Fhe,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Quantized => "quantized",
            Self::Simulate => "simulate",
            Self::Fhe => "fhe",
        }
    }
}

#[derive(Args)]
pub(crate) struct PredictArguments {
    /// model.cml
    pub(crate) program: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    /// What is computed with
    #[arg(long, value_enum, default_value = "fhe")]
    pub(crate) mode: Mode,
    /// The class of each sample; adds the accuracy
    #[arg(long, value_name = "ARRAY")]
    pub(crate) labels: Option<ArraySource>,
    /// Only the first samples
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Samples that go through the program together in --mode fhe, for more of them in the same time
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) together: NonZeroUsize,
    /// Decides the noise of --mode simulate
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print one object for programs
    #[arg(long)]
    pub(crate) json: bool,
    /// Refuse values outside of the calibrated range instead of clipping them
    #[arg(long)]
    pub(crate) strict: bool,
    /// The network itself, for --mode float
    #[arg(long, value_name = "MODEL.onnx", required_if_eq("mode", "float"))]
    pub(crate) model: Option<PathBuf>,
    /// Where the results go; once for each output, by name if there are several
    #[arg(short, long, value_name = "[NAME=]FILE")]
    pub(crate) output: Vec<Named<PathBuf>>,
}

#[derive(Args)]
pub(crate) struct CompareArguments {
    /// model.onnx, or MLIR of a float network
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    /// A program that was compiled from the network: its scales and parameters are taken
    #[arg(long, value_name = "MODEL.cml", conflicts_with_all = ["calibration", "OptionArguments"])]
    pub(crate) program: Option<PathBuf>,
    /// Samples that set the scales, where those are not in --config or --program [default: those that are compared]
    #[arg(long, value_name = "[NAME=]ARRAY")]
    pub(crate) calibration: Vec<String>,
    #[command(flatten)]
    pub(crate) options: OptionArguments,
    /// How many samples go through the program with noise
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) simulate: usize,
    /// Decides the noise
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A layer diverges whose signal is less than this above its error, in dB
    #[arg(long, value_name = "DB", default_value_t = 10.0, value_parser = decibels, allow_hyphen_values = true)]
    pub(crate) diverges: f64,
    /// Print one object for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// model.cml
    pub(crate) program: PathBuf,
    /// The network that it should have been compiled from
    pub(crate) model: PathBuf,
    /// The cost table that it was compiled with, if that was not the one shipped
    #[arg(long, value_name = "FILE")]
    pub(crate) machine: Option<PathBuf>,
}

fn margin(text: &str) -> Result<f64, String> {
    let margin = text.parse::<f64>().ok().filter(|margin| (0.0..=10.0).contains(margin));
    margin.ok_or_else(|| "expected a number between 0 and 10".to_owned())
}

fn decibels(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|decibels| decibels.is_finite())
        .ok_or_else(|| "expected a finite number".to_owned())
}
