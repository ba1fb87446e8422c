//! Which of many forms of one plan are offered: those that cost least in some circumstances, and those that differ most.
//!
//! What a form costs is the search's business, which knows keys and noise. A rough price does here: it only has to see which
//! windows are out of balance.

use super::Form;

/// Standard deviations of the noise that arrives, log2: those of a lookup's input, and of windows after a correction.
const ARRIVING: [f64; 6] = [-14.0, -15.5, -17.0, -19.0, -21.0, -23.0];
/// Standard deviation of a result, log2: with one level of decomposition, and with two.
const RESULTS: [f64; 2] = [-14.5, -21.5];
/// Standard deviations that a tolerance must have: those of 2^-40.
const KAPPA: f64 = 7.1;
/// What a second level costs, relative to one.
const SECOND_LEVEL: f64 = 1.45;
/// Milliseconds of a stage: a constant part, and one that is inverse to the tolerance that noise leaves.
const MILLISECONDS: [f64; 2] = [4.0, 0.067];

/// At most `limit` of the forms, in order, as they are at the slots given or at those that each needs.
pub(super) fn best(forms: Vec<Form>, slots: Option<u64>, limit: usize) -> Vec<Form> {
    if forms.len() <= limit {
        return forms;
    }
    let variance = |std_dev: f64| (2.0 * std_dev).exp2();
    let (arriving, results) = (ARRIVING.map(variance), RESULTS.map(variance));
    let variances: Vec<[f64; 2]> =
        results.iter().flat_map(|result| arriving.iter().map(|arriving| [*arriving, *result])).collect();
    let judged: Vec<Judged> = forms.into_iter().map(|form| Judged::new(form, slots, &variances)).collect();
    let mut kept = vec![false; judged.len()];
    for circumstance in 0..variances.len() {
        let price = |at: &usize| judged[*at].prices[circumstance];
        let affordable = (0..judged.len()).filter(|at| price(at).is_finite());
        if let Some(cheapest) = affordable.min_by(|one, other| price(one).total_cmp(&price(other))) {
            kept[cheapest] = true;
        }
    }
    let gain_over_kept = |one: &Judged| {
        let known = judged.iter().zip(&kept).filter(|(_, kept)| **kept);
        known.map(|(known, _)| one.gain_over(known)).fold(f64::INFINITY, f64::min)
    };
    let mut gains: Vec<f64> = judged.iter().map(gain_over_kept).collect();
    while kept.iter().filter(|kept| **kept).count() < limit {
        let mut most = 0;
        for (at, gain) in gains.iter().enumerate() {
            if *gain > gains[most] {
                most = at;
            }
        }
        if gains[most] <= 0.0 {
            break;
        }
        kept[most] = true;
        for (gain, one) in gains.iter_mut().zip(&judged) {
            *gain = gain.min(one.gain_over(&judged[most]));
        }
    }
    judged.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(judged, _)| judged.form).collect()
}

struct Judged {
    form: Form,
    /// Logarithms of tolerances, and of tolerances by the noises in a reading: each is better the larger it is.
    merits: Vec<f64>,
    /// Milliseconds, for each noise that arrives and each kind of results in between; infinite where noise is too large.
    prices: Vec<f64>,
}

impl Judged {
    fn new(form: Form, slots: Option<u64>, variances: &[[f64; 2]]) -> Self {
        let slots = slots.unwrap_or(form.slots) as f64;
        let demands = form.stages();
        let tolerances: Vec<f64> = demands
            .iter()
            .map(|demand| (demand.tolerance as f64 + 0.5) / (2.0 * demand.slots(slots)))
            .collect();
        let mut merits = Vec::new();
        for (demand, tolerance) in demands.iter().zip(&tolerances) {
            merits.push(tolerance.log2());
            let factors = [demand.input].into_iter().chain(demand.stages.iter().map(|(_, factor)| *factor));
            let noisy = factors.filter(|factor| *factor > 0.0);
            merits.extend(noisy.map(|factor| tolerance.log2() - factor.log2() / 2.0));
        }
        let mut levels = vec![1.0; demands.len()];
        for (stage, _) in form.result() {
            levels[stage] = SECOND_LEVEL;
        }
        let price = |(number, [arriving, between]): (usize, &[f64; 2])| -> f64 {
            let is_quiet = number >= ARRIVING.len();
            let stages = demands.iter().zip(&tolerances).zip(&levels);
            let prices = stages.map(|((demand, tolerance), level)| {
                let earlier: f64 = demand.stages.iter().map(|(_, factor)| factor).sum();
                let variance = demand.input * arriving + earlier * between;
                let left = tolerance * tolerance - KAPPA * KAPPA * variance;
                let one = MILLISECONDS[0] + MILLISECONDS[1] / left.max(0.0).sqrt();
                one * if is_quiet { SECOND_LEVEL } else { *level } * f64::from(demand.tables)
            });
            prices.sum()
        };
        let prices = variances.iter().enumerate().map(price).collect();
        Self { form, merits, prices }
    }

    /// By how much it is better in what it is best in.
    fn gain_over(&self, other: &Self) -> f64 {
        self.merits
            .iter()
            .zip(&other.merits)
            .map(|(own, other)| own - other)
            .fold(f64::NEG_INFINITY, f64::max)
    }
}
