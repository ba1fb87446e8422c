//! The evaluation key, made ready to compute with.

use crate::client::shapes::Shapes;
use crate::client::{EvaluationKey, EvaluationKeySet, ProgramHash};
use crate::kernels::{HugeBuffer, KeyswitchKernel};
use tfhe::core_crypto::fft_impl::fft64::c64;
use tfhe::core_crypto::fft_impl::fft64::crypto::bootstrap::FourierLweBootstrapKeyView;
use tfhe::core_crypto::fft_impl::fft64::crypto::ggsw::FourierGgswCiphertextView;
use tfhe::core_crypto::prelude::{
    Fft, FourierLweBootstrapKey, par_convert_standard_lwe_bootstrap_key_to_fourier,
};

/// All keys of a program, ready to compute with.
pub struct ServerKey {
    program: ProgramHash,
    sets: Vec<KeySet>,
}

/// The keys of one set: the bootstrapping key in the Fourier domain and the keyswitching key in tiles, some 100 to 400 MB.
pub struct KeySet {
    shapes: Shapes,
    fourier: HugeBuffer<c64>,
    keyswitch: KeyswitchKernel,
    fft: Fft,
}

impl ServerKey {
    /// Expands the seeds and transforms the keys, one set after the other; uses all cores, for about a second each.
    #[must_use]
    pub fn prepare(key: &EvaluationKey) -> Self {
        Self { program: *key.program(), sets: key.sets().map(KeySet::prepare).collect() }
    }

    /// The program that the key belongs to.
    #[must_use]
    pub fn program(&self) -> &ProgramHash {
        &self.program
    }

    /// The keys of each set.
    pub(crate) fn sets(&self) -> &[KeySet] {
        &self.sets
    }
}

impl KeySet {
    fn prepare(key: EvaluationKeySet<'_>) -> Self {
        let shapes = Shapes::new(key.parameters);
        let standard = key.bootstrap().par_decompress_into_lwe_bootstrap_key();
        let mut fourier = HugeBuffer::zeros(shapes.small.0 * ggsw_length(&shapes));
        let mut target = FourierLweBootstrapKey::from_container(
            &mut fourier[..],
            shapes.small,
            shapes.glwe,
            shapes.polynomial,
            shapes.pbs_base,
            shapes.pbs_level,
        );
        par_convert_standard_lwe_bootstrap_key_to_fourier(&standard, &mut target);
        drop(standard);
        let keyswitch = KeyswitchKernel::new(&key.keyswitch().par_decompress_into_lwe_keyswitch_key());
        Self { fourier, keyswitch, fft: Fft::new(shapes.polynomial), shapes }
    }

    pub(super) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    pub(super) fn fft(&self) -> &Fft {
        &self.fft
    }

    pub(crate) fn keyswitch(&self) -> &KeyswitchKernel {
        &self.keyswitch
    }

    pub(super) fn bootstrap(&self) -> FourierLweBootstrapKeyView<'_> {
        let shapes = &self.shapes;
        FourierLweBootstrapKey::from_container(
            &self.fourier[..],
            shapes.small,
            shapes.glwe,
            shapes.polynomial,
            shapes.pbs_base,
            shapes.pbs_level,
        )
    }

    /// The part of the bootstrapping key that encrypts one bit of the small key.
    pub(super) fn ggsw(&self, bit: usize) -> FourierGgswCiphertextView<'_> {
        let (shapes, length) = (&self.shapes, ggsw_length(&self.shapes));
        FourierGgswCiphertextView::from_container(
            &self.fourier[bit * length..(bit + 1) * length],
            shapes.glwe,
            shapes.polynomial,
            shapes.pbs_base,
            shapes.pbs_level,
        )
    }
}

/// Complex numbers of one bit's part: a polynomial of N coefficients has N/2.
fn ggsw_length(shapes: &Shapes) -> usize {
    shapes.polynomial.0 / 2 * shapes.glwe.0 * shapes.glwe.0 * shapes.pbs_level.0
}
