//! Forms of a lookup: which chain of bootstraps and sums gives a table's value.
//!
//! Pure numbers, no IR. A [`Profile`] says what a form depends on in a table; [`Candidates`] lists the forms that serve it;
//! the search of parameters chooses one by its [`StageDemand`]s, and fills in the keys; [`Form::nodes`] makes the chain for
//! one table. `README.md` beside this file says how the forms work, and how one more is added.

mod approximate;
mod candidates;
mod demand;
mod direct;
mod error;
mod fold;
mod nearest;
mod nodes;
mod profile;
mod rank;
mod sites;
mod staircase;
mod steps;
#[cfg(test)]
mod tests;
mod text;
mod verify;
mod zones;

pub use candidates::Candidates;
pub use demand::{At, StageDemand};
pub use error::{ParseFormError, Unfit};
pub use nearest::Spread;
pub use nodes::{Input, Node, Role};
pub use profile::Profile;
pub(crate) use profile::gcd;
pub use verify::{Wrong, verify};

/// How one noisy phase is read, and what for. Slots are those of the spacing at which it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The table itself.
    Direct {
        /// Slots that the reading may be off.
        tolerance: u64,
    },
    /// The table itself, for an argument that is off: what the user asked for by name.
    Approximate {
        /// Slots that it may be off.
        tolerance: u64,
    },
    /// What lies far from the transition is brought near it: a correction, read coarsely, is added to the value.
    Fold(Window),
    /// The nearest jump, and what lies below it: two tables at one phase. Then the sign of the distance from it. The jumps
    /// are equal.
    Steps(Window),
    /// As steps, for the number of the zone between two jumps; then a table of the zones.
    Zones {
        /// Of the nearest jump.
        window: Window,
        /// Slots for the number of the zone.
        zones: u64,
    },
    /// The nearest border, the sign of the distance from it, then a table of both.
    Nearest {
        /// Of the nearest border.
        window: Window,
        /// How far apart borders are.
        spread: Spread,
    },
    /// The comparisons of a value with the jumps of all its tables, out of one rotation. A form of a whole group: its results
    /// are no table's values, but what follows is linear in them.
    Compare,
}

/// A coarse reading, and the finer one that it prepares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Spacing at which the corrected value is read, in units of the spacing at which the value itself is read.
    pub ratio: u64,
    /// Slots that the coarse reading may be off.
    pub tolerance: u64,
}

impl Kind {
    /// Slots that the reading may be off: without any effect on the lookup's result, unless that is approximate.
    #[must_use]
    pub fn tolerance(self) -> u64 {
        match self {
            Self::Direct { tolerance } | Self::Approximate { tolerance } => tolerance,
            Self::Compare => 0,
            Self::Fold(window)
            | Self::Steps(window)
            | Self::Zones { window, .. }
            | Self::Nearest { window, .. } => window.tolerance,
        }
    }
}

/// One noisy phase of a lookup: a keyswitch, a modulus switch, and one rotation for each table read there, or for two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stage {
    /// What is read.
    pub kind: Kind,
    /// Number of the key set.
    pub key: u32,
    /// log2 of the number of accumulators for each table; below 0, two tables of the phase share a rotation.
    pub extension: i32,
}

impl Stage {
    /// With key set 0 and no extension, until the search chooses.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, key: 0, extension: 0 }
    }
}

/// A way to look up: stages in order of evaluation. The stages that end a value's reading follow what they read; see
/// [`Kind`] for what each hands on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Form {
    /// Half the torus must hold this many slots at the input's spacing.
    pub slots: u64,
    /// What is read, in order.
    pub stages: Vec<Stage>,
}

impl Form {
    /// The form with these stages, where it serves a table of this profile.
    #[must_use]
    pub fn new(profile: &Profile, kinds: &[Kind]) -> Option<Self> {
        let slots = profile::slots(profile, &mut kinds.iter().copied())?;
        Some(Self { slots, stages: kinds.iter().copied().map(Stage::new).collect() })
    }

    /// Comparisons that need these slots in half the torus.
    #[must_use]
    pub fn compare(slots: u64) -> Self {
        Self { slots, stages: vec![Stage::new(Kind::Compare)] }
    }

    /// Whether its results are comparisons.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.stages.iter().any(|stage| stage.kind == Kind::Compare)
    }

    /// What each stage asks of keys and spacing.
    #[must_use]
    pub fn stages(&self) -> Vec<StageDemand> {
        demand::demands(&self.stages).0
    }

    /// The stages whose noise is in the result, each with the factor on its variance.
    #[must_use]
    pub fn result(&self) -> Vec<(usize, f64)> {
        demand::demands(&self.stages).1
    }
}
