//! Fields that differ between two versions of an object: a walk over both trees, led by the schema.

use std::collections::BTreeSet;
use std::collections::HashMap;

use serde_json::Value as Json;

use super::place::Place;
use super::{FieldChange, Op};
use crate::model::path::push_key;
use crate::schema::ListType;
use crate::yaml::{Value, View};

/// Fields that differ; one side is missing for an object that is created or deleted, which lists its top-level fields.
///
/// Items of lists are paired as server-side apply pairs them (`x-kubernetes-list-type`), and a list whose items change
/// places differs as a whole, as it does for the API server. Map keys `skip` at the top are left out.
pub(super) fn compare(
    before: Option<View<'_>>,
    after: Option<View<'_>>,
    place: Place<'_>,
    skip: &[&str],
) -> Vec<FieldChange> {
    let mut walk = Walk { before: String::new(), after: String::new(), skip, out: Vec::new() };
    walk.maps(before, after, place);
    walk.out
}

struct Walk<'k> {
    /// Paths on both sides: an index may differ.
    before: String,
    after: String,
    skip: &'k [&'k str],
    out: Vec<FieldChange>,
}

impl Walk<'_> {
    fn value(&mut self, before: Option<View<'_>>, after: Option<View<'_>>, place: Place<'_>) {
        let present = |view: Option<View<'_>>| view.is_some_and(|view| !place.is_zero(view));
        match (before, after) {
            (Some(a), Some(b)) if present(before) && present(after) => self.both(a, b, place),
            (_, Some(b)) if present(after) => self.push(Op::Add, None, Some(b), place),
            (Some(a), _) if present(before) => self.push(Op::Remove, Some(a), None, place),
            _ => {}
        }
    }

    fn both(&mut self, a: View<'_>, b: View<'_>, place: Place<'_>) {
        if a.is_map() && b.is_map() && !place.is_atomic() {
            self.maps(Some(a), Some(b), place);
        } else if a.is_seq() && b.is_seq() && *place.list() != ListType::Atomic {
            self.lists(a, b, place);
        } else if !same(a, b, place) {
            self.push(Op::Change, Some(a), Some(b), place);
        }
    }

    fn maps(&mut self, a: Option<View<'_>>, b: Option<View<'_>>, place: Place<'_>) {
        for key in keys(a, b) {
            let top = place.is_root();
            if place.is_server_owned(key) || top && self.skip.contains(&key) {
                continue;
            }
            let lengths = (self.before.len(), self.after.len());
            push_key(&mut self.before, key);
            push_key(&mut self.after, key);
            let (a, b) = (a.and_then(|a| a.get(key)), b.and_then(|b| b.get(key)));
            if top && key == "metadata" {
                self.maps(a, b, place.child(key));
            } else if self.after != "metadata.name" && self.after != "metadata.namespace" || a.is_some() && b.is_some()
            {
                self.value(a, b, place.child(key));
            }
            self.before.truncate(lengths.0);
            self.after.truncate(lengths.1);
        }
    }

    fn lists(&mut self, a: View<'_>, b: View<'_>, place: Place<'_>) {
        let (Some(old), Some(new)) = (item_keys(a, place), item_keys(b, place)) else {
            // A key that stands twice: the API server cannot tell the items apart either.
            if !same(a, b, place) {
                self.push(Op::Change, Some(a), Some(b), place);
            }
            return;
        };
        let at: HashMap<&str, usize> = old.iter().enumerate().map(|(index, key)| (key.as_str(), index)).collect();
        let pairs: Vec<Option<usize>> = new.iter().map(|key| at.get(key.as_str()).copied()).collect();
        if !pairs.iter().flatten().is_sorted() {
            self.push(Op::Change, Some(a), Some(b), place);
            return;
        }
        let kept: BTreeSet<usize> = pairs.iter().flatten().copied().collect();
        let old_items: Vec<View<'_>> = a.items().collect();
        for (index, item) in old_items.iter().enumerate().filter(|(index, _)| !kept.contains(index)) {
            self.item(Some((index, *item)), None, place);
        }
        for (index, (item, pair)) in b.items().zip(pairs).enumerate() {
            let before = pair.and_then(|old| Some((old, *old_items.get(old)?)));
            self.item(before, Some((index, item)), place);
        }
    }

    fn item(&mut self, before: Option<(usize, View<'_>)>, after: Option<(usize, View<'_>)>, place: Place<'_>) {
        let lengths = (self.before.len(), self.after.len());
        if let Some((index, _)) = before {
            self.before.push_str(&format!("[{index}]"));
        }
        if let Some((index, _)) = after {
            self.after.push_str(&format!("[{index}]"));
        }
        match (before, after) {
            (Some((_, a)), Some((_, b))) => self.both(a, b, place.item()),
            (Some((_, a)), None) => self.push(Op::Remove, Some(a), None, place.item()),
            (None, Some((_, b))) => self.push(Op::Add, None, Some(b), place.item()),
            (None, None) => {}
        }
        self.before.truncate(lengths.0);
        self.after.truncate(lengths.1);
    }

    fn push(&mut self, op: Op, before: Option<View<'_>>, after: Option<View<'_>>, place: Place<'_>) {
        let path = if op == Op::Remove { &self.before } else { &self.after };
        self.out.push(FieldChange {
            path: path.clone(),
            op,
            before: before.map(|view| json(view, place)),
            after: after.map(|view| json(view, place)),
            sensitive: false,
            owner: None,
        });
    }
}

