//! The form of a `.npy` file: a header in Python's notation, then the elements.
//!
//! # Source
//! NEP 1 of numpy, versions 1.0 to 3.0.

use super::{Error, MAX_ELEMENTS};

/// How every `.npy` file starts.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Longest header that is read; numpy's own are below 200 bytes.
const MAX_HEADER: usize = 1 << 16;

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: String,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

/// Elements in the order of the file, of the wider of the kinds that numpy has.
#[derive(Debug, PartialEq)]
pub(super) enum Elements {
    Float(Vec<f64>),
    Signed(Vec<i64>),
    Unsigned(Vec<u64>),
}

impl Elements {
    pub(super) fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Float(elements) => elements.into_iter().map(|x| x as f32).collect(),
            Self::Signed(elements) => elements.into_iter().map(|x| x as f32).collect(),
            Self::Unsigned(elements) => elements.into_iter().map(|x| x as f32).collect(),
        }
    }

    /// The first element that is no integer of 64 bits, as error.
    pub(super) fn into_integers(self) -> Result<Vec<i64>, f64> {
        let limit = 63f64.exp2();
        let whole = |x: f64| {
            if x.fract() == 0.0 && (-limit..limit).contains(&x) { Ok(x as i64) } else { Err(x) }
        };
        match self {
            Self::Float(elements) => elements.into_iter().map(whole).collect(),
            Self::Signed(elements) => Ok(elements),
            Self::Unsigned(elements) => {
                elements.into_iter().map(|x| i64::try_from(x).map_err(|_| x as f64)).collect()
            }
        }
    }
}

/// Header and elements of the bytes of a `.npy` file.
pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<(Header, Elements), Error> {
    let damaged = |what| Error::Header { place: place.to_owned(), what };
    let (text, data) = split(bytes).map_err(damaged)?;
    let header = parse_header(text).map_err(damaged)?;
    let nonzero = header.shape.iter().filter(|extent| **extent != 0);
    let bound = nonzero.copied().try_fold(1usize, usize::checked_mul);
    if bound.is_none_or(|bound| bound > MAX_ELEMENTS) {
        let (place, limit) = (place.to_owned(), MAX_ELEMENTS as u64);
        return Err(Error::TooLarge { place, limit, unit: "elements" });
    }
    let count: usize = header.shape.iter().product();
    let kind = || Error::Kind { place: place.to_owned(), kind: header.kind.clone() };
    let (order, code) = header.kind.split_at_checked(1).ok_or_else(kind)?;
    let size = code.get(1..).and_then(|size| size.parse::<usize>().ok());
    let size = size.filter(|size| [1, 2, 4, 8].contains(size)).ok_or_else(kind)?;
    if data.len() != count * size {
        let (place, shape) = (place.to_owned(), header.shape);
        return Err(Error::Length { place, shape, expected: count * size, found: data.len() });
    }
    let big = match order {
        "<" | "|" => false,
        ">" => true,
        _ => return Err(kind()),
    };
    let elements = convert(data, code, size, big).ok_or_else(kind)?;
    Ok((header, elements))
}

fn convert(data: &[u8], code: &str, size: usize, big: bool) -> Option<Elements> {
    // Every element as the 64 bits that it occupies, least significant byte first.
    let words = data.chunks_exact(size).map(|chunk| {
        let mut word = [0; 8];
        for (at, byte) in chunk.iter().enumerate() {
            word[if big { size - 1 - at } else { at }] = *byte;
        }
        u64::from_le_bytes(word)
    });
    let unused = 64 - 8 * size as u32;
    Some(match code {
        "f4" => Elements::Float(words.map(|word| f64::from(f32::from_bits(word as u32))).collect()),
        "f8" => Elements::Float(words.map(f64::from_bits).collect()),
        "i1" | "i2" | "i4" | "i8" => {
            Elements::Signed(words.map(|word| (word << unused).cast_signed() >> unused).collect())
        }
        "u1" | "u2" | "u4" | "u8" => Elements::Unsigned(words.collect()),
        "b1" => Elements::Unsigned(words.map(|word| u64::from(word != 0)).collect()),
        _ => return None,
    })
}

