//! The best single key set where each group is looked up by one bootstrap: all shapes, dimensions and decompositions, with
//! the cheapest extensions for each.

use super::assign::{self, Way};
use super::plan::Plan;
use super::ring::Room;
use super::{Budget, Machine, space};
use cml_runtime::parameters::{failure, ledger};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{Decomposition, GlweShape, Log2Probability, LweDimension, Variance};

/// Bounds that only prune are this much too generous, so that their rounding errors exclude nothing.
const GENEROUS: f64 = 1.0 + 1e-9;

/// The one set, and how each phase is read with it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Single {
    pub(super) set: ParameterSet,
    /// For each phase log2 of the number of accumulators of its bootstrap; `None` for outputs.
    pub(super) extensions: Vec<Option<i32>>,
}

/// The set for which all phases keep the budget and the lookups take least time; `None` where no set is precise enough.
///
/// The result depends on the arguments alone. Among sets of equal cost it has the smallest evaluation key.
pub(super) fn search(phases: &[Phase], budget: Budget, machine: &Machine) -> Option<Single> {
    let mut search = Search { phases, budget, machine, best: None };
    // The first, coarse round finds a bound that the second prunes with.
    for stride in space::STRIDES {
        for shape in space::shapes() {
            search.try_shape(shape, stride);
        }
    }
    search.best.map(|best| Single { set: best.set, extensions: best.extensions })
}

/// Phases that are read alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Phase {
    pub(super) count: u32,
    /// Factors on the variance of fresh encryptions, and of results of bootstraps.
    fresh: f64,
    results: f64,
    room: Room,
    pub(super) is_lookup: bool,
    /// Standard deviations that the room must have for these phases alone to keep the budget.
    pub(super) kappa: f64,
}

/// Extensions with which one table can be read.
fn one_table(shape: GlweShape) -> std::ops::RangeInclusive<i32> {
    0..=*space::extensions(shape).end()
}

/// Deviations that a reading must keep for `count` of them to keep the budget alone.
pub(super) fn kappa(budget: Budget, count: f64) -> f64 {
    let share = budget.inference.map(|all| all.0 - count.log2());
    let single = [share, budget.per_lookup.map(|one| one.0)].into_iter().flatten();
    failure::kappa(Log2Probability(single.fold(0.0, f64::min)))
}

/// The phases of a plan whose groups are all looked up by one bootstrap at the narrowest spacing, with the candidate of
/// each; `None` where a group cannot be.
pub(super) fn phases(plan: &Plan, budget: Budget) -> Option<(Vec<usize>, Vec<Phase>)> {
    let (mut candidates, mut phases) = (Vec::new(), Vec::new());
    let is_input = |list: usize| f64::from(u8::from(list < plan.problem.inputs));
    let of = |reading: &super::Reading, factor: f64, room: Room, is_lookup: bool| Phase {
        count: reading.count,
        fresh: factor * reading.largest(is_input),
        results: factor * reading.largest(|list| 1.0 - is_input(list)),
        room,
        is_lookup,
        kappa: kappa(budget, f64::from(reading.count)),
    };
    for (group, choices) in plan.problem.groups.iter().zip(&plan.groups) {
        let direct = choices.first()?.iter().position(|candidate| candidate.stages.len() == 1)?;
        let read = &choices[0][direct].stages[0];
        candidates.push(direct);
        phases.push(of(&group.reading, read.input, read.room, true));
    }
    for (number, output) in plan.problem.outputs.iter().enumerate() {
        let room = Room { half: plan.output_room(number, |_| 0), compares: false, tables: 0 };
        phases.push(of(&output.reading, 1.0, room, false));
    }
    Some((candidates, phases))
}

/// Probabilities of one phase and of all of a kind, log2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Assessment {
    pub(super) probability: Log2Probability,
    pub(super) all: Log2Probability,
}

