//! Why a form does not serve a table. The caller mixed up forms and tables: no model leads here.

/// A table that a form cannot look up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The stages do not make one lookup.
    #[error("the stages of the form do not end where its lookup ends")]
    Stages,
    /// A table without entries.
    #[error("the table has no entries")]
    Empty,
    /// The spacing is too coarse for the stage.
    #[error("stage {stage} needs {expected} slots in half the torus, its spacing leaves {found}")]
    Slots {
        /// Number of the stage.
        stage: usize,
        /// What it needs.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// Two jumps are too close.
    #[error("stage {stage} needs {expected} slots between two jumps, the table has {found}")]
    Gap {
        /// Number of the stage.
        stage: usize,
        /// What it needs.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// The jumps differ.
    #[error("stage {stage} needs equal jumps, the table has different ones")]
    Jumps {
        /// Number of the stage.
        stage: usize,
    },
    /// Borders cannot be as far apart as the stage has them.
    #[error("stage {stage} has borders that do not fit between the jumps of the table")]
    Borders {
        /// Number of the stage.
        stage: usize,
    },
    /// Numbers that leave 64 bits.
    #[error("stage {stage} has numbers beyond 64 bits")]
    Overflow {
        /// Number of the stage.
        stage: usize,
    },
}

/// A text that is no form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct ParseFormError {
    /// The part that does not fit.
    pub found: String,
    /// What would stand there.
    pub expected: &'static str,
}
