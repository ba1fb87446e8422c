//! The ledger of a design: what can fail, how often, and what it costs.

use super::Budget;
use super::ring::{KeySet, Ring, Room};
use cml_runtime::parameters::failure;
use cml_runtime::units::{Log2Probability, Variance};

/// Phases that are read alike, or decrypted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// The group that they are a stage of; `None` for outputs.
    pub(super) group: Option<usize>,
    pub(super) count: f64,
    pub(super) room: Room,
    /// Factor on the variance of fresh encryptions.
    pub(super) fresh: f64,
    /// For each key set the factor on the variance of its results.
    pub(super) results: Vec<f64>,
    pub(super) set: usize,
    pub(super) extension: i32,
}

impl Event {
    /// Variance before the keyswitch.
    pub(super) fn arriving(&self, ring: &Ring, sets: &[KeySet]) -> f64 {
        let results = self.results.iter().zip(sets);
        self.fresh * ring.fresh + results.map(|(factor, set)| factor * set.variance(ring)).sum::<f64>()
    }

    /// log2 of the probability of one.
    pub(super) fn probability(&self, ring: &Ring, sets: &[KeySet]) -> f64 {
        let arriving = self.arriving(ring, sets);
        if self.group.is_none() {
            return failure::outside(self.room.half, Variance(arriving)).0;
        }
        let set = &sets[self.set];
        let room = self.room.at(&ring.heads[set.head], self.extension);
        failure::outside(room, Variance(arriving + set.added(ring, self.extension))).0
    }

    /// Nanoseconds of all.
    pub(super) fn nanoseconds(&self, ring: &Ring, sets: &[KeySet]) -> f64 {
        if self.group.is_none() {
            return 0.0;
        }
        self.count * sets[self.set].nanoseconds(ring, self.room.tables, self.extension)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Account {
    pub(super) groups: usize,
    /// Stages in the order of the groups, then outputs.
    pub(super) events: Vec<Event>,
}

impl Account {
    /// log2 of the probabilities of one lookup of each group, and of one element of each output.
    pub(super) fn probabilities(
        &self,
        ring: &Ring,
        sets: &[KeySet],
    ) -> (Vec<Log2Probability>, Vec<Log2Probability>) {
        let mut groups = vec![Vec::new(); self.groups];
        let mut outputs = Vec::new();
        for event in &self.events {
            let probability = Log2Probability(event.probability(ring, sets));
            match event.group {
                Some(group) => groups[group].push(probability),
                None => outputs.push(probability),
            }
        }
        (groups.into_iter().map(Log2Probability::sum).collect(), outputs)
    }

    /// log2 of the sum over all events of one inference.
    pub(super) fn total(&self, ring: &Ring, sets: &[KeySet]) -> f64 {
        let all = self.events.iter().map(|event| event.probability(ring, sets) + event.count.log2());
        Log2Probability::sum(all.map(Log2Probability)).0
    }

    /// Whether the true sums keep the budget.
    pub(super) fn keeps(&self, budget: Budget, ring: &Ring, sets: &[KeySet]) -> bool {
        // Sums with linear probabilities relative to the budget: cheap, and nothing underflows that matters.
        let (mut all, mut lookups) = (0.0, vec![0.0; self.groups]);
        for event in &self.events {
            let probability = event.probability(ring, sets);
            if let Some(budget) = budget.inference {
                all += event.count * (probability - budget.0).exp2();
            }
            if let Some(budget) = budget.per_lookup {
                let share = (probability - budget.0).exp2();
                match event.group {
                    Some(group) => lookups[group] += share,
                    None if share > 1.0 => return false,
                    None => {}
                }
            }
            if all > 1.0 {
                return false;
            }
        }
        lookups.iter().all(|share| *share <= 1.0)
    }

    /// For each group the nanoseconds of all its lookups.
    pub(super) fn group_nanoseconds(&self, ring: &Ring, sets: &[KeySet]) -> Vec<f64> {
        let mut groups = vec![0.0; self.groups];
        for event in &self.events {
            if let Some(group) = event.group {
                groups[group] += event.nanoseconds(ring, sets);
            }
        }
        groups
    }

    /// Nanoseconds of all lookups.
    pub(super) fn nanoseconds(&self, ring: &Ring, sets: &[KeySet]) -> f64 {
        self.events.iter().map(|event| event.nanoseconds(ring, sets)).sum()
    }
}
