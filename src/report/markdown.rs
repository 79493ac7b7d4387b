//! Markdown for a comment on a pull request. GitHub takes 65,536 characters; what is cut is said.

use std::io::{self, Write};

use super::human::risk_name;
use super::summary::{action_name, count};
use super::text::{self, TextChange};
use super::{Report, Row};
use crate::diff::{Action, Change, FieldChange};
use crate::simulate::{Placement, Verdict};

/// GitHub's limit for a comment.
const LIMIT: usize = 65_536;

/// Kept free for the note that says what was cut.
const RESERVE: usize = 200;

/// Longest text in a cell.
const CELL: usize = 400;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { text: String::new(), length: 0, cut: 0 };
    page.push(&heading(report));
    let shown = |change: &&Change| !matches!(change.action, Action::Unchanged | Action::Keep);
    let changes = report.changes.into_iter().flatten().filter(shown);
    let changes: Vec<Change> = changes.map(|change| report.mask.change(change)).collect();
    if report.changes.is_some() {
        let rows: Vec<String> = changes.iter().map(change_row).collect();
        page.table("\n### Changes\n\n| risk | action | object | why | fields |\n|---|---|---|---|---|\n", &rows);
    }
    let notes: Vec<String> = report.notes.iter().map(|note| format!("- {}\n", escape(&one_line(note)))).collect();
    page.table("\n### Notes\n\n", &notes);
    if let Some(placement) = report.placement {
        let row =
            |(owner, why, number): &(String, String, usize)| format!("| {} ×{number} | {} |\n", cell(owner), cell(why));
        let rows: Vec<String> = pending(placement).iter().map(row).collect();
        page.table("\n### Pods that find no node\n\n| pods | why |\n|---|---|\n", &rows);
    }
    let rows: Vec<String> = report.rows().map(|row| finding_row(&row)).collect();
    page.table("\n### Findings\n\n| place | finding | what to do |\n|---|---|---|\n", &rows);
    let folded = page.blocks(&changes.iter().filter_map(block).collect::<Vec<String>>());
    let cut = [(page.cut, "row"), (folded, "field list")].into_iter().filter(|(number, _)| *number > 0);
    let cut: Vec<String> = cut.map(|(number, what)| count(number, what)).collect();
    if !cut.is_empty() {
        let cut = cut.join(" and ");
        page.text
            .push_str(&format!("\n{cut} left out: a comment holds {LIMIT} characters. `--output json` has all.\n"));
    }
    out.write_all(page.text.as_bytes())
}

/// Text that never grows beyond the limit.
struct Page {
    text: String,
    /// In UTF-16 units, which no way of counting characters exceeds.
    length: usize,
    cut: usize,
}

impl Page {
    fn push(&mut self, text: &str) -> bool {
        let length = text.encode_utf16().count();
        let fits = self.cut == 0 && self.length + length + RESERVE <= LIMIT;
        if fits {
            self.text.push_str(text);
            self.length += length;
        }
        fits
    }

    /// Whole blocks under a heading, as many as there is room for; how many are left out.
    fn blocks(&mut self, blocks: &[String]) -> usize {
        const HEAD: &str = "\n### Fields\n";
        let room = LIMIT.saturating_sub(self.length + RESERVE);
        if self.cut > 0 || room < HEAD.len() || blocks.is_empty() {
            return blocks.len();
        }
        self.push(HEAD);
        blocks.iter().filter(|block| !self.push(block)).count()
    }

    fn table(&mut self, head: &str, rows: &[String]) {
        if rows.is_empty() {
            return;
        }
        if !self.push(head) {
            self.cut += rows.len();
            return;
        }
        for row in rows {
            if !self.push(row) {
                self.cut += 1;
            }
        }
    }
}

/// The fields of a change, folded; `None` where there are none, or where only a new object is listed.
fn block(change: &Change) -> Option<String> {
    const FIELDS: usize = 50;
    if change.action == Action::Create || change.fields.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = change.fields.iter().take(FIELDS).flat_map(field_lines).collect();
    if change.fields.len() > FIELDS {
        lines.push(format!("  {} more fields", change.fields.len() - FIELDS));
    }
    lines.extend(change.notes.iter().map(|note| format!("  {note}")));
    let text: Vec<String> = lines.iter().map(|line| one_line(line)).collect();
    let text = text.join("\n");
    // A fence that no line of the text ends.
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let title = html(&format!("{} {}", action_name(change.action), change.object.title()));
    Some(format!("\n<details><summary>{title}</summary>\n\n{fence}diff\n{text}\n{fence}\n\n</details>\n"))
}

