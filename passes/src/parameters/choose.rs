//! The cheapest forms, with given key sets or with any.

use super::plan::{Candidate, Plan, Read};
use super::ring::Room;
use super::supply::{Supply, Way};
use std::collections::BTreeMap;

/// Rounds over all lists and classes.
const ROUNDS: usize = 3;

/// How one group is looked up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pick {
    /// Index among the candidates at the spacing of its class.
    pub(super) candidate: usize,
    /// For each stage how it is bootstrapped.
    pub(super) ways: Vec<Way>,
    /// Nanoseconds of one lookup.
    pub(super) cost: f64,
    /// Variance of the result.
    pub(super) variance: f64,
}

/// How everything is looked up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    /// For each class the number of its spacing.
    pub(super) spacings: Vec<usize>,
    /// For each group its form.
    pub(super) picks: Vec<Pick>,
    /// For each group the variance of its input, at the spacing of its lists.
    pub(super) arriving: Vec<f64>,
    /// For each group the bound on the variance of its results.
    pub(super) quiet: Vec<f64>,
    /// Nanoseconds of all lookups.
    pub(super) cost: f64,
}

/// What a pick depends on: group, spacing, bits of the arriving variance, and of the bound on that of the result.
type Asked = (usize, usize, u64, u64);

pub(super) struct Chooser<'a> {
    plan: &'a Plan<'a>,
    supply: &'a dyn Supply,
    /// Deviations that outputs must keep.
    kappa: f64,
    bounds: Bounds<'a>,
    known: BTreeMap<Asked, Option<Pick>>,
}

