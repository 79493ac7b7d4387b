//! What GitHub's code scanning asks of a SARIF file.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::github::Done;

/// The file and rule of each result; an error where code scanning would refuse the file or show nothing.
/// <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning>
pub fn results(done: &Done, workspace: &Path) -> Result<Vec<(String, String)>, String> {
    let text = fs::read_to_string(done.output("sarif")).map_err(|error| format!("no SARIF file: {error}"))?;
    let log: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if log["version"] != "2.1.0" || !is_text(&log["$schema"]) || list(&log["runs"]).len() != 1 {
        return Err(format!("not one run of SARIF 2.1.0: {text}"));
    }
    let run = &log["runs"][0];
    let rules = list(&run["tool"]["driver"]["rules"]);
    if !is_text(&run["tool"]["driver"]["name"]) || list(&run["results"]).len() > 25_000 || rules.len() > 25_000 {
        return Err("no name of the tool, or too much".to_owned());
    }
    for rule in rules {
        let texts = [&rule["shortDescription"]["text"], &rule["fullDescription"]["text"], &rule["help"]["text"]];
        let long = texts[..2].iter().any(|text| text.as_str().unwrap_or_default().chars().count() > 1024);
        if !is_text(&rule["id"]) || !texts.into_iter().all(is_text) || long {
            return Err(format!("rule {rule}"));
        }
    }
    list(&run["results"]).iter().map(|found| result(found, rules, workspace)).collect()
}

fn result(found: &Value, rules: &[Value], workspace: &Path) -> Result<(String, String), String> {
    let place = &found["locations"][0]["physicalLocation"];
    let uri = place["artifactLocation"]["uri"].as_str().unwrap_or_default();
    let file = decoded(uri).ok_or_else(|| format!("no URI: {uri:?}"))?;
    let [line, column, end_line, end_column] =
        ["startLine", "startColumn", "endLine", "endColumn"].map(|key| place["region"][key].as_u64().unwrap_or(0));
    let rule = found["ruleIndex"].as_u64().and_then(|index| rules.get(index as usize));
    let right = [
        rule.is_some_and(|rule| rule["id"] == found["ruleId"]),
        ["error", "warning", "note"].iter().any(|level| found["level"] == *level),
        is_text(&found["message"]["text"]),
        line >= 1 && column >= 1 && (end_line, end_column) >= (line, column),
        !file.starts_with('/') && workspace.join(&file).is_file(),
    ];
    match right {
        [true, true, true, true, true] => Ok((file, found["ruleId"].to_string())),
        _ => Err(format!("{right:?} {found}")),
    }
}

/// A relative URI reference as a path.
fn decoded(uri: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = uri;
    while let Some((before, behind)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        bytes.push(u8::from_str_radix(behind.get(..2)?, 16).ok()?);
        rest = &behind[2..];
    }
    bytes.extend(rest.bytes());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
    String::from_utf8(bytes).ok().filter(|path| !path.is_empty() && uri.bytes().all(plain))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}
