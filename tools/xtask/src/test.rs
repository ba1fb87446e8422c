//! `cargo xtask test`: every check of the repository, in the order in which a fault is found soonest.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use crate::process::{build_tools, cargo, run, shown};
use crate::{architecture, docs, python, setup};

/// Tests, and steps that are one check each, that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs all checks, also after one has failed, and prints how many passed.
///
/// # Errors
/// If one fails, or if what they need cannot be set up or built.
pub(crate) fn test(long: bool) -> Result<()> {
    let mut total = Count::default();
    preparation("setup", || setup::setup().and_then(|()| python::provide()))?;
    check(&mut total, "fmt", || run(&mut cargo(["fmt", "--all", "--check"])));
    check(&mut total, "architecture", architecture::check);
    check(&mut total, "clippy", || {
        run(&mut cargo(["clippy", "--release", "--workspace", "--all-targets", "--", "--deny=warnings"]))
    });
    preparation("build", build_tools)?;
    check(&mut total, "docs", docs::compare_built);
    let tests = step("tests", || run_tests(long));
    match tests {
        Ok(count) => {
            total.passed += count.passed;
            total.failed += count.failed;
        }
        Err(_) => total.failed += 1,
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        bail!("{} of {} checks failed", total.failed, total.passed + total.failed);
    }
    Ok(())
}

/// Runs a step and prints its name, how it went and how long it took.
fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("== {name}");
    let start = Instant::now();
    let outcome = work();
    let seconds = start.elapsed().as_secs_f64();
    match &outcome {
        Ok(_) => println!("== {name}: done in {seconds:.1} s"),
        Err(error) => println!("== {name}: FAILED after {seconds:.1} s: {error:#}"),
    }
    outcome
}

/// A step without which the later ones mean nothing.
fn preparation(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    step(name, work).with_context(|| format!("{name} failed, so the other checks did not run"))
}

/// A step that counts as one check.
fn check(total: &mut Count, name: &str, work: impl FnOnce() -> Result<()>) {
    match step(name, work) {
        Ok(()) => total.passed += 1,
        Err(_) => total.failed += 1,
    }
}

/// Runs the tests of all crates, showing their output, and counts them.
fn run_tests(long: bool) -> Result<Count> {
    let mut command = cargo(["test", "--release", "--workspace", "--no-fail-fast"]);
    if long {
        command.args(["--", "--include-ignored"]);
    }
    let (count, success) = count_results(&mut command, &mut std::io::stdout())?;
    // Cargo fails without a failed test where a crate does not compile or a test program dies.
    if !success && count.failed == 0 {
        bail!("{} failed", shown(&command));
    }
    if count == Count::default() {
        bail!("{} ran no test", shown(&command));
    }
    Ok(count)
}

/// Runs `command`, copies its standard output to `echo`, and adds up the results in it; true if it succeeds.
fn count_results(command: &mut Command, echo: &mut dyn Write) -> Result<(Count, bool)> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", shown(command)))?;
    let stdout = child.stdout.take().ok_or_else(|| anyhow!("the output of the tests is closed"))?;
    let mut reader = BufReader::new(stdout);
    let mut count = Count::default();
    let mut line = Vec::new();
    // Bytes, not text: a test may print what is no UTF-8.
    while reader.read_until(b'\n', &mut line).context("cannot read the output of the tests")? > 0 {
        echo.write_all(&line).context("cannot show the output of the tests")?;
        if let Some(result) = parse_result(&String::from_utf8_lossy(&line)) {
            count.passed += result.passed;
            count.failed += result.failed;
        }
        line.clear();
    }
    let status = child.wait().with_context(|| format!("lost {}", shown(command)))?;
    Ok((count, status.success()))
}

/// Reads the last line of a test program: `test result: ok. 5 passed; 0 failed; 1 ignored; ...`.
fn parse_result(line: &str) -> Option<Count> {
    let (_, numbers) = line.trim_end().strip_prefix("test result: ")?.split_once(". ")?;
    let number =
        |what: &str| numbers.split("; ").find_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok());
    Some(Count { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_programs_are_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n";
        assert_eq!(parse_result(line), Some(Count { passed: 12, failed: 3 }));
        assert_eq!(parse_result("test result: ok. no numbers"), None);
        assert_eq!(parse_result("running 5 tests"), None);
    }

    #[test]
    fn results_of_several_programs_are_added() {
        let mut command = Command::new("printf");
        command
            .arg("test result: ok. 2 passed; 0 failed\\nother\\ntest result: FAILED. 1 passed; 4 failed\\n");
        let expected = Count { passed: 3, failed: 4 };
        let mut echo = Vec::new();
        assert_eq!(count_results(&mut command, &mut echo).unwrap(), (expected, true));
        assert_eq!(String::from_utf8(echo).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_failed_check_is_counted() {
        let mut total = Count::default();
        check(&mut total, "good", || Ok(()));
        check(&mut total, "bad", || bail!("wrong"));
        assert_eq!(total, Count { passed: 1, failed: 1 });
    }
}
