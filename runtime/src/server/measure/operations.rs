//! Operations beside the floor of the machine, and beside plain calls of `tfhe` at the same parameters.

use super::super::returns::shorten;
use super::super::{BootstrapStep, Encrypted, Executor, LinearStep, Lists, Phase, ServerKey, Switched};
use super::arbitrary::{key_set, words};
use super::machine::{cpu, rotate, with_rotations};
use super::plain::{Plain, weighted_sums};
use super::{Least, pool};
use crate::client::bits;
use crate::client::shapes::Shapes;
use crate::kernels::Floor;
use crate::machine::sorted_components;
use crate::program::Reading;
use crate::program::message::{Bootstrap, Compare, Comparisons, Linear, ParameterSet, Returned};
use crate::reference::message::Table;
use crate::units::Spacing;
use rayon::ThreadPool;
use serde::Serialize;

/// External products of one measurement of the floor.
const FLOOR_PRODUCTS: usize = 1000;

/// Lookups of one measurement of plain calls, for each thread.
const PLAIN: usize = 8;

/// Slots of half a turn, of every input and result.
const SLOTS: u64 = 16;

/// Ciphertexts that single operations are measured on, rows and columns of the layer among them.
const COUNT: usize = 100;

/// Results of one rotation.
const THRESHOLDS: i64 = 7;

/// Bits of a word that is returned.
const STORED_BITS: u32 = 12;

/// What operations take; all times are milliseconds for one ciphertext.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operations {
    /// What the system calls the processor, and the vectors that the kernels use.
    pub cpu: String,
    /// How many threads `all_threads` are.
    pub threads: usize,
    /// Lookups in batches, by width.
    pub lookups: Vec<Lookup>,
    /// Other operations, at the parameters of the lookups of 4 bits.
    pub operations: Vec<Operation>,
}

/// Lookups of one width in batches: keyswitch, modulus switch, bootstrap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lookup {
    /// Bits of the table.
    pub bits: u32,
    /// n, of the small key.
    pub lwe_dimension: u32,
    /// k.
    pub glwe_dimension: u32,
    /// N.
    pub polynomial_size: u32,
    /// Digits of the bootstrap.
    pub pbs_level: u32,
    /// log2 of the number of accumulators.
    pub extension: i32,
    /// Lookups of a batch.
    pub batch: usize,
    /// The transforms and multiply-adds of the bootstrap alone, on data in cache, on one thread.
    pub floor: f64,
    /// In a batch on one thread.
    pub one_thread: f64,
    /// In twice the batch on one thread.
    pub twice_the_batch: f64,
    /// In a batch on all threads.
    pub all_threads: f64,
    /// By plain calls on one thread; `None` for extended bootstraps, which `tfhe` does not have.
    pub plain_one_thread: Option<f64>,
    /// By plain calls on all threads, a task for each lookup.
    pub plain_all_threads: Option<f64>,
}

/// One operation in a batch, on one thread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// What it is.
    pub operation: String,
    /// Ciphertexts of the batch.
    pub batch: usize,
    /// As [`Lookup::floor`]; `None` where there is no transform.
    pub floor: Option<f64>,
    /// As programs run it.
    pub one_thread: f64,
    /// By plain calls; `None` where `tfhe` has none.
    pub plain_one_thread: Option<f64>,
}

/// Lookups that are measured.
struct Kind {
    bits: u32,
    set: ParameterSet,
    extension: i32,
    batch: usize,
}

/// The sets that are found for a hundred lookups of fresh inputs at 2^-40 each, and batches that take half a second or so.
fn kinds() -> [Kind; 7] {
    let kind = |bits, n, (k, size), (level, base_log), (ks_level, ks_base_log), extension, batch| {
        let set = ParameterSet {
            lwe_dimension: n,
            glwe_dimension: k,
            polynomial_size: size,
            pbs_base_log: base_log,
            pbs_level: level,
            ks_base_log,
            ks_level,
            ..ParameterSet::default()
        };
        Kind { bits, set, extension, batch }
    };
    [
        kind(2, 679, (5, 256), (1, 14), (4, 3), 0, 100),
        kind(3, 761, (3, 512), (1, 17), (4, 3), 0, 100),
        kind(4, 769, (1, 1024), (2, 7), (7, 2), 0, 100),
        kind(5, 854, (1, 2048), (1, 23), (8, 2), 0, 64),
        kind(6, 897, (1, 1024), (2, 7), (9, 2), 2, 32),
        kind(7, 887, (1, 2048), (1, 23), (9, 2), 3, 16),
        kind(8, 930, (1, 2048), (1, 23), (9, 2), 4, 8),
    ]
}

