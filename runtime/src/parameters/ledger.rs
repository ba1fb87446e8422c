//! The failure ledger: every event that can make one inference wrong, with its probability.
//!
//! An event is one error at one modulus-switched phase, or at one decrypted output. A phase is read wrongly when its
//! noise reaches half a slot, less the half position that a boundary between two slots may be off the grid.

use super::{Error, failure, noise};
use crate::program::message::{Client, Event, ParameterSet};
use crate::units::{Log2Probability, Spacing, Variance};

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
    /// Security of the weaker key, bits.
    pub security_bits: f64,
    /// Failure of one inference.
    pub total: Log2Probability,
    /// The worst single lookup; minus infinity where there is none.
    pub worst_lookup: Log2Probability,
    /// The worst single decrypted output; minus infinity where there is none.
    pub worst_output: Log2Probability,
}

/// Assesses one kind of events.
///
/// # Errors
/// [`Error::BadEvent`] for numbers that no program of ours has.
pub fn assess(event: &Event, set: &ParameterSet) -> Result<Assessment, Error> {
    let bad = |name, found: String| Error::BadEvent { node: event.node.clone(), name, found };
    for (name, norm) in [
        ("norm2_squared_inputs", event.norm2_squared_inputs),
        ("norm2_squared_bootstraps", event.norm2_squared_bootstraps),
    ] {
        if !norm.is_finite() || norm < 0.0 {
            return Err(bad(name, norm.to_string()));
        }
    }
    if event.spacing == 0 {
        return Err(bad("spacing", "0".to_owned()));
    }
    let arriving = noise::linear_combination(event.norm2_squared_inputs, set.fresh_variance())
        + noise::linear_combination(event.norm2_squared_bootstraps, set.bootstrap_variance());
    let half_slot = Spacing(event.spacing).torus() / 2.0;
    let (variance, tolerance) = match event.extension {
        None => (arriving, half_slot),
        Some(extension) if extension > ParameterSet::LARGEST_EXTENSION => {
            return Err(bad("extension", extension.to_string()));
        }
        Some(extension) => (
            arriving + set.keyswitch_variance() + set.modulus_switch_variance(extension),
            half_slot - half_position(set, extension),
        ),
    };
    let probability = failure::outside(tolerance, variance);
    let all = Log2Probability(probability.0 + f64::from(event.count).log2());
    Ok(Assessment { variance, tolerance, probability, all })
}

/// Half the torus distance of two neighbouring positions of a bootstrap.
#[must_use]
pub fn half_position(set: &ParameterSet, extension: u32) -> f64 {
    (-f64::from(set.log2_positions(extension)) - 1.0).exp2()
}

/// Sums over all events.
///
/// # Errors
/// As [`assess`].
pub fn summarize(events: &[Event], set: &ParameterSet) -> Result<Summary, Error> {
    let assessments = events.iter().map(|event| assess(event, set)).collect::<Result<Vec<_>, _>>()?;
    let worst = |lookups: bool| {
        let of_kind = |event: &Event| event.count > 0 && event.extension.is_some() == lookups;
        let pairs = events.iter().zip(&assessments).filter(|(event, _)| of_kind(event));
        Log2Probability(pairs.map(|(_, found)| found.probability.0).fold(f64::NEG_INFINITY, f64::max))
    };
    Ok(Summary {
        security_bits: set.security_bits(),
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
    let set = client.parameters.as_ref().ok_or(Error::Missing { what: "parameters" })?;
    set.check()?;
    set.check_security()?;
    if client.events.iter().all(|event| event.count == 0) {
        return Err(Error::Missing { what: "failure events" });
    }
    if client.p_error_log2.is_none() && client.p_error_per_lookup_log2.is_none() {
        return Err(Error::Missing { what: "failure budget" });
    }
    let summary = summarize(&client.events, set)?;
    if let Some(budget) = client.p_error_log2
        && !within(summary.total, budget)
    {
        return Err(Error::OverBudget { found: summary.total.0, budget });
    }
    if let Some(budget) = client.p_error_per_lookup_log2 {
        for event in client.events.iter().filter(|event| event.count > 0) {
            let found = assess(event, set)?.probability;
            if !within(found, budget) {
                return Err(Error::LookupOverBudget { node: event.node.clone(), found: found.0, budget });
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

    fn lookup(extension: u32, slots: u64) -> Event {
        Event {
            node: "Relu_0".to_owned(),
            count: 8,
            norm2_squared_bootstraps: 64.0,
            extension: Some(extension),
            spacing: Spacing::of_slots(slots).0,
            ..Event::default()
        }
    }

    fn client(events: Vec<Event>) -> Client {
        Client { parameters: Some(wide()), events, p_error_log2: Some(-40.0), ..Client::default() }
    }

    #[test]
    fn an_event_adds_up_its_noise() {
        let set = wide();
        let found = assess(&lookup(2, 32), &set).unwrap();
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
        let found = assess(&event, &set).unwrap();
        assert_eq!(found.variance, set.fresh_variance() * 4.0);
        assert_eq!(found.tolerance, 1.0 / 32.0);
    }

    #[test]
    fn more_accumulators_fail_less() {
        let set = wide();
        let found: Vec<f64> = (0..4).map(|v| assess(&lookup(v, 64), &set).unwrap().probability.0).collect();
        assert!(found.windows(2).all(|pair| pair[1] < pair[0]), "{found:?}");
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
