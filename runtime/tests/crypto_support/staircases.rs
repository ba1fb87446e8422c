//! Lookups of several stages, made by hand: how a staircase is read coarsely first and exactly then.

use super::{port, set};
use cml_runtime::program::message::{Action, Bootstrap, Combine, ParameterSet, Server, Stage, Step};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;

/// A saturating staircase: 0 below `start`, six steps that are none of 0 and 7 within the transition, 7 above.
#[derive(Clone, Copy)]
pub(crate) struct Saturating {
    pub(crate) start: i64,
}

/// Width of the transition of all saturating staircases.
pub(crate) const TRANSITION: i64 = 9;

impl Saturating {
    pub(crate) fn at(self, x: i64) -> i64 {
        match x - self.start {
            below if below < 0 => 0,
            above if above >= TRANSITION => 7,
            inside => 1 + inside * 5 % 6,
        }
    }
}

/// How a saturating staircase is folded: slots of the window in half the torus, and those of the input in units of it.
#[derive(Clone, Copy)]
pub(crate) struct Fold {
    pub(crate) window: i64,
    pub(crate) ratio: i64,
}

impl Fold {
    /// By how many slots the coarse reading may be off.
    pub(crate) fn tolerance(self) -> i64 {
        (self.window - 1 - TRANSITION) / 2
    }

    pub(crate) fn input_spacing(self) -> u64 {
        Spacing::of_slots((self.window * self.ratio) as u64).0
    }

    fn window_spacing(self) -> u64 {
        self.input_spacing() * self.ratio as u64
    }

    /// What is added to inputs from 0 to `last`, which lie far from the transition, to bring them close to it.
    fn correction(self, staircase: Saturating, last: i64) -> Table {
        let clamped = |y: i64| y.clamp(-self.tolerance() - 1, TRANSITION + self.tolerance());
        let correction = |x: i64| clamped(x - staircase.start) - (x - staircase.start);
        Table { lo: 0, values: (0..=last).map(correction).collect() }
    }

    /// The staircase from its start on, over the whole torus but for what the fold never gives.
    fn table(self) -> Table {
        let lo = TRANSITION - self.window;
        Table { lo, values: (lo..self.window).map(|y| Saturating { start: 0 }.at(y)).collect() }
    }
}

/// Which key set and extension a stage uses.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) key: u32,
    pub(crate) extension: i32,
}

/// A program that grows step by step.
pub(crate) struct Builder {
    pub(crate) server: Server,
    lookups: u32,
}

impl Builder {
    pub(crate) fn new(parameters: Vec<ParameterSet>) -> Self {
        Self { server: Server { parameters, ..Server::default() }, lookups: 0 }
    }

    /// An input of that many elements from 0 to `last`; all inputs come first.
    pub(crate) fn input(&mut self, count: usize, last: i64, spacing: u64) -> u32 {
        let name = format!("x{}", self.server.inputs.len());
        self.server.inputs.push(port(&name, spacing, &vec![(0, last); count]));
        self.server.inputs.len() as u32 - 1
    }

    pub(crate) fn output(&mut self, value: u32, count: usize, range: (i64, i64), spacing: u64) {
        let name = format!("y{}", self.server.outputs.len());
        self.server.outputs.push(port(&name, spacing, &vec![range; count]));
        self.server.output_values.push(value);
    }

    pub(crate) fn step(&mut self, action: Action) -> u32 {
        self.server
            .steps
            .push(Step { node: format!("node{}", self.server.steps.len()), action: Some(action) });
        (self.server.inputs.len() + self.server.steps.len()) as u32 - 1
    }

    /// One table for each element, with one center.
    fn bootstrap(
        &mut self,
        (stage, place): (Stage, Place),
        input: u32,
        tables: Vec<Table>,
        center: i64,
        spacing: u64,
    ) -> u32 {
        self.step(Action::Bootstrap(Bootstrap {
            input,
            extension: place.extension,
            table_of: (0..tables.len() as u32).collect(),
            centers: vec![center; tables.len()],
            tables,
            spacing,
            key: place.key,
            stage: stage as i32,
            lookup: self.lookups,
            ..Bootstrap::default()
        }))
    }

    fn tolerate(&mut self, slots: i64) {
        if let Some(Action::Bootstrap(bootstrap)) = &mut self.server.steps.last_mut().unwrap().action {
            bootstrap.tolerance = slots as u32;
        }
    }

