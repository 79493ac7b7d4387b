//! GitLab's code quality report.

use std::io::{self, Write};

use serde_json::json;

use super::{Report, Row};

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let issues: Vec<_> = report.rows().map(|row| issue(report, &row)).collect();
    serde_json::to_writer(&mut *out, &issues)?;
    writeln!(out)
}

fn issue(report: &Report<'_>, row: &Row<'_>) -> serde_json::Value {
    let severity = match (row.severity, row.class) {
        ("error", "rejected" | "unreadable") => "blocker",
        ("error", _) => "critical",
        ("warning", _) => "major",
        _ => "info",
    };
    json!({
        "description": row.message,
        "check_name": row.rule,
        "fingerprint": row.fingerprint,
        "severity": severity,
        "location": {"path": report.root.path(row.file), "lines": {"begin": row.line, "end": row.end_line}},
    })
}
