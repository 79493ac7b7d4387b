//! The lines of kinds: the served ones, and the life of those that are
//! deprecated, removed or switched off.

use std::collections::{BTreeMap, BTreeSet};

use super::go::{Facts, Kind, Life};
use super::openapi::Server;
use super::removed;

/// A kind that the server serves as a resource of its own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Served {
    api_version: String,
    kind: String,
    pub(super) type_id: String,
    plural: String,
    namespaced: bool,
}

impl Served {
    /// The `kind` line.
    pub(super) fn line(&self) -> String {
        let scope = if self.namespaced { "namespaced" } else { "cluster" };
        format!("kind {} {} {} {} {scope}", self.api_version, self.kind, self.type_id, self.plural)
    }
}

/// The kinds of all resources, sorted; a kind that is only a subresource
/// (`Eviction`) is not one that can be applied.
pub(super) fn served(go: &Facts, server: &Server) -> Result<Vec<Served>, String> {
    let mut served = Vec::new();
    for resource in &server.resources {
        if resource.name.contains('/') {
            continue;
        }
        let known = go
            .kind(&resource.api_version, &resource.kind)
            .ok_or_else(|| format!("the Go facts have no {} {}", resource.api_version, resource.kind))?;
        served.push(Served {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
            type_id: known.type_id.clone(),
            plural: resource.name.clone(),
            namespaced: resource.namespaced,
        });
    }
    served.sort();
    Ok(served)
}

/// The `gone`, `off` and `old` lines, sorted.
pub(super) fn lifes(go: &Facts, server: &Server, served: &[Served], version: &str) -> Result<Vec<String>, String> {
    let is_served: BTreeSet<(&str, &str)> =
        served.iter().map(|kind| (kind.api_version.as_str(), kind.kind.as_str())).collect();
    let mut words: BTreeMap<(String, String), (&str, Life)> = BTreeMap::new();
    for (api_version, kind, life) in removed::table(version)? {
        words.insert((api_version, kind), ("gone", life));
    }
    for kind in &go.kinds {
        let key = (kind.api_version(), kind.kind.clone());
        let mut life = kind.life.clone();
        if is_served.contains(&(key.0.as_str(), key.1.as_str())) {
            if has_come(life.deprecated.as_deref(), version)? {
                words.insert(key, ("old", life));
            }
        } else if is_resource(kind, server) {
            life.replacement = replacement(kind, served).or(life.replacement);
            if has_come(life.removed.as_deref(), version)? {
                words.insert(key, ("gone", life));
            } else {
                words.entry(key).or_insert(("off", life));
            }
        }
    }
    let line = |((api_version, kind), (word, life)): (&(String, String), &(&str, Life))| {
        format!("{word} {api_version} {kind}{}", life_words(life))
    };
    let mut lines: Vec<String> = words.iter().map(line).collect();
    lines.sort();
    Ok(lines)
}

/// Whether a kind of the Go schemes is one that a server stores or answers.
fn is_resource(kind: &Kind, server: &Server) -> bool {
    let api_version = kind.api_version();
    let is_subresource =
        server.resources.iter().any(|resource| resource.api_version == api_version && resource.kind == kind.kind);
    kind.object && !is_subresource && !removed::NEVER_SERVED.contains(&(api_version.as_str(), kind.kind.as_str()))
}

/// What to write in place of a kind that is not served, where the marks name
/// none, or one that is gone too: the same kind in another version.
fn replacement(kind: &Kind, served: &[Served]) -> Option<String> {
    let name = |next: &Served| format!("{}/{}", next.api_version, next.kind);
    let marked = kind.life.replacement.as_deref();
    if served.iter().any(|next| Some(name(next).as_str()) == marked) {
        return None;
    }
    let is_same = |next: &&Served| {
        let group = next.api_version.split_once('/').map_or("", |(group, _)| group);
        group == kind.group && next.kind == kind.kind
    };
    served.iter().rfind(is_same).map(name)
}

fn life_words(life: &Life) -> String {
    let pairs = [
        ("introduced", &life.introduced),
        ("deprecated", &life.deprecated),
        ("removed", &life.removed),
        ("replacement", &life.replacement),
    ];
    pairs.iter().filter_map(|(name, value)| Some(format!(" {name}={}", value.as_ref()?))).collect()
}

/// Whether a release is at or before the version.
pub(super) fn has_come(release: Option<&str>, version: &str) -> Result<bool, String> {
    match release {
        None => Ok(false),
        Some(release) => Ok(numbers(release)? <= numbers(version)?),
    }
}

fn numbers(release: &str) -> Result<(u32, u32), String> {
    let parse = || {
        let (major, minor) = release.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    parse().ok_or_else(|| format!("{release} is no release like 1.36"))
}
