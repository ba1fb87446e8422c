//! The failure ledger: every event that can make one inference wrong, with its probability.
//!
//! An event is one error at one modulus-switched phase, or at one decrypted output. A phase is read wrongly when its
//! noise reaches half a slot, less the half position that a boundary between two slots may be off the grid. Where a reading
//! may be off by some slots without any effect, these are added. A lookup of several stages fails when any of its phases is
//! read wrongly: its probability is at most the sum.

use super::{Error, failure, key_sets, noise, outputs};
use crate::program::message::{Client, Event, ParameterSet};
use crate::units::{Log2Probability, Spacing, Variance};
use std::collections::BTreeMap;

/// Slack in log2 for sums that were made in another order.
const SLACK: f64 = 1e-6;

/// The noise of one event against what it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assessment {
    /// Noise where the phase is read: at the modulus switch, or at decryption.
    pub variance: Variance,
    /// Smallest noise that is an error, on the torus.
    pub tolerance: f64,
    /// Probability of one such event.
    pub probability: Log2Probability,
    /// Probability that any of the events of this kind happens in one inference (sum).
    pub all: Log2Probability,
}

/// The sums over a program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Security of the weakest key, bits.
    pub security_bits: f64,
    /// Failure of one inference.
    pub total: Log2Probability,
    /// The worst single lookup, over all its stages; minus infinity where there is none.
    pub worst_lookup: Log2Probability,
    /// The worst single decrypted output; minus infinity where there is none.
    pub worst_output: Log2Probability,
}

/// Assesses one kind of events.
///
/// # Errors
/// [`Error::BadEvent`] for numbers that no program of ours has.
pub fn assess(event: &Event, sets: &[ParameterSet]) -> Result<Assessment, Error> {
    let bad = |name, found: String| Error::BadEvent { node: event.node.clone(), name, found };
    let bootstraps = &event.norm2_squared_bootstraps;
    if bootstraps.len() > sets.len() {
        return Err(bad("norms on bootstraps of key sets", bootstraps.len().to_string()));
    }
    for (name, norm) in std::iter::once(("norm2_squared_inputs", event.norm2_squared_inputs))
        .chain(bootstraps.iter().map(|norm| ("norm2_squared_bootstraps", *norm)))
    {
        if !norm.is_finite() || norm < 0.0 {
            return Err(bad(name, norm.to_string()));
        }
    }
    if event.spacing == 0 {
        return Err(bad("spacing", "0".to_owned()));
    }
    let half_room = half_room(event.spacing, event.tolerance);
    if half_room > 0.5 {
        return Err(bad("tolerance", event.tolerance.to_string()));
    }
    let fresh = noise::linear_combination(event.norm2_squared_inputs, key_sets::fresh_variance(sets));
    let arriving = bootstraps
        .iter()
        .zip(sets)
        .fold(fresh, |sum, (norm, set)| sum + noise::linear_combination(*norm, set.bootstrap_variance()));
    let (variance, tolerance) = match event.extension {
        None => {
            let returned = event.returned.as_ref();
            if let Some(Err(what)) = returned.map(|returned| outputs::check(returned, sets.len())) {
                return Err(bad("form of results", what.to_owned()));
            }
            (arriving + outputs::added_variance(returned, sets), half_room)
        }
        Some(extension) if !(ParameterSet::SHARED..=ParameterSet::LARGEST_EXTENSION).contains(&extension) => {
            return Err(bad("extension", extension.to_string()));
        }
        Some(extension) => {
            let set = sets.get(event.key as usize).ok_or_else(|| bad("key", event.key.to_string()))?;
            let read = set.keyswitch_variance() + set.modulus_switch_variance(extension);
            let boundaries = boundary_extension(event.compares, extension);
            (arriving + read, reading_tolerance(event.spacing, event.tolerance, set, boundaries))
        }
    };
    let probability = failure::outside(tolerance, variance);
    let all = Log2Probability(probability.0 + f64::from(event.count).log2());
    Ok(Assessment { variance, tolerance, probability, all })
}

/// Half a slot and as many more as may be off without any effect, on the torus.
fn half_room(spacing: u64, tolerance: u32) -> f64 {
    (f64::from(tolerance) + 0.5) * Spacing(spacing).torus()
}

/// Smallest noise that moves the slot that a bootstrap reads by more than the tolerance, on the torus; not positive where
/// the positions of the test polynomial are too coarse. `extension` is that of the boundaries: see [`boundary_extension`].
#[must_use]
pub fn reading_tolerance(spacing: u64, tolerance: u32, set: &ParameterSet, extension: i32) -> f64 {
    half_room(spacing, tolerance) - half_position(set, extension)
}

/// The extension on whose positions the boundaries of a reading lie: its own, or 0 for comparisons, since the sorted rotation
/// makes component 0 alone.
#[must_use]
pub fn boundary_extension(compares: bool, extension: i32) -> i32 {
    if compares { 0 } else { extension }
}

