//! In which order changes are applied: waves by a topological sort (Kahn) of what needs what; deletions last, in reverse.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::references;
use super::state::{Item, item};
use crate::diag::Diagnostic;
use crate::diff::{Action, Change, Risk};
use crate::model::pod::{map_selects, selector_selects};
use crate::model::quantity::Quantity;
use crate::model::{Bundle, path};
use crate::yaml::View;

/// Kinds in the order in which they come within a wave.
const KINDS: [&str; 40] = [
    "Namespace",
    "PriorityClass",
    "StorageClass",
    "IngressClass",
    "RuntimeClass",
    "CustomResourceDefinition",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Gateway",
    "HTTPRoute",
    "APIService",
    "ValidatingAdmissionPolicy",
    "MutatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "Other",
];

/// Kinds that judge other objects, so that they come when all others are in place.
const LAST: [&str; 4] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicyBinding",
];

/// Kinds that bound or guard the pods of a namespace.
const GUARDS: [&str; 3] = ["ResourceQuota", "LimitRange", "NetworkPolicy"];

/// Order of the changes in a report: worst risk first, then by wave; what stays as it is comes last.
pub(super) fn rank(change: &Change) -> (bool, Risk, u32, usize, Option<String>, String, String) {
    let idle = matches!(change.action, Action::Unchanged | Action::Keep);
    let object = &change.object;
    let kind = KINDS.iter().position(|kind| *kind == object.kind).unwrap_or(KINDS.len());
    (idle, change.risk, change.wave, kind, object.namespace.clone(), object.kind.clone(), object.name.clone())
}

/// Gives every change its wave, counted from 1; what stays as it is has wave 0.
pub(super) fn run(changes: &mut [Change], desired: &Bundle, base: &Bundle) -> Vec<Diagnostic> {
    let mut written = Vec::new();
    let mut deleted = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        match (change.action, change.desired, change.base) {
            (Action::Create | Action::Update | Action::Replace | Action::Conflict, Some(id), _) => {
                written.push((index, item(desired, id)))
            }
            (Action::Delete, _, Some(id)) => deleted.push((index, item(base, id))),
            _ => {}
        }
    }
    let lowers = |(index, new): &(usize, Item<'_>)| {
        let old = changes[*index].base.filter(|_| changes[*index].action == Action::Update).map(|id| item(base, id));
        old.is_some_and(|old| lowers(&old, new))
    };
    let late: BTreeSet<usize> = (0..written.len()).filter(|node| lowers(&written[*node])).collect();
    let (waves, cycle) = waves(&edges(&written, late));
    let last = waves.iter().copied().max().unwrap_or(0);
    for ((index, _), wave) in written.iter().zip(&waves) {
        changes[*index].wave = *wave;
    }
    let (waves, _) = self::waves(&reversed(&edges(&deleted, BTreeSet::new())));
    for ((index, _), wave) in deleted.iter().zip(&waves) {
        changes[*index].wave = last + wave;
    }
    report(&cycle, &written, changes, desired)
}

/// For every node the nodes that come before it.
type Edges = Vec<BTreeSet<usize>>;

/// Waves from 1 on, and the nodes of a cycle where there is one. What stands in a cycle or behind it comes last.
fn waves(edges: &Edges) -> (Vec<u32>, Vec<usize>) {
    let mut waves = vec![0; edges.len()];
    let mut waiting: Vec<usize> = edges.iter().map(BTreeSet::len).collect();
    let after = reversed(edges);
    let mut ready: Vec<usize> = (0..edges.len()).filter(|node| waiting[*node] == 0).collect();
    let mut wave = 0;
    while !ready.is_empty() {
        wave += 1;
        let mut next = Vec::new();
        for node in ready {
            waves[node] = wave;
            for follower in &after[node] {
                waiting[*follower] -= 1;
                if waiting[*follower] == 0 {
                    next.push(*follower);
                }
            }
        }
        ready = next;
    }
    let stuck: BTreeSet<usize> = (0..edges.len()).filter(|node| waves[*node] == 0).collect();
    for node in &stuck {
        waves[*node] = wave + 1;
    }
    (waves, cycle(edges, &stuck))
}

