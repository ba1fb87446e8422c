//! What MLIR has to say, as the errors of a command.

use anyhow::anyhow;
use cml_dialects::ffi::{diagnostic_text, location_file, location_name};
use melior::Context;
use melior::diagnostic::{Diagnostic, DiagnosticSeverity};
use std::cell::RefCell;
use std::rc::Rc;

/// Collects the errors of a context; nothing reaches stderr by itself.
pub(crate) struct Diagnostics(Rc<RefCell<Vec<String>>>);

impl Diagnostics {
    pub(crate) fn of(context: &Context) -> Self {
        let messages = Rc::new(RefCell::new(Vec::new()));
        let collected = messages.clone();
        context.attach_diagnostic_handler(move |diagnostic| {
            if matches!(diagnostic.severity(), DiagnosticSeverity::Error) {
                collected.borrow_mut().push(text(&diagnostic));
            }
            true
        });
        Self(messages)
    }

    /// All errors until now as one; `otherwise` where there was none.
    pub(crate) fn take(&self, otherwise: impl std::fmt::Display) -> anyhow::Error {
        let mut messages = self.0.take();
        messages.retain(|message| message != "the pipeline stopped here");
        if messages.is_empty() { anyhow!("{otherwise}") } else { anyhow!("{}", messages.join("\nerror: ")) }
    }
}

/// The message behind its place, and its notes.
fn text(diagnostic: &Diagnostic<'_>) -> String {
    let mut text = placed(diagnostic);
    for index in 0..diagnostic.note_count() {
        if let Ok(note) = diagnostic.note(index) {
            text.push_str(&format!("\n  note: {}", placed(&note)));
        }
    }
    text
}

fn placed(diagnostic: &Diagnostic<'_>) -> String {
    let message = diagnostic_text(diagnostic);
    let place = location_file(diagnostic.location())
        .map(|(file, line, column)| format!("{file}:{line}:{column}"))
        .or_else(|| location_name(diagnostic.location()));
    match place {
        Some(place) if !place.is_empty() && !message.contains(&place) => format!("{place}: {message}"),
        _ => message,
    }
}
