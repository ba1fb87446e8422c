//! The program artefact as prost messages. Field numbers are never reused.

use crate::reference::message::{Graph, Table};
use prost::{Enumeration, Message, Oneof};

/// One key set: sizes, decompositions and noise of its keys.
///
/// A program has a few sets. All of them write under one flattened secret, the big key of `k * N` bits: a set reads it as
/// `k` polynomials of `N` coefficients. The small key, the keyswitch to it and the bootstrap from it are the set's own.
#[derive(Clone, PartialEq, Message)]
pub struct ParameterSet {
    /// n, of the small key.
    #[prost(uint32, tag = "1")]
    pub lwe_dimension: u32,
    /// k, of the bootstrapping key.
    #[prost(uint32, tag = "2")]
    pub glwe_dimension: u32,
    /// N, of the bootstrapping key.
    #[prost(uint32, tag = "3")]
    pub polynomial_size: u32,
    /// Decomposition of the bootstrap.
    #[prost(uint32, tag = "4")]
    pub pbs_base_log: u32,
    /// Decomposition of the bootstrap.
    #[prost(uint32, tag = "5")]
    pub pbs_level: u32,
    /// Decomposition of the keyswitch.
    #[prost(uint32, tag = "6")]
    pub ks_base_log: u32,
    /// Decomposition of the keyswitch.
    #[prost(uint32, tag = "7")]
    pub ks_level: u32,
    /// Standard deviation of the Gaussian noise under the small key, on the torus.
    #[prost(double, tag = "8")]
    pub lwe_std_dev: f64,
    /// Standard deviation of the Gaussian noise under the big key (dimension k*N), on the torus.
    #[prost(double, tag = "9")]
    pub glwe_std_dev: f64,
}

/// How a result is returned, where it is no whole ciphertext under the big key.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Returned {
    /// Index of the key set whose small key it is switched to; absent for the big key.
    #[prost(uint32, optional, tag = "1")]
    pub key: Option<u32>,
    /// log2 of the modulus that it is rounded to.
    #[prost(uint32, tag = "2")]
    pub log2_modulus: u32,
}

/// A tensor that crosses the border between client and server: integers, one ciphertext for each element.
#[derive(Clone, PartialEq, Message)]
pub struct EncryptedPort {
    /// As the ONNX file names it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Shape of one sample.
    #[prost(uint64, repeated, tag = "2")]
    pub shape: Vec<u64>,
    /// Torus distance of neighbouring integers, in 2^-64.
    #[prost(fixed64, tag = "3")]
    pub spacing: u64,
    /// Smallest integer of each element, row-major.
    #[prost(sint64, repeated, tag = "4")]
    pub lo: Vec<i64>,
    /// Largest integer of each element, row-major.
    #[prost(sint64, repeated, tag = "5")]
    pub hi: Vec<i64>,
    /// Of an output: how it is returned; absent for whole ciphertexts.
    #[prost(message, optional, tag = "6")]
    pub returned: Option<Returned>,
}

/// `y = W x + b` on integers: `x` is the concatenation of the inputs, which may have different spacings.
#[derive(Clone, PartialEq, Message)]
pub struct Linear {
    /// Value numbers.
    #[prost(uint32, repeated, tag = "1")]
    pub inputs: Vec<u32>,
    /// Number of results.
    #[prost(uint32, tag = "2")]
    pub rows: u32,
    /// rows x columns, row-major.
    #[prost(sint64, repeated, tag = "3")]
    pub weights: Vec<i64>,
    /// One for each row.
    #[prost(sint64, repeated, tag = "4")]
    pub bias: Vec<i64>,
    /// Spacing of the result, a multiple of that of each input.
    #[prost(fixed64, tag = "5")]
    pub spacing: u64,
}

/// `y[i] = sum_j weights[j] * inputs[j][i] + bias[i]` on integers: a few lists of one length, element by element.
#[derive(Clone, PartialEq, Message)]
pub struct Combine {
    /// Value numbers, at least one.
    #[prost(uint32, repeated, tag = "1")]
    pub inputs: Vec<u32>,
    /// One for each input.
    #[prost(sint64, repeated, tag = "2")]
    pub weights: Vec<i64>,
    /// One for each element.
    #[prost(sint64, repeated, tag = "3")]
    pub bias: Vec<i64>,
    /// Spacing of the result, a multiple of that of each input.
    #[prost(fixed64, tag = "4")]
    pub spacing: u64,
}

/// What a bootstrap is for within its lookup; for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum Stage {
    /// Reads a table exactly.
    Table = 0,
    /// Brings a wide range to a window around the transition.
    Fold = 1,
    /// Finds the nearest threshold, or the nearest multiple of a step.
    Nearest = 2,
    /// Counts the thresholds below the nearest one.
    Count = 3,
    /// Reads on which side of 0 a difference lies.
    Sign = 4,
    /// Reads a table for an argument that may be off by the tolerance, as the user asked for.
    Approximate = 5,
}

