//! Which term of each class to emit.
//!
//! A value that is used twice is computed once, so the cost is that of the graph, not of the tree. The search starts from the
//! program as it was and from the cheapest trees, and improves both step by step: another term for one class, or all the best
//! without one class. It returns only what is cheaper than the program as it was. Classes and terms are tried in one order, and
//! the number of tries is bounded.

use super::cost::{self, Cost};
use super::facts::{self, EGraph};
use super::language::Term;
use super::program::Program;
use egg::{Id, Language};
use std::collections::BTreeMap;

/// Most graphs whose cost is computed.
const MAX_TRIES: usize = 20_000;

/// The terms to emit, each after those that it uses.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) terms: Vec<(Id, Term)>,
}

struct Candidate {
    term: Term,
    cost: Cost,
    inputs: Vec<usize>,
}

/// The classes of values, with their terms; those of the program come first.
pub(crate) struct Space {
    ids: Vec<Id>,
    candidates: Vec<Vec<Candidate>>,
    roots: Vec<usize>,
    /// For each class the candidate that the program uses.
    program: Vec<Option<usize>>,
}

/// For each class the number of a candidate.
type Choice = Vec<Option<usize>>;

impl Space {
    /// All that can be emitted.
    pub(crate) fn of(program: &Program) -> Option<Self> {
        let egraph = &program.egraph;
        let mut ids: Vec<Id> =
            egraph.classes().map(|class| class.id).filter(|id| facts::value(egraph, *id).is_some()).collect();
        ids.sort_unstable();
        let numbers: BTreeMap<Id, usize> = ids.iter().enumerate().map(|(number, id)| (*id, number)).collect();
        let canonical = |term: &Term| term.clone().map_children(|id| egraph.find(id));
        let mut ranks: BTreeMap<Term, usize> = BTreeMap::new();
        for (rank, (term, _)) in program.originals.iter().enumerate() {
            ranks.entry(canonical(term)).or_insert(rank);
        }
        let mut candidates = Vec::new();
        for id in &ids {
            candidates.push(Self::candidates(egraph, *id, &numbers, &ranks));
        }
        let mut original = vec![None; ids.len()];
        for (term, id) in &program.originals {
            let class = *numbers.get(&egraph.find(*id))?;
            let term = canonical(term);
            let place = candidates[class].iter().position(|candidate: &Candidate| candidate.term == term);
            original[class] = original[class].or(place);
        }
        let roots =
            program.roots.iter().map(|id| numbers.get(&egraph.find(*id)).copied()).collect::<Option<_>>()?;
        Some(Self { ids, candidates, roots, program: original })
    }

    fn candidates(
        egraph: &EGraph,
        id: Id,
        numbers: &BTreeMap<Id, usize>,
        ranks: &BTreeMap<Term, usize>,
    ) -> Vec<Candidate> {
        let mut terms: Vec<Term> =
            egraph[id].nodes.iter().map(|term| term.clone().map_children(|id| egraph.find(id))).collect();
        terms.sort_by_cached_key(|term| (ranks.get(term).copied().unwrap_or(usize::MAX), term.clone()));
        terms.dedup();
        let has_type = facts::value(egraph, id).is_some_and(facts::Value::has_type);
        let emitted = terms.into_iter().filter(|_| has_type).filter_map(|term| {
            let cost = cost::of(egraph, &term)?;
            let inputs = term.children().iter().filter_map(|child| numbers.get(child).copied()).collect();
            Some(Candidate { term, cost, inputs })
        });
        emitted.collect()
    }

    /// The candidate that a choice takes for a class.
    fn chosen(&self, choice: &Choice, class: usize) -> Option<&Candidate> {
        choice[class].and_then(|number| self.candidates[class].get(number))
    }

    /// The classes that the roots need, each after those that it uses; `None` if one needs itself or has no term.
    fn order(&self, choice: &Choice) -> Option<Vec<usize>> {
        const UNSEEN: u8 = 0;
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let mut state = vec![UNSEEN; self.ids.len()];
        let mut order = Vec::new();
        for root in &self.roots {
            let mut stack = vec![(*root, 0usize)];
            while let Some((class, next)) = stack.pop() {
                if next == 0 {
                    match state[class] {
                        DONE => continue,
                        OPEN => return None,
                        _ => state[class] = OPEN,
                    }
                }
                match self.chosen(choice, class)?.inputs.get(next) {
                    Some(input) => stack.extend([(class, next + 1), (*input, 0)]),
                    None => {
                        state[class] = DONE;
                        order.push(class);
                    }
                }
            }
        }
        Some(order)
    }

