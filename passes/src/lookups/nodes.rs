//! The chain of sums and bootstraps that a form is for one table.

use super::staircase::{self, Staircase};
use super::{Form, Kind, Stage, Unfit, approximate, direct, fold, nearest, steps, zones};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;

/// What a node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// The value that is looked up.
    Value,
    /// The result of an earlier node, by its number.
    Node(usize),
}

/// What a bootstrap is there for; for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The lookup's table.
    Table,
    /// The lookup's table, for an argument that may be off.
    Approximate,
    /// Brings a value near the transition.
    Fold,
    /// Brings a value to its distance from the nearest jump or border.
    Nearest,
    /// What the table gives below the nearest jump, or the number of the zone there.
    Count,
    /// On which side of the jump or border the value is.
    Sign,
}

/// One step of a lookup.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `sum of weight * input + bias` on integers; inputs have spacings that divide `spacing`.
    Combine {
        /// Inputs, with their weights.
        terms: Vec<(Input, i64)>,
        /// Added to the sum.
        bias: i64,
        /// Of the result.
        spacing: Spacing,
    },
    /// A table, read with a tolerance.
    Bootstrap {
        /// What is read.
        input: Input,
        /// Its entries.
        table: Table,
        /// What half a turn further reads, plus what is read here: that is `center - entry`.
        center: i64,
        /// Slots that a reading may be off: without any effect on the lookup's result, unless that is approximate.
        tolerance: u64,
        /// Number of the key set.
        key: u32,
        /// log2 of the number of accumulators for each table; below 0, the two tables of a phase share a rotation.
        extension: i32,
        /// Of the result.
        spacing: Spacing,
        /// What it is there for.
        role: Role,
    },
}

impl Form {
    /// The chain for one table: the last node is the result, at spacing `output`. Of tables whose profiles the form serves,
    /// all have chains that are alike but for tables, centers and biases.
    ///
    /// # Errors
    /// [`Unfit`] where the form does not serve the table at this input spacing.
    pub fn nodes(&self, table: &Table, input: Spacing, output: Spacing) -> Result<Vec<Node>, Unfit> {
        let staircase = Staircase::of(table)?;
        let mut chain = Chain { nodes: Vec::new(), stages: &self.stages, next: 0 };
        let value = Reading { input: Input::Value, spacing: input };
        chain.look_up(&Lookup { staircase: &staircase, value, output, role: Role::Table })?;
        if chain.next == self.stages.len() { Ok(chain.nodes) } else { Err(Unfit::Stages) }
    }
}

/// A value that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) input: Input,
    pub(super) spacing: Spacing,
}

impl Reading {
    /// The spacing of a window.
    pub(super) fn times(self, ratio: u64, stage: usize) -> Result<Spacing, Unfit> {
        self.spacing.0.checked_mul(ratio).map(Spacing).ok_or(Unfit::Overflow { stage })
    }
}

/// A table to look up in a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup<'a> {
    pub(super) staircase: &'a Staircase,
    pub(super) value: Reading,
    /// Spacing of the result.
    pub(super) output: Spacing,
    /// Of the bootstrap that gives the result.
    pub(super) role: Role,
}

/// A chain in the making.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    nodes: Vec<Node>,
    stages: &'a [Stage],
    next: usize,
}

/// A table of a stage, with its center.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    pub(super) table: Table,
    pub(super) center: i64,
    pub(super) role: Role,
}

impl Chain<'_> {
    /// Appends the nodes of the next stages, as many as one value takes.
    pub(super) fn look_up(&mut self, lookup: &Lookup<'_>) -> Result<Input, Unfit> {
        let stage = self.next;
        self.next += 1;
        match self.stages.get(stage).ok_or(Unfit::Stages)?.kind {
            Kind::Direct { tolerance } => direct::look_up(self, stage, lookup, tolerance),
            Kind::Approximate { tolerance } => approximate::look_up(self, stage, lookup, tolerance),
            // No chain of one table.
            Kind::Compare => Err(Unfit::Stages),
            Kind::Fold(window) => fold::look_up(self, stage, lookup, window),
            Kind::Steps(window) => steps::look_up(self, stage, lookup, window),
            Kind::Zones { window, zones } => zones::look_up(self, stage, lookup, window, zones),
            Kind::Nearest { window, spread } => nearest::look_up(self, stage, lookup, window, spread),
        }
    }

    /// Refuses a spacing that leaves fewer slots than the stage needs.
    pub(super) fn require(&self, stage: usize, spacing: Spacing, expected: Option<u64>) -> Result<(), Unfit> {
        let expected = expected.ok_or(Unfit::Overflow { stage })?;
        if u128::from(spacing.0) * u128::from(expected) <= 1 << 63 {
            return Ok(());
        }
        Err(Unfit::Slots { stage, expected, found: spacing.slots() })
    }

    /// A number of slots, to calculate with.
    pub(super) fn signed(&self, stage: usize, slots: u64) -> Result<i64, Unfit> {
        i64::try_from(slots).ok().filter(|slots| *slots < staircase::LARGEST).ok_or(Unfit::Overflow { stage })
    }

    pub(super) fn bootstrap(
        &mut self,
        stage: usize,
        input: Input,
        entries: Entries,
        spacing: Spacing,
    ) -> Input {
        let Stage { kind, key, extension } = self.stages[stage];
        let Entries { table, center, role } = entries;
        let tolerance = kind.tolerance();
        self.nodes.push(Node::Bootstrap { input, table, center, tolerance, key, extension, spacing, role });
        Input::Node(self.nodes.len() - 1)
    }

    pub(super) fn combine(&mut self, terms: &[(Input, i64)], bias: i64, spacing: Spacing) -> Input {
        self.nodes.push(Node::Combine { terms: terms.to_vec(), bias, spacing });
        Input::Node(self.nodes.len() - 1)
    }
}
