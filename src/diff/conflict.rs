//! Fields that other managers own, as a 409 of server-side apply names them.

use super::{Action, Answer, Change, FieldChange, OnConflict, Op, Policy};
use crate::model::path::push_key;
use crate::yaml::View;

/// The label of the members of an ApplySet (KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// Its path as conflicts name it.
pub const OTHER_SET: &str = ".metadata.labels.applyset.kubernetes.io/part-of";

/// Notes who owns the fields that a change would take from others, and makes it a conflict unless they are taken over.
/// `after` is the object as it would be.
///
/// What somebody changed by hand after kplan had applied it is drift, not intent.
pub(super) fn mark(change: &mut Change, answer: &Answer, after: View<'_>, policy: &Policy) {
    let (mut held, mut taken, mut left, mut drift) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for conflict in &answer.conflicts {
        let path =
            field_path(after, &conflict.field).unwrap_or_else(|| conflict.field.trim_start_matches('.').to_owned());
        for field in change.fields.iter_mut().filter(|field| overlaps(field, &path)) {
            field.owner = Some(conflict.manager.clone());
        }
        let text = format!("{path} owned by \"{}\"", conflict.manager);
        match policy.on_conflict(&change.object.kind, &conflict.field, &conflict.manager) {
            OnConflict::Force
                if answer.is_known && conflict.is_update && !policy.succeeds(&conflict.manager, "Update") =>
            {
                drift.push(format!("{path} was changed by \"{}\" since it was applied", conflict.manager));
            }
            OnConflict::Force => taken.push(text),
            OnConflict::Fail => held.push(text),
            OnConflict::Leave => {
                change.leaves.push(conflict.field.clone());
                left.push(text);
            }
        }
    }
    if let Some(set) = &answer.other_set {
        for field in change.fields.iter_mut().filter(|field| field.path == format!("metadata.labels[{PART_OF}]")) {
            field.owner = Some(format!("ApplySet {}", set.title));
        }
        match policy.on_conflict(&change.object.kind, OTHER_SET, &set.id) {
            OnConflict::Force => taken.push(format!("it from another ApplySet, {}", set.title)),
            OnConflict::Leave => left.push(format!("it in another ApplySet, {}", set.title)),
            OnConflict::Fail => held.push(format!("it belongs to another ApplySet, {}", set.title)),
        }
    }
    held.extend(answer.going.clone());
    change.takes_over = !taken.is_empty() || !drift.is_empty();
    if !held.is_empty() {
        change.action = Action::Conflict;
        change.why = held.join(", ");
        return;
    }
    inherit(change, &answer.inherits);
    let gone = change.fields.iter().filter(|field| field.owner.is_some() && field.op == Op::Remove).count();
    let parts = [
        ("drift: ", drift.join(", ")),
        ("takes over ", taken.join(", ")),
        ("leaves ", left.join(", ")),
        ("", if gone > 0 && !answer.inherits.is_empty() { passed_on(gone, &answer.inherits) } else { String::new() }),
    ];
    let parts = parts.iter().filter(|(_, text)| !text.is_empty()).map(|(head, text)| format!("{head}{text}"));
    let why = parts.collect::<Vec<_>>().join("; ");
    if !why.is_empty() {
        change.why = why;
    }
}

/// Fields that go away because nobody writes them any more are those of the managers that kplan succeeds.
fn inherit(change: &mut Change, inherits: &[String]) {
    let Some(manager) = inherits.first().filter(|_| change.action == Action::Update) else { return };
    for field in change.fields.iter_mut().filter(|field| field.op == Op::Remove && field.owner.is_none()) {
        field.owner = Some(manager.clone());
    }
}

/// `2 fields that kubectl-client-side-apply set go away`.
fn passed_on(number: usize, inherits: &[String]) -> String {
    let fields = if number == 1 { "1 field".to_owned() } else { format!("{number} fields") };
    let verb = if number == 1 { "goes" } else { "go" };
    format!("{fields} that {} set {verb} away", inherits.join(", "))
}

fn overlaps(field: &FieldChange, path: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    inside(&field.path, path) || inside(path, &field.path)
}

