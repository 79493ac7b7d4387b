//! Looking at a defaulted object as Go's structs do: what is missing is empty, zero or nil.

use std::borrow::Cow;

use super::errors::html_escape;
use crate::model::quantity::Quantity;
use crate::yaml::{Value, View};

/// A value that may be missing at any level.
#[derive(Clone, Copy, Debug)]
pub struct Obj<'a>(pub Option<View<'a>>);

impl<'a> Obj<'a> {
    pub const NONE: Obj<'static> = Obj(None);

    /// The value of a key; null counts as missing.
    pub fn at(self, key: &str) -> Obj<'a> {
        Obj(self.0.and_then(|view| view.get(key)))
    }

    /// Whether there is a value (a non-nil pointer).
    pub fn has(self) -> bool {
        self.0.is_some()
    }

    pub fn text(self) -> &'a str {
        self.0.and_then(View::str).unwrap_or("")
    }

    pub fn number(self) -> i64 {
        self.0.and_then(View::int).unwrap_or(0)
    }

    pub fn str(self, key: &str) -> &'a str {
        self.at(key).text()
    }

    pub fn opt_str(self, key: &str) -> Option<&'a str> {
        self.at(key).0.and_then(View::str)
    }

    pub fn int(self, key: &str) -> i64 {
        self.at(key).number()
    }

    pub fn opt_int(self, key: &str) -> Option<i64> {
        self.at(key).0.and_then(View::int)
    }

    pub fn bool(self, key: &str) -> bool {
        self.opt_bool(key).unwrap_or(false)
    }

    pub fn opt_bool(self, key: &str) -> Option<bool> {
        self.at(key).0.and_then(View::bool)
    }

    /// Items of a list.
    pub fn items(self) -> impl DoubleEndedIterator<Item = Obj<'a>> + ExactSizeIterator + use<'a> {
        let tree = self.0.map(|view| view.tree);
        let ids = self.0.map_or(&[][..], View::item_ids);
        ids.iter().map(move |id| Obj(tree.map(|tree| tree.view(*id))))
    }

    /// Items of a list field.
    pub fn list(self, key: &str) -> impl DoubleEndedIterator<Item = Obj<'a>> + ExactSizeIterator + use<'a> {
        self.at(key).items()
    }

    /// Items of a list of strings.
    pub fn strings(self, key: &str) -> Vec<&'a str> {
        self.list(key).map(Obj::text).collect()
    }

    /// Entries of a map, sorted by key: Go's own order is random.
    pub fn entries(self) -> Vec<(&'a str, Obj<'a>)> {
        let mut entries: Vec<_> =
            self.0.map_or_else(Vec::new, |view| view.fields().map(|(key, value)| (key, Obj(Some(value)))).collect());
        if !entries.is_sorted_by_key(|(key, _)| *key) {
            entries.sort_by_key(|(key, _)| *key);
        }
        entries
    }

    /// Entries of a map field, sorted by key.
    pub fn map(self, key: &str) -> Vec<(&'a str, Obj<'a>)> {
        self.at(key).entries()
    }

    /// Value of a key in a map of strings, null as the empty string.
    pub fn entry(self, key: &str) -> Option<&'a str> {
        let (_, view) = self.0?.entry(key)?;
        Some(view.str().unwrap_or(""))
    }

    /// Number of items or entries.
    pub fn len(self, key: &str) -> usize {
        self.at(key).0.map_or(0, View::len)
    }

    /// JSON with sorted keys as Go prints maps and lists; `null` where missing.
    pub fn json(self) -> String {
        self.0.map_or_else(|| "null".to_owned(), |view| html_escape(&view.to_json()))
    }

    /// The quantity in a string or number; zero where it is none (the decoder has refused it before).
    pub fn quantity(self) -> Quantity {
        self.text_or_number().and_then(|text| Quantity::parse(&text).ok()).unwrap_or_else(|| Quantity::from_i64(0))
    }

    fn text_or_number(self) -> Option<Cow<'a, str>> {
        let view = self.0?;
        match view.value() {
            Value::Null => None,
            Value::Str(_) => view.str().map(Cow::Borrowed),
            _ => Some(Cow::Owned(view.to_json())),
        }
    }

    /// Whether two values are equal as the API compares them: missing equals empty, quantities by value.
    pub fn same(self, other: Obj<'_>) -> bool {
        match (self.0, other.0) {
            (None, None) => true,
            (Some(one), None) | (None, Some(one)) => is_blank(one),
            (Some(a), Some(b)) => same_views(a, b),
        }
    }
}

fn is_blank(view: View<'_>) -> bool {
    match view.value() {
        Value::Null => true,
        Value::Seq(_) => view.is_empty(),
        Value::Map(_) => view.fields().all(|(_, value)| is_blank(value)),
        Value::Str(_) => view.str() == Some(""),
        _ => false,
    }
}

fn same_views(a: View<'_>, b: View<'_>) -> bool {
    if a.is_map() && b.is_map() {
        let keys = a.fields().chain(b.fields()).map(|(key, _)| key);
        return keys.into_iter().all(|key| Obj(a.get(key)).same(Obj(b.get(key))));
    }
    if a.is_seq() && b.is_seq() {
        return a.len() == b.len() && a.items().zip(b.items()).all(|(a, b)| same_views(a, b));
    }
    a.same(b)
}
