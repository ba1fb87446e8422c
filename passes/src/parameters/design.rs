//! A complete answer: key sets, spacings, and for each group a form with keys and extensions.

use super::account::{Account, Event};
use super::choose::Choice;
use super::plan::{Candidate, Plan};
use super::ring::{KeySet, Ring, Room};
use super::{Chosen, Machine, Solution};
use cml_runtime::machine::Wave;
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{Log2Probability, Spacing, tables_of_rotation};

/// Share of the time that a byte of the keys is worth, counted in words of 64 bits: 10 % for 100 MB.
const KEY_BYTE: f64 = 1e-9;

/// Share of the time that a key set must save, for it takes a second to make.
const KEY_SET: f64 = 0.03;

/// A form with its stages' keys.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pick {
    /// Index among the candidates at the spacing of the class.
    pub(super) candidate: usize,
    /// For each stage key set and extension.
    pub(super) stages: Vec<(usize, i32)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Design {
    pub(super) sets: Vec<KeySet>,
    /// For each class the number of its spacing.
    pub(super) spacings: Vec<usize>,
    pub(super) picks: Vec<Pick>,
}

impl Design {
    /// With forms chosen for given sets.
    pub(super) fn new(sets: &[KeySet], choice: &Choice) -> Self {
        let pick = |pick: &super::choose::Pick| Pick {
            candidate: pick.candidate,
            stages: pick.ways.iter().map(|way| (way.key, way.extension)).collect(),
        };
        let picks = choice.picks.iter().map(|one| pick(one)).collect();
        let mut design = Self { sets: sets.to_vec(), spacings: choice.spacings.clone(), picks };
        design.drop_unused();
        design
    }

    /// Drops sets that no stage has.
    fn drop_unused(&mut self) {
        let used = |set: usize| self.picks.iter().flat_map(|pick| &pick.stages).any(|stage| stage.0 == set);
        let mut names = vec![0; self.sets.len()];
        let mut kept = Vec::new();
        for (set, name) in names.iter_mut().enumerate() {
            *name = kept.len();
            if used(set) {
                kept.push(self.sets[set]);
            }
        }
        // A program without lookups has keys all the same.
        if kept.is_empty() {
            kept.extend(self.sets.first().copied());
        }
        for stage in self.picks.iter_mut().flat_map(|pick| &mut pick.stages) {
            stage.0 = names[stage.0];
        }
        self.sets = kept;
    }