/// What may be chosen before forms are.
#[derive(Clone)]
struct State {
    spacings: Vec<usize>,
    /// For each group the number of the bound on the variance of its results.
    levels: Vec<usize>,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, supply: &'a dyn Supply, kappa: f64) -> Self {
        Self { plan, supply, kappa, bounds: Bounds::new(supply), known: BTreeMap::new() }
    }

    /// Nanoseconds of all lookups where all results have one bound on their noise, before spacings and bounds are changed one
    /// at a time.
    pub(super) fn estimate(&mut self) -> Option<f64> {
        let levels = self.supply.levels();
        let best = self.best_level(&levels, None);
        best.map(|(_, cost)| cost)
    }

    fn best_level(&mut self, levels: &[f64], spacings: Option<&[usize]>) -> Option<(State, f64)> {
        let mut best = None;
        for (number, level) in levels.iter().enumerate() {
            let spacings = spacings.map_or_else(|| self.cheapest_spacings(*level), <[usize]>::to_vec);
            let state = State { spacings, levels: vec![number; self.plan.groups.len()] };
            self.take_if_better(&mut best, state, levels);
        }
        best
    }

    /// For each class the spacing at which its readers cost least, where every result is a sum of two of this variance.
    fn cheapest_spacings(&mut self, level: f64) -> Vec<usize> {
        (0..self.plan.slots.len()).map(|class| self.cheapest_spacing(class, level)).collect()
    }

    fn cheapest_spacing(&mut self, class: usize, level: f64) -> usize {
        let Plan { problem, slots, reads, .. } = self.plan;
        let fresh = self.supply.fresh();
        let variance = |list: usize| if list < problem.inputs { fresh } else { 2.0 * level };
        let mut best = (0, f64::INFINITY);
        for spacing in 0..slots[class].len() {
            let mut cost = 0.0;
            for (number, group) in
                problem.groups.iter().enumerate().filter(|(number, _)| reads[*number] == class)
            {
                let pick = self.pick(number, spacing, group.reading.largest(variance), level);
                cost += f64::from(group.reading.count) * pick.map_or(f64::INFINITY, |pick| pick.cost);
                if cost >= best.1 {
                    break;
                }
            }
            if cost < best.1 {
                best = (spacing, cost);
            }
        }
        best.0
    }

    /// Forms for all groups; `None` where some cannot be read. The search begins with these spacings, or
    /// with those that are cheapest where all results are alike.
    pub(super) fn choose(&mut self, spacings: Option<&[usize]>) -> Option<Choice> {
        let levels = self.supply.levels();
        let groups = self.plan.groups.len();
        let mut best = self.best_level(&levels, spacings);
        for _ in 0..ROUNDS {
            let (start, before) = best.clone()?;
            for group in (0..groups).rev() {
                for level in 0..levels.len() {
                    let Some((mut state, _)) = best.clone() else { break };
                    state.levels[group] = level;
                    self.take_if_better(&mut best, state, &levels);
                }
            }
            for class in 0..start.spacings.len() {
                for spacing in 0..self.plan.slots[class].len() {
                    let Some((mut state, _)) = best.clone() else { break };
                    state.spacings[class] = spacing;
                    self.take_if_better(&mut best, state, &levels);
                }
            }
            if best.as_ref().is_some_and(|(_, cost)| *cost >= before) {
                break;
            }
        }
        let (state, _) = best?;
        self.evaluate(&state, &levels, f64::INFINITY)
    }

    fn take_if_better(&mut self, best: &mut Option<(State, f64)>, state: State, levels: &[f64]) {
        let bound = best.as_ref().map_or(f64::INFINITY, |(_, cost)| *cost);
        if let Some(found) = self.evaluate(&state, levels, bound)
            && found.cost < bound
        {
            *best = Some((state, found.cost));
        }
    }

    /// The cheapest forms with these spacings and these bounds on the noise of results; `None` where there are none, or where
    /// they cost more than the bound.
    fn evaluate(&mut self, state: &State, levels: &[f64], bound: f64) -> Option<Choice> {
        let problem = self.plan.problem;
        let mut variances = vec![self.supply.fresh(); problem.inputs];
        let (mut picks, mut all_arriving, mut cost) = (Vec::new(), Vec::new(), 0.0);
        for (number, group) in problem.groups.iter().enumerate() {
            let arriving = group.reading.largest(|list| variances[list]);
            let spacing = state.spacings[self.plan.reads[number]];
            let pick = self.pick(number, spacing, arriving, levels[state.levels[number]])?;
            cost += f64::from(group.reading.count) * pick.cost;
            if cost > bound {
                return None;
            }
            variances.push(pick.variance);
            picks.push(pick);
            all_arriving.push(arriving);
        }
        for (number, output) in problem.outputs.iter().enumerate() {
            let half = self.plan.output_room(number, |class| state.spacings[class]);
            if output.reading.largest(|list| variances[list]) > (half / self.kappa).powi(2) {
                return None;
            }
        }
        let quiet = state.levels.iter().map(|level| levels[*level]).collect();
        Some(Choice { spacings: state.spacings.clone(), picks, arriving: all_arriving, quiet, cost })
    }

    fn pick(&mut self, group: usize, spacing: usize, arriving: f64, quiet: f64) -> Option<Pick> {
        let spacing = spacing.min(self.plan.groups[group].len().saturating_sub(1));
        let asked = (group, spacing, arriving.to_bits(), quiet.to_bits());
        if let Some(known) = self.known.get(&asked) {
            return known.clone();
        }
        let candidates = self.plan.groups[group].get(spacing)?;
        let found = cheapest(candidates, &mut self.bounds, arriving, quiet);
        self.known.insert(asked, found.clone());
        found
    }
}

