//! Which windows are worth the search's while.

use super::rank::best;
use super::{Form, Kind, Profile, Spread, Window, fold, nearest, steps, zones};
use std::collections::BTreeMap;

/// Forms of one plan that are offered at the slots that they need.
const OFFERED: usize = 16;
/// And at the slots that there are.
const FILLING: usize = 8;
/// Ways to read a window that are tried, within a longer plan.
const WITHIN: usize = 8;
/// Folds of one plan.
const MOST_FOLDS: usize = 3;
/// A coarse reading that tells more parts of the range apart than this costs more than the next stage saves.
const MOST_PARTS: f64 = 128.0;
/// Wider tables are read in parts whatever it costs: no bootstrap reads them at once.
const WIDEST_AT_ONCE: u64 = 1 << 10;
/// The parts of their coarsest readings that keys can tell apart.
const MOST_PARTS_OF_WIDE: u64 = 512;
/// A window of more slots is not read directly.
const WIDEST_WINDOW: u64 = 512;

/// How a value is read, and how the value that this prepares, down to a table or a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reading {
    Fold,
    Steps,
    Zones,
    /// Borders at the jumps, and wherever there is room.
    Nearest,
    /// Borders on the lattice of the jumps.
    Lattice,
}

/// The forms that serve a profile.
///
/// Of each plan (which stages, in which order) up to six dozen windows: those that cost least in some circumstances, and those
/// that differ most from them. Keys and extensions are left to be chosen. The same arguments give the same list.
pub struct Candidates {
    profile: Profile,
    windows: Windows,
    /// Each plan with its forms, at the slots that they need.
    plans: Vec<(Vec<Reading>, Vec<Form>)>,
}

impl Candidates {
    /// Those of one profile.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let mut windows = Windows::default();
        let forms = |plan: Vec<Reading>| {
            let forms = windows.forms(profile, &plan, step(&plan), None);
            (plan, forms)
        };
        let plans = plans(profile).into_iter().map(forms).collect();
        Self { profile: profile.clone(), windows, plans }
    }

    /// The forms for at most this many slots in half the torus: at the slots that they need, and at those that there are. A
    /// form that needs fewer slots than there are serves as well.
    pub fn within(&mut self, available: u64) -> Vec<Form> {
        let mut all = Vec::new();
        for (plan, forms) in &self.plans {
            let fitting: Vec<Form> = forms.iter().filter(|form| form.slots <= available).cloned().collect();
            let Some(least) = fitting.iter().map(|form| form.slots).min() else { continue };
            let mut found = best(fitting, None, OFFERED);
            if available > least && available / 4 <= least {
                let mut filling = self.windows.forms(&self.profile, plan, step(plan), Some(available));
                filling.retain(|form| form.slots <= available);
                found.extend(best(filling, Some(available), FILLING));
            }
            found.sort();
            found.dedup();
            all.extend(found);
        }
        all
    }
}

/// Tolerances that are tried differ by one part in this many: the more windows a plan has, the fewer of each.
fn step(plan: &[Reading]) -> u64 {
    match plan.len() {
        0 | 1 => 24,
        2 => 12,
        _ => 6,
    }
}

/// The plans that may be worth it: every fold narrows the range.
fn plans(profile: &Profile) -> Vec<Vec<Reading>> {
    let fold = |count| std::iter::repeat_n(Reading::Fold, count);
    let mut plans: Vec<Vec<Reading>> = vec![vec![]];
    let narrowing = profile.range / profile.transition.saturating_add(4);
    plans.extend((1..=folds(narrowing)).map(|count| fold(count).collect()));
    // A lattice much finer than the jumps is of no use.
    let lattice = profile.block.zip(profile.gap).is_some_and(|(block, gap)| block >= gap / 3);
    let by_jumps = [
        (Reading::Steps, if profile.equal_jumps { profile.gap } else { None }),
        (Reading::Zones, if profile.equal_jumps { None } else { profile.gap }),
        (Reading::Lattice, profile.block.filter(|_| lattice)),
        (Reading::Nearest, profile.gap.filter(|gap| profile.block.is_none_or(|block| block < *gap))),
    ];
    for (reading, apart) in by_jumps {
        let Some(apart) = apart.filter(|apart| *apart >= 2) else { continue };
        let before = usize::from(profile.range / 4 * 3 > profile.transition);
        for before in 0..=before {
            for after in 0..=folds(apart / 3).min(MOST_FOLDS - before) {
                plans.push(fold(before).chain([reading]).chain(fold(after)).collect());
            }
        }
    }
    plans
}

/// How many folds bring a range to a part of this many.
fn folds(parts: u64) -> usize {
    [2, 24, 1024].iter().filter(|least| parts >= **least).count()
}

/// The forms of the parts of plans, as far as they were asked for.
#[derive(Default)]
struct Windows {
    known: BTreeMap<(u64, Vec<Reading>, Profile), Vec<Form>>,
}

