//! Progress for people: on a terminal only, silent into a pipe.

use cml_passes::Message;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// The stages of a compilation, one after the other on one line.
pub(crate) struct Stages(ProgressBar);

impl Stages {
    pub(crate) fn start() -> Self {
        // indicatif draws on stderr, and hides what is drawn into a pipe.
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    pub(crate) fn announce(&self, stage: &str) {
        self.0.set_message(stage.to_owned());
    }

    /// Shows what passes tell.
    pub(crate) fn observe_passes(&self) {
        let bar = self.0.clone();
        cml_passes::set_observer(move |message| match message {
            Message::Stage(text) => bar.set_message(text.to_owned()),
            Message::Note(text) => bar.suspend(|| cml_runtime::output::note(text)),
            Message::Warning(text) => bar.suspend(|| cml_runtime::output::warn(text)),
        });
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Bootstraps finished, of all.
pub(crate) struct Bootstraps(ProgressBar);

impl Bootstraps {
    pub(crate) fn start() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} bootstraps, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn report(&self, finished: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(finished as u64);
    }
}

impl Drop for Bootstraps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The part of a measurement that is done.
pub(crate) struct Measuring(ProgressBar);

impl Measuring {
    /// Steps of the bar.
    const STEPS: f64 = 1000.0;

    pub(crate) fn start() -> Self {
        let bar = ProgressBar::new(Self::STEPS as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent} % measured, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// From 0 to 1.
    pub(crate) fn report(&self, part: f64) {
        self.0.set_position((part * Self::STEPS) as u64);
    }
}

impl Drop for Measuring {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
