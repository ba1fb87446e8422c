//! Why there are no key sets: which reading stands in the way, at the set that comes nearest.

use super::plan::{Candidate, Plan};
use super::ring::{KeySet, Ring};
use super::{Budget, DemandKind, Machine, SearchError, TooDemanding, single, space};
use cml_runtime::parameters::failure;
use cml_runtime::units::{Log2Probability, Variance, Width};

/// Small dimensions are looked at in these steps: the message needs no more.
const STRIDE: usize = 16;

/// A group or an output, as one set reads it best.
struct Reader {
    /// Deviations that each phase must keep for this reader alone to keep the budget.
    kappa: f64,
    count: f64,
    phases: Vec<Phase>,
}

#[derive(Clone, Copy)]
struct Phase {
    half_room: f64,
    /// Half a position.
    lost: f64,
    deviation: f64,
}

impl Reader {
    /// How much of its room the worst phase needs; above 1 the reader does not keep the budget even alone.
    fn load(&self) -> f64 {
        let load = |phase: &Phase| (self.kappa * phase.deviation + phase.lost) / phase.half_room;
        self.phases.iter().map(load).fold(0.0, f64::max)
    }

    /// log2 of the probability that one element is read wrongly.
    fn probability(&self) -> Log2Probability {
        let wrong =
            |phase: &Phase| failure::outside(phase.half_room - phase.lost, Variance(phase.deviation.powi(2)));
        Log2Probability::sum(self.phases.iter().map(wrong))
    }
}

/// The set that comes nearest: first by load, then by excess.
struct Nearest {
    /// Largest load of a reader, but at least 1: what fits alone is as good as any other.
    load: f64,
    /// log2 of the factor by which the worse of both budgets is missed.
    excess: f64,
    /// Whether that is the budget of the inference.
    of_inference: bool,
    readers: Vec<Reader>,
}

/// The error for a plan that no set serves.
pub(super) fn explain(plan: &Plan, budget: Budget, machine: &Machine) -> SearchError {
    let mut nearest: Option<Nearest> = None;
    let counts = plan.problem.readings().map(|reading| f64::from(reading.count));
    let kappas: Vec<f64> = counts.map(|count| single::kappa(budget, count)).collect();
    for big in space::big_dimensions() {
        let ring = Ring::new(big, machine, true, |_| true);
        for set in most_precise_sets(&ring) {
            let readers = readers(plan, &kappas, &ring, set);
            let load = readers.iter().map(Reader::load).fold(1.0, f64::max);
            let (excess, of_inference) = excess(&readers, budget);
            let found = Nearest { load, excess, of_inference, readers };
            let closer = |known: &Nearest| load < known.load || load == known.load && excess < known.excess;
            if nearest.as_ref().is_none_or(closer) {
                nearest = Some(found);
            }
        }
    }
    nearest.map_or(SearchError::NothingToRead, |nearest| blame(plan, budget, &nearest))
}

/// Sets whose keyswitch adds as little noise as it can.
fn most_precise_sets<'a>(ring: &'a Ring<'a>) -> impl Iterator<Item = KeySet> + 'a {
    (0..ring.heads.len()).flat_map(move |head| {
        space::small_dimensions(STRIDE).filter_map(move |small| {
            Some(KeySet { head, small, keyswitch: *ring.keyswitches(small).last()? })
        })
    })
}