/// Extents from the innermost out, as Fortran's order stores them.
pub(super) fn reversed(shape: &[usize]) -> Vec<usize> {
    shape.iter().rev().copied().collect()
}

/// Text of the header, and the data after it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    const SHORT: &str = "the file is too short";
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not start as a .npy file")?;
    let ([major, _minor], rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let (length, rest) = if *major == 1 {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else if *major <= 3 {
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        (u32::from_le_bytes(*length) as usize, rest)
    } else {
        return Err("its version is unknown");
    };
    if length > MAX_HEADER {
        return Err("it is too long");
    }
    let (text, data) = rest.split_at_checked(length).ok_or(SHORT)?;
    Ok((std::str::from_utf8(text).map_err(|_| "it is no text")?, data))
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (500, 2), }`.
fn parse_header(text: &str) -> Result<Header, &'static str> {
    let mut rest = token(text, "{").ok_or("a brace is missing")?;
    let (mut kind, mut fortran, mut shape) = (None, None, None);
    while token(rest, "}").is_none() {
        let (key, value) = quoted(rest).ok_or("a key is missing")?;
        let value = token(value, ":").ok_or("a colon is missing")?;
        rest = match key {
            "descr" => {
                let (text, rest) = quoted(value).ok_or("the elements are structures, not numbers")?;
                kind = Some(text.to_owned());
                rest
            }
            "fortran_order" => {
                let (truth, rest) = truth(value).ok_or("fortran_order is neither True nor False")?;
                fortran = Some(truth);
                rest
            }
            "shape" => {
                let (extents, rest) = tuple(value).ok_or("the shape is no tuple of numbers")?;
                shape = Some(extents);
                rest
            }
            _ => return Err("it has an unknown key"),
        };
        rest = match token(rest, ",") {
            Some(rest) => rest,
            None if token(rest, "}").is_some() => rest,
            None => return Err("a comma is missing"),
        };
    }
    match (kind, fortran, shape) {
        (Some(kind), Some(fortran), Some(shape)) => Ok(Header { kind, fortran, shape }),
        _ => Err("descr, fortran_order or shape is missing"),
    }
}

fn token<'a>(text: &'a str, token: &str) -> Option<&'a str> {
    text.trim_start().strip_prefix(token)
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
    text[1..].split_once(quote)
}

fn truth(text: &str) -> Option<(bool, &str)> {
    token(text, "True").map(|rest| (true, rest)).or_else(|| token(text, "False").map(|rest| (false, rest)))
}

fn tuple(text: &str) -> Option<(Vec<usize>, &str)> {
    let (inside, rest) = token(text, "(")?.split_once(')')?;
    let numbers: Vec<&str> = inside.split(',').map(str::trim).collect();
    // The last part is empty for `()` and after the comma of `(3,)`.
    let numbers = match numbers.split_last() {
        Some((&"", numbers)) => numbers,
        _ => &numbers,
    };
    let extents: Option<Vec<usize>> = numbers.iter().map(|number| number.parse().ok()).collect();
    Some((extents?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_numpy_are_read() {
        let header = |text| parse_header(text).unwrap();
        let matrix = header("{'descr': '<f4', 'fortran_order': False, 'shape': (500, 2), }   \n");
        assert_eq!(matrix, Header { kind: "<f4".to_owned(), fortran: false, shape: vec![500, 2] });
        assert_eq!(header("{'shape': (), 'fortran_order': True, 'descr': '|b1'}").shape, [0usize; 0]);
        assert_eq!(header("{\"descr\":'>i8','fortran_order':True,'shape':(3,)}").shape, [3]);
    }

    #[test]
    fn damaged_headers_are_refused() {
        for text in [
            "",
            "{",
            "{'descr'",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
            "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'é",
        ] {
            assert!(parse_header(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_header_cannot_ask_for_more_than_the_file_holds() {
        for shape in
            ["(18446744073709551615, 2)", "(4294967296, 0, 4294967296)", "(1000000,)", "(268435456,)"]
        {
            let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}");
            let mut bytes = MAGIC.to_vec();
            bytes.extend([1, 0]);
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.as_bytes());
            assert!(parse("x.npy", &bytes).is_err(), "{shape}");
        }
    }
}
