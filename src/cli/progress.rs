//! Progress and notes, on stderr only.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Work that ends sooner shows nothing.
const LONG: Duration = Duration::from_millis(500);

/// What is being done, on a terminal, once it takes long.
pub(super) struct Progress {
    start: Instant,
    enabled: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Progress {
        Progress { start: Instant::now(), enabled: !quiet && io::stderr().is_terminal(), bar: None }
    }

    /// Names the stage that begins.
    pub(super) fn stage(&mut self, name: &'static str) {
        if self.enabled && self.bar.is_none() && self.start.elapsed() > LONG {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::default_spinner());
            bar.enable_steady_tick(Duration::from_millis(100));
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(name);
        }
    }

    /// Takes the line away before the report is written.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Lines for the user that are no part of the report.
pub(super) fn note(lines: &[String]) {
    for line in lines {
        let _ = writeln!(io::stderr(), "note: {line}");
    }
}