/// What people set by hand beside what kplan applied, as `spec.paused set by "kubectl-edit"`; `stored` is the object.
pub fn beside(answer: &Answer, stored: View<'_>) -> Vec<String> {
    answer.by_hand.iter().map(|field| format!("{} set by \"{}\"", shown(stored, &field.field), field.manager)).collect()
}

/// Fields that are stored otherwise than they are written: admission changes them.
pub fn stored_otherwise(answer: &Answer, stored: View<'_>) -> Vec<String> {
    answer.changed.iter().map(|field| shown(stored, field)).collect()
}

fn shown(object: View<'_>, path: &str) -> String {
    field_path(object, path).unwrap_or_else(|| path.trim_start_matches('.').to_owned())
}

/// From a path of structured-merge-diff (`.spec.containers[name="a"].image`, `fieldpath/path.go`) to the API server's
/// own (`spec.containers[0].image`); `None` where it leads to nothing.
pub(super) fn field_path(root: View<'_>, path: &str) -> Option<String> {
    let (mut at, mut rest, mut out) = (root, path, String::new());
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = bracket_end(inner)?;
            let index = item(at, inner.get(..end)?)?;
            out.push_str(&format!("[{index}]"));
            at = at.items().nth(index)?;
            rest = inner.get(end + 1..)?;
        } else {
            let inner = rest.strip_prefix('.')?;
            let end = key_end(at, inner);
            let key = inner.get(..end)?;
            push_key(&mut out, key);
            // The last step may be a field that goes away.
            rest = inner.get(end..)?;
            match at.get(key) {
                Some(next) => at = next,
                None if rest.is_empty() => break,
                None => return None,
            }
        }
    }
    Some(out)
}

/// Keys of maps may hold dots and brackets: the longest one that is there counts.
fn key_end(at: View<'_>, text: &str) -> usize {
    let boundary = |end: usize| text.get(end..).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let known = at.fields().map(|(key, _)| key).filter(|key| text.starts_with(key) && boundary(key.len()));
    known.map(str::len).max().unwrap_or_else(|| text.find(['.', '[']).unwrap_or(text.len()))
}

/// The closing bracket, outside of quotes.
fn bracket_end(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The item of `name="a"`, `containerPort=80,protocol="TCP"`, `="value"` or `3`.
fn item(list: View<'_>, step: &str) -> Option<usize> {
    if let Ok(index) = step.parse() {
        return Some(index);
    }
    if let Some(value) = step.strip_prefix('=') {
        return list.items().position(|item| item.to_json() == value);
    }
    let keys: Vec<(&str, &str)> = parts(step).into_iter().filter_map(|part| part.split_once('=')).collect();
    list.items()
        .position(|item| keys.iter().all(|(key, value)| item.get(key).is_some_and(|found| found.to_json() == *value)))
}

/// Splits at commas outside of quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut quoted, mut start, mut parts) = (false, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use crate::source::SourceText;

    use super::*;

    #[test]
    fn paths_of_managers_become_paths_of_the_server() {
        let text = r#"{"metadata":{"annotations":{"a.b/c":"x"}},"spec":{"replicas":1,"containers":[{"name":"a"},
            {"name":"b,c","image":"i","ports":[{"containerPort":80,"protocol":"TCP"}],"args":["x","y"]}]}}"#;
        let file = crate::yaml::read(&SourceText::from(text));
        let root = file.tree.view(file.documents[0].root.unwrap());
        let cases = [
            (".spec.replicas", Some("spec.replicas")),
            (".spec.containers[name=\"b,c\"].image", Some("spec.containers[1].image")),
            (
                ".spec.containers[name=\"b,c\"].ports[containerPort=80,protocol=\"TCP\"].name",
                Some("spec.containers[1].ports[0].name"),
            ),
            (".spec.containers[name=\"b,c\"].args[=\"y\"]", Some("spec.containers[1].args[1]")),
            (".metadata.annotations.a.b/c", Some("metadata.annotations[a.b/c]")),
            (".spec.containers[name=\"z\"].image", None),
        ];
        for (path, expected) in cases {
            assert_eq!(field_path(root, path).as_deref(), expected, "{path}");
        }
    }
}
