//! The line of a template that a rendered field comes from: a template is no YAML, so its lines are read by their keys.

use crate::model::path::{self, Step};
use crate::source::Span;
use crate::yaml::View;

/// A line of a template that gives a key.
struct Line<'t> {
    /// Column of the key, behind `- `.
    column: usize,
    /// Column of the dash, where an item starts on this line.
    dash: Option<usize>,
    key: &'t str,
    span: Span,
}

/// The key that leads deepest towards a field of a rendered object; the object's kind where none does.
pub(super) fn place(text: &str, rendered: View<'_>, field: &str) -> Span {
    let kind = rendered.get_str("kind").unwrap_or_default();
    let lines = lines(object_of(text, kind));
    let mut found = lines.iter().find(|line| line.key == "kind" && line.column == 0).map(|line| line.span);
    let (mut from, mut above) = (0, None);
    for step in path::parse(field) {
        let next = match step {
            Step::Index(index) => item(&lines, from, above, index),
            Step::Field(name) | Step::Key(name) => key(&lines, from, above, name),
        };
        let Some((at, column)) = next else { break };
        // An item may start on the line of its first key, which is looked for there.
        from = if matches!(step, Step::Index(_)) { at } else { at + 1 };
        above = Some(column);
        found = Some(lines[at].span);
    }
    found.unwrap_or_default()
}

/// The part of a template between `---` that holds the kind; everything where none does.
fn object_of<'t>(text: &'t str, kind: &str) -> (&'t str, usize) {
    let wanted = format!("kind: {kind}");
    let mut start = 0;
    for part in text.split("\n---") {
        if part.lines().any(|line| line.trim_end() == wanted) {
            return (part, start);
        }
        start += part.len() + "\n---".len();
    }
    (text, 0)
}

fn lines((text, base): (&str, usize)) -> Vec<Line<'_>> {
    let mut out = Vec::new();
    let mut at = base;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let inner = line.trim_start_matches(' ');
        let indent = line.len() - inner.len();
        let (dash, rest) = match inner.strip_prefix("- ") {
            Some(rest) => (Some(indent), rest.trim_start_matches(' ')),
            None => (None, inner),
        };
        let column = line.len() - rest.len();
        let Some((key, _)) = rest.split_once(':') else { continue };
        let key = key.trim_matches(['"', '\'']);
        if key.is_empty() || key.contains(['{', '}', ' ', '#']) {
            continue;
        }
        out.push(Line { column, dash, key, span: Span::new(start + column, start + column + key.len()) });
    }
    out
}

/// A key below the one at column `above`: the first one deeper, before anything that is as shallow again.
fn key(lines: &[Line<'_>], from: usize, above: Option<usize>, name: &str) -> Option<(usize, usize)> {
    let inside = |line: &&(usize, &Line<'_>)| above.is_none_or(|above| line.1.column > above);
    let below = lines.iter().enumerate().skip(from);
    // The first line of an item is at the item's own column.
    let below: Vec<(usize, &Line<'_>)> = below.collect();
    let inner = below.iter().take_while(inside);
    let depth = inner.clone().map(|(_, line)| line.column).min()?;
    let mut at_depth = inner.filter(|(_, line)| line.column == depth && line.key == name);
    at_depth.next().map(|(at, line)| (*at, line.column))
}

/// The item of a list: its dashes stand at or behind the column of the list's key.
fn item(lines: &[Line<'_>], from: usize, above: Option<usize>, index: usize) -> Option<(usize, usize)> {
    let above = above.unwrap_or(0);
    let below: Vec<(usize, &Line<'_>)> = lines
        .iter()
        .enumerate()
        .skip(from)
        .take_while(|(_, line)| line.column > above && line.dash.is_none_or(|dash| dash >= above))
        .collect();
    let depth = below.iter().filter_map(|(_, line)| line.dash).min()?;
    let mut items = below.iter().filter(|(_, line)| line.dash == Some(depth));
    items.nth(index).map(|(at, _)| (*at, depth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceText;

    const TEMPLATE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: x\n---\napiVersion: apps/v1\nkind: Deployment\n\
        metadata:\n  name: {{ .Release.Name }}\n  labels:\n    {{- include \"labels\" . | nindent 4 }}\nspec:\n  template:\n\
        \x20   spec:\n      containers:\n      - name: a\n        image: one\n      - image: \"{{ .Values.image }}\"\n\
        \x20       name: b\n        resources:\n          {{- toYaml .Values.resources | nindent 10 }}\n        ports: []\n";

    #[test]
    fn a_field_leads_to_its_line() {
        let text = SourceText::from("kind: Deployment\n");
        let file = crate::yaml::read(&text);
        let root = file.tree.view(file.documents[0].root.unwrap());
        let line = |field: &str| {
            let span = place(TEMPLATE, root, field);
            let start = TEMPLATE[..span.range().start].rfind('\n').map_or(0, |newline| newline + 1);
            TEMPLATE[start..].lines().next().unwrap().trim().to_owned()
        };
        assert_eq!(line("metadata.name"), "name: {{ .Release.Name }}");
        assert_eq!(line("metadata.labels.app"), "labels:");
        assert_eq!(line("spec.template.spec.containers[0].image"), "image: one");
        assert_eq!(line("spec.template.spec.containers[1].image"), "- image: \"{{ .Values.image }}\"");
        assert_eq!(line("spec.template.spec.containers[1].name"), "name: b");
        assert_eq!(line("spec.template.spec.containers[1].resources.limits.cpu"), "resources:");
        assert_eq!(line("spec.template.spec.containers[1].ports"), "ports: []");
        assert_eq!(line("spec.replicas"), "spec:");
        assert_eq!(line("nothing"), "kind: Deployment");
    }
}