fn cheapest(candidates: &[Candidate], bounds: &mut Bounds, arriving: f64, quiet: f64) -> Option<Pick> {
    let log2_arriving = arriving.log2();
    let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(candidates.len());
    for (number, candidate) in candidates.iter().enumerate() {
        let cost: f64 = candidate.stages.iter().map(|read| bounds.least(read, log2_arriving)).sum();
        if cost.is_finite() {
            ranked.push((cost, number));
        }
    }
    ranked.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let mut best: Option<Pick> = None;
    for (least, number) in ranked {
        let bound = best.as_ref().map_or(f64::INFINITY, |best| best.cost);
        if least >= bound {
            break;
        }
        let candidate = &candidates[number];
        let of_stages = candidate.stages.iter().map(|read| bounds.least(read, log2_arriving)).collect();
        let supply = bounds.supply;
        let mut descent =
            Descent { candidate, supply, of_stages, arriving, quiet, ways: Vec::new(), bound, found: None };
        descent.next(0.0, least);
        if let Some(ways) = descent.found {
            let factors = candidate.result.iter();
            let variance = factors.map(|(stage, factor)| factor * ways[*stage].variance).sum();
            best = Some(Pick { candidate: number, cost: descent.bound, variance, ways });
        }
    }
    best
}

/// Chooses the ways of a form's stages one after the other.
struct Descent<'a> {
    candidate: &'a Candidate,
    supply: &'a dyn Supply,
    /// What each stage costs at least.
    of_stages: Vec<f64>,
    arriving: f64,
    quiet: f64,
    ways: Vec<Way>,
    bound: f64,
    found: Option<Vec<Way>>,
}

impl Descent<'_> {
    /// The stages before cost this much, the others at least `rest`.
    fn next(&mut self, cost: f64, rest: f64) {
        let stage = self.ways.len();
        let Some(read) = self.candidate.stages.get(stage) else {
            self.bound = cost;
            self.found = Some(self.ways.clone());
            return;
        };
        let results = read.stages.iter().map(|(stage, factor)| factor * self.ways[*stage].variance);
        let arriving = read.input * self.arriving + results.sum::<f64>();
        let quiet = if read.in_result { self.quiet } else { f64::INFINITY };
        let rest = rest - self.of_stages[stage];
        for way in self.supply.ways(read, arriving, quiet) {
            if cost + way.cost + rest >= self.bound {
                break;
            }
            self.ways.push(way);
            self.next(cost + way.cost, rest);
            self.ways.pop();
        }
    }
}

/// What a stage costs at least, for rooms and arriving variances on a grid: rooms are rounded up, variances down.
struct Bounds<'a> {
    supply: &'a dyn Supply,
    /// NaN where it was not asked for.
    known: Vec<f64>,
}

impl<'a> Bounds<'a> {
    /// Steps of a factor of two.
    const ROOM_STEPS: f64 = 16.0;
    const VARIANCE_STEPS: f64 = 2.0;
    /// From one over this, log2, to 1.
    const ROOMS: i64 = 28 * 16;
    const VARIANCES: i64 = 120 * 2;

    fn new(supply: &'a dyn Supply) -> Self {
        Self { supply, known: vec![f64::NAN; 2 * (Self::ROOMS * Self::VARIANCES) as usize] }
    }

    fn least(&mut self, read: &Read, log2_arriving: f64) -> f64 {
        let room = (read.log2_half_room * Self::ROOM_STEPS).ceil();
        let variance = ((read.log2_input + log2_arriving) * Self::VARIANCE_STEPS).floor();
        // Least room and least variance at 0: there is no stage that reads less than 2^-28 of the torus.
        let place = |steps: f64, all: i64| (all - 1 + steps as i64).clamp(0, all - 1);
        let row = place(room, Self::ROOMS) * 2 + i64::from(read.rotations.min(2) > 1);
        let index = (row * Self::VARIANCES + place(variance, Self::VARIANCES)) as usize;
        if self.known[index].is_nan() {
            let log2_half_room = room / Self::ROOM_STEPS;
            // A comparison loses as much of its room as a table, or more.
            let room = Room { half: log2_half_room.exp2(), compares: false };
            let least = Read { room, log2_half_room, ..read.clone() };
            let arriving = if variance < (1 - Self::VARIANCES) as f64 {
                0.0
            } else {
                (variance / Self::VARIANCE_STEPS).exp2()
            };
            let ways = self.supply.ways(&least, arriving, f64::INFINITY);
            self.known[index] = ways.first().map_or(f64::INFINITY, |way| way.cost);
        }
        self.known[index]
    }
}