    fn cost(&self, choice: &Choice) -> Option<Cost> {
        let mut sum = Cost::default();
        for class in self.order(choice)? {
            sum += self.chosen(choice, class)?.cost;
        }
        Some(sum)
    }

    /// For each class the root of its cheapest tree, not using the class `without`.
    fn trees(&self, without: Option<usize>) -> Choice {
        let mut best: Vec<Option<(Cost, usize)>> = vec![None; self.ids.len()];
        // Costs only fall, and no cheapest tree is deeper than there are classes.
        for _ in 0..=self.ids.len() {
            let mut changed = false;
            for class in (0..self.ids.len()).filter(|class| Some(*class) != without) {
                for (number, candidate) in self.candidates[class].iter().enumerate() {
                    let inputs = candidate.inputs.iter().map(|input| best[*input].map(|(cost, _)| cost));
                    let total =
                        inputs.chain([Some(candidate.cost)]).try_fold(Cost::default(), |mut sum, cost| {
                            sum += cost?;
                            Some(sum)
                        });
                    if total.is_some_and(|total| best[class].is_none_or(|(known, _)| total < known)) {
                        best[class] = total.map(|total| (total, number));
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        best.into_iter().map(|best| best.map(|(_, number)| number)).collect()
    }

    /// Steps from a choice to cheaper ones until none of the steps helps.
    fn improve(&self, mut choice: Choice, tries: &mut usize) -> Option<(Cost, Choice)> {
        let mut best = self.cost(&choice)?;
        loop {
            let before = best;
            for class in self.order(&choice)? {
                for number in 0..self.candidates[class].len() {
                    let mut other = choice.clone();
                    other[class] = Some(number);
                    self.step(other, &mut choice, &mut best, tries);
                }
                self.step(self.trees(Some(class)), &mut choice, &mut best, tries);
            }
            if best == before {
                return Some((best, choice));
            }
        }
    }

    fn step(&self, other: Choice, choice: &mut Choice, best: &mut Cost, tries: &mut usize) {
        if *tries == 0 {
            return;
        }
        *tries -= 1;
        if let Some(cost) = self.cost(&other).filter(|cost| *cost < *best) {
            (*choice, *best) = (other, cost);
        }
    }

    fn selection(&self, choice: &Choice) -> Option<Selection> {
        let classes = self.order(choice)?.into_iter();
        let term = |class: usize| Some((self.ids[class], self.chosen(choice, class)?.term.clone()));
        Some(Selection { terms: classes.map(term).collect::<Option<_>>()? })
    }
}

/// The program as it is read, before any rule merged its classes; `None` if a term of it cannot be emitted.
pub(crate) fn unchanged(program: &Program) -> Option<(Selection, Cost)> {
    let space = Space::of(program)?;
    Some((space.selection(&space.program)?, space.cost(&space.program)?))
}

/// What costs less than `before`, where there is such a thing.
pub(crate) fn select(program: &Program, before: Cost) -> Option<Selection> {
    let space = Space::of(program)?;
    let trees = space.trees(None);
    let completed = space.program.iter().zip(&trees).map(|(original, tree)| original.or(*tree)).collect();
    let mut tries = MAX_TRIES;
    let starts = [completed, trees];
    let found = starts.into_iter().filter_map(|start| space.improve(start, &mut tries));
    let (cost, choice) = found.reduce(|best, other| if other.0 < best.0 { other } else { best })?;
    if cost >= before {
        return None;
    }
    space.selection(&choice)
}

/// The program with each term of its first result in turn, and what it costs then.
#[cfg(test)]
pub(crate) fn alternatives(program: &Program) -> Vec<(Selection, Cost)> {
    let Some(space) = Space::of(program) else { return Vec::new() };
    let trees = space.trees(None);
    let choice: Choice =
        space.program.iter().zip(&trees).map(|(original, tree)| original.or(*tree)).collect();
    let root = space.roots[0];
    let alternatives = (0..space.candidates[root].len()).filter_map(|number| {
        let mut other = choice.clone();
        other[root] = Some(number);
        Some((space.selection(&other)?, space.cost(&other)?))
    });
    alternatives.collect()
}
