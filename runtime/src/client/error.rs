//! What can go wrong on the client, and in the files that client and server exchange.

use std::path::PathBuf;

/// Why the client, or the reading of a key or ciphertext file, stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written, or is damaged.
    #[error(transparent)]
    File(Box<crate::program::Error>),
    /// Key or ciphertext of another program.
    #[error(
        "{}: this {kind} was made for another program ({found}), this one is {expected}; \
         generate keys and encrypt again with the bundle of this program",
        path.display()
    )]
    OtherProgram {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
        /// The first digits of the hash in the file.
        found: String,
        /// The first digits of the hash of the program.
        expected: String,
    },
    /// The content does not fit the program, though the file says that it belongs to it.
    #[error("{}: {found} bytes of content, this program needs {expected}; make the file again", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes that the file has.
        found: u64,
        /// Bytes that the parameters give.
        expected: u64,
    },
    /// The parameters are unsafe, or fail too often.
    #[error("no keys are made for this program: {0}")]
    Parameters(#[from] crate::parameters::Error),
    /// A bundle that contradicts itself, or lacks something that every compiled program has.
    #[error("the program is damaged or from another version: {0}")]
    Program(Box<crate::program::Invalid>),
    /// Key, ciphertexts and bundle are not all of one program.
    #[error(
        "the client key or the ciphertexts were made for another program; use the bundle of this program"
    )]
    Mixed,
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
    /// Not as many arrays as inputs.
    #[error("{found} arrays were given, the program has {expected} inputs: {names}")]
    InputCount {
        /// How many were given.
        found: usize,
        /// How many are needed.
        expected: usize,
        /// Their names.
        names: String,
    },
    /// An array does not fit its input.
    #[error("input {name}: shape {found}, expected {expected} (the first axis counts samples)")]
    InputShape {
        /// The input.
        name: String,
        /// The shape of the array.
        found: String,
        /// What would do.
        expected: String,
    },
    /// An array of integers for an input of floats, or the other way round.
    #[error("input {name}: {found} elements, expected {expected}")]
    InputElement {
        /// The input.
        name: String,
        /// What the array has.
        found: &'static str,
        /// What the input needs.
        expected: &'static str,
    },
    /// NaN or infinity.
    #[error("input {name}, sample {sample}: element {element} is {value}, which is not finite")]
    NotFinite {
        /// The input.
        name: String,
        /// Which sample, from 0.
        sample: usize,
        /// Which element of the sample, row-major from 0.
        element: usize,
        /// The value.
        value: f64,
    },
    /// Beyond what the program was compiled for.
    #[error(
        "input {name}, sample {sample}: element {element} is {value}, the program was compiled for {lo} to {hi} \
         (--input-range)"
    )]
    OutOfDeclaredRange {
        /// The input.
        name: String,
        /// Which sample, from 0.
        sample: usize,
        /// Which element of the sample, row-major from 0.
        element: usize,
        /// The value.
        value: f32,
        /// Declared bound.
        lo: f32,
        /// Declared bound.
        hi: f32,
    },
    /// `--strict` and values beyond the calibrated range.
    #[error(
        "{count} input values are outside of the calibrated range and would be clipped, the first in sample {sample}; \
         leave out --strict to accept this, or calibrate with data that has them"
    )]
    Clipped {
        /// How many.
        count: u64,
        /// The first sample that has one, from 0.
        sample: usize,
    },
    /// An integer that the program's input cannot hold.
    #[error(
        "input {name}, sample {sample}: element {element} is {value}, the encrypted input holds {lo} to {hi}"
    )]
    Unencodable {
        /// The input.
        name: String,
        /// Which sample, from 0.
        sample: usize,
        /// Which element of the sample, row-major from 0.
        element: usize,
        /// The integer.
        value: i64,
        /// Smallest.
        lo: i64,
        /// Largest.
        hi: i64,
    },
    /// The client's own computation failed.
    #[error("the client's part of the program: {0}")]
    Graph(Box<crate::reference::Error>),
}

impl From<crate::program::Error> for Error {
    fn from(error: crate::program::Error) -> Self {
        Self::File(Box::new(error))
    }
}

impl From<crate::program::Invalid> for Error {
    fn from(error: crate::program::Invalid) -> Self {
        Self::Program(Box::new(error))
    }
}

impl From<crate::reference::Error> for Error {
    fn from(error: crate::reference::Error) -> Self {
        Self::Graph(Box::new(error))
    }
}
