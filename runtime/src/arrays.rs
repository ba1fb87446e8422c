//! Arrays in `.npy` and `.npz` files: `x.npy`, `data.npz:x_test`, `data.npz:x_test[0:250]` (rows of the first axis).
//!
//! The form of `.npy` is read here and not by a library: a hostile header must neither allocate what the file does not hold
//! nor recurse.

mod npy;

use crate::program::{self, file::write_atomically};
use crate::reference::MAX_ELEMENTS;
use ndarray::{ArrayD, Axis, Slice};
use ndarray_npy::WriteNpyExt;
use npy::Elements;
use std::fmt::{Display, Formatter};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use zip::ZipArchive;

/// Most bytes of one array in a file.
const MAX_BYTES: u64 = 1 << 30;

/// An array that cannot be read or written. The file, or the way it is named, is at fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text does not name an array.
    #[error("{text}: {what}; write file.npy, file.npz:name, and rows as file.npz:name[0:250]")]
    Source {
        /// The text.
        text: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The operating system refuses.
    #[error("cannot read {place}: {source}")]
    Io {
        /// The file.
        place: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Neither `.npy` nor `.npz`.
    #[error("{place} is neither a .npy nor a .npz file")]
    NotAnArray {
        /// The file.
        place: String,
    },
    /// The archive is damaged.
    #[error("cannot read {place}: {source}")]
    Archive {
        /// The file.
        place: String,
        /// What is wrong.
        source: zip::result::ZipError,
    },
    /// The archive has no array of that name, or several and none was named.
    #[error("{place} {problem}; it has {names}")]
    Name {
        /// The file.
        place: String,
        /// What is wrong.
        problem: String,
        /// The names that it has.
        names: String,
    },
    /// A name for a file that holds one array without one.
    #[error("{place} holds a single array: leave out the name")]
    NoNames {
        /// The file.
        place: String,
    },
    /// The header cannot be read.
    #[error("the header of {place} is damaged: {what}")]
    Header {
        /// The array.
        place: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Elements of a kind that is no number of ours.
    #[error("{place} has elements of kind {kind}; convert them with .astype('float32')")]
    Kind {
        /// The array.
        place: String,
        /// numpy's name of the kind.
        kind: String,
    },
    /// More elements than an array may have.
    #[error("{place} is too large: at most {limit} {unit} are read")]
    TooLarge {
        /// The array.
        place: String,
        /// The limit.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Other data than the header says.
    #[error("{place} is damaged: shape {shape:?} needs {expected} bytes of data, it has {found}")]
    Length {
        /// The array.
        place: String,
        /// Shape by the header.
        shape: Vec<usize>,
        /// Bytes by the header.
        expected: usize,
        /// Bytes in the file.
        found: usize,
    },
    /// Rows that the array does not have.
    #[error("rows {start}:{end} of {place} do not exist: its shape is {shape:?}")]
    Rows {
        /// The array.
        place: String,
        /// First row.
        start: usize,
        /// Row after the last.
        end: String,
        /// Shape of the array.
        shape: Vec<usize>,
    },
    /// A number that is no integer, where integers are needed.
    #[error("{place} has the element {value}, expected integers")]
    NotAnInteger {
        /// The array.
        place: String,
        /// The first such number.
        value: f64,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] program::Error),
}

/// Where an array is: a file, a name inside an archive, rows of its first axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArraySource {
    /// A `.npy` or `.npz` file.
    pub path: PathBuf,
    /// The name in a `.npz` file.
    pub name: Option<String>,
    /// First row and row after the last; `None` as end means all that follow.
    pub rows: Option<(usize, Option<usize>)>,
}

impl FromStr for ArraySource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |what| Error::Source { text: text.to_owned(), what };
        let (rest, rows) = match text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
            None => (text, None),
            Some((rest, rows)) => (rest, Some(parse_rows(rows).map_err(refuse)?)),
        };
        let (path, name) = match rest.rsplit_once(".npz:") {
            Some((stem, name)) => (format!("{stem}.npz"), Some(name.to_owned())),
            None => (rest.to_owned(), None),
        };
        if path.is_empty() || name.as_ref().is_some_and(String::is_empty) {
            return Err(refuse("a name is missing"));
        }
        Ok(Self { path: path.into(), name, rows })
    }
}

fn parse_rows(text: &str) -> Result<(usize, Option<usize>), &'static str> {
    let (start, end) = text.split_once(':').ok_or("rows need a colon")?;
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| "rows are not numbers");
    let start = if start.trim().is_empty() { 0 } else { number(start)? };
    let end = if end.trim().is_empty() { None } else { Some(number(end)?) };
    if end.is_some_and(|end| end < start) { Err("rows end before they start") } else { Ok((start, end)) }
}

impl Display for ArraySource {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(name) = &self.name {
            write!(f, ":{name}")?;
        }
        match self.rows {
            None => Ok(()),
            Some((start, None)) => write!(f, "[{start}:]"),
            Some((start, Some(end))) => write!(f, "[{start}:{end}]"),
        }
    }
}

