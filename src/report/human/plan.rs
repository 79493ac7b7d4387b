//! The plan: changes by risk, their fields, waves and counts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Report;
use super::super::summary::{action_name, count};
use super::super::text::{self, TextChange};
use super::paint::{Paint, columns, width_of};
use crate::diff::{Action, Change, Fidelity, FieldChange, Op, Risk};

/// Fields of an object that are listed without `-v`.
const FIELDS: usize = 20;

/// Lines of a text that are listed without `-v`.
const LINES: usize = 20;

/// Columns of a value that are shown without `-v`.
const VALUE: usize = 80;

pub(super) fn write(page: &mut String, report: &Report<'_>, changes: &[Change], paint: &Paint) {
    let base = report.base.as_deref().unwrap_or("empty base");
    page.push_str(&paint.bold(&format!("{}: {} → {base}", report.command, report.target)));
    page.push_str("\n\n");
    let changes: Vec<Change> = changes.iter().map(|change| report.mask.change(change)).collect();
    let touched: Vec<&Change> =
        changes.iter().filter(|change| !matches!(change.action, Action::Unchanged | Action::Keep)).collect();
    let first_run = touched.iter().all(|change| change.action == Action::Create) && !touched.is_empty();
    if first_run && report.command != "diff" {
        by_wave(page, &touched, paint);
    } else {
        // Risks and waves are known to plan only.
        if report.command == "diff" {
            actions(page, &touched, paint);
        } else {
            by_risk(page, &touched, paint);
        }
        touched.iter().for_each(|change| fields(page, change, paint));
        if report.command != "diff" {
            waves(page, &touched);
        }
    }
    counts(page, report.command, &changes, paint);
    page.push('\n');
}

/// A first run: what comes into being, in the order in which it does.
fn by_wave(page: &mut String, changes: &[&Change], paint: &Paint) {
    let mut waves: BTreeMap<u32, Vec<&Change>> = BTreeMap::new();
    changes.iter().for_each(|change| waves.entry(change.wave).or_default().push(change));
    let mut rows = vec![["WAVE", "ACTION", "OBJECT", "WHY"].map(|title| paint.bold(title)).to_vec()];
    for (wave, changes) in &waves {
        for (index, change) in changes.iter().enumerate() {
            let wave = if index == 0 { wave.to_string() } else { String::new() };
            let risk = if change.risk == Risk::Safe { "" } else { risk_name(change.risk) };
            let why = [risk, &change.why].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
            rows.push(vec![wave, "create".to_owned(), change.object.title(), why]);
        }
    }
    page.push_str(&columns(&rows, "  "));
    page.push('\n');
}

/// What happens to which object.
fn actions(page: &mut String, changes: &[&Change], paint: &Paint) {
    if changes.is_empty() {
        return;
    }
    let mut rows = vec![["ACTION", "OBJECT", "WHY"].map(|title| paint.bold(title)).to_vec()];
    for change in changes {
        rows.push(vec![action_name(change.action).to_owned(), change.object.title(), change.why.clone()]);
    }
    page.push_str(&columns(&rows, "  "));
    page.push('\n');
}

/// Worst first; within a risk in the order of apply.
fn by_risk(page: &mut String, changes: &[&Change], paint: &Paint) {
    if changes.is_empty() {
        return;
    }
    let mut sorted = changes.to_vec();
    sorted.sort_by_key(|change| (change.risk, change.wave));
    let mut rows = vec![["", "RISK", "ACTION", "OBJECT", "WHY"].map(|title| paint.bold(title)).to_vec()];
    for change in sorted {
        let (sign, severity) = match change.risk {
            Risk::DataLoss | Risk::Delete | Risk::Replace | Risk::Outage => ("!", "error"),
            Risk::Disruptive | Risk::Conflict | Risk::Widens => ("~", "warning"),
            Risk::Safe => (" ", "info"),
        };
        let mut why = change.why.clone();
        if change.fidelity == Fidelity::Dummy {
            why.push_str("  (fidelity: dummy)");
        }
        rows.push(vec![
            sign.to_owned(),
            paint.severity(severity, risk_name(change.risk)),
            action_name(change.action).to_owned(),
            change.object.title(),
            why.trim_start().to_owned(),
        ]);
    }
    page.push_str(&columns(&rows, ""));
    page.push('\n');
}

fn fields(page: &mut String, change: &Change, paint: &Paint) {
    if change.fields.is_empty() && change.notes.is_empty() {
        return;
    }
    let restarts = match change.restarts {
        0 => String::new(),
        number => format!(", restarts {}", count(number as usize, "pod")),
    };
    let head = format!("~ {}   {}{restarts}", change.object.title(), action_name(change.action));
    page.push_str(&format!("{}\n", paint.bold(&head)));
    let limit = if paint.verbose { usize::MAX } else { FIELDS };
    let rows: Vec<Vec<String>> = change.fields.iter().take(limit).map(|field| field_row(field, paint)).collect();
    for (line, field) in columns(&rows, "    ").lines().zip(&change.fields) {
        page.push_str(&format!("{line}\n"));
        if let Some(TextChange::Lines { lines, .. }) = text::of_field(field, VALUE) {
            text_lines(page, &lines, paint);
        }
    }
    if change.fields.len() > limit {
        page.push_str(&format!("    {} more fields hidden, -v shows them\n", change.fields.len() - limit));
    }
    for note in &change.notes {
        page.push_str(&format!("    {}\n", super::paint::plain(note)));
    }
    page.push('\n');
}

