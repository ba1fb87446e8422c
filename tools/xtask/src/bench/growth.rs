//! How times grow: with the width of tables, the size of layers, and threads.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use ndarray::Array2;
use ndarray_npy::write_npy;
use serde_json::json;

use super::table::Table;
use super::{Bench, Run, least_run, ratio};

/// Bits of tables without any order, and so many lookups that they take a second or so.
const WIDTHS: &[(u32, usize)] =
    &[(2, 100), (3, 100), (4, 100), (5, 48), (6, 24), (7, 12), (8, 8), (9, 4), (10, 4)];

/// The same for tables that rise from 0 to 3 in even steps.
const STAIRCASES: &[(u32, usize)] = &[(4, 100), (6, 48), (8, 24), (10, 16), (12, 12), (14, 8), (16, 8)];

/// Lookups of 4 bits in one layer.
const LAYERS: &[usize] = &[7, 14, 28, 50, 100, 200];

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    Ok(vec![
        widths(bench, "lookups of tables without any order, by width; ms for each", Kind::Any, WIDTHS)?,
        widths(bench, "lookups of even staircases of four steps; ms for each", Kind::Staircase, STAIRCASES)?,
        layers(bench)?,
    ])
}

fn widths(bench: &Bench, title: &'static str, kind: Kind, widths: &[(u32, usize)]) -> Result<Table> {
    let columns =
        ["bits", "form", "lookups", "all threads", "predicted", "to predicted", "1 thread", "1 / all"];
    let mut table = Table::new(title, &columns);
    for (bits, count) in widths {
        let layer = Layer::compile(bench, kind, *bits, *count)?;
        let (all, one) = (layer.seconds(bench, None)?, layer.seconds(bench, Some(1))?);
        let each = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e3 / *count as f64);
        table.add([
            json!(bits),
            json!(layer.form),
            json!(count),
            json!(each(all)),
            json!(each(layer.predicted)),
            json!(ratio(all, layer.predicted)),
            json!(each(one)),
            json!(ratio(one, all)),
        ]);
    }
    Ok(table)
}

fn layers(bench: &Bench) -> Result<Table> {
    let mut table = Table::new(
        "lookups of 4 bits in one layer, all threads",
        &["lookups", "ms", "ms for each", "predicted ms", "to predicted", "to half as many"],
    );
    let mut before: Option<(usize, Option<f64>)> = None;
    for count in LAYERS {
        let layer = Layer::compile(bench, Kind::Any, 4, *count)?;
        let seconds = layer.seconds(bench, None)?;
        let half = before.filter(|(half, _)| 2 * half == *count).and_then(|(_, seconds)| seconds);
        table.add([
            json!(count),
            json!(seconds.map(|seconds| seconds * 1e3)),
            json!(seconds.map(|seconds| seconds * 1e3 / *count as f64)),
            json!(layer.predicted.map(|seconds| seconds * 1e3)),
            json!(ratio(seconds, layer.predicted)),
            json!(ratio(seconds, half)),
        ]);
        before = Some((*count, seconds));
    }
    Ok(table)
}

/// What a table looks like.
#[derive(Clone, Copy)]
enum Kind {
    /// It jumps between most of its entries.
    Any,
    /// It rises in even steps.
    Staircase,
}

impl Kind {
    /// The entry at an index of `bits` bits: two bits.
    fn entry(self, bits: u32, index: u64) -> u64 {
        match self {
            Self::Any => ((index * 2_654_435_761) >> 7) % 4,
            Self::Staircase => (index << 2) >> bits,
        }
    }
}

/// A program of one layer of lookups.
struct Layer {
    program: PathBuf,
    bits: u32,
    count: usize,
    /// How the lookups are made.
    form: String,
    /// Seconds.
    predicted: Option<f64>,
}

impl Layer {
    fn compile(bench: &Bench, kind: Kind, bits: u32, count: usize) -> Result<Self> {
        eprintln!("{count} lookups of {bits} bits");
        let (module, program) = (bench.folder.join("layer.mlir"), bench.folder.join("layer.cml"));
        fs::write(&module, module_text(kind, bits, count))
            .with_context(|| format!("cannot write {}", module.display()))?;
        bench.compile(&[&module.to_string_lossy()], &program)?;
        let report = bench.inspect(&program)?;
        let predicted = report["predicted_seconds"].as_f64();
        let form = report["lookups"][0]["form"].as_str().unwrap_or("-").to_owned();
        Ok(Self { program, bits, count, form, predicted })
    }

    /// The least of several runs.
    fn seconds(&self, bench: &Bench, threads: Option<u32>) -> Result<Option<f64>> {
        let samples = bench.runs as usize;
        let path = bench.folder.join("layer.npy");
        let value = |(sample, lookup): (usize, usize)| ((sample + 7 * lookup) % (1 << self.bits)) as f32;
        write_npy(&path, &Array2::from_shape_fn((samples, self.count), value))
            .with_context(|| format!("cannot write {}", path.display()))?;
        let run = Run { samples, together: 1, threads };
        Ok(least_run(&bench.predict(&self.program, &path.to_string_lossy(), run)?))
    }
}

/// One lookup for each input, all of one table.
fn module_text(kind: Kind, bits: u32, count: usize) -> String {
    let list = |value: &str| vec![value; count].join(", ");
    let entries: Vec<String> = (0..1 << bits).map(|index| kind.entry(bits, index).to_string()).collect();
    let (top, entries) = ((1u64 << bits) - 1, entries.join(", "));
    let (zeros, threes) = (list("0"), list("3"));
    format!(
        "!sent = !quant.uniform<u{bits}:f32, 1.0>
!got = !quant.uniform<u2:f32, 1.0>
!read = tensor<1x{count}x!fhe.eint<0:{top}>>
!found = tensor<1x{count}x!fhe.eint<0:3>>
module attributes {{cml.model = \"{count} lookups of {bits} bits\"}} {{
func.func @client_in(%x: tensor<1x{count}xf32>) -> tensor<1x{count}x!sent> attributes {{cml.inputs = [\"x\"], cml.outputs = [\"x\"]}} {{
  %q = qnn.quantize %x : tensor<1x{count}xf32> -> tensor<1x{count}x!sent>
  return %q : tensor<1x{count}x!sent>
}}
func.func @server(%x: !read) -> !found attributes {{cml.inputs = [\"x\"], cml.outputs = [\"y\"]}} {{
  %y = fhe.lookup %x tables [array<i64: {entries}>] firsts [0] of [{zeros}] lows [{zeros}] highs [{threes}] : !read -> !found
  return %y : !found
}}
func.func @client_out(%q: tensor<1x{count}x!got>) -> tensor<1x{count}xf32> attributes {{cml.inputs = [\"y\"], cml.outputs = [\"y\"]}} {{
  %y = qnn.dequantize %q : tensor<1x{count}x!got> -> tensor<1x{count}xf32>
  return %y : tensor<1x{count}xf32>
}}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_has_a_table_and_an_index_for_each_lookup() {
        let text = module_text(Kind::Any, 3, 2);
        assert!(text.contains("tables [array<i64: 0, 3, 2, 2, 1, 0, 0, 3>] firsts [0] of [0, 0]"), "{text}");
        assert!(text.contains("!fhe.eint<0:7>"));
        let text = module_text(Kind::Staircase, 3, 1);
        assert!(text.contains("tables [array<i64: 0, 0, 1, 1, 2, 2, 3, 3>]"), "{text}");
    }
}
