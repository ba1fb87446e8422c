//! Jumps of any kind: the nearest border, the side of it, then a table of both.
//!
//! Borders are the jumps, and others between them where those are far apart: neighbours lie from `least` to `most` slots
//! apart. At `v` the nearest border is `D`, read with an error of at most `e`, `2e` not above `least`: no border lies between
//! `D` and `x` but these two themselves. `y = x - D` is exact, and `z = D - [y < 0] * least` tells the zone of `x`: what lies
//! below a border reads `D - least` there, or the border before it, which is no nearer. So a table of `z` jumps in the
//! middle of the `least` slots below a jump, and is itself read with a tolerance. `D` is needed twice and is small neither
//! time, so it is returned at the input's own spacing.
//!
//! Where all jumps lie on a lattice and both distances are its own, this is the floor of a division, then a table.

use super::demand::{Noise, Walk};
use super::nodes::{Chain, Entries, Lookup, Reading};
use super::profile::needed;
use super::staircase::Staircase;
use super::steps::sign;
use super::{Input, Kind, Profile, Role, Unfit, Window};
use cml_runtime::reference::message::Table;

/// How far apart borders lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spread {
    /// At least this many slots.
    pub least: u64,
    /// At most this many.
    pub most: u64,
}

impl Spread {
    /// Whether borders can be put between all jumps: always where `most` is twice `least` less 1, or all distances are
    /// multiples of `most`.
    fn divides(self, gap: Option<u64>, block: Option<u64>) -> bool {
        let Self { least, most } = self;
        least > 0
            && most >= least
            && gap.is_none_or(|gap| gap >= least)
            && (most - least >= least - 1 || block.is_none_or(|block| block.is_multiple_of(most)))
    }

    /// Slots that a reading of the table of both may be off.
    pub(super) fn slack(self) -> u64 {
        self.least.saturating_sub(1) / 2
    }
}

/// What the distance from the nearest border is read as.
pub(super) fn distance(spread: Spread, tolerance: u64) -> Option<Profile> {
    let (below, above) = (spread.most / 2 + tolerance, spread.most.div_ceil(2) + tolerance);
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

/// What a border with its side is read as.
fn sides(profile: &Profile, spread: Spread) -> Option<Profile> {
    let Spread { least, most } = spread;
    let beyond = profile.range.checked_add(least.max(most.div_ceil(2)))?.saturating_sub(2);
    let from_first_to_last = if least == most { beyond / least * least } else { beyond };
    let slack = spread.slack();
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
    spread: Spread,
    rest: &mut dyn Iterator<Item = Kind>,
) -> Option<u64> {
    let Window { ratio, tolerance } = window;
    let divides = spread.divides(profile.gap, profile.block);
    if tolerance == 0 || ratio == 0 || tolerance > spread.least / 2 || !divides {
        return None;
    }
    let distance = needed(&distance(spread, tolerance)?, rest)?.checked_mul(ratio)?;
    let sides = needed(&sides(profile, spread)?, rest)?;
    Some((profile.range - 1).checked_add(tolerance)?.max(distance).max(sides))
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
    spread: Spread,
) -> Result<Input, Unfit> {
    let Lookup { staircase, value, .. } = *lookup;
    let Window { ratio, tolerance } = window;
    let spacing = value.times(ratio, stage)?;
    let profile = Profile::of_staircase(staircase);
    if tolerance > spread.least / 2 || !spread.divides(profile.gap, profile.block) {
        return Err(Unfit::Borders { stage });
    }
    chain.require(stage, value.spacing, (staircase.entries() - 1).checked_add(tolerance))?;
    let tolerance = chain.signed(stage, tolerance)?;
    let (least, most) = (chain.signed(stage, spread.least)?, chain.signed(stage, spread.most)?);
    let borders = borders(staircase, least, most);
    let cell = |v: i64| {
        let next = borders.partition_point(|border| *border <= v);
        match (next.checked_sub(1).map(|last| borders[last]), borders.get(next)) {
            (Some(last), Some(next)) if v >= next - (next - last) / 2 => *next,
            (Some(last), _) => last,
            (None, _) => borders[0],
        }
    };
    let nearest: Vec<i64> = (staircase.lo..=staircase.hi).map(cell).collect();
    let center = nearest[0] + nearest[nearest.len() - 1];
    let nearest = Entries { table: Table { lo: staircase.lo, values: nearest }, center, role: Role::Nearest };
    let nearest = chain.bootstrap(stage, value.input, nearest, value.spacing);
    let distance = chain.combine(&[(value.input, 1), (nearest, -1)], 0, spacing);
    let half = most / 2;
    let sign = sign(half + tolerance, most - 1 - half + tolerance, [-least, 0]);
    let side = chain.look_up(&Lookup {
        staircase: &sign,
        value: Reading { input: distance, spacing },
        output: value.spacing,
        role: Role::Sign,
    })?;
    let input = chain.combine(&[(nearest, 1), (side, 1)], 0, value.spacing);
    let (first, last) = (borders[0], borders[borders.len() - 1]);
    let slack = (least - 1) / 2;
    let sides = Staircase {
        lo: if first > staircase.lo { first - least } else { first },
        hi: match borders.len().checked_sub(2).map(|before| borders[before]) {
            _ if last <= staircase.hi => last,
            Some(before) => before.max(last - least),
            None => last - least,
        },
        thresholds: staircase.thresholds.iter().map(|jump| jump - least + slack + 1).collect(),
        values: staircase.values.clone(),
    };
    chain.look_up(&Lookup { staircase: &sides, value: Reading { input, spacing: value.spacing }, ..*lookup })
}

/// All borders: each argument is at most half of `most` below one, or less than that above one.
fn borders(staircase: &Staircase, least: i64, most: i64) -> Vec<i64> {
    let (first, last) = staircase.transition();
    let half = most / 2;
    let mut borders: Vec<i64> = Vec::new();
    let mut next = first;
    while next - half > staircase.lo {
        next -= most;
        borders.push(next);
    }
    borders.reverse();
    borders.push(first);
    for pair in staircase.thresholds.windows(2) {
        let gap = pair[1] - pair[0];
        // As few as will do; as many as that leaves them far enough apart.
        let parts = ((gap + most - 1) / most).min(gap / least).max(1);
        borders.extend((1..=parts).map(|part| pair[0] + gap * part / parts));
    }
    let mut next = last;
    while next + most - 1 - half < staircase.hi {
        next += most;
        borders.push(next);
    }
    borders
}
