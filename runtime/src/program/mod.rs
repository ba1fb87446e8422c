//! The program artefact.

pub mod message;
