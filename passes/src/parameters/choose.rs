//! The cheapest forms, with given key sets or with any.

use super::plan::{Candidate, Plan, Read};
use super::ring::Room;
use super::supply::{Supply, Way};
use std::collections::BTreeMap;
use std::rc::Rc;

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
    pub(super) picks: Vec<Rc<Pick>>,
    /// For each group the variance of its input, at the spacing of its lists.
    pub(super) arriving: Vec<f64>,
    /// For each group the bound on the variance of its results.
    pub(super) quiet: Vec<f64>,
    /// Nanoseconds of all lookups.
    pub(super) cost: f64,
}

/// What a pick depends on: group, spacing, bits of the arriving variance, and number of the bound on that of the result.
type Asked = (usize, usize, u64, usize);

pub(super) struct Chooser<'a> {
    plan: &'a Plan<'a>,
    supply: &'a dyn Supply,
    /// Deviations that outputs must keep.
    kappa: f64,
    /// Bounds on the variance of results, the most quiet first.
    levels: Vec<f64>,
    ranking: Ranking<'a>,
    known: BTreeMap<Asked, Option<Rc<Pick>>>,
}

/// What is chosen before forms are.
#[derive(Clone)]
struct Frame {
    spacings: Vec<usize>,
    /// For each group the number of the bound on the variance of its results.
    levels: Vec<usize>,
}

