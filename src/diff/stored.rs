//! The two objects that an update is about: the one that the cluster holds, and the one that it would hold.

use super::Answer;
use super::conflict::field_path;
use super::definition;
use super::fields::item_keys;
use super::place::Place;
use crate::model::path;
use crate::schema::ListType;
use crate::yaml::{NodeId, Tree, Value, View};

/// An object with its tree.
pub(super) struct Stored {
    tree: Tree,
    root: NodeId,
    /// Which defaults of the old object somebody wrote is not known: it was read from a cluster.
    from_cluster: bool,
}

impl Stored {
    pub(super) fn copy(of: View<'_>) -> Stored {
        let mut tree = Tree::new(of.tree.source().clone());
        let root = tree.copy(of.tree, of.id);
        Stored { tree, root, from_cluster: false }
    }

    /// A new object with what admission stores otherwise than it is written; `None` where that is nothing.
    pub(super) fn admitted(written: View<'_>, answer: &Answer) -> Option<Stored> {
        let stored = answer.stored().filter(|_| !answer.changed.is_empty())?;
        let mut object = Stored::copy(written);
        for changed in &answer.changed {
            let paths = field_path(written, changed).zip(field_path(stored, changed));
            let Some((here, there)) = paths else { continue };
            let (to, from) = (path::follow(object.view(), &here), path::follow(stored, &there));
            if to.whole && from.whole {
                let node = to.view.id;
                let copy = object.tree.copy(from.view.tree, from.view.id);
                let value = object.tree.node(copy).value;
                object.tree.set_value(node, value);
            }
        }
        Some(object)
    }

    /// A new custom resource with the defaults of its definition.
    pub(super) fn defined(written: View<'_>, schema: View<'_>) -> Stored {
        let mut object = Stored::copy(written);
        definition::fill(&mut object.tree, object.root, schema);
        object
    }

