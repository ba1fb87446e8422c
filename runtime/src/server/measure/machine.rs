//! The cost table of this machine.

use super::super::bootstrap::BlindRotation;
use super::super::rotations::{Extracted, PASS_BYTES, Rotated, accumulator_bytes, largest_pass, rotate_all};
use super::super::{CombineStep, Encrypted, Executor, KeySet, LinearStep, Lists, ServerKey, TestPolynomial};
use super::arbitrary::{key_set, keyswitch_key, small_ciphertexts, words};
use super::{Least, Median, pool};
use crate::client::shapes::Shapes;
use crate::kernels::{Factors, KeyswitchKernel, Tiles, Vectors};
use crate::machine::{Bootstraps, Keyswitch, Linear, Machine, VERSION};
use crate::program::message::{self, ParameterSet};
use crate::reference::message::Table;
use crate::units::{GlweShape, Spacing, accumulators};
use rayon::ThreadPool;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tfhe::core_crypto::prelude::LweSize;

/// How long to go on measuring.
const BUDGET: Duration = Duration::from_secs(75);

/// Bytes of keys that are passed over in turn, so that no key is still in a cache when its turn comes again.
const KEY_BYTES: usize = 64 << 20;

/// Fewest and most elements of the mask of a measured bootstrap.
const ELEMENTS: [usize; 2] = [4, 32];

/// How often each bootstrap is measured in a round.
const REPEATS: usize = 4;

/// Largest log2 of the coefficients of an accumulator.
const MAX_LOG2_SIZE: u32 = 17;

/// For how many powers of two beyond [`PASS_BYTES`] crowded accumulators are measured.
const CROWDED: usize = 3;

/// Measures all operations, for about 75 seconds; `progress` is told the part of that time that has passed.
///
/// # Panics
/// If the system gives no thread.
#[must_use]
pub fn machine(name: &str, progress: &(dyn Fn(f64) + Sync)) -> Machine {
    let start = Instant::now();
    let alone = pool(1);
    let mut cases: Vec<Case> = shapes().map(Case::new).collect();
    let (mut keyswitch, mut linear) = (KeyswitchCase::new(), LinearCase::new());
    let (mut together, mut crowded) = (Together::new(), Crowded::new());
    let mut longest = Duration::ZERO;
    while start.elapsed() + longest < BUDGET {
        let round = Instant::now();
        alone.install(|| keyswitch.measure());
        alone.install(|| linear.measure());
        crowded.measure();
        for case in &mut cases {
            together.measure(&alone);
            case.measure();
            progress((start.elapsed().as_secs_f64() / BUDGET.as_secs_f64()).min(1.0));
        }
        longest = longest.max(round.elapsed());
    }
    let mut bootstraps: Vec<Bootstraps> = cases.iter().map(Case::costs).collect();
    let four_bits = cases.iter().position(|case| case.shape == four_bits(1).glwe_shape());
    let key_factor = together.key_factor(&bootstraps[four_bits.expect("the shape is of use")]);
    bootstraps.iter_mut().for_each(|entry| entry.key = rounded(entry.key * key_factor));
    Machine {
        version: VERSION,
        name: name.to_owned(),
        cpu: cpu(),
        threads: rayon::current_num_threads() as u32,
        together: together.factor(),
        keyswitch: keyswitch.costs(),
        linear: linear.costs(),
        crowded: crowded.factors(),
        bootstraps,
    }
}

/// What the system calls its processor, and the vectors that the kernels use.
pub(super) fn cpu() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = known.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(':'));
    let name = line.map_or(std::env::consts::ARCH, str::trim);
    format!("{name}, {:?}, {} threads", Vectors::widest(), rayon::current_num_threads())
}

/// Shapes that are of use, in the order of the table: several polynomials up to where the noise has reached its floor.
fn shapes() -> impl Iterator<Item = GlweShape> {
    let shape = |(log2_size, dimension)| GlweShape { dimension, polynomial_size: 1usize << log2_size };
    let all = (8..=MAX_LOG2_SIZE).flat_map(|size| (1..=6).map(move |k| (size, k))).map(shape);
    all.filter(|shape| {
        let big = shape.lwe_dimension().0;
        big >= 512 && (shape.dimension == 1 || big <= 4096)
    })
}

/// Bootstraps of one shape: with few digits and with more, one alone and a full batch.
struct Case {
    shape: GlweShape,
    batch: usize,
    times: [[Difference; 2]; 2],
}

/// Digits of the bootstraps of a [`Case`].
const LEVELS: [u32; 2] = [1, 3];

