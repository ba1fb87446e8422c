//! What can be wrong with a file of ours. Whoever made, moved or altered the file is at fault.

use crate::{parameters, reference};
use std::path::PathBuf;

/// A file that cannot be read, written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Something else altogether.
    #[error("{} is not a cml file", path.display())]
    NotCml {
        /// The file.
        path: PathBuf,
    },
    /// A file of ours, of another kind.
    #[error("{} is {found}, expected {expected}", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What was asked for, with its article.
        expected: String,
        /// What it is, with its article.
        found: String,
    },
    /// Written by another version.
    #[error("{} has format version {found}, this program reads {supported}; make the file again", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        supported: u32,
    },
    /// Shorter than it says.
    #[error("{} is truncated: it has {found} bytes of {expected}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes it should have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// The checksum or the length does not fit.
    #[error("{} has been altered: its checksum does not match; make or copy the file again", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
    },
    /// Larger than a file of its kind may be.
    #[error("{} has {found} bytes, more than the {limit} that {kind} may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: String,
        /// Its bytes.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The checksum is right but the content is no message of ours.
    #[error("{} cannot be decoded: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: prost::DecodeError,
    },
    /// A form of file that would fill the memory.
    #[error("{} holds {found} messages, more than the {limit} that are read", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// Steps, tables, nodes and so on.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The content contradicts itself, or promises what does not hold.
    #[error("{}: {source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        source: Box<Invalid>,
    },
}

/// A program, or a client's part of one, that cannot be run as it is. The compiler that made it is at fault.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// A part is absent.
    #[error("the program has no {what}")]
    Missing {
        /// The part.
        what: &'static str,
    },
    /// A clear computation is malformed.
    #[error("the {part} function: {source}")]
    Graph {
        /// Which one.
        part: &'static str,
        /// What is wrong.
        source: reference::Error,
    },
    /// Parameters, security or failure probability.
    #[error(transparent)]
    Parameters(#[from] parameters::Error),
    /// An encrypted input or output is malformed.
    #[error("{name}: {what}")]
    Port {
        /// Its name.
        name: String,
        /// What does not hold.
        what: &'static str,
    },
    /// A step of the server is malformed.
    #[error("step {index} ({node}): {what}")]
    Step {
        /// Position among the steps.
        index: usize,
        /// The ONNX node.
        node: String,
        /// What does not hold.
        what: &'static str,
    },
    /// Client, server and quantized function do not fit together.
    #[error("{what}")]
    Mismatch {
        /// What does not hold.
        what: &'static str,
    },
}
