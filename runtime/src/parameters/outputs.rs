//! How results are returned: switched to a small key and rounded, so that a ciphertext has some 1.2 kB in place of 16.
//!
//! A result under the big key has `k * N` words of 64 bits, of which decryption needs a dozen bits each. The server may
//! switch it to the small key of a set, with the keys that the set's bootstraps use anyway, and round it. Both add noise,
//! which is part of the output's event. No key is sent for this alone: a key that packs several results into one GLWE
//! ciphertext would have 33 MB for each level, and saves nothing below three results.

use super::events::events;
use super::{Error, ledger, noise, packed_bytes};
use crate::program::Invalid;
use crate::program::message::{Event, ParameterSet, Returned, Server};
use crate::units::{LweDimension, Variance};

/// Least and most bits that a stored element may have.
const BITS: std::ops::RangeInclusive<u32> = 6..=40;

/// Bits of an element of a ciphertext that is not rounded.
const WORD: u32 = 64;

/// Dimension of a returned ciphertext.
#[must_use]
pub fn dimension(returned: Option<&Returned>, sets: &[ParameterSet]) -> LweDimension {
    match returned.and_then(|returned| returned.key).and_then(|key| sets.get(key as usize)) {
        Some(set) => set.small_dimension(),
        None => sets.first().map_or(LweDimension(0), ParameterSet::big_dimension),
    }
}

/// Bits of each element of a returned ciphertext.
#[must_use]
pub fn stored_bits(returned: Option<&Returned>) -> u32 {
    returned.map_or(WORD, |returned| returned.log2_modulus)
}

/// Bytes of that many returned ciphertexts: mask and body of each, bit by bit.
#[must_use]
pub fn bytes(count: usize, returned: Option<&Returned>, sets: &[ParameterSet]) -> u64 {
    let elements = count as u64 * (dimension(returned, sets).0 as u64 + 1);
    packed_bytes(elements, stored_bits(returned))
}

/// What keyswitch and rounding add to the noise of a result.
#[must_use]
pub fn added_variance(returned: Option<&Returned>, sets: &[ParameterSet]) -> Variance {
    let Some(found) = returned else { return Variance(0.0) };
    let set = found.key.and_then(|key| sets.get(key as usize));
    let keyswitch = set.map_or(Variance(0.0), ParameterSet::keyswitch_variance);
    let mask = noise::centered_modulus_switch(dimension(returned, sets), found.log2_modulus);
    keyswitch + mask + noise::dropped(WORD.saturating_sub(found.log2_modulus))
}

/// Whether these sets can return a result like this.
///
/// # Errors
/// What is wrong.
pub(crate) fn check(returned: &Returned, key_sets: usize) -> Result<(), &'static str> {
    if !BITS.contains(&returned.log2_modulus) {
        return Err("it is returned with a number of bits that makes no sense");
    }
    if returned.key.is_some_and(|key| key as usize >= key_sets) {
        return Err("it is returned under a key set that does not exist");
    }
    Ok(())
}

/// Chooses the smallest form for each output that keeps the budgets (log2): the outputs together may take half of what the
/// other events leave of the budget of an inference, each of them the same share.
///
/// # Errors
/// [`Invalid`] for a server that [`events`] refuses.
pub fn choose(server: &mut Server, p_error: Option<f64>, per_lookup: Option<f64>) -> Result<(), Invalid> {
    server.outputs.iter_mut().for_each(|port| port.returned = None);
    let events = events(server)?;
    let sets = &server.parameters;
    let (outputs, others): (Vec<&Event>, Vec<&Event>) =
        events.iter().partition(|event| event.extension.is_none());
    let spent = ledger::summarize(&others.into_iter().cloned().collect::<Vec<_>>(), sets)?.total;
    let left = p_error.map_or(1.0, |budget| (budget.exp2() - spent.0.exp2()) / 2.0);
    let share = (left / outputs.len().max(1) as f64).log2();
    let choices: Vec<Option<Returned>> = outputs
        .iter()
        .map(|event| smallest(event, sets, share, per_lookup.unwrap_or(0.0)))
        .collect::<Result<_, _>>()?;
    server.outputs.iter_mut().zip(choices).for_each(|(port, choice)| port.returned = choice);
    Ok(())
}