/// Measures each operation a number of times; `progress` is told the part that is done.
///
/// # Panics
/// If the system gives no thread.
#[must_use]
pub fn operations(runs: usize, progress: &(dyn Fn(f64) + Sync)) -> Operations {
    let (alone, all) = (pool(1), pool(rayon::current_num_threads()));
    let kinds = kinds();
    let total = kinds.len() as f64 + 1.0;
    let mut lookups = Vec::new();
    for kind in &kinds {
        progress(lookups.len() as f64 / total);
        lookups.push(kind.measure([&alone, &all], runs));
    }
    progress(lookups.len() as f64 / total);
    let four_bits = kinds.iter().find(|kind| kind.bits == 4).expect("a kind of 4 bits");
    let operations = four_bits.operations(&alone, runs);
    Operations { cpu: cpu(), threads: all.current_num_threads(), lookups, operations }
}

/// Milliseconds of each.
fn each(seconds: f64, count: usize) -> f64 {
    seconds * 1e3 / count as f64
}

impl Kind {
    fn key(&self) -> ServerKey {
        ServerKey::of([0; 32], vec![key_set(&self.set)])
    }

    /// Milliseconds of the transforms and multiply-adds of one bootstrap.
    fn floor(&self, least: Least) -> f64 {
        let products = f64::from(self.set.lwe_dimension) * sorted_components(self.extension);
        each(least.seconds(), FLOOR_PRODUCTS) * products
    }

    fn measure(&self, [alone, all]: [&ThreadPool; 2], runs: usize) -> Lookup {
        let (set, batch) = (&self.set, self.batch);
        let (shapes, key) = (Shapes::new(set), self.key());
        let mut floor = Floor::new(key.sets()[0].bootstrap());
        let plain = (self.extension == 0).then(|| Plain::new(shapes, PLAIN * all.current_num_threads()));
        let [mut at_floor, mut one, mut twice, mut both] = [Least::default(); 4];
        let [mut plain_one, mut plain_both] = [Least::default(); 2];
        let inputs = words(2 * batch * shapes.big_size().0);
        let list = |count: usize| Lists { words: inputs[..count * shapes.big_size().0].to_vec(), samples: 1 };
        let [single, double] = [batch, 2 * batch].map(|count| (list(count), self.tables(count)));
        for _ in 0..runs {
            at_floor.measure(|| (0..FLOOR_PRODUCTS).step_by(Floor::PRODUCTS).for_each(|_| floor.run()));
            let run = |(list, tables): &(Lists, Bootstrap)| self.run(&key, &[Reading::Tables(tables)], list);
            alone.install(|| one.measure(|| run(&single)));
            alone.install(|| twice.measure(|| run(&double)));
            both.measure_wall(|| all.install(|| run(&single)));
            if let Some(plain) = &plain {
                alone.install(|| plain_one.measure(|| plain.lookups()));
                plain_both.measure_wall(|| all.install(|| plain.lookups()));
            }
        }
        let of_plain = |seconds| plain.as_ref().map(|plain| each(seconds, plain.count()));
        Lookup {
            bits: self.bits,
            lwe_dimension: set.lwe_dimension,
            glwe_dimension: set.glwe_dimension,
            polynomial_size: set.polynomial_size,
            pbs_level: set.pbs_level,
            extension: self.extension,
            batch,
            floor: self.floor(at_floor),
            one_thread: each(one.seconds(), batch),
            twice_the_batch: each(twice.seconds(), 2 * batch),
            all_threads: each(both.seconds(), batch),
            plain_one_thread: of_plain(plain_one.seconds()),
            plain_all_threads: of_plain(plain_both.seconds()),
        }
    }

    /// Each ciphertext is looked up in one of three tables.
    fn tables(&self, count: usize) -> Bootstrap {
        let table = |value| Table { lo: 0, values: vec![value; SLOTS as usize] };
        Bootstrap {
            extension: self.extension,
            tables: (0..3).map(table).collect(),
            table_of: (0..count as u32).map(|index| index % 3).collect(),
            spacing: Spacing::of_slots(SLOTS).0,
            ..Bootstrap::default()
        }
    }