impl Phase {
    pub(super) fn assess(&self, set: &ParameterSet, extension: Option<i32>) -> Assessment {
        let mut variance = self.arriving(set.fresh_variance(), set.bootstrap_variance());
        let mut room = self.room.half;
        if let Some(extension) = extension {
            variance += (set.keyswitch_variance() + set.modulus_switch_variance(extension)).0;
            room -= ledger::half_position(set, ledger::boundary_extension(self.room.compares, extension));
        }
        let probability = failure::outside(room, Variance(variance));
        let all = Log2Probability(probability.0 + f64::from(self.count).log2());
        Assessment { probability, all }
    }

    /// Noise before the keyswitch.
    fn arriving(&self, fresh: Variance, result: Variance) -> f64 {
        self.fresh * fresh.0 + self.results * result.0
    }

    /// Whether this noise keeps the budget of these phases alone, in a room that is smaller by `lost`; generously.
    fn fits(&self, variance: f64, lost: f64) -> bool {
        let room = self.room.half - lost;
        room > 0.0 && variance <= (room / self.kappa).powi(2) * GENEROUS
    }
}

/// A set as far as the noise that does not depend on the keyswitch.
struct Point {
    shape: GlweShape,
    small: u32,
    bootstrap: Decomposition,
    /// For each phase the noise before the keyswitch.
    arriving: Vec<f64>,
    /// For each extension the noise of the modulus switch, and half a position.
    switches: Vec<(f64, f64)>,
    /// For each extension the nanoseconds of one bootstrap.
    costs: Vec<f64>,
}

impl Point {
    fn set(&self, keyswitch: Decomposition) -> ParameterSet {
        ParameterSet::with_least_noise(
            LweDimension(self.small as usize),
            self.shape,
            self.bootstrap,
            keyswitch,
        )
    }
}

struct Best {
    set: ParameterSet,
    extensions: Vec<Option<i32>>,
    nanoseconds: f64,
}

struct Search<'a> {
    phases: &'a [Phase],
    budget: Budget,
    machine: &'a Machine,
    best: Option<Best>,
}

