//! What the stages of a form ask of keys and spacings, without a table.

use super::{Kind, Stage, approximate, direct, fold, nearest, steps, zones};
use cml_runtime::units::Spacing;

/// The spacing at which a stage reads: a multiple of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Slots in half the torus at the base; `None` for the spacing of the lookup's input.
    pub slots: Option<u64>,
    /// How many times the base.
    pub multiple: u64,
}

/// What one stage reads: its event is one phase, off by more than `tolerance` slots.
#[derive(Clone, Debug, PartialEq)]
pub struct StageDemand {
    /// The spacing at which it reads.
    pub at: At,
    /// Slots that the reading may be off.
    pub tolerance: u64,
    /// Factor on the variance of the lookup's input, as that is at its own spacing.
    pub input: f64,
    /// Earlier stages whose results are read as well, each with the factor on the variance of its results.
    pub stages: Vec<(usize, f64)>,
    /// Tables that are read at this phase: one keyswitch and modulus switch serves them all, and two may share a rotation.
    pub tables: u32,
}

impl StageDemand {
    /// The spacing at which the stage reads, by that of the lookup's input.
    #[must_use]
    pub fn spacing(&self, input: Spacing) -> Spacing {
        Spacing(self.at.slots.map_or(input, Spacing::of_slots).0.saturating_mul(self.at.multiple))
    }

    /// Half-torus slots where the stage reads, by those of the lookup's input.
    #[must_use]
    pub fn slots(&self, input: f64) -> f64 {
        self.at.slots.map_or(input, |slots| slots as f64) / self.at.multiple as f64
    }
}

/// What the noise of a value is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Noise {
    pub(super) at: At,
    pub(super) input: f64,
    pub(super) stages: Vec<(usize, f64)>,
}

impl Noise {
    /// Of the value at `ratio` times its spacing.
    pub(super) fn times(&self, ratio: u64) -> Self {
        let factor = (ratio as f64).powi(2);
        let at = At { multiple: self.at.multiple.saturating_mul(ratio), ..self.at };
        let stages = self.stages.iter().map(|(stage, own)| (*stage, own * factor)).collect();
        Self { at, input: self.input * factor, stages }
    }

    /// With the results of another stage added, their variance times a factor.
    pub(super) fn and(mut self, stage: usize, factor: f64) -> Self {
        self.stages.push((stage, factor));
        self
    }
}

/// The demands of all stages, and the stages whose noise is in the result.
pub(super) fn demands(stages: &[Stage]) -> (Vec<StageDemand>, Vec<(usize, f64)>) {
    let mut walk = Walk { stages, demands: Vec::new() };
    let result = walk.value(&Noise { at: At { slots: None, multiple: 1 }, input: 1.0, stages: Vec::new() });
    (walk.demands, result)
}

/// A walk through the stages.
pub(super) struct Walk<'a> {
    stages: &'a [Stage],
    demands: Vec<StageDemand>,
}

impl Walk<'_> {
    /// Reads a value with the next stages, as many as it takes; returns the stages whose noise is in what they give.
    pub(super) fn value(&mut self, noise: &Noise) -> Vec<(usize, f64)> {
        match self.stages.get(self.demands.len()).map(|stage| stage.kind) {
            Some(Kind::Direct { tolerance }) => direct::demand(self, noise, tolerance),
            Some(Kind::Approximate { tolerance }) => approximate::demand(self, noise, tolerance),
            Some(Kind::Compare) => direct::demand(self, noise, 0),
            Some(Kind::Fold(window)) => fold::demand(self, noise, window),
            Some(Kind::Steps(window)) => steps::demand(self, noise, window),
            Some(Kind::Zones { window, zones }) => zones::demand(self, noise, window, zones),
            Some(Kind::Nearest { window, .. }) => nearest::demand(self, noise, window),
            None => Vec::new(),
        }
    }

    /// The next stage reads a value; returns its number.
    pub(super) fn read(&mut self, noise: &Noise, tolerance: u64, tables: u32) -> usize {
        let Noise { at, input, stages } = noise.clone();
        self.demands.push(StageDemand { at, tolerance, input, stages, tables });
        self.demands.len() - 1
    }
}
