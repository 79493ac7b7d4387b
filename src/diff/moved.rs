//! Objects that only changed their namespace or their kind: for the API server one is made and the other goes.

use std::collections::HashMap;

use super::identity::group;
use super::{Action, Change};
use crate::model::{Bundle, Object};

/// Kinds of which one takes another's place under its name.
const WORKLOADS: [&str; 7] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// Says of each object that is made where it comes from, and of the one that goes where it went, where that is certain.
pub(super) fn run(changes: &mut [Change], desired: &Bundle, base: &Bundle) {
    let mut gone: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    let mut made: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (index, change) in changes.iter().enumerate() {
        let (side, object) = match (change.action, change.base, change.desired) {
            (Action::Delete, Some(id), _) => (&mut gone, base.object(id)),
            (Action::Create, None, Some(id)) => (&mut made, desired.object(id)),
            _ => continue,
        };
        keys(object).into_iter().flatten().for_each(|key| side.entry(key).or_default().push(index));
    }
    let mut moves = Vec::new();
    for (key, from) in &gone {
        if let ([from], Some([to])) = (from.as_slice(), made.get(key).map(Vec::as_slice)) {
            moves.push((*from, *to, matches!(key, Key::Elsewhere(..))));
        }
    }
    moves.sort_unstable();
    for (from, to, is_elsewhere) in moves {
        let (old, new) = (changes[from].object.clone(), changes[to].object.clone());
        let title = |object: &super::ObjectRef| format!("{}/{}", object.kind, object.name);
        let space = |object: &super::ObjectRef| object.namespace.clone().unwrap_or_default();
        if is_elsewhere {
            changes[from].why = format!("moves to namespace {}", space(&new));
            changes[to].why = format!("moves here from namespace {}", space(&old));
        } else {
            changes[from].why = format!("becomes {}", title(&new));
            changes[to].why = format!("was {}", title(&old));
        }
    }
}

/// What stays the same where an object moves.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    /// Group, kind and name: the namespace is another one.
    Elsewhere(&'a str, &'a str, &'a str),
    /// Namespace and name of a workload: the kind is another one.
    Otherwise(Option<&'a str>, &'a str),
}

fn keys(object: &Object) -> [Option<Key<'_>>; 2] {
    let is_namespaced = object.namespace.is_some();
    let elsewhere = Key::Elsewhere(group(object), &object.kind, &object.name);
    let otherwise = Key::Otherwise(object.namespace.as_deref(), &object.name);
    let is_workload = WORKLOADS.contains(&object.kind.as_str());
    [is_namespaced.then_some(elsewhere), (is_namespaced && is_workload).then_some(otherwise)]
}
