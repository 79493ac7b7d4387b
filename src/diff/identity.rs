//! Which object of one bundle is the same as which of the other.

use std::collections::BTreeMap;

use super::mask::is_secret;
use crate::model::{Bundle, Key, Object, ObjectId};

/// One object on both sides, or on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub base: Option<ObjectId>,
    pub desired: Option<ObjectId>,
}

/// Pairs by group (without version), kind, namespace and name, in that order. Of several with one key the last one
/// counts, as when they are applied in turn. A ConfigMap or Secret whose hash suffix changed is one pair.
pub(super) fn pairs(desired: &Bundle, base: &Bundle) -> Vec<Pair> {
    let mut pairs: BTreeMap<Key, Pair> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for (id, object) in desired.iter() {
        let named = desired.written(id).at(&["metadata", "name"]).is_some();
        if named {
            pairs.entry(key(object)).or_insert(Pair { base: None, desired: None }).desired = Some(id);
        } else {
            // `generateName`: every apply makes a new object.
            unnamed.push((key(object), Pair { base: None, desired: Some(id) }));
        }
    }
    for (id, object) in base.iter() {
        pairs.entry(key(object)).or_insert(Pair { base: None, desired: None }).base = Some(id);
    }
    join_renamed(&mut pairs);
    let mut all: Vec<(Key, Pair)> = pairs.into_iter().chain(unnamed).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.desired.cmp(&b.1.desired)));
    all.into_iter().map(|(_, pair)| pair).collect()
}

fn key(object: &Object) -> Key {
    Key { group: group(object).to_owned(), ..object.key() }
}

/// The group that holds a kind today: `extensions` gave its kinds away.
pub(super) fn group(object: &Object) -> &str {
    group_of(object.group(), &object.kind)
}

pub(super) fn group_of<'a>(group: &'a str, kind: &str) -> &'a str {
    match (group, kind) {
        ("extensions", "Deployment" | "DaemonSet" | "ReplicaSet") => "apps",
        ("extensions", "Ingress" | "NetworkPolicy") => "networking.k8s.io",
        ("extensions", "PodSecurityPolicy") => "policy",
        (group, _) => group,
    }
}

/// Joins a hashed name that is only in the base with the one that took its place, where that is certain.
fn join_renamed(pairs: &mut BTreeMap<Key, Pair>) {
    let mut stems: BTreeMap<Key, (Vec<Key>, Vec<Key>)> = BTreeMap::new();
    for (key, pair) in pairs.iter() {
        let hashed = key.kind == "ConfigMap" && key.group.is_empty() || is_secret(&key.group, &key.kind);
        let Some(stem) = stem(&key.name).filter(|_| hashed) else { continue };
        let stem = Key { name: stem.to_owned(), ..key.clone() };
        match (pair.base, pair.desired) {
            (Some(_), None) => stems.entry(stem).or_default().0.push(key.clone()),
            (None, Some(_)) => stems.entry(stem).or_default().1.push(key.clone()),
            _ => {}
        }
    }
    for (old, new) in stems.into_values() {
        if let ([old], [new]) = (old.as_slice(), new.as_slice())
            && let Some(gone) = pairs.remove(old)
            && let Some(pair) = pairs.get_mut(new)
        {
            pair.base = gone.base;
        }
    }
}

/// The name without the hash that kustomize appends: ten of its 16 letters (`kustomize/api/hasher`).
fn stem(name: &str) -> Option<&str> {
    let (stem, hash) = name.rsplit_once('-')?;
    let is_hash = hash.len() == 10 && hash.bytes().all(|byte| b"2456789bcdfghkmt".contains(&byte));
    is_hash.then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_from_words() {
        assert_eq!(stem("app-config-7dgkc9tm5h"), Some("app-config"));
        assert_eq!(stem("app-config-production"), None);
        assert_eq!(stem("app-7dgkc9tm5"), None);
    }
}