/// Half the torus distance of two neighbouring positions of a bootstrap.
#[must_use]
pub fn half_position(set: &ParameterSet, extension: i32) -> f64 {
    (-f64::from(set.log2_positions(extension)) - 1.0).exp2()
}

/// Failure of one lookup of a group, or of one element of an output: the sum over the events that it depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupFailure {
    /// The ONNX node of its first event, or the name of the output.
    pub node: String,
    /// The group's number; `None` for an output.
    pub lookup: Option<u32>,
    /// Probability that any of the events of one element happens.
    pub probability: Log2Probability,
}

/// For each group of lookups, then for each output, the failure of one of its elements.
///
/// # Errors
/// As [`assess`].
pub fn lookup_failures(events: &[Event], sets: &[ParameterSet]) -> Result<Vec<LookupFailure>, Error> {
    let mut lookups: BTreeMap<u32, (&str, Vec<Log2Probability>)> = BTreeMap::new();
    let mut outputs = Vec::new();
    for event in events.iter().filter(|event| event.count > 0) {
        let probability = assess(event, sets)?.probability;
        for lookup in &event.lookups {
            lookups.entry(*lookup).or_insert((&event.node, Vec::new())).1.push(probability);
        }
        if event.lookups.is_empty() {
            outputs.push(LookupFailure { node: event.node.clone(), lookup: None, probability });
        }
    }
    let summed = lookups.into_iter().map(|(lookup, (node, probabilities))| LookupFailure {
        node: node.to_owned(),
        lookup: Some(lookup),
        probability: Log2Probability::sum(probabilities),
    });
    Ok(summed.chain(outputs).collect())
}

/// Sums over all events.
///
/// # Errors
/// As [`assess`].
pub fn summarize(events: &[Event], sets: &[ParameterSet]) -> Result<Summary, Error> {
    let assessments = events.iter().map(|event| assess(event, sets)).collect::<Result<Vec<_>, _>>()?;
    let failures = lookup_failures(events, sets)?;
    let worst = |lookups: bool| {
        let of_kind = failures.iter().filter(|failure| failure.lookup.is_some() == lookups);
        Log2Probability(of_kind.map(|failure| failure.probability.0).fold(f64::NEG_INFINITY, f64::max))
    };
    Ok(Summary {
        security_bits: key_sets::security_bits(sets),
        total: Log2Probability::sum(assessments.iter().map(|found| found.all)),
        worst_lookup: worst(true),
        worst_output: worst(false),
    })
}

/// What a client checks before it makes keys, and a server before it computes: sound numbers, 128 bits of security, and
/// the promised failure probability.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(client: &Client) -> Result<Summary, Error> {
    let sets = &client.parameters;
    key_sets::check(sets)?;
    key_sets::check_security(sets)?;
    if client.events.iter().all(|event| event.count == 0) {
        return Err(Error::Missing { what: "failure events" });
    }
    if client.p_error_log2.is_none() && client.p_error_per_lookup_log2.is_none() {
        return Err(Error::Missing { what: "failure budget" });
    }
    let summary = summarize(&client.events, sets)?;
    if let Some(budget) = client.p_error_log2
        && !within(summary.total, budget)
    {
        return Err(Error::OverBudget { found: summary.total.0, budget });
    }
    if let Some(budget) = client.p_error_per_lookup_log2 {
        for LookupFailure { node, probability, .. } in lookup_failures(&client.events, sets)? {
            if !within(probability, budget) {
                return Err(Error::LookupOverBudget { node, found: probability.0, budget });
            }
        }
    }
    Ok(summary)
}

/// False for a budget that is no number.
fn within(found: Log2Probability, budget: f64) -> bool {
    found.0 <= budget + SLACK
}

#[cfg(test)]
mod tests {
    use super::super::set::tests::wide;
    use super::*;

    fn lookup(extension: i32, slots: u64) -> Event {
        Event {
            node: "Relu_0".to_owned(),
            count: 8,
            norm2_squared_bootstraps: vec![64.0],
            extension: Some(extension),
            spacing: Spacing::of_slots(slots).0,
            lookups: vec![slots as u32],
            ..Event::default()
        }
    }

    fn client(events: Vec<Event>) -> Client {
        Client { parameters: vec![wide()], events, p_error_log2: Some(-40.0), ..Client::default() }
    }

    #[test]
    fn an_event_adds_up_its_noise() {
        let set = wide();
        let found = assess(&lookup(2, 32), std::slice::from_ref(&set)).unwrap();
        let expected =
            64.0 * set.bootstrap_variance().0 + set.keyswitch_variance().0 + set.modulus_switch_variance(2).0;
        assert!((found.variance.0 / expected - 1.0).abs() < 1e-12);
        assert!((found.tolerance - (1.0 / 128.0 - 1.0 / (4.0 * 8192.0))).abs() < 1e-15);
        assert!((found.all.0 - found.probability.0 - 3.0).abs() < 1e-12);
    }

