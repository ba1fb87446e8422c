//! The whole search: from several starts, forms for key sets and key sets for forms in turn.

use super::choose::{Choice, Chooser};
use super::design::{Design, Pick, keys_price};
use super::plan::Plan;
use super::ring::{KeySet, Ring};
use super::supply::{Given, Wishes};
use super::{
    Budget, Machine, Options, Problem, SearchError, Solution, fit, medians, polish, refusal, single, space,
};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{GlweShape, Log2Probability, LweDimension};
use std::rc::Rc;

/// Dimensions of the big key that are searched for several key sets.
const BIG_DIMENSIONS: [usize; 5] = [1024, 1536, 2048, 3072, 4096];

/// Factors on the deviations with which stages wish for sets. A wish is for the cheapest set of all, which just keeps them.
const CAUTION: [f64; 4] = [1.0, 1.1, 1.25, 1.5];

/// How often forms and key sets are chosen in turn.
const TURNS: usize = 3;

/// Wishes are granted at no less than this part of what they seem to cost.
const OPTIMISM: f64 = 0.9;

/// Halvings of what a reading must keep at least and at most.
const HALVINGS: usize = 5;

/// How often the best design is a start.
const RESTARTS: usize = 3;

/// log2 of the part of the budget of one inference that the search leaves.
const ROOM: f64 = 0.1;

/// Designs that are finished, of each number of key sets.
const FINALISTS: usize = 4;

/// By how much a design may be dearer than the best by the sum over its lookups, and be finished all the same: where batches do
/// not fill, another one takes less time.
const LEEWAY: f64 = 1.1;

/// Key sets, spacings and forms with which the problem keeps the budget and costs least.
///
/// Deterministic: the result depends on the arguments alone. Predicted time is what is minimised, with a small price on the
/// size of keys; see `README.md`.
///
/// # Errors
/// [`SearchError::TooDemanding`] where no key set is precise enough; the other errors for arguments that make no sense.
pub fn search(
    problem: &Problem,
    budget: Budget,
    machine: &Machine,
    options: Options,
) -> Result<Solution, SearchError> {
    budget.check()?;
    problem.check()?;
    let plan = Plan::new(problem, options);
    let find = |shared_rotations: bool| {
        let options = Options { shared_rotations, ..options };
        let mut search = Search::new(&plan, with_room(budget), machine, options);
        search.start_from_one_set();
        if options.chains || options.key_sets > 1 {
            search.start_from_wishes();
            search.start_from_best();
            search.share_budget();
        }
        search.solution()
    };
    // What is best with shared rotations and what is best without are far apart: from one the search seldom finds the other.
    let found = if options.shared_rotations && plan.may_share() {
        let (together, apart) = rayon::join(|| find(true), || find(false));
        let both = together.into_iter().chain(apart);
        both.min_by(|one, other| one.price.total_cmp(&other.price))
    } else {
        find(false)
    };
    found.ok_or_else(|| refusal::explain(&plan, budget, machine))
}

/// What a problem costs about, with key sets that are found from these: nothing but a comparison with other problems. A small part
/// of a whole search; `None` where they lead nowhere.
pub fn price_near(
    problem: &Problem,
    budget: Budget,
    machine: &Machine,
    options: Options,
    sets: &[ParameterSet],
) -> Option<f64> {
    budget.check().and(problem.check()).ok()?;
    let shape = sets.first()?.glwe_shape();
    let plan = Plan::new(problem, options);
    let mut search = Search::new(&plan, with_room(budget), machine, options);
    let allowed = |other: GlweShape| !options.one_ring || other == shape;
    let ring = Ring::new(shape.lwe_dimension(), machine, options.shared_rotations, allowed);
    let sets: Vec<KeySet> = sets.iter().map(|set| KeySet::of(set, &ring)).collect::<Option<_>>()?;
    search.rings.push(Rc::new(ring));
    search.improve(0, &sets, None, search.kappa).map(|found| found.price)
}

/// A little less than the budget: the rest is for how results are returned, which is chosen when the program is built.
fn with_room(budget: Budget) -> Budget {
    let inference = budget.inference.map(|all| Log2Probability(all.0 - ROOM));
    Budget { inference, ..budget }
}

/// A design, with the number of its ring and its price.
#[derive(Clone)]
struct Found {
    ring: usize,
    design: Design,
    price: f64,
}

struct Search<'a> {
    plan: &'a Plan<'a>,
    budget: Budget,
    machine: &'a Machine,
    options: Options,
    /// Deviations with which every reading keeps the budget if all are as bad as that.
    kappa: f64,
    /// Deviations with which the readings that come most often keep it if there were no others.
    least_kappa: f64,
    rings: Vec<Rc<Ring<'a>>>,
    found: Vec<Found>,
}

