//! From uniform bits downwards, one change at a time: first by half of the margin, then by all of it.

use super::{Evaluator, Outcome, Point, Score, Space, Target, Trial};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A search scores at most this many points.
pub const MOST_SCORES: usize = 240;

/// Uniform bits that are tried first.
const UNIFORM: std::ops::RangeInclusive<u32> = 2..=8;

/// The descent begins at this many of those that keep the target, of each variant.
const STARTS: usize = 2;

/// A change that saves less than this share is not worth a step.
const WORTHWHILE: f64 = 0.005;

/// The fastest point that keeps the target, by a local search from several starts. The same evaluator gives the same outcome.
/// `tell` is told how far it is.
///
/// # Errors
/// What the evaluator says.
pub fn search<E: Evaluator>(
    space: &Space,
    target: &Target,
    evaluator: &E,
    tell: &dyn Fn(&str),
) -> Result<Outcome, E::Error> {
    let (scores, seconds) = (BTreeMap::new(), BTreeMap::new());
    let mut walk = Walk { space, guide: *target, most: 0, evaluator, tell, scores, seconds };
    // What surely keeps the target may lie beyond what does not: quantization wins where a grid happens to fit.
    for (part, most) in [(0.5, MOST_SCORES / 2), (1.0, MOST_SCORES)] {
        walk.guide = Target { margin: part * target.margin, ..*target };
        walk.most = most;
        walk.walk()?;
    }
    Ok(walk.outcome())
}

struct Walk<'a, E> {
    space: &'a Space,
    /// What has to be kept for now.
    guide: Target,
    /// Points may have scores, for now.
    most: usize,
    evaluator: &'a E,
    tell: &'a dyn Fn(&str),
    scores: BTreeMap<Point, Score>,
    seconds: BTreeMap<Point, Option<f64>>,
}

