//! Edits that make the API server take an object.

use crate::diag::{Edit, Fix};
use crate::source::Span;
use crate::yaml::{View, edit};

/// Replaces a scalar.
pub(super) fn replace(span: Span, text: &str) -> Fix {
    Fix { safe: true, edits: vec![Edit { span, text: text.to_owned() }] }
}

/// What the removed version of a kind defaulted differently (pkg/apis/{extensions,apps}/v1beta*/defaults.go, 1.15).
pub(super) fn changed_defaults(api_version: &str, kind: &str) -> Option<&'static str> {
    match (api_version, kind) {
        ("extensions/v1beta1", "Deployment") => Some(
            "apps/v1 requires spec.selector; maxSurge and maxUnavailable default to 25% instead of 1, \
             revisionHistoryLimit to 10 instead of unlimited, progressDeadlineSeconds to 600 instead of none",
        ),
        ("apps/v1beta1", "Deployment") => {
            Some("apps/v1 requires spec.selector; revisionHistoryLimit defaults to 10 instead of 2")
        }
        ("extensions/v1beta1", "DaemonSet") => {
            Some("apps/v1 requires spec.selector; updateStrategy defaults to RollingUpdate instead of OnDelete")
        }
        ("apps/v1beta1", "StatefulSet") => {
            Some("apps/v1 requires spec.selector; updateStrategy defaults to RollingUpdate instead of OnDelete")
        }
        (
            "extensions/v1beta1" | "apps/v1beta2" | "apps/v1beta1",
            "ReplicaSet" | "Deployment" | "DaemonSet" | "StatefulSet",
        ) => Some("apps/v1 requires spec.selector"),
        _ => None,
    }
}

/// Writes `selector.matchLabels` with the template's labels in front of `template:`.
pub(super) fn add_selector(root: View<'_>) -> Option<Fix> {
    let spec = root.get("spec")?;
    if spec.entry("selector").is_some() {
        return None;
    }
    let labels: Vec<(&str, &str)> = spec
        .at(&["template", "metadata", "labels"])?
        .fields()
        .map(|(key, value)| value.str().map(|value| (key, value)))
        .collect::<Option<_>>()?;
    let at = spec.key_span("template").filter(|_| !labels.is_empty())?.start;
    let text = spec.tree.source();
    let pairs: Vec<String> =
        labels.iter().map(|(key, value)| format!("{}: {}", edit::quoted(key), edit::quoted(value))).collect();
    let new = match edit::indentation(text, at as usize) {
        Some(indent) if !text[spec.span().range()].starts_with('{') => {
            let end = edit::line_end(text);
            let step = step(root, indent);
            let lines: Vec<String> = pairs.iter().map(|pair| format!("{indent}{step}{step}{pair}{end}")).collect();
            format!("selector:{end}{indent}{step}matchLabels:{end}{}{indent}", lines.concat())
        }
        _ => format!("selector: {{matchLabels: {{{}}}}}, ", pairs.join(", ")),
    };
    Some(Fix { safe: true, edits: vec![Edit { span: Span { start: at, end: at }, text: new }] })
}

/// The indentation that the file uses for one level, as `spec` shows it against the root.
fn step(root: View<'_>, inner: &str) -> String {
    let outer = root.key_span("spec").and_then(|key| edit::indentation(root.tree.source(), key.start as usize));
    let outer = outer.map_or(0, str::len);
    " ".repeat(inner.len().saturating_sub(outer).clamp(1, 8))
}
