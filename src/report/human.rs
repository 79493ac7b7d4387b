//! The report for people; the look is described in ARCHITECTURE.md. Only [`frame`] knows miette.

mod frame;
mod notes;
mod paint;
mod placement;
mod plan;

use std::io::{self, Write};

use paint::Paint;
pub(super) use plan::risk_name;

use super::{Report, Row, Style};
use crate::simulate::Placement;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write, style: &Style) -> io::Result<()> {
    let paint = Paint::new(style);
    let mut page = String::new();
    if let Some(changes) = report.changes {
        plan::write(&mut page, report, changes, &paint);
    }
    let of_interest = |placement: &&Placement| match report.command {
        "simulate" => true,
        "check" | "diff" => false,
        _ => !placement.pods.is_empty(),
    };
    if let Some(placement) = report.placement.filter(of_interest) {
        placement::write(&mut page, placement, &paint);
    }
    out.write_all(page.as_bytes())?;
    for row in report.rows() {
        page.clear();
        finding(&mut page, report, &row, &paint);
        out.write_all(page.as_bytes())?;
    }
    page.clear();
    notes::last_lines(&mut page, report, style, &paint);
    out.write_all(page.as_bytes())
}

/// Columns of a page where nobody says.
const PAGE: usize = 110;

/// A finding: what is wrong, where, and what to do.
fn finding(page: &mut String, report: &Report<'_>, row: &Row<'_>, paint: &Paint) {
    let head = format!("{}[{}]", row.severity, row.rule);
    let version = row.kube_version.map(|version| format!(" (Kubernetes {version})")).unwrap_or_default();
    let lines = paint.wrap(&format!("{head}: {}{version}", super::concise::one_line(&row.message)), 2);
    let (first, rest) = lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let class = paint.class(row.class);
    let page_width = paint.width().unwrap_or(PAGE).min(PAGE);
    let room = page_width.saturating_sub(paint::width_of(first) + row.class.len());
    let message = first.strip_prefix(&head).unwrap_or(first);
    let gap = " ".repeat(room.max(2));
    page.push_str(&format!("{}{}{gap}{class}\n", paint.severity(row.severity, &head), paint.bold(message)));
    rest.iter().for_each(|line| page.push_str(&format!("{}\n", paint.bold(line))));
    let (frame, help_shown) = source_frame(report, row, paint);
    page.push_str(&frame);
    notes::notes(page, report, row, help_shown, paint);
    page.push('\n');
}

/// The frame, and whether the help stands in it.
fn source_frame(report: &Report<'_>, row: &Row<'_>, paint: &Paint) -> (String, bool) {
    let diagnostic = &row.finding.diagnostic;
    let source = report.bundle.sources.get(diagnostic.file);
    let title = row.title.clone().unwrap_or_default();
    let short = |text: &str| text.len() <= 80 && !text.contains('\n') && text.len() + row.column as usize <= PAGE + 20;
    let label = (row.own_help && short(&row.help)).then(|| paint::plain(&row.help));
    let mut others = Vec::new();
    for (related, shown) in diagnostic.related.iter().zip(&row.related) {
        if related.file == diagnostic.file && shown.line.abs_diff(row.line) < frame::MAX_LINES {
            others.push((related.span, paint::plain(&shown.message)));
        }
    }
    let marks = frame::Marks {
        source,
        secrets: report.mask.places(diagnostic.file),
        primary: (diagnostic.span, label.clone()),
        others,
        color: paint.on,
        width: paint.width(),
    };
    let drawn = if source.text.is_empty() { String::new() } else { frame::draw(&marks) };
    match drawn.split_once('\n') {
        Some((place, lines)) => (format!("{}\n{lines}", format!("{place}   {title}").trim_end()), label.is_some()),
        None => (format!("  ┌─[{}]   {title}\n", row.file).replace("   \n", "\n"), false),
    }
}
