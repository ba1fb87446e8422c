//! `cargo xtask seed-tables`: the accuracy, size and predicted time of families of networks, on a page with pictures.

mod measure;
mod page;
mod picture;
mod plan;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array1, Array2, Axis};
use ndarray_npy::{NpzReader, WriteNpyExt};
use rayon::prelude::*;

use crate::process::{build_tools, target_folder, tool, workspace, write_whole};
use measure::{Job, Measured, Mode, Refused, array};
use page::{Results, Row};
use picture::{CELLS, Panel, Sample};
use plan::{Family, Plan};

/// The networks that are bundled.
const BUNDLED: &str = "lit-tests/models/seed-table";
const PAGE: &str = "TABLES.md";
const PICTURES: &str = "pictures";

/// What becomes of the measurements.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// The page and its pictures are written into the folder.
    Written,
    /// They are compared with those in the folder.
    Compared,
    /// One JSON object on standard output.
    Printed,
}

/// Measures the networks of `folder`, or the bundled ones.
///
/// # Errors
/// If the folder is not as `lit-tests/models/seed-table/README.md` says, if a network cannot be compiled, or if the page
/// differs and is to be compared.
pub(crate) fn seed_tables(folder: Option<&Path>, outcome: Outcome) -> Result<()> {
    let folder =
        folder.map_or_else(|| PathBuf::from(BUNDLED), |folder| within_workspace(folder).to_path_buf());
    let plan = Plan::read(&folder)?;
    build_tools()?;
    let scratch = target_folder()?.join("seed-tables");
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let bench = Bench { cml: tool("cml")?, folder, scratch };
    let results = bench.measure_all(&plan)?;
    if let Outcome::Printed = outcome {
        println!("{}", to_json(&results)?);
        return Ok(());
    }
    let mut files = BTreeMap::new();
    let mut pictures = Vec::new();
    for result in results.iter().filter(|result| result.family.picture) {
        let file = format!("{PICTURES}/{}.svg", file_name(result.family));
        files.insert(bench.folder.join(&file), bench.picture(result)?);
        pictures.push((result.family.name.clone(), file));
    }
    files.insert(bench.folder.join(PAGE), page::page(&plan, &results, &pictures));
    match outcome {
        Outcome::Compared => compare(&files),
        _ => files.iter().try_for_each(|(path, text)| {
            write_whole(path, text)?;
            println!("written {}", path.display());
            Ok(())
        }),
    }
}

/// `path` from the root of the workspace, in which commands run, where it lies below.
fn within_workspace(path: &Path) -> &Path {
    path.strip_prefix(workspace()).unwrap_or(path)
}

fn compare(files: &BTreeMap<PathBuf, String>) -> Result<()> {
    let differs = |(path, text): &(&PathBuf, &String)| fs::read_to_string(path).ok().as_ref() != Some(*text);
    let stale: Vec<String> =
        files.iter().filter(differs).map(|(path, _)| path.display().to_string()).collect();
    if !stale.is_empty() {
        bail!(
            "{} differ from what is measured; run `cargo xtask seed-tables` and commit them",
            stale.join(", ")
        );
    }
    Ok(())
}

/// The name of a family's files: its folder, and what sets it apart from others of the same folder.
fn file_name(family: &Family) -> String {
    let options = family.options.iter().map(|option| option.trim_start_matches('-').to_owned());
    let parts = std::iter::once(family.networks.clone()).chain(family.export.clone()).chain(options);
    parts.collect::<Vec<_>>().join("-")
}

