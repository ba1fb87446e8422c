//! One bootstrap reads the table a few slots off: for who would rather be fast than exact.
//!
//! The result is the table's value for some argument at most `tolerance` slots away, or that of the end beyond which that lies.
//! As in [`super::direct`], each end that the mirror of the other one stands on shrinks by the tolerance.

use super::demand::{Noise, Walk};
use super::nodes::{Chain, Lookup};
use super::{Input, Profile, Role, Unfit, direct};

pub(super) fn slots(profile: &Profile, tolerance: u64) -> Option<u64> {
    profile.unpadded.checked_add(tolerance)
}

pub(super) fn demand(walk: &mut Walk<'_>, noise: &Noise, tolerance: u64) -> Vec<(usize, f64)> {
    direct::demand(walk, noise, tolerance)
}

pub(super) fn look_up(
    chain: &mut Chain<'_>,
    stage: usize,
    lookup: &Lookup<'_>,
    tolerance: u64,
) -> Result<Input, Unfit> {
    direct::look_up(chain, stage, &Lookup { role: Role::Approximate, ..*lookup }, tolerance)
}
