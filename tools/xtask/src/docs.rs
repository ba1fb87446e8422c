//! `cargo xtask docs`: the pages that are written from the code.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{build_tools, capitalized, capture, command, tool, workspace, write_whole};
use crate::setup::mlir_prefix;

/// Pages that `cml-translate --docs TOPIC` prints: the topic and the file.
const TOPICS: &[(&str, &str)] = &[
    ("passes", "passes/PASSES.md"),
    ("pipelines", "passes/PIPELINES.md"),
    ("operators", "frontend/OPERATORS.md"),
];

/// A generated page: its path in the workspace and its text.
struct Page {
    path: PathBuf,
    text: String,
}

/// Writes the generated pages, or compares them with what is there.
///
/// # Errors
/// If a page cannot be generated, or with `check`, if one differs.
pub(crate) fn docs(check: bool) -> Result<()> {
    build_tools()?;
    if check { compare_built() } else { write_pages(&pages()?) }
}

/// Compares the pages with what the tools, as they are built now, would write.
///
/// # Errors
/// If one differs: the message names it.
pub(crate) fn compare_built() -> Result<()> {
    let root = workspace();
    let differs = |page: &Page| fs::read_to_string(root.join(&page.path)).ok().as_ref() != Some(&page.text);
    let stale: Vec<String> =
        pages()?.iter().filter(|page| differs(page)).map(|page| page.path.display().to_string()).collect();
    if !stale.is_empty() {
        bail!("{} differ from the code; run `cargo xtask docs` and commit them", stale.join(", "));
    }
    Ok(())
}

fn write_pages(pages: &[Page]) -> Result<()> {
    for page in pages {
        let path = workspace().join(&page.path);
        let unchanged = fs::read_to_string(&path).is_ok_and(|text| text == page.text);
        if !unchanged {
            write_whole(&path, &page.text)?;
        }
        println!("{} {}", if unchanged { "unchanged" } else { "written  " }, page.path.display());
    }
    Ok(())
}

fn pages() -> Result<Vec<Page>> {
    let translate = tool("cml-translate")?;
    let mut pages = Vec::new();
    for (topic, path) in TOPICS {
        let text = capture(command(&translate).args(["--docs", topic]))?;
        if text.trim().is_empty() {
            bail!("{} --docs {topic} printed nothing", translate.display());
        }
        pages.push(Page { path: path.into(), text });
    }
    for (level, definition) in dialects()? {
        pages.push(dialect_page(&level, &definition)?);
    }
    Ok(pages)
}

/// The dialects: each folder `dialects/src/<level>` with a `<Level>.td`, by name.
fn dialects() -> Result<Vec<(String, PathBuf)>> {
    let folder = workspace().join("dialects/src");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let level = entry.file_name().to_string_lossy().into_owned();
        let definition = entry.path().join(format!("{}.td", capitalized(&level)));
        if definition.exists() {
            found.push((level, definition));
        }
    }
    if found.is_empty() {
        bail!("no dialect in {}", folder.display());
    }
    found.sort();
    Ok(found)
}

/// The page that mlir-tblgen writes from the descriptions in `definition`.
fn dialect_page(level: &str, definition: &Path) -> Result<Page> {
    let prefix = mlir_prefix()?;
    let mut tblgen = command(prefix.join("bin/mlir-tblgen"));
    tblgen.arg("-gen-dialect-doc").arg(format!("-dialect={level}")).arg(definition);
    tblgen.arg("-I").arg(prefix.join("include")).arg("-I").arg(workspace().join("dialects/src"));
    let text = capture(&mut tblgen)?;
    Ok(Page { path: format!("dialects/docs/{}.md", capitalized(level)).into(), text: tidied(&text) })
}

/// `text` as editors and git want it, without spaces at the ends of lines or lines at its own end, and without the mark for a
/// table of contents, which only MLIR's own web site replaces.
fn tidied(text: &str) -> String {
    let lines: Vec<&str> =
        text.trim_end().lines().map(str::trim_end).filter(|line| *line != "[TOC]").collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_as_editors_leave_them() {
        assert_eq!(tidied("a  \n\n[TOC]\nb\n\n\n"), "a\n\nb\n");
    }
}