    #[test]
    fn an_output_is_read_without_a_bootstrap() {
        let set = wide();
        let event = Event { count: 1, norm2_squared_inputs: 4.0, spacing: 1 << 60, ..Event::default() };
        let found = assess(&event, std::slice::from_ref(&set)).unwrap();
        assert_eq!(found.variance, set.fresh_variance() * 4.0);
        assert_eq!(found.tolerance, 1.0 / 32.0);
    }

    #[test]
    fn more_accumulators_fail_less() {
        let set = [wide()];
        let found: Vec<f64> = (0..4).map(|v| assess(&lookup(v, 64), &set).unwrap().probability.0).collect();
        assert!(found.windows(2).all(|pair| pair[1] < pair[0]), "{found:?}");
    }

    #[test]
    fn each_bootstrap_counts_with_the_noise_of_its_key_set() {
        let (quiet, loud) =
            (wide(), ParameterSet { pbs_base_log: 23, pbs_level: 1, lwe_dimension: 900, ..wide() });
        let event = Event { key: 1, norm2_squared_bootstraps: vec![3.0, 5.0], ..lookup(1, 32) };
        let found = assess(&event, &[quiet.clone(), loud.clone()]).unwrap();
        let expected = 3.0 * quiet.bootstrap_variance().0
            + 5.0 * loud.bootstrap_variance().0
            + loud.keyswitch_variance().0
            + loud.modulus_switch_variance(1).0;
        assert!((found.variance.0 / expected - 1.0).abs() < 1e-12);
        assert!(assess(&event, &[quiet]).is_err());
    }

    #[test]
    fn harmless_slots_widen_the_tolerance() {
        let sets = [wide()];
        let coarse = Event { tolerance: 3, ..lookup(0, 32) };
        let found = assess(&coarse, &sets).unwrap().tolerance;
        assert!((found - (7.0 / 128.0 - 1.0 / (4.0 * 2048.0))).abs() < 1e-15);
        let beyond = Event { tolerance: 32, ..coarse };
        assert!(matches!(assess(&beyond, &sets), Err(Error::BadEvent { name: "tolerance", .. })));
    }

    #[test]
    fn a_lookup_fails_with_any_of_its_stages() {
        let stage = |lookups: &[u32]| Event { lookups: lookups.to_vec(), ..lookup(2, 40) };
        let output = Event { lookups: vec![], extension: None, ..lookup(0, 40) };
        let events = [stage(&[7]), stage(&[7, 9]), stage(&[9]), stage(&[9]), output];
        let single = assess(&events[0], &[wide()]).unwrap().probability.0;
        let found = lookup_failures(&events, &[wide()]).unwrap();
        let lookups: Vec<_> = found.iter().map(|failure| failure.lookup).collect();
        assert_eq!(lookups, [Some(7), Some(9), None]);
        assert!((found[0].probability.0 - single - 1.0).abs() < 1e-9);
        assert!((found[1].probability.0 - single - 3f64.log2()).abs() < 1e-9);
        let summary = summarize(&events, &[wide()]).unwrap();
        assert_eq!(summary.worst_lookup, found[1].probability);
        assert_eq!(summary.worst_output, found[2].probability);
        let budget = Some(single + 1.2);
        let client =
            Client { p_error_log2: None, p_error_per_lookup_log2: budget, ..client(events[..2].to_vec()) };
        assert!(check(&client).is_ok());
        let more = Client { events: events.to_vec(), ..client };
        assert!(matches!(check(&more), Err(Error::LookupOverBudget { .. })));
    }

    #[test]
    fn budgets_are_held() {
        let ok = check(&client(vec![lookup(2, 32)])).unwrap();
        assert!(ok.total.0 < -40.0 && ok.worst_output.0 == f64::NEG_INFINITY);
        assert!(matches!(check(&client(vec![lookup(0, 64)])), Err(Error::OverBudget { .. })));
        let per_lookup = Client {
            p_error_log2: None,
            p_error_per_lookup_log2: Some(-40.0),
            ..client(vec![lookup(2, 32), lookup(0, 64)])
        };
        assert!(matches!(check(&per_lookup), Err(Error::LookupOverBudget { .. })));
    }

    #[test]
    fn silence_is_refused() {
        assert_eq!(check(&client(vec![])), Err(Error::Missing { what: "failure events" }));
        let mut without = client(vec![lookup(2, 32)]);
        without.p_error_log2 = None;
        assert_eq!(check(&without), Err(Error::Missing { what: "failure budget" }));
        without.p_error_log2 = Some(f64::NAN);
        assert!(matches!(check(&without), Err(Error::OverBudget { .. })));
        let event = Event { norm2_squared_inputs: f64::NAN, ..lookup(2, 32) };
        assert!(matches!(check(&client(vec![event])), Err(Error::BadEvent { .. })));
        assert!(matches!(check(&client(vec![lookup(77, 32)])), Err(Error::BadEvent { .. })));
    }
}
