//! What forms depend on in a table, and how many slots a form needs for it.

use super::staircase::Staircase;
use super::{Kind, Unfit, approximate, direct, fold, nearest, steps, zones};
use cml_runtime::reference::message::Table;

/// A table as far as forms depend on it. Merged over several it describes what serves all of them.
///
/// A *jump* is an argument where the value differs from that before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile {
    /// Entries of the longest table.
    pub range: u64,
    /// From the first jump to the last, in slots: the widest. 0 for a single jump, and for none.
    pub transition: u64,
    /// Entries before the first jump or from the last jump on: the fewest.
    pub flat: u64,
    /// Slots at which a table without padding is consistent: `transition` plus the longer flat end, the largest.
    pub unpadded: u64,
    /// Slots between two neighbouring jumps: the smallest. `None` where no table has two.
    pub gap: Option<u64>,
    /// Jumps of the table with most.
    pub thresholds: u64,
    /// Whether all jumps of a table are equal, for each of the tables.
    pub equal_jumps: bool,
    /// Greatest common divisor of all distances between jumps of a table. `None` where no table has two.
    pub block: Option<u64>,
    /// Every argument that occurs is this many slots further from a jump than the next one that does not cross it: 0 where
    /// all arguments of the range occur.
    pub slack: u64,
}

impl Profile {
    /// The profile of one table.
    ///
    /// # Errors
    /// [`Unfit`] for a table without entries, or beyond 64 bits.
    pub fn of(table: &Table) -> Result<Self, Unfit> {
        Ok(Self::of_staircase(&Staircase::of(table)?))
    }

    pub(super) fn of_staircase(steps: &Staircase) -> Self {
        let range = steps.entries();
        let gaps = || steps.thresholds.windows(2).map(|pair| (pair[1] - pair[0]) as u64);
        let mut jumps = steps.values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
        let first = jumps.next();
        let (from, to) = steps.transition();
        let constant = steps.thresholds.is_empty();
        let (below, above) = ((from - steps.lo) as u64, (steps.hi - to + 1) as u64);
        Self {
            range,
            transition: (to - from) as u64,
            // Where all is flat, no reading is wrong.
            flat: if constant { u64::MAX } else { below.min(above) },
            unpadded: range - below.min(above),
            gap: gaps().min(),
            thresholds: steps.thresholds.len() as u64,
            equal_jumps: first.is_none_or(|first| jumps.all(|jump| jump == first)),
            block: gaps().reduce(gcd),
            slack: 0,
        }
    }

    /// What serves the tables of both.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let either = |one: Option<u64>, other: Option<u64>, both: fn(u64, u64) -> u64| match (one, other) {
            (Some(one), Some(other)) => Some(both(one, other)),
            (one, other) => one.or(other),
        };
        Self {
            range: self.range.max(other.range),
            transition: self.transition.max(other.transition),
            flat: self.flat.min(other.flat),
            unpadded: self.unpadded.max(other.unpadded),
            gap: either(self.gap, other.gap, u64::min),
            thresholds: self.thresholds.max(other.thresholds),
            equal_jumps: self.equal_jumps && other.equal_jumps,
            block: either(self.block, other.block, gcd),
            slack: self.slack.min(other.slack),
        }
    }

    /// Slots with which readings off by `tolerance` do no harm at the ends of the range.
    ///
    /// Beyond an end the other one is read, half a turn further and mirrored about the center. That is harmless while what
    /// is read there belongs to the flat end; where the flat end is too short, slots are left free. Reading the first or
    /// last entry itself is always harmless, so no more than `tolerance` of them.
    pub(super) fn slots_with_ends(&self, tolerance: u64) -> Option<u64> {
        let room = tolerance.checked_mul(2)?.checked_add(1)?.saturating_sub(self.flat).min(tolerance);
        (self.range - 1).checked_add(room)
    }
}

/// Greatest common divisor; that of 0 and a number is the number.
pub(crate) fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// Slots that the input needs for these stages; `None` where they do not serve the profile.
pub(super) fn slots(profile: &Profile, kinds: &mut dyn Iterator<Item = Kind>) -> Option<u64> {
    let slots = needed(profile, kinds)?;
    kinds.next().is_none().then_some(slots)
}

/// The same for the stages of one value; those that remain belong to another.
pub(super) fn needed(profile: &Profile, kinds: &mut dyn Iterator<Item = Kind>) -> Option<u64> {
    match kinds.next()? {
        Kind::Direct { tolerance } => direct::slots(profile, tolerance),
        Kind::Approximate { tolerance } => approximate::slots(profile, tolerance),
        // Of all tables of a value together, which no profile says.
        Kind::Compare => None,
        Kind::Fold(window) => fold::slots(profile, window, kinds),
        Kind::Steps(window) => steps::slots(profile, window, kinds),
        Kind::Zones { window, zones } => zones::slots(profile, window, zones, kinds),
        Kind::Nearest { window, spread } => nearest::slots(profile, window, spread, kinds),
    }
}
