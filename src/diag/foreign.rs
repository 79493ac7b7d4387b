//! Ignore annotations of other tools, honoured where `compat:` in kplan.yaml names the tool.
//!
//! Forms: kube-linter `ignore-check.kube-linter.io/CHECK`, `kube-linter.io/ignore-all`; kube-score `kube-score/ignore`;
//! polaris `polaris.fairwinds.com/exempt`, `polaris.fairwinds.com/CHECK-exempt`; datree `datree.skip/RULE`; checkov
//! `checkov.io/skip1: ID=reason`; trivy the comment `# trivy:ignore:ID`.

use super::Rule;
use crate::model::{Bundle, ObjectId};
use crate::source::{FileId, Span};
use crate::yaml::View;

/// Tools that `compat:` may name.
pub const TOOLS: [&str; 6] = ["kube-linter", "kube-score", "polaris", "datree", "trivy", "checkov"];

/// One thing that another tool is told to ignore.
#[derive(Debug)]
pub(super) struct Foreign {
    pub object: ObjectId,
    tool: &'static str,
    /// The tool's own id; `None` for all of its checks.
    id: Option<String>,
    pub reason: String,
}

impl Foreign {
    /// Whether a rule stands for the check.
    pub(super) fn covers(&self, rule: &Rule) -> bool {
        rule.aliases
            .iter()
            .filter_map(|alias| alias.split_once(':'))
            .any(|(tool, id)| tool == self.tool && self.id.as_ref().is_none_or(|own| id.eq_ignore_ascii_case(own)))
    }
}

/// What the annotations of an object and of its pod template say to these tools.
pub(super) fn of_object(bundle: &Bundle, object: ObjectId, tools: &[String]) -> Vec<Foreign> {
    let root = bundle.written(object);
    let template = ["spec", "template"];
    let own = root.at(&["metadata", "annotations"]).into_iter();
    let inner = root.at(&template).and_then(|template| template.at(&["metadata", "annotations"]));
    let mut found = Vec::new();
    for (key, value) in own.chain(inner).flat_map(View::fields) {
        let text = value.str().unwrap_or_else(|| value.written());
        for (tool, id, reason) in read(key, text) {
            if tools.iter().any(|wanted| wanted == tool) {
                let reason = if reason.is_empty() { format!("the annotation {key} of {tool}") } else { reason };
                found.push(Foreign { object, tool, id, reason });
            }
        }
    }
    found
}

/// Tool, id and reason of an annotation.
fn read(key: &str, text: &str) -> Vec<(&'static str, Option<String>, String)> {
    let one = |tool, id: &str| vec![(tool, Some(id.to_owned()), text.trim().to_owned())];
    if let Some(check) = key.strip_prefix("ignore-check.kube-linter.io/") {
        return one("kube-linter", check);
    }
    if key == "kube-linter.io/ignore-all" {
        return vec![("kube-linter", None, text.trim().to_owned())];
    }
    if key == "kube-score/ignore" {
        return text.split(',').map(|id| ("kube-score", Some(id.trim().to_owned()), String::new())).collect();
    }
    if let Some(rest) = key.strip_prefix("polaris.fairwinds.com/") {
        let check = if rest == "exempt" { Some(None) } else { rest.strip_suffix("-exempt").map(Some) };
        return match check.filter(|_| text.trim() == "true") {
            Some(check) => vec![("polaris", check.map(str::to_owned), String::new())],
            None => Vec::new(),
        };
    }
    if let Some(rule) = key.strip_prefix("datree.skip/") {
        return one("datree", rule);
    }
    match key.strip_prefix("checkov.io/skip").map(|_| text.split_once('=').unwrap_or((text, ""))) {
        Some((id, reason)) => vec![("checkov", Some(id.trim().to_owned()), reason.trim().to_owned())],
        None => Vec::new(),
    }
}

/// What a comment says to trivy; it holds for the object that it stands in or before.
pub(super) fn of_comment(bundle: &Bundle, file: FileId, span: Span) -> Option<Foreign> {
    let text = bundle.sources.get(file).text[span.range()].trim_start_matches('#').trim();
    let id = text.strip_prefix("trivy:ignore:")?.split_whitespace().next()?;
    let document = bundle.file(file).documents.iter().find(|document| document.span.contains(span))?;
    let mut objects = bundle.iter().filter(|(_, object)| object.file == file && object.document == document.index);
    let (object, _) = objects.next()?;
    let id = id.split(':').next().unwrap_or(id).to_owned();
    Some(Foreign { object, tool: "trivy", id: Some(id), reason: "a comment for trivy".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_of_other_tools_are_read() {
        let ids = |key: &str, text: &str| -> Vec<String> {
            read(key, text).into_iter().map(|(tool, id, _)| format!("{tool} {}", id.unwrap_or_default())).collect()
        };
        assert_eq!(ids("ignore-check.kube-linter.io/latest-tag", "late"), ["kube-linter latest-tag"]);
        assert_eq!(ids("kube-linter.io/ignore-all", "x"), ["kube-linter "]);
        assert_eq!(ids("kube-score/ignore", "a, b"), ["kube-score a", "kube-score b"]);
        assert_eq!(ids("polaris.fairwinds.com/exempt", "true"), ["polaris "]);
        assert_eq!(ids("polaris.fairwinds.com/tagNotSpecified-exempt", "true"), ["polaris tagNotSpecified"]);
        assert!(ids("polaris.fairwinds.com/exempt", "false").is_empty());
        assert_eq!(ids("datree.skip/X", ""), ["datree X"]);
        assert_eq!(ids("checkov.io/skip12", "CKV_K8S_14=late"), ["checkov CKV_K8S_14"]);
        assert!(ids("app", "true").is_empty());
    }
}
