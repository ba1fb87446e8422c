//! The evaluation key, made ready to compute with.

use super::bootstrap::Scratch;
use crate::client::shapes::Shapes;
use crate::client::{EvaluationKey, EvaluationKeySet, ProgramHash};
use crate::kernels::{BootstrapKernel, KeyswitchKernel};
use std::sync::Mutex;

/// All keys of a program, ready to compute with.
pub struct ServerKey {
    program: ProgramHash,
    sets: Vec<KeySet>,
}

/// The keys of one set: the bootstrapping key in the Fourier domain and the keyswitching key in tiles, some 100 to 400 MB.
pub struct KeySet {
    shapes: Shapes,
    bootstrap: BootstrapKernel,
    keyswitch: KeyswitchKernel,
    /// Room for blind rotations that no thread uses now. It is kept from one wave and one sample to the next: huge pages
    /// that the system takes back and gives again cost more than a blind rotation.
    idle: Mutex<Vec<Scratch>>,
}

impl ServerKey {
    /// Expands the seeds and transforms the keys, one set after the other; uses all cores, for about a second each.
    #[must_use]
    pub fn prepare(key: &EvaluationKey) -> Self {
        Self::of(*key.program(), key.sets().map(KeySet::prepare).collect())
    }

    pub(super) fn of(program: ProgramHash, sets: Vec<KeySet>) -> Self {
        Self { program, sets }
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
        let bootstrap = BootstrapKernel::new(&key.bootstrap().par_decompress_into_lwe_bootstrap_key());
        let keyswitch = KeyswitchKernel::new(&key.keyswitch().par_decompress_into_lwe_keyswitch_key());
        Self::of(shapes, bootstrap, keyswitch)
    }

    pub(super) fn of(shapes: Shapes, bootstrap: BootstrapKernel, keyswitch: KeyswitchKernel) -> Self {
        Self { shapes, bootstrap, keyswitch, idle: Mutex::default() }
    }

    pub(super) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    pub(crate) fn keyswitch(&self) -> &KeyswitchKernel {
        &self.keyswitch
    }

    /// Words of the bootstrapping key that meet an accumulator in one rotation, about.
    pub(super) fn rotation_cost(&self) -> u64 {
        let shapes = &self.shapes;
        (shapes.small.0 * shapes.glwe.0 * shapes.pbs_level.0 * shapes.polynomial.0) as u64
    }

    /// Room for blind rotations, used before where there is some.
    pub(super) fn take_scratch(&self) -> Scratch {
        // Nothing that can fail happens under the lock.
        self.idle.lock().ok().and_then(|mut idle| idle.pop()).unwrap_or_default()
    }

    /// Keeps it for whoever rotates next.
    pub(super) fn keep_scratch(&self, scratch: Scratch) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(scratch);
        }
    }

    pub(super) fn bootstrap(&self) -> &BootstrapKernel {
        &self.bootstrap
    }
}
