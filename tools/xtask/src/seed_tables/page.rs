//! The page: tables of means, beside what others published.

use super::measure::{Measured, Refused};
use super::plan::{Family, Figures, Plan, Setting};

/// What was measured of a family.
pub(super) struct Results<'a> {
    pub(super) family: &'a Family,
    pub(super) rows: Vec<Row>,
}

/// A family under one setting.
pub(super) struct Row {
    pub(super) setting: &'static Setting,
    pub(super) networks: Vec<Measured>,
    pub(super) refused: Vec<Refused>,
}

impl Row {
    /// The mean of a quantity over the networks.
    pub(super) fn mean(&self, quantity: impl Fn(&Measured) -> f64) -> f64 {
        mean(self.networks.iter().map(quantity))
    }

    /// The same in the form of published figures.
    fn figures(&self) -> Figures {
        if self.networks.is_empty() {
            return Figures::default();
        }
        Figures {
            float: Some(100.0 * self.mean(|measured| measured.float)),
            quantized: Some(100.0 * self.mean(|measured| measured.quantized)),
            accumulator: Some(self.mean(|measured| measured.accumulator as f64)),
            lookups: Some(self.mean(|measured| measured.lookups as f64)),
            seconds: Some(self.mean(|measured| measured.predicted_seconds)),
        }
    }
}

const HEAD: &str = "\
# Accuracy, accumulators and predicted time

`cargo xtask seed-tables` compiles the networks of this folder under each set of options, measures them, and writes this page
and its pictures. It is not edited by hand. Every number of ours is a mean over the networks of its family, as `cml inspect`
and `cml predict` print them for one network; a network that is refused is named below the table.

- **Accuracy** is the share of the test samples classified right, in percent: by the network in floats, by its integers
  after quantization (what encryption computes, bit for bit), and with the noise of encryption simulated.
- **Accumulator** is the number of bits of the widest integer of a program that a lookup reads or that is decrypted: the
  mean, and the largest, over the networks. Ours are proved for every input, the others' are measured on samples.
- **Lookups** and **seconds** are of one inference on encrypted data. Ours are predicted from the cost table of the machine
  that is shipped; a published time is measured.
";

