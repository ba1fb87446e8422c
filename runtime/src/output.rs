//! What command-line tools say: results on standard output, everything else on standard error.
//!
//! `println!` and `eprintln!` panic when the reader of a pipe is gone. These do not.

use crate::memory::peak_rss_bytes;
use std::io::{Error, ErrorKind, IsTerminal, Result, Write};

/// Prints the result of a command on standard output. A reader that closed its end has seen enough: that is no error.
///
/// # Errors
/// Any other reason that standard output cannot be written for, such as a full disk.
pub fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// The same with a result that is no text.
///
/// # Errors
/// As [`print`].
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    write_all(&mut std::io::stdout(), bytes)
        .map_err(|error| Error::new(error.kind(), format!("cannot write standard output: {error}")))
}

/// Tells a person, not a pipe.
pub fn note(text: &str) {
    if std::io::stderr().is_terminal() {
        say(text);
    }
}

/// Tells everyone: something is not as it may seem.
pub fn warn(text: &str) {
    say(&format!("warning: {text}"));
}

/// Says how many input values were not what they seem to the network.
pub fn warn_of_clipping(count: u64) {
    if count > 0 {
        warn(&format!("{count} input values were outside of the calibrated range and were clipped"));
    }
}

/// Says that something went wrong on the way.
pub fn warn_of_wrong_results(count: u64) {
    if count > 0 {
        warn(&format!("{count} results are outside of their proved range: they are wrong"));
    }
}

/// Tells everyone why a command stopped.
pub fn error(text: &str) {
    say(&format!("error: {text}"));
}

/// `, at most 12 MB of memory`, or nothing where the system does not tell.
#[must_use]
pub fn peak_memory() -> String {
    peak_rss_bytes()
        .map_or(String::new(), |bytes| format!(", at most {} MB of memory", bytes.div_ceil(1_000_000)))
}

/// A line on standard error. Where it cannot be written there is nobody to tell.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn write_all(to: &mut impl Write, bytes: &[u8]) -> Result<()> {
    // Flushed here, since a failure at the end of the process would go unnoticed.
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        assert!(write_all(&mut Failing(ErrorKind::BrokenPipe), b"text").is_ok());
        assert!(write_all(&mut Failing(ErrorKind::StorageFull), b"text").is_err());
        let mut written = vec![];
        write_all(&mut written, b"text").unwrap();
        assert_eq!(written, b"text");
    }
}
