//! What a parameter set says: shapes, variances, sizes, bounds.

use super::{Error, noise, packed_bytes, security};
use crate::program::message::ParameterSet;
use crate::units::{Decomposition, GlweShape, LweDimension, Variance};

/// Bytes of a seed in a key file.
const SEED_BYTES: u64 = 16;

impl ParameterSet {
    /// Largest log2 of the number of accumulators of an extended bootstrap.
    pub const LARGEST_EXTENSION: i32 = 10;

    /// Where two tables share an accumulator: log2 of the number of accumulators for each.
    pub const SHARED: i32 = -1;

    /// A set of these sizes whose keys have the least noise that is secure: 132 bits, Gaussian. See [`security`].
    #[must_use]
    pub fn with_least_noise(
        small: LweDimension,
        shape: GlweShape,
        bootstrap: Decomposition,
        keyswitch: Decomposition,
    ) -> Self {
        Self {
            lwe_dimension: small.0 as u32,
            glwe_dimension: shape.dimension as u32,
            polynomial_size: shape.polynomial_size as u32,
            pbs_base_log: bootstrap.base_log,
            pbs_level: bootstrap.level,
            ks_base_log: keyswitch.base_log,
            ks_level: keyswitch.level,
            lwe_std_dev: security::gaussian_132(small).std_dev(),
            glwe_std_dev: security::gaussian_132(shape.lwe_dimension()).std_dev(),
        }
    }

    /// Dimension of the small key, that a bootstrap's phase is read under.
    #[must_use]
    pub fn small_dimension(&self) -> LweDimension {
        LweDimension(self.lwe_dimension as usize)
    }

    /// Shape of the accumulators.
    #[must_use]
    pub fn glwe_shape(&self) -> GlweShape {
        GlweShape { dimension: self.glwe_dimension as usize, polynomial_size: self.polynomial_size as usize }
    }

    /// Dimension of the big key, that all values between steps are under.
    #[must_use]
    pub fn big_dimension(&self) -> LweDimension {
        self.glwe_shape().lwe_dimension()
    }

    /// Decomposition of the bootstrap.
    #[must_use]
    pub fn pbs_decomposition(&self) -> Decomposition {
        Decomposition { base_log: self.pbs_base_log, level: self.pbs_level }
    }

    /// Decomposition of the keyswitch.
    #[must_use]
    pub fn ks_decomposition(&self) -> Decomposition {
        Decomposition { base_log: self.ks_base_log, level: self.ks_level }
    }

    /// log2 of the number of positions that a bootstrap of this extension tells apart on the whole torus.
    #[must_use]
    pub fn log2_positions(&self, extension: i32) -> u32 {
        (self.polynomial_size.max(1).ilog2() + 1).saturating_add_signed(extension)
    }

    /// Noise of a fresh encryption under the big key.
    #[must_use]
    pub fn fresh_variance(&self) -> Variance {
        Variance(self.glwe_std_dev * self.glwe_std_dev)
    }

    /// Noise of a bootstrap's result; the same for every extension.
    #[must_use]
    pub fn bootstrap_variance(&self) -> Variance {
        noise::blind_rotation(
            self.small_dimension(),
            self.glwe_shape(),
            self.pbs_decomposition(),
            self.bootstrap_key_variance(),
        )
    }

    /// Share of the variance of [`Self::bootstrap_variance`] that results of one rotation have in common.
    #[must_use]
    pub fn correlated_share(&self) -> f64 {
        noise::correlated_share(
            self.small_dimension(),
            self.glwe_shape(),
            self.pbs_decomposition(),
            self.bootstrap_key_variance(),
        )
    }

    /// Noise of the bootstrapping key as it is sent.
    fn bootstrap_key_variance(&self) -> Variance {
        self.fresh_variance() + noise::dropped(self.bootstrap_key_dropped_bits())
    }

    /// What the keyswitch to the small key adds.
    #[must_use]
    pub fn keyswitch_variance(&self) -> Variance {
        let key =
            Variance(self.lwe_std_dev * self.lwe_std_dev) + noise::dropped(self.keyswitch_key_dropped_bits());
        noise::keyswitch(self.big_dimension(), self.ks_decomposition(), key)
    }