impl<E: Evaluator> Walk<'_, E> {
    /// From the best point so far, from the uniform ones, and on from what is best then.
    fn walk(&mut self) -> Result<(), E::Error> {
        let uniform = self.score_uniform()?;
        let best = self.best().map(|(point, _)| point.clone());
        if let Some(best) = best {
            self.descend(best)?;
        }
        let mut starts = Vec::new();
        for variant in 0..self.space.variants {
            let kept = uniform.iter().filter(|point| point.variant == variant && self.keeps(point));
            let first: Vec<Point> = kept.take(STARTS).cloned().collect();
            // Those of fewer bits are part of the picture.
            let least = first.first().map_or(u32::MAX, |point| point.bits.iter().copied().max().unwrap_or(0));
            let fewer = UNIFORM.filter(|bits| *bits < least).map(|bits| self.uniform(bits, variant));
            // More bits everywhere are not faster than what is known to keep the target.
            let known: Vec<&Point> = self.priced().map(|(point, _)| point).collect();
            let is_new = |point: &Point| !known.iter().any(|known| *known != point && known.within(point));
            let first: Vec<Point> = first.into_iter().filter(is_new).collect();
            self.price(&fewer.chain(first.iter().cloned()).collect::<Vec<_>>())?;
            starts.extend(first);
        }
        starts.sort_by(|one, other| self.seconds_of(one).total_cmp(&self.seconds_of(other)));
        for start in starts {
            self.descend(start)?;
        }
        // A point that was hardly faster, and so no step, may have neighbours that are.
        let mut ended = None;
        while let Some(best) =
            self.best().map(|(point, _)| point.clone()).filter(|best| ended.as_ref() != Some(best))
        {
            self.descend(best.clone())?;
            ended = Some(best);
        }
        Ok(())
    }

    /// Scores uniform points, each variant up to where the descent may begin.
    fn score_uniform(&mut self) -> Result<Vec<Point>, E::Error> {
        let mut all: Vec<Point> = Vec::new();
        for bits in UNIFORM {
            let begins = |variant: &usize| {
                let kept = all.iter().filter(|point| point.variant == *variant && self.keeps(point));
                kept.count() >= STARTS
            };
            let variants = (0..self.space.variants).filter(|variant| !begins(variant));
            let next: Vec<Point> = variants.map(|variant| self.uniform(bits, variant)).collect();
            self.score(&next)?;
            all.extend(next);
        }
        Ok(all)
    }

    fn uniform(&self, bits: u32, variant: usize) -> Point {
        Point { bits: self.space.kinds.iter().map(|kind| bits.max(kind.least())).collect(), variant }
    }

    /// Scores the points that have no score yet, as many as are left.
    fn score(&mut self, points: &[Point]) -> Result<(), E::Error> {
        let mut new: Vec<&Point> = points.iter().filter(|point| !self.scores.contains_key(*point)).collect();
        new.truncate(self.most.saturating_sub(self.scores.len()));
        self.report();
        let found: Vec<Result<Score, E::Error>> =
            new.par_iter().map(|point| self.evaluator.score(point)).collect();
        for (point, score) in new.into_iter().zip(found) {
            self.scores.insert(point.clone(), score?);
        }
        Ok(())
    }

    /// Finds the seconds of points that have a score.
    fn price(&mut self, points: &[Point]) -> Result<(), E::Error> {
        let is_new = |point: &&Point| self.scores.contains_key(*point) && !self.seconds.contains_key(*point);
        let new: Vec<&Point> = points.iter().filter(is_new).collect();
        self.report();
        let found: Vec<Result<Option<f64>, E::Error>> =
            new.par_iter().map(|point| self.evaluator.seconds(point)).collect();
        for (point, seconds) in new.into_iter().zip(found) {
            self.seconds.insert(point.clone(), seconds?);
        }
        Ok(())
    }

    fn report(&self) {
        let best = match self.best() {
            Some((_, seconds)) => format!(", {seconds:.3} s"),
            None => String::new(),
        };
        (self.tell)(&format!(
            "searching bits: {} of at most {MOST_SCORES} configurations{best}",
            self.scores.len()
        ));
    }

    fn keeps(&self, point: &Point) -> bool {
        self.scores.get(point).is_some_and(|score| self.guide.keeps(score))
    }

    /// Infinite where no parameters serve.
    fn seconds_of(&self, point: &Point) -> f64 {
        self.seconds.get(point).copied().flatten().unwrap_or(f64::INFINITY)
    }

    /// What keeps the target and can be run.
    fn priced(&self) -> impl Iterator<Item = (&Point, f64)> {
        let priced = self.seconds.iter().filter_map(|(point, seconds)| Some((point, (*seconds)?)));
        priced.filter(|(point, _)| self.keeps(point))
    }

    fn best(&self) -> Option<(&Point, f64)> {
        self.priced().min_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    fn descend(&mut self, start: Point) -> Result<(), E::Error> {
        let mut seen = BTreeSet::new();
        let mut current = start;
        while seen.insert(current.clone()) {
            let next = match self.step(&current, self.fewer(&current))? {
                Some(next) => Some(next),
                None => self.step(&current, self.exchanged(&current))?,
            };
            match next {
                Some(next) => current = next,
                None => break,
            }
        }
        Ok(())
    }

    /// The fastest of the neighbours that keep the target, if it is faster. Where nothing serves yet, the one that decides best.
    fn step(&mut self, current: &Point, neighbours: Vec<Point>) -> Result<Option<Point>, E::Error> {
        self.score(&neighbours)?;
        let kept: Vec<Point> = neighbours.into_iter().filter(|point| self.keeps(point)).collect();
        // More bits everywhere are not faster: what keeps the target with fewer is enough.
        let is_least = |point: &&Point| !kept.iter().any(|other| other != *point && other.within(point));
        let least: Vec<Point> = kept.iter().filter(is_least).cloned().collect();
        self.price(&least)?;
        let fastest =
            least.iter().min_by(|one, other| self.seconds_of(one).total_cmp(&self.seconds_of(other)));
        let Some(fastest) = fastest else { return Ok(None) };
        let before = self.seconds_of(current);
        if self.seconds_of(fastest) < before * (1.0 - WORTHWHILE) {
            return Ok(Some(fastest.clone()));
        }
        if before.is_infinite() {
            let sum = |point: &Point| point.bits.iter().sum::<u32>();
            let slack = |point: &Point| {
                self.scores.get(point).map_or(f64::NEG_INFINITY, |score| self.guide.slack(score))
            };
            let fewer = least.iter().filter(|point| sum(point) < sum(current));
            return Ok(fewer.max_by(|one, other| slack(one).total_cmp(&slack(other))).cloned());
        }
        Ok(None)
    }

    /// One number of bits less, or one less of each of a kind; or scales found in another way.
    fn fewer(&self, point: &Point) -> Vec<Point> {
        let kinds: BTreeSet<_> = self.space.kinds.iter().collect();
        let of_kind = |kind| -> Vec<usize> {
            (0..point.bits.len()).filter(|at| self.space.kinds[*at] == kind).collect()
        };
        let mut groups: Vec<Vec<usize>> = (0..point.bits.len()).map(|at| vec![at]).collect();
        groups.extend(kinds.into_iter().map(|kind| of_kind(*kind)).filter(|group| group.len() > 1));
        let mut found: Vec<Point> =
            groups.iter().filter_map(|group| self.changed(point, group, -1)).collect();
        let others = (0..self.space.variants).filter(|variant| *variant != point.variant);
        found.extend(others.map(|variant| Point { variant, ..point.clone() }));
        found
    }

    /// One number of bits less or two, and another one more.
    fn exchanged(&self, point: &Point) -> Vec<Point> {
        let places = 0..point.bits.len();
        let mut found = Vec::new();
        for less in places.clone() {
            for more in places.clone().filter(|more| *more != less) {
                for by in [-1, -2] {
                    let fewer = self.changed(point, &[less], by);
                    found.extend(fewer.and_then(|fewer| self.changed(&fewer, &[more], 1)));
                }
            }
        }
        found
    }

    /// `None` where there are no such bits.
    fn changed(&self, point: &Point, places: &[usize], by: i32) -> Option<Point> {
        let mut changed = point.clone();
        for at in places {
            let bits = point.bits[*at].checked_add_signed(by)?;
            changed.bits[*at] = bits;
            if !(self.space.kinds[*at].least()..=*UNIFORM.end()).contains(&bits) {
                return None;
            }
        }
        Some(changed)
    }

    fn outcome(&self) -> Outcome {
        let trial = |point: &Point, score: Score| Trial {
            point: point.clone(),
            score,
            seconds: self.seconds.get(point).copied().flatten(),
        };
        let trials: Vec<Trial> = self.scores.iter().map(|(point, score)| trial(point, *score)).collect();
        let best = self.best().and_then(|(point, _)| Some(trial(point, *self.scores.get(point)?)));
        Outcome { trials, best }
    }
}
