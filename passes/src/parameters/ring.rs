//! All that depends on the dimension of the big key alone: heads, and what keyswitches to each small dimension cost.

use super::{Machine, space};
use cml_runtime::parameters::{ledger, security};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{Decomposition, GlweShape, LweDimension, tables_of_rotation};
use std::cell::OnceCell;

/// Shape and decomposition of a bootstrap.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) shape: GlweShape,
    pub(super) bootstrap: Decomposition,
    /// Variance of a result for each element of the mask.
    pub(super) variance: f64,
    /// Words of the bootstrapping key for each element of the mask.
    key_words: f64,
    /// For each extension what it costs, from that of shared rotations on.
    extensions: Vec<Extension>,
    /// Whether tables may share a rotation.
    shares: bool,
}

impl Head {
    /// What a reading loses of its room because boundaries lie on positions: of the extension, or of the plain bootstrap for
    /// comparisons.
    pub(super) fn lost(&self, extension: i32, compares: bool) -> f64 {
        self.with(ledger::boundary_extension(compares, extension)).half_position
    }

    pub(super) fn with(&self, extension: i32) -> &Extension {
        &self.extensions[(extension - ParameterSet::SHARED) as usize]
    }

    /// Those with which so many tables can be read at one phase.
    pub(super) fn extensions(&self, tables: u32) -> std::ops::Range<i32> {
        let can_share = self.shares && tables.is_multiple_of(tables_of_rotation(ParameterSet::SHARED) as u32);
        let first = if can_share { ParameterSet::SHARED } else { 0 };
        first..self.extensions.len() as i32 + ParameterSet::SHARED
    }
}

/// A number of accumulators, as a power of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extension {
    /// Nanoseconds for each element of the mask and each table.
    pub(super) element: f64,
    /// Half the distance of two positions, on the torus.
    pub(super) half_position: f64,
    /// Variance of the modulus switch for each element of the mask.
    pub(super) switch: f64,
}

/// A keyswitch to one small dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Keyswitch {
    pub(super) decomposition: Decomposition,
    pub(super) variance: f64,
    /// Words of its key.
    key_words: f64,
    /// Nanoseconds of one.
    pub(super) cost: f64,
}

/// All key sets with one big key.
pub(super) struct Ring<'a> {
    pub(super) heads: Vec<Head>,
    /// Variance of a fresh encryption.
    pub(super) fresh: f64,
    /// From the smallest small dimension on, the keyswitches with less noise than all of fewer levels; made when asked for.
    keyswitches: Vec<OnceCell<Vec<Keyswitch>>>,
    machine: &'a Machine,
}

impl<'a> Ring<'a> {
    /// All heads of a big dimension that the machine knows and that `allowed` has; with or without shared rotations.
    pub(super) fn new(
        big: LweDimension,
        machine: &'a Machine,
        shares: bool,
        allowed: impl Fn(GlweShape) -> bool,
    ) -> Self {
        let shapes = space::shapes().filter(|shape| shape.lwe_dimension() == big && allowed(*shape));
        let heads: Vec<Head> = shapes.flat_map(|shape| heads(shape, machine, shares)).collect();
        let keyswitches = space::small_dimensions(1).map(|_| OnceCell::new()).collect();
        Self { heads, fresh: security::gaussian_132(big).0, keyswitches, machine }
    }

    /// Keyswitches to a small dimension, by rising level and falling noise.
    pub(super) fn keyswitches(&self, small: u32) -> &[Keyswitch] {
        let first = space::small_dimensions(1).next().unwrap_or(0);
        let place = small.checked_sub(first).and_then(|place| self.keyswitches.get(place as usize));
        let (Some(place), Some(head)) = (place, self.heads.first()) else { return &[] };
        place.get_or_init(|| keyswitches_to(small, head, self.machine))
    }
}

fn heads(shape: GlweShape, machine: &Machine, shares: bool) -> Vec<Head> {
    let head = |bootstrap: Decomposition| {
        // All that is read here is proportional to the small dimension; the keyswitch has no part in it.
        let set = ParameterSet::with_least_noise(LweDimension(1), shape, bootstrap, bootstrap);
        let extension = |v: i32| {
            let element = machine.mask_element(shape, bootstrap.level, v)?;
            let half_position = ledger::half_position(&set, v);
            Some(Extension { element, half_position, switch: set.modulus_switch_variance(v).0 })
        };
        let extensions = space::extensions(shape).map(extension).collect::<Option<Vec<_>>>()?;
        let (variance, key_words) = (set.bootstrap_variance().0, set.bootstrap_key_words() as f64);
        Some(Head { shape, bootstrap, variance, key_words, extensions, shares })
    };
    space::bootstrap_decompositions(shape).into_iter().filter_map(head).collect()
}

