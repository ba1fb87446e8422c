//! What key and ciphertext files hold: the hash of the program that they belong to, then the payload.
//!
//! Sizes follow from the program's parameters and are checked here, before anything of `tfhe` sees the content, whose
//! constructors panic on wrong lengths. Numbers are little-endian. The frame around (kind, version, checksum, limits)
//! is that of all our files: [`crate::program::file`].

use super::{Error, ProgramHash};
use crate::program::FileKind;
use crate::program::file;
use std::path::Path;
use zeroize::Zeroizing;

const HASH: usize = 32;

/// Writes a file, complete or not at all.
pub(crate) fn write(
    path: &Path,
    kind: FileKind,
    program: &ProgramHash,
    payload: &[&[u8]],
) -> Result<(), Error> {
    let size = payload.iter().map(|part| part.len()).sum::<usize>();
    let mut content = Zeroizing::new(Vec::with_capacity(HASH + size));
    content.extend_from_slice(program);
    payload.iter().for_each(|part| content.extend_from_slice(part));
    Ok(file::write(path, kind, &content)?)
}

/// The content of a file; wiped when dropped.
pub(crate) struct Payload(Zeroizing<Vec<u8>>);

impl std::ops::Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[HASH..]
    }
}

/// Reads a file of this kind that belongs to this program.
pub(crate) fn read(path: &Path, kind: FileKind, program: &ProgramHash) -> Result<Payload, Error> {
    let (_, content) = file::read(path, &[kind])?;
    let Some(hash) = content.first_chunk::<HASH>() else {
        return expect_size(path, content.len(), HASH as u64).map(|()| Payload(content));
    };
    if hash != program {
        let (found, expected) = (short(hash), short(program));
        return Err(Error::OtherProgram { path: path.to_owned(), kind: kind.text(), found, expected });
    }
    Ok(Payload(content))
}

fn short(hash: &[u8]) -> String {
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses a payload of another size than the program's parameters give.
pub(crate) fn expect_size(path: &Path, found: usize, expected: u64) -> Result<(), Error> {
    if found as u64 == expected {
        return Ok(());
    }
    Err(Error::Size { path: path.to_owned(), found: found as u64, expected })
}

/// Little-endian words.
pub(crate) fn to_bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The inverse of [`to_bytes`]; bytes beyond the last whole word are left out.
pub(crate) fn to_words(bytes: &[u8]) -> Vec<u64> {
    let word = |part: &[u8]| u64::from_le_bytes(std::array::from_fn(|index| part[index]));
    bytes.chunks_exact(8).map(word).collect()
}

/// The samples of a ciphertext file, not yet taken apart.
pub(crate) struct Samples<'a> {
    /// How many there are.
    pub(crate) count: u64,
    rest: &'a [u8],
}

impl<'a> Samples<'a> {
    /// Takes bytes from the front; all samples together have as many as `samples` checked.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (front, back) = self.rest.split_at(count);
        self.rest = back;
        front
    }
}

/// Checks that a payload is a number of samples, and then as many of this size.
pub(crate) fn samples<'a>(path: &Path, payload: &'a [u8], per_sample: u64) -> Result<Samples<'a>, Error> {
    let Some((count, rest)) = payload.split_first_chunk::<8>() else {
        expect_size(path, payload.len(), 8 + per_sample)?;
        return Ok(Samples { count: 0, rest: &[] });
    };
    let count = u64::from_le_bytes(*count);
    // Samples without content would let a small file claim any number of them: each has to bring a byte, which none has.
    let claimed = count.saturating_mul(per_sample.max(1));
    expect_size(path, rest.len(), claimed)?;
    Ok(Samples { count, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_samples_is_held_against_the_size_of_the_file() {
        let file = |count: u64, rest: usize| [&count.to_le_bytes()[..], &vec![0; rest]].concat();
        let count =
            |payload: &[u8], each| samples(Path::new("x.ct"), payload, each).ok().map(|found| found.count);
        assert_eq!(count(&file(3, 48), 16), Some(3));
        assert_eq!(count(&file(0, 0), 16), Some(0));
        assert_eq!(count(&file(3, 47), 16), None);
        assert_eq!(count(&file(1 << 60, 0), 16), None);
        assert_eq!(count(&[0; 7], 16), None);
        // Samples without content.
        assert_eq!(count(&file(1 << 60, 0), 0), None);
        assert_eq!(count(&file(1 << 60, 1), 0), None);
    }
}
