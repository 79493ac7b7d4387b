//! Keeps the values of Secrets out of every output: source frames, messages, fixes, changes, shown objects.
//!
//! Masked are `data` and `stringData` of objects of kind Secret, also as they stand in the annotation of
//! `kubectl apply`. Long values are masked wherever they turn up, short ones in findings about their own document.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use foldhash::fast::FixedState;
use serde_json::Value;

use crate::diag::Diagnostic;
use crate::diff::{Change, FieldChange};
use crate::model::{Bundle, ParsedFile};
use crate::source::{FileId, Span};
use crate::yaml::{self, View};

/// What stands in place of a secret.
pub const MASKED: &str = "***";

/// The annotation in which `kubectl apply` keeps a copy of the object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Values from this length on are masked in findings of other documents too; shorter ones would hide plain words.
const LONG: usize = 8;

/// Values below this length are masked only between quotes.
const SHORT: usize = 4;

/// Which bytes and which words are secret.
#[derive(Debug, Default)]
pub struct Mask {
    /// Sorted and apart.
    places: BTreeMap<FileId, Vec<Span>>,
    /// By file and document; longest first.
    own: BTreeMap<(FileId, u32), Vec<String>>,
    /// Long values of all documents; longest first.
    long: Vec<String>,
    /// How those begin: a text without any of it needs no search for each.
    beginnings: HashSet<u64, FixedState>,
    /// Nothing is hidden.
    open: bool,
}

impl Mask {
    /// Hides nothing: `--show-secrets`.
    pub fn none() -> Mask {
        Mask { open: true, ..Mask::default() }
    }

    /// Finds the Secrets of a bundle.
    pub fn new(bundle: &Bundle) -> Mask {
        let mut mask = Mask::default();
        let mut long = BTreeSet::new();
        for (index, file) in bundle.files.iter().enumerate() {
            let id = FileId(index as u32);
            let mut places = Vec::new();
            for document in &file.documents {
                let mut values = BTreeSet::new();
                match document.root {
                    Some(root) => find_secrets(file, file.tree.view(root), &mut places, &mut values),
                    None => find_unreadable(&bundle.sources.get(id).text, document.span, &mut places, &mut values),
                }
                long.extend(values.iter().filter(|value| value.len() >= LONG).cloned());
                if !values.is_empty() {
                    mask.own.insert((id, document.index), longest_first(values));
                }
            }
            if !places.is_empty() {
                mask.places.insert(id, join(places));
            }
        }
        mask.set_long(long);
        mask
    }

    fn set_long(&mut self, long: BTreeSet<String>) {
        self.beginnings = long.iter().flat_map(|value| windows(value).next()).collect();
        self.long = longest_first(long);
    }

    /// Those long values that a text may hold: all, or none.
    fn long_in(&self, text: &str) -> &[String] {
        let may_hold = !self.long.is_empty() && windows(text).any(|window| self.beginnings.contains(&window));
        if may_hold { &self.long } else { &[] }
    }

    /// Hides the long values of another bundle too: what the base holds may stand in messages.
    pub fn add(&mut self, other: &Bundle) {
        let long: BTreeSet<String> = self.long.drain(..).chain(Mask::new(other).long).collect();
        self.set_long(long);
    }

    /// A text that belongs to no document, without secret values.
    pub fn text(&self, text: &str) -> String {
        let mut masked = Cow::Borrowed(text);
        self.long_in(text).iter().for_each(|value| replace(&mut masked, value, MASKED));
        masked.into_owned()
    }

    /// The secret places of a file, sorted and apart.
    pub fn places(&self, file: FileId) -> &[Span] {
        self.places.get(&file).map_or(&[], Vec::as_slice)
    }

    /// Whether a place shares bytes with a secret.
    pub fn touches(&self, file: FileId, span: Span) -> bool {
        self.places(file).iter().any(|place| place.start < span.end && span.start < place.end)
    }

    /// A text of a finding without secret values.
    pub fn message<'t>(&self, diagnostic: &Diagnostic, text: &'t str) -> Cow<'t, str> {
        let own = diagnostic.document.and_then(|document| self.own.get(&(diagnostic.file, document)));
        let mut masked = Cow::Borrowed(text);
        for value in own.into_iter().flatten().chain(self.long_in(text)) {
            if !masked.contains(value.as_str()) {
                continue;
            }
            if value.len() >= SHORT {
                replace(&mut masked, value, MASKED);
            } else {
                for quote in ["\"", "'", "`"] {
                    replace(&mut masked, &format!("{quote}{value}{quote}"), &format!("{quote}{MASKED}{quote}"));
                }
            }
        }
        masked
    }

    /// A change without secret values; those that the diff left readable are masked here.
    pub fn change(&self, change: &Change) -> Change {
        let mut change = change.clone();
        let secret = change.object.kind == "Secret";
        // The server's words may quote a value.
        change.why = self.text(&change.why);
        for note in &mut change.notes {
            *note = self.text(note);
        }
        for field in &mut change.fields {
            self.field(secret, field);
        }
        change
    }

    fn field(&self, secret: bool, field: &mut FieldChange) {
        let holds_data = |path: &str| path.starts_with("data") || path.starts_with("stringData");
        let hidden = secret && (holds_data(&field.path) || field.path.contains(LAST_APPLIED));
        for value in [&mut field.before, &mut field.after].into_iter().flatten() {
            if hidden && !self.open {
                mask_value(value);
                field.sensitive = true;
            } else {
                field.sensitive |= self.hide(value);
            }
        }
    }

    /// Masks long values in every text below; whether there was one.
    pub fn hide(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let masked = self.text(text);
                let found = masked != *text;
                *text = masked;
                found
            }
            Value::Array(items) => items.iter_mut().fold(false, |found, item| self.hide(item) | found),
            Value::Object(fields) => fields.values_mut().fold(false, |found, value| self.hide(value) | found),
            _ => false,
        }
    }
}

