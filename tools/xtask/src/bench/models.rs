//! The bundled networks, beside their predictions.

use anyhow::Result;
use serde_json::json;

use super::table::Table;
use super::{Bench, Run, least_run, ratio};

/// Where the networks are.
const FOLDER: &str = "lit-tests/models";

/// Networks that are quantized when they are compiled, with the bits.
const POST_TRAINING: &[(&str, &str)] = &[
    ("simple10", "3"),
    ("pruned100_10", "3"),
    ("simple30", "3"),
    ("pruned100_30", "3"),
    ("simple100", "3"),
    ("digits_mlp", "3"),
];

/// Networks that bring their own quantizers.
const QUANTIZED: &[&str] = &["qat100_30", "digits_mlp_qat"];

/// Networks that many samples go through, and how many together.
const TOGETHER: (&[&str], &[usize]) = (&["simple10", "digits_mlp"], &[1, 4, 16, 64]);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    Ok(vec![networks(bench)?, samples(bench)?])
}

fn networks(bench: &Bench) -> Result<Table> {
    let mut table = Table::new(
        "bundled networks at 2^-40 for each lookup, one sample at a time, all threads",
        &[
            "network",
            "bootstraps",
            "bits",
            "seconds",
            "predicted",
            "/ predicted",
            "keygen s",
            "key MB",
            "peak MB",
            "exact",
        ],
    );
    for (network, bits) in POST_TRAINING {
        let (model, data) =
            (format!("{FOLDER}/{network}/model.onnx"), format!("{FOLDER}/{network}/data.npz"));
        let calibration = format!("{data}:calibration");
        add(bench, &mut table, network, &[&model, "--calibration", &calibration, "--bits", bits], &data)?;
    }
    for network in QUANTIZED {
        let (model, data) =
            (format!("{FOLDER}/{network}/model_qonnx.onnx"), format!("{FOLDER}/{network}/data.npz"));
        add(bench, &mut table, network, &[&model], &data)?;
    }
    Ok(table)
}

fn add(bench: &Bench, table: &mut Table, network: &str, compile: &[&str], data: &str) -> Result<()> {
    eprintln!("{network}");
    let program = bench.folder.join(format!("{network}.cml"));
    bench.compile(compile, &program)?;
    let report = bench.inspect(&program)?;
    let run = Run { samples: bench.runs as usize, together: 1, threads: None };
    let found = bench.predict(&program, &format!("{data}:x_test"), run)?;
    let (seconds, predicted) = (least_run(&found), report["predicted_seconds"].as_f64());
    let megabytes = |bytes: &serde_json::Value| bytes.as_f64().map(|bytes| bytes * 1e-6);
    table.add([
        json!(network),
        report["bootstraps_per_inference"].clone(),
        report["max_accumulator_bits"].clone(),
        json!(seconds),
        json!(predicted),
        json!(ratio(seconds, predicted)),
        found["seconds"]["keygen"].clone(),
        json!(megabytes(&report["eval_key_bytes"])),
        json!(megabytes(&found["peak_rss_bytes"])),
        json!(format!("{} of {}", found["equal_to_quantized"], found["samples"])),
    ]);
    Ok(())
}

/// Many samples through one program, which [`networks`] left.
fn samples(bench: &Bench) -> Result<Table> {
    let mut table = Table::new(
        "samples that go through a program together, all threads",
        &["network", "samples", "seconds", "seconds for each", "to one alone"],
    );
    let (networks, counts) = TOGETHER;
    for network in networks {
        let program = bench.folder.join(format!("{network}.cml"));
        let mut alone = None;
        for count in counts {
            eprintln!("{network}, {count} samples together");
            let run = Run { samples: *count, together: *count, threads: None };
            let mut least = f64::INFINITY;
            for _ in 0..bench.runs {
                let found = bench.predict(&program, &format!("{FOLDER}/{network}/data.npz:x_test"), run)?;
                least = least.min(least_run(&found).unwrap_or(f64::INFINITY));
            }
            let each = least / *count as f64;
            let alone = *alone.get_or_insert(each);
            table.add([json!(network), json!(count), json!(least), json!(each), json!(each / alone)]);
        }
    }
    Ok(table)
}