/// Keyswitch to a small key and one bootstrap for each element; results under the big key.
///
/// A table may fill more than half the torus if it is negacyclic up to its center: entries half a turn apart add up to it.
#[derive(Clone, PartialEq, Message)]
pub struct Bootstrap {
    /// Value number.
    #[prost(uint32, tag = "1")]
    pub input: u32,
    /// log2 of the number of accumulators for each table; 0 is the plain bootstrap. At -1 two bootstraps that read one phase
    /// share a rotation, each the next one that the program has with the one before.
    #[prost(int32, tag = "2")]
    pub extension: i32,
    /// The distinct tables.
    #[prost(message, repeated, tag = "3")]
    pub tables: Vec<Table>,
    /// For each element the index of its table.
    #[prost(uint32, repeated, tag = "4")]
    pub table_of: Vec<u32>,
    /// Spacing of the results.
    #[prost(fixed64, tag = "5")]
    pub spacing: u64,
    /// Index of the key set.
    #[prost(uint32, tag = "6")]
    pub key: u32,
    /// By how many slots a reading may be off without any effect on the result of the lookup; 0 where it must be exact.
    #[prost(uint32, tag = "7")]
    pub tolerance: u32,
    /// One for each table: a phase half a turn beyond an entry `v` reads `center - v`. Empty where all are 0.
    #[prost(sint64, repeated, tag = "8")]
    pub centers: Vec<i64>,
    /// What the bootstrap is for.
    #[prost(enumeration = "Stage", tag = "9")]
    pub stage: i32,
    /// Number of the group of lookups that it is a stage of.
    #[prost(uint32, tag = "10")]
    pub lookup: u32,
}

/// Comparisons of one element with some thresholds.
#[derive(Clone, PartialEq, Message)]
pub struct Comparisons {
    /// Smallest value of the element.
    #[prost(sint64, tag = "1")]
    pub lo: i64,
    /// Its largest value.
    #[prost(sint64, tag = "2")]
    pub hi: i64,
    /// In increasing order, above `lo` and at most `hi`.
    #[prost(sint64, repeated, tag = "3")]
    pub thresholds: Vec<i64>,
}

/// Keyswitch to a small key and one bootstrap for each element, with as many results as the element has thresholds: 1 where
/// it is at least the threshold, else 0. All tables of an element are linear in them. Results of the first element come first.
///
/// All results of an element come out of one rotation: their noises are correlated.
#[derive(Clone, PartialEq, Message)]
pub struct Compare {
    /// Value number.
    #[prost(uint32, tag = "1")]
    pub input: u32,
    /// log2 of the number of accumulators; 0 is the plain bootstrap.
    #[prost(int32, tag = "2")]
    pub extension: i32,
    /// One for each element.
    #[prost(message, repeated, tag = "3")]
    pub elements: Vec<Comparisons>,
    /// Spacing of the results.
    #[prost(fixed64, tag = "4")]
    pub spacing: u64,
    /// Index of the key set.
    #[prost(uint32, tag = "5")]
    pub key: u32,
    /// Number of the group of lookups that are made of the results.
    #[prost(uint32, tag = "6")]
    pub lookup: u32,
    /// How many lookups these are; for reports.
    #[prost(uint32, tag = "7")]
    pub tables: u32,
}

/// What a step does.
#[derive(Clone, PartialEq, Oneof)]
#[allow(missing_docs)]
pub enum Action {
    #[prost(message, tag = "10")]
    Linear(Linear),
    #[prost(message, tag = "11")]
    Bootstrap(Bootstrap),
    #[prost(message, tag = "12")]
    Combine(Combine),
    #[prost(message, tag = "13")]
    Compare(Compare),
}

/// One step of the server.
#[derive(Clone, PartialEq, Message)]
pub struct Step {
    /// The ONNX node that it came from.
    #[prost(string, tag = "1")]
    pub node: String,
    /// Absent in a file from a newer version, which is refused.
    #[prost(oneof = "Action", tags = "10, 11, 12, 13")]
    pub action: Option<Action>,
}

/// The server's program. Values are flat lists of ciphertexts under the big key, numbered: inputs, then one for each step.
#[derive(Clone, PartialEq, Message)]
pub struct Server {
    /// The key sets.
    #[prost(message, repeated, tag = "1")]
    pub parameters: Vec<ParameterSet>,
    /// What the client sends.
    #[prost(message, repeated, tag = "2")]
    pub inputs: Vec<EncryptedPort>,
    /// In an order in which each uses only earlier values.
    #[prost(message, repeated, tag = "3")]
    pub steps: Vec<Step>,
    /// What the server returns.
    #[prost(message, repeated, tag = "4")]
    pub outputs: Vec<EncryptedPort>,
    /// The value number of each output.
    #[prost(uint32, repeated, tag = "5")]
    pub output_values: Vec<u32>,
}

