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
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => line.push(' '),
            char if char.is_control() => line.extend(char.escape_unicode()),
            char => line.push(char),
        }
    }
    line
}
