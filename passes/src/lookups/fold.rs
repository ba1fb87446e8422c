//! A value is brought near the transition of its table, by a correction that is read coarsely.
//!
//! With thresholds from `first` to `last`, the value is held within `first - 1 - e ..= last + e`: the correction at `v` is
//! `clamp(v) - v`. A reading that is off by `d`, at most `e`, gives `x + clamp(v) - v = clamp(v) - d` for `v = x + d`: the
//! value itself inside of these bounds, and beyond them another value of the same flat end. So the result stays within
//! `first - 1 - 2e ..= last + 2e`, exactly, and is read at `ratio` times the spacing: with a table, or with another fold.

use super::demand::{Noise, Walk};
use super::nodes::{Chain, Entries, Lookup, Reading};
use super::profile::needed;
use super::staircase::Staircase;
use super::{Input, Kind, Profile, Role, Unfit, Window};
use cml_runtime::reference::message::Table;

/// What the folded value is read as.
pub(super) fn folded(profile: &Profile, tolerance: u64) -> Option<Profile> {
    let flat = tolerance.checked_mul(2)?.checked_add(1)?;
    let range = profile.transition.checked_add(flat.checked_mul(2)?)?;
    Some(Profile {
        range: profile.range.min(range),
        flat: profile.flat.min(flat),
        unpadded: profile.unpadded.min(profile.transition + flat),
        ..profile.clone()
    })
}

pub(super) fn slots(profile: &Profile, window: Window, rest: &mut dyn Iterator<Item = Kind>) -> Option<u64> {
    let Window { ratio, tolerance } = window;
    if tolerance == 0 || ratio == 0 {
        return None;
    }
    let slots = needed(&folded(profile, tolerance)?, rest)?;
    Some(profile.slots_with_ends(tolerance)?.max(slots.checked_mul(ratio)?))
}

pub(super) fn demand(walk: &mut Walk<'_>, noise: &Noise, window: Window) -> Vec<(usize, f64)> {
    let stage = walk.read(noise, window.tolerance, 1);
    walk.value(&noise.times(window.ratio).and(stage, 1.0))
}

pub(super) fn look_up(
    chain: &mut Chain<'_>,
    stage: usize,
    lookup: &Lookup<'_>,
    window: Window,
) -> Result<Input, Unfit> {
    let Lookup { staircase, value, .. } = *lookup;
    let Window { ratio, tolerance } = window;
    chain.require(stage, value.spacing, Profile::of_staircase(staircase).slots_with_ends(tolerance))?;
    let spacing = value.times(ratio, stage)?;
    let (first, last) = staircase.transition();
    let tolerance = chain.signed(stage, tolerance)?;
    let (low, high) = (first - 1 - tolerance, last + tolerance);
    let corrections: Vec<i64> = (staircase.lo..=staircase.hi).map(|v| v.clamp(low, high) - v).collect();
    let center = corrections[0] + corrections[corrections.len() - 1];
    let table = Table { lo: staircase.lo, values: corrections };
    let correction =
        chain.bootstrap(stage, value.input, Entries { table, center, role: Role::Fold }, spacing);
    let input = chain.combine(&[(value.input, 1), (correction, 1)], 0, spacing);
    let (lo, hi) = ((low - tolerance).max(staircase.lo), (high + tolerance).min(staircase.hi));
    let folded = Staircase { lo, hi, ..staircase.clone() };
    chain.look_up(&Lookup { staircase: &folded, value: Reading { input, spacing }, ..*lookup })
}