impl<'a> Search<'a> {
    fn new(plan: &'a Plan<'a>, budget: Budget, machine: &'a Machine, options: Options) -> Self {
        let lookups = plan.problem.groups.iter().map(|group| f64::from(group.reading.count)).sum::<f64>();
        let outputs = plan.problem.outputs.iter().map(|output| f64::from(output.reading.count)).sum::<f64>();
        let phases = plan.most_phases() as f64;
        let share = Budget {
            inference: budget.inference,
            per_lookup: budget.per_lookup.map(|one| Log2Probability(one.0 - phases.log2())),
        };
        let kappa = single::kappa(share, phases * lookups + outputs);
        let least_kappa = single::kappa(budget, 1.0);
        Self { plan, budget, machine, options, kappa, least_kappa, rings: Vec::new(), found: Vec::new() }
    }

    fn best_price(&self) -> f64 {
        self.found.iter().map(|found| found.price).fold(f64::INFINITY, f64::min)
    }

    /// The best single key set with one bootstrap for each lookup; and what becomes of it.
    fn start_from_one_set(&mut self) {
        let Some((candidates, phases)) = single::phases(self.plan, self.budget) else { return };
        let Some(found) = single::search(&phases, self.budget, self.machine) else { return };
        let shape = found.set.glwe_shape();
        let Options { one_ring, shared_rotations, .. } = self.options;
        let allowed = |other: GlweShape| !one_ring || other == shape;
        let ring = Ring::new(shape.lwe_dimension(), self.machine, shared_rotations, allowed);
        let Some(set) = KeySet::of(&found.set, &ring) else { return };
        let extensions = found.extensions.iter().flatten();
        let pick = |(candidate, extension): (&usize, &i32)| Pick {
            candidate: *candidate,
            stages: vec![(0, *extension)],
        };
        let picks = candidates.iter().zip(extensions).map(pick).collect();
        let design = Design { sets: vec![set], spacings: vec![0; self.plan.slots.len()], picks };
        let nanoseconds = design.account(self.plan).nanoseconds(&ring, &design.sets);
        let price = design.price(nanoseconds, &ring);
        self.rings.push(Rc::new(ring));
        self.found.push(Found { ring: 0, design, price });
        if self.options.chains {
            self.found.extend(self.improve(0, &[set], None, self.kappa));
        }
    }

