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
        Ok(Score { samples: SAMPLES, lost, won: 0, correct: SAMPLES - lost })
    }

    fn seconds(&self, point: &Point) -> Result<Option<f64>, Infallible> {
        let cost = self.cost(point);
        Ok((cost <= self.dearest).then_some(cost))
    }
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
    assert_eq!(score, Score { samples: 5, lost: 1, won: 2, correct: 3 });
    assert_eq!(score.loss(), -0.2);
    assert_eq!(score.standard_error(), 2.0 / 5.0);
    let score = Score::of(&quantized, &float, None);
    assert_eq!(score, Score { samples: 5, lost: 3, won: 0, correct: 2 });
}

#[test]
fn the_margin_asks_for_more_than_the_goal() {
    let score = Score { samples: 250, lost: 5, won: 3, correct: 200 };
    let keeps = |goal, margin| Target { goal, margin }.keeps(&score);
    assert!(keeps(Goal::Loss(0.01), 0.0) && !keeps(Goal::Loss(0.01), 1.0));
    assert!(keeps(Goal::Loss(0.02), 1.0) && !keeps(Goal::Loss(0.02), 1.64));
    assert!(keeps(Goal::Accuracy(0.8), 0.0) && !keeps(Goal::Accuracy(0.8), 0.5));
    assert_eq!(Target { goal: Goal::Loss(0.02), margin: 1.64 }.fewest_samples(), Some(82));
    assert_eq!(Target { goal: Goal::Loss(0.0), margin: 1.0 }.fewest_samples(), None);
}
