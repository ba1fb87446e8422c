//! A parameter set in the types of `tfhe`.

use crate::program::message::ParameterSet;
use crate::units::GlweShape;
use tfhe::core_crypto::prelude as tfhe_types;
use tfhe_types::{
    CiphertextModulus, DecompositionBaseLog, DecompositionLevelCount, DynamicDistribution, GlweSize,
    LweDimension, LweSize, PolynomialSize, StandardDev,
};

/// Dimensions and decompositions of all keys of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shapes {
    pub(crate) small: LweDimension,
    pub(crate) big: LweDimension,
    pub(crate) glwe: GlweSize,
    pub(crate) polynomial: PolynomialSize,
    pub(crate) pbs_base: DecompositionBaseLog,
    pub(crate) pbs_level: DecompositionLevelCount,
    pub(crate) ks_base: DecompositionBaseLog,
    pub(crate) ks_level: DecompositionLevelCount,
}

impl Shapes {
    /// The set must have passed its check.
    pub(crate) fn new(set: &ParameterSet) -> Self {
        Self {
            small: LweDimension(set.lwe_dimension as usize),
            big: LweDimension(set.big_dimension().0),
            glwe: GlweSize(set.glwe_dimension as usize + 1),
            polynomial: PolynomialSize(set.polynomial_size as usize),
            pbs_base: DecompositionBaseLog(set.pbs_base_log as usize),
            pbs_level: DecompositionLevelCount(set.pbs_level as usize),
            ks_base: DecompositionBaseLog(set.ks_base_log as usize),
            ks_level: DecompositionLevelCount(set.ks_level as usize),
        }
    }

    /// Polynomials of an accumulator.
    pub(crate) fn glwe_shape(&self) -> GlweShape {
        GlweShape { dimension: self.glwe.0 - 1, polynomial_size: self.polynomial.0 }
    }

    /// Elements of a ciphertext under the big key: mask and body.
    pub(crate) fn big_size(&self) -> LweSize {
        self.big.to_lwe_size()
    }
}

/// All ciphertexts are modulo 2^64.
pub(crate) fn modulus() -> CiphertextModulus<u64> {
    CiphertextModulus::new_native()
}

pub(crate) fn gaussian(std_dev: f64) -> DynamicDistribution<u64> {
    DynamicDistribution::new_gaussian_from_std_dev(StandardDev(std_dev))
}
