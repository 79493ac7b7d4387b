//! One page for a browser: no scripts, nothing loaded from elsewhere.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::human::risk_name;
use super::junit;
use super::markdown::{field_lines, pending};
use super::summary::{action_name, count};
use super::{Report, Row};
use crate::diff::{Action, Change};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1f2328}\
h2{margin-top:2rem}h3{font:600 14px ui-monospace,monospace;margin:1.5rem 0 .25rem}\
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #d0d7de;padding:.4rem .6rem;text-align:left;\
vertical-align:top}code,pre{font:13px ui-monospace,monospace}pre{overflow-x:auto;background:#f6f8fa;padding:.6rem}\
.error{color:#b42318}.warning{color:#9a6700}.info{color:#57606a}.help{color:#57606a}\
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}td,th{border-color:#30363d}\
pre{background:#161b22}.error{color:#ff7b72}.warning{color:#d29922}.info,.help{color:#8b949e}a{color:#79c0ff}}";

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let title = escape(&format!("kplan {} {}", report.command, report.target));
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>")?;
    writeln!(out, "<h1>{title}</h1>\n{}", summary(report))?;
    let shown = |change: &&Change| !matches!(change.action, Action::Unchanged | Action::Keep);
    let changes: Vec<Change> =
        report.changes.into_iter().flatten().filter(shown).map(|change| report.mask.change(change)).collect();
    let rows: Vec<String> = changes.iter().map(change_row).collect();
    table(out, "Changes", &["risk", "action", "object", "why"], &rows)?;
    let waiting = report.placement.map(pending).unwrap_or_default();
    let rows: Vec<String> = waiting.iter().map(pending_row).collect();
    table(out, "Pods that find no node", &["pods", "why"], &rows)?;
    findings(report, out)?;
    writeln!(out, "</body>\n</html>")
}

fn summary(report: &Report<'_>) -> String {
    let found = &report.summary.findings;
    let base = report.base.as_ref().map(|base| format!(" · against {}", escape(base))).unwrap_or_default();
    let mut text = format!(
        "<p><strong class=\"error\">{}</strong>, <strong class=\"warning\">{}</strong>, {} · {}, {} · Kubernetes {}{base}</p>\n\
         <p class=\"help\">{}</p>",
        count(found.error, "error"),
        count(found.warning, "warning"),
        count(found.info, "note"),
        count(report.summary.files, "file"),
        count(report.summary.objects, "object"),
        escape(&report.kube_version),
        escape(&report.placement_note),
    );
    for note in report.notes {
        let _ = write!(text, "\n<p class=\"help\">{}</p>", escape(&report.mask.text(note)));
    }
    text
}

fn table(out: &mut dyn Write, title: &str, columns: &[&str], rows: &[String]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let head: String = columns.iter().map(|column| format!("<th>{column}</th>")).collect();
    writeln!(out, "<h2>{title}</h2>\n<table>\n<tr>{head}</tr>\n{}\n</table>", rows.join("\n"))
}

fn change_row(change: &Change) -> String {
    let lines: Vec<String> = match change.action {
        Action::Create => Vec::new(),
        _ => change.fields.iter().flat_map(field_lines).collect(),
    };
    let fields = match lines.is_empty() {
        true => String::new(),
        false => format!(
            "<details><summary>{}</summary><pre>{}</pre></details>",
            count(change.fields.len(), "field"),
            escape(&lines.join("\n"))
        ),
    };
    let notes: String = change.notes.iter().map(|note| format!("<br>{}", escape(note))).collect();
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}{notes}{fields}</td></tr>",
        risk_name(change.risk),
        action_name(change.action),
        escape(&change.object.title()),
        escape(&change.why)
    )
}

fn pending_row((owner, why, number): &(String, String, usize)) -> String {
    format!("<tr><td>{} ×{number}</td><td>{}</td></tr>", escape(owner), escape(why))
}

/// The findings under their files, in order.
fn findings(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut file = None;
    for row in report.rows() {
        if file != Some(row.file) {
            let open = if file.is_none() { "<h2>Findings</h2>" } else { "</table>" };
            writeln!(out, "{open}\n<h3>{}</h3>\n<table>", escape(row.file))?;
            file = Some(row.file);
        }
        writeln!(out, "{}", finding_row(&row))?;
    }
    if file.is_some() {
        writeln!(out, "</table>")?;
    }
    Ok(())
}

fn finding_row(row: &Row<'_>) -> String {
    let title = row.title.as_ref().map(|title| format!("<br><span class=\"help\">{}</span>", escape(title)));
    let server = row.server_words().filter(|words| *words != row.message);
    let server = server.map(|words| format!("<br><code>server: {}</code>", escape(&words))).unwrap_or_default();
    format!(
        "<tr><td>{}:{}</td><td><strong class=\"{}\">{}</strong> <a href=\"{}\">{}</a>{}</td><td>{}{server}<br>\
         <span class=\"help\">{}</span></td></tr>",
        row.line,
        row.column,
        row.severity,
        row.severity,
        escape(&row.url),
        escape(row.rule),
        title.unwrap_or_default(),
        escape(&row.message),
        escape(&row.help)
    )
}

/// Nothing in the text is markup, in an element or an attribute.
fn escape(text: &str) -> String {
    junit::escape(text).replace('\'', "&#39;")
}