/// Times of bootstraps with several elements of the mask, and with one: what is not in the loop over the mask cancels.
#[derive(Clone, Copy, Default)]
struct Difference {
    all: Least,
    one: Least,
    more: usize,
}

impl Difference {
    /// Nanoseconds of an element.
    fn nanoseconds(self) -> f64 {
        (self.all.seconds() - self.one.seconds()).max(1e-9) * 1e9 / self.more as f64
    }
}

impl Case {
    fn new(shape: GlweShape) -> Self {
        Self { shape, batch: largest_pass(shape, 0), times: Default::default() }
    }

    fn measure(&mut self) {
        let counts = [1, self.batch];
        for (level, times) in LEVELS.into_iter().zip(&mut self.times) {
            let (keys, short) = keys(self.shape, level);
            let mut turns = keys.iter().cycle();
            let mut next = || turns.next().expect("there is a key");
            let elements = keys.first().map_or(1, |key| key.shapes().small.0);
            for (count, times) in counts.into_iter().zip(times) {
                times.more = elements - 1;
                for _ in 0..REPEATS {
                    times.all.measure_bootstraps(next(), 0, count);
                    times.one.measure_bootstraps(&short, 0, count);
                }
            }
        }
    }

    fn costs(&self) -> Bootstraps {
        let batch = self.batch as f64;
        let [few, more] = LEVELS.map(f64::from);
        let [(few_key, few_product), (more_key, more_product)] = [0, 1].map(|index| {
            let [single, all] = self.times[index].map(Difference::nanoseconds);
            if self.batch == 1 {
                return (0.0, all);
            }
            let key = ((single - all / batch) * batch / (batch - 1.0)).max(0.0);
            (key, (all - key) / batch)
        });
        let digit = ((more_product - few_product) / (more - few)).clamp(0.0, few_product / few);
        Bootstraps {
            glwe_dimension: self.shape.dimension as u32,
            polynomial_size: self.shape.polynomial_size as u32,
            key: rounded((few_key / few + more_key / more) / 2.0),
            digit: rounded(digit),
            accumulator: rounded(few_product - few * digit),
        }
    }
}

/// Keys of some elements, more of them than the caches hold; and one of a single element.
fn keys(shape: GlweShape, level: u32) -> (Vec<KeySet>, KeySet) {
    let element = 8 * shape.polynomial_size * (shape.dimension + 1).pow(2) * level as usize;
    let elements = ((4 << 20) / element).clamp(ELEMENTS[0], ELEMENTS[1]);
    let set = |elements: usize| ParameterSet {
        lwe_dimension: elements as u32,
        glwe_dimension: shape.dimension as u32,
        polynomial_size: shape.polynomial_size as u32,
        pbs_base_log: 40 / level,
        pbs_level: level,
        ks_base_log: 1,
        ks_level: 1,
        ..ParameterSet::default()
    };
    let count = KEY_BYTES.div_ceil(element * elements);
    ((0..count).map(|_| key_set(&set(elements))).collect(), key_set(&set(1)))
}

/// Three digits tell as much as a measurement does.
fn rounded(nanoseconds: f64) -> f64 {
    format!("{nanoseconds:.2e}").parse().expect("a number that was just written")
}

impl Least {
    /// Measures one batch of rotations on this thread.
    fn measure_bootstraps(&mut self, key: &KeySet, extension: i32, count: usize) {
        let mut scratch = BlindRotation::new(key);
        with_rotations(key, extension, count, |mut rotated| {
            self.measure(|| scratch.run(extension, &mut rotated));
        });
    }
}

