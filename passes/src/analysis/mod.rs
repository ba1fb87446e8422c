//! Facts about the IR; nothing is changed here. One fact, one file.

pub mod chains;
pub mod comparisons;
pub mod linear_forms;
pub mod measured;
pub mod movement;
pub mod observe;
pub mod ranges;
pub mod samples;
pub(crate) mod shapes;