/// Keys of both maps, sorted.
fn keys<'a>(a: Option<View<'a>>, b: Option<View<'a>>) -> BTreeSet<&'a str> {
    [a, b].into_iter().flatten().flat_map(View::fields).map(|(key, _)| key).collect()
}

/// What tells the items of a list apart, one text an item; `None` where two have the same or one has none.
pub(super) fn item_keys(list: View<'_>, place: Place<'_>) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(list.len());
    for item in list.items() {
        let key = match place.list() {
            ListType::Map(names) => map_key(item, names, place.item())?,
            _ => item.to_json(),
        };
        if !seen.insert(key.clone()) {
            return None;
        }
        all.push(key);
    }
    Some(all)
}

fn map_key(item: View<'_>, names: &[impl AsRef<str>], place: Place<'_>) -> Option<String> {
    if !item.is_map() {
        return None;
    }
    let mut text = String::new();
    for name in names {
        match (item.get(name.as_ref()), place.default_text(name.as_ref())) {
            (Some(value), _) if value.str().is_some() => text.push_str(value.str().unwrap_or_default()),
            (Some(value), _) => value.write_json(&mut text),
            // A missing part of the key has its default: `protocol: TCP`.
            (None, default) => text.push_str(default.unwrap_or_default()),
        }
        text.push('\0');
    }
    Some(text)
}

/// Whether two values are stored as the same.
pub(super) fn same(a: View<'_>, b: View<'_>, place: Place<'_>) -> bool {
    if a.is_map() && b.is_map() {
        return keys(Some(a), Some(b)).into_iter().all(|key| {
            let inner = place.child(key);
            let side = |view: View<'_>| view.get(key).is_some_and(|value| !inner.is_zero(value));
            place.is_server_owned(key)
                || match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => side_same(a, b, inner),
                    _ => !side(a) && !side(b),
                }
        });
    }
    if a.is_seq() && b.is_seq() {
        return a.len() == b.len() && a.items().zip(b.items()).all(|(a, b)| same(a, b, place.item()));
    }
    place.same_scalar(a, b)
}

fn side_same(a: View<'_>, b: View<'_>, place: Place<'_>) -> bool {
    match (place.is_zero(a), place.is_zero(b)) {
        (true, true) => true,
        (false, false) => same(a, b, place),
        _ => false,
    }
}

/// A value as JSON, keys in the order written, without what only the server writes.
fn json(view: View<'_>, place: Place<'_>) -> Json {
    match view.value() {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Int(value) => Json::from(value),
        Value::Uint(value) => Json::from(value),
        Value::Float(value) => view.int().map_or_else(|| Json::from(value), Json::from),
        Value::Str(_) => Json::from(view.str().unwrap_or_default()),
        Value::Seq(_) => Json::Array(view.items().map(|item| json(item, place.item())).collect()),
        Value::Map(_) => {
            let fields = view.fields().filter(|(key, value)| !value.is_null() && !place.is_server_owned(key));
            Json::Object(fields.map(|(key, value)| (key.to_owned(), json(value, place.child(key)))).collect())
        }
    }
}
