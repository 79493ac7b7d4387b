//! Secret values never leave the comparison: each distinct value stands as a number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value as Json;

use super::{FieldChange, Op};
use crate::model::Bundle;
use crate::model::path::push_key;
use crate::yaml::{View, base64};

/// Shorter values are masked in their own Secret only: elsewhere `admin` or `prod` says nothing.
const MIN_EQUAL: usize = 6;
/// From this length on a value is also masked inside longer text.
const MIN_INSIDE: usize = 8;

/// Masks the secret values of both bundles; the same number is the same value throughout one run.
pub(super) struct Masker {
    /// Leave values as they are (`--show-secrets`).
    show: bool,
    numbers: HashMap<Vec<u8>, usize>,
    /// Every secret value that is long enough, as text and as base64.
    known: HashMap<String, Vec<u8>>,
    /// Those that are masked inside longer text, by their first bytes.
    inside: HashMap<[u8; MIN_INSIDE], Vec<String>>,
}

impl Masker {
    pub(super) fn new(bundles: [&Bundle; 2], show: bool) -> Masker {
        let mut known = BTreeSet::new();
        for bundle in bundles {
            for (id, _) in bundle.iter().filter(|(_, object)| is_secret(object.group(), &object.kind)) {
                for value in contents(bundle.full(id)).into_values().chain(contents(bundle.written(id)).into_values()) {
                    let text = String::from_utf8(value.clone()).ok();
                    known.extend(text.into_iter().chain([base64::encode(&value)]).map(|text| (text, value.clone())));
                }
            }
        }
        let known: HashMap<String, Vec<u8>> = known.into_iter().filter(|(text, _)| text.len() >= MIN_EQUAL).collect();
        let mut inside: HashMap<[u8; MIN_INSIDE], Vec<String>> = HashMap::new();
        for text in known.keys() {
            if let Some(first) = text.as_bytes().first_chunk() {
                inside.entry(*first).or_default().push(text.clone());
            }
        }
        // The longest of those that begin alike is the one to mask.
        inside.values_mut().for_each(|texts| texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b))));
        Masker { show, numbers: HashMap::new(), known, inside }
    }

    /// The keys of a Secret that differ, `stringData` taken as the data it becomes.
    pub(super) fn secret(&mut self, before: Option<View<'_>>, after: Option<View<'_>>) -> Vec<FieldChange> {
        let (old, new) = (before.map(contents).unwrap_or_default(), after.map(contents).unwrap_or_default());
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let unknown = before.is_some_and(is_stripped);
        let mut changes = Vec::new();
        for key in keys {
            let (a, b) = (old.get(key), new.get(key));
            if a == b || unknown && a.is_some() && b.is_some() {
                continue;
            }
            let mut path = "data".to_owned();
            push_key(&mut path, key);
            let op = match (a, b) {
                (None, _) => Op::Add,
                (_, None) => Op::Remove,
                _ => Op::Change,
            };
            let (before, after) =
                (a.filter(|_| !unknown).map(|value| self.shown(value)), b.map(|value| self.shown(value)));
            changes.push(FieldChange { path, op, before, after, sensitive: true, owner: None });
        }
        changes
    }

    fn shown(&mut self, value: &[u8]) -> Json {
        if self.show { Json::from(base64::encode(value)) } else { Json::from(self.token(value)) }
    }

    fn token(&mut self, value: &[u8]) -> String {
        let next = self.numbers.len() + 1;
        let number = *self.numbers.entry(value.to_vec()).or_insert(next);
        format!("*** (#{number})")
    }

    /// Masks secret values that stand in other fields, and what variables with telling names are set to.
    pub(super) fn scrub(&mut self, changes: &mut [FieldChange], before: Option<View<'_>>, after: Option<View<'_>>) {
        if self.show {
            return;
        }
        for change in changes.iter_mut().filter(|change| !change.sensitive) {
            let variable = change.path.strip_suffix(".value").filter(|path| path.ends_with(']'));
            let root = if change.op == Op::Remove { before } else { after };
            let name = variable.zip(root).and_then(|(path, root)| {
                crate::model::path::follow(root, path).view.get_str("name").map(str::to_owned)
            });
            let telling = name.is_some_and(|name| is_telling(&name));
            for side in [&mut change.before, &mut change.after].into_iter().flatten() {
                change.sensitive |= self.scrub_json(side, telling);
            }
        }
    }

    fn scrub_json(&mut self, json: &mut Json, telling: bool) -> bool {
        match json {
            Json::String(text) => {
                let masked = if telling && !text.is_empty() {
                    Some(self.token(text.clone().as_bytes()))
                } else {
                    self.without_secrets(text)
                };
                let found = masked.is_some();
                if let Some(masked) = masked {
                    *text = masked;
                }
                found
            }
            Json::Array(items) => items.iter_mut().fold(false, |found, item| self.scrub_json(item, telling) | found),
            Json::Object(fields) => {
                let name = fields.get("name").and_then(Json::as_str);
                let variable = name.is_some_and(is_telling);
                fields.iter_mut().fold(false, |found, (key, value)| {
                    self.scrub_json(value, telling || variable && key == "value") | found
                })
            }
            _ => false,
        }
    }

    /// The text with every known secret value masked; `None` where there is none.
    fn without_secrets(&mut self, text: &str) -> Option<String> {
        if let Some(value) = self.known.get(text).cloned() {
            return Some(self.token(&value));
        }
        let (mut out, mut from, mut at) = (String::new(), 0, 0);
        while let Some(rest) = text.get(from..).and(text.as_bytes().get(at..)).filter(|rest| rest.len() >= MIN_INSIDE) {
            let candidates = rest.first_chunk().and_then(|first| self.inside.get(first)).into_iter().flatten();
            let found = candidates.into_iter().find(|secret| rest.starts_with(secret.as_bytes())).cloned();
            if let Some(secret) = found {
                let value = self.known.get(&secret).cloned().unwrap_or_default();
                out.push_str(text.get(from..at).unwrap_or_default());
                out.push_str(&self.token(&value));
                at += secret.len();
                from = at;
            } else {
                at += 1;
            }
        }
        if from == 0 {
            return None;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Some(out)
    }
}