    /// What the centered modulus switch adds before a bootstrap of this extension.
    #[must_use]
    pub fn modulus_switch_variance(&self, extension: i32) -> Variance {
        noise::centered_modulus_switch(self.small_dimension(), self.log2_positions(extension))
    }

    /// Security of the weaker of the two keys, in bits.
    #[must_use]
    pub fn security_bits(&self) -> f64 {
        let small = security::security_bits(self.small_dimension(), self.lwe_std_dev);
        let big = security::security_bits(self.big_dimension(), self.glwe_std_dev);
        small.min(big)
    }

    /// Words of 64 bits of the seeded bootstrapping key.
    #[must_use]
    pub fn bootstrap_key_words(&self) -> u64 {
        u64::from(self.lwe_dimension)
            * u64::from(self.pbs_level)
            * (u64::from(self.glwe_dimension) + 1)
            * u64::from(self.polynomial_size)
    }

    /// Words of 64 bits of the seeded keyswitching key.
    #[must_use]
    pub fn keyswitch_key_words(&self) -> u64 {
        u64::from(self.glwe_dimension) * u64::from(self.polynomial_size) * u64::from(self.ks_level)
    }

    /// Words of 64 bits of both keys as the server expands them.
    #[must_use]
    pub fn expanded_key_words(&self) -> u64 {
        self.bootstrap_key_words() * (u64::from(self.glwe_dimension) + 1)
            + self.keyswitch_key_words() * u64::from(self.lwe_dimension + 1)
    }

    /// How many of the lowest bits of each body of the bootstrapping key are rounded away: they say nothing but noise.
    #[must_use]
    pub fn bootstrap_key_dropped_bits(&self) -> u32 {
        noise::bits_below(self.glwe_std_dev)
    }

    /// The same for the keyswitching key.
    #[must_use]
    pub fn keyswitch_key_dropped_bits(&self) -> u32 {
        noise::bits_below(self.lwe_std_dev)
    }

    /// Bytes of the bodies of the bootstrapping key as it is sent.
    #[must_use]
    pub fn bootstrap_key_bytes(&self) -> u64 {
        packed_bytes(self.bootstrap_key_words(), 64 - self.bootstrap_key_dropped_bits())
    }

    /// Bytes of the bodies of the keyswitching key as it is sent.
    #[must_use]
    pub fn keyswitch_key_bytes(&self) -> u64 {
        packed_bytes(self.keyswitch_key_words(), 64 - self.keyswitch_key_dropped_bits())
    }

    /// Bytes of the set's part of the evaluation key as it is sent: masks as seeds, bodies without the bits below their noise.
    #[must_use]
    pub fn eval_key_bytes(&self) -> u64 {
        self.bootstrap_key_bytes() + self.keyswitch_key_bytes() + 2 * SEED_BYTES
    }

    /// Checks that the engine can work with these numbers; says nothing about security.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] names the first number that is off.
    pub fn check(&self) -> Result<(), Error> {
        let bound = |name, found: u32, fits: bool, expected| {
            if fits { Ok(()) } else { Err(Error::OutOfBounds { name, found: found.to_string(), expected }) }
        };
        let n = self.lwe_dimension;
        bound("lwe_dimension", n, (1..=4096).contains(&n), "1 to 4096")?;
        let k = self.glwe_dimension;
        bound("glwe_dimension", k, (1..=16).contains(&k), "1 to 16")?;
        let size = self.polynomial_size;
        let fits = size.is_power_of_two() && (128..=1 << 17).contains(&size);
        bound("polynomial_size", size, fits, "a power of two from 128 to 131072")?;
        for (name, level, base_log) in
            [("pbs_level", self.pbs_level, self.pbs_base_log), ("ks_level", self.ks_level, self.ks_base_log)]
        {
            bound(name, level, (1..=63).contains(&level), "1 to 63")?;
            let fits = (1..64).contains(&base_log) && level * base_log < 64;
            bound(name, level * base_log.min(64), fits, "less than 64 bits in all levels")?;
        }
        // A digit is a whole number in a double.
        let fits = self.pbs_base_log < 52;
        bound("pbs_base_log", self.pbs_base_log, fits, "less than 52 bits a level")?;
        for (name, found) in [("lwe_std_dev", self.lwe_std_dev), ("glwe_std_dev", self.glwe_std_dev)] {
            if !(found > 0.0 && found < 0.25) {
                let expected = "above 0 and below 0.25";
                return Err(Error::OutOfBounds { name, found: found.to_string(), expected });
            }
        }
        Ok(())
    }

