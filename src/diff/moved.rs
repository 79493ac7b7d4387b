//! Objects that only changed their namespace or their kind: for the API server one is made and the other goes, or stays
//! where nothing is deleted.

use std::collections::HashMap;

use super::conflict::PART_OF;
use super::identity::group_of;
use super::place::Place;
use super::{Action, Answer, Change, Compare, ObjectRef, fields};
use crate::model::ObjectId;
use crate::yaml::View;

/// Kinds of which one takes another's place under its name.
const WORKLOADS: [&str; 7] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// An object that the set no longer has.
#[derive(Clone, Copy)]
enum Gone<'a> {
    /// It is deleted, by the change of this index.
    Goes(usize, &'a ObjectRef),
    /// It is left in the cluster, a member of the ApplySet.
    Left(&'a ObjectRef),
    /// It is in the cluster; whether the set ever had it is not known.
    Stays(ObjectId, &'a ObjectRef),
}

impl<'a> Gone<'a> {
    fn object(self) -> &'a ObjectRef {
        match self {
            Gone::Goes(_, object) | Gone::Left(object) | Gone::Stays(_, object) => object,
        }
    }
}

/// Says of each object that is made where it comes from, and of the one that goes where it went, where that is certain.
pub(super) fn run(changes: &mut [Change], compare: &Compare<'_>) {
    let mut whys = Vec::new();
    let gone = gone(changes, compare);
    let mut made: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (index, change) in changes.iter().enumerate() {
        if let (Action::Create, None, Some(_)) = (change.action, change.base, change.desired) {
            keys(&change.object).into_iter().flatten().for_each(|key| made.entry(key).or_default().push(index));
        }
    }
    for (key, [to]) in made.iter().filter_map(|(key, made)| Some((key, <[usize; 1]>::try_from(made.as_slice()).ok()?)))
    {
        let from = gone.get(key).map(Vec::as_slice).unwrap_or_default();
        // What is known to have been of the set comes before what may have been.
        let certain: Vec<_> = from.iter().filter(|gone| !matches!(gone, Gone::Stays(..))).collect();
        let is_twin = |gone: &&Gone<'_>| match gone {
            Gone::Stays(old, _) => compare.is_twin(&changes[to], *old, matches!(key, Key::Elsewhere(..))),
            _ => false,
        };
        let one = if certain.is_empty() { from.iter().filter(is_twin).collect() } else { certain };
        if let [gone] = one.as_slice() {
            whys.push((to, matches!(key, Key::Otherwise(..)), **gone));
        }
    }
    whys.sort_unstable_by_key(|(to, is_kind, _)| (*to, !is_kind));
    let texts: Vec<_> =
        whys.iter().flat_map(|(to, is_kind, gone)| texts(*to, &changes[*to].object, *gone, *is_kind)).collect();
    for (index, text) in texts {
        changes[index].why = text;
    }
}

fn gone<'a>(changes: &'a [Change], compare: &Compare<'a>) -> HashMap<Key<'a>, Vec<Gone<'a>>> {
    let left = &compare.knowledge.left;
    let is_left = |object: &ObjectRef| left.iter().any(|left| keys(left) == keys(object) && left.kind == object.kind);
    let mut gone: HashMap<Key<'_>, Vec<Gone<'_>>> = HashMap::new();
    let of_base = changes.iter().enumerate().filter_map(|(index, change)| match (change.action, change.base) {
        (Action::Delete, Some(_)) => Some(Gone::Goes(index, &change.object)),
        (Action::Keep, Some(id)) if !is_left(&change.object) => Some(Gone::Stays(id, &change.object)),
        _ => None,
    });
    for found in of_base.chain(left.iter().map(Gone::Left)) {
        keys(found.object()).into_iter().flatten().for_each(|key| gone.entry(key).or_default().push(found));
    }
    gone
}

