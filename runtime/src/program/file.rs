//! Files of ours on disk: a header that names kind, version, length and checksum, then the content.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `\x89cml\r\n\x1a\n`: damaged by a transfer as text, it is recognised no longer |
//! | 4 | kind, little-endian |
//! | 4 | format version, little-endian |
//! | 8 | length of the content, little-endian |
//! | 32 | BLAKE3 of the 24 bytes above and the content |
//!
//! The checksum finds damage, not malice: whoever alters a file can compute it anew. So everything decoded is checked as well.

use super::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Version of all our files; raised when an older reader would misread a newer file.
pub const FORMAT_VERSION: u32 = 2;

const MAGIC: [u8; 8] = *b"\x89cml\r\n\x1a\n";
const PREFIX: usize = 24;
const HEADER: usize = PREFIX + blake3::OUT_LEN;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `model.cml`: server, client and quantized function.
    Program,
    /// `client.cml`: what the client needs.
    Client,
    /// The secret keys.
    ClientKey,
    /// The keyswitching and bootstrapping keys.
    EvaluationKey,
    /// Encrypted inputs.
    EncryptedInput,
    /// Encrypted outputs.
    EncryptedOutput,
}

impl FileKind {
    const ALL: [Self; 6] = [
        Self::Program,
        Self::Client,
        Self::ClientKey,
        Self::EvaluationKey,
        Self::EncryptedInput,
        Self::EncryptedOutput,
    ];

    /// As written in messages.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Client => "client bundle",
            Self::ClientKey => "client key",
            Self::EvaluationKey => "evaluation key",
            Self::EncryptedInput => "file of encrypted inputs",
            Self::EncryptedOutput => "file of encrypted outputs",
        }
    }

    /// The same with its article.
    fn one(self) -> String {
        let article = if self == Self::EvaluationKey { "an" } else { "a" };
        format!("{article} {}", self.text())
    }

    /// Most bytes of the content.
    #[must_use]
    pub fn limit(self) -> u64 {
        match self {
            Self::Program => 1 << 28,
            Self::Client => 1 << 24,
            Self::ClientKey => 1 << 20,
            Self::EvaluationKey | Self::EncryptedInput | Self::EncryptedOutput => 1 << 36,
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::Program => 1,
            Self::Client => 2,
            Self::ClientKey => 3,
            Self::EvaluationKey => 4,
            Self::EncryptedInput => 5,
            Self::EncryptedOutput => 6,
        }
    }

    /// Whether only the owner may read such a file.
    fn is_secret(self) -> bool {
        self == Self::ClientKey
    }
}

/// Writes a file; it appears complete or not at all, a secret one readable by its owner only.
///
/// # Errors
/// [`Error::Io`], [`Error::TooLarge`].
pub fn write(path: &Path, kind: FileKind, content: &[u8]) -> Result<(), Error> {
    let length = content.len() as u64;
    if length > kind.limit() {
        let (kind, limit) = (kind.one(), kind.limit());
        return Err(Error::TooLarge { path: path.to_owned(), kind, found: length, limit });
    }
    let mut prefix = [0; PREFIX];
    prefix[..8].copy_from_slice(&MAGIC);
    prefix[8..12].copy_from_slice(&kind.code().to_le_bytes());
    prefix[12..16].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    prefix[16..].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(&prefix, content);
    write_atomically(path, kind.is_secret(), |file| {
        file.write_all(&prefix)?;
        file.write_all(checksum.as_bytes())?;
        file.write_all(content)
    })
}

/// Reads a file of one of the given kinds; allocates once, no more than the file is long. The content, which may be
/// secret keys, is wiped when dropped.
///
/// # Errors
/// Every [`Error`] but those of the content's meaning.
pub fn read(path: &Path, kinds: &[FileKind]) -> Result<(FileKind, Zeroizing<Vec<u8>>), Error> {
    let io = |source| Error::Io { path: path.to_owned(), action: "read", source };
    let mut file = File::open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?.len();
    let mut header = Vec::with_capacity(HEADER);
    Read::by_ref(&mut file).take(HEADER as u64).read_to_end(&mut header).map_err(io)?;
    let (kind, length) = parse_header(path, &header, kinds)?;
    let expected = length.saturating_add(HEADER as u64);
    if found < expected {
        return Err(Error::Truncated { path: path.to_owned(), expected, found });
    }
    let altered = || Error::Altered { path: path.to_owned() };
    // A vector that grows would leave copies of secret keys behind.
    let mut content = Zeroizing::new(vec![0; usize::try_from(length).map_err(|_| altered())?]);
    file.read_exact(&mut content).map_err(io)?;
    let is_longer = file.read(&mut [0]).map_err(io)? > 0;
    if is_longer || checksum(&header[..PREFIX], &content).as_bytes() != &header[PREFIX..] {
        return Err(altered());
    }
    Ok((kind, content))
}

