//! The pods of a live cluster, by the workload that they belong to; which of them a workload of the set keeps.
//!
//! Approximated: pods of others that wait for a node are not tried again, but for those that a taint has just driven off.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::{TEMPLATE_HASH, name_claims};
use crate::model::{Bundle, Object, ObjectId, time};
use crate::simulate::Map;
use crate::simulate::filters::taint_toleration;
use crate::simulate::labels::{NodeTerm, Operator, Requirement};
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;
use crate::simulate::preemption::NOT_STARTED;
use crate::yaml::View;

/// Pods that one thread compiles at a time.
const CHUNK: usize = 1024;

/// Kind, namespace and name.
type Owner = (String, String, String);

/// A pod that exists.
#[derive(Clone, Debug)]
pub struct LivePod {
    pub name: String,
    pub pod: Arc<Pod>,
    /// Index of its node; `None` where it waits for one.
    pub node: Option<u32>,
    /// The node that a taint has driven it off; it then waits for another, made anew by its controller.
    pub left: Option<u32>,
    /// `status.startTime`, as a number that grows with time.
    pub started: i64,
    /// A DaemonSet made it.
    pub is_daemon: bool,
    /// The ReplicaSet that made it.
    replica_set: Option<String>,
    /// `controller-revision-hash`
    revision: Option<String>,
    /// Its condition Ready is there and does not say so.
    is_unready: bool,
    /// What a ReplicaSet weighs when it has too many pods.
    weight: Weight,
}

/// What makes a pod worth keeping, most important first (`ActivePodsWithRanks` in `pkg/controller/controller_utils.go`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    has_node: bool,
    is_ready: bool,
    /// `controller.kubernetes.io/pod-deletion-cost`
    cost: i64,
    /// How few of the pods share its node.
    alone: std::cmp::Reverse<usize>,
    /// Doublings of the time for which it has been ready.
    age: u32,
    uid: String,
}

impl LivePod {
    /// `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.pod.namespace, self.name)
    }

    /// Whether one ReplicaSet made all of them.
    pub(super) fn are_of_one_set(pods: &[LivePod]) -> bool {
        pods.iter().all(|pod| pod.replica_set == pods[0].replica_set)
    }

    /// Whether it has a node and is ready there, as far as is known.
    pub fn is_ready(&self) -> bool {
        self.node.is_some() && !self.is_unready
    }
}

/// The pods that a workload of the set has already.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// Made from the template that the set has; those that a smaller number leaves come first.
    pub same: Vec<LivePod>,
    /// Made from another template; those that go last come first.
    pub old: Vec<LivePod>,
    /// `pod-template-hash` of the first.
    pub hash: Option<String>,
}

/// What is live, looked up by name.
#[derive(Debug)]
pub(super) struct Live<'a> {
    bundle: &'a Bundle,
    objects: HashMap<(&'a str, &'a str, &'a str), ObjectId>,
    pods: BTreeMap<Owner, Vec<LivePod>>,
    /// Pods that taints drive off at once, with the nodes that they leave.
    pub evicted: Vec<(u32, String)>,
}