/// The whole page. A picture is a file beside it.
pub(super) fn page(plan: &Plan, results: &[Results<'_>], pictures: &[(String, String)]) -> String {
    let mut text = HEAD.to_owned();
    if !plan.published.is_empty() {
        text.push_str("\nOther figures are from:\n\n");
        for source in &plan.published {
            text.push_str(&format!("- **{}**: {}\n", source.name, source.about));
        }
    }
    text.push_str(&overview(plan, results));
    for result in results {
        let picture = pictures.iter().find(|(name, _)| *name == result.family.name);
        text.push_str(&section(plan, result, picture.map(|(_, file)| file.as_str())));
    }
    text
}

/// The accuracies of all families after post-training quantization, and how far they are below float.
fn overview(plan: &Plan, results: &[Results<'_>]) -> String {
    let results: Vec<&Results<'_>> = results.iter().filter(|result| result.family.is_in_means()).collect();
    let Some(first) = results.first() else {
        return String::new();
    };
    let mut text = "\n## All families after post-training quantization\n\nAccuracy in percent. In the last two columns, points \
                    below float: in the mean over the families, and of the family that loses most.\n\n"
        .to_owned();
    let names = results.iter().map(|result| result.family.name.clone());
    text.push_str(&line(std::iter::once(String::new()).chain(names).chain(strings(["loss", "worst loss"]))));
    text.push_str(&rule(results.len() + 2));
    let float: Vec<Figures> =
        results.iter().filter_map(|result| result.rows.first().map(Row::figures)).collect();
    text.push_str(&accuracies("float", &float, |figures| figures.float, false));
    for (index, source) in plan.published.iter().enumerate() {
        let published: Vec<Figures> = results
            .iter()
            .map(|result| result.family.published.get(index).copied().unwrap_or_default())
            .collect();
        text.push_str(&accuracies(
            &format!("{}, float", source.name),
            &published,
            |figures| figures.float,
            false,
        ));
        let quantized = format!("{}, 3 bits", source.name);
        text.push_str(&accuracies(&quantized, &published, |figures| figures.quantized, true));
    }
    for (index, row) in first.rows.iter().enumerate() {
        let figures: Vec<Figures> =
            results.iter().filter_map(|result| result.rows.get(index).map(Row::figures)).collect();
        text.push_str(&accuracies(&title(row.setting), &figures, |figures| figures.quantized, true));
    }
    text
}

/// A row of the overview.
fn accuracies(
    title: &str,
    families: &[Figures],
    shown: impl Fn(&Figures) -> Option<f64>,
    with_loss: bool,
) -> String {
    let cells = families.iter().map(|figures| number(shown(figures), 1));
    let losses: Option<Vec<f64>> =
        families.iter().map(|figures| Some(figures.float? - figures.quantized?)).collect();
    let losses = losses.filter(|losses| with_loss && !losses.is_empty());
    let loss = losses.as_ref().map(|losses| mean(losses.iter().copied()));
    let worst = losses.as_ref().map(|losses| losses.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    let last = [number(loss, 2), number(worst, 2)];
    line(std::iter::once(title.to_owned()).chain(cells).chain(last))
}

/// All figures of one family.
fn section(plan: &Plan, result: &Results<'_>, picture: Option<&str>) -> String {
    let Results { family, rows } = result;
    let Some(first) = rows.first() else {
        return String::new();
    };
    let measured = first.networks.iter().map(|measured| measured.network.as_str());
    let mut names: Vec<&str> =
        measured.chain(first.refused.iter().map(|refused| refused.network.as_str())).collect();
    names.sort_unstable();
    let mut text = format!("\n## {}\n\nNetworks {} of `{}`", family.name, names.join(", "), family.networks);
    if !family.options.is_empty() {
        text.push_str(&format!(", compiled with `{}` as well", family.options.join(" ")));
    }
    text.push_str(format!(". {}", family.about).trim_end());
    text.push_str("\n\n");
    let columns = ["", "float", "quantized", "simulated", "accumulator", "largest", "lookups", "seconds"];
    text.push_str(&line(strings(columns)));
    text.push_str(&rule(columns.len() - 1));
    for (source, figures) in plan.published.iter().zip(&family.published) {
        text.push_str(&row(&source.name, figures, None, None));
    }
    for found in rows {
        let simulated = found.figures().quantized.map(|_| 100.0 * found.mean(|measured| measured.simulated));
        let largest = found.networks.iter().map(|measured| measured.accumulator).max();
        text.push_str(&row(&title(found.setting), &found.figures(), simulated, largest));
    }
    for found in rows {
        for Refused { network, reason } in &found.refused {
            let title = title(found.setting);
            text.push_str(&format!("\nNot in the means: {title} refuses network {network}. *{reason}*\n"));
        }
    }
    if let Some(file) = picture {
        text.push_str(&format!(
            "\nThe decision regions of network {}, and the test samples that it gets wrong in the colour of their class:\n\n\
             ![decision regions]({file})\n",
            names.first().copied().unwrap_or_default()
        ));
    }
    text
}

fn row(title: &str, figures: &Figures, simulated: Option<f64>, largest: Option<u64>) -> String {
    line([
        title.to_owned(),
        number(figures.float, 1),
        number(figures.quantized, 1),
        number(simulated, 1),
        number(figures.accumulator, 1),
        largest.map(|bits| bits.to_string()).unwrap_or_default(),
        number(figures.lookups, 0),
        number(figures.seconds, 2),
    ])
}

fn title(setting: &Setting) -> String {
    if setting.options.is_empty() { "cml".to_owned() } else { format!("`{}`", setting.options) }
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

/// Below the names of columns: one of text and `numbers` of numbers.
fn rule(numbers: usize) -> String {
    format!("|---|{}\n", "--:|".repeat(numbers))
}

fn strings<const N: usize>(texts: [&str; N]) -> [String; N] {
    texts.map(str::to_owned)
}

/// A number, or nothing.
fn number(value: Option<f64>, decimals: usize) -> String {
    value.map(|value| format!("{value:.decimals$}")).unwrap_or_default()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1);
    values.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(quantized: bool) -> Plan {
        let source = serde_json::json!({"name": "Peer", "about": "a page."});
        let family = serde_json::json!({
            "name": "10 neurons", "about": "Small.", "networks": "ten", "quantized": quantized,
            "published": [{"float": 70.0, "quantized": 55.5, "lookups": 20, "seconds": 0.8}],
        });
        serde_json::from_value(serde_json::json!({"published": [source], "families": [family]})).unwrap()
    }

    fn results(plan: &Plan) -> Vec<Results<'_>> {
        let network = |name: &str, quantized: f64, accumulator: u64| Measured {
            network: name.to_owned(),
            float: 0.6,
            quantized,
            simulated: quantized - 0.004,
            accumulator,
            lookups: 10,
            predicted_seconds: 0.25,
        };
        let rows = |family: &Family| {
            let refused = || Refused { network: "2".to_owned(), reason: "too wide".to_owned() };
            let row = |setting| Row {
                setting,
                networks: vec![network("0", 0.5, 5), network("1", 0.6, 8)],
                refused: vec![refused()],
            };
            family.settings().iter().map(row).collect()
        };
        plan.families.iter().map(|family| Results { family, rows: rows(family) }).collect()
    }

    #[test]
    fn means_stand_beside_published_figures() {
        let plan = plan(false);
        let text = page(&plan, &results(&plan), &[("10 neurons".to_owned(), "pictures/ten.svg".to_owned())]);
        for expected in [
            "- **Peer**: a page.\n",
            "|  | 10 neurons | loss | worst loss |\n|---|--:|--:|--:|\n| float | 60.0 |  |  |\n",
            "| Peer, 3 bits | 55.5 | 14.50 | 14.50 |\n",
            "| `--bits 4` | 55.0 | 5.00 | 5.00 |\n",
            "Networks 0, 1, 2 of `ten`. Small.\n",
            "Not in the means: `--bits 4` refuses network 2. *too wide*\n",
            "| Peer | 70.0 | 55.5 |  |  |  | 20 | 0.80 |\n",
            "| `--bits 4` | 60.0 | 55.0 | 54.6 | 6.5 | 8 | 10 | 0.25 |\n",
            "network 0, and the test samples",
            "![decision regions](pictures/ten.svg)\n",
        ] {
            assert!(text.contains(expected), "{expected}\nis not in\n{text}");
        }
    }

    #[test]
    fn networks_with_their_own_quantizers_are_not_in_the_means() {
        let plan = plan(true);
        let text = page(&plan, &results(&plan), &[]);
        assert!(!text.contains("All families"), "{text}");
        assert!(text.contains("| cml | 60.0 | 55.0 | 54.6 | 6.5 | 8 | 10 | 0.25 |\n"), "{text}");
    }
}
