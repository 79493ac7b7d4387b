//! The cluster around the set, where one is known: its objects by name and kind, less those that the set replaces.

use std::collections::{HashMap, HashSet};

use crate::model::pod::{Labels, PodTemplate};
use crate::model::{Bundle, Object, ObjectId};
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
    unread: Vec<&'a str>,
    known: bool,
}

impl<'a> Live<'a> {
    pub(super) fn new(live: Option<&'a Bundle>, set: &Bundle) -> Live<'a> {
        let mut index = Live { known: live.is_some(), ..Live::default() };
        let replaced: HashSet<_> = set.iter().map(|(_, object)| object.key()).collect();
        let Some(live) = live else { return index };
        index.unread = live.live.iter().flat_map(|live| &live.unread).map(String::as_str).collect();
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
        let template = object.template(root).filter(|_| !live.is_controlled(id));
        self.workloads
            .entry(namespace)
            .or_default()
            .extend(template.map(|template| LiveWorkload { labels: template.labels(), template }));
    }

    /// Whether a cluster is known at all.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// Whether objects of a kind could not be read.
    pub(super) fn is_unread(&self, kind: &str) -> bool {
        self.unread.contains(&kind)
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