/// Every run of [`LONG`] bytes, as a number.
fn windows(text: &str) -> impl Iterator<Item = u64> + '_ {
    text.as_bytes().windows(LONG).filter_map(|window| Some(u64::from_ne_bytes(*window.first_chunk()?)))
}

/// Masks every scalar; texts that name a sensitive value, as `(sensitive #1)`, stay.
fn mask_value(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(mask_value),
        Value::Array(items) => items.iter_mut().for_each(mask_value),
        Value::String(text) if text.starts_with("(sensitive") || text.starts_with(MASKED) => {}
        Value::Null => {}
        scalar => *scalar = Value::String(MASKED.to_owned()),
    }
}

fn replace(text: &mut Cow<'_, str>, from: &str, to: &str) {
    if text.contains(from) {
        *text = Cow::Owned(text.replace(from, to));
    }
}

fn longest_first(values: BTreeSet<String>) -> Vec<String> {
    let mut values: Vec<String> = values.into_iter().collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}

/// Sorts places and joins those that overlap.
fn join(mut places: Vec<Span>) -> Vec<Span> {
    places.sort();
    let mut joined: Vec<Span> = Vec::with_capacity(places.len());
    for place in places {
        match joined.last_mut() {
            Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
            _ => joined.push(place),
        }
    }
    joined
}

/// Whether an object is a Secret of the core group.
pub fn is_secret(view: View<'_>) -> bool {
    view.get_str("kind") == Some("Secret")
}

/// Secrets are the document itself or items of lists.
fn find_secrets(file: &ParsedFile, view: View<'_>, places: &mut Vec<Span>, values: &mut BTreeSet<String>) {
    for item in view.list("items").filter(|item| item.is_map()) {
        find_secrets(file, item, places, values);
    }
    if !is_secret(view) && view.get_str("kind") != Some("SecretList") {
        return;
    }
    for key in ["data", "stringData"] {
        let Some(data) = view.get(key) else { continue };
        add_value(data, places, values);
        add_lost_values(file, data, places, values);
    }
    if let Some(copy) = view.at(&["metadata", "annotations", LAST_APPLIED]) {
        add_value(copy, places, values);
    }
}

/// All scalars below a view, keys excepted.
fn add_value(view: View<'_>, places: &mut Vec<Span>, values: &mut BTreeSet<String>) {
    if view.is_map() || view.is_seq() {
        view.fields().for_each(|(_, value)| add_value(value, places, values));
        view.items().for_each(|value| add_value(value, places, values));
        return;
    }
    places.push(view.span());
    let text = view.str().unwrap_or_else(|| view.written());
    add_text(text, values);
    if let Some(plain) = yaml::base64::decode(text.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        add_text(&plain, values);
    }
}

fn add_text(text: &str, values: &mut BTreeSet<String>) {
    let text = text.trim();
    if !text.is_empty() && text != MASKED {
        values.insert(text.to_owned());
    }
}

/// Values of keys that stand twice: the tree has only the last one.
fn add_lost_values(file: &ParsedFile, data: View<'_>, places: &mut Vec<Span>, values: &mut BTreeSet<String>) {
    let lost = file.tree.duplicates.iter().filter(|duplicate| duplicate.map == data.id);
    for duplicate in lost {
        let from = duplicate.first.end as usize;
        let keys = data.entries().map(|(_, key, _)| key.start).chain([duplicate.second.start]);
        let end = keys.filter(|start| *start as usize > from).min().unwrap_or(data.span().end) as usize;
        let text = file.tree.source().get(from..end).unwrap_or("");
        let value = text.trim_start_matches([':', ' ', '"', '\'']);
        let start = from + text.len() - value.len();
        let value = value.trim_end_matches([' ', '\n', '\r', ',', '"', '\'']);
        places.push(Span::new(start, start + value.len()));
        add_text(value, values);
    }
}

/// A document without a tree that says it is a Secret: all its values but those that name it.
fn find_unreadable(text: &str, document: Span, places: &mut Vec<Span>, values: &mut BTreeSet<String>) {
    const PLAIN: [&str; 7] = ["apiVersion", "kind", "metadata", "name", "namespace", "type", "labels"];
    let chunk = text.get(document.range()).unwrap_or("");
    if !chunk.lines().any(|line| line.replace(['"', '\'', ' ', ',', '{', '}'], "").contains("kind:Secret")) {
        return;
    }
    let mut at = document.start as usize;
    for line in chunk.split_inclusive('\n') {
        let (key, value) = line.split_once(':').unwrap_or(("", line));
        let key = key.trim().trim_matches(['"', '\'', '-', ' ', '{']);
        let start = at + line.len() - value.trim_start().len();
        at += line.len();
        let value = value.trim();
        if value.is_empty() || (PLAIN.contains(&key) && !line.contains(['{', ','])) || value.starts_with("---") {
            continue;
        }
        places.push(Span::new(start, start + value.len()));
        add_text(value, values);
        // `password: password: x`, of which a hint quotes the last part.
        value.rsplit(": ").for_each(|part| add_text(part.trim_matches(['"', '\'']), values));
    }
}

/// Masks the values of a Secret that is shown as a whole.
pub fn object(value: &mut Value) {
    if let Some(Value::Array(items)) = value.get_mut("items") {
        items.iter_mut().for_each(object);
    }
    if value.get("kind").and_then(Value::as_str) != Some("Secret") {
        return;
    }
    for key in ["data", "stringData"] {
        if let Some(data) = value.get_mut(key) {
            mask_value(data);
        }
    }
    if let Some(copy) = value.pointer_mut("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration") {
        mask_value(copy);
    }
}
