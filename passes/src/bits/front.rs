//! Which trials are worth looking at.

use super::{Target, Trial};

/// Trials that no other beats in both predicted seconds and decisions, the fastest first.
#[must_use]
pub fn front(trials: &[Trial], target: &Target) -> Vec<Trial> {
    let mut timed: Vec<(f64, &Trial)> =
        trials.iter().filter_map(|trial| Some((trial.seconds?, trial))).collect();
    timed.sort_by(|(one, first), (other, second)| {
        let slack = |trial: &Trial| target.slack(&trial.score);
        one.total_cmp(other).then(slack(second).total_cmp(&slack(first))).then(first.point.cmp(&second.point))
    });
    let mut front: Vec<Trial> = Vec::new();
    for (_, trial) in timed {
        if front.last().is_none_or(|last| target.slack(&trial.score) > target.slack(&last.score)) {
            front.push(trial.clone());
        }
    }
    front
}
