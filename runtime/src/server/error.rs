//! What can go wrong while a program runs. A compiler that proved its ranges makes none of it happen.

/// Why an executor stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program cannot be run.
    #[error(transparent)]
    Program(Box<crate::program::Invalid>),
    /// The inputs are not those of the program.
    #[error("{found} values were given for input {name}, expected {expected}")]
    InputSize {
        /// The input.
        name: String,
        /// Integers or ciphertexts given.
        found: usize,
        /// What the program has.
        expected: usize,
    },
    /// Not as many inputs as the program has.
    #[error("{found} inputs were given, the program has {expected}")]
    InputCount {
        /// How many were given.
        found: usize,
        /// How many are needed.
        expected: usize,
    },
    /// A key or ciphertexts of another program.
    #[error(
        "{what} was made for another program; generate keys and encrypt again with the bundle of this program"
    )]
    OtherProgram {
        /// Which of them.
        what: &'static str,
    },
    /// A sum leaves 64 bits.
    #[error("{node}: element {element} overflows 64 bits; the ranges of the program are wrong")]
    Overflow {
        /// The ONNX node.
        node: String,
        /// Which element, from 0.
        element: usize,
    },
    /// A lookup reads beside its table.
    #[error(
        "{node}: element {element} is {value}, its table covers {lo} to {hi}; the ranges of the program are wrong, or \
         the input is none that the client's quantizer can make"
    )]
    OutsideTable {
        /// The ONNX node.
        node: String,
        /// Which element, from 0.
        element: usize,
        /// What is looked up.
        value: i64,
        /// First entry.
        lo: i64,
        /// Last entry.
        hi: i64,
    },
}

impl From<crate::program::Invalid> for Error {
    fn from(error: crate::program::Invalid) -> Self {
        Self::Program(Box::new(error))
    }
}