/// What is said of the new object, and of the old one where it goes.
fn texts(to: usize, new: &ObjectRef, gone: Gone<'_>, is_kind: bool) -> Vec<(usize, String)> {
    let old = gone.object();
    let title = |object: &ObjectRef| format!("{}/{}", object.kind, object.name);
    let space = |object: &ObjectRef| object.namespace.clone().unwrap_or_default();
    match (gone, is_kind) {
        (Gone::Goes(from, _), true) => {
            vec![(from, format!("becomes {}", title(new))), (to, format!("was {}", title(old)))]
        }
        (Gone::Goes(from, _), false) => vec![
            (from, format!("moves to namespace {}", space(new))),
            (to, format!("moves here from namespace {}", space(old))),
        ],
        (Gone::Left(_), true) => vec![(to, format!("was {}, which stays until it is deleted", title(old)))],
        // Objects of two sets may share a name and labels.
        (Gone::Stays(..), true) => {
            let text = format!(
                "{} has the same pod labels, outside of this set: after a change of kind, delete it",
                title(old)
            );
            vec![(to, text)]
        }
        (Gone::Left(_), false) => {
            vec![(to, format!("moves here from namespace {}, where it stays until it is deleted", space(old)))]
        }
        // Another environment of the same set looks like this too.
        (Gone::Stays(..), false) => {
            let text =
                format!("the same is in namespace {}, outside of this set: after a move, delete it there", space(old));
            vec![(to, text)]
        }
    }
}

impl Compare<'_> {
    /// Whether what stays in the cluster may be what the new object was: kplan applied it, as a member of the same
    /// ApplySet if of any, and it says the same; under another kind its pods have the same labels.
    fn is_twin(&self, change: &Change, old: ObjectId, is_elsewhere: bool) -> bool {
        let Some(new) = change.desired else { return false };
        let live = self.base.written(old);
        let mut entries =
            live.get("metadata").into_iter().flat_map(|metadata| metadata.list("managedFields")).peekable();
        let is_ours = entries.peek().is_none()
            || entries
                .any(|entry| (entry.get_str("manager"), entry.get_str("operation")) == (Some("kplan"), Some("Apply")));
        let set = |object: View<'_>| object.at(&["metadata", "labels", PART_OF]).and_then(View::str).map(str::to_owned);
        let stored = self.knowledge.answers.get(&new).and_then(Answer::stored);
        is_ours
            && set(live) == stored.and_then(set)
            && if is_elsewhere { self.is_same(new, old) } else { self.is_alike(new, old) }
    }

    fn is_same(&self, new: ObjectId, old: ObjectId) -> bool {
        let pair = super::Pair { base: Some(old), desired: Some(new) };
        let object = self.desired.object(new);
        let place = Place::of(self.schema, &object.api_version, &object.kind);
        let (before, after) = self.views(pair);
        let plain = self.without_made(pair, before, place);
        let before = plain.as_ref().map(super::Stored::view).or(before);
        fields::compare(before, after, place, &["metadata", "status"]).is_empty()
    }

    fn is_alike(&self, new: ObjectId, old: ObjectId) -> bool {
        let labels = |view: View<'_>| view.at(&["spec", "template", "metadata", "labels"]).map(View::to_json);
        labels(self.desired.written(new)) == labels(self.base.written(old))
    }
}

/// What stays the same where an object moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    /// Group, kind and name: the namespace is another one.
    Elsewhere(&'a str, &'a str, &'a str),
    /// Namespace and name of a workload: the kind is another one.
    Otherwise(Option<&'a str>, &'a str),
}

fn keys(object: &ObjectRef) -> [Option<Key<'_>>; 2] {
    let is_namespaced = object.namespace.is_some();
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    let elsewhere = Key::Elsewhere(group_of(group, &object.kind), &object.kind, &object.name);
    let otherwise = Key::Otherwise(object.namespace.as_deref(), &object.name);
    let is_workload = WORKLOADS.contains(&object.kind.as_str());
    [is_namespaced.then_some(elsewhere), (is_namespaced && is_workload).then_some(otherwise)]
}