impl ArraySource {
    /// The array as floats; integers and booleans are converted.
    ///
    /// # Errors
    /// [`Error`] names the file and what is wrong.
    pub fn load_floats(&self) -> Result<ArrayD<f32>, Error> {
        self.load(|elements| Ok(elements.into_floats()))
    }

    /// The array as integers, of labels for instance; floats must be whole.
    ///
    /// # Errors
    /// [`Error`] names the file and what is wrong.
    pub fn load_integers(&self) -> Result<ArrayD<i64>, Error> {
        let place = self.array().to_string();
        self.load(|elements| elements.into_integers().map_err(|value| Error::NotAnInteger { place, value }))
    }

    fn load<T: Clone>(
        &self,
        convert: impl FnOnce(Elements) -> Result<Vec<T>, Error>,
    ) -> Result<ArrayD<T>, Error> {
        let place = self.array().to_string();
        let (header, elements) = npy::parse(&place, &self.read()?)?;
        let shape = header.shape.clone();
        let layout = if header.fortran { npy::reversed(&shape) } else { shape.clone() };
        let array = ArrayD::from_shape_vec(layout, convert(elements)?)
            .map_err(|_| Error::Header { place, what: "the shape cannot be" })?;
        let array = if header.fortran { array.reversed_axes() } else { array };
        self.select(&array)
    }

    fn select<T: Clone>(&self, array: &ArrayD<T>) -> Result<ArrayD<T>, Error> {
        let Some((start, end)) = self.rows else { return Ok(array.as_standard_layout().into_owned()) };
        let rows = array.shape().first().copied().unwrap_or(0);
        let Range { start, end } = start..end.unwrap_or(rows);
        if array.ndim() == 0 || start > rows || end > rows {
            let end = self.rows.and_then(|(_, end)| end).map_or(String::new(), |end| end.to_string());
            let (place, shape) = (self.array().to_string(), array.shape().to_vec());
            return Err(Error::Rows { place, start, end, shape });
        }
        let chosen = array.slice_axis(Axis(0), Slice::from(start..end));
        Ok(chosen.as_standard_layout().into_owned())
    }

    /// The whole array, as messages name it.
    fn array(&self) -> Self {
        Self { rows: None, ..self.clone() }
    }

    /// The bytes of the `.npy` file, by itself or inside an archive.
    fn read(&self) -> Result<Vec<u8>, Error> {
        let place = || self.path.display().to_string();
        let io = |source| Error::Io { place: place(), source };
        let mut file = File::open(&self.path).map_err(io)?;
        let mut start = vec![];
        file.by_ref().take(npy::MAGIC.len() as u64).read_to_end(&mut start).map_err(io)?;
        if start == npy::MAGIC {
            if self.name.is_some() {
                return Err(Error::NoNames { place: place() });
            }
            return read_limited(file, start, &place());
        }
        if !start.starts_with(b"PK") {
            return Err(Error::NotAnArray { place: place() });
        }
        let damaged = |source| Error::Archive { place: self.to_string(), source };
        let mut archive = ZipArchive::new(file).map_err(damaged)?;
        let entry = self.entry(&archive)?;
        let array = archive.by_name(&entry).map_err(damaged)?;
        read_limited(array, vec![], &self.array().to_string())
    }

    /// The archive's name of the array.
    fn entry(&self, archive: &ZipArchive<File>) -> Result<String, Error> {
        let mut entries: Vec<&str> = archive.file_names().collect();
        entries.sort_unstable();
        let stripped = |entry: &str| entry.strip_suffix(".npy").unwrap_or(entry).to_owned();
        let problem = match &self.name {
            Some(name) => match entries.iter().find(|entry| stripped(entry) == *name) {
                Some(entry) => return Ok((*entry).to_owned()),
                None => format!("has no array {name}"),
            },
            None if entries.len() == 1 => return Ok(entries[0].to_owned()),
            None => "does not hold a single array: name one, as file.npz:name".to_owned(),
        };
        let names: Vec<String> = entries.iter().take(50).map(|entry| stripped(entry)).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Error::Name { place: self.path.display().to_string(), problem, names })
    }
}

fn read_limited(reader: impl Read, mut bytes: Vec<u8>, place: &str) -> Result<Vec<u8>, Error> {
    let io = |source| Error::Io { place: place.to_owned(), source };
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::TooLarge { place: place.to_owned(), limit: MAX_BYTES, unit: "bytes" });
    }
    Ok(bytes)
}

/// Writes a `.npy` file of floats; it appears complete or not at all.
///
/// # Errors
/// [`Error::Write`].
pub fn save_floats(path: &Path, array: &ArrayD<f32>) -> Result<(), Error> {
    save(path, array)
}

/// Writes a `.npy` file of integers; it appears complete or not at all.
///
/// # Errors
/// [`Error::Write`].
pub fn save_integers(path: &Path, array: &ArrayD<i64>) -> Result<(), Error> {
    save(path, array)
}

fn save(path: &Path, array: &impl WriteNpyExt) -> Result<(), Error> {
    let written = write_atomically(path, false, |file| array.write_npy(file).map_err(std::io::Error::other));
    Ok(written?)
}

#[cfg(test)]
mod tests;
