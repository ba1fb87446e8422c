//! What the search may choose from: for each class of lists its spacings, for each group its forms at each of them.

use super::ring::Room;
use super::{Group, Options, Problem};
use crate::lookups::{Candidates, Form, Kind, Profile};
use cml_runtime::units::Spacing;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A spacing of half the torus is no signed 64-bit number.
const LEAST_SLOTS: u64 = 2;

/// Most spacings of a class with several readers that are looked at.
const MAX_SPACINGS: usize = 7;

/// What a stage asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    pub(super) room: Room,
    pub(super) log2_half_room: f64,
    /// Factor on the variance of the lookup's input at the spacing of its lists.
    pub(super) input: f64,
    pub(super) log2_input: f64,
    /// Earlier stages whose results are read, with the factor on their variance.
    pub(super) stages: Vec<(usize, f64)>,
    /// Whether its noise is in the result of the lookup.
    pub(super) in_result: bool,
}

/// A form at a spacing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) form: Form,
    /// Spacing of the lists that it reads, as slots in half the torus.
    pub(super) slots: u64,
    /// At how many times that spacing its input is read.
    pub(super) multiple: u64,
    pub(super) stages: Vec<Read>,
    /// Stages whose noise is in the result, with the factor on their variance.
    pub(super) result: Vec<(usize, f64)>,
}

impl Candidate {
    fn new(form: Form, slots: u64) -> Self {
        let multiple = (slots / form.slots.max(LEAST_SLOTS)).max(1);
        let spacing = Spacing(Spacing::of_slots(slots).0 * multiple);
        let result = form.result();
        let factor = (multiple as f64).powi(2);
        let read = |(number, demand): (usize, crate::lookups::StageDemand)| {
            let half = (demand.tolerance as f64 + 0.5) * demand.spacing(spacing).torus();
            let input = demand.input * factor;
            Read {
                room: Room { half, compares: form.compares(), tables: demand.tables },
                log2_half_room: half.log2(),
                input,
                log2_input: input.log2(),
                in_result: result.iter().any(|(stage, _)| *stage == number),
                stages: demand.stages,
            }
        };
        let stages = form.stages().into_iter().enumerate().map(read).collect();
        Self { form, slots, multiple, stages, result }
    }
}

/// Choices of one group: for each spacing of the class that it reads its forms.
pub(super) type Choices = Vec<Vec<Candidate>>;

/// Everything there is to choose from.
pub(super) struct Plan<'a> {
    pub(super) problem: &'a Problem,
    /// For each list the class that it is in.
    pub(super) classes: Vec<usize>,
    /// For each class the slots to choose from; empty where one group alone reads it, each of whose forms has slots of its own.
    pub(super) slots: Vec<Vec<u64>>,
    /// For each group the class that it reads.
    pub(super) reads: Vec<usize>,
    /// For each group its forms.
    pub(super) groups: Vec<Choices>,
    /// For each output the class that it reads, if any.
    pub(super) outputs: Vec<Option<usize>>,
}

/// Half-torus slots beyond which no reading of a whole table keeps any budget.
const WIDEST_TABLE: u64 = 1 << 13;

/// Room that a form may want beyond the range of its input.
fn with_room(profile: &Profile) -> u64 {
    profile.range.saturating_add(profile.range / 2).saturating_add(16)
}

/// Slots at the multiple of a spacing at which a value is read: so many times, that it has the room that a form may want.
fn available(profile: &Profile, slots: u64) -> u64 {
    let multiple = slots.div_ceil(with_room(profile));
    Some(slots / multiple.max(1))
        .filter(|slots| *slots >= profile.range)
        .unwrap_or_else(|| slots.min(with_room(profile)))
}

/// Where the forms of a group come from.
enum Offer {
    Tables(Candidates),
    /// Comparisons, that need so many slots.
    Comparisons(u64),
}

impl Offer {
    fn of(group: &Group) -> Self {
        let tables = || Self::Tables(Candidates::new(&group.profile));
        group.compares.map_or_else(tables, Self::Comparisons)
    }

    /// What the search may use, with at most so many slots.
    fn within(&mut self, profile: &Profile, available: u64, options: Options) -> Vec<Form> {
        match self {
            Self::Tables(candidates) => offered(candidates, profile, available, options),
            Self::Comparisons(slots) => {
                Some(Form::compare(*slots)).filter(|form| form.slots <= available).into_iter().collect()
            }
        }
    }
}

/// What the search may use for a profile, with at most so many slots.
fn offered(candidates: &mut Candidates, profile: &Profile, available: u64, options: Options) -> Vec<Form> {
    let mut forms = candidates.within(available);
    forms.retain(|form| options.chains || form.stages.len() == 1);
    let approximate = approximate(profile, options).filter(|form| form.slots <= available);
    if let Some(form) = approximate {
        // The same reading is never dearer for being off.
        forms.retain(|form| form.stages.len() > 1);
        forms.insert(0, form);
    }
    forms
}

/// A table of more than so many bits, read as well as one that has no more.
fn approximate(profile: &Profile, options: Options) -> Option<Form> {
    let step = profile.range.div_ceil(1 << options.approximate?);
    let tolerance = Some(step / 2).filter(|tolerance| *tolerance > 0)?;
    Form::new(profile, &[Kind::Approximate { tolerance }])
}