/// Prepares lookups after their keyswitch, and hands them over.
pub(super) fn with_rotations(
    key: &KeySet,
    extension: i32,
    count: usize,
    measure: impl FnOnce(Vec<Rotated<'_>>),
) {
    let shapes = *key.shapes();
    let log2_positions = (2 * shapes.polynomial.0 * accumulators(extension)).ilog2();
    let table = Table { lo: 0, values: vec![0, 1, 2, 3] };
    let polynomial = TestPolynomial::new(&table, 0, [Spacing::of_slots(4).0; 2], log2_positions);
    let small = small_ciphertexts(count, shapes.small.0, log2_positions, extension);
    let mut outputs = vec![0; count * shapes.big_size().0];
    let ciphertexts =
        small.chunks_exact(shapes.small.0 + 1).zip(outputs.chunks_exact_mut(shapes.big_size().0));
    measure(
        ciphertexts
            .map(|(small, words)| {
                let outputs = vec![Extracted { coefficient: 0, added: polynomial.half_center(), words }];
                Rotated { small, polynomial: &polynomial, outputs }
            })
            .collect(),
    );
}

/// A set like those that are found for lookups of four bits, with a key of some elements.
fn four_bits(elements: u32) -> ParameterSet {
    ParameterSet {
        lwe_dimension: elements,
        glwe_dimension: 2,
        polynomial_size: 1024,
        pbs_base_log: 23,
        pbs_level: 1,
        ks_base_log: 2,
        ks_level: 7,
        ..ParameterSet::default()
    }
}

/// The same batch on one thread, and one on each of all threads; and one ciphertext on each. With a key that no cache holds.
struct Together {
    key: ServerKey,
    pool: ThreadPool,
    one: Least,
    all: Median,
    small: Least,
}

impl Together {
    fn new() -> Self {
        let key = ServerKey::of([0; 32], vec![key_set(&four_bits(800))]);
        let pool = pool(rayon::current_num_threads());
        Self { key, pool, one: Least::default(), all: Median::default(), small: Least::default() }
    }

    fn measure(&mut self, alone: &ThreadPool) {
        let keys = &self.key.sets()[0];
        let batch = largest_pass(keys.shapes().glwe_shape(), 0);
        let threads = self.pool.current_num_threads();
        with_rotations(keys, 0, batch, |rotated| {
            self.one.measure_all(1, || rotate(&self.key, alone, rotated));
        });
        with_rotations(keys, 0, threads, |rotated| {
            self.small.measure_all(threads, || rotate(&self.key, &self.pool, rotated));
        });
        with_rotations(keys, 0, batch * threads, |rotated| {
            self.all.measure(|| rotate(&self.key, &self.pool, rotated));
        });
    }

    /// Of the median, relative to the least time alone.
    fn factor(&self) -> f64 {
        rounded((self.all.seconds() / self.one.seconds()).max(1.0))
    }

    /// Time to bring a key into cache while all threads do, from memory, relative to that of the shape's entry.
    fn key_factor(&self, entry: &Bootstraps) -> f64 {
        let element = self.small.seconds() * 1e9 / self.key.sets()[0].shapes().small.0 as f64;
        ((element - entry.product(1.0)) / entry.key.max(1.0)).max(1.0)
    }
}

/// On all threads of a pool.
pub(super) fn rotate(key: &ServerKey, pool: &ThreadPool, rotated: Vec<Rotated<'_>>) {
    pool.install(|| rotate_all(key, BTreeMap::from([((0, 0), rotated)]), &|_| ()));
}

/// Extended bootstraps whose accumulators have as many bytes as a batch, twice as many, and so on.
struct Crowded {
    keys: Vec<KeySet>,
    short: KeySet,
    first: i32,
    times: [Difference; CROWDED + 1],
}

impl Crowded {
    fn new() -> Self {
        let shape = GlweShape { dimension: 1, polynomial_size: 2048 };
        let (keys, short) = keys(shape, 1);
        let first = (PASS_BYTES / accumulator_bytes(shape, 0)).ilog2() as i32;
        Self { keys, short, first, times: Default::default() }
    }

    fn measure(&mut self) {
        for (extension, times) in (self.first..).zip(&mut self.times) {
            for key in self.keys.iter().take(2) {
                times.all.measure_bootstraps(key, extension, 1);
                times.one.measure_bootstraps(&self.short, extension, 1);
                times.more = updates(key.shapes().small.0, extension) - updates(1, extension);
            }
        }
    }

    /// They fall nowhere.
    fn factors(&self) -> Vec<f64> {
        let [one, more @ ..] = self.times.map(Difference::nanoseconds);
        let mut least = 1.0f64;
        let factor = |time: f64| {
            least = least.max(time / one);
            rounded(least)
        };
        more.into_iter().map(factor).collect()
    }
}

/// Accumulators that the elements of an arbitrary ciphertext's mask update.
fn updates(elements: usize, extension: i32) -> usize {
    let accumulators = accumulators(extension);
    let multiple = |index: usize| 1 << (index + accumulators).trailing_zeros().min(accumulators.ilog2());
    (0..elements).map(|index| accumulators / multiple(index)).sum()
}

/// Ciphertexts of a batch that fills one block of the kernel, and of one that fills several.
const BLOCKS: [usize; 2] = [Factors::BLOCK, 5 * Factors::BLOCK];

/// Keyswitches with a key as it is used, and with one of a single tile, whose cost is that of decomposing.
struct KeyswitchCase {
    wide: (KeyswitchKernel, [Least; 2]),
    narrow: (KeyswitchKernel, [Least; 2]),
    inputs: Vec<u64>,
    digits: f64,
}

impl KeyswitchCase {
    fn new() -> Self {
        let kernel = |small| KeyswitchKernel::new(&keyswitch_key(&Shapes::new(&four_bits(small))));
        let set = four_bits(1);
        Self {
            wide: (kernel(25 * Tiles::COLUMNS as u32 - 1), Default::default()),
            narrow: (kernel(Tiles::COLUMNS as u32 - 1), Default::default()),
            inputs: words(BLOCKS[1] * (set.big_dimension().0 + 1)),
            digits: f64::from(set.ks_level) * set.big_dimension().0 as f64,
        }
    }

    /// In a pool of one thread.
    fn measure(&mut self) {
        let inputs: Vec<&[u64]> = self.inputs.chunks_exact(self.inputs.len() / BLOCKS[1]).collect();
        for (kernel, times) in [&mut self.wide, &mut self.narrow] {
            for (count, least) in BLOCKS.into_iter().zip(times) {
                let mut outputs = vec![0; count * kernel.output_size()];
                least.measure(|| kernel.run(&inputs[..count], &mut outputs));
            }
        }
    }

    fn costs(&self) -> Keyswitch {
        let more = (BLOCKS[1] - BLOCKS[0]) as f64 * self.digits;
        let of_digit = |times: &[Least; 2]| (times[1].seconds() - times[0].seconds()) * 1e9 / more;
        let (wide, narrow) = (of_digit(&self.wide.1), of_digit(&self.narrow.1));
        let columns = [&self.wide.0, &self.narrow.0].map(|kernel| kernel.output_size() as f64);
        let multiply_add = (wide - narrow) / (columns[0] - columns[1]);
        let digit = (narrow - columns[1] * multiply_add).max(0.0);
        let first = self.wide.1[0].seconds() * 1e9 / self.digits;
        let key_word = (first - BLOCKS[0] as f64 * (columns[0] * multiply_add + digit)) / columns[0];
        Keyswitch {
            multiply_add: rounded(multiply_add),
            digit: rounded(digit),
            key_word: rounded(key_word.max(0.0)),
        }
    }
}

/// Rows and columns of measured layers: few and many of both.
const LAYERS: [(usize, usize); 3] =
    [(2 * Factors::BLOCK, 256), (16 * Factors::BLOCK, 256), (16 * Factors::BLOCK, 32)];

/// Linear layers, and a sum of two lists.
struct LinearCase {
    key: ServerKey,
    size: LweSize,
    layers: [(message::Linear, Lists, Least); 3],
    combined: Least,
}

impl LinearCase {
    fn new() -> Self {
        let size = Shapes::new(&four_bits(1)).big_size();
        let layer = |(rows, columns): (usize, usize)| {
            let weights = words(rows * columns).into_iter().map(|word| (word % 15) as i64 - 7).collect();
            let layer = message::Linear {
                rows: rows as u32,
                weights,
                bias: vec![1; rows],
                spacing: 1,
                ..message::Linear::default()
            };
            (layer, Lists { words: words(columns * size.0), samples: 1 }, Least::default())
        };
        let key = ServerKey::of([0; 32], Vec::new());
        Self { key, size, layers: LAYERS.map(layer), combined: Least::default() }
    }

    /// In a pool of one thread.
    fn measure(&mut self) {
        let mut executor = Encrypted::new(&self.key, self.size, 1, &|_| ());
        for (linear, input, least) in &mut self.layers {
            let step = LinearStep {
                node: "",
                linear,
                factors: vec![1; linear.weights.len() / linear.rows as usize],
            };
            least.measure(|| drop(executor.linear(&step, &[input])));
        }
        let list = &self.layers[0].1;
        let combine = message::Combine { bias: vec![1; LAYERS[0].1], ..message::Combine::default() };
        let step = CombineStep { node: "", combine: &combine, torus_weights: vec![3, 5] };
        self.combined.measure(|| drop(executor.combine(&step, &[list, list])));
    }

    fn costs(&self) -> Linear {
        // For each word of a ciphertext: few rows, many rows, many rows of few columns.
        let [few, many, short] =
            [0, 1, 2].map(|index| self.layers[index].2.seconds() * 1e9 / self.size.0 as f64);
        let [(rows, columns), (more, _), (_, less)] =
            LAYERS.map(|(rows, columns)| (rows as f64, columns as f64));
        let row = (many - few) / (more - rows);
        let input_word = ((few - rows * row) / columns).max(0.0);
        let short_row = (short - less * input_word) / more;
        let multiply_add = (row - short_row) / (columns - less);
        let combined = self.combined.seconds() * 1e9 / (2.0 * columns * self.size.0 as f64);
        Linear {
            multiply_add: rounded(multiply_add),
            input_word: rounded(input_word),
            output_word: rounded((row - columns * multiply_add).max(0.0)),
            combined_word: rounded(combined),
        }
    }
}
