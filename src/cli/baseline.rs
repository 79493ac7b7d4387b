//! Baselines: findings that are known and do not count, by fingerprint.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{CliError, ErrorKind, io_text};
use super::{output, progress};
use crate::diag::Finding;

const SCHEMA: &str = "kplan.baseline/v1";

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    schema: String,
    findings: BTreeSet<Entry>,
}

/// The rule is there for people; the fingerprint decides.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fingerprint: String,
    rule: String,
}

/// Suppresses the findings of a baseline; says on stderr how many of its entries are no longer found.
pub(super) fn apply(path: &Path, findings: &mut [Finding], quiet: bool) -> Result<(), CliError> {
    let wrong = |cause: String| {
        let message = format!("cannot use the baseline {}: {cause}", path.display());
        CliError::new(ErrorKind::Config, message, "write it with `kplan check --write-baseline FILE`")
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(io_text(&error)))?;
    let baseline: Baseline = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if baseline.schema != SCHEMA {
        return Err(wrong(format!("its schema is `{}`, not {SCHEMA}", baseline.schema)));
    }
    let mut known: BTreeSet<&str> = baseline.findings.iter().map(|entry| entry.fingerprint.as_str()).collect();
    for finding in findings {
        if known.remove(finding.fingerprint.as_str()) && finding.suppressed.is_none() {
            finding.suppressed = Some(format!("baseline {}", path.display()));
        }
    }
    if !known.is_empty() && !quiet {
        let line = format!("{} of the baseline {} are no longer found; write it anew", known.len(), path.display());
        progress::note(&[line]);
    }
    Ok(())
}

/// Writes the findings that count; gives their number.
pub(super) fn write(path: &PathBuf, findings: &[Finding]) -> Result<usize, CliError> {
    let open = findings.iter().filter(|finding| finding.suppressed.is_none());
    let entries =
        open.map(|finding| Entry { fingerprint: finding.fingerprint.clone(), rule: finding.rule.id.to_owned() });
    let baseline = Baseline { schema: SCHEMA.to_owned(), findings: entries.collect() };
    output::to_file(path, |out| {
        serde_json::to_writer_pretty(&mut *out, &baseline)?;
        writeln!(out)
    })?;
    Ok(baseline.findings.len())
}
