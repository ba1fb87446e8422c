//! The search itself: all shapes, dimensions and decompositions, with the cheapest extensions for each.

use super::assign::{self, Way};
use super::{Budget, Demand, DemandKind, Machine, SearchError, refusal, space};
use cml_runtime::parameters::{failure, ledger, noise};
use cml_runtime::program::message::{Event, ParameterSet};
use cml_runtime::units::{Decomposition, GlweShape, Log2Probability, Variance};

/// Bounds that only prune are this much too generous, so that their rounding errors exclude nothing.
const GENEROUS: f64 = 1.0 + 1e-9;

/// A key set, and how each demand is read with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The one key set.
    pub set: ParameterSet,
    /// For each demand log2 of the number of accumulators of its bootstraps; `None` for outputs.
    pub extensions: Vec<Option<u32>>,
    /// For each demand the failure probability of one phase.
    pub probabilities: Vec<Log2Probability>,
    /// Failure probability of one inference: the sum over all phases.
    pub total: Log2Probability,
    /// Predicted seconds of all lookups of one inference, on all threads of the machine.
    pub seconds: f64,
}

/// The key set for which all demands keep the budget and the lookups take least time.
///
/// Deterministic: the result depends on the arguments alone. Among sets of equal cost it has the smallest evaluation key.
///
/// # Errors
/// [`SearchError::TooDemanding`] where no key set is precise enough; the other errors for arguments that make no sense.
pub fn search(demands: &[Demand], budget: Budget, machine: &Machine) -> Result<Solution, SearchError> {
    budget.check()?;
    if demands.is_empty() {
        return Err(SearchError::NothingToRead);
    }
    let phases = demands.iter().map(|demand| Phase::new(demand, budget)).collect::<Result<Vec<_>, _>>()?;
    let mut search = Search { phases, budget, machine, best: None };
    // The first, coarse round finds a bound that the second prunes with.
    for stride in space::STRIDES {
        for shape in space::shapes() {
            search.try_shape(shape, stride);
        }
    }
    match search.best.take() {
        Some(best) => Ok(search.solution(best)),
        None => Err(refusal::explain(&search.phases, budget)),
    }
}

/// A demand, prepared.
pub(super) struct Phase<'a> {
    pub(super) demand: &'a Demand,
    /// Its event in the ledger, but for the extension.
    event: Event,
    /// Standard deviations that the tolerance must have for this demand alone to keep the budget.
    pub(super) kappa: f64,
}

impl<'a> Phase<'a> {
    fn new(demand: &'a Demand, budget: Budget) -> Result<Self, SearchError> {
        let bad = |name, found: String, expected| {
            Err(SearchError::BadDemand { node: demand.node.clone(), name, found, expected })
        };
        if demand.count == 0 {
            return bad("number", "0".to_owned(), "at least 1");
        }
        if demand.spacing.0 == 0 {
            return bad("spacing", "0".to_owned(), "more than 0");
        }
        for (name, norm) in [
            ("squared norm on inputs", demand.norm2_squared_inputs),
            ("squared norm on bootstraps", demand.norm2_squared_bootstraps),
        ] {
            if !(norm >= 0.0 && norm.is_finite()) {
                return bad(name, norm.to_string(), "a finite number that is not negative");
            }
        }
        let event = Event {
            count: demand.count,
            norm2_squared_inputs: demand.norm2_squared_inputs,
            norm2_squared_bootstraps: vec![demand.norm2_squared_bootstraps],
            spacing: demand.spacing.0,
            ..Event::default()
        };
        let share = budget.inference.map(|all| all.0 - f64::from(demand.count).log2());
        let single = [share, budget.per_lookup.map(|one| one.0)].into_iter().flatten();
        let kappa = failure::kappa(Log2Probability(single.fold(0.0, f64::min)));
        Ok(Self { demand, event, kappa })
    }

    pub(super) fn is_lookup(&self) -> bool {
        self.demand.kind == DemandKind::Lookup
    }

    /// The ledger's verdict on one phase, and on all of them.
    pub(super) fn assess(&self, set: &ParameterSet, extension: Option<u32>) -> ledger::Assessment {
        let event = Event { extension, ..self.event.clone() };
        let sets = std::slice::from_ref(set);
        ledger::assess(&event, sets).expect("the demand was checked, and the extension is in bounds")
    }

    /// Noise before the keyswitch.
    fn arriving(&self, fresh: Variance, bootstrap: Variance) -> f64 {
        let inputs = noise::linear_combination(self.demand.norm2_squared_inputs, fresh);
        (inputs + noise::linear_combination(self.demand.norm2_squared_bootstraps, bootstrap)).0
    }