    pub(super) fn candidate<'p>(&self, plan: &'p Plan, group: usize) -> &'p Candidate {
        let choices = &plan.groups[group];
        let spacing = self.spacings[plan.reads[group]].min(choices.len() - 1);
        &choices[spacing][self.picks[group].candidate]
    }

    /// Slots of a class's spacing.
    pub(super) fn slots(&self, plan: &Plan, class: usize) -> u64 {
        let alone = (0..plan.groups.len()).find(|group| plan.reads[*group] == class);
        match alone.filter(|_| plan.slots[class].is_empty()) {
            Some(group) => self.candidate(plan, group).slots,
            None => plan.class_slots(class, self.spacings[class]),
        }
    }

    /// The events of its ledger.
    pub(super) fn account(&self, plan: &Plan) -> Account {
        let problem = plan.problem;
        let sets = self.sets.len();
        // For each list, for each set the factor on the variance of its results; the inputs are fresh.
        let mut lists: Vec<Vec<f64>> = vec![vec![0.0; sets]; problem.inputs];
        let mut events = Vec::new();
        for (number, group) in problem.groups.iter().enumerate() {
            let (candidate, pick) = (self.candidate(plan, number), &self.picks[number]);
            let fresh = group.reading.largest(|list| f64::from(u8::from(list < problem.inputs)));
            let arriving = |set: usize| group.reading.largest(|list| lists[list][set]);
            let arriving: Vec<f64> = (0..sets).map(arriving).collect();
            for (read, (set, extension)) in candidate.stages.iter().zip(&pick.stages) {
                let mut results: Vec<f64> = arriving.iter().map(|norm| norm * read.input).collect();
                for (stage, factor) in &read.stages {
                    results[pick.stages[*stage].0] += factor;
                }
                events.push(Event {
                    group: Some(number),
                    count: f64::from(group.reading.count),
                    room: read.room,
                    fresh: fresh * read.input,
                    results,
                    set: *set,
                    extension: *extension,
                });
            }
            let mut own = vec![0.0; sets];
            for (stage, factor) in &candidate.result {
                own[pick.stages[*stage].0] += factor;
            }
            lists.push(own);
        }
        for (number, output) in problem.outputs.iter().enumerate() {
            let half = plan.output_room(number, |class| self.spacings[class]);
            events.push(Event {
                group: None,
                count: f64::from(output.reading.count),
                room: Room { half, compares: false, tables: 0 },
                fresh: output.reading.largest(|list| f64::from(u8::from(list < problem.inputs))),
                results: (0..sets).map(|set| output.reading.largest(|list| lists[list][set])).collect(),
                set: 0,
                extension: 0,
            });
        }
        Account { groups: problem.groups.len(), events }
    }

    /// Takes extensions from an account of this design.
    pub(super) fn take_extensions(&mut self, account: &Account) {
        let stages = self.picks.iter_mut().flat_map(|pick| &mut pick.stages);
        for (stage, event) in stages.zip(&account.events) {
            stage.1 = event.extension;
        }
    }

    /// What it costs in all: a time, and what its keys are worth.
    pub(super) fn price(&self, time: f64, ring: &Ring) -> f64 {
        time * keys_price(self.sets.iter().map(|set| set.key_bytes(ring)))
    }

    pub(super) fn solution(&self, plan: &Plan, ring: &Ring, machine: &Machine) -> Solution {
        let account = self.account(plan);
        let (groups, outputs) = account.probabilities(ring, &self.sets);
        let nanoseconds = account.group_nanoseconds(ring, &self.sets);
        let seconds = |nanoseconds: f64| nanoseconds * 1e-9 / f64::from(machine.threads);
        let chosen = |group: usize| {
            let candidate = self.candidate(plan, group);
            let mut form = candidate.form.clone();
            for (stage, (set, extension)) in form.stages.iter_mut().zip(&self.picks[group].stages) {
                (stage.key, stage.extension) = (*set as u32, *extension);
            }
            let spacing = Spacing(Spacing::of_slots(candidate.slots).0 * candidate.multiple);
            Chosen { form, spacing, probability: groups[group], seconds: seconds(nanoseconds[group]) }
        };
        Solution {
            key_sets: self.sets.iter().map(|set| set.parameters(ring)).collect(),
            spacings: plan.classes.iter().map(|class| Spacing::of_slots(self.slots(plan, *class))).collect(),
            groups: (0..plan.groups.len()).map(chosen).collect(),
            outputs,
            total: Log2Probability(account.total(ring, &self.sets)),
            seconds: seconds(nanoseconds.iter().sum()),
            price: self.wave_price(plan, ring, machine),
        }
    }

    /// What it costs as the server runs it, in waves of bootstraps whose batches may not fill: seconds, and what its keys are
    /// worth.
    pub(super) fn wave_price(&self, plan: &Plan, ring: &Ring, machine: &Machine) -> f64 {
        let problem = plan.problem;
        let mut waves: Vec<Wave> = Vec::new();
        // For each list the number of the wave after which it is there.
        let mut depths = vec![0; problem.inputs];
        for (number, group) in problem.groups.iter().enumerate() {
            let first = group.reading.lists().iter().map(|list| depths[*list]).max().unwrap_or(0);
            let (candidate, pick) = (self.candidate(plan, number), &self.picks[number]);
            // The stages of a chain follow each other.
            let stages = candidate.stages.iter().zip(&pick.stages);
            for (wave, (read, (set, extension))) in (first..).zip(stages) {
                waves.resize_with(waves.len().max(wave + 1), Wave::default);
                let (set, count) = (*set as u32, group.reading.count as usize);
                let rotations = (read.room.tables as usize).div_ceil(tables_of_rotation(*extension));
                *waves[wave].keyswitches.entry(set).or_default() += count;
                *waves[wave].rotations.entry((set, *extension)).or_default() += count * rotations;
            }
            depths.push(first + candidate.stages.len());
        }
        let sets: Vec<ParameterSet> = self.sets.iter().map(|set| set.parameters(ring)).collect();
        // A ring has no shape that the machine lacks.
        let seconds = waves.iter().map(|wave| machine.wave_seconds(&sets, wave).unwrap_or(f64::INFINITY));
        self.price(seconds.sum(), ring)
    }
}

/// The factor by which keys of these sizes make a program dearer.
pub(super) fn keys_price(bytes: impl Iterator<Item = f64>) -> f64 {
    1.0 + bytes.map(|bytes| KEY_SET + KEY_BYTE * bytes).sum::<f64>()
}
