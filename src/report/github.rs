//! Workflow commands of GitHub Actions: one annotation per finding.
//!
//! GitHub shows ten annotations of a type per step and drops the rest, so the tenth sums up what is left, and
//! whatever has no annotation stands in the log.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Report, Row, concise};

/// Annotations of one type per step, by GitHub's limits.
const LIMIT: usize = 10;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (severity, command) in [("error", "error"), ("warning", "warning"), ("info", "notice")] {
        let mut rows: Vec<Row<'_>> = report.rows().filter(|row| row.severity == severity).collect();
        // The sort is stable: within a class the order of the files stays.
        rows.sort_by_key(|row| row.finding.class);
        let shown = if rows.len() > LIMIT { LIMIT - 1 } else { rows.len() };
        for row in &rows[..shown] {
            writeln!(out, "{}", annotation(report, command, row))?;
        }
        let rest = &rows[shown..];
        if !rest.is_empty() {
            writeln!(out, "{}", rest_annotation(command, rest))?;
        }
        for row in rest {
            writeln!(out, "{}", log_line(row))?;
        }
    }
    Ok(())
}

fn annotation(report: &Report<'_>, command: &str, row: &Row<'_>) -> String {
    // Columns count only where the place is on one line.
    let columns = match row.end_line == row.line {
        true => format!(",col={},endColumn={}", row.column, row.end_column),
        false => String::new(),
    };
    let title = row.title.as_ref().map_or_else(|| row.rule.to_owned(), |title| format!("{} {title}", row.rule));
    let server = row
        .server_words()
        .filter(|words| *words != row.message)
        .map(|words| format!("\nserver: {words}"))
        .unwrap_or_default();
    let message = format!("{}{server}\n{}", row.message, row.help);
    format!(
        "::{command} file={},line={},endLine={}{columns},title={}::{}",
        property(&report.root.path(row.file)),
        row.line,
        row.end_line,
        property(&title),
        data(&message)
    )
}

fn rest_annotation(command: &str, rows: &[Row<'_>]) -> String {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *rules.entry(row.rule).or_default() += 1);
    let rules: Vec<String> = rules.iter().map(|(rule, number)| format!("{rule} ×{number}")).collect();
    let text = format!("{} more in the log of this step: {}", rows.len(), rules.join(", "));
    format!("::{command} title=kplan::{}", data(&text))
}

/// A line that the runner takes for no command; it reads `::` at the start of a line and `##[` anywhere.
fn log_line(row: &Row<'_>) -> String {
    let line = concise::line(row).replace("##[", "## [");
    if line.trim_start().starts_with("::") { format!("./{line}") } else { line }
}

/// The runner's escapes of a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The runner's escapes of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
