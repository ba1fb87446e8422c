//! `cml bench operations`.

use crate::progress::Measuring;
use crate::table::table;
use anyhow::Result;
use cml_runtime::output::print;
use cml_runtime::server::measure::{self, Lookup, Operation, Operations};

/// Prints what operations take, beside the floor of this machine and beside plain calls of `tfhe`.
pub(crate) fn operations(runs: usize, json: bool) -> Result<()> {
    let bar = Measuring::start();
    let found = measure::operations(runs, &|part| bar.report(part));
    drop(bar);
    Ok(print(&if json { serde_json::to_string_pretty(&found)? + "\n" } else { text(&found) })?)
}

fn text(found: &Operations) -> String {
    let Operations { cpu, threads, lookups, operations } = found;
    let times = table(
        ["lookup", "n", "k", "N", "digits", "accumulators", "batch", "floor", "1 thread", "all"],
        lookups.iter().map(times),
    );
    let ratios = table(
        ["lookup", "to the floor", "1 / all threads", "twice the batch", "plain", "plain, all"],
        lookups.iter().map(ratios),
    );
    let operations =
        table(["operation", "batch", "floor", "ms", "to the floor", "plain"], operations.iter().map(row));
    format!(
        "{cpu}\n\nmilliseconds of a lookup; floor: transforms and multiply-adds alone, in cache\n\n\
         {times}\n\
         ratios: 1 thread to the floor and to all {threads} threads, twice the batch to one,\n\
         plain calls of tfhe to ours on 1 thread and on all\n\n\
         {ratios}\n\
         single operations on one thread, ms of a ciphertext; plain calls to ours\n\n\
         {operations}"
    )
}

fn number(milliseconds: f64) -> String {
    let decimals = if milliseconds < 0.1 { 4 } else { 2 };
    format!("{milliseconds:.decimals$}")
}

fn ratio(of: Option<f64>, to: f64) -> String {
    of.map_or_else(|| "-".to_owned(), |of| format!("{:.2}", of / to))
}

fn bits(row: &Lookup) -> String {
    format!("{} bits", row.bits)
}

fn times(row: &Lookup) -> [String; 10] {
    [
        bits(row),
        row.lwe_dimension.to_string(),
        row.glwe_dimension.to_string(),
        row.polynomial_size.to_string(),
        row.pbs_level.to_string(),
        (1u64 << row.extension.min(63)).to_string(),
        row.batch.to_string(),
        number(row.floor),
        number(row.one_thread),
        number(row.all_threads),
    ]
}

fn ratios(row: &Lookup) -> [String; 6] {
    [
        bits(row),
        ratio(Some(row.one_thread), row.floor),
        ratio(Some(row.one_thread), row.all_threads),
        ratio(Some(2.0 * row.twice_the_batch), row.one_thread),
        ratio(row.plain_one_thread, row.one_thread),
        ratio(row.plain_all_threads, row.all_threads),
    ]
}

fn row(row: &Operation) -> [String; 6] {
    [
        row.operation.clone(),
        row.batch.to_string(),
        row.floor.map_or_else(|| "-".to_owned(), number),
        number(row.one_thread),
        row.floor.map_or_else(|| "-".to_owned(), |floor| ratio(Some(row.one_thread), floor)),
        ratio(row.plain_one_thread, row.one_thread),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Operations {
        let plain = Lookup {
            bits: 4,
            lwe_dimension: 769,
            glwe_dimension: 1,
            polynomial_size: 1024,
            pbs_level: 2,
            extension: 0,
            batch: 100,
            floor: 3.0,
            one_thread: 4.5,
            twice_the_batch: 4.6,
            all_threads: 2.4,
            plain_one_thread: Some(13.5),
            plain_all_threads: Some(7.2),
        };
        let extended = Lookup {
            bits: 8,
            polynomial_size: 2048,
            extension: 4,
            batch: 8,
            plain_one_thread: None,
            plain_all_threads: None,
            ..plain.clone()
        };
        let operation = |operation: &str, floor, one_thread, plain_one_thread| Operation {
            operation: operation.to_owned(),
            batch: 100,
            floor,
            one_thread,
            plain_one_thread,
        };
        Operations {
            cpu: "A processor, Avx512, 2 threads".to_owned(),
            threads: 2,
            lookups: vec![plain, extended],
            operations: vec![
                operation("modulus switch and blind rotation", Some(3.0), 4.0, Some(12.0)),
                operation("keyswitch, packing of a result", None, 0.025, None),
            ],
        }
    }

    #[test]
    fn tables_for_people() {
        let text = text(&found());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_object_for_programs() {
        insta::assert_json_snapshot!(found());
    }
}
