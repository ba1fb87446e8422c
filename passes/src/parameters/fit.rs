//! The cheapest numbers of one key set for the stages that have it, the other sets as they are.

use super::account::{Account, Event};
use super::design::keys_price;
use super::ring::{KeySet, Ring, allowance};
use super::space;

/// Steps of the small dimension in the first round.
const STRIDE: usize = 16;

/// Heads that are looked at again, in steps of one.
const FINE_HEADS: usize = 3;

/// Sweeps over all sets.
const SWEEPS: usize = 3;

/// A stage that reads with the set in question.
struct Own<'a> {
    event: &'a Event,
    place: usize,
    /// Variance that arrives from all else.
    arriving: f64,
    /// Factor on the variance of the set's own results.
    factor: f64,
}

/// One set, among others.
struct Fit<'a> {
    ring: &'a Ring<'a>,
    kappa: f64,
    own: Vec<Own<'a>>,
    /// What its results may have, for the others' sake.
    quiet: f64,
    /// Nanoseconds and key bytes of all else.
    nanoseconds: f64,
    others: Vec<f64>,
}

/// A set with what it costs.
#[derive(Clone)]
struct Found {
    price: f64,
    set: KeySet,
    extensions: Vec<usize>,
}

/// Makes all sets as cheap as they can be while every reading keeps `kappa` deviations: no dearer than before where that
/// kept them. Forms are chosen with the largest noise of an element; the ledger's bound for all of them is a little more.
pub(super) fn settle(account: &mut Account, sets: &mut [KeySet], ring: &Ring, kappa: f64) {
    for _ in 0..SWEEPS {
        let mut changed = false;
        for set in 0..sets.len() {
            changed |= refit(account, sets, set, ring, kappa);
        }
        if !changed || sets.len() == 1 {
            break;
        }
    }
}

fn refit(account: &mut Account, sets: &mut [KeySet], set: usize, ring: &Ring, kappa: f64) -> bool {
    let Some(fit) = Fit::new(account, sets, set, ring, kappa) else { return false };
    if fit.own.is_empty() {
        return false;
    }
    let before = (fit.nanoseconds + fit.own.iter().map(|own| own.event.nanoseconds(ring, sets)).sum::<f64>())
        * keys_price(fit.others.iter().copied().chain([sets[set].key_bytes(ring)]));
    let Some(found) = fit.best() else { return false };
    let better = found.price < before || !fit.is_kept_by(&sets[set]);
    if better {
        let places: Vec<usize> = fit.own.iter().map(|own| own.place).collect();
        sets[set] = found.set;
        for (place, extension) in places.into_iter().zip(found.extensions) {
            account.events[place].extension = extension;
        }
    }
    better
}

impl<'a> Fit<'a> {
    /// `None` where the other sets leave nothing for this one.
    fn new(
        account: &'a Account,
        sets: &[KeySet],
        set: usize,
        ring: &'a Ring<'a>,
        kappa: f64,
    ) -> Option<Self> {
        let (mut own, mut quiet, mut nanoseconds) = (Vec::new(), f64::INFINITY, 0.0);
        for (place, event) in account.events.iter().enumerate() {
            let factor = event.results[set];
            let arriving = event.arriving(ring, sets) - factor * sets[set].variance(ring);
            if event.group.is_some() && event.set == set {
                own.push(Own { event, place, arriving, factor });
                continue;
            }
            nanoseconds += event.nanoseconds(ring, sets);
            if factor > 0.0 {
                let left = match event.group {
                    None => allowance(event.room.half, kappa, arriving),
                    Some(_) => {
                        let reader = &sets[event.set];
                        let room = event.room.at(&ring.heads[reader.head], event.extension);
                        allowance(room, kappa, arriving + reader.added(ring, event.extension))
                    }
                };
                quiet = quiet.min(left / factor);
            }
        }
        let others = sets.iter().enumerate().filter(|(number, _)| *number != set);
        let others = others.map(|(_, set)| set.key_bytes(ring)).collect();
        (quiet > 0.0).then_some(Self { ring, kappa, own, quiet, nanoseconds, others })
    }

    /// Whether all that depends on this set keeps its deviations with it.
    fn is_kept_by(&self, set: &KeySet) -> bool {
        let variance = set.variance(self.ring);
        let keeps = |own: &Own<'_>| {
            let arriving = own.arriving + own.factor * variance;
            set.keeps(self.ring, own.event.room, self.kappa, arriving, own.event.extension)
        };
        variance <= self.quiet && self.own.iter().all(keeps)
    }

    fn best(&self) -> Option<Found> {
        let mut of_heads: Vec<Found> = Vec::new();
        for head in 0..self.ring.heads.len() {
            let bound = of_heads.iter().map(|found| found.price).fold(f64::INFINITY, f64::min);
            let mut best = None;
            for small in space::small_dimensions(STRIDE) {
                // Nothing that is far from the best becomes it.
                if !self.try_small(head, small, bound * 1.1, &mut best) {
                    break;
                }
            }
            of_heads.extend(best);
        }
        of_heads.sort_by(|one, other| one.price.total_cmp(&other.price));
        of_heads.truncate(FINE_HEADS);
        let mut best = of_heads.first().cloned();
        for coarse in of_heads {
            let near = coarse.set.small.saturating_sub(STRIDE as u32 - 1)..coarse.set.small + STRIDE as u32;
            let known = space::small_dimensions(1).filter(|small| near.contains(small));
            for small in known {
                self.try_small(coarse.set.head, small, f64::INFINITY, &mut best);
            }
        }
        best
    }

    /// Looks at all keyswitches to a small dimension; whether a larger one may be of use.
    fn try_small(&self, head: usize, small: u32, bound: f64, best: &mut Option<Found>) -> bool {
        let mut extensions = Vec::new();
        for (index, keyswitch) in self.ring.keyswitches(small).iter().enumerate() {
            let set = KeySet { head, small, keyswitch: *keyswitch };
            if set.variance(self.ring) > self.quiet {
                return false;
            }
            let bound = best.as_ref().map_or(bound, |best| best.price.min(bound));
            let price = keys_price(self.others.iter().copied().chain([set.key_bytes(self.ring)]));
            let least = |own: &Own| self.cost(own, &set, 0);
            let least = self.nanoseconds + self.own.iter().map(least).sum::<f64>();
            if least * price >= bound {
                // The first keyswitch is the cheapest, and larger dimensions cost more.
                return index > 0;
            }
            let Some(nanoseconds) = self.read_all(&set, &mut extensions) else { continue };
            let price = (self.nanoseconds + nanoseconds) * price;
            if price < bound {
                *best = Some(Found { price, set, extensions: extensions.clone() });
            }
        }
        true
    }

    fn cost(&self, own: &Own, set: &KeySet, extension: usize) -> f64 {
        own.event.count * set.nanoseconds(self.ring, own.event.rotations, extension)
    }

    /// Nanoseconds of all own stages, each with the fewest accumulators that it needs; `None` where one cannot be read.
    fn read_all(&self, set: &KeySet, extensions: &mut Vec<usize>) -> Option<f64> {
        extensions.clear();
        let result = set.variance(self.ring);
        let mut nanoseconds = 0.0;
        for own in &self.own {
            let arriving = own.arriving + own.factor * result;
            let extension = set.least_extension(self.ring, own.event.room, self.kappa, arriving)?;
            nanoseconds += self.cost(own, set, extension);
            extensions.push(extension);
        }
        Some(nanoseconds)
    }
}
