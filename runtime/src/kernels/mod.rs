//! Vector code and memory for keys; the one place of this crate with `unsafe`.
//!
//! Each kernel exists once for each width of vectors that a machine may have, chosen when it runs; all give the same
//! bits.
#![allow(unsafe_code)]

mod buffer;
mod keyswitch;
mod rotate;
mod tiles;

pub use buffer::HugeBuffer;
pub use keyswitch::KeyswitchKernel;
pub use rotate::rotate_subtract;
pub use tiles::{Factors, Tiles};

/// Vector instructions that a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// Whatever the build's target has.
    Portable,
    /// 256 bits.
    Avx2,
    /// 512 bits, with 64-bit products.
    Avx512,
}

impl Vectors {
    /// The widest that this machine has.
    #[must_use]
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") {
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
