//! `--applyset`: the ApplySet that the objects of the set become members of.

use std::collections::HashMap;

use super::args::PolicyArgs;
use super::cluster::{Cluster, own_namespaces};
use super::error::CliError;
use super::options::Options;
use crate::cluster::{self, ApplySet, Claim, Named, claim, member_of};
use crate::diff::{Action, Change, PART_OF, Policy};
use crate::model::{Bundle, ObjectId};

/// The set that the command line names, else kplan.yaml.
fn named(args: &PolicyArgs, options: &Options) -> Option<Named> {
    let entry = options.config.as_ref().and_then(|config| config.apply_set.as_ref());
    let parent = args.applyset.as_ref().or(entry.map(|entry| &entry.parent))?.clone();
    let of_flag = options.has_namespace.then(|| options.settings.namespace.clone());
    let namespace = entry.and_then(|entry| entry.namespace.clone());
    Some(Named {
        parent,
        namespace: if args.applyset.is_some() { of_flag.or(namespace) } else { namespace.or(of_flag) },
    })
}

/// A set is looked for in a cluster only.
pub(super) fn refuse_without_cluster(args: &PolicyArgs) -> Result<(), CliError> {
    if args.applyset.is_none() {
        return Ok(());
    }
    let message = "--applyset is about a cluster, and the base is none";
    Err(CliError::usage(message, "compare with --base cluster, or leave --applyset away"))
}

impl Cluster {
    /// Looks at the ApplySet that is named, and what becomes of its parent; `live` is what the cluster holds.
    pub(super) fn apply_set(
        &self,
        args: &PolicyArgs,
        options: &Options,
        (bundle, live): (&Bundle, &Bundle),
        policy: &Policy,
    ) -> Result<Option<ApplySet>, CliError> {
        let Some(named) = named(args, options) else { return Ok(None) };
        if let Some(id) = bundle.ids().find(|id| member_of(bundle.written(*id)).is_some()) {
            let message = format!("{} has the label {PART_OF}, which the ApplySet gives it", bundle.object(id).title());
            return Err(CliError::usage(message, "take the label out of the manifest"));
        }
        let new = own_namespaces(bundle, live).into_iter().filter(|(_, is_new)| *is_new);
        let new = new.map(|(namespace, _)| namespace).collect();
        Ok(Some(cluster::apply_set(&self.client(), &self.resources, &named, bundle, &new, policy)?))
    }

    /// What becomes of each object's membership.
    pub(super) fn claims(
        &self,
        set: &ApplySet,
        (bundle, live): (&Bundle, &Bundle),
        policy: &Policy,
    ) -> HashMap<ObjectId, Claim> {
        let members: HashMap<_, _> = live
            .iter()
            .filter_map(|(id, object)| Some((object.key(), member_of(live.written(id))?)))
            .filter(|(_, of)| *of != set.id)
            .collect();
        let mut known = HashMap::new();
        let client = self.client();
        let of = |(id, object): (ObjectId, &crate::model::Object)| {
            let other = members
                .get(&object.key())
                .map(|of| known.entry(*of).or_insert_with(|| cluster::other_set(&client, of)).clone());
            (id, claim(&set.id, &object.kind, other, policy))
        };
        bundle.iter().map(of).collect()
    }
}

/// What the cluster has of the set and the manifests have not, one line.
pub(super) fn notes(set: &ApplySet) -> Vec<String> {
    let mut notes = set.unread.clone();
    let titles: Vec<String> = set.left.iter().map(crate::diff::ObjectRef::title).collect();
    if !titles.is_empty() {
        let (number, verb) = match titles.len() {
            1 => ("1 member".to_owned(), "is"),
            number => (format!("{number} members"), "are"),
        };
        notes.push(format!(
            "{number} of the ApplySet {} {verb} not in the manifests; kplan leaves them, `kubectl apply --prune` would delete them: {}",
            set.parent.title(),
            titles.join(", ")
        ));
    }
    notes
}

/// Gives the parent its wave: before everything but its own namespace, so that no member is ever unknown to it.
pub(super) fn put_first(changes: &mut [Change], set: &ApplySet) {
    let is_parent = |change: &Change| change.desired.is_none() && change.object == set.parent;
    let holds = |change: &Change| {
        change.object.kind == "Namespace" && Some(&change.object.name) == set.parent.namespace.as_ref()
    };
    if matches!(set.change.action, Action::Unchanged) {
        return;
    }
    let comes_first = changes.iter().any(|change| holds(change) && change.action == Action::Create);
    // Whatever else would come with the namespace comes after the parent.
    let shares = comes_first && changes.iter().any(|change| change.wave == 1 && !holds(change));
    let later = if shares { 2 } else { 1 };
    for change in changes.iter_mut().filter(|change| change.wave > 0 || is_parent(change)) {
        if is_parent(change) {
            change.wave = if comes_first { 2 } else { 1 };
        } else if !(comes_first && holds(change)) {
            change.wave += later;
        }
    }
}
