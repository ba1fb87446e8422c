//! The cheapest numbers of one key set for the stages that have it, the other sets as they are.

use super::account::Account;
use super::design::keys_price;
use super::ring::{KeySet, Ring, Room, allowance};
use super::space;
use std::collections::BTreeMap;

/// Steps of the small dimension in the first round.
const STRIDE: usize = 16;

/// Heads that are looked at again, in steps of one.
const FINE_HEADS: usize = 3;

/// Sweeps over all sets.
const SWEEPS: usize = 3;

/// Stages that read with the set in question, in one way.
struct Own {
    room: Room,
    /// Variance that arrives from all else.
    arriving: f64,
    /// Factor on the variance of the set's own results.
    factor: f64,
    /// Of all of them.
    count: f64,
}

/// One set, among others.
struct Fit<'a> {
    ring: &'a Ring<'a>,
    kappa: f64,
    own: Vec<Own>,
    /// The events of its stages, each with its place in `own`.
    places: Vec<(usize, usize)>,
    /// Keyswitches and rotations of all own stages, as few as can be.
    keyswitches: f64,
    rotations: f64,
    /// What its results may have, for the others' sake.
    quiet: f64,
    /// Nanoseconds and key bytes of all else.
    nanoseconds: f64,
    others: Vec<f64>,
}

/// What depends on the head alone.
struct OfHead {
    head: usize,
    /// For each kind of own stages, for each extension that it may have, the variance that all of a reading may have.
    limits: Vec<Vec<(i32, f64)>>,
}

/// A set with what it costs.
#[derive(Clone)]
struct Found {
    price: f64,
    set: KeySet,
    extensions: Vec<i32>,
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
    let own = fit.places.iter().map(|(event, _)| account.events[*event].nanoseconds(ring, sets));
    let before = (fit.nanoseconds + own.sum::<f64>())
        * keys_price(fit.others.iter().copied().chain([sets[set].key_bytes(ring)]));
    let Some(found) = fit.best() else { return false };
    let better = found.price < before || !fit.is_kept_by(&sets[set], account);
    if better {
        sets[set] = found.set;
        for (event, own) in fit.places {
            account.events[event].extension = found.extensions[own];
        }
    }
    better
}

impl<'a> Fit<'a> {
    /// `None` where the other sets leave nothing for this one.
    fn new(account: &Account, sets: &[KeySet], set: usize, ring: &'a Ring<'a>, kappa: f64) -> Option<Self> {
        let mut own: BTreeMap<[[u64; 3]; 2], (Own, Vec<usize>)> = BTreeMap::new();
        let (mut quiet, mut nanoseconds) = (f64::INFINITY, 0.0);
        for (place, event) in account.events.iter().enumerate() {
            let factor = event.results[set];
            let arriving = event.arriving(ring, sets) - factor * sets[set].variance(ring);
            if event.group.is_some() && event.set == set {
                let room = event.room;
                let name = [room.bits(), [arriving.to_bits(), factor.to_bits(), 0]];
                let new = || (Own { room, arriving, factor, count: 0.0 }, Vec::new());
                let (alike, places) = own.entry(name).or_insert_with(new);
                alike.count += event.count;
                places.push(place);
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
        let places = own
            .values()
            .zip(0..)
            .flat_map(|((_, events), own)| events.iter().map(move |event| (*event, own)));
        let places = places.collect();
        let own: Vec<Own> = own.into_values().map(|(own, _)| own).collect();
        let keyswitches = own.iter().map(|own| own.count).sum();
        let rotations = |own: &Own| own.count * f64::from(own.room.fewest_rotations());
        let rotations = own.iter().map(rotations).sum();
        let fit = Self { ring, kappa, own, places, keyswitches, rotations, quiet, nanoseconds, others };
        (quiet > 0.0).then_some(fit)
    }

    /// Whether all that depends on this set keeps its deviations with it.
    fn is_kept_by(&self, set: &KeySet, account: &Account) -> bool {
        let variance = set.variance(self.ring);
        let keeps = |(event, own): &(usize, usize)| {
            let own = &self.own[*own];
            let arriving = own.arriving + own.factor * variance;
            set.keeps(self.ring, own.room, self.kappa, arriving, account.events[*event].extension)
        };
        variance <= self.quiet && self.places.iter().all(keeps)
    }

    fn of_head(&self, head: usize) -> OfHead {
        let shape = &self.ring.heads[head];
        let limits = |own: &Own| {
            let limit =
                |extension| (extension, allowance(own.room.at(shape, extension), self.kappa, own.arriving));
            shape.extensions(own.room.tables).map(limit).collect()
        };
        OfHead { head, limits: self.own.iter().map(limits).collect() }
    }

    fn best(&self) -> Option<Found> {
        let mut of_heads: Vec<Found> = Vec::new();
        for head in 0..self.ring.heads.len() {
            let bound = of_heads.iter().map(|found| found.price).fold(f64::INFINITY, f64::min);
            let mut best = None;
            let head = self.of_head(head);
            for small in space::small_dimensions(STRIDE) {
                // Nothing that is far from the best becomes it.
                if !self.try_small(&head, small, bound * 1.1, &mut best) {
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
            let head = self.of_head(coarse.set.head);
            for small in known {
                self.try_small(&head, small, f64::INFINITY, &mut best);
            }
        }
        best
    }

    /// Looks at all keyswitches to a small dimension; whether a larger one may be of use.
    fn try_small(&self, of_head: &OfHead, small: u32, bound: f64, best: &mut Option<Found>) -> bool {
        let (mut extensions, head) = (Vec::new(), of_head.head);
        let rotations = self.rotations * f64::from(small) * self.ring.heads[head].with(0).element;
        let others = keys_price(self.others.iter().copied());
        for (index, keyswitch) in self.ring.keyswitches(small).iter().enumerate() {
            let set = KeySet { head, small, keyswitch: *keyswitch };
            if set.variance(self.ring) > self.quiet {
                return false;
            }
            let bound = best.as_ref().map_or(bound, |best| best.price.min(bound));
            let price = others + keys_price(std::iter::once(set.key_bytes(self.ring))) - 1.0;
            let least = self.nanoseconds + self.keyswitches * keyswitch.cost + rotations;
            if least * price >= bound {
                // The first keyswitch is the cheapest, and larger dimensions cost more.
                return index > 0;
            }
            let Some(nanoseconds) = self.read_all(of_head, &set, &mut extensions) else { continue };
            let price = (self.nanoseconds + nanoseconds) * price;
            if price < bound {
                *best = Some(Found { price, set, extensions: extensions.clone() });
            }
        }
        true
    }

    /// Nanoseconds of all own stages, each with the fewest accumulators that it needs; `None` where one cannot be read.
    fn read_all(&self, of_head: &OfHead, set: &KeySet, extensions: &mut Vec<i32>) -> Option<f64> {
        extensions.clear();
        let (result, dimension) = (set.variance(self.ring), f64::from(set.small));
        let head = &self.ring.heads[set.head];
        let mut nanoseconds = self.keyswitches * set.keyswitch.cost;
        for (own, limits) in self.own.iter().zip(&of_head.limits) {
            let all = set.keyswitch.variance + own.factor * result;
            let keeps =
                |(extension, limit): &&(i32, f64)| all + dimension * head.with(*extension).switch <= *limit;
            let (extension, _) = *limits.iter().find(keeps)?;
            let tables = own.count * f64::from(own.room.tables);
            nanoseconds += tables * dimension * head.with(extension).element;
            extensions.push(extension);
        }
        Some(nanoseconds)
    }
}