/// A frame with the forms that follow.
struct State {
    frame: Frame,
    picks: Vec<Rc<Pick>>,
    /// For each group the variance of its input.
    arriving: Vec<f64>,
    /// For each list its variance.
    variances: Vec<f64>,
    cost: f64,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, supply: &'a dyn Supply, kappa: f64) -> Self {
        let (levels, ranking) = (supply.levels(), Ranking::new(supply));
        Self { plan, supply, kappa, levels, ranking, known: BTreeMap::new() }
    }

    /// Nanoseconds of all lookups where all results have one bound on their noise, before spacings and bounds are changed one
    /// at a time.
    pub(super) fn estimate(&mut self) -> Option<f64> {
        self.best_level(None).map(|state| state.cost)
    }

    fn best_level(&mut self, spacings: Option<&[usize]>) -> Option<State> {
        let mut best = None;
        for number in 0..self.levels.len() {
            let spacings = spacings.map_or_else(|| self.cheapest_spacings(number), <[usize]>::to_vec);
            let frame = Frame { spacings, levels: vec![number; self.plan.groups.len()] };
            let bound = best.as_ref().map_or(f64::INFINITY, |best: &State| best.cost);
            best = self.evaluate(frame, None, bound).or(best);
        }
        best
    }

    /// For each class the spacing at which its readers cost least, where every result is a sum of two of the largest variance of
    /// this level.
    fn cheapest_spacings(&mut self, level: usize) -> Vec<usize> {
        (0..self.plan.slots.len()).map(|class| self.cheapest_spacing(class, level)).collect()
    }

    fn cheapest_spacing(&mut self, class: usize, level: usize) -> usize {
        let Plan { problem, slots, reads, .. } = self.plan;
        let fresh = self.supply.fresh();
        let result = 2.0 * self.levels[level];
        let variance = |list: usize| if list < problem.inputs { fresh } else { result };
        let mut best = (0, f64::INFINITY);
        for spacing in 0..slots[class].len() {
            let mut cost = 0.0;
            for (number, group) in
                problem.groups.iter().enumerate().filter(|(number, _)| reads[*number] == class)
            {
                let arriving = self.supply.rounded(group.reading.largest(variance));
                let pick = self.pick(number, spacing, arriving, level);
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
        let groups = self.plan.groups.len();
        let mut best = self.best_level(spacings)?;
        for _ in 0..ROUNDS {
            let before = best.cost;
            for group in (0..groups).rev() {
                for level in 0..self.levels.len() {
                    self.try_level(&mut best, group, level);
                }
            }
            for class in 0..self.plan.slots.len() {
                for spacing in 0..self.plan.slots[class].len() {
                    self.try_spacing(&mut best, class, spacing);
                }
            }
            if best.cost >= before {
                break;
            }
        }
        let State { frame, picks, arriving, cost, .. } = best;
        let quiet = frame.levels.iter().map(|level| self.levels[*level]).collect();
        Some(Choice { spacings: frame.spacings, picks, arriving, quiet, cost })
    }

    fn try_level(&mut self, best: &mut State, group: usize, level: usize) {
        let (present, arriving) = (best.picks[group].clone(), best.arriving[group]);
        let spacing = best.frame.spacings[self.plan.reads[group]];
        let Some(pick) = self.pick(group, spacing, arriving, level) else { return };
        // Neither cheaper nor quieter for what follows.
        if pick.variance >= present.variance && pick.cost >= present.cost {
            return;
        }
        let mut frame = best.frame.clone();
        frame.levels[group] = level;
        if let Some(found) = self.evaluate(frame, Some((&*best, group)), best.cost) {
            *best = found;
        }
    }

    fn try_spacing(&mut self, best: &mut State, class: usize, spacing: usize) {
        let first = self.plan.reads.iter().position(|read| *read == class);
        if best.frame.spacings[class] == spacing {
            return;
        }
        let mut frame = best.frame.clone();
        frame.spacings[class] = spacing;
        let first = first.unwrap_or(self.plan.groups.len());
        if let Some(found) = self.evaluate(frame, Some((&*best, first)), best.cost) {
            *best = found;
        }
    }

    /// The cheapest forms in this frame; `None` where there are none, or where they do not cost less than the bound. Up to a group
    /// they are those of another frame.
    fn evaluate(&mut self, frame: Frame, like: Option<(&State, usize)>, bound: f64) -> Option<State> {
        let problem = self.plan.problem;
        let (mut picks, mut all_arriving) = (Vec::new(), Vec::new());
        let mut variances = vec![self.supply.fresh(); problem.inputs];
        if let Some((state, first)) = like {
            picks.extend_from_slice(&state.picks[..first]);
            all_arriving.extend_from_slice(&state.arriving[..first]);
            variances.extend_from_slice(&state.variances[problem.inputs..problem.inputs + first]);
        }
        let counts = problem.groups.iter().map(|group| f64::from(group.reading.count));
        let mut cost: f64 = counts.zip(&picks).map(|(count, pick)| count * pick.cost).sum();
        for (number, group) in problem.groups.iter().enumerate().skip(picks.len()) {
            let arriving = self.supply.rounded(group.reading.largest(|list| variances[list]));
            let spacing = frame.spacings[self.plan.reads[number]];
            let pick = self.pick(number, spacing, arriving, frame.levels[number])?;
            cost += f64::from(group.reading.count) * pick.cost;
            if cost >= bound {
                return None;
            }
            variances.push(pick.variance);
            picks.push(pick);
            all_arriving.push(arriving);
        }
        for (number, output) in problem.outputs.iter().enumerate() {
            let half = self.plan.output_room(number, |class| frame.spacings[class]);
            if output.reading.largest(|list| variances[list]) > (half / self.kappa).powi(2) {
                return None;
            }
        }
        (cost < bound).then_some(State { frame, picks, arriving: all_arriving, variances, cost })
    }

    fn pick(&mut self, group: usize, spacing: usize, arriving: f64, level: usize) -> Option<Rc<Pick>> {
        let spacing = spacing.min(self.plan.groups[group].len().saturating_sub(1));
        let asked = (group, spacing, arriving.to_bits(), level);
        if let Some(known) = self.known.get(&asked) {
            return known.clone();
        }
        let candidates = self.plan.groups[group].get(spacing)?;
        let found = self.ranking.cheapest((group, spacing), candidates, arriving, level).map(Rc::new);
        self.known.insert(asked, found.clone());
        found
    }
}

/// Numbers of candidates with bounds on their cost, by these.
type Ranked = Rc<[(f64, usize)]>;

/// The candidates of each group at each spacing, by a bound on their cost, for variances on a grid.
struct Ranking<'a> {
    bounds: Bounds<'a>,
    /// For a group and a spacing of its class, steps of the variance, and a bound on that of the result.
    known: BTreeMap<((usize, usize), i64, usize), Ranked>,
    /// Room for ways.
    spare: Vec<Vec<Way>>,
}

impl<'a> Ranking<'a> {
    fn new(supply: &'a dyn Supply) -> Self {
        Self { bounds: Bounds::new(supply), known: BTreeMap::new(), spare: Vec::new() }
    }

    fn ranked(
        &mut self,
        place: (usize, usize),
        candidates: &[Candidate],
        steps: i64,
        level: usize,
    ) -> Ranked {
        let bounds = &mut self.bounds;
        let ranked = self.known.entry((place, steps, level)).or_insert_with(|| {
            let least = |candidate: &Candidate| -> f64 {
                candidate.stages.iter().map(|read| bounds.least(read, steps, level)).sum()
            };
            let all = candidates.iter().map(least).zip(0..);
            let mut ranked: Vec<(f64, usize)> = all.filter(|(cost, _)| cost.is_finite()).collect();
            ranked.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            ranked.into()
        });
        ranked.clone()
    }