impl<'a> Plan<'a> {
    pub(super) fn new(problem: &'a Problem, options: Options) -> Self {
        let classes = problem.classes();
        let class_of = |reading: &super::Reading| reading.lists().first().map(|list| classes[*list]);
        let reads: Vec<usize> =
            problem.groups.iter().map(|group| class_of(&group.reading).unwrap_or(0)).collect();
        let outputs: Vec<Option<usize>> =
            problem.outputs.iter().map(|output| class_of(&output.reading)).collect();
        let mut offers: Vec<Offer> = problem.groups.par_iter().map(Offer::of).collect();
        let roomy = |(group, offer): (&Group, &mut Offer)| {
            offer.within(&group.profile, with_room(&group.profile), options)
        };
        let forms: Vec<Vec<Form>> = problem.groups.par_iter().zip(&mut offers).map(roomy).collect();
        let alone = |class: usize| {
            let readers = reads.iter().filter(|read| **read == class).count();
            readers == 1 && !outputs.contains(&Some(class))
        };
        let of_class = |class: usize| {
            let readers = (0..reads.len()).filter(|group| reads[*group] == class);
            let readers = readers.map(|group| (&problem.groups[group].profile, &forms[group][..]));
            let decrypted = problem.outputs.iter().zip(&outputs).filter(|(_, read)| **read == Some(class));
            let decrypted = decrypted.map(|(output, _)| output.slots).max().unwrap_or(0).max(LEAST_SLOTS);
            if alone(class) { Vec::new() } else { spacings(readers, decrypted) }
        };
        let slots: Vec<Vec<u64>> = (0..classes.len()).map(of_class).collect();
        let choices = |(group, offer): (usize, &mut Offer)| {
            let own = |form: &Form| Candidate::new(form.clone(), form.slots.max(LEAST_SLOTS));
            if alone(reads[group]) {
                return vec![forms[group].iter().map(own).collect()];
            }
            let profile = &problem.groups[group].profile;
            let mut known: BTreeMap<u64, Vec<Form>> = BTreeMap::new();
            let at = |slots: &u64| {
                let available = available(profile, *slots);
                let found =
                    known.entry(available).or_insert_with(|| offer.within(profile, available, options));
                found.iter().map(|form| Candidate::new(form.clone(), *slots)).collect()
            };
            slots[reads[group]].iter().map(at).collect()
        };
        let groups = offers.par_iter_mut().enumerate().map(choices).collect();
        Self { problem, classes, slots, reads, groups, outputs }
    }

    /// Whether several tables are read at one phase in some form.
    pub(super) fn may_share(&self) -> bool {
        let candidates = self.groups.iter().flatten().flatten();
        candidates.flat_map(|candidate| &candidate.stages).any(|read| read.room.tables > 1)
    }

    /// The most phases that a form has.
    pub(super) fn most_phases(&self) -> usize {
        let candidates = self.groups.iter().flatten().flatten();
        candidates.map(|candidate| candidate.stages.len()).max().unwrap_or(1)
    }

    /// Slots of a class by the number of its choice; those of a class that one group reads depend on the form.
    pub(super) fn class_slots(&self, class: usize, choice: usize) -> u64 {
        self.slots[class].get(choice).copied().unwrap_or(LEAST_SLOTS)
    }

    /// Room for the noise of an output, where each class has the spacing of this number.
    pub(super) fn output_room(&self, output: usize, choice: impl Fn(usize) -> usize) -> f64 {
        let slots = match self.outputs[output] {
            Some(class) => self.class_slots(class, choice(class)),
            None => self.problem.outputs[output].slots,
        };
        Spacing::of_slots(slots).torus() / 2.0
    }
}

/// Slots for lists with several readers: as many as the widest needs, and what forms of any of them would want. Readers are
/// given with their forms at all the room that they may want.
fn spacings<'f>(readers: impl Iterator<Item = (&'f Profile, &'f [Form])>, decrypted: u64) -> Vec<u64> {
    let mut wanted: Vec<u64> = Vec::new();
    let (mut least, mut least_of_chains, mut most) = (decrypted, decrypted, decrypted);
    for (profile, forms) in readers {
        let slots = |form: &Form| form.slots;
        let narrowest = forms.iter().map(slots).min().unwrap_or(0);
        let chains = forms.iter().filter(|form| form.stages.len() > 1);
        least = least.max(narrowest);
        // A table without padding takes half the slots of its range, a chain all of them.
        least_of_chains = least_of_chains.max(chains.map(slots).min().unwrap_or(narrowest));
        most = most.max(with_room(profile));
        wanted.extend(forms.iter().map(slots));
    }
    if least > WIDEST_TABLE {
        least = least.max(least_of_chains);
    }
    let multiples = |slots: u64| [least.div_ceil(slots.max(1)) * slots, slots];
    let mut found: Vec<u64> = wanted.into_iter().flat_map(multiples).collect();
    found.retain(|slots| (least..=most).contains(slots));
    found.sort_unstable();
    found.dedup();
    // Evenly over all that there are.
    let stride = found.len().div_ceil(MAX_SPACINGS).max(1);
    let mut chosen: Vec<u64> =
        found.into_iter().step_by(stride).chain([least, least_of_chains.max(least)]).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}