    /// Checks that both keys have the security that is demanded everywhere.
    ///
    /// # Errors
    /// [`Error::Insecure`] names the key.
    pub fn check_security(&self) -> Result<(), Error> {
        for (key, dimension, std_dev) in [
            ("small", self.small_dimension(), self.lwe_std_dev),
            ("big", self.big_dimension(), self.glwe_std_dev),
        ] {
            let bits = security::security_bits(dimension, std_dev);
            // A set on the 128 curve itself has 128 bits up to rounding.
            if bits < security::MINIMUM_BITS - 1e-6 {
                let log2_std_dev = std_dev.log2();
                return Err(Error::Insecure { key, dimension: dimension.0, log2_std_dev, bits });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A 132-bit set for plain and extended lookups up to 8 bits.
    pub(crate) fn wide() -> ParameterSet {
        let (n, k, size) = (930, 1, 2048);
        ParameterSet {
            lwe_dimension: n,
            glwe_dimension: k,
            polynomial_size: size,
            pbs_base_log: 15,
            pbs_level: 2,
            ks_base_log: 5,
            ks_level: 3,
            lwe_std_dev: security::gaussian_132(LweDimension(n as usize)).std_dev(),
            glwe_std_dev: security::gaussian_132(LweDimension((k * size) as usize)).std_dev(),
        }
    }

    #[test]
    fn a_sound_set_passes() {
        let set = wide();
        assert_eq!(set.check(), Ok(()));
        assert_eq!(set.check_security(), Ok(()));
        assert_eq!(set.security_bits(), 132.0);
        // Noise of 2^15.7 and 2^43.5 units: 12 and 40 bits less.
        let expected = 930 * 2 * 2 * 2048 * (64 - 12) / 8 + 2048 * 3 * (64 - 40) / 8 + 32;
        assert_eq!(set.eval_key_bytes(), expected);
        assert!((set.modulus_switch_variance(1).0 / set.modulus_switch_variance(0).0 - 0.25).abs() < 1e-9);
    }

    #[test]
    fn a_weak_key_is_named() {
        let set = ParameterSet { lwe_dimension: 800, ..wide() };
        assert!(matches!(set.check_security(), Err(Error::Insecure { key: "small", .. })));
        let set = ParameterSet { polynomial_size: 1024, ..wide() };
        assert!(matches!(set.check_security(), Err(Error::Insecure { key: "big", .. })));
    }

    #[test]
    fn numbers_out_of_bounds_are_named() {
        let name = |set: ParameterSet| match set.check() {
            Err(Error::OutOfBounds { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(ParameterSet { lwe_dimension: 0, ..wide() }), "lwe_dimension");
        assert_eq!(name(ParameterSet { glwe_dimension: u32::MAX, ..wide() }), "glwe_dimension");
        assert_eq!(name(ParameterSet { polynomial_size: 1000, ..wide() }), "polynomial_size");
        assert_eq!(name(ParameterSet { pbs_base_log: 32, ..wide() }), "pbs_level");
        assert_eq!(name(ParameterSet { pbs_base_log: 52, pbs_level: 1, ..wide() }), "pbs_base_log");
        assert_eq!(name(ParameterSet { ks_base_log: u32::MAX, ..wide() }), "ks_level");
        assert_eq!(name(ParameterSet { glwe_std_dev: f64::NAN, ..wide() }), "glwe_std_dev");
    }
}
