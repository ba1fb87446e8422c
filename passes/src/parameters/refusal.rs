//! Why there is no key set: which demand stands in the way, at the set that comes nearest.

use super::solver::Phase;
use super::{Budget, DemandKind, SearchError, TooDemanding, space};
use cml_runtime::parameters::ledger::{self, Assessment};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{LweDimension, Width};

/// Small dimensions are looked at in these steps: the message needs no more.
const STRIDE: usize = 16;

/// The set that comes nearest: first by load, then by excess.
struct Nearest {
    set: ParameterSet,
    /// Largest load of a phase, but at least 1: what fits alone is as good as any other.
    load: f64,
    /// log2 of the factor by which the worse of both budgets is missed.
    excess: f64,
    /// Whether that is the budget of the inference.
    of_inference: bool,
}

pub(super) fn explain(phases: &[Phase], budget: Budget) -> SearchError {
    let mut nearest: Option<Nearest> = None;
    for set in most_precise_sets() {
        let load = phases.iter().map(|phase| load(phase, &set)).fold(1.0, f64::max);
        if nearest.as_ref().is_some_and(|nearest| load > nearest.load) {
            continue;
        }
        let (excess, of_inference) = excess(phases, budget, &set);
        if nearest.as_ref().is_none_or(|nearest| load < nearest.load || excess < nearest.excess) {
            nearest = Some(Nearest { set, load, excess, of_inference });
        }
    }
    match nearest {
        Some(nearest) => blame(phases, budget, &nearest),
        None => SearchError::NothingToRead,
    }
}

/// Sets whose keyswitch adds as little noise as it can.
fn most_precise_sets() -> impl Iterator<Item = ParameterSet> {
    let of_shape = |shape: cml_runtime::units::GlweShape| {
        space::small_dimensions(STRIDE).flat_map(move |small| {
            let small_dimension = LweDimension(small as usize);
            let keyswitch = space::keyswitch_decompositions(shape.lwe_dimension(), small_dimension).pop();
            let bootstraps = space::bootstrap_decompositions(shape);
            keyswitch.into_iter().flat_map(move |keyswitch| {
                let set = move |bootstrap| space::parameter_set(shape, small, bootstrap, keyswitch);
                bootstraps.clone().into_iter().map(set)
            })
        })
    };
    space::shapes().flat_map(of_shape)
}

/// The most accumulators that this set may have.
fn largest_extension(set: &ParameterSet) -> u32 {
    *space::extensions(set.glwe_shape()).end()
}

fn assess(phase: &Phase, set: &ParameterSet) -> Assessment {
    phase.assess(set, phase.is_lookup().then(|| largest_extension(set)))
}

/// What a phase needs of the torus, half a slot of which must hold it: as many deviations as its budget demands, and half a
/// position.
fn need(phase: &Phase, set: &ParameterSet) -> f64 {
    let lost = match phase.demand.kind {
        DemandKind::Lookup => ledger::half_position(set, largest_extension(set)),
        DemandKind::Output => 0.0,
    };
    phase.kappa * assess(phase, set).variance.std_dev() + lost
}

/// How much of half a slot a phase needs; above 1 it does not keep the budget even alone.
fn load(phase: &Phase, set: &ParameterSet) -> f64 {
    need(phase, set) / (phase.demand.spacing.torus() / 2.0)
}

/// log2 of the factor by which the worse of both budgets is missed, and whether that is the budget of the inference.
fn excess(phases: &[Phase], budget: Budget, set: &ParameterSet) -> (f64, bool) {
    let found: Vec<Assessment> = phases.iter().map(|phase| assess(phase, set)).collect();
    let total = cml_runtime::units::Log2Probability::sum(found.iter().map(|found| found.all)).0;
    let worst = found.iter().map(|found| found.probability.0).fold(f64::NEG_INFINITY, f64::max);
    let all = budget.inference.map_or(f64::NEG_INFINITY, |budget| total - budget.0);
    let single = budget.per_lookup.map_or(f64::NEG_INFINITY, |budget| worst - budget.0);
    (all.max(single), all >= single)
}

fn blame(phases: &[Phase], budget: Budget, nearest: &Nearest) -> SearchError {
    let (set, of_inference) = (&nearest.set, nearest.of_inference);
    let weight = |phase: &Phase| match assess(phase, set) {
        _ if nearest.load > 1.0 => load(phase, set),
        found if of_inference => found.all.0,
        found => found.probability.0,
    };
    // The first of the worst.
    let worse = |worst: (usize, f64), next: (usize, f64)| if next.1 > worst.1 { next } else { worst };
    let weights = phases.iter().map(weight).enumerate();
    let worst = weights.fold((0, f64::NEG_INFINITY), worse).0;
    let phase = &phases[worst];
    let demand = phase.demand;
    let slots = demand.spacing.slots();
    let budget = if of_inference { budget.inference } else { budget.per_lookup };
    let budget = budget.map_or(0.0, |budget| budget.0);
    SearchError::TooDemanding(Box::new(TooDemanding {
        node: demand.node.clone(),
        kind: demand.kind,
        slots,
        bits: Width::of_range(1, i64::try_from(slots).unwrap_or(i64::MAX)).0,
        norm2_squared: demand.norm2_squared_inputs + demand.norm2_squared_bootstraps,
        budget,
        of_inference,
        reachable: (budget + nearest.excess).min(0.0),
        // Half a slot, of half the torus.
        slots_that_fit: ((0.25 / need(phase, set)) as u64).min(slots),
    }))
}
