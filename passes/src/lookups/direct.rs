//! One bootstrap reads the table.
//!
//! Half a turn further a table reads as `center - entry`, so a table that is flat at both ends needs no padding: with
//! `center` the sum of its first and last value, an entry of one end may stand where the mirror of the other end stands.
//! What is left free between both ends reads as the last value, or as the first.

use super::demand::{Noise, Walk};
use super::nodes::{Chain, Entries, Lookup};
use super::{Input, Profile, Unfit};

/// The mirror of an end may overlap the other end, no more; each end shrinks by the tolerance.
pub(super) fn slots(profile: &Profile, tolerance: u64) -> Option<u64> {
    if tolerance > profile.slack { None } else { profile.unpadded.checked_add(tolerance) }
}

pub(super) fn demand(walk: &mut Walk<'_>, noise: &Noise, tolerance: u64) -> Vec<(usize, f64)> {
    vec![(walk.read(noise, tolerance, 1), 1.0)]
}

pub(super) fn look_up(
    chain: &mut Chain<'_>,
    stage: usize,
    lookup: &Lookup<'_>,
    tolerance: u64,
) -> Result<Input, Unfit> {
    let Lookup { staircase, value, output, role } = *lookup;
    chain.require(stage, value.spacing, Profile::of_staircase(staircase).unpadded.checked_add(tolerance))?;
    let entries = Entries { table: staircase.table(), center: staircase.center(), role };
    Ok(chain.bootstrap(stage, value.input, entries, output))
}
