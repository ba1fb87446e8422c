use super::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tfhe::core_crypto::prelude::{
    CiphertextModulus, ContiguousEntityContainer, DecompositionBaseLog, DecompositionLevelCount,
    FourierGgswCiphertext, GlweCiphertext, GlweSize, LweBootstrapKeyOwned, PolynomialSize,
    add_external_product_assign, convert_standard_ggsw_ciphertext_to_fourier,
};

/// A key of arbitrary words: a step is the same sum whatever the key holds.
fn arbitrary_key(shape: Shape, bits: usize, random: &mut ChaCha8Rng) -> LweBootstrapKeyOwned<u64> {
    LweBootstrapKeyOwned::from_container(
        (0..bits * shape.bit_length()).map(|_| random.random()).collect(),
        GlweSize(shape.polynomials),
        PolynomialSize(shape.size),
        DecompositionBaseLog(shape.base_log as usize),
        DecompositionLevelCount(shape.level),
        CiphertextModulus::new_native(),
    )
}

/// `X^degree * source - target`, coefficient by coefficient.
fn rotated_difference(source: &[u64], target: &[u64], degree: usize) -> Vec<u64> {
    let size = source.len();
    let mut difference: Vec<u64> = target.iter().map(|word| word.wrapping_neg()).collect();
    for (index, word) in source.iter().enumerate() {
        let place = (index + degree) % (2 * size);
        let term = if place < size { *word } else { word.wrapping_neg() };
        difference[place % size] = difference[place % size].wrapping_add(term);
    }
    difference
}

/// `sum += digits * key` in Z[X]/(X^N + 1), exactly.
fn multiply_polynomials(sum: &mut [u64], digits: &[i64], key: &[u64]) {
    let size = sum.len();
    for (i, digit) in digits.iter().enumerate() {
        for (j, word) in key.iter().enumerate() {
            let term = word.wrapping_mul(*digit as u64);
            let place = &mut sum[(i + j) % size];
            *place = if i + j < size { place.wrapping_add(term) } else { place.wrapping_sub(term) };
        }
    }
}

/// The digits of a number, the last level first: from -B/2 to B/2 - 1.
fn digits(shape: Shape, word: u64) -> Vec<i64> {
    let (base, below) = (1u64 << shape.base_log, 64 - shape.level as u32 * shape.base_log);
    let mut rest = word.wrapping_add(1 << (below - 1)) >> below;
    let mut digit = || {
        let digit = rest % base;
        let carry = u64::from(digit >= base / 2);
        rest = rest / base + carry;
        digit as i64 - (base * carry) as i64
    };
    (0..shape.level).map(|_| digit()).collect()
}

/// One step by the book.
fn step(shape: Shape, key: &[u64], accumulators: &[Vec<u64>], rotation: &Rotation) -> Vec<u64> {
    let (source, target) = (&accumulators[rotation.source], &accumulators[rotation.target]);
    let mut result = target.clone();
    for polynomial in 0..shape.polynomials {
        let range = polynomial * shape.size..(polynomial + 1) * shape.size;
        let difference = rotated_difference(&source[range.clone()], &target[range], rotation.degree);
        let digits: Vec<Vec<i64>> = difference.iter().map(|word| digits(shape, *word)).collect();
        for level in 0..shape.level {
            let digits: Vec<i64> = digits.iter().map(|digits| digits[level]).collect();
            let row = (level * shape.polynomials + polynomial) * shape.polynomials * shape.size;
            let columns = key[row..row + shape.polynomials * shape.size].chunks_exact(shape.size);
            for (sum, key) in result.chunks_exact_mut(shape.size).zip(columns) {
                multiply_polynomials(sum, &digits, key);
            }
        }
    }
    result
}

fn fill(accumulators: &mut Accumulators, values: &[Vec<u64>]) {
    let shape = accumulators.shape;
    for (index, value) in values.iter().enumerate() {
        accumulators.set(index, std::iter::empty());
        for (polynomial, words) in value.chunks_exact(shape.size).enumerate() {
            let range = shape.range(accumulators.places[index].0, polynomial);
            let to = &mut accumulators.words[range];
            to[..shape.size].copy_from_slice(words);
            repeat_start(to, shape.size);
        }
    }
}

fn content(accumulators: &Accumulators, index: usize) -> Vec<u64> {
    (0..accumulators.shape.polynomials).flat_map(|p| accumulators.polynomial(index, p).to_vec()).collect()
}

/// Largest distance on the torus, in turns.
fn distance(a: &[u64], b: &[u64]) -> f64 {
    let distance = |(a, b): (&u64, &u64)| (a.wrapping_sub(*b) as i64 as f64 * (-64f64).exp2()).abs();
    a.iter().zip(b).map(distance).fold(0.0, f64::max)
}

/// Rounding to doubles: the products have `rows * size` terms of up to half the base, in units of 2^-53.
fn rounding(shape: Shape) -> f64 {
    let terms = (shape.rows() * shape.size) as f64;
    (f64::from(shape.base_log) - 1.0 - 53.0).exp2() * terms
}