/// Follows what waits for what until a node comes again.
fn cycle(edges: &Edges, stuck: &BTreeSet<usize>) -> Vec<usize> {
    let Some(mut node) = stuck.first().copied() else { return Vec::new() };
    let mut way = Vec::new();
    loop {
        if let Some(at) = way.iter().position(|seen| *seen == node) {
            return way.split_off(at);
        }
        way.push(node);
        match edges[node].iter().find(|before| stuck.contains(before)) {
            Some(before) => node = *before,
            None => return Vec::new(),
        }
    }
}

fn reversed(edges: &Edges) -> Edges {
    let mut after = vec![BTreeSet::new(); edges.len()];
    for (node, before) in edges.iter().enumerate() {
        for first in before {
            after[*first].insert(node);
        }
    }
    after
}

/// What needs what among these objects.
fn edges(items: &[(usize, Item<'_>)], late: BTreeSet<usize>) -> Edges {
    let graph = Graph::new(items, late);
    items.iter().enumerate().map(|(node, (_, item))| graph.before(node, item)).collect()
}

/// Whether a quota leaves less than before: it comes when what shrinks has shrunk.
fn lowers(old: &Item<'_>, new: &Item<'_>) -> bool {
    let hard = |item: &Item<'_>, key: &str| {
        let value = item.view.at(&["spec", "hard", key])?;
        Quantity::parse_json(&value.str().map_or_else(|| value.to_json(), str::to_owned)).ok()
    };
    let keys = |item: &Item<'_>| -> Vec<String> {
        let hard = item.view.at(&["spec", "hard"]);
        hard.into_iter().flat_map(|hard| hard.fields()).map(|(key, _)| key.to_owned()).collect()
    };
    new.object.kind == "ResourceQuota"
        && keys(new).iter().any(|key| match (hard(old, key), hard(new, key)) {
            (Some(before), Some(after)) => after < before,
            (None, Some(_)) => true,
            _ => false,
        })
}

/// Look-ups over the objects of a plan.
struct Graph<'a> {
    by_name: HashMap<(&'a str, &'a str, &'a str), usize>,
    /// Custom resource definitions by group and kind.
    definitions: HashMap<(&'a str, &'a str), usize>,
    /// By namespace.
    guards: BTreeMap<&'a str, Vec<usize>>,
    /// Role bindings by the service account that they are for.
    bindings: HashMap<(&'a str, &'a str), Vec<usize>>,
    /// Unclaimed volumes by class.
    volumes: HashMap<&'a str, Vec<usize>>,
    /// Everything that webhooks and policy bindings wait for.
    judged: BTreeSet<usize>,
    /// Guards that come after what they bound.
    late: BTreeSet<usize>,
    items: &'a [(usize, Item<'a>)],
}

