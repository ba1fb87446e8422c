//! Few key sets for many wishes: which of a grid of sets serve all stages at the least cost.

use super::choose::Choice;
use super::plan::Plan;
use super::ring::{KeySet, Ring, Room};
use super::space;
use std::collections::BTreeMap;

/// Steps of the small dimension in the grid.
const STRIDE: usize = 16;

/// A level of the keyswitch is worth a place in the grid if its noise is at most this part of that before.
const LESS_NOISE: f64 = 0.7;

/// Nanoseconds of a stage that no set serves: more than everything else.
const UNSERVED: f64 = 1e15;

/// A result may have this much more noise than was wished for.
const LOUDER: f64 = 1.2;

/// A stage as it was chosen.
#[derive(Clone, Copy)]
struct Wish {
    room: Room,
    arriving: f64,
    /// Bound on the variance of its result.
    quiet: f64,
    count: f64,
}

fn wishes(plan: &Plan, choice: &Choice) -> Vec<Wish> {
    let mut all: BTreeMap<[[u64; 3]; 2], Wish> = BTreeMap::new();
    for (number, pick) in choice.picks.iter().enumerate() {
        let choices = &plan.groups[number];
        let spacing = choice.spacings[plan.reads[number]].min(choices.len() - 1);
        let count = f64::from(plan.problem.groups[number].reading.count);
        for (read, way) in choices[spacing][pick.candidate].stages.iter().zip(&pick.ways) {
            let results = read.stages.iter().map(|(stage, factor)| factor * pick.ways[*stage].variance);
            let arriving = read.input * choice.arriving[number] + results.sum::<f64>();
            let quiet = if read.in_result { choice.quiet[number] } else { way.variance * LOUDER };
            let wish = Wish { room: read.room, arriving, quiet, count: 0.0 };
            let name = [read.room.bits(), [arriving.to_bits(), quiet.to_bits(), 0]];
            all.entry(name).or_insert(wish).count += count;
        }
    }
    all.into_values().collect()
}

/// For each number of sets up to `most` those that serve the wishes at the least cost.
pub(super) fn key_sets(
    plan: &Plan,
    choice: &Choice,
    ring: &Ring,
    kappa: f64,
    most: usize,
) -> Vec<Vec<KeySet>> {
    let wishes = wishes(plan, choice);
    let mut grid = Grid { sets: Vec::new(), costs: Vec::new(), wishes: wishes.len() };
    for head in 0..ring.heads.len() {
        for small in space::small_dimensions(STRIDE) {
            let mut last = f64::INFINITY;
            for keyswitch in ring.keyswitches(small) {
                if keyswitch.variance > last * LESS_NOISE {
                    continue;
                }
                last = keyswitch.variance;
                let set = KeySet { head, small, keyswitch: *keyswitch };
                let first = grid.costs.len();
                grid.costs.extend(wishes.iter().map(|wish| serve(wish, &set, ring, kappa)));
                if grid.costs[first..].iter().any(|cost| *cost < UNSERVED) {
                    grid.sets.push(set);
                } else {
                    grid.costs.truncate(first);
                }
            }
        }
    }
    let mut chosen: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    while chosen.len() < most {
        let best = grid.cheapest(&grid.least(&chosen));
        let Some((place, _)) = best.filter(|(place, _)| !chosen.contains(place)) else { break };
        chosen.push(place);
        grid.exchange(&mut chosen);
        found.push(chosen.iter().map(|place| grid.sets[*place]).collect());
    }
    found
}

/// Nanoseconds of all stages of a wish with a set.
fn serve(wish: &Wish, set: &KeySet, ring: &Ring, kappa: f64) -> f64 {
    if set.variance(ring) > wish.quiet {
        return UNSERVED;
    }
    let extension = set.least_extension(ring, wish.room, kappa, wish.arriving);
    let cost = |extension| wish.count * set.nanoseconds(ring, wish.room.tables, extension);
    extension.map_or(UNSERVED, cost)
}

/// Sets that may be chosen.
struct Grid {
    sets: Vec<KeySet>,
    /// For each set what each wish costs with it.
    costs: Vec<f64>,
    wishes: usize,
}

impl Grid {
    /// What each wish costs with the set.
    fn row(&self, set: usize) -> &[f64] {
        &self.costs[set * self.wishes..][..self.wishes]
    }

    /// What each wish costs with the cheapest of some sets.
    fn least(&self, sets: &[usize]) -> Vec<f64> {
        let mut least = vec![UNSERVED; self.wishes];
        for set in sets {
            for (least, cost) in least.iter_mut().zip(self.row(*set)) {
                *least = least.min(*cost);
            }
        }
        least
    }

    /// The set that helps most where these costs are known, and what all costs then.
    fn cheapest(&self, known: &[f64]) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for set in 0..self.sets.len() {
            let bound = best.map_or(f64::INFINITY, |(_, cost)| cost);
            let mut cost = 0.0;
            for (one, known) in self.row(set).iter().zip(known) {
                cost += one.min(*known);
                if cost >= bound {
                    break;
                }
            }
            if cost < bound {
                best = Some((set, cost));
            }
        }
        best
    }

    /// Exchanges one set for another while that helps.
    fn exchange(&self, chosen: &mut [usize]) {
        let mut total: f64 = self.least(chosen).iter().sum();
        loop {
            let before = total;
            for place in 0..chosen.len() {
                let others = chosen.iter().enumerate().filter(|(other, _)| *other != place);
                let others: Vec<usize> = others.map(|(_, set)| *set).collect();
                if let Some((set, cost)) = self.cheapest(&self.least(&others))
                    && cost < total
                {
                    (chosen[place], total) = (set, cost);
                }
            }
            if total >= before {
                return;
            }
        }
    }
}
