//! A staircase of unequal jumps: the number of the zone by steps, then a table of the zones.
//!
//! The number is a staircase of unit jumps, see [`super::steps`]. Its list has a spacing of its own, the widest at which the
//! table of the zones can be read.

use super::demand::{At, Noise, Walk};
use super::nodes::{Chain, Lookup, Reading};
use super::profile::needed;
use super::staircase::Staircase;
use super::steps;
use super::{Input, Kind, Profile, Unfit, Window};
use cml_runtime::units::Spacing;

/// What the number of a zone is read as.
pub(super) fn index(profile: &Profile) -> Profile {
    let entries = profile.thresholds.saturating_add(1);
    Profile {
        range: entries,
        transition: profile.thresholds.saturating_sub(1),
        flat: 1,
        unpadded: profile.thresholds.max(1),
        gap: (profile.thresholds > 1).then_some(1),
        thresholds: profile.thresholds,
        equal_jumps: false,
        block: (profile.thresholds > 1).then_some(1),
        slack: 0,
    }
}

pub(super) fn slots(
    profile: &Profile,
    window: Window,
    zones: u64,
    rest: &mut dyn Iterator<Item = Kind>,
) -> Option<u64> {
    let slots = steps::slots_of_nearest(profile, window, rest)?;
    (needed(&index(profile), rest)? <= zones).then_some(slots)
}

pub(super) fn demand(walk: &mut Walk<'_>, noise: &Noise, window: Window, zones: u64) -> Vec<(usize, f64)> {
    let stages = steps::demand(walk, noise, window);
    walk.value(&Noise { at: At { slots: Some(zones), multiple: 1 }, input: 0.0, stages })
}

pub(super) fn look_up(
    chain: &mut Chain<'_>,
    stage: usize,
    lookup: &Lookup<'_>,
    window: Window,
    zones: u64,
) -> Result<Input, Unfit> {
    let values = &lookup.staircase.values;
    let numbers: Vec<i64> = (0..values.len() as i64).collect();
    let last = numbers.len() as i64 - 1;
    let spacing = Spacing::of_slots(zones);
    let number = steps::Zones { values: &numbers, jump: last.min(1) };
    let input = steps::nearest(chain, stage, &Lookup { output: spacing, ..*lookup }, window, &number)?;
    let table = Staircase { lo: 0, hi: last, thresholds: (1..=last).collect(), values: values.clone() };
    chain.look_up(&Lookup { staircase: &table, value: Reading { input, spacing }, ..*lookup })
}
