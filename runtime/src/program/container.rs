//! Programs and client bundles as files.

use super::error::{Error, Invalid};
use super::file::{self, FileKind};
use super::message::{Client, Program, Server};
use super::scan;
use prost::Message;
use std::path::Path;

impl Server {
    /// BLAKE3 of the encoded server: keys and ciphertexts carry it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.encode_to_vec()).as_bytes()
    }
}

impl Program {
    /// Writes `model.cml`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a program that [`Program::check`] refuses; [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        self.check().map_err(invalid(path))?;
        file::write(path, FileKind::Program, &self.encode_to_vec())
    }

    /// Reads `model.cml` and checks it: form, security, failure probability.
    ///
    /// # Errors
    /// [`Error`] names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let (_, content) = file::read(path, &[FileKind::Program])?;
        let program: Self = decode(path, &content, &scan::PROGRAM)?;
        program.check().map_err(invalid(path))?;
        Ok(program)
    }
}

impl Client {
    /// Writes `client.cml`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a client that [`Client::check`] refuses; [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        self.check().map_err(invalid(path))?;
        file::write(path, FileKind::Client, &self.encode_to_vec())
    }
}

/// Reads a client bundle, or the client's part of a program, and checks it: form, security, failure probability.
///
/// # Errors
/// [`Error`] names the file and what is wrong with it.
pub fn load_client(path: &Path) -> Result<Client, Error> {
    let (kind, content) = file::read(path, &[FileKind::Client, FileKind::Program])?;
    if kind == FileKind::Client {
        let client: Client = decode(path, &content, &scan::CLIENT)?;
        client.check().map_err(invalid(path))?;
        return Ok(client);
    }
    let program: Program = decode(path, &content, &scan::PROGRAM)?;
    program.check().map_err(invalid(path))?;
    program.client.ok_or(Invalid::Missing { what: "client" }).map_err(invalid(path))
}

fn decode<M: Message + Default>(path: &Path, content: &[u8], form: &scan::Form) -> Result<M, Error> {
    let (found, limit) = (scan::count(content, form), scan::MAX_MESSAGES);
    if found > limit {
        return Err(Error::TooMany { path: path.to_owned(), found, limit });
    }
    M::decode(content).map_err(|source| Error::Malformed { path: path.to_owned(), source })
}

fn invalid(path: &Path) -> impl Fn(Invalid) -> Error {
    move |source| Error::Invalid { path: path.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::small_program;
    use super::*;

    #[test]
    fn a_program_comes_back_and_holds_its_client() {
        let folder = tempfile::tempdir().unwrap();
        let (model, bundle) = (folder.path().join("model.cml"), folder.path().join("client.cml"));
        let program = small_program();
        program.save(&model).unwrap();
        assert_eq!(Program::load(&model).unwrap(), program);
        let client = load_client(&model).unwrap();
        client.save(&bundle).unwrap();
        assert_eq!(load_client(&bundle).unwrap(), client);
        let refused = Program::load(&bundle).unwrap_err().to_string();
        assert!(refused.ends_with("is a client bundle, expected a program"), "{refused}");
    }

    #[test]
    fn an_unsound_program_is_neither_written_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.cml");
        let mut program = small_program();
        if let Some(client) = &mut program.client {
            client.p_error_log2 = Some(-4000.0);
        }
        let refused = program.save(&path).unwrap_err().to_string();
        assert!(refused.contains("one inference fails with probability"), "{refused}");
        assert!(!path.exists());
        file::write(&path, FileKind::Program, &program.encode_to_vec()).unwrap();
        assert!(matches!(Program::load(&path), Err(Error::Invalid { .. })));
        assert!(matches!(load_client(&path), Err(Error::Invalid { .. })));
    }

    #[test]
    fn content_that_is_no_message_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.cml");
        file::write(&path, FileKind::Program, &[0xff; 40]).unwrap();
        assert!(matches!(Program::load(&path), Err(Error::Malformed { .. })));
    }

    #[test]
    fn a_small_file_does_not_fill_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.cml");
        // Field 2 is the server; its field 3, two bytes each time, is one more empty step.
        let steps = [0x1a, 0x00].repeat(1 << 20 | 1);
        let mut content = vec![0x12];
        prost::encode_length_delimiter(steps.len(), &mut content).unwrap();
        content.extend(steps);
        file::write(&path, FileKind::Program, &content).unwrap();
        assert!(matches!(Program::load(&path), Err(Error::TooMany { .. })));
        assert!(matches!(load_client(&path), Err(Error::TooMany { .. })));
    }

    #[test]
    fn the_hash_depends_on_every_step() {
        let server = small_program().server.unwrap();
        let mut other = server.clone();
        other.steps[0].node.push('x');
        assert_ne!(server.hash(), other.hash());
        assert_eq!(server.hash(), server.clone().hash());
    }
}
