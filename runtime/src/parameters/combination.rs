//! Ciphertexts as exact combinations of independent sources of noise.

/// One ciphertext, modulo 2^64: weights on sources in increasing order, none of them 0, and a clear constant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Combination {
    pub(super) terms: Vec<(u32, i64)>,
    pub(super) constant: u64,
}

impl Combination {
    pub(super) fn source(source: u32) -> Self {
        Self { terms: vec![(source, 1)], constant: 0 }
    }

    /// What adding it to a sum costs, in multiplications.
    pub(super) fn work(&self) -> u64 {
        1 + self.terms.len() as u64
    }
}

/// A weighted sum of combinations, kept dense while it is made.
pub(super) struct Sum {
    weights: Vec<i64>,
    is_touched: Vec<bool>,
    touched: Vec<u32>,
    constant: u64,
}

impl Sum {
    /// 0, of combinations of that many sources.
    pub(super) fn new(sources: u32) -> Self {
        let sources = sources as usize;
        Self { weights: vec![0; sources], is_touched: vec![false; sources], touched: Vec::new(), constant: 0 }
    }

    /// Adds a clear constant, on the torus.
    pub(super) fn add_constant(&mut self, constant: u64) {
        self.constant = self.constant.wrapping_add(constant);
    }

    /// Adds a combination times a weight, which includes the ratio of the two spacings.
    pub(super) fn add(&mut self, weight: i64, combination: &Combination) {
        if weight == 0 {
            return;
        }
        self.add_constant(combination.constant.wrapping_mul(weight as u64));
        for (source, inner) in &combination.terms {
            let sum = &mut self.weights[*source as usize];
            *sum = sum.wrapping_add(weight.wrapping_mul(*inner));
            if !std::mem::replace(&mut self.is_touched[*source as usize], true) {
                self.touched.push(*source);
            }
        }
    }

    /// The sum so far; what is added from here on starts at 0.
    pub(super) fn take(&mut self) -> Combination {
        self.touched.sort_unstable();
        let (weights, is_touched) = (&mut self.weights, &mut self.is_touched);
        let weight_of = |source: u32| {
            is_touched[source as usize] = false;
            (source, std::mem::take(&mut weights[source as usize]))
        };
        let terms = self.touched.drain(..).map(weight_of).filter(|(_, weight)| *weight != 0).collect();
        Combination { terms, constant: std::mem::take(&mut self.constant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_sparse_and_start_anew() {
        let mut sum = Sum::new(4);
        let pair = Combination { terms: vec![(1, 2), (3, 5)], constant: 7 };
        sum.add(3, &pair);
        sum.add(-6, &Combination::source(1));
        sum.add(0, &Combination::source(2));
        sum.add_constant(1);
        assert_eq!(sum.take(), Combination { terms: vec![(3, 15)], constant: 22 });
        sum.add(1, &pair);
        assert_eq!(sum.take(), pair);
        assert_eq!(sum.take(), Combination::default());
    }
}
