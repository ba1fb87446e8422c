//! The comparison as a table for people, 80 columns wide.

use super::{Layer, Outcome};
use crate::table::table;
use std::fmt::{Display, Formatter};

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} samples, {} of them simulated\n", self.samples, self.simulated_samples)?;
        let titles = ["node", "to error", "worst channel", "clipped", "wrong in simulation"];
        f.write_str(&table(titles, self.layers.iter().map(Layer::row)))?;
        writeln!(f)?;
        let ratio = |node: &String| {
            let layer = self.layers.iter().find(|layer| layer.node == *node);
            decibels(layer.and_then(|layer| layer.signal_to_noise_db))
        };
        let limit = self.diverges_below_db;
        match &self.first_diverging {
            Some(node) => {
                writeln!(f, "diverges first  {node}\n                at {}, below {limit} dB", ratio(node))?;
            }
            None => writeln!(f, "diverges first  none: all are at {limit} dB or more")?,
        }
        if let Some(same) = self.same_decision {
            let share = 100.0 * same as f64 / self.samples.max(1) as f64;
            writeln!(f, "same decision   {share:.1} % ({same} of {})", self.samples)?;
        }
        Ok(())
    }
}

impl Layer {
    fn row(&self) -> [String; 5] {
        let none = || "-".to_owned();
        [
            self.node.clone(),
            if self.is_exact { "exact".to_owned() } else { decibels(self.signal_to_noise_db) },
            self.worst_channel
                .map_or_else(none, |(channel, db)| format!("{channel}: {}", decibels(Some(db)))),
            self.clipped.map_or_else(none, |share| format!("{:.1} %", 100.0 * share)),
            if self.simulated_sums == 0 {
                none()
            } else {
                format!("{} of {}", self.simulated_wrong, self.simulated_sums)
            },
        ]
    }
}

fn decibels(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1} dB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let layer = |node: &str, db: f64| Layer {
            node: node.to_owned(),
            signal_to_noise_db: Some(db),
            worst_channel: Some((12, db - 4.25)),
            ..Layer::default()
        };
        let input = Layer { node: "x".to_owned(), clipped: Some(0.0025), ..Layer::default() };
        let first = layer("/fc1/Gemm", 21.44);
        let relu =
            Layer { clipped: Some(0.031), simulated_sums: 640, simulated_wrong: 2, ..layer("/Relu", 20.0) };
        let last = layer("/encoder/layers.0/feed_forward/activation/Gemm_with_a_long_name", 3.0);
        Outcome {
            samples: 300,
            simulated_samples: 20,
            diverges_below_db: 10.0,
            first_diverging: Some(last.node.clone()),
            same_decision: Some(291),
            layers: vec![
                input,
                first,
                relu,
                last,
                Layer { node: "/Flatten".to_owned(), is_exact: true, ..Layer::default() },
            ],
        }
    }

    #[test]
    fn a_table_for_people() {
        let text = outcome().to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn nothing_diverges() {
        let text = Outcome { first_diverging: None, same_decision: None, ..outcome() }.to_string();
        assert!(text.ends_with("diverges first  none: all are at 10 dB or more\n"), "{text}");
    }

    #[test]
    fn an_object_for_programs() {
        insta::assert_json_snapshot!(outcome());
    }
}
