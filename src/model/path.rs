//! Field paths as the API server writes them, and the one function that turns a path into bytes.

use std::fmt;

use crate::source::Span;
use crate::yaml::View;

/// A path under construction: `field.Path` of apimachinery, living on the stack of the validating functions.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A struct field: `.name`.
    Field(&'a str),
    /// A list item: `[3]`.
    Index(usize),
    /// A map key: `[key]`.
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// `field.NewPath`; several names as `spec.template`.
    pub fn root(name: &'a str) -> Path<'a> {
        Path { parent: None, step: Step::Field(name) }
    }

    #[must_use]
    pub fn child(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    #[must_use]
    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    #[must_use]
    pub fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Field(name) if self.parent.is_none() => f.write_str(name),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// Takes a written path apart; a bracket holds an index or a map key.
pub fn parse(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            let key = &inner[..end];
            steps.push(key.parse().map_or(Step::Key(key), Step::Index));
            rest = inner.get(end + 1..).unwrap_or("");
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if end > 0 {
                steps.push(Step::Field(&name[..end]));
            }
            rest = &name[end..];
        }
    }
    steps
}

/// Where a path leads in an object.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The value at the path, or the nearest one above it.
    pub view: View<'a>,
    /// The key under which that value stands, if it stands under one.
    pub key: Option<Span>,
    /// Whether the whole path exists.
    pub whole: bool,
}

/// Follows a path as far as it exists; a step that a list or map does not have ends the walk.
pub fn follow<'a>(root: View<'a>, path: &str) -> Found<'a> {
    let mut found = Found { view: root, key: None, whole: true };
    for step in parse(path) {
        let next = match step {
            Step::Index(index) if found.view.is_seq() => found.view.items().nth(index).map(|view| (None, view)),
            Step::Index(index) => entry(found.view, &index.to_string()),
            Step::Field(name) | Step::Key(name) => entry(found.view, name),
        };
        match next {
            Some((key, view)) => {
                found.view = view;
                found.key = key;
            }
            None => {
                found.whole = false;
                break;
            }
        }
    }
    found
}

fn entry<'a>(view: View<'a>, key: &str) -> Option<(Option<Span>, View<'a>)> {
    view.entry(key).map(|(entry, value)| (Some(entry.key_span()), value))
}

/// The bytes of a path: its value, or its key where the value is a map or list that starts on a later line; for a
/// missing field the key of the nearest existing parent.
pub fn place(root: View<'_>, path: &str) -> Span {
    let found = follow(root, path);
    match found.key {
        Some(key) if found.whole && starts_beside(found.view, key) => found.view.span(),
        Some(key) => key,
        None if found.whole && !found.view.is_map() && !found.view.is_seq() => found.view.span(),
        None => first_key(found.view),
    }
}

fn starts_beside(view: View<'_>, key: Span) -> bool {
    let span = view.span();
    let between = view.tree.source().get(key.end as usize..span.start as usize);
    span.end > span.start && between.is_some_and(|between| !between.contains('\n'))
}

/// A list item or a whole object is shown by its first key.
fn first_key(view: View<'_>) -> Span {
    view.entries().next().map_or(view.span(), |(_, key, _)| key)
}

/// The path from `root` to `target`, which is found by identity; `None` when it is not below `root`.
pub fn of(root: View<'_>, target: View<'_>) -> Option<String> {
    let mut path = String::new();
    search(root, target, &mut path).then_some(path)
}

/// The path of a key of `parent`, present or not.
pub fn of_key(root: View<'_>, parent: View<'_>, key: &str) -> Option<String> {
    let mut path = of(root, parent)?;
    push_key(&mut path, key);
    Some(path)
}

fn search(from: View<'_>, target: View<'_>, path: &mut String) -> bool {
    if from == target {
        return true;
    }
    let length = path.len();
    for (key, value) in from.fields() {
        push_key(path, key);
        if search(value, target, path) {
            return true;
        }
        path.truncate(length);
    }
    for (index, item) in from.items().enumerate() {
        path.push_str(&format!("[{index}]"));
        if search(item, target, path) {
            return true;
        }
        path.truncate(length);
    }
    false
}

/// Appends a key: with a dot, or in brackets where it holds a dot or a slash.
pub fn push_key(path: &mut String, key: &str) {
    if key.contains(['.', '/']) {
        path.push_str(&format!("[{key}]"));
    } else {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceText;

    #[test]
    fn paths_lead_to_bytes_and_back() {
        let text: SourceText =
            SourceText::from("metadata:\n  annotations: {a.b/c: x}\nspec:\n  ports:\n  - port: 80\n");
        let file = crate::yaml::read(&text);
        let root = file.tree.view(file.documents[0].root.unwrap());
        let at = |path: &str| &text[place(root, path).range()];
        assert_eq!(at("metadata.annotations[a.b/c]"), "x");
        assert_eq!(at("spec.ports[0].port"), "80");
        assert_eq!(at("spec.ports[0].targetPort"), "port");
        assert_eq!(at("spec.selector"), "spec");
        let port = root.at(&["spec", "ports"]).unwrap().items().next().unwrap().get("port").unwrap();
        assert_eq!(of(root, port).as_deref(), Some("spec.ports[0].port"));
        let base = Path::root("spec");
        let ports = base.child("ports");
        assert_eq!(ports.index(2).child("name").to_string(), "spec.ports[2].name");
    }
}
