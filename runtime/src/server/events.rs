//! The events of a program's ledger, from its steps.

use super::CheckedServer;
use crate::program::message::{Action, Bootstrap, Event, Linear};
use crate::units::Width;
use std::collections::BTreeMap;

/// Noise of one element, as sums of squared weights on fresh encryptions and on bootstrap results.
#[derive(Clone, Copy)]
struct Source {
    inputs: f64,
    bootstraps: f64,
}

/// How an element hangs on sources of noise.
#[derive(Clone)]
enum Element {
    /// It is one: number of the value, index in it.
    Fresh(usize, usize),
    /// A combination of sources that may have some in common with others.
    Combined(Source),
}

impl CheckedServer<'_> {
    /// Every event of one inference: one entry for each bootstrap step and each output.
    ///
    /// Exact where a linear step reads inputs and bootstrap results only; else the sum of the parts' norms, which bounds
    /// their combination however they correlate.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let server = self.server();
        let mut values: Vec<Vec<Element>> = (0..server.inputs.len()).map(|value| self.fresh(value)).collect();
        let mut events = Vec::new();
        for step in &server.steps {
            let result = match &step.action {
                Some(Action::Linear(linear)) => self.combine(linear, &step.node, &values),
                Some(Action::Bootstrap(bootstrap)) => {
                    let elements = &values[bootstrap.input as usize];
                    events.push(self.lookup_event(&step.node, bootstrap, elements));
                    self.fresh(values.len())
                }
                None => Vec::new(),
            };
            values.push(result);
        }
        for (port, value) in server.outputs.iter().zip(&server.output_values) {
            let width = port.lo.iter().zip(&port.hi).map(|(lo, hi)| Width::of_range(*lo, *hi).0).max();
            let event = Event { node: port.name.clone(), spacing: port.spacing, ..Event::default() };
            let event = Event { width: width.unwrap_or(0), ..event };
            events.push(self.largest(event, &values[*value as usize]));
        }
        events
    }

    fn fresh(&self, value: usize) -> Vec<Element> {
        (0..self.values()[value].count).map(|index| Element::Fresh(value, index)).collect()
    }

    fn lookup_event(&self, node: &str, bootstrap: &Bootstrap, elements: &[Element]) -> Event {
        let entries = bootstrap.tables.iter().map(|table| table.values.len() as i64).max().unwrap_or(1);
        let event = Event {
            node: node.to_owned(),
            extension: Some(bootstrap.extension),
            spacing: self.values()[bootstrap.input as usize].spacing,
            width: Width::of_range(1, entries.max(1)).0,
            ..Event::default()
        };
        self.largest(event, elements)
    }

    /// Fills in the number of elements and their largest noise.
    fn largest(&self, event: Event, elements: &[Element]) -> Event {
        let noise = elements.iter().map(|element| self.noise(element));
        let largest = noise.fold(Source { inputs: 0.0, bootstraps: 0.0 }, |largest, noise| Source {
            inputs: largest.inputs.max(noise.inputs),
            bootstraps: largest.bootstraps.max(noise.bootstraps),
        });
        Event {
            count: elements.len() as u32,
            norm2_squared_inputs: largest.inputs,
            norm2_squared_bootstraps: largest.bootstraps,
            ..event
        }
    }

    fn noise(&self, element: &Element) -> Source {
        match element {
            Element::Combined(noise) => *noise,
            Element::Fresh(value, _) if *value < self.server().inputs.len() => {
                Source { inputs: 1.0, bootstraps: 0.0 }
            }
            Element::Fresh(..) => Source { inputs: 0.0, bootstraps: 1.0 },
        }
    }

    fn combine(&self, linear: &Linear, node: &str, values: &[Vec<Element>]) -> Vec<Element> {
        let step = self.linear_step(node, linear);
        let columns: Vec<&Element> =
            linear.inputs.iter().flat_map(|value| &values[*value as usize]).collect();
        let row = |row| {
            let mut sources: BTreeMap<(usize, usize), f64> = BTreeMap::new();
            // Norms, not yet squared, of what may be correlated.
            let mut combined = Source { inputs: 0.0, bootstraps: 0.0 };
            for (weight, element) in step.row(row).iter().zip(&columns) {
                let weight = *weight as f64 * step.factor as f64;
                match element {
                    Element::Fresh(value, index) => *sources.entry((*value, *index)).or_default() += weight,
                    Element::Combined(noise) => {
                        combined.inputs += weight.abs() * noise.inputs.sqrt();
                        combined.bootstraps += weight.abs() * noise.bootstraps.sqrt();
                    }
                }
            }
            let mut fresh = Source { inputs: 0.0, bootstraps: 0.0 };
            for ((value, index), weight) in sources {
                let noise = self.noise(&Element::Fresh(value, index));
                fresh.inputs += weight * weight * noise.inputs;
                fresh.bootstraps += weight * weight * noise.bootstraps;
            }
            Element::Combined(Source {
                inputs: join(combined.inputs, fresh.inputs),
                bootstraps: join(combined.bootstraps, fresh.bootstraps),
            })
        };
        (0..linear.rows as usize).map(row).collect()
    }
}

/// Squared norm of a part given by its norm and one given by its squared norm, correlated in the worst way.
fn join(norm: f64, squared: f64) -> f64 {
    if norm == 0.0 { squared } else { (norm + squared.sqrt()).powi(2) }
}