fn to_json(results: &[Results<'_>]) -> Result<String> {
    let families: Vec<serde_json::Value> = results
        .iter()
        .map(|result| {
            let rows: Vec<serde_json::Value> = result
                .rows
                .iter()
                .map(|row| {
                    serde_json::json!({
                        "options": row.setting.options, "networks": row.networks, "refused": row.refused,
                    })
                })
                .collect();
            let Family { name, networks, options, .. } = result.family;
            serde_json::json!({"family": name, "folder": networks, "options": options, "settings": rows})
        })
        .collect();
    Ok(serde_json::to_string_pretty(&serde_json::json!({ "families": families }))?)
}

/// Where things are.
struct Bench {
    cml: PathBuf,
    folder: PathBuf,
    scratch: PathBuf,
}

/// Test samples with two features, and the box that holds them.
struct Plane {
    samples: Array2<f32>,
    labels: Array1<i64>,
    lowest: [f32; 2],
    highest: [f32; 2],
}

impl Bench {
    /// Every network under every setting, on all cores.
    fn measure_all<'a>(&self, plan: &'a Plan) -> Result<Vec<Results<'a>>> {
        let mut results = Vec::new();
        let mut files = Vec::new();
        for family in &plan.families {
            files.push((family, family.files(&self.folder)?, family.data(&self.folder)));
        }
        let jobs: Vec<Job<'_>> = files
            .iter()
            .flat_map(|(family, networks, data)| {
                (0..family.settings().len()).flat_map(move |setting| {
                    networks.iter().map(move |network| self.job(family, setting, network, data))
                })
            })
            .collect();
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed_precise} {msg}")?;
        let bar = ProgressBar::new(jobs.len() as u64).with_style(style);
        let measured: Result<Vec<Result<Measured, Refused>>> = jobs
            .par_iter()
            .map(|job| {
                let found = job.measure(&self.cml);
                bar.inc(1);
                bar.set_message(format!("{} {}", job.network.display(), job.setting.options));
                found
            })
            .collect();
        bar.finish_and_clear();
        let mut measured = measured?.into_iter();
        for (family, networks, _) in &files {
            let row = |setting| {
                let (mut found, mut refused) = (Vec::new(), Vec::new());
                for outcome in measured.by_ref().take(networks.len()) {
                    match outcome {
                        Ok(measured) => found.push(measured),
                        Err(reason) => refused.push(reason),
                    }
                }
                Row { setting, networks: found, refused }
            };
            let rows: Vec<Row> = family.settings().iter().map(row).collect();
            if let (true, Some(refused)) =
                (rows.iter().all(|row| row.networks.is_empty()), rows[0].refused.first())
            {
                bail!(
                    "{}: every network is refused; network {}: {}",
                    family.name,
                    refused.network,
                    refused.reason
                );
            }
            results.push(Results { family, rows });
        }
        Ok(results)
    }

    fn job<'a>(&self, family: &'a Family, setting: usize, network: &'a Path, data: &'a Path) -> Job<'a> {
        let stem = network.file_stem().unwrap_or_default().to_string_lossy();
        let program = self.scratch.join(format!("{}-{stem}-{setting}.cml", file_name(family)));
        Job { family, setting: &family.settings()[setting], network, data, program }
    }

    /// The decision regions of a family's first network: in floats, and under each setting that has a panel.
    fn picture(&self, result: &Results<'_>) -> Result<String> {
        let family = result.family;
        let networks = family.files(&self.folder)?;
        let network = networks.first().ok_or_else(|| anyhow!("{} has no network", family.name))?;
        let data = family.data(&self.folder);
        let plane = Plane::read(&data).with_context(|| format!("{}: no picture", family.name))?;
        let grid = self.scratch.join(format!("{}-grid.npy", file_name(family)));
        plane.write_grid(&grid)?;
        let panel = |setting: usize, title: &str, mode: Mode| {
            let job = self.job(family, setting, network, &data);
            let found = job.classes(&self.cml, &array(&data, "x_test"), mode)?;
            let right = found.iter().zip(&plane.labels).filter(|(class, label)| class == label).count();
            anyhow::Ok(Panel {
                title: title.to_owned(),
                subtitle: format!("{:.1} %", 100.0 * right as f64 / found.len().max(1) as f64),
                regions: job.classes(&self.cml, &grid.display().to_string(), mode)?,
                samples: plane.samples(|index, label| found.get(index) != Some(&label)),
            })
        };
        let compiles = |row: &Row| {
            row.refused.iter().all(|refused| network.file_stem() != Some(refused.network.as_ref()))
        };
        let settings = result.rows.iter().enumerate().filter(|(_, row)| compiles(row));
        let mut panels = vec![Panel {
            title: "test samples".to_owned(),
            subtitle: format!("{}", plane.labels.len()),
            regions: Vec::new(),
            samples: plane.samples(|_, _| true),
        }];
        for (number, (index, row)) in settings.enumerate() {
            if number == 0 {
                let title = if family.quantized { "as trained" } else { "float" };
                panels.push(panel(index, title, Mode::Float)?);
            }
            if let Some(title) = row.setting.panel {
                panels.push(panel(index, title, Mode::Quantized)?);
            }
        }
        Ok(picture::svg(&panels))
    }
}

