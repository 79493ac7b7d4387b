//! What a `kplan.yaml` says against itself, or so that it means nothing.

use globset::Glob;

use super::problems::Raw;
use crate::model::pod::TemplatePlace;
use crate::model::time::parse_rfc3339;
use crate::source::Span;
use crate::yaml::View;

pub(super) fn find(root: View<'_>, found: &mut Vec<Raw>) {
    let mut add = |span: Span, message: String, help: &str| found.push(Raw { span, message, help: help.to_owned() });
    rules(root, &mut add);
    ignores(root, &mut add);
    overrides(root, &mut add);
    names(root, &mut add);
    workloads(root, &mut add);
}

type Add<'f> = dyn FnMut(Span, String, &str) + 'f;

fn rules(root: View<'_>, add: &mut Add<'_>) {
    for (id, span, entry) in root.get("rules").into_iter().flat_map(View::entries) {
        let severity = entry.get("severity");
        let is_off = severity.is_some_and(|severity| severity.str() == Some("off") || severity.bool() == Some(false));
        if entry.get_bool("locked") && is_off {
            let message = format!("`{id}` is locked, so that nobody ignores it, and off");
            add(span, message, "remove `locked: true`, or give it a severity");
        }
    }
}

fn ignores(root: View<'_>, add: &mut Add<'_>) {
    let Some(ignore) = root.get("ignore") else { return };
    let paths = ignore.list("paths");
    paths.for_each(|path| glob(path, add));
    for entry in ignore.items().chain(ignore.list("findings")).filter(|entry| entry.is_map()) {
        if entry.get("rule").is_none() && entry.get("paths").is_none() {
            let first = entry.entries().next().map_or(entry.span(), |(_, span, _)| span);
            add(first, "`rule` is missing".to_owned(), "add `rule:` with an id, or * for all");
        }
        for text in [entry.get("path"), entry.get("object")].into_iter().flatten().chain(entry.list("paths")) {
            glob(text, add);
        }
        let Some((day, text)) = entry.get("expires").and_then(|day| Some((day, day.str()?))) else { continue };
        let is_written = text.len() == 10 && text.split('-').count() == 3;
        if is_written && parse_rfc3339(&format!("{text}T00:00:00Z")).is_err() {
            add(day.span(), format!("no calendar has the day `{text}`"), "write it as 2026-12-31");
        }
    }
    root.list("assumeExists").for_each(|text| glob(text, add));
}

fn overrides(root: View<'_>, add: &mut Add<'_>) {
    for entry in root.list("overrides").filter(|entry| entry.is_map()) {
        entry.list("paths").for_each(|path| glob(path, add));
        let first = entry.entries().next().map_or(entry.span(), |(_, span, _)| span);
        if entry.get("paths").is_some_and(View::is_empty) {
            add(first, "the override holds for no path".to_owned(), "name globs under `paths:`");
        }
        if entry.get("rules").is_none() && entry.get("tier").is_none() {
            add(first, "the override changes nothing".to_owned(), "add `rules:` or `tier:`, or remove it");
        }
    }
}

/// Two nodes of one name would be one node.
fn names(root: View<'_>, add: &mut Add<'_>) {
    let mut seen: Vec<&str> = Vec::new();
    for name in root.list("nodes").filter_map(|node| node.get("name")) {
        let text = name.str().unwrap_or_default();
        if seen.contains(&text) {
            add(name.span(), format!("two nodes are named `{text}`"), "give each a name of its own, or set `count:`");
        }
        seen.push(text);
    }
}

fn workloads(root: View<'_>, add: &mut Add<'_>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for entry in root.list("workloads").filter(|entry| entry.is_map()) {
        let text = |key: &str| entry.get_str(key).unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        let kind = (group, text("kind"));
        let span = entry.get("kind").map_or(entry.span(), View::span);
        if let Some(place) = TemplatePlace::of(kind.0, kind.1) {
            let message =
                format!("kplan knows the pod template of {} {}: {}", text("apiVersion"), kind.1, place.path());
            add(span, message, "remove the entry");
        } else if seen.contains(&kind) {
            add(span, format!("{} stands twice under `workloads`", kind.1), "keep one of the two");
        }
        seen.push(kind);
        let path = text("template");
        if let Some(at) = entry.get("template").filter(|_| path.split('.').any(str::is_empty)) {
            let message = format!("`{path}` is no path of a pod template");
            add(at.span(), message, "write the keys that lead to it, as spec.template");
        }
    }
}

fn glob(view: View<'_>, add: &mut Add<'_>) {
    let text = view.str().unwrap_or_default();
    if let Err(error) = Glob::new(text) {
        add(view.span(), format!("`{text}` is no pattern: {}", error.kind()), "correct it; * stands for any part");
    }
}