    /// The cheapest of the candidates.
    fn cheapest(
        &mut self,
        place: (usize, usize),
        candidates: &[Candidate],
        arriving: f64,
        level: usize,
    ) -> Option<Pick> {
        let steps = Bounds::steps(arriving);
        let quiet = self.bounds.levels[level];
        let mut best: Option<Pick> = None;
        for (least, number) in self.ranked(place, candidates, steps, level).iter() {
            let bound = best.as_ref().map_or(f64::INFINITY, |best| best.cost);
            if *least >= bound {
                break;
            }
            let candidate = &candidates[*number];
            let stages = candidate.stages.iter();
            let of_stages = stages.map(|read| self.bounds.least(read, steps, level)).collect();
            let (supply, spare) = (self.bounds.supply, &mut self.spare);
            let ways = Vec::new();
            let mut descent =
                Descent { candidate, supply, of_stages, arriving, quiet, ways, bound, found: None, spare };
            descent.next(0.0, *least);
            if let Some(ways) = descent.found {
                let factors = candidate.result.iter();
                let variance = factors.map(|(stage, factor)| factor * ways[*stage].variance).sum();
                best = Some(Pick { candidate: *number, cost: descent.bound, variance, ways });
            }
        }
        best
    }
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
    spare: &'a mut Vec<Vec<Way>>,
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
        let mut ways = self.spare.pop().unwrap_or_default();
        self.supply.ways(read, arriving, quiet, &mut ways);
        for way in &ways {
            if cost + way.cost + rest >= self.bound {
                break;
            }
            self.ways.push(*way);
            self.next(cost + way.cost, rest);
            self.ways.pop();
        }
        self.spare.push(ways);
    }
}

/// What a stage costs at least, for rooms and arriving variances on a grid: rooms are rounded up, variances down.
struct Bounds<'a> {
    supply: &'a dyn Supply,
    /// Bounds on the variance of results; the last one is none.
    levels: Vec<f64>,
    /// For each room, without and with several tables, for each bound on results, for each variance; NaN where it was not
    /// asked for.
    known: Vec<Vec<f64>>,
    spare: Vec<Way>,
}

impl<'a> Bounds<'a> {
    /// Steps of a factor of two.
    const ROOM_STEPS: f64 = 16.0;
    const VARIANCE_STEPS: f64 = 4.0;
    /// From one over this, log2, to 1.
    const ROOMS: i64 = 28 * 16;
    const VARIANCES: i64 = 120 * 4;

    fn new(supply: &'a dyn Supply) -> Self {
        let levels: Vec<f64> = supply.levels().into_iter().chain([f64::INFINITY]).collect();
        let known = vec![Vec::new(); 2 * Self::ROOMS as usize * levels.len()];
        Self { supply, levels, known, spare: Vec::new() }
    }

    /// A variance in steps of the grid, rounded down.
    fn steps(variance: f64) -> i64 {
        // Nothing but 0 is below the grid.
        (variance.log2() * Self::VARIANCE_STEPS).floor().max(-1e6) as i64
    }

    /// With so many steps of variance at the input of the lookup, and a bound on that of its result.
    fn least(&mut self, read: &Read, arriving: i64, level: usize) -> f64 {
        let level = if read.in_result { level } else { self.levels.len() - 1 };
        let room = (read.log2_half_room * Self::ROOM_STEPS).ceil();
        let variance = (read.log2_input * Self::VARIANCE_STEPS).max(-1e6).floor() + arriving as f64;
        // Least room and least variance at 0: there is no stage that reads less than 2^-28 of the torus.
        let place = |steps: f64, all: i64| (all - 1 + steps as i64).clamp(0, all - 1) as usize;
        let row = 2 * place(room, Self::ROOMS) + usize::from(read.room.tables > 1);
        let row = row * self.levels.len() + level;
        let (row, place) = (&mut self.known[row], place(variance, Self::VARIANCES));
        if row.is_empty() {
            row.resize(Self::VARIANCES as usize, f64::NAN);
        }
        if row[place].is_nan() {
            let log2_half_room = room / Self::ROOM_STEPS;
            // A comparison loses as much of its room as a table, or more.
            let room = Room { half: log2_half_room.exp2(), compares: false, ..read.room };
            let least = Read { room, log2_half_room, ..read.clone() };
            let arriving = if variance < (1 - Self::VARIANCES) as f64 {
                0.0
            } else {
                (variance / Self::VARIANCE_STEPS).exp2()
            };
            self.supply.ways(&least, arriving, self.levels[level], &mut self.spare);
            row[place] = self.spare.first().map_or(f64::INFINITY, |way| way.cost);
        }
        row[place]
    }
}