/// A field as the lines of a diff.
pub(super) fn field_lines(field: &FieldChange) -> Vec<String> {
    const LINES: usize = 60;
    /// Longer texts are shown by their changed parts.
    const SHORT: usize = 80;
    let sensitive = if field.sensitive { " (sensitive)" } else { "" };
    let owner = field.owner.as_ref().map(|owner| format!(" (owned by {owner})")).unwrap_or_default();
    let mut out = vec![format!("  {}{sensitive}{owner}", field.path)];
    match text::of_field(field, SHORT) {
        Some(TextChange::Lines { lines, .. }) => {
            out.extend(lines.iter().take(LINES).map(|(sign, line)| format!("{sign} {line}")));
            if lines.len() > LINES {
                out.push(format!("… {} more lines", lines.len() - LINES));
            }
        }
        Some(TextChange::Part(part)) => out.push(format!("! {part}")),
        None => {
            out.extend(field.before.iter().map(|value| format!("- {value}")));
            out.extend(field.after.iter().map(|value| format!("+ {value}")));
        }
    }
    out
}

/// A line of a fence: without control characters, cut when it is long.
fn one_line(text: &str) -> String {
    let text = text.trim_end_matches(['\n', '\r']);
    let mut line: String =
        text.chars().take(CELL).map(|char| if char.is_control() && char != '\t' { '\u{fffd}' } else { char }).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

/// A text inside of an element; nobody is mentioned.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "&#64;")
}

fn heading(report: &Report<'_>) -> String {
    let found = &report.summary.findings;
    let sign = if found.error > 0 { "✗" } else { "✓" };
    let base = report.base.as_ref().map(|base| format!(" against {}", escape(base))).unwrap_or_default();
    let mut text = format!(
        "## {sign} kplan {} {}{base}\n\n{}, {}, {} · {}, {} · Kubernetes {} · {}\n",
        report.command,
        escape(&report.target),
        count(found.error, "error"),
        count(found.warning, "warning"),
        count(found.info, "note"),
        count(report.summary.files, "file"),
        count(report.summary.objects, "object"),
        report.kube_version,
        escape(&report.placement_note),
    );
    if let Some(changes) = &report.summary.changes {
        let parts: Vec<String> = changes.iter().map(|(action, number)| format!("{action} {number}")).collect();
        text.push_str(&format!("\nChanges: {}\n", parts.join(", ")));
    }
    text
}

fn change_row(change: &Change) -> String {
    const FIELDS: usize = 5;
    let mut fields: Vec<String> =
        change.fields.iter().take(FIELDS).map(|field| format!("`{}`", code(&field.path))).collect();
    if change.fields.len() > FIELDS {
        fields.push(format!("{} more", change.fields.len() - FIELDS));
    }
    format!(
        "| {} | {} | {} | {} | {} |\n",
        risk_name(change.risk),
        action_name(change.action),
        cell(&change.object.title()),
        cell(&change.why),
        fields.join(", ")
    )
}

/// Owners of pods that find no node, each with why and how many.
pub(super) fn pending(placement: &Placement) -> Vec<(String, String, usize)> {
    let mut rows: Vec<(String, String, usize)> = Vec::new();
    for pod in placement.pods.iter().filter(|pod| !matches!(pod.verdict, Verdict::Scheduled | Verdict::Bypassed)) {
        let owner = format!("{}/{}", pod.namespace, pod.owner);
        let message = pod.message.clone().unwrap_or_default();
        match rows.iter_mut().find(|(known, reason, _)| *known == owner && *reason == message) {
            Some((_, _, number)) => *number += 1,
            None => rows.push((owner, message, 1)),
        }
    }
    rows
}

fn finding_row(row: &Row<'_>) -> String {
    let object = row.title.as_ref().map(|title| format!("<br>{}", cell(title))).unwrap_or_default();
    let server = row
        .server_words()
        .filter(|words| *words != row.message)
        .map(|words| format!("<br>server: {}", cell(&words)))
        .unwrap_or_default();
    format!(
        "| {}:{}:{}{object} | **{}** [{}]({}) ({})<br>{}{server} | {} |\n",
        cell(row.file),
        row.line,
        row.column,
        row.severity,
        row.rule,
        row.url,
        row.class,
        cell(&row.message),
        cell(&row.help)
    )
}

/// A text for a table cell: on one line, escaped, cut when it is long.
fn cell(text: &str) -> String {
    let mut cut: String = text.chars().take(CELL).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    escape(&cut)
}

/// Nothing in the text is markup or mentions anyone.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '|' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' | '`' => {
                out.push('\\');
                out.push(char);
            }
            char if char.is_control() => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}

/// Text between backticks.
fn code(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|").replace('\n', " ")
}
