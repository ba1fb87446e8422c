//! Measured noise against the formulas of [`crate::parameters::noise`]: after the keyswitch, the centered modulus switch,
//! and plain and extended blind rotations, for three parameter sets.

use super::bootstrap::{Extended, rotate_batch};
use super::{ServerKey, Switched, TestPolynomial};
use crate::client::encoding::encode;
use crate::client::shapes::modulus;
use crate::client::{ClientKey, Randomness, encrypt};
use crate::parameters::security::gaussian_132;
use crate::program::message::{Client, EncryptedPort, Event, ParameterSet};
use crate::reference::message::Table;
use crate::units::{LweDimension, Spacing, Variance};
use rayon::prelude::*;
use tfhe::core_crypto::prelude::{
    LweCiphertext, LweSecretKey, SeededLweCiphertextList, decrypt_lwe_ciphertext,
};

const SAMPLES: usize = 1000;

/// Standard deviations of a thousand samples scatter by 2.2 %, 0.03 bits; the formulas are good to a tenth of a bit.
const TOLERANCE_BITS: f64 = 0.2;

fn set(n: u32, (k, size): (u32, u32), pbs: (u32, u32), ks: (u32, u32)) -> ParameterSet {
    let std_dev = |dimension: u32| gaussian_132(LweDimension(dimension as usize)).std_dev();
    ParameterSet {
        lwe_dimension: n,
        glwe_dimension: k,
        polynomial_size: size,
        pbs_base_log: pbs.0,
        pbs_level: pbs.1,
        ks_base_log: ks.0,
        ks_level: ks.1,
        lwe_std_dev: std_dev(n),
        glwe_std_dev: std_dev(k * size),
    }
}

/// Keys, and fresh encryptions of 0 under the big key.
struct Bench {
    set: ParameterSet,
    key: ClientKey,
    server: ServerKey,
    fresh: Vec<u64>,
}

impl Bench {
    fn new(set: ParameterSet) -> Self {
        let zeros = EncryptedPort {
            shape: vec![SAMPLES as u64],
            spacing: 1 << 60,
            lo: vec![0; SAMPLES],
            hi: vec![0; SAMPLES],
            ..EncryptedPort::default()
        };
        let client = Client {
            program_hash: vec![0; 32],
            parameters: vec![set.clone()],
            inputs: vec![zeros],
            events: vec![Event { count: 1, spacing: 1 << 60, ..Event::default() }],
            p_error_log2: Some(-40.0),
            ..Client::default()
        };
        let mut randomness = Randomness::from_seed([set.lwe_dimension as u8; 32]);
        let key = ClientKey::generate(&client, &mut randomness).unwrap();
        let server = ServerKey::prepare(&key.evaluation_key(&mut randomness));
        let inputs = encrypt(&key, &client, &[vec![vec![0; SAMPLES]]], &mut randomness).unwrap();
        let list = &inputs.samples[0][0];
        let seed = tfhe::core_crypto::commons::math::random::Seed(list.seed);
        let size = server.sets()[0].shapes().big_size();
        let list =
            SeededLweCiphertextList::from_container(list.bodies.as_slice(), size, seed.into(), modulus());
        let fresh = list.par_decompress_into_lwe_ciphertext_list().into_container();
        Self { set, key, server, fresh }
    }

    fn big_size(&self) -> usize {
        self.server.sets()[0].shapes().big_size().0
    }

    fn small_size(&self) -> usize {
        self.server.sets()[0].keyswitch().output_size()
    }

    fn switched_keys(&self) -> Vec<u64> {
        let mut small = vec![0; SAMPLES * self.small_size()];
        let batches = small.chunks_mut(32 * self.small_size()).zip(self.fresh.chunks(32 * self.big_size()));
        for (outputs, inputs) in batches {
            let inputs: Vec<&[u64]> = inputs.chunks_exact(self.big_size()).collect();
            self.server.sets()[0].keyswitch().run(&inputs, outputs);
        }
        small
    }
}

fn phases(secret: &LweSecretKey<&[u64]>, ciphertexts: &[u64]) -> Vec<u64> {
    let size = secret.lwe_dimension().to_lwe_size().0;
    let phase = |words| decrypt_lwe_ciphertext(secret, &LweCiphertext::from_container(words, modulus())).0;
    ciphertexts.chunks_exact(size).map(phase).collect()
}

fn torus(phase: u64) -> f64 {
    phase as i64 as f64 * (-64f64).exp2()
}