    /// An exact lookup by one table for all elements.
    pub(crate) fn lookup(
        &mut self,
        input: u32,
        table: &Table,
        count: usize,
        place: Place,
        spacing: u64,
    ) -> u32 {
        let value = self.bootstrap((Stage::Table, place), input, vec![table.clone(); count], 0, spacing);
        self.lookups += 1;
        value
    }

    /// Saturating staircases of inputs from 0 to `last`: a fold, a sum, a table on the window. `center` is that of the folds.
    pub(crate) fn folded(
        &mut self,
        (input, last): (u32, i64),
        (fold, center): (Fold, i64),
        staircases: &[Saturating],
        places: [Place; 2],
        spacing: u64,
    ) -> u32 {
        let corrections = staircases.iter().map(|staircase| fold.correction(*staircase, last)).collect();
        let window = fold.window_spacing();
        let correction = self.bootstrap((Stage::Fold, places[0]), input, corrections, center, window);
        self.tolerate(fold.tolerance());
        let difference = self.step(Action::Combine(Combine {
            inputs: vec![input, correction],
            weights: vec![1, 1],
            bias: staircases.iter().map(|staircase| -staircase.start).collect(),
            spacing: window,
        }));
        let tables = vec![fold.table(); staircases.len()];
        let value = self.bootstrap((Stage::Table, places[1]), difference, tables, 7, spacing);
        self.lookups += 1;
        value
    }

    /// How many thresholds are at or below each input: the nearest one and those below it at one phase, then a sign.
    pub(crate) fn counted(
        &mut self,
        (input, last): (u32, i64),
        steps: Steps,
        thresholds: &[Vec<i64>],
        places: [Place; 2],
        spacing: u64,
    ) -> u32 {
        let table = |entry: &dyn Fn(i64) -> i64| Table { lo: 0, values: (0..=last).map(entry).collect() };
        let nearest = |thresholds: &[i64], x: i64| {
            let distances = thresholds.iter().map(|threshold| (threshold - x).abs()).enumerate();
            distances.min_by_key(|(_, distance)| *distance).unwrap().0
        };
        let clamp = |y: i64| y.clamp(-steps.tolerance() - 1, steps.tolerance() + 1);
        let difference = |thresholds: &[i64], x: i64| {
            let y = x - thresholds[nearest(thresholds, x)];
            clamp(y) - x
        };
        let corrections = thresholds.iter().map(|list| table(&|x| difference(list, x))).collect();
        let counts = thresholds.iter().map(|list| table(&|x| nearest(list, x) as i64)).collect();
        let window = steps.window_spacing();
        let correction = self.bootstrap((Stage::Nearest, places[0]), input, corrections, 0, window);
        self.tolerate(steps.tolerance());
        let count = self.bootstrap((Stage::Count, places[0]), input, counts, 0, spacing);
        self.tolerate(steps.tolerance());
        let zeros = vec![0; thresholds.len()];
        let inputs = vec![input, correction];
        let y = self.step(Action::Combine(Combine {
            inputs,
            weights: vec![1, 1],
            bias: zeros.clone(),
            spacing: window,
        }));
        let half = steps.window();
        let sign = Table { lo: -half, values: (-half..half).map(|y| i64::from(y >= 0)).collect() };
        let sign = self.bootstrap((Stage::Sign, places[1]), y, vec![sign; thresholds.len()], 1, spacing);
        self.lookups += 1;
        self.step(Action::Combine(Combine {
            inputs: vec![count, sign],
            weights: vec![1, 1],
            bias: zeros,
            spacing,
        }))
    }
}

/// How thresholds at least `gap` apart are counted; the input has `ratio` windows in half the torus.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) gap: i64,
    pub(crate) ratio: i64,
}

impl Steps {
    /// By how many slots the coarse reading may be off.
    pub(crate) fn tolerance(self) -> i64 {
        (self.gap - 1) / 2
    }

    /// Slots of half the torus at the spacing of the difference, of which the largest is this less 1.
    fn window(self) -> i64 {
        2 * self.tolerance() + 2
    }

    pub(crate) fn input_spacing(self) -> u64 {
        Spacing::of_slots((self.window() * self.ratio) as u64).0
    }

    fn window_spacing(self) -> u64 {
        self.input_spacing() * self.ratio as u64
    }
}

/// Three sets under one secret of 2048 bits: (4, 512) and (2, 1024) for coarse readings, (1, 2048) for exact ones.
pub(crate) fn three_sets() -> Vec<ParameterSet> {
    vec![
        set(780, (4, 512), (23, 1), (3, 5)),
        set(716, (2, 1024), (23, 1), (3, 4)),
        set(884, (1, 2048), (15, 2), (3, 6)),
    ]
}
