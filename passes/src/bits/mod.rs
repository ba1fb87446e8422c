//! The search for the number of bits of each quantizer: the fastest network among those that decide well enough.
//!
//! Pure choice, no IR: an [`Evaluator`] says what a [`Point`] decides and what it costs. `README.md` beside this file says how
//! the search works.

mod front;
mod search;
mod target;
#[cfg(test)]
mod tests;

pub use front::front;
pub use search::{MOST_SCORES, search};
pub use target::{Goal, MARGIN, MARGIN_OF_ONE, Score, Target};

/// What a number of bits is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An input of the network.
    Inputs,
    /// The weights of a product.
    Weights,
    /// A value between two products.
    Activations,
}

impl Kind {
    /// The fewest bits: weights have a sign.
    #[must_use]
    pub fn least(self) -> u32 {
        if self == Self::Weights { 2 } else { 1 }
    }
}

/// What can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// Of each number of bits.
    pub kinds: Vec<Kind>,
    /// How many ways there are to look for scales, the cheapest search first.
    pub variants: usize,
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// As many as [`Space::kinds`].
    pub bits: Vec<u32>,
    /// Below [`Space::variants`].
    pub variant: usize,
}

impl Point {
    /// Whether no number of bits is larger than the other's, with scales found in the same way.
    fn within(&self, other: &Self) -> bool {
        self.variant == other.variant && self.bits.iter().zip(&other.bits).all(|(one, other)| one <= other)
    }
}

/// What is known of choices. Asked for several points at a time, from several threads.
pub trait Evaluator: Sync {
    /// Why a point cannot be looked at; ends the search.
    type Error: Send;

    /// What the quantized network decides on the validation samples.
    ///
    /// # Errors
    /// Any reason.
    fn score(&self, point: &Point) -> Result<Score, Self::Error>;

    /// Predicted seconds of one inference; `None` where no parameters serve. Only asked where there is a score already.
    ///
    /// # Errors
    /// Any other reason.
    fn seconds(&self, point: &Point) -> Result<Option<f64>, Self::Error>;
}

/// How a point came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What was tried.
    pub point: Point,
    /// What it decides.
    pub score: Score,
    /// Predicted seconds; `None` where no parameters serve, or where nobody asked.
    pub seconds: Option<f64>,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// All that was tried, each point once.
    pub trials: Vec<Trial>,
    /// The fastest one that keeps the target.
    pub best: Option<Trial>,
}

impl Outcome {
    /// The trial that comes nearest to the target, or exceeds it most; of those that could be run, if there are any.
    #[must_use]
    pub fn nearest(&self, target: &Target) -> Option<&Trial> {
        let order = |trial: &&Trial| (trial.seconds.is_some(), target.slack(&trial.score));
        self.trials.iter().max_by(|one, other| {
            let (one, other) = (order(one), order(other));
            one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
        })
    }
}
