//! The report in every format. One file per format; what they share (places, masking, counts) is settled before
//! they see it, so that all formats say the same in the same words.

mod concise;
mod github;
mod gitlab;
mod html;
mod human;
mod json;
mod junit;
mod markdown;
pub mod mask;
mod root;
mod row;
mod sarif;
mod summary;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, Write};
use std::time::Duration;

use crate::apply::{Outcome, State};
use crate::diag::Finding;
use crate::diff::Change;
use crate::model::Bundle;
use crate::simulate::Placement;

pub use mask::Mask;
pub use root::Root;
pub use row::{Row, rule_url};
pub use summary::Summary;

/// Version of the JSON report; `schemas/report.schema.json` describes it.
pub const SCHEMA: &str = "kplan.report/v1";

/// What `--output` takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One line per finding.
    Concise,
    /// The whole report as one JSON object.
    Json,
    /// One finding per line, as in `json`.
    Jsonl,
    /// Static analysis results 2.1.0.
    Sarif,
    /// Test results for build servers.
    Junit,
    /// Annotations of a GitHub workflow.
    Github,
    /// GitLab code quality.
    Gitlab,
    /// A comment on a pull request, at most 65,536 characters.
    Markdown,
    /// A page for a browser.
    Html,
}

impl Format {
    /// Every format with its name for `--output`.
    pub const ALL: [(&'static str, Format); 10] = [
        ("human", Format::Human),
        ("concise", Format::Concise),
        ("json", Format::Json),
        ("jsonl", Format::Jsonl),
        ("sarif", Format::Sarif),
        ("junit", Format::Junit),
        ("github", Format::Github),
        ("gitlab", Format::Gitlab),
        ("markdown", Format::Markdown),
        ("html", Format::Html),
    ];
}

/// Everything that a command found out.
#[derive(Debug)]
pub struct Report<'a> {
    /// Name of the subcommand.
    pub command: &'static str,
    /// `1.36`, or a range.
    pub kube_version: String,
    /// The PATHs, as given.
    pub target: String,
    /// What the changes are against, for people: `empty base`, `git HEAD~1`; `None` where nothing is compared.
    pub base: Option<String>,
    pub bundle: &'a Bundle,
    /// In order, suppressed ones included.
    pub findings: &'a [Finding],
    pub placement: Option<&'a Placement>,
    /// Where the nodes come from, or why there is no placement.
    pub placement_note: String,
    /// What could not be looked at, and why.
    pub notes: &'a [String],
    pub changes: Option<&'a [Change]>,
    /// What became of the changes that were applied.
    pub applied: &'a [Outcome],
    pub summary: Summary,
    pub elapsed: Duration,
    /// Hides what is secret.
    pub mask: &'a Mask,
    /// From where SARIF, GitHub and GitLab count paths.
    pub root: Root,
}

impl<'a> Report<'a> {
    /// Findings that count, ready to be shown.
    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> + '_ {
        let findings: &'a [Finding] = self.findings;
        findings.iter().filter(|finding| finding.suppressed.is_none()).map(|finding| Row::new(self, finding))
    }
}

/// How the human report may look; decided once, in `cli`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    pub color: bool,
    /// Columns of the terminal; `None` where there is none, and then nothing is wrapped.
    pub width: Option<usize>,
    /// Show how long it took; off where the output is kept, so that equal runs give equal bytes.
    pub time: bool,
    /// 0 is normal; above, unchanged objects and fields are listed too.
    pub verbose: u8,
}

/// Writes what became of the changes: a line for each that is not done, then the counts.
///
/// # Errors
/// Those of the writer.
pub fn write_results(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    if report.applied.is_empty() {
        return Ok(());
    }
    let of = |state: State| report.applied.iter().filter(move |outcome| outcome.state == state);
    for outcome in of(State::Failed) {
        let title = outcome.object.title();
        writeln!(out, "failed: {title}: {}", report.mask.text(&outcome.message))?;
    }
    for outcome in of(State::NotStarted) {
        writeln!(out, "not started: {}", outcome.object.title())?;
    }
    let [done, failed, not_started] = [State::Done, State::Failed, State::NotStarted].map(|state| of(state).count());
    let rest = if failed + not_started > 0 { " · nothing was rolled back" } else { "" };
    writeln!(out, "done {done} · failed {failed} · not started {not_started}{rest}")
}

/// Writes a report.
///
/// # Errors
/// Those of the writer.
pub fn write(format: Format, report: &Report<'_>, out: &mut dyn Write, style: &Style) -> io::Result<()> {
    match format {
        Format::Human => human::write(report, out, style),
        Format::Concise => concise::write(report, out),
        Format::Json => json::write(report, out),
        Format::Jsonl => json::write_lines(report, out),
        Format::Sarif => sarif::write(report, out),
        Format::Junit => junit::write(report, out),
        Format::Github => github::write(report, out),
        Format::Gitlab => gitlab::write(report, out),
        Format::Markdown => markdown::write(report, out),
        Format::Html => html::write(report, out),
    }
}
