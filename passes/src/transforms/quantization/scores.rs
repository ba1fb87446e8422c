//! How much it matters where the outputs of a network, read as scores of classes, go.

use cml_runtime::reference::Value;
use ndarray::{Array2, ArrayView1};

/// Rows of scores without their mean over the classes; a single score stays.
#[must_use]
pub fn centred(scores: &Array2<f64>) -> Array2<f64> {
    let mut scores = scores.clone();
    if scores.ncols() > 1 {
        for mut row in scores.rows_mut() {
            let mean = row.sum() / row.len() as f64;
            row -= mean;
        }
    }
    scores
}

/// Half the root mean square of the rows' lengths: below it a row counts as near the decision.
#[must_use]
pub fn margin(centred: &Array2<f64>) -> f64 {
    let squares: f64 = centred.iter().map(|score| score * score).sum();
    (squares / centred.nrows().max(1) as f64).sqrt() / 2.0
}

/// How much a row counts, 1 at the decision and less away from it. One score decides nothing that we know of: all count alike.
#[must_use]
pub fn importance(centred: &ArrayView1<'_, f64>, margin: f64) -> f64 {
    if centred.len() < 2 || margin == 0.0 {
        return 1.0;
    }
    1.0 / (1.0 + centred.dot(centred) / (margin * margin))
}

/// How many rows have another largest score, plus a thousandth of how far the scores are apart, far from the decision less.
#[must_use]
pub fn disagreement(scores: &Array2<f64>, wanted: &Array2<f64>, margin: f64) -> f64 {
    let bounded = |row: &ArrayView1<'_, f64>| {
        let length = (margin * margin + row.dot(row)).sqrt();
        row.mapv(|score| if length == 0.0 { 0.0 } else { score / length })
    };
    let rows = scores.rows().into_iter().zip(wanted.rows());
    rows.map(|(score, wanted)| {
        let distance = bounded(&score) - bounded(&wanted);
        let differs = largest(&score) != largest(&wanted);
        f64::from(u8::from(differs)) + 1e-3 * distance.dot(&distance)
    })
    .sum()
}

/// What a network's outputs decide: the index of the largest number of each row, the sign where there is one number; integers
/// are decisions themselves.
#[must_use]
pub fn decisions(outputs: &[Value]) -> Vec<i64> {
    let of = |output: &Value| -> Vec<i64> {
        if let Some(integers) = output.as_integers() {
            return integers.iter().copied().collect();
        }
        let values: Vec<f64> =
            output.as_floats().into_iter().flatten().map(|value| f64::from(*value)).collect();
        match output.shape().last() {
            None | Some(0 | 1) => values.iter().map(|value| i64::from(*value > 0.0)).collect(),
            Some(width) => values.chunks(*width).map(|row| largest(&ArrayView1::from(row)) as i64).collect(),
        }
    };
    outputs.iter().flat_map(of).collect()
}

/// The first of the largest.
fn largest(row: &ArrayView1<'_, f64>) -> usize {
    (0..row.len()).rev().max_by(|i, j| row[*i].total_cmp(&row[*j])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_far_from_the_decision_count_less() {
        let scores = centred(&array![[0.1, 0.0], [9.0, 0.0]]);
        let margin = margin(&scores);
        let [near, far] = [0, 1].map(|row| importance(&scores.row(row), margin));
        assert!(near > 0.99 && far < 0.4, "{near} {far}");
        assert_eq!(importance(&array![5.0].view(), margin), 1.0);
    }

    #[test]
    fn outputs_decide_by_their_largest_number_or_their_sign() {
        let rows = Value::floats(&[2, 3], vec![0.0, 2.0, 2.0, -1.0, -3.0, -2.0]).unwrap();
        let one = Value::floats(&[1, 1], vec![-0.5]).unwrap();
        let class = Value::integers(&[1], vec![7]).unwrap();
        assert_eq!(decisions(&[rows, one, class]), [1, 0, 0, 7]);
    }

    #[test]
    fn another_largest_score_outweighs_distances() {
        let wanted = array![[1.0, 0.0], [0.0, 1.0]];
        let wider = array![[3.0, 0.0], [0.0, 3.0]];
        let other = array![[0.49, 0.5], [0.0, 1.0]];
        assert!(disagreement(&wider, &wanted, 0.5) < 0.01);
        assert!(disagreement(&other, &wanted, 0.5) > 1.0);
        assert_eq!(disagreement(&wanted, &wanted, 0.5), 0.0);
    }
}