/// As one set reads each best; `kappas` are the deviations that each must keep.
fn readers(plan: &Plan, kappas: &[f64], ring: &Ring, set: KeySet) -> Vec<Reader> {
    let problem = plan.problem;
    let mut variances = vec![ring.fresh; problem.inputs];
    let mut readers = Vec::new();
    let (of_groups, of_outputs) = kappas.split_at(problem.groups.len());
    for ((group, choices), kappa) in problem.groups.iter().zip(&plan.groups).zip(of_groups) {
        let arriving = group.reading.largest(|list| variances[list]);
        let count = f64::from(group.reading.count);
        let of = |candidate: &Candidate| Reader {
            kappa: *kappa,
            count,
            phases: phases(candidate, arriving, ring, set),
        };
        // The first of the best.
        let better = |best: Reader, next: Reader| if next.load() < best.load() { next } else { best };
        let best = choices.first().and_then(|candidates| candidates.iter().map(of).reduce(better));
        readers.extend(best);
        variances.push(set.variance(ring));
    }
    for ((number, output), kappa) in problem.outputs.iter().enumerate().zip(of_outputs) {
        let count = f64::from(output.reading.count);
        let deviation = output.reading.largest(|list| variances[list]).sqrt();
        let phase = Phase { half_room: plan.output_room(number, |_| 0), lost: 0.0, deviation };
        readers.push(Reader { kappa: *kappa, count, phases: vec![phase] });
    }
    readers
}

/// With the most accumulators that the set may have.
fn phases(candidate: &Candidate, arriving: f64, ring: &Ring, set: KeySet) -> Vec<Phase> {
    let head = &ring.heads[set.head];
    let Some(most) = head.extensions(1).last() else { return Vec::new() };
    let added = set.added(ring, most);
    let phase = |read: &super::plan::Read| {
        let results: f64 = read.stages.iter().map(|(_, factor)| factor * set.variance(ring)).sum();
        let variance = read.input * arriving + results + added;
        let lost = head.lost(most, read.room.compares);
        Phase { half_room: read.room.half, lost, deviation: variance.sqrt() }
    };
    candidate.stages.iter().map(phase).collect()
}

/// log2 of the factor by which the worse of both budgets is missed, and whether that is the budget of the inference.
fn excess(readers: &[Reader], budget: Budget) -> (f64, bool) {
    let all = readers.iter().map(|reader| Log2Probability(reader.probability().0 + reader.count.log2()));
    let total = Log2Probability::sum(all).0;
    let worst = readers.iter().map(|reader| reader.probability().0).fold(f64::NEG_INFINITY, f64::max);
    let all = budget.inference.map_or(f64::NEG_INFINITY, |budget| total - budget.0);
    let single = budget.per_lookup.map_or(f64::NEG_INFINITY, |budget| worst - budget.0);
    (all.max(single), all >= single)
}

fn blame(plan: &Plan, budget: Budget, nearest: &Nearest) -> SearchError {
    let weight = |reader: &Reader| match reader.probability().0 {
        _ if nearest.load > 1.0 => reader.load(),
        one if nearest.of_inference => one + reader.count.log2(),
        one => one,
    };
    // The first of the worst.
    let worse = |worst: (usize, f64), next: (usize, f64)| if next.1 > worst.1 { next } else { worst };
    let weights = nearest.readers.iter().map(weight).enumerate();
    let worst = weights.fold((0, f64::NEG_INFINITY), worse).0;
    let problem = plan.problem;
    let (reading, kind) = match worst.checked_sub(problem.groups.len()) {
        None => (&problem.groups[worst].reading, DemandKind::Lookup),
        Some(output) => (&problem.outputs[output].reading, DemandKind::Output),
    };
    let (lo, hi) = reading.range;
    let values = hi.abs_diff(lo).saturating_add(1);
    let reached = if nearest.of_inference { budget.inference } else { budget.per_lookup };
    let reached = reached.map_or(0.0, |budget| budget.0);
    let reader = &nearest.readers[worst];
    SearchError::TooDemanding(Box::new(TooDemanding {
        node: reading.node.clone(),
        kind,
        range: reading.range,
        bits: Width::of_range(lo, hi).0,
        norm2_squared: reading.largest(|_| 1.0),
        budget: reached,
        of_inference: nearest.of_inference,
        reachable: (reached + nearest.excess).min(0.0),
        values_that_fit: ((values as f64 / reader.load()) as u64).min(values),
    }))
}