    /// As steps of a program that read one phase.
    fn run<'a>(&'a self, key: &ServerKey, readings: &[Reading<'a>], list: &Lists) {
        let spacing = Spacing::of_slots(SLOTS).0;
        let step = |reading: &Reading<'a>| BootstrapStep {
            node: "",
            reading: *reading,
            input_spacing: spacing,
            spacing,
            set: &self.set,
        };
        let Some((first, others)) = readings.split_first() else { return };
        let mut phase = Phase::new(step(first));
        others.iter().for_each(|reading| phase.add(step(reading)));
        let mut executor = Encrypted::new(key, Shapes::new(&self.set).big_size(), 1, &|_| ());
        // The executor itself refuses nothing.
        drop(executor.bootstraps(&[(phase, list)]));
    }

    /// Single operations on one thread.
    fn operations(&self, alone: &ThreadPool, runs: usize) -> Vec<Operation> {
        let shapes = Shapes::new(&self.set);
        let (key, plain, size) = (self.key(), Plain::new(shapes, PLAIN), shapes.big_size());
        let mut floor = Floor::new(key.sets()[0].bootstrap());
        let list = Lists { words: words(COUNT * size.0), samples: 1 };
        let big: Vec<&[u64]> = list.words.chunks_exact(size.0).collect();
        let small = words(COUNT * shapes.small.to_lwe_size().0);
        let layer = Linear {
            rows: COUNT as u32,
            weights: words(COUNT * COUNT).into_iter().map(|word| (word % 15) as i64 - 7).collect(),
            bias: vec![0; COUNT],
            spacing: 1,
            ..Linear::default()
        };
        let comparisons = Comparisons { lo: 0, hi: THRESHOLDS, thresholds: (1..=THRESHOLDS).collect() };
        let spacing = Spacing::of_slots(SLOTS).0;
        let compare = Compare { elements: vec![comparisons; COUNT], spacing, ..Compare::default() };
        let shared = Bootstrap { extension: ParameterSet::SHARED, ..self.tables(COUNT) };
        let shared = [Reading::Tables(&shared); 2];
        let returned = Returned { key: Some(0), log2_modulus: STORED_BITS };
        let [mut at_floor, mut keyswitch, mut switch, mut rotation] = [Least::default(); 4];
        let [mut compared, mut both, mut shortened, mut linear] = [Least::default(); 4];
        let [mut plain_keyswitch, mut plain_rotation, mut plain_linear] = [Least::default(); 3];
        for _ in 0..runs {
            at_floor.measure(|| (0..FLOOR_PRODUCTS).step_by(Floor::PRODUCTS).for_each(|_| floor.run()));
            alone.install(|| keyswitch.measure(|| drop(key.sets()[0].keyswitch().switched(&big))));
            let mut switched = Switched::default();
            switch.measure(|| {
                for ciphertext in small.chunks_exact(shapes.small.to_lwe_size().0) {
                    switched.switch(ciphertext, self.set.log2_positions(0));
                }
            });
            with_rotations(&key.sets()[0], 0, COUNT, |rotated| {
                rotation.measure_all(1, || rotate(&key, alone, rotated));
            });
            alone.install(|| compared.measure(|| self.run(&key, &[Reading::Comparisons(&compare)], &list)));
            alone.install(|| both.measure(|| self.run(&key, &shared, &list)));
            let list_of_one = list.clone();
            alone.install(|| {
                shortened.measure(|| {
                    drop(bits::pack(&shorten(&key, list_of_one, size, returned).words, STORED_BITS));
                });
            });
            let step = LinearStep { node: "", linear: &layer, factors: vec![1; COUNT] };
            let mut executor = Encrypted::new(&key, size, 1, &|_| ());
            alone.install(|| linear.measure(|| drop(executor.linear(&step, &[&list]))));
            plain_keyswitch.measure(|| plain.keyswitches());
            plain_rotation.measure(|| plain.bootstraps());
            plain_linear.measure(|| weighted_sums(&list.words, size, &layer.weights));
        }
        let row =
            |operation: &str, one: Least, floor: Option<f64>, plain: Option<(Least, usize)>| Operation {
                operation: operation.to_owned(),
                batch: COUNT,
                floor,
                one_thread: each(one.seconds(), COUNT),
                plain_one_thread: plain.map(|(least, count)| each(least.seconds(), count)),
            };
        let floor = Some(self.floor(at_floor));
        let layer = format!("linear layer of {COUNT} x {COUNT}, a result");
        let several = format!("{THRESHOLDS} comparisons of one value");
        vec![
            row("keyswitch", keyswitch, None, Some((plain_keyswitch, PLAIN))),
            row("modulus switch", switch, None, None),
            row("modulus switch and blind rotation", rotation, floor, Some((plain_rotation, PLAIN))),
            row(&several, compared, floor, None),
            row("two tables of one value", both, floor, None),
            row("keyswitch, packing of a result", shortened, None, None),
            row(&layer, linear, None, Some((plain_linear, COUNT))),
        ]
    }
}