/// Whether an object holds secret values.
pub(super) fn is_secret(group: &str, kind: &str) -> bool {
    group.is_empty() && kind == "Secret"
}

/// Whether the values of a Secret were taken out (`snapshot::VALUES`).
fn is_stripped(secret: View<'_>) -> bool {
    secret.at(&["metadata", "annotations"]).and_then(|map| map.get_str("kplan.dev/values")) == Some("removed")
}

/// Paths of the values that both sides have and that nothing is known of on the first.
pub(super) fn unknown_values(before: View<'_>, after: View<'_>) -> Vec<String> {
    if !is_stripped(before) {
        return Vec::new();
    }
    let (old, new) = (contents(before), contents(after));
    let path = |key: &String| {
        let mut path = "data".to_owned();
        push_key(&mut path, key);
        path
    };
    old.keys().filter(|key| new.contains_key(*key)).map(path).collect()
}

/// The values of a Secret as they are stored, `stringData` over `data`; what is no base64 stands as written.
fn contents(secret: View<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut values = BTreeMap::new();
    for (key, value) in secret.map("data") {
        let text = value.str().unwrap_or_default();
        values.insert(key.to_owned(), base64::decode(text.as_bytes()).unwrap_or_else(|_| text.into()));
    }
    for (key, value) in secret.map("stringData") {
        let text = value.str().map_or_else(|| value.to_json(), str::to_owned);
        values.insert(key.to_owned(), text.into_bytes());
    }
    values
}

/// Names of variables whose plain values are masked.
fn is_telling(name: &str) -> bool {
    const WORDS: [&str; 8] =
        ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "PRIVATE_KEY", "API_KEY"];
    let name = name.to_ascii_uppercase().replace('-', "_");
    WORDS.iter().any(|word| name.ends_with(word) || name.ends_with(&format!("{word}S")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one() {
        for text in ["", "a", "ab", "abc", "abcd", "\u{ff}\u{0}"] {
            assert_eq!(base64::decode(base64::encode(text.as_bytes()).as_bytes()).unwrap(), text.as_bytes());
        }
        assert_eq!(base64::encode(b"hunter2"), "aHVudGVyMg==");
    }

    #[test]
    fn secrets_are_masked_inside_text() {
        let mut masker = Masker { show: false, numbers: HashMap::new(), known: HashMap::new(), inside: HashMap::new() };
        masker.known.insert("hunter2-hunter2".to_owned(), b"hunter2-hunter2".to_vec());
        masker.inside.insert(*b"hunter2-", vec!["hunter2-hunter2".to_owned()]);
        let mut mask = |text: &str| masker.without_secrets(text);
        assert_eq!(mask("a hunter2-hunter2, ü hunter2-hunter2").as_deref(), Some("a *** (#1), ü *** (#1)"));
        assert_eq!(mask("hunter2-hunter2").as_deref(), Some("*** (#1)"));
        assert_eq!(mask("hunter2-ünter2"), None);
        assert_eq!(mask("hunter2-hunter"), None);
    }

    #[test]
    fn telling_names_end_in_the_word() {
        assert!(is_telling("DB_PASSWORD") && is_telling("api-token") && is_telling("AWS_CREDENTIALS"));
        assert!(!is_telling("TOKEN_URL") && !is_telling("SECRET_NAME") && !is_telling("PASS"));
    }
}
