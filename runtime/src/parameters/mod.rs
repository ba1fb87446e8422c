//! Noise, security and failure as numbers.
