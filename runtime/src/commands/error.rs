//! What stops a command.

/// Why a command stopped; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program or bundle cannot be used.
    #[error(transparent)]
    Program(Box<crate::program::Error>),
    /// A program contradicts itself.
    #[error(transparent)]
    Invalid(Box<crate::program::Invalid>),
    /// Keys, ciphertexts or inputs.
    #[error(transparent)]
    Client(#[from] crate::client::Error),
    /// The evaluation.
    #[error(transparent)]
    Server(#[from] crate::server::Error),
    /// Arrays in files.
    #[error(transparent)]
    Arrays(Box<crate::arrays::Error>),
    /// Names on the command line and in the program differ.
    #[error("an {what} was given for {}, the program has {}; name each: {}=FILE", given.join(", "), expected.join(", "), expected.first().map_or("NAME", String::as_str))]
    Names {
        /// `input` or `output`.
        what: &'static str,
        /// Names on the command line.
        given: Vec<String>,
        /// Names of the program.
        expected: Vec<String>,
    },
    /// Two outputs that would overwrite each other.
    #[error("{} is given for two outputs; name another file for one of them", path.display())]
    SameFile {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A program without its quantized function.
    #[error("the program was stripped of its quantized function; compile it without stripping")]
    Stripped,
}

impl From<crate::program::Error> for Error {
    fn from(error: crate::program::Error) -> Self {
        Self::Program(Box::new(error))
    }
}

impl From<crate::program::Invalid> for Error {
    fn from(error: crate::program::Invalid) -> Self {
        Self::Invalid(Box::new(error))
    }
}

impl From<crate::arrays::Error> for Error {
    fn from(error: crate::arrays::Error) -> Self {
        Self::Arrays(Box::new(error))
    }
}
