//! When decisions are good enough.

/// What a quantized network decides on validation samples, beside the float network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// How many samples there are.
    pub samples: usize,
    /// Float is right and the quantized network is not; without labels, the two differ.
    pub lost: usize,
    /// The quantized network is right and float is not; without labels none.
    pub won: usize,
    /// Right decisions of the quantized network; without labels, those that are float's.
    pub correct: usize,
}

impl Score {
    /// Counts the decisions.
    #[must_use]
    pub fn of(quantized: &[i64], float: &[i64], labels: Option<&[i64]>) -> Self {
        let labels = labels.unwrap_or(float);
        let count = |holds: &dyn Fn(i64, i64, i64) -> bool| {
            let rows = quantized.iter().zip(float).zip(labels);
            rows.filter(|((quantized, float), label)| holds(**quantized, **float, **label)).count()
        };
        Self {
            samples: quantized.len(),
            lost: count(&|quantized, float, label| float == label && quantized != label),
            won: count(&|quantized, float, label| float != label && quantized == label),
            correct: count(&|quantized, _, label| quantized == label),
        }
    }

    /// The share of right decisions that float has more.
    #[must_use]
    pub fn loss(&self) -> f64 {
        (self.lost as f64 - self.won as f64) / self.samples as f64
    }

    /// The share of right decisions.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// The standard error of [`Self::loss`]: samples are paired, so only those count that one network decides right and the
    /// other wrong. One more is counted, since that there are none is never certain.
    ///
    /// # Source
    /// The variance of McNemar's test for paired proportions (McNemar 1947), not conditioned on a loss.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        ((self.lost + self.won + 1) as f64).sqrt() / self.samples as f64
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The loss against float is at most this.
    Loss(f64),
    /// The share of right decisions is at least this.
    Accuracy(f64),
}

/// What is asked for, and how surely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// On other samples like these.
    pub goal: Goal,
    /// How many standard errors are kept between the goal and what is measured.
    pub margin: f64,
}

impl Target {
    /// How far within the goal a score is, with the margin; below 0 it misses.
    #[must_use]
    pub fn slack(&self, score: &Score) -> f64 {
        let measured = match self.goal {
            Goal::Loss(most) => most - score.loss(),
            Goal::Accuracy(least) => score.accuracy() - least,
        };
        measured - self.margin * score.standard_error()
    }

    /// Whether a score is good enough.
    #[must_use]
    pub fn keeps(&self, score: &Score) -> bool {
        self.slack(score) >= 0.0
    }

    /// How many samples it takes so that a network that decides as float does is known to keep the goal; `None` if it never is.
    #[must_use]
    pub fn fewest_samples(&self) -> Option<usize> {
        match self.goal {
            Goal::Loss(most) if most > 0.0 => Some((self.margin / most).ceil() as usize),
            Goal::Loss(most) => (most == 0.0 && self.margin == 0.0).then_some(1),
            Goal::Accuracy(_) => Some(1),
        }
    }
}
