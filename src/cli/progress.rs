//! Progress and notes, on stderr only.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::apply::{Event, Step};
use crate::diff::Action;

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

/// What becomes of the steps of apply: a live line for each on a terminal, else a line for each change of state.
pub(super) struct Steps {
    titles: Vec<String>,
    verbs: Vec<&'static str>,
    width: usize,
    start: Instant,
    quiet: bool,
    bars: Option<(MultiProgress, Mutex<Vec<Option<ProgressBar>>>)>,
}

impl Steps {
    pub(super) fn new(steps: &[Step], quiet: bool) -> Steps {
        let total = steps.len();
        let title = |(index, step): (usize, &Step)| format!("{}/{total} {}", index + 1, step.object.title());
        let titles: Vec<String> = steps.iter().enumerate().map(title).collect();
        let verb = |step: &Step| if step.action == Action::Create { "created" } else { "updated" };
        let terminal = io::stderr().is_terminal() && !quiet;
        Steps {
            width: titles.iter().map(String::len).max().unwrap_or(0),
            titles,
            verbs: steps.iter().map(verb).collect(),
            start: Instant::now(),
            quiet,
            bars: terminal.then(|| (MultiProgress::new(), Mutex::new(vec![None; total]))),
        }
    }

    pub(super) fn tell(&self, event: Event<'_>) {
        let (index, text, ended) = match event {
            Event::Applied(index) => (index, self.verbs[index].to_owned(), false),
            Event::Waiting(index, text) => (index, format!("{}  {text}", self.verbs[index]), false),
            Event::Ready(index, text) => (index, format!("{}  {text}", self.verbs[index]), true),
            Event::Failed(index, text) => (index, format!("failed: {text}"), true),
        };
        let line = format!("{:width$}  {}", self.titles[index], text.trim_end(), width = self.width);
        let seconds = self.start.elapsed().as_secs_f64();
        match &self.bars {
            _ if self.quiet => {}
            None => {
                let _ = writeln!(io::stderr(), "{line}  {seconds:.1} s");
            }
            Some((all, bars)) => {
                let Ok(mut bars) = bars.lock() else { return };
                let bar = bars[index].get_or_insert_with(|| {
                    let bar = all.add(ProgressBar::new_spinner());
                    if let Ok(style) = ProgressStyle::with_template("{msg}  {elapsed}") {
                        bar.set_style(style);
                    }
                    bar.enable_steady_tick(Duration::from_millis(500));
                    bar
                });
                if ended { bar.finish_with_message(line) } else { bar.set_message(line) }
            }
        }
    }

    /// Leaves the lines as they are.
    pub(super) fn end(&self) {
        if let Some((_, bars)) = &self.bars
            && let Ok(bars) = bars.lock()
        {
            bars.iter().flatten().filter(|bar| !bar.is_finished()).for_each(ProgressBar::abandon);
        }
    }
}