impl Windows {
    /// The forms of one plan: windows that need the slots that the range needs, or fill those that there are.
    fn forms(&mut self, profile: &Profile, plan: &[Reading], step: u64, available: Option<u64>) -> Vec<Form> {
        let Some((reading, rest)) = plan.split_first() else {
            return Form::new(profile, &[Kind::Direct { tolerance: 0 }]).into_iter().collect();
        };
        let mut found = Vec::new();
        for tolerance in tolerances(profile, *reading, step) {
            let Some(prepared) = prepared(profile, *reading, tolerance) else { continue };
            for form in self.within(&prepared, rest, step) {
                let rest_of: Vec<Kind> = form.stages.iter().map(|stage| stage.kind).collect();
                let with = |ratio| sequence(profile, *reading, Window { ratio, tolerance }, &rest_of);
                let Some(one) = with(1) else { continue };
                let slots = available.unwrap_or(one.slots).max(one.slots);
                let ratio = slots / form.slots;
                for ratio in [ratio, ratio + 1].into_iter().filter(|ratio| *ratio >= 2) {
                    let Some(form) = with(ratio) else { continue };
                    let window = Window { ratio, tolerance };
                    let slots = slots.max(form.slots);
                    let filled = rest.is_empty().then(|| filled(profile, *reading, window, slots)).flatten();
                    found.push(filled.unwrap_or(form));
                }
            }
        }
        found
    }

    /// How a window may be read.
    fn within(&mut self, profile: &Profile, plan: &[Reading], step: u64) -> Vec<Form> {
        if plan.is_empty() {
            let mut direct = self.forms(profile, plan, step, None);
            direct.retain(|form| form.slots <= WIDEST_WINDOW);
            return direct;
        }
        let key = (step, plan.to_vec(), profile.clone());
        if !self.known.contains_key(&key) {
            let found = best(self.forms(profile, plan, step, None), None, WITHIN);
            self.known.insert(key.clone(), found);
        }
        self.known[&key].clone()
    }
}

/// The form with the largest tolerance at which a table or sign in its window still fits these slots.
fn filled(profile: &Profile, reading: Reading, window: Window, slots: u64) -> Option<Form> {
    let width = slots / window.ratio;
    let prepared = prepared(profile, reading, window.tolerance)?;
    // A window grows with the tolerance by so many slots.
    let growth = match reading {
        Reading::Fold | Reading::Steps | Reading::Zones => 2,
        Reading::Nearest => 3,
        Reading::Lattice => 1,
    };
    let tolerance = window.tolerance + width.checked_sub(prepared.unpadded)? / growth;
    let window = Window { tolerance: tolerance.min(largest(profile, reading)), ..window };
    let sequence = sequence(profile, reading, window, &[Kind::Direct { tolerance: 0 }]);
    sequence.filter(|filled| filled.slots <= slots)
}

/// The largest tolerance that can be of use.
fn largest(profile: &Profile, reading: Reading) -> u64 {
    match reading {
        // A fold that does not halve the range saves nothing.
        Reading::Fold => (profile.range / 2).saturating_sub(profile.transition) / 4 + 1,
        Reading::Steps | Reading::Zones | Reading::Nearest => profile.gap.unwrap_or(0) / 2,
        Reading::Lattice => profile.block.unwrap_or(0) / 2,
    }
}

/// Tolerances to try, from the largest on.
fn tolerances(profile: &Profile, reading: Reading, step: u64) -> Vec<u64> {
    let worthwhile = (profile.range as f64 / MOST_PARTS / 2.0) as u64;
    let mut found = Vec::new();
    let mut next = largest(profile, reading);
    let possible = profile.range > WIDEST_AT_ONCE && next >= profile.range / MOST_PARTS_OF_WIDE / 2;
    let least = if possible { worthwhile.min(next) } else { worthwhile };
    while next > 0 && next >= least {
        found.push(next);
        next -= (next / step).max(1);
    }
    found
}

/// What the window holds.
fn prepared(profile: &Profile, reading: Reading, tolerance: u64) -> Option<Profile> {
    match reading {
        Reading::Fold => fold::folded(profile, tolerance),
        Reading::Steps | Reading::Zones => steps::distance(tolerance),
        Reading::Nearest | Reading::Lattice => {
            nearest::distance(spread(profile, reading, tolerance)?, tolerance)
        }
    }
}

/// How far apart borders are to be.
fn spread(profile: &Profile, reading: Reading, tolerance: u64) -> Option<Spread> {
    if reading == Reading::Lattice {
        return profile.block.map(|block| Spread { least: block, most: block });
    }
    // The table of both sides is read with the same tolerance as the border, where there is room for it.
    let least = (2 * tolerance + 1).min(profile.gap?);
    Some(Spread { least, most: 2 * least - 1 })
}

/// The whole form, where a window is read as `rest`.
fn sequence(profile: &Profile, reading: Reading, window: Window, rest: &[Kind]) -> Option<Form> {
    let direct = |tolerance| Some(Kind::Direct { tolerance });
    let (kind, last) = match reading {
        Reading::Fold => (Kind::Fold(window), None),
        Reading::Steps => (Kind::Steps(window), None),
        Reading::Zones => (Kind::Zones { window, zones: zones::index(profile).unpadded }, direct(0)),
        Reading::Nearest | Reading::Lattice => {
            let spread = spread(profile, reading, window.tolerance)?;
            (Kind::Nearest { window, spread }, direct(spread.slack()))
        }
    };
    let kinds: Vec<Kind> = [kind].into_iter().chain(rest.iter().copied()).chain(last).collect();
    Form::new(profile, &kinds)
}
