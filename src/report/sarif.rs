//! SARIF 2.1.0, for code scanning, within the limits of GitHub's ("SARIF support for code scanning" of its documentation,
//! 2026): so many results a run, rules a run and locations a result; 10 MB after gzip follow from these.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Report, Row, row};
use crate::diag::{Finding, Rule};

/// Most results of one run; GitHub refuses a file with more, and shows the 5,000 most severe ones.
const RESULTS: usize = 25_000;
/// Most related places of one result; GitHub shows 100 of its locations.
const RELATED: usize = 100;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut rules: BTreeMap<&str, &'static Rule> = BTreeMap::new();
    let told = told(report.findings);
    for finding in &told {
        rules.insert(finding.rule.id, finding.rule);
    }
    let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(index, id)| (*id, index)).collect();
    let results: Vec<Value> = told.iter().map(|finding| result(report, finding, index[finding.rule.id])).collect();
    let mut log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kplan",
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.values().map(|rule| describe(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "properties": {"command": report.command, "kubeVersion": report.kube_version},
            "results": results,
        }],
    });
    if told.len() < report.findings.len() {
        let message = format!(
            "{} of {} findings are told here, the most severe; other formats of kplan tell all",
            told.len(),
            report.findings.len()
        );
        log["runs"][0]["invocations"] = json!([{"executionSuccessful": true,
            "toolExecutionNotifications": [{"level": "warning", "message": {"text": message}}]}]);
    }
    serde_json::to_writer(&mut *out, &log)?;
    writeln!(out)
}

/// The findings that are told, in their order: of too many the most severe ones, those that count before suppressed ones.
fn told(findings: &[Finding]) -> Vec<&Finding> {
    let mut ranked: Vec<(usize, &Finding)> = findings.iter().enumerate().collect();
    if ranked.len() > RESULTS {
        ranked.sort_by_key(|(_, finding)| (finding.suppressed.is_some(), std::cmp::Reverse(finding.severity)));
        ranked.truncate(RESULTS);
        ranked.sort_by_key(|(place, _)| *place);
    }
    ranked.into_iter().map(|(_, finding)| finding).collect()
}

fn describe(rule: &Rule) -> Value {
    let url = row::rule_url(rule.group, rule.id);
    json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix, "markdown": format!("{}\n\n{}\n\n[{}]({url})", rule.why, rule.fix, rule.id)},
        "helpUri": url,
        "defaultConfiguration": {"level": level(rule.severity.name())},
        "properties": {"tags": [rule.group, rule.class.name()], "tier": rule.tier.name()},
    })
}

fn level(severity: &str) -> &'static str {
    match severity {
        "error" => "error",
        "warning" => "warning",
        _ => "note",
    }
}

fn result(report: &Report<'_>, finding: &Finding, rule_index: usize) -> Value {
    let row = Row::new(report, finding);
    let server = row
        .server_words()
        .filter(|words| *words != row.message)
        .map(|words| format!("\nserver: {words}"))
        .unwrap_or_default();
    let mut result = json!({
        "ruleId": row.rule,
        "ruleIndex": rule_index,
        "level": level(row.severity),
        "message": {"text": format!("{}{server}\n{}", row.message, row.help)},
        "locations": [location(report, &row)],
        "partialFingerprints": {"kplan/v1": row.fingerprint},
        "properties": {"class": row.class},
    });
    if !row.related.is_empty() {
        let related = row.related.iter().take(RELATED).enumerate().map(|(id, related)| {
            json!({
                "id": id + 1,
                "message": {"text": related.message},
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(&report.root.path(related.file))},
                    "region": {"startLine": related.line, "startColumn": related.column},
                },
            })
        });
        result["relatedLocations"] = related.collect();
    }
    if let Some(fix) = fix(report, &row) {
        result["fixes"] = json!([fix]);
    }
    if let Some(reason) = &finding.suppressed {
        result["suppressions"] = json!([{"kind": "external", "status": "accepted", "justification": reason}]);
    }
    result
}

fn location(report: &Report<'_>, row: &Row<'_>) -> Value {
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&report.root.path(row.file))},
            "region": {
                "startLine": row.line,
                "startColumn": row.column,
                "endLine": row.end_line,
                "endColumn": row.end_column,
            },
        },
    });
    if let Some(title) = &row.title {
        let name = match row.field {
            Some(field) => format!("{title} {field}"),
            None => title.clone(),
        };
        location["logicalLocations"] = json!([{"fullyQualifiedName": name, "kind": "resource"}]);
    }
    location
}

fn fix(report: &Report<'_>, row: &Row<'_>) -> Option<Value> {
    let fix = row.fix.as_ref()?;
    let source = report.bundle.sources.get(row.finding.diagnostic.file);
    let replacements = fix.edits.iter().map(|edit| {
        let (start, end) = (source.line_column(edit.start), source.line_column(edit.end));
        json!({
            "deletedRegion": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
            "insertedContent": {"text": edit.text},
        })
    });
    Some(json!({
        "description": {"text": row.help},
        "artifactChanges": [{
            "artifactLocation": {"uri": uri(&report.root.path(row.file))},
            "replacements": replacements.collect::<Vec<_>>(),
        }],
    }))
}

/// A path as a relative URI reference (RFC 3986): `/` between parts, everything unusual escaped.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