    /// Whether this noise keeps the budget of this demand alone, at a tolerance that is smaller by `lost`; generously.
    fn fits(&self, variance: f64, lost: f64) -> bool {
        let tolerance = self.demand.spacing.torus() / 2.0 - lost;
        tolerance > 0.0 && variance <= (tolerance / self.kappa).powi(2) * GENEROUS
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
        space::parameter_set(self.shape, self.small, self.bootstrap, keyswitch)
    }
}

struct Best {
    set: ParameterSet,
    extensions: Vec<Option<u32>>,
    nanoseconds: f64,
}

struct Search<'a> {
    phases: Vec<Phase<'a>>,
    budget: Budget,
    machine: &'a Machine,
    best: Option<Best>,
}

impl Search<'_> {
    fn try_shape(&mut self, shape: GlweShape, stride: usize) {
        for bootstrap in space::bootstrap_decompositions(shape) {
            let element = |v| self.machine.mask_element(shape, bootstrap.level, v);
            let Some(elements) = space::extensions(shape).map(element).collect::<Option<Vec<f64>>>() else {
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
        let set = space::parameter_set(shape, small, bootstrap, bootstrap);
        let (fresh, result) = (set.fresh_variance(), set.bootstrap_variance());
        let switch = |v| (set.modulus_switch_variance(v).0, ledger::half_position(&set, v));
        Point {
            shape,
            small,
            bootstrap,
            arriving: self.phases.iter().map(|phase| phase.arriving(fresh, result)).collect(),
            switches: space::extensions(shape).map(switch).collect(),
            costs: elements.iter().map(|element| f64::from(small) * element).collect(),
        }
    }

    /// For each phase the smallest extension with which it keeps the budget alone; `None` where there is none.
    fn smallest_extensions(&self, point: &Point, keyswitch: f64) -> Option<Vec<usize>> {
        let smallest = |(phase, arriving): (&Phase, &f64)| {
            if !phase.is_lookup() {
                return phase.fits(*arriving, 0.0).then_some(0);
            }
            let mut switches = point.switches.iter();
            switches.position(|(switch, lost)| phase.fits(arriving + keyswitch + switch, *lost))
        };
        self.phases.iter().zip(&point.arriving).map(smallest).collect()
    }

    /// Nanoseconds of all lookups.
    fn cost(&self, point: &Point, extensions: &[usize], keyswitch: f64) -> f64 {
        let lookups = self.phases.iter().zip(extensions).filter(|(phase, _)| phase.is_lookup());
        lookups.map(|(phase, v)| f64::from(phase.demand.count) * (keyswitch + point.costs[*v])).sum()
    }

    /// Whether nothing that costs this much, with a key of this size, is better than the best; nor anything above both.
    fn is_beaten(&self, bound: f64, key_bytes: u64) -> bool {
        self.best.as_ref().is_some_and(|best| {
            bound > best.nanoseconds * GENEROUS
                || bound >= best.nanoseconds && key_bytes >= best.set.eval_key_bytes()
        })
    }

    fn try_keyswitches(&mut self, point: &Point, bound: f64) {
        let lookups = self.phases.iter().filter(|phase| phase.is_lookup());
        let lookups: f64 = lookups.map(|phase| f64::from(phase.demand.count)).sum();
        let small = cml_runtime::units::LweDimension(point.small as usize);
        for keyswitch in space::keyswitch_decompositions(point.shape.lwe_dimension(), small) {
            let set = point.set(keyswitch);
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
            let extension = |(phase, way): (&Phase, &Way)| phase.is_lookup().then_some(way.extension);
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
        let last = if phase.is_lookup() { point.costs.len() - 1 } else { first };
        for v in first..=last {
            let extension = v as u32;
            let found = phase.assess(set, phase.is_lookup().then_some(extension));
            if self.budget.per_lookup.is_some_and(|budget| found.probability > budget) {
                continue;
            }
            let parts = self.budget.inference.map_or(Some(0), |budget| assign::parts(found.all.0, budget.0));
            let Some(parts) = parts else { continue };
            let one = if phase.is_lookup() { keyswitch + point.costs[v] } else { 0.0 };
            if ways.last().is_none_or(|last| parts < last.parts) {
                ways.push(Way { extension, cost: f64::from(phase.demand.count) * one, parts });
            }
            if parts == 0 {
                break;
            }
        }
        ways
    }

    fn solution(&self, best: Best) -> Solution {
        let pairs = self.phases.iter().zip(&best.extensions);
        let found: Vec<_> = pairs.map(|(phase, extension)| phase.assess(&best.set, *extension)).collect();
        Solution {
            probabilities: found.iter().map(|found| found.probability).collect(),
            total: Log2Probability::sum(found.iter().map(|found| found.all)),
            seconds: best.nanoseconds * 1e-9 / f64::from(self.machine.threads),
            set: best.set,
            extensions: best.extensions,
        }
    }
}
