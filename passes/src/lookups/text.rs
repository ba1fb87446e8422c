//! Forms as text, for attributes and reports: `slots: kind(numbers)@key+extension ...`.

use super::{Form, Kind, ParseFormError, Spread, Stage, Window};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

impl Display for Form {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.slots)?;
        for stage in &self.stages {
            let (name, numbers) = words(stage.kind);
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            write!(f, " {name}({})@{}{:+}", numbers.join(","), stage.key, stage.extension)?;
        }
        Ok(())
    }
}

fn words(kind: Kind) -> (&'static str, Vec<u64>) {
    let with = |window: Window, more: &[u64]| [&[window.ratio, window.tolerance], more].concat();
    match kind {
        Kind::Direct { tolerance } => ("direct", vec![tolerance]),
        Kind::Approximate { tolerance } => ("approximate", vec![tolerance]),
        Kind::Fold(window) => ("fold", with(window, &[])),
        Kind::Steps(window) => ("steps", with(window, &[])),
        Kind::Zones { window, zones } => ("zones", with(window, &[zones])),
        Kind::Nearest { window, spread } => ("nearest", with(window, &[spread.least, spread.most])),
        Kind::Compare => ("compare", Vec::new()),
    }
}

fn kind(name: &str, numbers: &[u64]) -> Option<Kind> {
    let (window, more) = match (name, numbers) {
        ("compare", []) => return Some(Kind::Compare),
        ("direct", [tolerance]) => return Some(Kind::Direct { tolerance: *tolerance }),
        ("approximate", [tolerance]) => return Some(Kind::Approximate { tolerance: *tolerance }),
        (_, [ratio, tolerance, more @ ..]) => (Window { ratio: *ratio, tolerance: *tolerance }, more),
        _ => return None,
    };
    match (name, more) {
        ("fold", []) => Some(Kind::Fold(window)),
        ("steps", []) => Some(Kind::Steps(window)),
        ("zones", [zones]) => Some(Kind::Zones { window, zones: *zones }),
        ("nearest", [least, most]) => {
            Some(Kind::Nearest { window, spread: Spread { least: *least, most: *most } })
        }
        _ => None,
    }
}

impl FromStr for Form {
    type Err = ParseFormError;

    fn from_str(text: &str) -> Result<Self, ParseFormError> {
        let fault = |found: &str, expected| ParseFormError { found: found.to_owned(), expected };
        let (slots, stages) = text.split_once(':').ok_or_else(|| fault(text, "`slots: stages`"))?;
        let slots = slots.trim().parse().map_err(|_| fault(slots, "a number of slots"))?;
        let stages = stages
            .split_whitespace()
            .map(|text| stage(text).ok_or_else(|| fault(text, "`kind(numbers)@key+extension`")))
            .collect::<Result<_, _>>()?;
        Ok(Self { slots, stages })
    }
}

fn stage(text: &str) -> Option<Stage> {
    let (what, how) = text.split_once(")@")?;
    let (name, numbers) = what.split_once('(')?;
    let numbers = numbers.split(',').filter(|_| !numbers.is_empty());
    let numbers: Vec<u64> = numbers.map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let (key, extension) = how.split_at(how.find(['+', '-'])?);
    Some(Stage { kind: kind(name, &numbers)?, key: key.parse().ok()?, extension: extension.parse().ok()? })
}
