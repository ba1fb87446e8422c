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
    rotations: f64,
    count: f64,
}

fn wishes(plan: &Plan, choice: &Choice) -> Vec<Wish> {
    let mut all: BTreeMap<([u64; 4], bool), Wish> = BTreeMap::new();
    for (number, pick) in choice.picks.iter().enumerate() {
        let choices = &plan.groups[number];
        let spacing = choice.spacings[plan.reads[number]].min(choices.len() - 1);
        let count = f64::from(plan.problem.groups[number].reading.count);
        for (read, way) in choices[spacing][pick.candidate].stages.iter().zip(&pick.ways) {
            let results = read.stages.iter().map(|(stage, factor)| factor * pick.ways[*stage].variance);
            let arriving = read.input * choice.arriving[number] + results.sum::<f64>();
            let quiet = if read.in_result { choice.quiet[number] } else { way.variance * LOUDER };
            let rotations = f64::from(read.rotations);
            let wish = Wish { room: read.room, arriving, quiet, rotations, count: 0.0 };
            let name = ([read.room.half, arriving, quiet, rotations].map(f64::to_bits), read.room.compares);
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
    let mut grid: Vec<KeySet> = Vec::new();
    let mut costs: Vec<Vec<f64>> = Vec::new();
    for head in 0..ring.heads.len() {
        for small in space::small_dimensions(STRIDE) {
            let mut last = f64::INFINITY;
            for keyswitch in ring.keyswitches(small) {
                if keyswitch.variance > last * LESS_NOISE {
                    continue;
                }
                last = keyswitch.variance;
                let set = KeySet { head, small, keyswitch: *keyswitch };
                let row: Vec<f64> = wishes.iter().map(|wish| serve(wish, &set, ring, kappa)).collect();
                if row.iter().any(|cost| *cost < UNSERVED) {
                    grid.push(set);
                    costs.push(row);
                }
            }
        }
    }
    let mut chosen: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    while chosen.len() < most {
        let best = cheapest(&costs, &least(&costs, &chosen, wishes.len()));
        let Some((place, _)) = best.filter(|(place, _)| !chosen.contains(place)) else { break };
        chosen.push(place);
        exchange(&costs, &mut chosen, wishes.len());
        found.push(chosen.iter().map(|place| grid[*place]).collect());
    }
    found
}

/// Nanoseconds of all stages of a wish with a set.
fn serve(wish: &Wish, set: &KeySet, ring: &Ring, kappa: f64) -> f64 {
    if set.variance(ring) > wish.quiet {
        return UNSERVED;
    }
    let extension = set.least_extension(ring, wish.room, kappa, wish.arriving);
    let cost = |extension| wish.count * set.nanoseconds(ring, wish.rotations, extension);
    extension.map_or(UNSERVED, cost)
}

/// What each wish costs with the cheapest of some sets.
fn least(costs: &[Vec<f64>], sets: &[usize], wishes: usize) -> Vec<f64> {
    let mut least = vec![UNSERVED; wishes];
    for set in sets {
        for (least, cost) in least.iter_mut().zip(&costs[*set]) {
            *least = least.min(*cost);
        }
    }
    least
}

/// The set that helps most where these costs are known, and what all costs then.
fn cheapest(costs: &[Vec<f64>], known: &[f64]) -> Option<(usize, f64)> {
    let with = |row: &Vec<f64>| row.iter().zip(known).map(|(cost, known)| cost.min(*known)).sum::<f64>();
    let all = costs.iter().map(with).enumerate();
    all.min_by(|one, other| one.1.total_cmp(&other.1))
}

/// Exchanges one set for another while that helps.
fn exchange(costs: &[Vec<f64>], chosen: &mut [usize], wishes: usize) {
    let mut total: f64 = least(costs, chosen, wishes).iter().sum();
    loop {
        let before = total;
        for place in 0..chosen.len() {
            let others: Vec<usize> =
                chosen.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, set)| *set).collect();
            if let Some((set, cost)) = cheapest(costs, &least(costs, &others, wishes))
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