/// The form of fewest bytes with which all results of an output fail with at most `share`, and each with `single` (log2);
/// `None` where none does.
fn smallest(
    event: &Event,
    sets: &[ParameterSet],
    share: f64,
    single: f64,
) -> Result<Option<Returned>, Error> {
    let keys = (0..sets.len() as u32).map(Some).chain([None]);
    let mut best: Option<(u64, Returned)> = None;
    for key in keys {
        for log2_modulus in BITS {
            let returned = Returned { key, log2_modulus };
            let size = bytes(1, Some(&returned), sets);
            if best.as_ref().is_some_and(|(smallest, _)| size >= *smallest) {
                break;
            }
            let event = Event { returned: Some(returned), ..event.clone() };
            let found = ledger::assess(&event, sets)?;
            if found.all.0 <= share && found.probability.0 <= single {
                best = Some((size, returned));
                break;
            }
        }
    }
    Ok(best.map(|(_, returned)| returned))
}

#[cfg(test)]
mod tests {
    use super::super::set::tests::wide;
    use super::*;
    use crate::program::message::EncryptedPort;
    use crate::units::Spacing;

    /// A set with a fine keyswitch.
    fn fine() -> ParameterSet {
        ParameterSet { ks_base_log: 2, ks_level: 9, ..wide() }
    }

    /// Inputs that are returned as they are.
    fn server(slots: u64) -> Server {
        let port = EncryptedPort {
            name: "x".to_owned(),
            shape: vec![2],
            spacing: Spacing::of_slots(slots).0,
            lo: vec![0; 2],
            hi: vec![1; 2],
            ..EncryptedPort::default()
        };
        let [inputs, outputs] = [vec![port.clone()], vec![port]];
        Server { parameters: vec![fine()], inputs, outputs, output_values: vec![0], ..Server::default() }
    }

    fn chosen(slots: u64, p_error: Option<f64>, per_lookup: Option<f64>) -> Option<Returned> {
        let mut server = server(slots);
        choose(&mut server, p_error, per_lookup).unwrap();
        let after = ledger::summarize(&events(&server).unwrap(), &server.parameters).unwrap();
        assert!(p_error.is_none_or(|budget| after.total.0 <= budget));
        assert!(per_lookup.is_none_or(|budget| after.worst_output.0 <= budget));
        server.outputs[0].returned
    }

    #[test]
    fn narrow_results_come_under_a_small_key_with_few_bits() {
        let returned = chosen(64, Some(-40.0), None).unwrap();
        assert_eq!(returned.key, Some(0));
        assert!(bytes(2, Some(&returned), &[fine()]) < 5000, "{returned:?}");
        assert_eq!(chosen(64, None, Some(-41.0)), Some(returned));
    }

    #[test]
    fn wide_results_stay_under_the_big_key() {
        let returned = chosen(1 << 14, Some(-40.0), None).unwrap();
        assert_eq!(returned.key, None);
        assert!((15..30).contains(&returned.log2_modulus));
        assert_eq!(bytes(3, None, &[fine()]), 3 * 8 * 2049);
    }

    #[test]
    fn more_is_stored_where_less_may_fail() {
        let size = |budget| bytes(1, chosen(64, Some(budget), None).as_ref(), &[fine()]);
        assert!(size(-20.0) < size(-200.0));
    }

    #[test]
    fn nothing_is_rounded_where_the_budget_is_spent() {
        assert_eq!(chosen(1 << 40, Some(0.0), None).map(|returned| returned.key), None);
    }

    #[test]
    fn forms_that_make_no_sense_are_refused() {
        assert!(check(&Returned { key: Some(1), log2_modulus: 12 }, 1).is_err());
        assert!(check(&Returned { key: None, log2_modulus: 64 }, 1).is_err());
        assert!(check(&Returned { key: Some(0), log2_modulus: 12 }, 1).is_ok());
    }
}
