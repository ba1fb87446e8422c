//! Vector code and memory for keys; the one place of this crate with `unsafe`.
//!
//! Each kernel exists once for each width of vectors that a machine may have, chosen when it runs. Those of integers give
//! the same bits for every width; the external product is rounded differently by AVX-512.
#![allow(unsafe_code)]

mod accumulators;
mod buffer;
mod butterfly;
mod external_product;
mod fourier;
mod keyswitch;
mod lanes;
#[cfg(target_arch = "x86_64")]
mod lanes_x86;
mod tiles;
mod torus;

pub use accumulators::Accumulators;
pub use buffer::HugeBuffer;
pub use external_product::{BootstrapKernel, Floor, Rotation};
pub use keyswitch::KeyswitchKernel;
pub use tiles::{Factors, Tiles};

/// Vector instructions that a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// Whatever the build's target has.
    Portable,
    /// 256 bits, with fused multiplication and addition: x86-64-v3.
    Avx2,
    /// 512 bits, with 64-bit products: x86-64-v4.
    Avx512,
}

impl Vectors {
    /// The widest that this machine has.
    #[must_use]
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if pulp::x86::V4::try_new().is_some() {
                return Self::Avx512;
            }
            if pulp::x86::V3::try_new().is_some() {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// All that this machine has.
    #[must_use]
    pub fn available() -> Vec<Self> {
        match Self::widest() {
            Self::Portable => vec![Self::Portable],
            Self::Avx2 => vec![Self::Portable, Self::Avx2],
            Self::Avx512 => vec![Self::Portable, Self::Avx2, Self::Avx512],
        }
    }
}