/// Events of one kind that can fail: a modulus-switched phase that is read, or a decrypted output. One phase is one event,
/// however many tables are read at it.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// The ONNX node.
    #[prost(string, tag = "1")]
    pub node: String,
    /// How many of them one inference has.
    #[prost(uint32, tag = "2")]
    pub count: u32,
    /// Largest sum of squared weights on freshly encrypted inputs, the spacing's factor included.
    #[prost(double, tag = "3")]
    pub norm2_squared_inputs: f64,
    /// For each key set the largest sum of squared weights on results of its bootstraps, the spacing's factor included.
    #[prost(double, repeated, tag = "9")]
    pub norm2_squared_bootstraps: Vec<f64>,
    /// For a bootstrap the log2 of the number of accumulators for each table; absent for a decrypted output.
    #[prost(int32, optional, tag = "5")]
    pub extension: Option<i32>,
    /// Spacing at which the phase is read, in 2^-64.
    #[prost(fixed64, tag = "6")]
    pub spacing: u64,
    /// Width of the widest range read, in bits.
    #[prost(uint32, tag = "7")]
    pub width: u32,
    /// Largest width of the measured range, where calibration data was run.
    #[prost(uint32, optional, tag = "8")]
    pub measured_width: Option<u32>,
    /// For a bootstrap the index of its key set.
    #[prost(uint32, tag = "10")]
    pub key: u32,
    /// By how many slots the phase may be off without any effect.
    #[prost(uint32, tag = "11")]
    pub tolerance: u32,
    /// The groups of lookups that read the phase, in increasing order; none for a decrypted output.
    #[prost(uint32, repeated, tag = "12")]
    pub lookups: Vec<u32>,
    /// How many rotations read the phase of each element; 0 for a decrypted output.
    #[prost(uint32, tag = "13")]
    pub rotations: u32,
    /// For a decrypted output how it is returned.
    #[prost(message, optional, tag = "14")]
    pub returned: Option<Returned>,
    /// Whether the phase is compared with thresholds: these lie on positions of a plain bootstrap, whatever the extension.
    #[prost(bool, tag = "15")]
    pub compares: bool,
}

/// What the client needs, and nothing of the model's weights.
#[derive(Clone, PartialEq, Message)]
pub struct Client {
    /// Name of the model.
    #[prost(string, tag = "1")]
    pub model: String,
    /// BLAKE3 of the encoded `Server`: ciphertexts and keys carry it.
    #[prost(bytes = "vec", tag = "2")]
    pub program_hash: Vec<u8>,
    /// As in `Server`.
    #[prost(message, repeated, tag = "3")]
    pub parameters: Vec<ParameterSet>,
    /// Floats in, stored integers out (zero point subtracted): one output for each of `inputs`, in order.
    #[prost(message, optional, tag = "4")]
    pub quantize: Option<Graph>,
    /// Integers in, results out: one input for each of `outputs`, in order.
    #[prost(message, optional, tag = "5")]
    pub dequantize: Option<Graph>,
    /// As in `Server`.
    #[prost(message, repeated, tag = "6")]
    pub inputs: Vec<EncryptedPort>,
    /// As in `Server`.
    #[prost(message, repeated, tag = "7")]
    pub outputs: Vec<EncryptedPort>,
    /// Every event of one inference.
    #[prost(message, repeated, tag = "8")]
    pub events: Vec<Event>,
    /// Failure budget of one inference, log2.
    #[prost(double, optional, tag = "9")]
    pub p_error_log2: Option<f64>,
    /// Failure budget of one lookup, log2.
    #[prost(double, optional, tag = "10")]
    pub p_error_per_lookup_log2: Option<f64>,
    /// Smallest and largest value that each feature may have (`--input-range`), as declared; empty for none.
    #[prost(message, repeated, tag = "11")]
    pub declared: Vec<DeclaredRange>,
}

/// What the user declared about one float input: one bound, or one for each feature.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct DeclaredRange {
    #[prost(float, repeated, tag = "1")]
    pub lo: Vec<f32>,
    #[prost(float, repeated, tag = "2")]
    pub hi: Vec<f32>,
}

/// The whole artefact.
#[derive(Clone, PartialEq, Message)]
pub struct Program {
    /// The client's part.
    #[prost(message, optional, tag = "1")]
    pub client: Option<Client>,
    /// The server's part.
    #[prost(message, optional, tag = "2")]
    pub server: Option<Server>,
    /// The integer function of the server before rewriting: integers in, integers out. Absent when stripped.
    #[prost(message, optional, tag = "3")]
    pub quantized: Option<Graph>,
    /// The options of the compilation and the scales that calibration found, as JSON.
    #[prost(string, tag = "4")]
    pub configuration: String,
    /// Hash of the machine's cost table.
    #[prost(bytes = "vec", tag = "5")]
    pub machine_hash: Vec<u8>,
    /// The report of `cml inspect`, as JSON.
    #[prost(string, tag = "6")]
    pub report: String,
}