fn keyswitches_to(small: u32, head: &Head, machine: &Machine) -> Vec<Keyswitch> {
    let (big, small) = (head.shape.lwe_dimension(), LweDimension(small as usize));
    let found = space::keyswitch_decompositions(big, small).iter();
    found
        .map(|decomposition| {
            let decomposition = *decomposition;
            let set = ParameterSet::with_least_noise(small, head.shape, head.bootstrap, decomposition);
            let (variance, key_words) = (set.keyswitch_variance().0, set.keyswitch_key_words() as f64);
            Keyswitch { decomposition, variance, key_words, cost: machine.keyswitch(&set) }
        })
        .collect()
}

/// What is read at a phase, and how far from its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    /// Half a slot, and the slots that the reading may be off: on the torus.
    pub(super) half: f64,
    /// Whether what is read is compared with thresholds, which lie on positions of the plain bootstrap.
    pub(super) compares: bool,
    /// How many tables are read; none where an output is decrypted.
    pub(super) tables: u32,
}

impl Room {
    /// What tells it from others, to sort by.
    pub(super) fn bits(self) -> [u64; 3] {
        [self.half.to_bits(), u64::from(self.compares), u64::from(self.tables)]
    }

    /// Plain rotations that read all tables, where they share as they can.
    pub(super) fn fewest_rotations(self) -> u32 {
        self.tables.div_ceil(tables_of_rotation(ParameterSet::SHARED) as u32)
    }

    /// Smallest noise that is an error, on the torus: boundaries between slots lie on positions.
    pub(super) fn at(self, head: &Head, extension: i32) -> f64 {
        self.half - head.lost(extension, self.compares)
    }
}

/// Variance that keyswitch and modulus switch may add where a reading must be `kappa` deviations from its room.
pub(super) fn allowance(room: f64, kappa: f64, arriving: f64) -> f64 {
    if room > 0.0 { (room / kappa).powi(2) - arriving } else { -1.0 }
}

/// A key set of a ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KeySet {
    /// Index of its head.
    pub(super) head: usize,
    pub(super) small: u32,
    pub(super) keyswitch: Keyswitch,
}

impl KeySet {
    /// The set with these parameters, if the ring has it.
    pub(super) fn of(parameters: &ParameterSet, ring: &Ring) -> Option<Self> {
        let (shape, bootstrap) = (parameters.glwe_shape(), parameters.pbs_decomposition());
        let head = ring.heads.iter().position(|head| head.shape == shape && head.bootstrap == bootstrap)?;
        let mut keyswitches = ring.keyswitches(parameters.lwe_dimension).iter();
        let keyswitch = *keyswitches.find(|found| found.decomposition == parameters.ks_decomposition())?;
        Some(Self { head, small: parameters.lwe_dimension, keyswitch })
    }

    pub(super) fn parameters(&self, ring: &Ring) -> ParameterSet {
        let head = &ring.heads[self.head];
        ParameterSet::with_least_noise(
            LweDimension(self.small as usize),
            head.shape,
            head.bootstrap,
            self.keyswitch.decomposition,
        )
    }

    /// Variance of a bootstrap's result.
    pub(super) fn variance(&self, ring: &Ring) -> f64 {
        f64::from(self.small) * ring.heads[self.head].variance
    }

    /// Variance that keyswitch and modulus switch add to what is read with so many accumulators.
    pub(super) fn added(&self, ring: &Ring, extension: i32) -> f64 {
        self.keyswitch.variance + f64::from(self.small) * ring.heads[self.head].with(extension).switch
    }

    /// Nanoseconds of one phase with so many accumulators: a keyswitch and the bootstraps.
    pub(super) fn nanoseconds(&self, ring: &Ring, tables: u32, extension: i32) -> f64 {
        let bootstrap = f64::from(self.small) * ring.heads[self.head].with(extension).element;
        self.keyswitch.cost + f64::from(tables) * bootstrap
    }

    /// Whether a reading keeps `kappa` deviations where this variance arrives.
    pub(super) fn keeps(&self, ring: &Ring, room: Room, kappa: f64, arriving: f64, extension: i32) -> bool {
        let room = room.at(&ring.heads[self.head], extension);
        self.added(ring, extension) <= allowance(room, kappa, arriving)
    }

    /// The fewest accumulators with which it does, as a power of two.
    pub(super) fn least_extension(&self, ring: &Ring, room: Room, kappa: f64, arriving: f64) -> Option<i32> {
        let mut extensions = ring.heads[self.head].extensions(room.tables);
        extensions.find(|extension| self.keeps(ring, room, kappa, arriving, *extension))
    }

    /// Bytes of its seeded keys, in words of 64 bits.
    pub(super) fn key_bytes(&self, ring: &Ring) -> f64 {
        8.0 * (f64::from(self.small) * ring.heads[self.head].key_words + self.keyswitch.key_words)
    }
}