impl<'a> Graph<'a> {
    fn new(items: &'a [(usize, Item<'a>)], late: BTreeSet<usize>) -> Graph<'a> {
        let mut graph = Graph {
            by_name: HashMap::new(),
            definitions: HashMap::new(),
            guards: BTreeMap::new(),
            bindings: HashMap::new(),
            volumes: HashMap::new(),
            judged: BTreeSet::new(),
            late,
            items,
        };
        for (node, (_, item)) in items.iter().enumerate() {
            graph.add(node, item);
        }
        graph
    }

    fn add(&mut self, node: usize, item: &'a Item<'a>) {
        let kind = item.object.kind.as_str();
        self.by_name.insert((kind, item.namespace(), &item.object.name), node);
        let text = |keys: &[&str]| item.view.at(keys).and_then(View::str);
        if kind == "CustomResourceDefinition"
            && let (Some(group), Some(kind)) = (text(&["spec", "group"]), text(&["spec", "names", "kind"]))
        {
            self.definitions.insert((group, kind), node);
        }
        if GUARDS.contains(&kind) && !self.late.contains(&node) {
            self.guards.entry(item.namespace()).or_default().push(node);
        }
        if matches!(kind, "RoleBinding" | "ClusterRoleBinding") {
            for subject in item.view.list("subjects").filter(|to| to.get_str("kind") == Some("ServiceAccount")) {
                let namespace = subject.get_str("namespace").unwrap_or(item.namespace());
                let name = subject.get_str("name").unwrap_or_default();
                self.bindings.entry((namespace, name)).or_default().push(node);
            }
        }
        if kind == "PersistentVolume" {
            let class = text(&["spec", "storageClassName"]).unwrap_or_default();
            self.volumes.entry(class).or_default().push(node);
        }
        if !LAST.contains(&kind) {
            self.judged.insert(node);
        }
    }

    /// What comes before an object.
    fn before(&self, node: usize, item: &Item<'_>) -> BTreeSet<usize> {
        let kind = item.object.kind.as_str();
        let mut before = BTreeSet::new();
        for (kind, namespace, name) in references::needs(item) {
            before.extend(self.by_name.get(&(kind.as_str(), namespace.as_str(), name.as_str())));
        }
        before.extend(self.by_name.get(&("Namespace", "", item.namespace())));
        before.extend(self.definitions.get(&(item.object.group(), kind)));
        let guards = self.guards.get(item.namespace()).into_iter().flatten();
        if let Some(template) = item.template() {
            before.extend(guards);
            let account = template.spec.get_str("serviceAccountName").unwrap_or("default");
            before.extend(self.bindings.get(&(item.namespace(), account)).into_iter().flatten());
        } else if kind == "PersistentVolumeClaim" {
            before.extend(guards);
            let class = item.view.at(&["spec", "storageClassName"]).and_then(View::str).unwrap_or_default();
            before.extend(self.volumes.get(class).into_iter().flatten());
        } else if kind == "PodDisruptionBudget" {
            before.extend(self.guarded(item));
        } else if kind == "APIService" {
            before.extend(self.behind(item));
        } else if LAST.contains(&kind) {
            before.extend(&self.judged);
        }
        if self.late.contains(&node) {
            let bounded = |(_, other): &&(usize, Item<'_>)| {
                other.namespace() == item.namespace()
                    && (other.template().is_some() || other.object.kind == "PersistentVolumeClaim")
            };
            before.extend((0..self.items.len()).filter(|node| bounded(&&self.items[*node])));
        }
        before.remove(&node);
        before
    }

    /// Workloads whose pods answer for an aggregated API.
    fn behind<'s>(&'s self, api: &'s Item<'_>) -> impl Iterator<Item = usize> + 's {
        let needs = references::needs(api).into_iter().filter(|need| need.0 == "Service");
        let services = needs.filter_map(|(kind, namespace, name)| {
            let node = self.by_name.get(&(kind.as_str(), namespace.as_str(), name.as_str()))?;
            self.items.get(*node).map(|(_, service)| service)
        });
        services.flat_map(move |service| {
            let selector = service.view.at(&["spec", "selector"]);
            self.items.iter().enumerate().filter_map(move |(node, (_, item))| {
                let template = item.template().filter(|_| item.namespace() == service.namespace())?;
                map_selects(selector?, &template.labels()).then_some(node)
            })
        })
    }

    /// Workloads whose pods a disruption budget selects.
    fn guarded<'s>(&'s self, budget: &'s Item<'_>) -> impl Iterator<Item = usize> + 's {
        let selector = budget.view.at(&["spec", "selector"]);
        self.items.iter().enumerate().filter_map(move |(node, (_, item))| {
            let template = item.template().filter(|_| item.namespace() == budget.namespace())?;
            selector_selects(selector?, &template.labels()).then_some(node)
        })
    }
}

/// A cycle as one finding, at the first object of it.
fn report(cycle: &[usize], written: &[(usize, Item<'_>)], changes: &[Change], desired: &Bundle) -> Vec<Diagnostic> {
    let items: Vec<&(usize, Item<'_>)> = cycle.iter().filter_map(|node| written.get(*node)).collect();
    let Some((index, first)) = items.first() else { return Vec::new() };
    let Some(id) = changes.get(*index).and_then(|change| change.desired) else { return Vec::new() };
    let mut names: Vec<String> = items.iter().map(|(_, item)| item.object.title()).collect();
    names.push(first.object.title());
    let message = format!("objects wait for each other: {}", names.join(" needs "));
    let span = path::place(desired.written(id), "metadata.annotations[config.kubernetes.io/depends-on]");
    let mut diagnostic = Diagnostic::new("apply-order", first.object.file, span, message)
        .help("remove one of these dependencies; until then they are applied together, last");
    diagnostic.object = Some(id);
    diagnostic.document = Some(first.object.document);
    vec![diagnostic]
}
