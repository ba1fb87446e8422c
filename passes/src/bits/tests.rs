use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Mutex;

/// Decides the better and costs the more, the more bits there are; some bits matter more than others.
struct Model {
    /// What a missing bit of each kind loses.
    harm: Vec<usize>,
    price: Vec<f64>,
    /// Above this no parameters serve.
    dearest: f64,
    asked: Mutex<Vec<Point>>,
}

const SAMPLES: usize = 1000;

impl Model {
    fn new(harm: &[usize], price: &[f64], dearest: f64) -> Self {
        Self { harm: harm.to_vec(), price: price.to_vec(), dearest, asked: Mutex::default() }
    }

    fn cost(&self, point: &Point) -> f64 {
        point.bits.iter().zip(&self.price).map(|(bits, price)| price * f64::from(*bits).exp2()).sum::<f64>()
            * (1.0 + point.variant as f64 / 10.0)
    }
}

impl Evaluator for Model {
    type Error = Infallible;

    fn score(&self, point: &Point) -> Result<Score, Infallible> {
        self.asked.lock().unwrap().push(point.clone());
        let lost = point.bits.iter().zip(&self.harm).map(|(bits, harm)| (harm >> bits) / (point.variant + 1));
        let lost = lost.sum::<usize>().min(SAMPLES);
        Ok(score(SAMPLES, lost, 0))
    }

    fn seconds(&self, point: &Point) -> Result<Option<f64>, Infallible> {
        let cost = self.cost(point);
        Ok((cost <= self.dearest).then_some(cost))
    }
}

/// Where nothing is compared but the validation samples, and all differences count.
fn score(samples: usize, lost: usize, won: usize) -> Score {
    Score { samples, lost, won, correct: samples - lost, differing: lost + won, compared: samples }
}

const KINDS: [Kind; 4] = [Kind::Inputs, Kind::Weights, Kind::Activations, Kind::Weights];

fn space(variants: usize) -> Space {
    Space { kinds: KINDS.to_vec(), variants }
}

fn target(most: f64) -> Target {
    Target { goal: Goal::Loss(most), margin: 0.0 }
}

proptest! {
    #[test]
    fn what_is_found_keeps_the_target_and_no_bit_less_is_faster(
        harm in prop::collection::vec(1usize..4000, 4),
        price in prop::collection::vec(0.1f64..4.0, 4),
        most in 0.01f64..0.3,
        variants in 1usize..3,
    ) {
        let model = Model::new(&harm, &price, f64::INFINITY);
        let (space, target) = (space(variants), target(most));
        let found = search(&space, &target, &model, &|_| ()).unwrap();
        let asked = model.asked.lock().unwrap().clone();
        prop_assert!(asked.len() <= MOST_SCORES && asked.len() == found.trials.len());
        prop_assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len(), "each point once");
        let Some(best) = found.best else {
            let kept = found.trials.iter().filter(|trial| target.keeps(&trial.score)).count();
            prop_assert_eq!(kept, 0);
            return Ok(());
        };
        prop_assert!(target.keeps(&best.score));
        for (at, kind) in KINDS.iter().enumerate() {
            let mut fewer = best.point.clone();
            fewer.bits[at] -= 1;
            let is_point = fewer.bits[at] >= kind.least();
            // What saves next to nothing is left, and so is what was not looked at any more.
            let saves = model.cost(&fewer) < 0.99 * model.cost(&best.point) && asked.len() < MOST_SCORES;
            let keeps = is_point && target.keeps(&model.score(&fewer).unwrap());
            prop_assert!(!(saves && keeps), "{:?}", fewer);
        }
    }

    #[test]
    fn the_front_rises(
        harm in prop::collection::vec(1usize..4000, 4), price in prop::collection::vec(0.1f64..4.0, 4),
    ) {
        let model = Model::new(&harm, &price, f64::INFINITY);
        let target = target(0.05);
        let found = search(&space(2), &target, &model, &|_| ()).unwrap();
        let front = front(&found.trials, &target);
        for pair in front.windows(2) {
            prop_assert!(pair[0].seconds < pair[1].seconds);
            prop_assert!(target.slack(&pair[0].score) < target.slack(&pair[1].score));
        }
        prop_assert!(found.best.is_none_or(|best| front.contains(&best)));
    }
}

#[test]
fn where_uniform_bits_have_no_parameters_a_mix_is_found() {
    // The second kind wants many bits and is cheap; nothing uniform that keeps the target can be run.
    let model = Model::new(&[8, 40_000, 8, 8], &[1.0, 0.001, 1.0, 1.0], 40.0);
    let found = search(&space(1), &target(0.16), &model, &|_| ()).unwrap();
    let best = found.best.unwrap();
    assert!(best.point.bits[1] >= 7 && best.seconds.is_some_and(|seconds| seconds <= 40.0), "{best:?}");
}

#[test]
fn where_nothing_keeps_the_target_the_nearest_is_told() {
    let model = Model::new(&[100_000; 4], &[1.0; 4], f64::INFINITY);
    let target = target(0.01);
    let found = search(&space(1), &target, &model, &|_| ()).unwrap();
    assert_eq!(found.best, None);
    // Bits up to 8 are tried; of those without any, only what can be run is worth telling.
    assert_eq!(found.nearest(&target).unwrap().point.bits, [8; 4]);
}

