//! What stands under a finding, and the last lines of the report.

use std::path::Path;

use super::super::summary::count;
use super::super::{Report, Row, Style};
use super::paint::Paint;
use crate::diag::{Class, Fix};

/// `= server: …`, `= fix: …`, `= help: …`, and places that the frame does not show.
pub(super) fn notes(page: &mut String, report: &Report<'_>, row: &Row<'_>, help_shown: bool, paint: &Paint) {
    let diagnostic = &row.finding.diagnostic;
    // The generic rules say nothing but the server's words.
    if let Some(words) = row.server_words().filter(|words| *words != row.message) {
        note(page, "server", &shortened(&words, paint), paint);
    }
    for (related, place) in row.related.iter().zip(&diagnostic.related) {
        let near = place.file == diagnostic.file && related.line.abs_diff(row.line) < super::frame::MAX_LINES;
        if !near {
            let text = format!("{}:{}:{}: {}", related.file, related.line, related.column, related.message);
            note(page, "see", &text, paint);
        }
    }
    if let Some(fix) = row.fix.as_ref().and(diagnostic.fix.as_ref()) {
        let flag = if fix.safe { "--fix" } else { "--fix --unsafe" };
        note(page, "fix", &format!("{}   kplan check {flag}", fix_text(report, row, fix)), paint);
    }
    match row.help.split_once('\n').unwrap_or((&row.help, "")) {
        _ if help_shown => {}
        // Help on a pending pod begins with the scheduler's own words.
        (first, rest) if first.starts_with("scheduler: ") => {
            note(page, "scheduler", first.trim_start_matches("scheduler: "), paint);
            if !rest.is_empty() {
                note(page, "help", rest, paint);
            }
        }
        _ => note(page, "help", &row.help, paint),
    }
}

/// The server may put a whole Go struct into its words; the last of them say what is wrong with it.
fn shortened(words: &str, paint: &Paint) -> String {
    const WORDS: usize = 600;
    let length = words.chars().count();
    if paint.verbose || length <= WORDS {
        return words.to_owned();
    }
    let head: String = words.chars().take(WORDS / 3).collect();
    let tail = words.rsplit_once(": ").map(|(_, tail)| tail).filter(|tail| tail.len() < WORDS / 3);
    let tail = tail.map(|tail| format!(": {tail}")).unwrap_or_default();
    format!("{head}… ({length} characters, -v shows them){tail}")
}

fn note(page: &mut String, name: &str, text: &str, paint: &Paint) {
    let head = format!("  = {name}: ");
    for (index, line) in paint.wrap(&format!("{head}{text}"), head.len()).iter().enumerate() {
        match line.strip_prefix(&head) {
            Some(rest) if index == 0 => page.push_str(&format!("{}{rest}\n", paint.bold(&head))),
            _ => page.push_str(&format!("{line}\n")),
        }
    }
}

/// What the fix writes, where that fits a line.
fn fix_text(report: &Report<'_>, row: &Row<'_>, fix: &Fix) -> String {
    let source = report.bundle.sources.get(row.finding.diagnostic.file);
    let [edit] = fix.edits.as_slice() else {
        return format!("changes {}", count(fix.edits.len(), "place"));
    };
    let line = source.line_span(source.line_column(edit.span.start).line).unwrap_or(edit.span);
    let whole = edit.span.end <= line.end && !edit.text.contains('\n') && line.range().len() < 120;
    if !whole {
        return format!("changes {}", count(1, "place"));
    }
    let text = &source.text;
    let (before, after) =
        (text.get(line.start as usize..edit.span.start as usize), text.get(edit.span.end as usize..line.end as usize));
    let changed = format!("{}{}{}", before.unwrap_or(""), edit.text, after.unwrap_or(""));
    changed.trim().to_owned()
}

/// What was looked at, what could not be, how sure it is, and the counts.
pub(super) fn last_lines(page: &mut String, report: &Report<'_>, style: &Style, paint: &Paint) {
    let summary = &report.summary;
    let mut aside = Vec::new();
    if summary.not_rendered > 0 {
        let what = if summary.not_rendered == 1 { "kustomization or chart" } else { "kustomizations or charts" };
        aside.push(format!("{} {what} not rendered", summary.not_rendered));
    }
    if summary.unjudged > 0 {
        aside.push(format!("{} of kinds without a schema not judged", summary.unjudged));
    }
    if summary.skipped > 0 {
        aside.push(format!("{} not for a cluster", count(summary.skipped, "document")));
    }
    let aside = if aside.is_empty() { String::new() } else { format!(" ({})", aside.join(", ")) };
    let looked = format!(
        "{}: {}, {}{aside} · Kubernetes {} · {}",
        target(&report.target),
        count(summary.files, "file"),
        count(summary.objects, "object"),
        report.kube_version,
        report.placement_note,
    );
    let mut parts = vec![findings(report)];
    if summary.fixable > 0 {
        parts.push(format!("{} fixable with --fix", summary.fixable));
    }
    if summary.suppressed > 0 {
        parts.push(format!("{} ignored", summary.suppressed));
    }
    if style.time {
        parts.push(format!("{:.2} s", report.elapsed.as_secs_f64()));
    }
    for text in report.notes {
        for line in paint.wrap(&format!("note: {}", super::paint::plain(text)), 6) {
            page.push_str(&format!("{line}\n"));
        }
    }
    for line in paint.wrap(&looked, 2) {
        page.push_str(&format!("{line}\n"));
    }
    for line in paint.wrap(&parts.join(" · "), 2) {
        page.push_str(&format!("{}\n", paint.bold(&line)));
    }
}

/// A folder is shown with a slash behind it.
fn target(target: &str) -> String {
    if target.ends_with('/') || target == "." || !Path::new(target).is_dir() {
        return target.to_owned();
    }
    format!("{target}/")
}

/// `4 errors (3 rejected, 1 pending), 2 warnings`.
fn findings(report: &Report<'_>) -> String {
    let summary = &report.summary;
    let loud = [Class::Unreadable, Class::Rejected, Class::Pending, Class::Broken];
    let classes: Vec<String> = loud
        .iter()
        .filter_map(|class| summary.classes.get(class).map(|number| format!("{number} {}", class.name())))
        .collect();
    let counts =
        [(summary.findings.error, "error"), (summary.findings.warning, "warning"), (summary.findings.info, "note")];
    let mut parts: Vec<String> =
        counts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(*number, noun)).collect();
    if parts.is_empty() {
        return "no findings".to_owned();
    }
    if !classes.is_empty() && summary.findings.error > 0 {
        parts[0].push_str(&format!(" ({})", classes.join(", ")));
    }
    parts.join(", ")
}
