//! What can go wrong on the way out. A module that the passes of this workspace made causes none of it.

use std::path::PathBuf;

/// Why no program, report or source could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The module is not as the level of ciphertexts has to be.
    #[error(transparent)]
    Ir(#[from] cml_dialects::ir::IrError),
    /// The program that comes out cannot be run, or breaks its own promises.
    #[error(transparent)]
    Invalid(Box<cml_runtime::program::Invalid>),
    /// No server can run the program.
    #[error(transparent)]
    Server(#[from] cml_runtime::server::Error),
    /// The numbers of the program cannot be assessed.
    #[error(transparent)]
    Parameters(#[from] cml_runtime::parameters::Error),
    /// An attribute of the module does not hold what it should.
    #[error("module attribute `{name}`: expected {expected}")]
    Attribute {
        /// Its name.
        name: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A file cannot be written.
    #[error(transparent)]
    File(Box<cml_runtime::program::Error>),
    /// A folder cannot be made.
    #[error("cannot make the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Something is already where a crate is to be written.
    #[error("{} exists and is no empty folder; name another or remove it", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
}

impl From<cml_runtime::program::Invalid> for Error {
    fn from(source: cml_runtime::program::Invalid) -> Self {
        Self::Invalid(Box::new(source))
    }
}

impl From<cml_runtime::program::Error> for Error {
    fn from(source: cml_runtime::program::Error) -> Self {
        Self::File(Box::new(source))
    }
}