#[test]
fn decisions_are_counted_with_labels_and_without() {
    let (quantized, float, labels) = ([0, 1, 1, 0, 2], [0, 1, 0, 1, 0], [0, 0, 0, 0, 2]);
    let score = Score::of(&quantized, &float, Some(&labels));
    assert_eq!(score, Score { samples: 5, lost: 1, won: 2, correct: 3, differing: 3, compared: 5 });
    assert_eq!(score.loss(), -0.2);
    assert_eq!(score.standard_error(), 2.0 / 5.0);
    let score = Score::of(&quantized, &float, None);
    assert_eq!(score, Score { samples: 5, lost: 3, won: 0, correct: 2, differing: 3, compared: 5 });
    // On 15 more samples there are no more differences: 4 of 20 instead of 4 of 5.
    let others = score.compared_with(&[7; 15], &[7; 15]);
    assert_eq!((others.differing, others.compared, others.loss()), (3, 20, score.loss()));
    assert!((others.standard_error() - 0.2).abs() < 1e-12);
    assert_eq!(score.compared_with(&[0, 1], &[1, 1]).differing, 4);
}

#[test]
fn the_margin_asks_for_more_than_the_goal() {
    let score = Score { correct: 200, ..score(250, 5, 3) };
    let keeps = |goal, margin| Target { goal, margin }.keeps(&score);
    assert!(keeps(Goal::Loss(0.01), 0.0) && !keeps(Goal::Loss(0.01), 1.0));
    assert!(keeps(Goal::Loss(0.02), 1.0) && !keeps(Goal::Loss(0.02), 1.64));
    assert!(keeps(Goal::Accuracy(0.8), 0.0) && !keeps(Goal::Accuracy(0.8), 0.5));
}

#[test]
fn what_it_takes_to_be_sure() {
    for others in [0, 500] {
        for margin in [MARGIN_OF_ONE, MARGIN] {
            let target = Target { goal: Goal::Loss(0.02), margin };
            let fewest = target.fewest_samples(others).unwrap();
            let equal = |samples| {
                let same = vec![1; samples];
                Score::of(&same, &same, None).compared_with(&vec![1; others], &vec![1; others])
            };
            assert!(target.keeps(&equal(fewest)) && !target.keeps(&equal(fewest - 1)), "{others} {fewest}");
        }
    }
    assert_eq!(Target { goal: Goal::Loss(0.0), margin: 1.0 }.fewest_samples(0), None);
}

/// The probability that a network keeps a target, by all numbers of differences that it may have on samples: on so many
/// validation samples and others, with these rates of lost and won decisions.
fn accepted(target: &Target, (samples, others): (usize, usize), (lost, won): (f64, f64)) -> f64 {
    let poisson = |mean: f64| -> Vec<f64> {
        let next = |before: &mut f64, count: usize| {
            *before *= if count == 0 { 1.0 } else { mean / count as f64 };
            Some(*before)
        };
        (0..120).scan((-mean).exp(), next).collect()
    };
    let of_validation = [lost, won].map(|rate| poisson(rate * samples as f64));
    let of_others = poisson((lost + won) * others as f64);
    let mut sum = 0.0;
    for (lost, p_lost) in of_validation[0].iter().enumerate() {
        for (won, p_won) in of_validation[1].iter().enumerate().filter(|(_, p)| p_lost * **p > 1e-12) {
            let keeps = |differing: usize| {
                let own = score(samples, lost.min(samples), won);
                let (differing, compared) = (own.differing + differing, samples + others);
                target.keeps(&Score { differing, compared, ..own })
            };
            // More differences never help.
            sum += p_lost
                * p_won
                * (0..).zip(&of_others).take_while(|(count, _)| keeps(*count)).map(|(_, p)| p).sum::<f64>();
        }
    }
    sum
}

#[test]
fn a_network_beyond_the_goal_is_seldom_taken_and_one_like_float_mostly_is() {
    let most = 0.02;
    for (samples, others) in [(180, 500), (250, 500), (400, 400)] {
        let [one, all] = [MARGIN_OF_ONE, MARGIN].map(|margin| Target { goal: Goal::Loss(most), margin });
        for won in [0.0, 0.01, 0.04, 0.08] {
            let beyond = (most + won, won);
            let single = accepted(&one, (samples, others), beyond);
            assert!(single < 0.08, "{samples} {won}: {single}");
            // The best of many that have luck of their own.
            let best = 1.0 - (1.0 - accepted(&all, (samples, others), beyond)).powi(37);
            // A normal bound is short where differences are few and all of them are losses.
            assert!(best < if won == 0.0 { 0.15 } else { 0.07 }, "{samples} {won}: {best}");
            // Without a margin, luck would be all it takes.
            let trusting = Target { margin: 0.0, ..all };
            assert!(accepted(&trusting, (samples, others), beyond) > 0.3);
        }
        let alike = accepted(&all, (samples, others), (0.001, 0.001));
        assert!(alike > 0.75, "{samples}: {alike}");
    }
}

/// With fewer than four bits decisions are other ones on every tenth sample, but for validation samples, on which they are right
/// by luck.
struct Lucky;

impl Evaluator for Lucky {
    type Error = Infallible;

    fn score(&self, point: &Point) -> Result<Score, Infallible> {
        let is_lucky = point.bits.iter().any(|bits| *bits < 4);
        let (won, differing) = if is_lucky { (1, 60) } else { (0, 2) };
        Ok(Score { samples: 250, lost: 0, won, correct: 200 + won, differing, compared: 750 })
    }

    fn seconds(&self, point: &Point) -> Result<Option<f64>, Infallible> {
        Ok(Some(f64::from(point.bits.iter().sum::<u32>())))
    }
}

#[test]
fn luck_on_validation_samples_is_not_enough() {
    let best = |margin| {
        let target = Target { goal: Goal::Loss(0.02), margin };
        search(&space(1), &target, &Lucky, &|_| ()).unwrap().best.unwrap().point.bits
    };
    assert_eq!(best(MARGIN), [4; 4]);
    assert!(best(0.0).iter().all(|bits| *bits < 4));
}