    /// A part of the object.
    pub(super) fn at(&self, node: NodeId) -> View<'_> {
        self.tree.view(node)
    }

    pub(super) fn remove(&mut self, map: NodeId, key: &str) {
        self.tree.remove(map, key);
    }

    /// Leaves only these items in a list.
    pub(super) fn set_items(&mut self, list: NodeId, items: &[NodeId]) {
        if self.at(list).len() != items.len() {
            let shorter = self.tree.push_seq(self.at(list).span(), items);
            let value = self.tree.node(shorter).value;
            self.tree.set_value(list, value);
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        self.tree.view(self.root)
    }

    /// The old object with what a running cluster has added and validation asks for: claims are bound, Services have
    /// an address.
    pub(super) fn live(old: View<'_>, new: View<'_>, kind: &str) -> Stored {
        let mut live = Stored::copy(old);
        match kind {
            "PersistentVolumeClaim" => live.bind(old),
            "Service" => live.give_address(old, new),
            _ => {}
        }
        live
    }

    fn bind(&mut self, old: View<'_>) {
        let span = old.span();
        let phase = self.tree.push_str(span, "Bound");
        let status = self.tree.push_map(span, &[]);
        self.tree.insert(status, "phase", phase);
        if let Some(requests) = old.at(&["spec", "resources", "requests"]) {
            let capacity = self.tree.copy(requests.tree, requests.id);
            self.tree.insert(status, "capacity", capacity);
        }
        self.tree.insert(self.root, "status", status);
    }

    fn give_address(&mut self, old: View<'_>, new: View<'_>) {
        let text = |view: View<'_>, key: &str| view.at(&["spec", key]).and_then(View::str).map(str::to_owned);
        let Some(spec) = self.view().get("spec").map(|spec| spec.id) else { return };
        if text(old, "clusterIP").is_some() || text(old, "type").as_deref() == Some("ExternalName") {
            return;
        }
        // Which address it has is not known: one that the new object asks for may well be it.
        let wanted = text(new, "clusterIP").filter(|address| address != "None");
        let address = self.tree.push_str(old.span(), wanted.as_deref().unwrap_or("10.0.0.1"));
        let addresses = self.tree.push_seq(old.span(), &[address]);
        self.tree.insert(spec, "clusterIP", address);
        self.tree.insert(spec, "clusterIPs", addresses);
    }

    /// The new object as server-side apply would store it: a field that neither side wrote keeps the value that the
    /// default once gave it, also where it would have another default today (`imagePullPolicy` of a changed tag). In an
    /// object from a cluster, any field counts as unwritten that only a default gives the new one.
    pub(super) fn applied(old: Side<'_>, new: Side<'_>, place: Place<'_>, from_cluster: bool) -> Stored {
        let mut applied = Stored { from_cluster, ..Stored::copy(new.full) };
        let root = applied.root;
        applied.keep_labels(old, new);
        // The server drops the fields of a Service that go with its old type.
        let kind = |view: View<'_>| view.at(&["spec", "type"]).and_then(View::str).map(str::to_owned);
        if old.full.get_str("kind") != Some("Service") || kind(old.full) == kind(new.full) {
            applied.keep(root, old, new.written, place);
        }
        applied
    }

    /// Labels that a workload took from its template when it was made.
    fn keep_labels(&mut self, old: Side<'_>, new: Side<'_>) {
        let labels = |view: View<'_>| view.at(&["metadata", "labels"]).filter(|labels| !labels.is_empty()).is_some();
        let written = [old.written, new.written].into_iter().flatten().any(labels);
        let Some(metadata) = self.view().get("metadata").map(|metadata| metadata.id) else { return };
        if let Some(labels) = old.full.at(&["metadata", "labels"]).filter(|_| !written) {
            let labels = self.tree.copy(labels.tree, labels.id);
            self.tree.insert(metadata, "labels", labels);
        }
    }

    /// A pod's account stands under its old name too, which apply does not clear: it comes back from there.
    fn keep_account(&mut self, pod: NodeId, old: View<'_>) {
        let has = |key: &str| self.tree.view(pod).get(key).is_some();
        if let Some(account) =
            old.get("serviceAccountName").filter(|_| has("serviceAccount") && !has("serviceAccountName"))
        {
            let account = self.tree.copy(account.tree, account.id);
            self.tree.insert(pod, "serviceAccountName", account);
        }
    }

    fn keep(&mut self, node: NodeId, old: Side<'_>, written: Option<View<'_>>, place: Place<'_>) {
        if old.full.is_map() && matches!(self.tree.node(node).value, Value::Map(_)) && !place.is_atomic() {
            for (key, value) in old.full.fields().filter(|(_, value)| !value.is_null()) {
                if place.is_root() && key != "spec" || place.is_server_owned(key) {
                    continue;
                }
                let old = Side { full: value, written: old.written.and_then(|old| old.get(key)) };
                self.keep_field(node, key, old, written.and_then(|written| written.get(key)), place.child(key));
            }
            self.keep_account(node, old.full);
        } else if old.full.is_seq() && matches!(place.list(), ListType::Map(_)) {
            self.keep_items(node, old, written, place);
        }
    }

    fn keep_field(&mut self, map: NodeId, key: &str, old: Side<'_>, written: Option<View<'_>>, place: Place<'_>) {
        let present = self.tree.view(map).get(key).map(|value| value.id);
        let scalar = !old.full.is_map() && !old.full.is_seq();
        match present {
            Some(node) if !scalar => self.keep(node, old, written, place),
            // A struct that goes with its neighbour (`rollingUpdate`, `emptyDir`) is cleared by apply.
            None if !scalar => {}
            _ if written.is_none() && (old.written.is_none() || self.from_cluster && present.is_some()) => {
                let value = self.tree.copy(old.full.tree, old.full.id);
                self.tree.insert(map, key, value);
            }
            _ => {}
        }
    }

    fn keep_items(&mut self, list: NodeId, old: Side<'_>, written: Option<View<'_>>, place: Place<'_>) {
        let view = self.tree.view(list);
        let (Some(new_keys), Some(old_keys)) = (item_keys(view, place), item_keys(old.full, place)) else { return };
        let nodes: Vec<NodeId> = view.items().map(|item| item.id).collect();
        for (node, key) in nodes.into_iter().zip(new_keys) {
            let at = old_keys.iter().position(|old| *old == key);
            let Some(full) = at.and_then(|at| old.full.items().nth(at)) else { continue };
            let old = Side { full, written: old.written.and_then(|list| item(list, &key, place)) };
            self.keep(node, old, written.and_then(|list| item(list, &key, place)), place.item());
        }
    }
}

/// The item of a list that has this key.
fn item<'a>(list: View<'a>, key: &str, place: Place<'_>) -> Option<View<'a>> {
    let at = item_keys(list, place)?.iter().position(|other| other == key)?;
    list.items().nth(at)
}

/// One side of an update: the object with its defaults, and as it was written.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub full: View<'a>,
    pub written: Option<View<'a>>,
}