/// The lines of a text that differ.
fn text_lines(page: &mut String, lines: &[(char, String)], paint: &Paint) {
    let limit = if paint.verbose { usize::MAX } else { LINES };
    for (sign, line) in lines.iter().take(limit) {
        let line = super::paint::plain(&line.replace('\r', "\\r"));
        let line = format!("{sign} {}", if paint.verbose { line } else { cut(&line) });
        let painted = match sign {
            '-' => paint.color(anstyle::AnsiColor::Red, &line),
            '+' => paint.color(anstyle::AnsiColor::Green, &line),
            _ => paint.dim(&line),
        };
        page.push_str(&format!("      {painted}\n"));
    }
    if lines.len() > limit {
        page.push_str(&format!("      {} more lines hidden, -v shows them\n", lines.len() - limit));
    }
}

fn field_row(field: &FieldChange, paint: &Paint) -> Vec<String> {
    let before = field.before.as_ref().map(|value| shown(value, paint));
    let after = field.after.as_ref().map(|value| shown(value, paint));
    let text = match text::of_field(field, VALUE) {
        Some(TextChange::Lines { removed, added, .. }) => format!("lines: {removed} removed, {added} added"),
        Some(TextChange::Part(part)) if paint.verbose => super::paint::plain(&part),
        Some(TextChange::Part(part)) => cut(&super::paint::plain(&part)),
        None => sides(field, before, after),
    };
    let sensitive = if field.sensitive { "(sensitive)" } else { "" };
    let owner = field.owner.as_ref().map(|owner| format!("owned by {owner}")).unwrap_or_default();
    vec![super::paint::plain(&field.path), text, sensitive.to_owned(), owner]
}

fn sides(field: &FieldChange, before: Option<String>, after: Option<String>) -> String {
    match field.op {
        Op::Add => format!("+ {}", after.unwrap_or_default()),
        Op::Remove => format!("- {}", before.unwrap_or_default()),
        Op::Change => format!("{} → {}", before.unwrap_or_default(), after.unwrap_or_default()),
    }
}

/// Compact JSON; a long value is cut, and says so.
fn shown(value: &Value, paint: &Paint) -> String {
    let text = super::paint::plain(&value.to_string());
    if paint.verbose { text } else { cut(&text) }
}

fn cut(text: &str) -> String {
    if width_of(text) <= VALUE {
        return text.to_owned();
    }
    let head: String = text.chars().take(VALUE).collect();
    format!("{head}… ({} characters, -v shows them)", text.chars().count())
}

/// `Waves: 1 Namespace(1) · 2 ConfigMap(1) Service(2)`.
fn waves(page: &mut String, changes: &[&Change]) {
    let mut waves: BTreeMap<u32, BTreeMap<&str, usize>> = BTreeMap::new();
    for change in changes {
        *waves.entry(change.wave).or_default().entry(&change.object.kind).or_default() += 1;
    }
    let text: Vec<String> = waves
        .iter()
        .map(|(wave, kinds)| {
            let kinds: Vec<String> = kinds.iter().map(|(kind, number)| format!("{kind}({number})")).collect();
            format!("{wave} {}", kinds.join(" "))
        })
        .collect();
    if !text.is_empty() {
        page.push_str(&format!("Waves: {}\n", text.join(" · ")));
    }
}

/// `Plan: 2 to create, 3 to update (1 restarts 6 pods), 41 unchanged. Fidelity: 46 approx.`
fn counts(page: &mut String, command: &str, changes: &[Change], paint: &Paint) {
    let of = |action: Action| changes.iter().filter(|change| change.action == action).count();
    let restarting: Vec<u64> = changes.iter().map(|change| change.restarts).filter(|number| *number > 0).collect();
    let mut parts = Vec::new();
    for (action, words) in [
        (Action::Create, "to create"),
        (Action::Update, "to update"),
        (Action::Replace, "to replace"),
        (Action::Delete, "to delete"),
        (Action::Conflict, "in conflict"),
        (Action::Keep, "kept"),
        (Action::Unchanged, "unchanged"),
    ] {
        if of(action) > 0 {
            parts.push(format!("{} {words}", of(action)));
        }
    }
    if !restarting.is_empty() {
        let pods = count(restarting.iter().sum::<u64>() as usize, "pod");
        let verb = if restarting.len() == 1 { "restarts" } else { "restart" };
        parts.push(format!("{} {verb} {pods}", restarting.len()));
    }
    if parts.is_empty() {
        parts.push("nothing to compare".to_owned());
    }
    let sure =
        [(Fidelity::Server, "server"), (Fidelity::Dummy, "dummy"), (Fidelity::Approx, "approx")].map(|(kind, name)| {
            let number = changes.iter().filter(|change| change.fidelity == kind).count();
            (number > 0).then(|| format!("{number} {name}"))
        });
    let sure: Vec<String> = sure.into_iter().flatten().collect();
    let sure = if sure.is_empty() { String::new() } else { format!(" Fidelity: {}.", sure.join(", ")) };
    let name = if command == "diff" { "Diff" } else { "Plan" };
    page.push_str(&format!("{}\n", paint.bold(&format!("{name}: {}.{sure}", parts.join(", ")))));
}

pub(in super::super) fn risk_name(risk: Risk) -> &'static str {
    match risk {
        Risk::DataLoss => "DATA-LOSS",
        Risk::Delete => "DELETE",
        Risk::Replace => "REPLACE",
        Risk::Outage => "OUTAGE",
        Risk::Disruptive => "DISRUPTIVE",
        Risk::Conflict => "CONFLICT",
        Risk::Widens => "WIDENS",
        Risk::Safe => "safe",
    }
}
