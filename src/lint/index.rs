//! The set by key, by label and by reference; what exists, and what only may exist.

use std::collections::{BTreeMap, HashMap};

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::live::Live;
use crate::config::Settings;
use crate::model::pod::{Labels, PodTemplate};
use crate::model::{Bundle, Object, ObjectId, SetId};
use crate::yaml::View;

/// Whether something that an object refers to is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Existence<'a> {
    Found(ObjectId),
    /// Not in the set, but in the cluster.
    Live(View<'a>),
    /// Assumed, generated, or hidden in a document that cannot be read.
    Maybe,
    Missing,
}

/// A workload with its pods' labels.
pub(super) struct Workload<'a> {
    pub id: ObjectId,
    pub template: PodTemplate<'a>,
    pub labels: Labels<'a>,
}

type Name<'a> = (SetId, &'a str, &'a str, &'a str);

/// Built once for a run.
pub(super) struct Index<'a> {
    bundle: &'a Bundle,
    /// (set, kind, namespace, name) of every object; groups do not matter for references.
    by_name: HashMap<Name<'a>, Vec<ObjectId>>,
    /// Workloads by set and namespace.
    workloads: HashMap<(SetId, &'a str), Vec<Workload<'a>>>,
    /// Places in these lists by (set, namespace, key, value) of the pods' labels.
    by_label: HashMap<(SetId, &'a str, &'a str, &'a str), Vec<usize>>,
    by_kind: BTreeMap<(SetId, &'a str), Vec<ObjectId>>,
    assumed: GlobSet,
    /// Text of documents that cannot be read, by set: what they name may exist.
    broken: HashMap<SetId, Vec<&'a str>>,
    /// The cluster around the sets.
    pub live: Live<'a>,
}

impl<'a> Index<'a> {
    pub(super) fn new(bundle: &'a Bundle, live: Option<&'a Bundle>, settings: &Settings) -> Index<'a> {
        let mut index = Index {
            bundle,
            by_name: HashMap::new(),
            workloads: HashMap::new(),
            by_label: HashMap::new(),
            by_kind: BTreeMap::new(),
            assumed: assumed(&settings.assume_exists),
            broken: broken(bundle),
            live: Live::new(live, bundle),
        };
        for (id, object) in bundle.iter() {
            let namespace = object.namespace.as_deref().unwrap_or("");
            index.by_name.entry((object.set, &object.kind, namespace, &object.name)).or_default().push(id);
            index.by_kind.entry((object.set, &object.kind)).or_default().push(id);
            if let Some(template) = PodTemplate::of(object.group(), &object.kind, bundle.admitted(id)) {
                let workload = Workload { id, template, labels: template.labels() };
                let list = index.workloads.entry((object.set, namespace)).or_default();
                for (key, value) in &workload.labels {
                    index.by_label.entry((object.set, namespace, key, value)).or_default().push(list.len());
                }
                list.push(workload);
            }
        }
        index
    }

    /// Looks for an object in the set and namespace of `from`.
    pub(super) fn find(&self, from: &Object, kind: &str, name: &str) -> Existence<'a> {
        self.find_in(from, kind, from.namespace.as_deref().unwrap_or(""), name)
    }

    pub(super) fn find_in(&self, from: &Object, kind: &str, namespace: &str, name: &str) -> Existence<'a> {
        if let Some(ids) = self.by_name.get(&(from.set, kind, namespace, name)) {
            // Of several with one name the last one applied counts.
            return ids.last().map_or(Existence::Missing, |id| Existence::Found(*id));
        }
        if let Some(view) = self.live.find(kind, namespace, name) {
            return Existence::Live(view);
        }
        let titles = [format!("{kind} {namespace}/{name}"), format!("{kind} {name}")];
        let generated = self.bundle.unrendered_sets.contains(&from.set);
        let broken = self.broken.get(&from.set).map_or(&[][..], Vec::as_slice);
        let hidden = broken.iter().any(|text| text.contains(kind) && text.contains(name));
        if generated || hidden || self.live.is_unread(kind) || titles.iter().any(|title| self.assumed.is_match(title)) {
            Existence::Maybe
        } else {
            Existence::Missing
        }
    }

    /// All objects with the key of this one, itself included.
    pub(super) fn same<'s>(&'s self, object: &'s Object) -> impl Iterator<Item = ObjectId> + 's {
        let namespace = object.namespace.as_deref().unwrap_or("");
        let ids = self.by_name.get(&(object.set, object.kind.as_str(), namespace, object.name.as_str()));
        let group = object.group().to_owned();
        ids.into_iter().flatten().copied().filter(move |id| self.bundle.object(*id).group() == group)
    }

    /// Objects of a kind in the set of `from`.
    pub(super) fn of_kind<'s>(&'s self, from: &'s Object, kind: &'s str) -> &'s [ObjectId] {
        self.by_kind.get(&(from.set, kind)).map_or(&[], Vec::as_slice)
    }

    /// Workloads in the set and namespace of `from`.
    pub(super) fn workloads<'s>(&'s self, from: &'s Object) -> &'s [Workload<'a>] {
        let namespace = from.namespace.as_deref().unwrap_or("");
        self.workloads.get(&(from.set, namespace)).map_or(&[], Vec::as_slice)
    }

    /// Whether a set may hold objects of a kind that are not seen: it was not rendered, or a document of it that
    /// cannot be read names the kind.
    pub(super) fn is_open(&self, from: &Object, kind: &str) -> bool {
        let kind = format!("kind: {kind}\n");
        let broken = self.broken.get(&from.set).map_or(&[][..], Vec::as_slice);
        self.bundle.unrendered_sets.contains(&from.set) || broken.iter().any(|text| text.contains(&kind))
    }

    /// Workloads in the set and namespace of `from` whose pods have the first label of a map of labels, which are all
    /// that the whole map can select; all workloads where it has none.
    pub(super) fn with_label<'s>(&'s self, from: &'s Object, labels: Option<View<'s>>) -> Vec<&'s Workload<'a>> {
        let all = self.workloads(from);
        let first = labels.and_then(|labels| labels.fields().find_map(|(key, value)| Some((key, value.str()?))));
        let Some((key, value)) = first else { return all.iter().collect() };
        let namespace = from.namespace.as_deref().unwrap_or("");
        let places = self.by_label.get(&(from.set, namespace, key, value)).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| all.get(*place)).collect()
    }

    /// Whether a pod with these label values may stand where it is not seen.
    pub(super) fn may_hide<'t>(&self, from: &Object, mut values: impl Iterator<Item = &'t str>) -> bool {
        let broken = self.broken.get(&from.set).map_or(&[][..], Vec::as_slice);
        self.bundle.unrendered_sets.contains(&from.set)
            || (!broken.is_empty() && values.all(|value| broken.iter().any(|text| text.contains(value))))
    }

    /// Where an object was looked for that is missing: `in the set`.
    pub(super) fn place(&self) -> &'static str {
        if self.live.is_known() { "in the set or the cluster" } else { "in the set" }
    }

    /// Names of a kind in the namespace of `from`, for suggestions.
    pub(super) fn names(&self, from: &Object, kind: &str) -> Vec<&'a str> {
        let ids = self.of_kind(from, kind).iter().map(|id| self.bundle.object(*id));
        let live = self.live.of_kind(kind).iter().map(|live| live.object);
        ids.chain(live).filter(|object| object.namespace == from.namespace).map(|object| object.name.as_str()).collect()
    }
}

fn assumed(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    patterns.iter().filter_map(|pattern| Glob::new(pattern).ok()).for_each(|glob| {
        set.add(glob);
    });
    set.build().unwrap_or_default()
}

fn broken(bundle: &Bundle) -> HashMap<SetId, Vec<&str>> {
    let mut broken: HashMap<SetId, Vec<&str>> = HashMap::new();
    for ((file, source), set) in bundle.files.iter().zip(bundle.sources.iter()).zip(&bundle.file_sets) {
        let (_, source) = source;
        for document in file.documents.iter().filter(|document| document.error.is_some()) {
            broken.entry(*set).or_default().push(&source.text[document.span.range()]);
        }
    }
    broken
}