impl<'a> Live<'a> {
    /// `now` is in seconds since 1970.
    pub(super) fn new(bundle: &'a Bundle, nodes: &[Node], now: i64) -> Live<'a> {
        let key = |object: &'a crate::model::Object| {
            (object.kind.as_str(), object.namespace.as_deref().unwrap_or(""), object.name.as_str())
        };
        let objects = bundle.iter().map(|(id, object)| (key(object), id)).collect();
        let mut live = Live { bundle, objects, pods: BTreeMap::new(), evicted: Vec::new() };
        let names: HashMap<&str, u32> =
            nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index as u32)).collect();
        let is_pod = |(_, object): &(ObjectId, &Object)| object.kind == "Pod" && object.group().is_empty();
        let pods: Vec<(ObjectId, &Object)> = bundle.iter().filter(is_pod).collect();
        let some = |pods: &[(ObjectId, &Object)]| -> Vec<Option<LivePod>> {
            let mut alike = Map::default();
            pods.iter().map(|(id, object)| live_pod(object, bundle.full(*id), &names, now, &mut alike)).collect()
        };
        let compiled: Vec<Vec<Option<LivePod>>> = pods.par_chunks(CHUNK).map(some).collect();
        for ((id, object), pod) in pods.into_iter().zip(compiled.into_iter().flatten()) {
            let Some(pod) = pod else { continue };
            let namespace = object.namespace.as_deref().unwrap_or("");
            let owner = live.owner(namespace, &object.name, bundle.full(id));
            if let Some(pod) = live.under_taints(pod, nodes, &owner.0) {
                live.pods.entry(owner).or_default().push(pod);
            }
        }
        live
    }

    /// A pod as its controller makes it anew where a taint drives it off at once. Nobody makes a naked pod, and no
    /// DaemonSet one for a node whose taint it does not tolerate.
    fn under_taints(&mut self, pod: LivePod, nodes: &[Node], owner: &str) -> Option<LivePod> {
        let evicts = |at: &u32| taint_toleration::evicts_after(&pod.pod, &nodes[*at as usize]) == Some(0);
        // One that is terminating holds its room until its kubelet says that it has ended.
        let Some(at) = pod.node.filter(|at| evicts(at) && !pod.pod.terminating) else { return Some(pod) };
        self.evicted.push((at, pod.full_name()));
        if matches!(owner, "Pod" | "DaemonSet" | "Node") {
            return None;
        }
        let weight = Weight { has_node: false, is_ready: false, age: 0, ..pod.weight };
        Some(LivePod { node: None, left: Some(at), started: NOT_STARTED, is_unready: true, weight, ..pod })
    }

    /// The object at the top of a pod's controllers.
    fn owner(&self, namespace: &str, name: &str, pod: View<'_>) -> Owner {
        let (mut kind, mut name, mut view) = ("Pod".to_owned(), name.to_owned(), Some(pod));
        while let Some((above, its_name)) = view.and_then(controller) {
            (kind, name) = (above.to_owned(), its_name.to_owned());
            // Nothing owns what is above these.
            view = matches!(kind.as_str(), "ReplicaSet" | "Job").then(|| self.view(&kind, namespace, &name)).flatten();
        }
        (kind, namespace.to_owned(), name)
    }

    /// The live object of that name.
    pub(super) fn view(&self, kind: &str, namespace: &str, name: &str) -> Option<View<'a>> {
        self.objects.get(&(kind, namespace, name)).map(|id| self.bundle.full(*id))
    }

    fn of(&self, kind: &str, namespace: &str, name: &str) -> Vec<LivePod> {
        let owner = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        // A terminating pod is no replica any more; it holds its room until it is gone.
        let pods = self.pods.get(&owner).into_iter().flatten();
        pods.filter(|pod| !pod.pod.terminating).cloned().collect()
    }

    /// Takes out the pods of nobody in the set, and those that are terminating.
    pub(super) fn others(&mut self, is_in_set: impl Fn(&str, &str, &str) -> bool) -> Vec<LivePod> {
        let all = std::mem::take(&mut self.pods).into_iter().flat_map(|((kind, namespace, name), pods)| {
            let ours = is_in_set(&kind, &namespace, &name);
            pods.into_iter().filter(move |pod| !ours || pod.pod.terminating)
        });
        all.collect()
    }

    /// The pods of a workload, by whether its template in the set is the one that they were made from.
    pub(super) fn present(&self, kind: &str, namespace: &str, name: &str, template: Option<View<'_>>) -> Present {
        let pods = self.of(kind, namespace, name);
        let object = self.view(kind, namespace, name);
        let mut present = Present::default();
        match kind {
            "Deployment" => {
                for pod in pods {
                    let set = pod.replica_set.as_ref().and_then(|set| self.view("ReplicaSet", namespace, set));
                    if same_template(set.and_then(template_of), template) {
                        present.hash = pod.pod.labels.get(TEMPLATE_HASH).cloned();
                        present.same.push(pod);
                    } else {
                        present.old.push(pod);
                    }
                }
            }
            "StatefulSet" | "DaemonSet" => {
                let newest = object.and_then(|object| object.at(&["status", "updateRevision"])).and_then(View::str);
                let same = same_template(object.and_then(template_of), template);
                let is_same =
                    |pod: &LivePod| same && newest.is_none_or(|newest| pod.revision.as_deref() == Some(newest));
                (present.same, present.old) = pods.into_iter().partition(is_same);
            }
            // These do not replace pods when their template changes.
            _ => present.same = pods,
        }
        rank(&mut present.same);
        rank(&mut present.old);
        present
    }
}

/// Those that a ReplicaSet deletes first come last.
fn rank(pods: &mut [LivePod]) {
    let mut on_node: HashMap<Option<u32>, usize> = HashMap::new();
    pods.iter().for_each(|pod| *on_node.entry(pod.node).or_default() += 1);
    for pod in pods.iter_mut() {
        pod.weight.alone = std::cmp::Reverse(on_node.get(&pod.node).copied().unwrap_or(0));
    }
    pods.sort_by(|a, b| b.weight.cmp(&a.weight));
}

fn controller<'v>(view: View<'v>) -> Option<(&'v str, &'v str)> {
    let mut owners = view.get("metadata")?.list("ownerReferences");
    let owner = owners.find(|owner| owner.get_bool("controller"))?;
    Some((owner.get_str("kind")?, owner.get_str("name")?))
}

