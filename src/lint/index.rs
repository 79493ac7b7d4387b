//! The set by key, by label and by reference; what exists, and what only may exist.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use globset::{Glob, GlobSet, GlobSetBuilder};

use super::live::Live;
use crate::admission::{Admission, Refusal};
use crate::config::Settings;
use crate::model::pod::{Labels, PodTemplate};
use crate::model::{Bundle, Object, ObjectId, SetId};
use crate::source::FileId;
use crate::yaml::View;

/// Names of a set are no attack, and there are many.
type HashMap<K, V> = std::collections::HashMap<K, V, FixedState>;

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

/// Labels that controllers put on pods besides those of the template.
const MADE_LABELS: [&str; 8] = [
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "job-name",
    "pod-template-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
];

/// Whether a plain selector may select the pods of a workload, with the labels that controllers add.
pub(super) fn may_select(selector: View<'_>, name: &str, labels: &Labels<'_>) -> bool {
    let holds = |(key, value): (&str, View<'_>)| match (key, value.str()) {
        (_, None) => false,
        ("statefulset.kubernetes.io/pod-name", Some(pod)) => {
            pod.rsplit_once('-').is_some_and(|(owner, ordinal)| owner == name && ordinal.parse::<u32>().is_ok())
        }
        (key, Some(_)) if MADE_LABELS.contains(&key) => true,
        (key, value) => labels.get(key).copied() == value,
    };
    !selector.is_empty() && selector.fields().all(holds)
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
    by_kind: HashMap<(SetId, &'a str), Vec<ObjectId>>,
    assumed: GlobSet,
    /// Text of documents that cannot be read, by set: what they name may exist.
    broken: HashMap<SetId, Vec<&'a str>>,
    by_namespace: HashMap<(SetId, &'a str, &'a str), Vec<ObjectId>>,
    /// Services by the first label that they select, with set and namespace.
    services: HashMap<(SetId, &'a str, &'a str, &'a str), Vec<ObjectId>>,
    /// Autoscalers of all kinds by set, namespace and the name of what they scale.
    scalers: HashMap<(SetId, &'a str, &'a str), Vec<ObjectId>>,
    /// Ingresses by their routes.
    routes: HashMap<(SetId, String), Vec<ObjectId>>,
    /// Namespaces that hold something, each with its first object and their number.
    namespaces: HashMap<(SetId, &'a str), (ObjectId, usize)>,
    /// CustomResourceDefinitions by the group and kind that they define.
    definitions: HashMap<(SetId, &'a str, &'a str), ObjectId>,
    /// ServiceAccounts that are subjects of a binding.
    bound: HashSet<(SetId, &'a str, &'a str)>,
    /// Namespaces, empty for all, in which a role of the set lets something make Secrets or ConfigMaps.
    makers: HashSet<(SetId, &'static str, &'a str)>,
    /// How many objects of a file stand in other files of its folder too, and the first of them.
    twins: HashMap<FileId, (usize, ObjectId)>,
    /// What admission goes by in the set and the cluster.
    admission: Admission<'a>,
    /// The cluster around the sets.
    pub live: Live<'a>,
}

impl<'a> Index<'a> {
    pub(super) fn new(bundle: &'a Bundle, live: Option<&'a Bundle>, settings: &Settings) -> Index<'a> {
        let mut index = Index {
            bundle,
            by_name: HashMap::default(),
            workloads: HashMap::default(),
            by_label: HashMap::default(),
            by_kind: HashMap::default(),
            assumed: assumed(&settings.assume_exists),
            broken: broken(bundle),
            by_namespace: HashMap::default(),
            services: HashMap::default(),
            scalers: HashMap::default(),
            routes: HashMap::default(),
            namespaces: HashMap::default(),
            definitions: HashMap::default(),
            bound: HashSet::new(),
            makers: HashSet::new(),
            twins: HashMap::default(),
            admission: Admission::of(bundle, live),
            live: Live::new(live, bundle),
        };
        for (id, object) in bundle.iter() {
            let namespace = object.namespace.as_deref().unwrap_or("");
            index.by_name.entry((object.set, &object.kind, namespace, &object.name)).or_default().push(id);
            index.by_kind.entry((object.set, &object.kind)).or_default().push(id);
            index.by_namespace.entry((object.set, &object.kind, namespace)).or_default().push(id);
            index.namespaces.entry((object.set, namespace)).or_insert((id, 0)).1 += 1;
            index.add_by_kind(id, object, namespace, bundle.admitted(id));
            if let Some(template) = object.template(bundle.admitted(id)) {
                let workload = Workload { id, template, labels: template.labels() };
                let list = index.workloads.entry((object.set, namespace)).or_default();
                for (key, value) in &workload.labels {
                    index.by_label.entry((object.set, namespace, key, value)).or_default().push(list.len());
                }
                list.push(workload);
            }
        }
        index.count_twins();
        index
    }

    /// What is looked up of single kinds.
    fn add_by_kind(&mut self, id: ObjectId, object: &'a Object, namespace: &'a str, root: View<'a>) {
        match object.kind.as_str() {
            "Service" => {
                let selector = root.at(&["spec", "selector"]);
                let first = selector.and_then(|selector| selector.fields().next());
                if let Some((key, value)) = first.and_then(|(key, value)| Some((key, value.str()?))) {
                    self.services.entry((object.set, namespace, key, value)).or_default().push(id);
                }
            }
            "HorizontalPodAutoscaler" | "VerticalPodAutoscaler" | "ScaledObject" => {
                let target = root.at(&["spec", "scaleTargetRef"]).or_else(|| root.at(&["spec", "targetRef"]));
                if let Some(name) = target.and_then(|target| target.get_str("name")) {
                    self.scalers.entry((object.set, namespace, name)).or_default().push(id);
                }
            }
            "Ingress" => {
                for (route, _) in super::ingress::routes(root) {
                    self.routes.entry((object.set, route)).or_default().push(id);
                }
            }
            "CustomResourceDefinition" => {
                let text = |keys: &[&str]| root.at(keys).and_then(View::str);
                if let (Some(group), Some(kind)) = (text(&["spec", "group"]), text(&["spec", "names", "kind"])) {
                    self.definitions.insert((object.set, group, kind), id);
                }
            }
            "RoleBinding" | "ClusterRoleBinding" => self.add_subjects(object, root),
            "Role" | "ClusterRole" => self.add_maker(object, root),
            _ => {}
        }
    }

    /// Services in the set and namespace of `from` whose selector begins with one of these labels, which are all that can
    /// select a pod that has them.
    pub(super) fn services_of(&self, from: &Object, labels: &Labels<'_>) -> impl Iterator<Item = ObjectId> {
        let namespace = from.namespace.as_deref().unwrap_or("");
        let found = labels.iter().filter_map(|(key, value)| self.services.get(&(from.set, namespace, *key, *value)));
        found.flatten().copied().collect::<Vec<ObjectId>>().into_iter()
    }

    /// Autoscalers in the set and namespace of `from` that scale something of a name.
    pub(super) fn scalers<'s>(&'s self, from: &'s Object, name: &'s str) -> &'s [ObjectId] {
        let namespace = from.namespace.as_deref().unwrap_or("");
        self.scalers.get(&(from.set, namespace, name)).map_or(&[], Vec::as_slice)
    }

    /// Ingresses in the set of `from` that have a route.
    pub(super) fn with_route(&self, from: &Object, route: &str) -> &[ObjectId] {
        self.routes.get(&(from.set, route.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Objects of a kind in the set and namespace of `from`.
    pub(super) fn of_kind_here<'s>(&'s self, from: &'s Object, kind: &'s str) -> &'s [ObjectId] {
        let namespace = from.namespace.as_deref().unwrap_or("");
        self.by_namespace.get(&(from.set, kind, namespace)).map_or(&[], Vec::as_slice)
    }

    fn count_twins(&mut self) {
        for ids in self.by_name.values().filter(|ids| ids.len() > 1) {
            for (place, id) in ids.iter().enumerate() {
                let Some(first) = self.earlier(&ids[..place], *id) else { continue };
                let file = self.bundle.object(*id).file;
                if self.bundle.object(first).file != file {
                    let twin = self.twins.entry(file).or_insert((0, *id));
                    *twin = (twin.0 + 1, twin.1.min(*id));
                }
            }
        }
    }

    /// The first object among some with one name that is this one too: in its file, else in its folder.
    fn earlier(&self, ids: &[ObjectId], id: ObjectId) -> Option<ObjectId> {
        let object = self.bundle.object(id);
        let folder = |file: FileId| {
            let name = self.bundle.sources.get(file).name.as_str();
            name.rfind(['/', '\\']).map_or("", |end| &name[..end]).to_owned()
        };
        let mut same = ids.iter().copied().filter(|other| self.bundle.object(*other).group() == object.group());
        let own = folder(object.file);
        same.clone()
            .find(|other| self.bundle.object(*other).file == object.file)
            .or_else(|| same.find(|other| folder(self.bundle.object(*other).file) == own))
    }

    /// The object that this one repeats, and how many objects of its file stand in other files of the folder; `None` for
    /// all but the first of many.
    pub(super) fn repeated(&self, id: ObjectId) -> Option<(ObjectId, usize)> {
        /// Files that share so many objects are alternatives to each other.
        const MANY: usize = 4;
        let object = self.bundle.object(id);
        let namespace = object.namespace.as_deref().unwrap_or("");
        let ids = self.by_name.get(&(object.set, object.kind.as_str(), namespace, object.name.as_str()))?;
        let place = ids.iter().position(|other| *other == id)?;
        let first = self.earlier(&ids[..place], id)?;
        if self.bundle.object(first).file == object.file {
            return Some((first, 1));
        }
        let (number, told) = self.twins.get(&object.file).copied()?;
        (number < MANY || told == id).then_some((first, if number < MANY { 1 } else { number }))
    }

    fn add_maker(&mut self, object: &'a Object, root: View<'a>) {
        for rule in root.list("rules") {
            let has = |key: &str, value: &str| {
                rule.list(key).any(|item| item.str().is_some_and(|text| text == value || text == "*"))
            };
            for (kind, resource) in [("Secret", "secrets"), ("ConfigMap", "configmaps")] {
                if has("resources", resource) && has("verbs", "create") && has("apiGroups", "") {
                    let namespace = object.namespace.as_deref().unwrap_or("");
                    self.makers.insert((object.set, kind, namespace));
                }
            }
        }
    }

    /// Whether a program of the set may make objects of a kind in the namespace of `from` by itself.
    pub(super) fn may_be_made(&self, from: &Object, kind: &'static str) -> bool {
        let namespace = from.namespace.as_deref().unwrap_or("");
        [namespace, ""].iter().any(|namespace| self.makers.contains(&(from.set, kind, *namespace)))
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
        if generated
            || hidden
            || self.live.is_unread(kind, namespace)
            || titles.iter().any(|title| self.assumed.is_match(title))
        {
            Existence::Maybe
        } else {
            Existence::Missing
        }
    }

    /// Objects of a kind in the set of `from`.
    pub(super) fn of_kind<'s>(&'s self, from: &'s Object, kind: &'s str) -> &'s [ObjectId] {
        self.by_kind.get(&(from.set, kind)).map_or(&[], Vec::as_slice)
    }

    /// Workloads in the set and namespace of `from`.
    pub(super) fn workloads<'s>(&'s self, from: &'s Object) -> &'s [Workload<'a>] {
        self.workloads_in(from, from.namespace.as_deref().unwrap_or(""))
    }

    /// Workloads in the set of `from` and a namespace.
    pub(super) fn workloads_in<'s>(&'s self, from: &Object, namespace: &'s str) -> &'s [Workload<'a>] {
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
        let written = labels.into_iter().flat_map(View::fields).filter(|(key, _)| !MADE_LABELS.contains(key));
        let first = written.into_iter().find_map(|(key, value)| Some((key, value.str()?)));
        let Some((key, value)) = first else { return all.iter().collect() };
        let namespace = from.namespace.as_deref().unwrap_or("");
        let places = self.by_label.get(&(from.set, namespace, key, value)).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| all.get(*place)).collect()
    }

    /// The first workload of the set of `from`, in any namespace, whose pods a plain selector selects.
    pub(super) fn selected_anywhere(&self, from: &Object, selector: View<'_>) -> Option<&Workload<'a>> {
        let of_set = self.workloads.iter().filter(|((set, _), _)| *set == from.set);
        let all = of_set.flat_map(|(_, workloads)| workloads);
        let fits = |workload: &&Workload| may_select(selector, &self.bundle.object(workload.id).name, &workload.labels);
        all.filter(fits).min_by_key(|workload| workload.id)
    }

    /// Whether a pod with these label values may stand where it is not seen: in a document that cannot be read, or among
    /// those that every cluster has.
    pub(super) fn may_hide<'t>(&self, from: &Object, mut values: impl Iterator<Item = &'t str>) -> bool {
        let broken = self.broken.get(&from.set).map_or(&[][..], Vec::as_slice);
        let is_clusters_own = from.namespace.as_deref() == Some("kube-system") && !self.live.is_known();
        is_clusters_own
            || self.bundle.unrendered_sets.contains(&from.set)
            || (!broken.is_empty() && values.all(|value| broken.iter().any(|text| text.contains(value))))
    }

    /// Where an object was looked for that is missing: `in the set`.
    pub(super) fn place(&self) -> &'static str {
        if self.live.is_known() { "in the set or the cluster" } else { "in the set" }
    }

    /// Why admission refuses the pods of a workload, but for quotas.
    pub(super) fn refuses_pod(&self, from: &Object, template: &PodTemplate<'_>) -> Option<Refusal> {
        let namespace = self.admission.namespace(from.namespace.as_deref().unwrap_or(""));
        self.admission.refuses_pod(namespace, template.metadata, template.spec)
    }

    /// What the Pod Security level for the audit log of its namespace finds in the pods of a workload that it lets through.
    pub(super) fn audited_pod(&self, from: &Object, template: &PodTemplate<'_>) -> Option<String> {
        let policy = self.admission.namespace(from.namespace.as_deref().unwrap_or(""))?.policy;
        let (metadata, spec, is_pod) = (template.metadata, template.spec, from.kind == "Pod");
        let told = policy.enforced(metadata, spec).or_else(|| policy.warning(metadata, spec, is_pod));
        told.is_none().then(|| policy.audited(metadata, spec, is_pod))?
    }

    /// Names of a kind in the namespace of `from`, for suggestions.
    pub(super) fn names(&self, from: &Object, kind: &str) -> Vec<&'a str> {
        self.names_in(from, kind, from.namespace.as_deref().unwrap_or(""))
    }

    pub(super) fn names_in(&self, from: &Object, kind: &str, namespace: &str) -> Vec<&'a str> {
        let ids = self.of_kind(from, kind).iter().map(|id| self.bundle.object(*id));
        let all = ids.chain(self.live.of_kind(kind).iter().map(|live| live.object));
        let of_namespace = all.filter(|object| object.namespace.as_deref().unwrap_or("") == namespace);
        of_namespace.map(|object| object.name.as_str()).collect()
    }

    /// Whether the set of `from` holds anything in a namespace, or a cluster is known, which holds the rest.
    pub(super) fn has_namespace(&self, from: &Object, namespace: &str) -> bool {
        self.live.is_known() || self.namespaces.contains_key(&(from.set, namespace))
    }

    /// The first object of the set of `from` that stands in its namespace, and how many do.
    pub(super) fn first_here(&self, from: &Object) -> Option<(ObjectId, usize)> {
        self.namespaces.get(&(from.set, from.namespace.as_deref()?)).copied()
    }

    /// The definition in the set of `from` of the kind that it is of.
    pub(super) fn definition(&self, from: &Object) -> Option<ObjectId> {
        self.definitions.get(&(from.set, from.group(), from.kind.as_str())).copied()
    }

    /// Whether a binding gives a ServiceAccount of the namespace of `from` any right.
    pub(super) fn has_rights(&self, from: &Object, account: &str) -> bool {
        let namespace = from.namespace.as_deref().unwrap_or("");
        self.bundle.unrendered_sets.contains(&from.set) || self.bound.contains(&(from.set, namespace, account))
    }

    fn add_subjects(&mut self, object: &'a Object, root: View<'a>) {
        for subject in root.list("subjects") {
            let own = object.namespace.as_deref().unwrap_or("");
            let namespace = subject.get_str("namespace").unwrap_or(own);
            if let Some(name) = subject.get_str("name").filter(|_| subject.get_str("kind") == Some("ServiceAccount")) {
                self.bound.insert((object.set, namespace, name));
            }
        }
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
    let mut broken: HashMap<SetId, Vec<&str>> = HashMap::default();
    for ((file, source), set) in bundle.files.iter().zip(bundle.sources.iter()).zip(&bundle.file_sets) {
        let (_, source) = source;
        for document in file.documents.iter().filter(|document| document.error.is_some()) {
            broken.entry(*set).or_default().push(&source.text[document.span.range()]);
        }
    }
    broken
}