impl Plane {
    fn read(data: &Path) -> Result<Self> {
        let file = File::open(data).with_context(|| format!("cannot read {}", data.display()))?;
        let read = |error| anyhow!("cannot read {}: {error}", data.display());
        let mut archive = NpzReader::new(file).map_err(read)?;
        let samples: Array2<f32> = archive.by_name("x_test").map_err(read)?;
        let labels: Array1<i64> = archive.by_name("y_test").map_err(read)?;
        if samples.ncols() != 2 || samples.nrows() != labels.len() || labels.is_empty() {
            bail!("{} holds x_test of shape {:?}; two features are drawn", data.display(), samples.shape());
        }
        let bound = |choose: fn(f32, f32) -> f32, axis: usize| {
            samples.index_axis(Axis(1), axis).iter().copied().reduce(choose).unwrap_or_default()
        };
        let (lowest, highest) =
            ([bound(f32::min, 0), bound(f32::min, 1)], [bound(f32::max, 0), bound(f32::max, 1)]);
        Ok(Self { samples, labels, lowest, highest })
    }

    /// Writes the middle of each cell, line by line from above.
    fn write_grid(&self, path: &Path) -> Result<()> {
        let middle = |axis: usize, cell: usize| {
            let part = (cell as f32 + 0.5) / CELLS as f32;
            self.lowest[axis] + part * (self.highest[axis] - self.lowest[axis])
        };
        let grid = Array2::from_shape_fn((CELLS * CELLS, 2), |(cell, axis)| match axis {
            0 => middle(0, cell % CELLS),
            _ => middle(1, CELLS - 1 - cell / CELLS),
        });
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        grid.write_npy(file).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The samples that `keep` says by index and label, in cells from the upper left corner.
    fn samples(&self, keep: impl Fn(usize, i64) -> bool) -> Vec<Sample> {
        let place = |row: usize, axis: usize| {
            let extent = f64::from(self.highest[axis] - self.lowest[axis]);
            CELLS as f64 * f64::from(self.samples[(row, axis)] - self.lowest[axis]) / extent
        };
        let labels = self.labels.iter().enumerate().filter(|(row, label)| keep(*row, **label));
        labels
            .map(|(row, label)| Sample { x: place(row, 0), y: CELLS as f64 - place(row, 1), class: *label })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_families_in_one_folder_differ() {
        let family = |text: &str| serde_json::from_str::<Family>(text).unwrap();
        let plain = family(r#"{"name": "a", "networks": "ten"}"#);
        let export = family(r#"{"name": "b", "networks": "ten", "export": "qonnx"}"#);
        let pruned = family(r#"{"name": "c", "networks": "ten", "options": ["--prune", "10"]}"#);
        assert_eq!([&plain, &export, &pruned].map(file_name), ["ten", "ten-qonnx", "ten-prune-10"]);
    }

    #[test]
    fn the_grid_covers_the_samples_from_above() {
        let samples = ndarray::array![[0.0, 10.0], [2.0, 30.0]];
        let plane =
            Plane { samples, labels: ndarray::array![1, 0], lowest: [0.0, 10.0], highest: [2.0, 30.0] };
        assert_eq!(plane.samples(|_, label| label == 0), [Sample { x: 100.0, y: 0.0, class: 0 }]);
        let path = std::env::temp_dir().join(format!("xtask-grid-{}.npy", std::process::id()));
        plane.write_grid(&path).unwrap();
        let grid: Array2<f32> = ndarray_npy::read_npy(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(grid.dim(), (CELLS * CELLS, 2));
        assert!((grid[(0, 0)] - 0.01).abs() < 1e-6 && (grid[(0, 1)] - 29.9).abs() < 1e-5, "{}", grid.row(0));
    }

    #[test]
    fn a_page_that_differs_is_named() {
        let files = BTreeMap::from([(PathBuf::from("Cargo.toml"), "nothing".to_owned())]);
        let message = compare(&files).unwrap_err().to_string();
        assert!(message.starts_with("Cargo.toml differ"), "{message}");
    }
}