fn template_of(view: View<'_>) -> Option<View<'_>> {
    view.at(&["spec", "template"])
}

/// A pod that holds room or waits; `None` for one that has ended, or that runs on a node that is not known. Of pods that are
/// `alike` one is kept: those of a template differ by their names only.
fn live_pod(
    object: &Object,
    view: View<'_>,
    nodes: &HashMap<&str, u32>,
    now: i64,
    alike: &mut Map<Arc<Pod>, ()>,
) -> Option<LivePod> {
    let (name, namespace) = (object.name.as_str(), object.namespace.as_deref().unwrap_or(""));
    let (metadata, spec, status) = (view.get("metadata"), view.get("spec")?, view.get("status"));
    if status.and_then(|status| status.get_str("phase")).is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
    {
        return None;
    }
    let node_name = spec.get_str("nodeName").filter(|name| !name.is_empty());
    let node = match node_name {
        Some(name) => Some(*nodes.get(name)?),
        None => None,
    };
    let mut pod = name_claims(Pod::compile(namespace, metadata, spec, status.filter(|_| node.is_some())), name);
    pod.priority = spec.get_int("priority").and_then(|value| i32::try_from(value).ok()).unwrap_or(0);
    if controller(view).is_some() {
        // What its controller makes in its place is bound to no node.
        pod.node_name = None;
    }
    let annotation = |key: &str| metadata?.get("annotations")?.get_str(key);
    let is_static = annotation("kubernetes.io/config.mirror").is_some();
    if let Some(node) = node_name.filter(|_| is_static) {
        // Its kubelet runs it, and no other.
        let fields = vec![Requirement {
            key: "metadata.name".to_owned(),
            operator: Operator::In,
            values: vec![node.to_owned()],
        }];
        pod.required_nodes = Some(vec![NodeTerm { expressions: Vec::new(), fields, broken: false }]);
    }
    let started = status.and_then(|status| status.get_str("startTime"));
    let conditions = status.into_iter().flat_map(|status| status.list("conditions"));
    let mut ready = conditions.filter(|condition| condition.get_str("type") == Some("Ready"));
    Some(LivePod {
        is_unready: ready.any(|ready| ready.get_str("status") != Some("True")),
        name: name.to_owned(),
        node,
        left: None,
        started: started.map_or(NOT_STARTED, super::pods::seconds),
        is_daemon: controller(view).is_some_and(|(kind, _)| kind == "DaemonSet"),
        replica_set: controller(view).filter(|(kind, _)| *kind == "ReplicaSet").map(|(_, name)| name.to_owned()),
        revision: pod.labels.get("controller-revision-hash").cloned(),
        weight: weight(view, now),
        pod: alike.entry(Arc::new(pod)).insert_entry(()).key().clone(),
    })
}

fn weight(pod: View<'_>, now: i64) -> Weight {
    let annotation = |key: &str| pod.at(&["metadata", "annotations"])?.get_str(key);
    let conditions = pod.get("status").into_iter().flat_map(|status| status.list("conditions"));
    let mut ready = conditions.filter(|condition| condition.get_str("type") == Some("Ready"));
    let ready = ready.find(|condition| condition.get_str("status") == Some("True"));
    let since = ready.and_then(|ready| time::parse_rfc3339(ready.get_str("lastTransitionTime")?).ok());
    let age = since.map_or(0, |since| now.saturating_sub(since.seconds)).max(0);
    Weight {
        has_node: pod.at(&["spec", "nodeName"]).is_some(),
        is_ready: ready.is_some(),
        cost: annotation("controller.kubernetes.io/pod-deletion-cost").and_then(|cost| cost.parse().ok()).unwrap_or(0),
        alone: std::cmp::Reverse(0),
        age: age.checked_ilog2().unwrap_or(0),
        uid: pod.at(&["metadata", "uid"]).and_then(View::str).unwrap_or_default().to_owned(),
    }
}

/// Whether two templates with their defaults make like pods: what tells ReplicaSets apart, and the mark of
/// `kubectl rollout restart`, which no manifest has, do not count.
fn same_template(live: Option<View<'_>>, wanted: Option<View<'_>>) -> bool {
    let (Some(live), Some(wanted)) = (live, wanted) else { return false };
    const IGNORED: [&str; 2] = [TEMPLATE_HASH, "kubectl.kubernetes.io/restartedAt"];
    let meta = |view: View<'_>, map: &str| {
        let fields = view.at(&["metadata", map]).into_iter().flat_map(View::fields);
        let fields = fields.filter(|(key, _)| !IGNORED.contains(key));
        fields.map(|(key, value)| (key.to_owned(), value.str().map(str::to_owned))).collect::<BTreeMap<_, _>>()
    };
    ["labels", "annotations"].iter().all(|map| meta(live, map) == meta(wanted, map))
        && same(live.get("spec"), wanted.get("spec"))
}

/// Whether two values are stored as the same; null and empty count as absent.
fn same(a: Option<View<'_>>, b: Option<View<'_>>) -> bool {
    let present = |view: &View<'_>| !view.is_null() && !(view.is_empty() && (view.is_map() || view.is_seq()));
    match (a.filter(present), b.filter(present)) {
        (None, None) => true,
        (Some(a), Some(b)) if a.is_map() && b.is_map() => {
            let mut keys = a.fields().chain(b.fields()).map(|(key, _)| key);
            keys.all(|key| same(a.get(key), b.get(key)))
        }
        (Some(a), Some(b)) if a.is_seq() && b.is_seq() => {
            a.len() == b.len() && a.items().zip(b.items()).all(|(a, b)| same(Some(a), Some(b)))
        }
        (Some(a), Some(b)) => a.same(b),
        _ => false,
    }
}