fn assert_step(shape: Shape, count: usize, in_place: bool, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let key = arbitrary_key(shape, 2, &mut random);
    let length = shape.polynomials * shape.size;
    let values: Vec<Vec<u64>> = (0..count).map(|_| (0..length).map(|_| random.random()).collect()).collect();
    let rotations: Vec<Rotation> = (0..count)
        .map(|target| Rotation {
            target,
            source: if in_place { target } else { (target + 1) % count },
            degree: (seed as usize).wrapping_mul(target + 1) % (2 * shape.size),
        })
        .collect();
    let bit = 1;
    let words = &key.as_ref()[bit * shape.bit_length()..];
    let expected: Vec<Vec<u64>> =
        rotations.iter().map(|rotation| step(shape, words, &values, rotation)).collect();
    let mut portable = Vec::new();
    for vectors in Vectors::available() {
        let kernel = BootstrapKernel::with_vectors(&key, vectors);
        let mut accumulators = kernel.accumulators(count);
        fill(&mut accumulators, &values);
        kernel.rotate(bit, &mut accumulators, &rotations);
        let found: Vec<Vec<u64>> = (0..count).map(|index| content(&accumulators, index)).collect();
        for (found, expected) in found.iter().zip(&expected) {
            let distance = distance(found, expected);
            let bound = rounding(shape);
            assert!(distance < bound, "{vectors:?}, {shape:?}: 2^{} of 2^{}", distance.log2(), bound.log2());
        }
        match vectors {
            Vectors::Portable => portable = found,
            Vectors::Avx2 => assert!(found == portable, "bits of four lanes"),
            Vectors::Avx512 => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_step_is_the_sum_by_the_book(
        polynomials in 2usize..5,
        log2_size in 7u32..9,
        level in 1usize..4,
        base_log in 2u32..13,
        count in 1usize..5,
        in_place: bool,
        seed: u64,
    ) {
        let shape = Shape { polynomials, size: 1 << log2_size, level, base_log };
        assert_step(shape, count, in_place, seed);
    }
}

#[test]
fn every_shape_has_its_code() {
    for polynomials in 2..=8 {
        assert_step(Shape { polynomials, size: 128, level: 1, base_log: 8 }, 3, true, 12345);
    }
    for log2_size in 9..=11 {
        assert_step(Shape { polynomials: 2, size: 1 << log2_size, level: 2, base_log: 10 }, 1, true, 54321);
    }
}

/// A plain external product of `tfhe` and ours, on a key of arbitrary words: no digit of these numbers is half the base,
/// which both sides may write as either sign with a carry.
#[test]
fn a_step_is_that_of_tfhe() {
    for (polynomials, size, level, base_log) in [(3, 1024, 1, 23), (5, 512, 1, 20), (2, 2048, 2, 18)] {
        let shape = Shape { polynomials, size, level, base_log };
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let key = arbitrary_key(shape, 1, &mut random);
        let values: Vec<u64> = (0..polynomials * size).map(|_| random.random()).collect();
        let degree = size + 77;
        let differences = values
            .chunks_exact(size)
            .flat_map(|words| rotated_difference(words, words, degree))
            .collect::<Vec<u64>>();
        let modulus = CiphertextModulus::new_native();
        let glwe = |words: Vec<u64>| GlweCiphertext::from_container(words, PolynomialSize(size), modulus);
        let mut expected = glwe(values.clone());
        let mut fourier = FourierGgswCiphertext::new(
            GlweSize(polynomials),
            PolynomialSize(size),
            DecompositionBaseLog(base_log as usize),
            DecompositionLevelCount(level),
        );
        convert_standard_ggsw_ciphertext_to_fourier(&key.iter().next().unwrap(), &mut fourier);
        add_external_product_assign(&mut expected, &fourier, &glwe(differences));
        let kernel = BootstrapKernel::new(&key);
        let mut accumulators = kernel.accumulators(1);
        fill(&mut accumulators, &[values]);
        kernel.rotate(0, &mut accumulators, &[Rotation { target: 0, source: 0, degree }]);
        let distance = distance(&content(&accumulators, 0), expected.as_ref());
        assert!(distance < rounding(shape), "{shape:?}: 2^{}", distance.log2());
    }
}

#[test]
fn the_floor_leaves_out_no_product() {
    let shape = Shape { polynomials: 3, size: 256, level: 2, base_log: 7 };
    let key = arbitrary_key(shape, 1, &mut ChaCha8Rng::seed_from_u64(5));
    for vectors in Vectors::available() {
        let kernel = BootstrapKernel::with_vectors(&key, vectors);
        let mut floor = Floor::new(&kernel);
        floor.run();
        floor.run();
        let digits: Vec<i64> = floor.digits.iter().map(|digit| *digit as i64).collect();
        let mut expected = vec![0; shape.polynomials * shape.size];
        for row in key.as_ref().chunks_exact(expected.len()) {
            let columns = row.chunks_exact(shape.size);
            for (sum, key) in expected.chunks_exact_mut(shape.size).zip(columns) {
                multiply_polynomials(sum, &digits, key);
            }
        }
        for sums in floor.sums.chunks_exact(expected.len()) {
            let word = |turns: &f64| ((turns - turns.floor()) * 64f64.exp2()) as u64;
            let found: Vec<u64> = sums.iter().map(word).collect();
            assert!(distance(&found, &expected) < rounding(shape), "{vectors:?}");
        }
    }
}