fn parse_header(path: &Path, header: &[u8], kinds: &[FileKind]) -> Result<(FileKind, u64), Error> {
    let path = || path.to_owned();
    if !header.starts_with(&MAGIC) {
        return Err(Error::NotCml { path: path() });
    }
    let word = |from: usize| {
        let bytes = header.get(from..from + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or_else(|| Error::Truncated {
            path: path(),
            expected: HEADER as u64,
            found: header.len() as u64,
        })
    };
    let (code, version) = (word(8)?, word(12)?);
    let length = u64::from(word(16)?) | u64::from(word(20)?) << 32;
    if header.len() < HEADER {
        return Err(Error::Truncated { path: path(), expected: HEADER as u64, found: header.len() as u64 });
    }
    if version != FORMAT_VERSION {
        return Err(Error::Version { path: path(), found: version, supported: FORMAT_VERSION });
    }
    let kind = FileKind::ALL.into_iter().find(|kind| kind.code() == code);
    let Some(kind) = kind.filter(|kind| kinds.contains(kind)) else {
        let expected: Vec<String> = kinds.iter().map(|kind| kind.one()).collect();
        let found = kind.map_or_else(|| format!("a file of unknown kind {code}"), FileKind::one);
        return Err(Error::Kind { path: path(), expected: expected.join(" or "), found });
    };
    if length > kind.limit() {
        let limit = kind.limit();
        return Err(Error::TooLarge { path: path(), kind: kind.one(), found: length, limit });
    }
    Ok((kind, length))
}

fn checksum(prefix: &[u8], content: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(prefix);
    hasher.update(content);
    hasher.finalize()
}

/// Refuses a place that [`write_atomically`] could not write to, before work is done for it.
///
/// # Errors
/// [`Error::Io`].
pub fn check_writable(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        let source = std::io::ErrorKind::IsADirectory.into();
        return Err(Error::Io { path: path.to_owned(), action: "write", source });
    }
    beside(path, &tempfile::Builder::new()).map(drop)
}

/// A new file in the folder of a path.
fn beside(path: &Path, builder: &tempfile::Builder<'_, '_>) -> Result<tempfile::NamedTempFile, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = builder.tempfile_in(folder.unwrap_or(Path::new(".")));
    made.map_err(|source| Error::Io { path: path.to_owned(), action: "write", source })
}

/// Lets `fill` write a new file beside `path`, then puts it in place at once; on any error nothing is left behind.
///
/// # Errors
/// [`Error::Io`].
pub fn write_atomically(
    path: &Path,
    secret: bool,
    fill: impl FnOnce(&mut std::io::BufWriter<&File>) -> std::io::Result<()>,
) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), action: "write", source };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What the umask leaves of it, as for any file.
        builder.permissions(std::fs::Permissions::from_mode(if secret { 0o600 } else { 0o666 }));
    }
    let temporary = beside(path, &builder)?;
    // What a buffer holds of a secret would stay in memory: secrets are written past it. A lost secret key cannot be made
    // again, so it is on the disk before it replaces an older one.
    let buffer = if secret { 0 } else { 1 << 16 };
    let mut writer = std::io::BufWriter::with_capacity(buffer, temporary.as_file());
    fill(&mut writer).map_err(io)?;
    writer.flush().map_err(io)?;
    drop(writer);
    if secret {
        temporary.as_file().sync_all().map_err(io)?;
    }
    temporary.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cml");
        write(&path, FileKind::Client, b"content").unwrap();
        let both = [FileKind::Program, FileKind::Client];
        assert_eq!(read(&path, &both).unwrap(), (FileKind::Client, b"content".to_vec().into()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_file_and_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cml");
        let message = |kinds: &[FileKind]| {
            read(&path, kinds).unwrap_err().to_string().replace(path.to_str().unwrap(), "a.cml")
        };
        assert!(message(&[FileKind::Program]).starts_with("cannot read a.cml: "));
        std::fs::write(&path, "hello").unwrap();
        assert_eq!(message(&[FileKind::Program]), "a.cml is not a cml file");
        write(&path, FileKind::ClientKey, b"secret").unwrap();
        assert_eq!(
            message(&[FileKind::Client, FileKind::Program]),
            "a.cml is a client key, expected a client bundle or a program"
        );
        assert_eq!(message(&[FileKind::EvaluationKey]), "a.cml is a client key, expected an evaluation key");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 2]).unwrap();
        assert_eq!(message(&[FileKind::ClientKey]), "a.cml is truncated: it has 60 bytes of 62");
        let mut longer = bytes.clone();
        longer.push(0);
        std::fs::write(&path, longer).unwrap();
        assert!(message(&[FileKind::ClientKey]).starts_with("a.cml has been altered"));
        let mut newer = bytes.clone();
        newer[12] = 9;
        std::fs::write(&path, newer).unwrap();
        assert!(
            message(&[FileKind::ClientKey]).starts_with("a.cml has format version 9, this program reads 2")
        );
        let mut huge = bytes;
        huge[23] = 1;
        std::fs::write(&path, huge).unwrap();
        assert!(message(&[FileKind::ClientKey]).contains("more than the 1048576 that a client key may have"));
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.key");
        write(&path, FileKind::ClientKey, b"secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("y.npy");
        std::fs::write(&path, "old").unwrap();
        let failed = write_atomically(&path, false, |file| {
            file.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().ends_with("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    proptest! {
        #[test]
        fn any_flipped_bit_or_cut_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.cml");
            write(&path, FileKind::Program, &[7; 100]).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            for damaged in [&flipped[..], &bytes[..at]] {
                std::fs::write(&path, damaged).unwrap();
                prop_assert!(read(&path, &[FileKind::Program, FileKind::Client]).is_err());
            }
        }
    }
}
