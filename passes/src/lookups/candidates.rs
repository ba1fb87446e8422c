//! Which windows are worth the search's while.

use super::{Form, Kind, Profile, Window, fold};

/// Above this number of forms of one kind, those are left out that differ from another by little.
const MANY: usize = 120;

/// The forms that serve a profile with at most `available` slots in half the torus: for each kind the windows that no
/// other beats in all tolerances, at the slots that they need.
///
/// Forms that need fewer slots than there are serve as well at the spacing that there is. The same arguments give the
/// same list.
#[must_use]
pub fn candidates(profile: &Profile, available: u64) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for folds in 0..=FOLDS {
        let mut found: Vec<Form> = sequences(profile, folds, Some(available))
            .into_iter()
            .chain(sequences(profile, folds, None))
            .filter_map(|kinds| Form::new(profile, &kinds))
            .filter(|form| form.slots <= available)
            .collect();
        found.sort();
        found.dedup();
        forms.extend(undominated(found));
    }
    forms
}

/// Longest chain of folds.
const FOLDS: usize = 3;

/// Sequences of stages with this many folds: windows that fill the slots there are, or those that the range needs.
fn sequences(profile: &Profile, folds: usize, available: Option<u64>) -> Vec<Vec<Kind>> {
    if folds == 0 {
        return vec![vec![Kind::Direct { tolerance: 0 }]];
    }
    let mut found = Vec::new();
    for tolerance in tolerances(profile, folds) {
        let Some(folded) = fold::folded(profile, tolerance) else { break };
        let Some(least) = profile.slots_with_ends(tolerance) else { break };
        for rest in sequences(&folded, folds - 1, None) {
            let Some(window) = Form::new(&folded, &rest).map(|form| form.slots) else { continue };
            let slots = available.unwrap_or(least).max(least);
            for ratio in [slots / window, slots / window + 1] {
                if ratio >= 2 {
                    let first = Kind::Fold(Window { ratio, tolerance });
                    found.push([&[first], rest.as_slice()].concat());
                }
            }
        }
    }
    found
}

/// Tolerances of a fold that leave a narrower range: all small ones, then ever fewer.
fn tolerances(profile: &Profile, folds: usize) -> Vec<u64> {
    let largest = profile.range.saturating_sub(profile.transition) / 4;
    let (all, step) = if folds == 1 { (40, 16) } else { (4, 4) };
    let mut found: Vec<u64> = Vec::new();
    let mut next = 1;
    while next <= largest {
        found.push(next);
        next += if next < all { 1 } else { (next / step).max(1) };
    }
    found
}

/// What the search looks at: each number is better the larger it is.
fn merits(form: &Form) -> Vec<f64> {
    let slots = form.slots as f64;
    let mut merits = vec![];
    for stage in form.stages() {
        let tolerance = (stage.tolerance as f64 + 0.5) / stage.slots(slots);
        merits.push(tolerance);
        merits.extend(
            [stage.input]
                .into_iter()
                .chain(stage.stages.iter().map(|(_, factor)| *factor))
                .map(|factor| if factor == 0.0 { 1.0 } else { tolerance / factor.sqrt() }),
        );
    }
    merits
}

/// The forms that no other beats in all merits.
fn undominated(forms: Vec<Form>) -> Vec<Form> {
    let mut ranked: Vec<(f64, Vec<f64>, Form)> = forms
        .into_iter()
        .map(|form| (merits(&form), form))
        .map(|(merits, form)| (merits.iter().map(|merit| merit.log2()).sum(), merits, form))
        .collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.2.cmp(&other.2)));
    let mut slack = 1.0;
    loop {
        let mut kept: Vec<(&[f64], &Form)> = Vec::new();
        for (_, merits, form) in &ranked {
            let beats = |known: &[f64]| known.iter().zip(merits).all(|(known, own)| known * slack >= *own);
            if !kept.iter().any(|(known, _)| beats(known)) {
                kept.push((merits, form));
            }
        }
        if kept.len() <= MANY {
            return kept.into_iter().map(|(_, form)| form.clone()).collect();
        }
        slack *= 1.01;
    }
}
