//! What is measured: families of networks in a folder, the options they are compiled with, and what others published.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The file of a folder that names its families, and the data that they share.
const FAMILIES: &str = "families.json";
const DATA: &str = "data.npz";

/// The families of a folder, and where published figures come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// Sources of figures; the n-th figures of a family are of the n-th source.
    #[serde(default)]
    pub(super) published: Vec<Source>,
    pub(super) families: Vec<Family>,
}

/// Who published figures.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// As tables call it.
    pub(super) name: String,
    /// A sentence: where it stands, and what was measured.
    pub(super) about: String,
}

/// Networks that differ in the seed of their training alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    /// As tables call it.
    pub(super) name: String,
    /// What tables of it say first.
    #[serde(default)]
    pub(super) about: String,
    /// The folder of its networks.
    pub(super) networks: String,
    /// The networks `<n>_<export>.onnx` and not `<n>.onnx`.
    #[serde(default)]
    pub(super) export: Option<String>,
    /// More options of `cml compile`.
    #[serde(default)]
    pub(super) options: Vec<String>,
    /// The networks bring their quantizers: they are compiled as they are.
    #[serde(default)]
    pub(super) quantized: bool,
    /// The decision regions of the first network are drawn.
    #[serde(default)]
    pub(super) picture: bool,
    #[serde(default)]
    pub(super) published: Vec<Figures>,
}

/// What a source says of a family; accuracies in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Figures {
    pub(super) float: Option<f64>,
    pub(super) quantized: Option<f64>,
    /// Bits of the widest integer of a network, mean over the networks.
    pub(super) accumulator: Option<f64>,
    pub(super) lookups: Option<f64>,
    /// Of one inference.
    pub(super) seconds: Option<f64>,
}

/// Options of `cml compile` that make a row.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    pub(super) options: &'static str,
    /// The title of its panel, for those that pictures show.
    #[serde(skip)]
    pub(super) panel: Option<&'static str>,
}

/// Of networks in floats.
pub(super) const POST_TRAINING: &[Setting] = &[
    Setting { options: "--bits 3 --effort fast --granularity tensor", panel: Some("3 bits, per tensor") },
    Setting { options: "--bits 3 --effort fast", panel: None },
    Setting { options: "--bits 3", panel: Some("3 bits") },
    Setting { options: "--bits 3 --effort thorough", panel: Some("3 bits, thorough") },
    Setting { options: "--bits 4", panel: None },
    Setting { options: "--bits 4 --effort thorough", panel: Some("4 bits, thorough") },
];

/// Of networks with their own quantizers.
pub(super) const AS_TRAINED: &[Setting] = &[Setting { options: "", panel: Some("integers") }];

impl Plan {
    /// The plan of `folder`: as its `families.json` says, or every folder of networks in it.
    ///
    /// # Errors
    /// If the folder cannot be read, or the file is no plan.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FAMILIES);
        let plan = if path.exists() {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is no plan", path.display()))?
        } else {
            Self { published: Vec::new(), families: every_folder(folder)? }
        };
        if plan.families.is_empty() {
            bail!("{} has no folders with .onnx files", folder.display());
        }
        match plan.families.iter().find(|family| family.published.len() > plan.published.len()) {
            Some(family) => {
                bail!("{}: {} has figures of more sources than there are", path.display(), family.name)
            }
            None => Ok(plan),
        }
    }
}

impl Family {
    pub(super) fn settings(&self) -> &'static [Setting] {
        if self.quantized { AS_TRAINED } else { POST_TRAINING }
    }

    /// The family counts in means over post-training quantization: every network once.
    pub(super) fn is_in_means(&self) -> bool {
        !self.quantized && self.options.is_empty()
    }

    /// The networks, by name.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn files(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let folder = folder.join(&self.networks);
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let paths: std::io::Result<Vec<PathBuf>> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = paths.with_context(|| format!("cannot list {}", folder.display()))?;
        paths.retain(|path| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path.extension().is_some_and(|extension| extension == "onnx")
                && stem.split_once('_').map(|(_, export)| export) == self.export.as_deref()
        });
        paths.sort();
        if paths.is_empty() {
            let export = self.export.iter().map(|export| format!("_{export}")).collect::<String>();
            bail!("{} has no network <n>{export}.onnx", folder.display());
        }
        Ok(paths)
    }

    /// The data of the networks: the family's own, or those of all families.
    pub(super) fn data(&self, folder: &Path) -> PathBuf {
        let own = folder.join(&self.networks).join(DATA);
        if own.exists() { own } else { folder.join(DATA) }
    }
}

fn every_folder(folder: &Path) -> Result<Vec<Family>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut families = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let family = Family {
            networks: name.clone(),
            name,
            about: String::new(),
            export: None,
            options: Vec::new(),
            quantized: false,
            picture: false,
            published: Vec::new(),
        };
        if entry.path().is_dir() && family.files(folder).is_ok() {
            families.push(family);
        }
    }
    families.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(families)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bundled folder, from this crate's.
    fn bundled() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lit-tests/models/seed-table")
    }

    #[test]
    fn the_bundled_plan_has_five_networks_a_family() {
        let plan = Plan::read(&bundled()).unwrap();
        for family in &plan.families {
            assert_eq!(family.files(&bundled()).unwrap().len(), 5, "{}", family.name);
            assert!(family.data(&bundled()).exists());
        }
        assert_eq!(plan.families.iter().filter(|family| family.is_in_means()).count(), 5);
    }

    #[test]
    fn a_folder_without_a_plan_is_taken_whole() {
        let names: Vec<String> =
            every_folder(&bundled()).unwrap().into_iter().map(|family| family.name).collect();
        assert_eq!(names, ["pruned100_10", "pruned100_30", "qat100_30", "simple10", "simple100", "simple30"]);
    }

    #[test]
    fn exports_are_told_apart_by_their_names() {
        let plan = Plan::read(&bundled()).unwrap();
        let exports: Vec<&Family> = plan.families.iter().filter(|family| family.quantized).collect();
        let first = |family: &Family| family.files(&bundled()).unwrap()[0].file_name().unwrap().to_owned();
        assert_eq!(
            exports.iter().map(|family| first(family)).collect::<Vec<_>>(),
            ["0.onnx", "0_qonnx.onnx"]
        );
    }

    #[test]
    fn a_folder_without_networks_is_refused() {
        let message = Plan::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err().to_string();
        assert!(message.contains("has no folders with .onnx files"), "{message}");
    }
}
