//! Products of a small integer matrix with a large matrix of torus elements, modulo 2^64.
//!
//! Both the keyswitch (digits times key) and a linear layer (weights times ciphertexts) are of this form. The large
//! matrix is stored in tiles of a few columns, so that one pass over it serves a whole batch from registers.

use super::{HugeBuffer, Vectors};
use rayon::prelude::*;

/// Columns of a tile: four vectors of 512 bits.
const COLUMNS: usize = 32;

/// Rows of the small matrix that are worked on at once: with 4 vectors each they fill the registers.
const BLOCK: usize = 6;

/// Rows of a tile that stay in the first cache levels while all blocks pass over them: 128 KiB.
const STRIP: usize = 512;

/// The large matrix: `rows x columns` torus elements.
pub struct Tiles {
    data: HugeBuffer<u64>,
    rows: usize,
    columns: usize,
}

/// The small matrix: `count x rows` integers, laid out for the kernel.
pub struct Factors {
    data: Vec<i64>,
    rows: usize,
    count: usize,
}

impl Factors {
    /// Lines that are worked on at once: fewer cost as much.
    pub const BLOCK: usize = BLOCK;

    /// All zero.
    #[must_use]
    pub fn zeros(count: usize, rows: usize) -> Self {
        Self { data: vec![0; count.div_ceil(BLOCK) * rows * BLOCK], rows, count }
    }

    /// Groups of [`Self::BLOCK`] lines; element `row` of line `index` of a group is at `row * BLOCK + index`.
    pub fn par_blocks(&mut self) -> impl IndexedParallelIterator<Item = &mut [i64]> {
        self.data.par_chunks_exact_mut((self.rows * BLOCK).max(1))
    }

    /// How many lines there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl Tiles {
    /// Columns that are worked on at once: fewer cost as much.
    pub const COLUMNS: usize = COLUMNS;

    /// Lays out a matrix given row by row; each row must have `columns` elements. Uses all threads of the pool.
    #[must_use]
    pub fn new(columns: usize, rows: &[&[u64]]) -> Self {
        let mut data = HugeBuffer::zeros(columns.div_ceil(COLUMNS) * rows.len() * COLUMNS);
        data.par_chunks_exact_mut((rows.len() * COLUMNS).max(1)).enumerate().for_each(|(tile, data)| {
            let start = tile * COLUMNS;
            let width = COLUMNS.min(columns - start);
            for (to, row) in data.chunks_exact_mut(COLUMNS).zip(rows) {
                to[..width].copy_from_slice(&row[start..start + width]);
            }
        });
        Self { data, rows: rows.len(), columns }
    }

    /// Rows of the large matrix.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the large matrix.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// `factors * self` into `outputs`: one line of `columns` elements for each line of the factors. The threads of the pool
    /// share the tiles: each tile is read once.
    pub fn multiply(&self, factors: &Factors, outputs: &mut [u64]) {
        self.multiply_with(factors, outputs, Vectors::widest());
    }

    /// The same with vectors of a given width, which the machine must have.
    ///
    /// # Panics
    /// If the shapes do not match.
    pub fn multiply_with(&self, factors: &Factors, outputs: &mut [u64], vectors: Vectors) {
        assert_eq!(factors.rows, self.rows, "inner dimensions of a product");
        assert_eq!(outputs.len(), factors.count * self.columns, "size of a product");
        if factors.count == 0 {
            return;
        }
        let lines = factors.count.next_multiple_of(BLOCK);
        let mut sums = vec![0; self.columns.div_ceil(COLUMNS) * lines * COLUMNS];
        sums.par_chunks_exact_mut(lines * COLUMNS).enumerate().for_each(|(tile, sums)| {
            self.multiply_tile(tile, factors, sums, vectors);
        });
        outputs.par_chunks_exact_mut(self.columns).enumerate().for_each(|(line, output)| {
            for (tile, part) in output.chunks_mut(COLUMNS).enumerate() {
                let start = (tile * lines + line) * COLUMNS;
                part.copy_from_slice(&sums[start..start + part.len()]);
            }
        });
    }

    /// Adds the products with one tile to the sums of all lines.
    fn multiply_tile(&self, tile: usize, factors: &Factors, sums: &mut [u64], vectors: Vectors) {
        for first in (0..self.rows).step_by(STRIP) {
            let last = (first + STRIP).min(self.rows);
            let strip = &self.data[(tile * self.rows + first) * COLUMNS..(tile * self.rows + last) * COLUMNS];
            for (block, sums) in sums.chunks_exact_mut(BLOCK * COLUMNS).enumerate() {
                let start = (block * self.rows + first) * BLOCK;
                let factors = &factors.data[start..start + (last - first) * BLOCK];
                multiply_add(strip, factors, sums, vectors);
            }
        }
    }
}

