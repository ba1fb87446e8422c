//! Rewriting of encrypted functions with an e-graph: all equal programs at once, and then the cheapest.
//!
//! [`program`] reads a function, [`rules`] add what is equal, [`select`] picks terms by [`cost`], [`emit`] writes them. Tables,
//! weights and other attributes are interned beside the terms ([`attributes`]); proved ranges are [`facts`] about classes.

mod attributes;
mod cost;
mod emit;
mod facts;
mod language;
mod program;
mod rules;
mod select;
mod tables;
#[cfg(test)]
mod tests;

use crate::framework::PassError;
use cml_dialects::ir::{Function, replace_function};
use melior::Context;

/// Replaces a function at level `fhe` by an equal one that costs less, where one is found; whether there was.
///
/// # Errors
/// [`PassError`] if it has ops of another level.
pub(crate) fn rewrite<'c>(context: &'c Context, server: Function<'c, '_>) -> Result<bool, PassError> {
    let mut program = program::Program::of(server)?;
    let Some((_, before)) = select::unchanged(&program) else { return Ok(false) };
    program.saturate(&rules::all().copied().collect::<Vec<_>>());
    // Ranges that exclude each other prove nothing.
    if program.egraph.analysis.contradiction {
        return Ok(false);
    }
    if let Some(selection) = select::select(&program, before) {
        let new = emit::function(context, &emit::Frame::of(server), &program, &selection)?;
        replace_function(server, vec![new]);
        return Ok(true);
    }
    Ok(false)
}
