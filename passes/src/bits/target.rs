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
    /// Decisions that are not float's, right or wrong, on validation samples and on any others that were compared.
    pub differing: usize,
    /// How many decisions were compared with float's: those on validation samples, and the others.
    pub compared: usize,
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
            differing: count(&|quantized, float, _| quantized != float),
            compared: quantized.len(),
        }
    }

    /// Counts decisions on other samples, which need no labels: they tell how often the two networks differ.
    #[must_use]
    pub fn compared_with(self, quantized: &[i64], float: &[i64]) -> Self {
        let differing = quantized.iter().zip(float).filter(|(quantized, float)| quantized != float).count();
        Self { differing: self.differing + differing, compared: self.compared + quantized.len(), ..self }
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

    /// The standard error of [`Self::loss`]. Samples are paired, so only those count on which the two networks differ. How often
    /// they do is known from all samples that were compared, with one more that differs, since that there are none is never
    /// certain: a network that was lucky on validation samples does not look sure of it.
    ///
    /// # Source
    /// The variance of McNemar's test for paired proportions (McNemar 1947), not conditioned on a loss, and with differences
    /// that are both wrong counted as well.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        let differs = (self.differing + 1) as f64 / self.compared.max(1) as f64;
        (differs / self.samples.max(1) as f64).sqrt()
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

/// Standard errors to keep where the best of a search is taken. A network that just misses the goal is then taken for good in 0.1 % of
/// all draws of samples, and one of 37 independent ones in 5 %. A search looks at more, but these differ from float on much the
/// same samples.
///
/// # Source
/// A one-sided normal bound, with Bonferroni's correction.
pub const MARGIN: f64 = 3.0;

/// The same for a single network, where nothing is chosen: it is taken for good in 5 % of all draws.
pub const MARGIN_OF_ONE: f64 = 1.64;

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

    /// How many validation samples it takes, beside so many others that are compared, so that a network that decides as float does
    /// is known to keep the goal; `None` if it never is.
    #[must_use]
    pub fn fewest_samples(&self, others: usize) -> Option<usize> {
        match self.goal {
            Goal::Loss(most) if most > 0.0 => {
                // The margin of one difference, margin / sqrt(n * (n + others)), is as large as the loss.
                let (half, ratio) = (others as f64 / 2.0, self.margin / most);
                Some((half.hypot(ratio) - half).ceil() as usize)
            }
            Goal::Loss(most) => (most == 0.0 && self.margin == 0.0).then_some(1),
            Goal::Accuracy(_) => Some(1),
        }
    }
}
