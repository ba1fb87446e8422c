//! A table that is constant on blocks of one size: the block by the nearest multiple, then a table of the blocks.
//!
//! Jumps stand at distances that `block` divides. At `v` the nearest block border is `D`, read with an error of at most
//! `e`, `2e` not above the block; `y = x - D` is exact, and `D - [y < 0] * block` is the border at which the block of `x`
//! begins. `D` is needed twice and is small neither time, so it is returned at the input's own spacing; the cell of a border
//! reaches half a block to either side. Blocks begin a block apart: their table is read with a tolerance, too.

use super::demand::{Noise, Walk};
use super::nodes::{Chain, Entries, Lookup, Reading};
use super::profile::needed;
use super::staircase::Staircase;
use super::steps::sign;
use super::{Input, Kind, Profile, Role, Unfit, Window};
use cml_runtime::reference::message::Table;

/// What the distance from the nearest border is read as.
pub(super) fn distance(block: u64, tolerance: u64) -> Option<Profile> {
    let (below, above) = (block / 2 + tolerance, block.div_ceil(2) + tolerance);
    Some(Profile {
        range: below.checked_add(above)?,
        transition: 0,
        flat: below,
        unpadded: above,
        gap: None,
        thresholds: 1,
        equal_jumps: true,
        block: None,
        slack: 0,
    })
}

/// Slots that a reading of the borders may be off.
pub(super) fn slack(block: u64) -> u64 {
    block.saturating_sub(1) / 2
}

/// What the border at which a block begins is read as.
pub(super) fn borders(profile: &Profile, block: u64) -> Option<Profile> {
    let from_first_to_last =
        (profile.range.checked_add(block)?.saturating_sub(2) / block).checked_mul(block)?;
    let slack = slack(block);
    let range = from_first_to_last.checked_add(1)?;
    Some(Profile {
        range,
        transition: range.saturating_sub(2 * (slack + 1)),
        flat: slack + 1,
        unpadded: range.saturating_sub(slack + 1).max(1),
        slack,
        ..profile.clone()
    })
}

pub(super) fn slots(
    profile: &Profile,
    window: Window,
    block: u64,
    rest: &mut dyn Iterator<Item = Kind>,
) -> Option<u64> {
    let Window { ratio, tolerance } = window;
    let divides = block > 0 && profile.block.is_none_or(|all| all % block == 0);
    if tolerance == 0 || ratio == 0 || tolerance > block / 2 || !divides {
        return None;
    }
    let distance = needed(&distance(block, tolerance)?, rest)?.checked_mul(ratio)?;
    let borders = needed(&borders(profile, block)?, rest)?;
    Some((profile.range - 1).checked_add(tolerance)?.max(distance).max(borders))
}

pub(super) fn demand(walk: &mut Walk<'_>, noise: &Noise, window: Window) -> Vec<(usize, f64)> {
    let stage = walk.read(noise, window.tolerance, 1);
    let factor = (window.ratio as f64).powi(2);
    let mut stages = walk.value(&noise.times(window.ratio).and(stage, factor));
    stages.push((stage, 1.0));
    walk.value(&Noise { at: noise.at, input: 0.0, stages })
}

pub(super) fn look_up(
    chain: &mut Chain<'_>,
    stage: usize,
    lookup: &Lookup<'_>,
    window: Window,
    block: u64,
) -> Result<Input, Unfit> {
    let Lookup { staircase, value, .. } = *lookup;
    let Window { ratio, tolerance } = window;
    let spacing = value.times(ratio, stage)?;
    let (tolerance, block) = (chain.signed(stage, tolerance)?, chain.signed(stage, block)?);
    let origin = staircase.transition().0;
    if block == 0
        || tolerance > block / 2
        || staircase.thresholds.iter().any(|threshold| (threshold - origin) % block != 0)
    {
        return Err(Unfit::Block { stage });
    }
    chain.require(stage, value.spacing, (staircase.entries() - 1).checked_add(window.tolerance))?;
    let half = block / 2;
    let begin = |v: i64| origin + (v - origin).div_euclid(block) * block;
    let nearest: Vec<i64> = (staircase.lo..=staircase.hi).map(|v| begin(v + half)).collect();
    let center = nearest[0] + nearest[nearest.len() - 1];
    let nearest = Entries { table: Table { lo: staircase.lo, values: nearest }, center, role: Role::Nearest };
    let nearest = chain.bootstrap(stage, value.input, nearest, value.spacing);
    let distance = chain.combine(&[(value.input, 1), (nearest, -1)], 0, spacing);
    let sign = sign(half + tolerance, block - 1 - half + tolerance, [-block, 0]);
    let back = chain.look_up(&Lookup {
        staircase: &sign,
        value: Reading { input: distance, spacing },
        output: value.spacing,
        role: Role::Sign,
    })?;
    let input = chain.combine(&[(nearest, 1), (back, 1)], 0, value.spacing);
    // A threshold is where a block begins: read as far below it as the slack allows.
    let slack = (block - 1) / 2;
    let borders = Staircase {
        lo: begin(staircase.lo),
        hi: begin(staircase.hi),
        thresholds: staircase.thresholds.iter().map(|threshold| threshold - block + slack + 1).collect(),
        values: staircase.values.clone(),
    };
    chain.look_up(&Lookup {
        staircase: &borders,
        value: Reading { input, spacing: value.spacing },
        ..*lookup
    })
}
