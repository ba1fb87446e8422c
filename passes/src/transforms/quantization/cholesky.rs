//! The triangle of a symmetric matrix: these few lines are all that is needed of linear algebra.

use ndarray::Array2;

/// The lower triangle `L` with `L L^T = matrix + added I`; `None` where that is not positive.
#[must_use]
pub fn cholesky(matrix: &Array2<f64>, added: f64) -> Option<Array2<f64>> {
    let size = matrix.nrows();
    let mut lower = Array2::<f64>::zeros((size, size));
    for row in 0..size {
        for column in 0..=row {
            let before = ndarray::s![..column];
            let known = lower.row(row).slice(before).dot(&lower.row(column).slice(before));
            let rest = matrix[(row, column)] - known;
            if row == column {
                let rest = rest + added;
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                lower[(row, row)] = rest.sqrt();
            } else {
                lower[(row, column)] = rest / lower[(column, column)];
            }
        }
    }
    Some(lower)
}

/// The solution of `L L^T x = right`.
#[must_use]
pub fn solve(lower: &Array2<f64>, mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for row in 0..size {
        let known: f64 = (0..row).map(|column| lower[(row, column)] * right[column]).sum();
        right[row] = (right[row] - known) / lower[(row, row)];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|below| lower[(below, row)] * right[below]).sum();
        right[row] = (right[row] - known) / lower[(row, row)];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn solutions_solve() {
        let matrix = array![[4.0, 2.0, 0.5], [2.0, 3.0, 1.0], [0.5, 1.0, 2.0]];
        let lower = cholesky(&matrix, 0.5).unwrap();
        let found = Array1::from(solve(&lower, vec![1.0, -2.0, 3.0]));
        let back = matrix.dot(&found) + 0.5 * &found;
        for (found, wanted) in back.iter().zip([1.0, -2.0, 3.0]) {
            assert!((found - wanted).abs() < 1e-12);
        }
        assert!(cholesky(&array![[0.0]], 0.0).is_none());
    }
}
