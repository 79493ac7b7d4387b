//! The cluster around the set, where one is known: its objects by name and kind, less those that the set replaces.

use std::collections::{HashMap, HashSet};

use crate::model::pod::{Labels, PodTemplate};
use crate::model::{self, Bundle, Object, ObjectId};
use crate::yaml::View;

/// An object of the cluster.
#[derive(Clone, Copy)]
pub(super) struct LiveObject<'a> {
    pub object: &'a Object,
    pub root: View<'a>,
}

/// A workload of the cluster, or a pod that has no owner, with its pods' labels.
pub(super) struct LiveWorkload<'a> {
    pub template: PodTemplate<'a>,
    pub labels: Labels<'a>,
}

/// Built once for a run.
#[derive(Default)]
pub(super) struct Live<'a> {
    /// By kind, namespace and name; groups do not matter for references.
    by_name: HashMap<(&'a str, &'a str, &'a str), View<'a>>,
    by_kind: HashMap<&'a str, Vec<LiveObject<'a>>>,
    workloads: HashMap<&'a str, Vec<LiveWorkload<'a>>>,
    /// What was read at all, where a cluster is known.
    read: Option<&'a model::Live>,
}

impl<'a> Live<'a> {
    pub(super) fn new(live: Option<&'a Bundle>, set: &Bundle) -> Live<'a> {
        let mut index = Live { read: live.and_then(|live| live.live.as_ref()), ..Live::default() };
        let replaced: HashSet<_> = set.iter().map(|(_, object)| object.key()).collect();
        let Some(live) = live else { return index };
        for (id, object) in live.iter() {
            index.add(live, id, object, replaced.contains(&object.key()));
        }
        index
    }

    fn add(&mut self, live: &'a Bundle, id: ObjectId, object: &'a Object, is_replaced: bool) {
        let namespace = object.namespace.as_deref().unwrap_or("");
        let root = live.full(id);
        self.by_name.insert((&object.kind, namespace, &object.name), root);
        if is_replaced {
            return;
        }
        self.by_kind.entry(&object.kind).or_default().push(LiveObject { object, root });
        let template = PodTemplate::of(object.group(), &object.kind, root).filter(|_| !live.is_controlled(id));
        self.workloads
            .entry(namespace)
            .or_default()
            .extend(template.map(|template| LiveWorkload { labels: template.labels(), template }));
    }

    /// Whether a cluster is known at all.
    pub(super) fn is_known(&self) -> bool {
        self.read.is_some()
    }

    /// Whether a cluster is known, and what it has of a kind in a namespace.
    pub(super) fn knows(&self, kind: &str, namespace: &str) -> bool {
        self.read.is_some_and(|read| read.knows(kind, namespace))
    }

    /// Whether a cluster is known, and may have objects of a kind that were not read.
    pub(super) fn is_unread(&self, kind: &str, namespace: &str) -> bool {
        self.is_known() && !self.knows(kind, namespace)
    }

    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<View<'a>> {
        self.by_name.get(&(kind, namespace, name)).copied()
    }

    /// Objects of a kind that the set does not have.
    pub(super) fn of_kind(&self, kind: &str) -> &[LiveObject<'a>] {
        self.by_kind.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Workloads of a namespace that the set does not have.
    pub(super) fn workloads(&self, namespace: &str) -> &[LiveWorkload<'a>] {
        self.workloads.get(namespace).map_or(&[], Vec::as_slice)
    }
}