impl Search<'_> {
    fn try_shape(&mut self, shape: GlweShape, stride: usize) {
        for bootstrap in space::bootstrap_decompositions(shape) {
            let element = |v| self.machine.mask_element(shape, bootstrap.level, v);
            let Some(elements) = one_table(shape).map(element).collect::<Option<Vec<f64>>>() else {
                return;
            };
            for small in space::small_dimensions(stride) {
                let point = self.point(shape, small, bootstrap, &elements);
                // Noise and cost without the keyswitch rise with the dimension, and so does the size of the key.
                let Some(least) = self.smallest_extensions(&point, 0.0) else { break };
                let bound = self.cost(&point, &least, 0.0);
                let smallest_key = point.set(Decomposition { base_log: 1, level: 1 }).eval_key_bytes();
                if self.is_beaten(bound, smallest_key) {
                    break;
                }
                self.try_keyswitches(&point, bound);
            }
        }
    }

    fn point(&self, shape: GlweShape, small: u32, bootstrap: Decomposition, elements: &[f64]) -> Point {
        // The keyswitch has no part in any of these numbers.
        let set = ParameterSet::with_least_noise(LweDimension(small as usize), shape, bootstrap, bootstrap);
        let (fresh, result) = (set.fresh_variance(), set.bootstrap_variance());
        let switch = |v| (set.modulus_switch_variance(v).0, ledger::half_position(&set, v));
        Point {
            shape,
            small,
            bootstrap,
            arriving: self.phases.iter().map(|phase| phase.arriving(fresh, result)).collect(),
            switches: one_table(shape).map(switch).collect(),
            costs: elements.iter().map(|element| f64::from(small) * element).collect(),
        }
    }

    /// For each phase the smallest extension with which it keeps the budget alone; `None` where there is none.
    fn smallest_extensions(&self, point: &Point, keyswitch: f64) -> Option<Vec<usize>> {
        let smallest = |(phase, arriving): (&Phase, &f64)| {
            if !phase.is_lookup {
                return phase.fits(*arriving, 0.0).then_some(0);
            }
            (0..).zip(&point.switches).position(|(extension, (switch, _))| {
                let boundaries = ledger::boundary_extension(phase.room.compares, extension);
                phase.fits(arriving + keyswitch + switch, point.switches[boundaries as usize].1)
            })
        };
        self.phases.iter().zip(&point.arriving).map(smallest).collect()
    }

    /// Nanoseconds of all lookups.
    fn cost(&self, point: &Point, extensions: &[usize], keyswitch: f64) -> f64 {
        let lookups = self.phases.iter().zip(extensions).filter(|(phase, _)| phase.is_lookup);
        lookups.map(|(phase, v)| f64::from(phase.count) * (keyswitch + point.costs[*v])).sum()
    }

    /// Whether nothing that costs this much, with a key of this size, is better than the best; nor anything above both.
    fn is_beaten(&self, bound: f64, key_bytes: u64) -> bool {
        self.best.as_ref().is_some_and(|best| {
            bound > best.nanoseconds * GENEROUS
                || bound >= best.nanoseconds && key_bytes >= best.set.eval_key_bytes()
        })
    }

    fn try_keyswitches(&mut self, point: &Point, bound: f64) {
        let lookups = self.phases.iter().filter(|phase| phase.is_lookup);
        let lookups: f64 = lookups.map(|phase| f64::from(phase.count)).sum();
        let small = LweDimension(point.small as usize);
        for keyswitch in space::keyswitch_decompositions(point.shape.lwe_dimension(), small) {
            let set = point.set(*keyswitch);
            let cost = self.machine.keyswitch(&set);
            if self.is_beaten(bound + lookups * cost, set.eval_key_bytes()) {
                return;
            }
            let Some(least) = self.smallest_extensions(point, set.keyswitch_variance().0) else { continue };
            if !self.is_beaten(self.cost(point, &least, cost), set.eval_key_bytes()) {
                self.try_set(point, set, &least, cost);
            }
        }
    }

    /// Shares the budget at this set, and keeps the set if it is the best.
    fn try_set(&mut self, point: &Point, set: ParameterSet, least: &[usize], keyswitch: f64) {
        // Keys that no server would expand.
        if set.check().is_err() {
            return;
        }
        let phases = self.phases.iter().zip(least);
        let ways: Vec<Vec<Way>> =
            phases.map(|(phase, first)| self.ways(phase, *first, point, &set, keyswitch)).collect();
        let Some(chosen) = assign::cheapest(&ways) else { return };
        let chosen: Vec<Way> = ways.iter().zip(chosen).map(|(ways, index)| ways[index]).collect();
        let nanoseconds: f64 = chosen.iter().map(|way| way.cost).sum();
        let key = |set: &ParameterSet| set.eval_key_bytes();
        let better = self.best.as_ref().is_none_or(|best| {
            nanoseconds < best.nanoseconds || nanoseconds == best.nanoseconds && key(&set) < key(&best.set)
        });
        if better {
            let extension = |(phase, way): (&Phase, &Way)| phase.is_lookup.then_some(way.extension);
            let extensions = self.phases.iter().zip(&chosen).map(extension).collect();
            self.best = Some(Best { set, extensions, nanoseconds });
        }
    }

    /// The ways to read a demand that could keep the budget, each cheaper than the next and with a larger share.
    fn ways(
        &self,
        phase: &Phase,
        first: usize,
        point: &Point,
        set: &ParameterSet,
        keyswitch: f64,
    ) -> Vec<Way> {
        let mut ways: Vec<Way> = Vec::new();
        let last = if phase.is_lookup { point.costs.len() - 1 } else { first };
        for v in first..=last {
            let extension = v as i32;
            let found = phase.assess(set, phase.is_lookup.then_some(extension));
            if self.budget.per_lookup.is_some_and(|budget| found.probability > budget) {
                continue;
            }
            let parts = self.budget.inference.map_or(Some(0), |budget| assign::parts(found.all.0, budget.0));
            let Some(parts) = parts else { continue };
            let one = if phase.is_lookup { keyswitch + point.costs[v] } else { 0.0 };
            if ways.last().is_none_or(|last| parts < last.parts) {
                ways.push(Way { extension, cost: f64::from(phase.count) * one, parts });
            }
            if parts == 0 {
                break;
            }
        }
        ways
    }
}
