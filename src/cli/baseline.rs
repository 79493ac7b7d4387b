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

fn read(path: &Path) -> Result<Baseline, CliError> {
    let wrong = |cause: String| {
        let message = format!("cannot use the baseline {}: {cause}", path.display());
        CliError::new(ErrorKind::Config, message, "write it with `kplan check --write-baseline FILE`")
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(io_text(&error)))?;
    // Another version may have other fields, so its name is looked at first.
    let schema = serde_json::from_str::<serde_json::Value>(&text).map_err(|error| wrong(error.to_string()))?;
    if let Some(other) = schema["schema"].as_str().filter(|schema| *schema != SCHEMA) {
        return Err(wrong(format!("its schema is `{other}`, not {SCHEMA}")));
    }
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// Suppresses the findings of a baseline; says on stderr how many of its entries are no longer found.
pub(super) fn apply(path: &Path, findings: &mut [Finding], quiet: bool) -> Result<(), CliError> {
    let baseline = read(path)?;
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

/// Writes the findings that count; gives their number. A baseline that is there already may only shrink.
pub(super) fn write(path: &PathBuf, findings: &[Finding]) -> Result<usize, CliError> {
    let open = findings.iter().filter(|finding| finding.suppressed.is_none());
    let entries =
        open.map(|finding| Entry { fingerprint: finding.fingerprint.clone(), rule: finding.rule.id.to_owned() });
    let baseline = Baseline { schema: SCHEMA.to_owned(), findings: entries.collect() };
    if path.exists() {
        let known = read(path)?;
        let new: Vec<&Entry> = baseline.findings.difference(&known.findings).collect();
        if let Some(first) = new.first() {
            let message = format!(
                "the baseline {} may only shrink, and {} findings are not in it, {} among them",
                path.display(),
                new.len(),
                first.rule
            );
            let help = "mend them (`kplan check --baseline FILE` shows them), or remove the file to start anew";
            return Err(CliError::new(ErrorKind::Grown, message, help));
        }
    }
    output::to_file(path, |out| {
        serde_json::to_writer_pretty(&mut *out, &baseline)?;
        writeln!(out)
    })?;
    Ok(baseline.findings.len())
}