    /// What each stage would wish for, and the few sets that come nearest: with more deviations than must be where those sets
    /// serve nothing that was wished for.
    fn start_from_wishes(&mut self) {
        let first = self.rings.len();
        self.rings.extend(self.all_rings().into_iter().map(Rc::new));
        let rings: Vec<(usize, Rc<Ring<'a>>)> = self.rings.iter().cloned().enumerate().skip(first).collect();
        for caution in CAUTION {
            self.start_with_wishes(&rings, self.kappa * caution);
            if !self.found.is_empty() {
                break;
            }
        }
    }

    fn start_with_wishes(&mut self, rings: &[(usize, Rc<Ring<'a>>)], kappa: f64) {
        let wishes: Vec<Wishes> = rings.iter().map(|(_, ring)| Wishes::new(ring, kappa)).collect();
        let mut starts = Vec::new();
        for ((ring, _), wishes) in rings.iter().zip(&wishes) {
            let mut chooser = Chooser::new(self.plan, wishes, kappa);
            let cost = chooser.estimate();
            starts.extend(cost.map(|cost| (cost, *ring, chooser)));
        }
        starts.sort_by(|one, other| one.0.total_cmp(&other.0));
        for (cost, ring, mut chooser) in starts {
            if cost * OPTIMISM * keys_price(std::iter::once(0.0)) >= self.best_price() {
                continue;
            }
            let Some(choice) = chooser.choose(None) else { continue };
            self.start_from_choice(ring, &choice);
        }
    }

    /// The sets that serve these choices best, in every number.
    fn start_from_choice(&mut self, ring: usize, choice: &Choice) {
        let most = self.options.key_sets;
        for sets in medians::key_sets(self.plan, choice, &self.rings[ring], self.kappa, most) {
            self.found.extend(self.improve(ring, &sets, Some(&choice.spacings), self.kappa));
        }
    }

    /// Starts again from what became of the wishes, while that helps.
    fn start_from_best(&mut self) {
        for _ in 0..RESTARTS {
            let before = self.best_price();
            let Some(best) = self.found.iter().find(|found| found.price == before) else { return };
            let (ring, sets, kappa) = (best.ring, &best.design.sets, self.kappa);
            let given = Given { ring: &self.rings[ring], sets, kappa };
            let chosen = Chooser::new(self.plan, &given, kappa).choose(Some(&best.design.spacings));
            let Some(choice) = chosen else { return };
            self.start_from_choice(ring, &choice);
            if self.best_price() >= before {
                return;
            }
        }
    }

    fn all_rings(&self) -> Vec<Ring<'a>> {
        let mut bigs = BIG_DIMENSIONS.map(LweDimension).to_vec();
        for ring in &self.rings {
            bigs.extend(ring.heads.first().map(|head| head.shape.lwe_dimension()));
        }
        bigs.sort();
        bigs.dedup();
        let mut rings = Vec::new();
        let shares = self.options.shared_rotations;
        for big in bigs {
            if self.options.one_ring {
                let shapes = space::shapes().filter(|shape| shape.lwe_dimension() == big);
                rings
                    .extend(shapes.map(|shape| Ring::new(big, self.machine, shares, |other| other == shape)));
            } else {
                rings.push(Ring::new(big, self.machine, shares, |_| true));
            }
        }
        rings
    }

    /// Forms for sets and sets for forms, in turn, with this many deviations for each reading.
    fn improve(&self, ring: usize, sets: &[KeySet], spacings: Option<&[usize]>, kappa: f64) -> Option<Found> {
        let (number, ring) = (ring, &self.rings[ring]);
        let mut sets = sets.to_vec();
        let mut spacings = spacings.map(<[usize]>::to_vec);
        let mut best: Option<Found> = None;
        for _ in 0..TURNS {
            let given = Given { ring, sets: &sets, kappa };
            let Some(choice) = Chooser::new(self.plan, &given, kappa).choose(spacings.as_deref()) else {
                break;
            };
            let found = self.settled(number, Design::new(&sets, &choice), kappa);
            if best.as_ref().is_some_and(|best| found.price >= best.price) {
                break;
            }
            sets.clone_from(&found.design.sets);
            spacings = Some(found.design.spacings.clone());
            best = Some(found);
        }
        best
    }

    /// Finishes the best of the designs: the budget is shared by what saves most.
    fn share_budget(&mut self) {
        self.found.sort_by(|one, other| one.price.total_cmp(&other.price));
        // Designs of one number of sets are much alike.
        let mut finalists = [0; Options::MAX_KEY_SETS + 1];
        let mut best = f64::INFINITY;
        let finish = |found: &Found| {
            let alike = &mut finalists[found.design.sets.len()];
            // With the fewest deviations that any reading may have, forms as they are: about the least that it can become.
            let least = || self.settled(found.ring, found.design.clone(), self.least_kappa).price;
            let finished =
                if *alike < FINALISTS && least() < best * LEEWAY { self.finish(found) } else { None };
            best = finished.iter().map(|finished| finished.price).fold(best, f64::min);
            *alike += usize::from(finished.is_some());
            finished
        };
        self.found = self.found.iter().filter_map(finish).collect();
    }

    /// The best of those that were finished, by the time that the server takes.
    fn solution(&self) -> Option<Solution> {
        let solution =
            |found: &Found| found.design.solution(self.plan, &self.rings[found.ring], self.machine);
        self.found.iter().map(solution).min_by(|one, other| one.price.total_cmp(&other.price))
    }

    fn keeps(&self, found: &Found) -> bool {
        let ring = &self.rings[found.ring];
        found.design.account(self.plan).keeps(self.budget, ring, &found.design.sets)
    }

    /// The same forms with cheaper sets: each reading keeps `kappa` deviations.
    fn settled(&self, ring: usize, mut design: Design, kappa: f64) -> Found {
        let (number, ring) = (ring, &self.rings[ring]);
        let mut account = design.account(self.plan);
        fit::settle(&mut account, &mut design.sets, ring, kappa);
        design.take_extensions(&account);
        let price = design.price(account.nanoseconds(ring, &design.sets), ring);
        Found { ring: number, design, price }
    }

    /// A design with as few deviations for each reading as the true sums allow, then with the rest of the budget where it
    /// saves most.
    fn finish(&self, found: &Found) -> Option<Found> {
        let settled = |found: &Found, kappa| self.settled(found.ring, found.design.clone(), kappa);
        let start = if self.keeps(found) { found.clone() } else { settled(found, self.kappa) };
        let mut best = Some(start).filter(|start| self.keeps(start));
        let (mut low, mut high) = (self.least_kappa, self.kappa);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            let next = settled(best.as_ref().unwrap_or(found), middle);
            if self.keeps(&next) {
                high = middle;
                if best.as_ref().is_none_or(|best| next.price < best.price) {
                    best = Some(next);
                }
            } else {
                low = middle;
            }
        }
        let design = &best.as_ref().unwrap_or(found).design;
        let other = self.improve(found.ring, &design.sets, Some(&design.spacings), high);
        if let Some(other) = other.filter(|other| self.keeps(other))
            && best.as_ref().is_none_or(|best| other.price < best.price)
        {
            best = Some(other);
        }
        let mut best = best?;
        let ring = &self.rings[best.ring];
        let mut account = best.design.account(self.plan);
        polish::polish(&mut account, &mut best.design.sets, ring, self.budget);
        best.design.take_extensions(&account);
        best.price = best.design.price(account.nanoseconds(ring, &best.design.sets), ring);
        Some(best)
    }
}
