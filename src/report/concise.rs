//! One line per finding: `file:line:column: severity[rule] message`.

use std::io::{self, Write};

use super::{Report, Row};

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    for row in report.rows() {
        writeln!(out, "{}", line(&row))?;
    }
    Ok(())
}

/// The line of one finding; nothing in it breaks the line.
pub(super) fn line(row: &Row<'_>) -> String {
    let (file, message) = (one_line(row.file), one_line(&row.message));
    format!("{file}:{}:{}: {}[{}] {message}", row.line, row.column, row.severity, row.rule)
}

/// The text without anything that a terminal or a line-based reader would act on.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '\n' | '\r' | '\t' => " ".to_owned(),
            char if char.is_control() => char.escape_unicode().to_string(),
            char => char.to_string(),
        })
        .collect()
}
