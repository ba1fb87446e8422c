//! Progress for people: on a terminal only, silent into a pipe.

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
