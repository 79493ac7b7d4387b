//! The JSON report, `kplan.report/v1`; `schemas/report.schema.json` describes it.

use std::io::{self, Write};

use serde::Serialize;

use super::{Report, Row, SCHEMA, Summary};
use crate::apply::Outcome;
use crate::diff::Change;
use crate::simulate::Placement;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    schema: &'static str,
    command: &'static str,
    kube_version: &'a str,
    findings: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<&'a Placement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
    /// What became of the changes; only of apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<Vec<Outcome>>,
    /// Only where something could not be looked at.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    summary: &'a Summary,
}

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let json = Json {
        schema: SCHEMA,
        command: report.command,
        kube_version: &report.kube_version,
        findings: report.rows().collect(),
        placement: report.placement,
        changes: report.changes.map(|changes| changes.iter().map(|change| report.mask.change(change)).collect()),
        applied: (!report.applied.is_empty()).then(|| report.applied.iter().map(|one| shown(report, one)).collect()),
        notes: report.notes,
        summary: &report.summary,
    };
    serde_json::to_writer(&mut *out, &json)?;
    writeln!(out)
}

/// The server's words may hold what is secret.
fn shown(report: &Report<'_>, outcome: &Outcome) -> Outcome {
    Outcome { message: report.mask.text(&outcome.message), ..outcome.clone() }
}

/// One finding a line.
pub(super) fn write_lines(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    for row in report.rows() {
        serde_json::to_writer(&mut *out, &row)?;
        writeln!(out)?;
    }
    Ok(())
}