/// `sums[b][c] += sum_r strip[r][c] * factors[r][b]` for one block and one tile.
fn multiply_add(strip: &[u64], factors: &[i64], sums: &mut [u64], vectors: Vectors) {
    debug_assert_eq!(strip.len() / COLUMNS, factors.len() / BLOCK);
    debug_assert_eq!(sums.len(), BLOCK * COLUMNS);
    match vectors {
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => {
            assert_eq!(Vectors::widest(), Vectors::Avx512, "the machine has these vectors");
            // SAFETY: the features were just checked.
            unsafe { multiply_add_avx512(strip, factors, sums) }
        }
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => {
            assert_ne!(Vectors::widest(), Vectors::Portable, "the machine has these vectors");
            // SAFETY: the feature was just checked.
            unsafe { multiply_add_avx2(strip, factors, sums) }
        }
        _ => multiply_add_portable(strip, factors, sums),
    }
}

#[inline(always)]
fn multiply_add_portable(strip: &[u64], factors: &[i64], sums: &mut [u64]) {
    // Eight columns of one line at a time: few enough sums to stay in registers of any machine.
    for (line, sum) in sums.chunks_exact_mut(COLUMNS).enumerate() {
        for (part, sum) in sum.chunks_exact_mut(8).enumerate() {
            let mut local: [u64; 8] = std::array::from_fn(|column| sum[column]);
            for (row, factors) in strip.chunks_exact(COLUMNS).zip(factors.chunks_exact(BLOCK)) {
                let factor = factors[line] as u64;
                for (sum, key) in local.iter_mut().zip(&row[part * 8..part * 8 + 8]) {
                    *sum = sum.wrapping_add(key.wrapping_mul(factor));
                }
            }
            sum.copy_from_slice(&local);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn multiply_add_avx2(strip: &[u64], factors: &[i64], sums: &mut [u64]) {
    multiply_add_portable(strip, factors, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn multiply_add_avx512(strip: &[u64], factors: &[i64], sums: &mut [u64]) {
    use std::arch::x86_64::{
        __m512i, _mm512_add_epi64, _mm512_loadu_si512, _mm512_mullo_epi64, _mm512_set1_epi64,
        _mm512_setzero_si512, _mm512_storeu_si512,
    };
    const VECTORS: usize = COLUMNS / 8;
    // SAFETY: a caller passes slices of at least 8 elements from the given place on.
    let load = |from: &[u64]| unsafe { _mm512_loadu_si512(from[..8].as_ptr().cast()) };
    let mut registers = [[_mm512_setzero_si512(); VECTORS]; BLOCK];
    for (line, sum) in registers.iter_mut().zip(sums.chunks_exact(COLUMNS)) {
        *line = std::array::from_fn(|part| load(&sum[part * 8..]));
    }
    for (row, factors) in strip.chunks_exact(COLUMNS).zip(factors.chunks_exact(BLOCK)) {
        let keys: [__m512i; VECTORS] = std::array::from_fn(|part| load(&row[part * 8..]));
        for (line, factor) in registers.iter_mut().zip(factors) {
            let factor = _mm512_set1_epi64(*factor);
            for (sum, key) in line.iter_mut().zip(keys) {
                *sum = _mm512_add_epi64(*sum, _mm512_mullo_epi64(key, factor));
            }
        }
    }
    for (line, sum) in registers.iter().zip(sums.chunks_exact_mut(COLUMNS)) {
        for (vector, part) in line.iter().zip(sum.chunks_exact_mut(8)) {
            // SAFETY: `part` has 8 elements.
            unsafe { _mm512_storeu_si512(part.as_mut_ptr().cast(), *vector) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    fn naive(matrix: &[Vec<u64>], factors: &[Vec<i64>]) -> Vec<u64> {
        let mut result = Vec::new();
        for line in factors {
            for column in 0..matrix[0].len() {
                let terms = line.iter().zip(matrix).map(|(f, row)| row[column].wrapping_mul(*f as u64));
                result.push(terms.fold(0, u64::wrapping_add));
            }
        }
        result
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_width_of_vectors_gives_the_plain_product(count in 1usize..14, rows in 1usize..1100, columns in 1usize..70, seed: u64) {
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let matrix: Vec<Vec<u64>> = (0..rows).map(|_| (0..columns).map(|_| random.random()).collect()).collect();
            let lines: Vec<Vec<i64>> = (0..count).map(|_| (0..rows).map(|_| random.random()).collect()).collect();
            let tiles = Tiles::new(columns, &matrix.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut factors = Factors::zeros(count, rows);
            factors.par_blocks().zip(lines.par_chunks(BLOCK)).for_each(|(block, lines)| {
                for (index, line) in lines.iter().enumerate() {
                    line.iter().enumerate().for_each(|(row, value)| block[row * BLOCK + index] = *value);
                }
            });
            let expected = naive(&matrix, &lines);
            for vectors in Vectors::available() {
                let mut found = vec![1; count * columns];
                tiles.multiply_with(&factors, &mut found, vectors);
                prop_assert!(found == expected, "{vectors:?}");
            }
        }
    }
}
