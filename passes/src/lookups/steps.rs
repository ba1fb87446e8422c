//! A staircase of equal jumps: the value below the nearest jump, and on which side of it the argument is.
//!
//! Jumps stand at least `2e` apart. At `v` the nearest one is `t`, where its cell reaches from `t - e` to the next cell. One
//! table gives the correction `clamp(v - t) - v`, another at the same noisy phase the value below `t`. For a reading off by
//! `d`, at most `e`, the argument `x = v - d` has no jump between it and `t`, and `clamp(v - t) - d` has the sign of `x - t`:
//! inside of the clamp it is `x - t` itself, beyond it more than `e`. It stays within `-2e - 1 ..= 2e`, is read at `ratio`
//! times the spacing, and adds the jump where it is not negative.

use super::demand::{Noise, Walk};
use super::nodes::{Chain, Entries, Lookup, Reading};
use super::profile::needed;
use super::staircase::Staircase;
use super::{Input, Kind, Profile, Role, Unfit, Window};
use cml_runtime::reference::message::Table;

/// What the distance from the nearest jump is read as.
pub(super) fn distance(tolerance: u64) -> Option<Profile> {
    let flat = tolerance.checked_mul(2)?.checked_add(1)?;
    Some(Profile {
        range: flat.checked_mul(2)?,
        transition: 0,
        flat,
        unpadded: flat,
        gap: None,
        thresholds: 1,
        equal_jumps: true,
        block: None,
        slack: 0,
    })
}

pub(super) fn slots(profile: &Profile, window: Window, rest: &mut dyn Iterator<Item = Kind>) -> Option<u64> {
    profile.equal_jumps.then_some(())?;
    slots_of_nearest(profile, window, rest)
}

/// The same, whatever the jumps are.
pub(super) fn slots_of_nearest(
    profile: &Profile,
    window: Window,
    rest: &mut dyn Iterator<Item = Kind>,
) -> Option<u64> {
    let Window { ratio, tolerance } = window;
    if tolerance == 0 || ratio == 0 || profile.gap.is_some_and(|gap| tolerance > gap / 2) {
        return None;
    }
    let slots = needed(&distance(tolerance)?, rest)?;
    Some(profile.slots_with_ends(tolerance)?.max(slots.checked_mul(ratio)?))
}

pub(super) fn demand(walk: &mut Walk<'_>, noise: &Noise, window: Window) -> Vec<(usize, f64)> {
    let stage = walk.read(noise, window.tolerance, 2);
    let mut result = walk.value(&noise.times(window.ratio).and(stage, 1.0));
    result.push((stage, 1.0));
    result
}

pub(super) fn look_up(
    chain: &mut Chain<'_>,
    stage: usize,
    lookup: &Lookup<'_>,
    window: Window,
) -> Result<Input, Unfit> {
    let values = &lookup.staircase.values;
    let jump = values.get(1).map_or(0, |second| second.wrapping_sub(values[0]));
    if values.windows(2).any(|pair| pair[1].wrapping_sub(pair[0]) != jump) {
        return Err(Unfit::Jumps { stage });
    }
    nearest(chain, stage, lookup, window, &Zones { values, jump })
}

/// What the zones of a staircase are to give: the first value, and one more `jump` after each threshold.
pub(super) struct Zones<'a> {
    pub(super) values: &'a [i64],
    pub(super) jump: i64,
}

/// The nodes for the nearest jump, and for what lies on its other side.
pub(super) fn nearest(
    chain: &mut Chain<'_>,
    stage: usize,
    lookup: &Lookup<'_>,
    window: Window,
    zones: &Zones<'_>,
) -> Result<Input, Unfit> {
    let Lookup { staircase, value, output, .. } = *lookup;
    let Window { ratio, tolerance } = window;
    let profile = Profile::of_staircase(staircase);
    chain.require(stage, value.spacing, profile.slots_with_ends(tolerance))?;
    if let Some(gap) = profile.gap.filter(|gap| tolerance > gap / 2) {
        return Err(Unfit::Gap { stage, expected: tolerance.saturating_mul(2), found: gap });
    }
    let spacing = value.times(ratio, stage)?;
    let tolerance = chain.signed(stage, tolerance)?;
    let anywhere = [staircase.transition().0];
    let thresholds =
        if staircase.thresholds.is_empty() { &anywhere } else { staircase.thresholds.as_slice() };
    let cell = |v: i64| thresholds.partition_point(|t| t - tolerance <= v).saturating_sub(1);
    let entries = |entry: &dyn Fn(i64) -> i64, role| {
        let values: Vec<i64> = (staircase.lo..=staircase.hi).map(entry).collect();
        let center = values[0].wrapping_add(values[values.len() - 1]);
        Entries { table: Table { lo: staircase.lo, values }, center, role }
    };
    let correction = |v: i64| (v - thresholds[cell(v)]).clamp(-tolerance - 1, tolerance) - v;
    let correction = entries(&correction, Role::Nearest);
    let below = entries(&|v| zones.values[cell(v)], Role::Count);
    let correction = chain.bootstrap(stage, value.input, correction, spacing);
    let below = chain.bootstrap(stage, value.input, below, output);
    let input = chain.combine(&[(value.input, 1), (correction, 1)], 0, spacing);
    let sign = sign(2 * tolerance + 1, 2 * tolerance, [0, zones.jump]);
    let distance = Reading { input, spacing };
    let above = chain.look_up(&Lookup { staircase: &sign, value: distance, output, role: Role::Sign })?;
    Ok(chain.combine(&[(below, 1), (above, 1)], 0, output))
}

/// One value below 0, from `-below` on, and another from 0 on, up to `above`.
pub(super) fn sign(below: i64, above: i64, values: [i64; 2]) -> Staircase {
    let (thresholds, values) =
        if values[0] == values[1] { (vec![], vec![values[0]]) } else { (vec![0], values.to_vec()) };
    Staircase { lo: -below, hi: above, thresholds, values }
}