/// Compares the variance of samples, and that their mean is 0, with the prediction.
fn assert_noise(what: &str, samples: &[f64], predicted: Variance) {
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let measured = Variance(variance).log2_std_dev();
    let predicted_bits = predicted.log2_std_dev();
    eprintln!("{what}: measured {measured:.3}, predicted {predicted_bits:.3}, mean {mean:.1e}");
    // Samples of few: twice their own scatter more.
    let tolerance = TOLERANCE_BITS.max(2.0 / count.sqrt());
    assert!(
        (measured - predicted_bits).abs() < tolerance,
        "{what}: measured 2^{measured:.3}, predicted 2^{predicted_bits:.3}"
    );
    assert!(
        mean.abs() < 5.0 * predicted.std_dev() / count.sqrt() + 0.02 * predicted.std_dev(),
        "{what}: mean {mean:e}"
    );
}

fn keyswitch_and_modulus_switch(bench: &Bench) -> Vec<u64> {
    let before = phases(&bench.key.big_secret(), &bench.fresh);
    let small = bench.switched_keys();
    let after = phases(&bench.key.small_secret(0), &small);
    let fresh: Vec<f64> = before.iter().map(|phase| torus(*phase)).collect();
    assert_noise("fresh encryption", &fresh, bench.set.fresh_variance());
    let added: Vec<f64> =
        before.iter().zip(&after).map(|(before, after)| torus(after.wrapping_sub(*before))).collect();
    assert_noise("keyswitch", &added, bench.set.keyswitch_variance());
    for extension in [0, 2] {
        let log2_positions = bench.set.log2_positions(extension);
        let mut switched = Switched::default();
        let added = small.chunks_exact(bench.small_size()).zip(&after).map(|(ciphertext, phase)| {
            switched.switch(ciphertext, log2_positions);
            let secret = bench.key.small_secret(0);
            let mask = switched.positions().iter().zip(secret.as_ref());
            let sum: u64 = mask.map(|(position, bit)| *position as u64 * bit).sum();
            let position = (switched.body_position() as u64).wrapping_sub(sum) << (64 - log2_positions);
            torus(position.wrapping_sub(*phase))
        });
        // Here the body's own rounding shows as well: a twelfth of a position squared.
        let body = (-2.0 * f64::from(log2_positions)).exp2() / 12.0;
        let predicted = bench.set.modulus_switch_variance(extension) + Variance(body);
        assert_noise("centered modulus switch", &added.collect::<Vec<_>>(), predicted);
    }
    small
}

/// A table of four slots that all hold 1: whatever the phase, the output is known.
fn constant(bench: &Bench, extension: u32) -> (TestPolynomial, u64) {
    let spacing = Spacing::of_slots(4).0;
    let table = Table { lo: 0, values: vec![1; 4] };
    (TestPolynomial::new(&table, 0, [spacing; 2], bench.set.log2_positions(extension)), encode(1, spacing))
}

fn blind_rotations(bench: &Bench, small: &[u64]) {
    let (polynomial, expected) = constant(bench, 0);
    let mut outputs = vec![0; SAMPLES * bench.big_size()];
    let tasks = outputs.par_chunks_mut(16 * bench.big_size()).zip(small.par_chunks(16 * bench.small_size()));
    tasks.for_each(|(outputs, inputs)| {
        let polynomials = vec![&polynomial; inputs.len() / bench.small_size()];
        rotate_batch(&bench.server.sets()[0], inputs, &polynomials, outputs);
    });
    let noise = |outputs: &[u64]| -> Vec<f64> {
        let phases = phases(&bench.key.big_secret(), outputs);
        phases.iter().map(|phase| torus(phase.wrapping_sub(expected))).collect()
    };
    assert_noise("blind rotation", &noise(&outputs), bench.set.bootstrap_variance());

    let count = 150;
    let (polynomial, _) = constant(bench, 2);
    let mut outputs = vec![0; count * bench.big_size()];
    let tasks = outputs.par_chunks_mut(bench.big_size()).zip(small.par_chunks(bench.small_size()));
    tasks.for_each_init(
        || Extended::new(&bench.server.sets()[0], 2),
        |scratch, (output, input)| scratch.rotate(input, &polynomial, output),
    );
    assert_noise("extended blind rotation", &noise(&outputs), bench.set.bootstrap_variance());
}

fn measure(set: ParameterSet) {
    let bench = Bench::new(set);
    let small = keyswitch_and_modulus_switch(&bench);
    blind_rotations(&bench, &small);
}

#[test]
fn noise_is_as_predicted_for_two_polynomials_of_1024() {
    measure(set(848, (2, 1024), (23, 1), (5, 3)));
}

#[test]
fn noise_is_as_predicted_for_level_1_of_2048() {
    measure(set(855, (1, 2048), (23, 1), (5, 3)));
}

#[test]
fn noise_is_as_predicted_for_level_2_of_2048() {
    measure(set(930, (1, 2048), (15, 2), (4, 4)));
}
