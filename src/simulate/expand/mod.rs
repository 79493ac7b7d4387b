//! From workloads to pods, by the controllers' rules (kube-controller-manager 1.36).

mod autoscaler;
pub(super) mod daemonset;
mod jobs;
mod live;
mod pods;
mod rolling;
mod stateful_set;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cluster::Cluster;
use super::labels::{Labels, Selector, labels};
use super::nodes::Node;
use super::pod::{Pod, Volume};
use super::state::PlacedId;
use super::volumes::Claim;
use crate::admission::resource_quota::Quotas;
use crate::admission::{Admission, Admitted, Charge, Namespace};
use crate::model::{Bundle, ObjectId};
use crate::yaml::View;

pub use autoscaler::Scale;
pub use live::LivePod;
use live::{Live, Present};
pub use rolling::{Old, Rolling, Slot, Update};

/// Label that tells the pods of a Deployment's versions apart; here `old` and `new`.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
/// More replicas than this are not simulated one by one.
pub const MAX_REPLICAS: i64 = 200_000;

/// Workload of a replica that is nobody's in the set.
const NOBODY: usize = usize::MAX;

/// What creates pods, with the pods that it creates.
#[derive(Clone, Debug)]
pub struct Workload {
    pub object: ObjectId,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    /// The pod that all replicas share, where they do.
    pub pod: Arc<Pod>,
    /// Replicas wanted; those beyond [`MAX_REPLICAS`] are not simulated.
    pub count: i64,
    /// Path of the pod spec in the object: `spec.template.spec`.
    pub spec_path: &'static str,
    /// How its pods are replaced when the template changes.
    pub update: Option<Update>,
    /// What quotas count of a pod, where the namespace has some.
    pub charge: Option<Arc<Charge>>,
    /// The HorizontalPodAutoscaler that owns the replicas.
    pub scale: Option<Scale>,
}

impl Workload {
    /// `Deployment/web`.
    pub fn owner(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

/// One pod that exists or is to be created.
#[derive(Clone, Debug)]
pub struct Replica {
    pub name: String,
    /// Index in the list of workloads; beyond it for what is nobody's in the set.
    pub workload: usize,
    pub pod: Arc<Pod>,
    /// Admission's answer where it refuses the pod.
    pub rejected: Option<String>,
    /// What decides about the pod that is not known here.
    pub unknown: Option<String>,
    /// The replica that must run before this one is created (StatefulSet, OrderedReady).
    pub after: Option<usize>,
    /// `status.startTime` of a running pod, as a number that grows with time.
    pub started: Option<i64>,
    /// The node that it runs on already, in a live cluster.
    pub running: Option<u32>,
    /// It runs already and is not ready.
    pub unready: bool,
    /// It looks for a node before the others: made anew for what a taint has driven off, or a DaemonSet's on a node that is
    /// tried.
    pub early: bool,
}

impl Replica {
    /// A pod that is to be created.
    pub(super) fn new(name: String, workload: usize, pod: Arc<Pod>, rejected: Option<String>) -> Replica {
        let (unknown, after, started, running, early, unready) = (None, None, None, None, false, false);
        Replica { name, workload, pod, rejected, unknown, after, started, running, early, unready }
    }

    /// Stands for the replicas beyond [`MAX_REPLICAS`].
    fn rest(name: &str, count: i64, workload: usize, pod: &Arc<Pod>) -> Option<Replica> {
        let more = count.checked_sub(MAX_REPLICAS).filter(|more| *more > 0)?;
        let why = format!("{more} more replicas; {MAX_REPLICAS} of a workload are simulated");
        let replica = Replica::new(format!("{name}-{MAX_REPLICAS}…"), workload, pod.clone(), None);
        Some(Replica { unknown: Some(why), ..replica })
    }

    /// A pod that stays where it is.
    fn running(found: LivePod, workload: usize) -> Replica {
        let (running, started, unready) = (found.node, Some(found.started), !found.is_ready());
        Replica { running, started, unready, ..Replica::new(found.name, workload, found.pod, None) }
    }

    /// `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.pod.namespace, self.name)
    }
}

/// All workloads and their pods, in the order of the manifests.
#[derive(Clone, Debug, Default)]
pub struct Expansion {
    pub workloads: Vec<Workload>,
    pub replicas: Vec<Replica>,
    /// Claims that StatefulSets create for their pods.
    pub claims: Vec<Claim>,
    /// Live pods that hold room before anything is scheduled and are no replica of the set; each has the [`PlacedId`] of
    /// its place in this list.
    pub present: Vec<(LivePod, u32)>,
    pub rollings: Vec<Rolling>,
    /// The quotas of namespaces that have some, with what the pods of the set use.
    pub quotas: BTreeMap<String, Quotas>,
    /// Live pods that taints of effect NoExecute drive off at once, `namespace/name`, with the nodes that they leave.
    pub evicted: Vec<(u32, String)>,
}

impl Expansion {
    /// Takes in a live pod that holds room; `None` where it waits for a node.
    fn hold(&mut self, pod: LivePod) -> Option<PlacedId> {
        let node = pod.node?;
        self.present.push((pod, node));
        Some(PlacedId(self.present.len() as u32 - 1))
    }
}

/// Expands every workload of a set, with the pods that it has in a live cluster. Objects that others own (a ReplicaSet
/// of a Deployment) are left out.
/// `now` is in seconds since 1970.
pub fn run(bundle: &Bundle, live: Option<&Bundle>, cluster: &Cluster, nodes: &[Node], now: u64) -> Expansion {
    let mut scales = live.map(autoscaler::scales).unwrap_or_default();
    scales.extend(autoscaler::scales(bundle));
    let admission = Admission::of(bundle, live);
    let mut quotas = admission.quotas();
    let unknown = Namespace::default();
    let mut out = Expansion::default();
    let mut found = live.map(|live| Live::new(live, nodes, i64::try_from(now).unwrap_or(0)));
    let live = found.as_ref();
    let mut expanded: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for (id, object) in bundle.iter() {
        let view = bundle.full(id);
        let namespace = object.namespace.as_deref().unwrap_or("default");
        let unwritten = bundle.written(id).at(&["spec", "replicas"]).is_none();
        let (kind, name) = (object.kind.as_str(), object.name.as_str());
        let (admission, policies) = (&admission, admission.namespace(namespace).unwrap_or(&unknown));
        let input = Input { cluster, nodes, live, id, kind, name, namespace, view, unwritten, admission, policies };
        let owned = object.kind != "Pod"
            && view.get("metadata").is_some_and(|metadata| metadata.list("ownerReferences").len() > 0);
        if owned || !is_workload(object.group(), &object.kind) {
            continue;
        }
        let key = (namespace.to_owned(), object.kind.clone(), object.name.clone());
        if kind != "CronJob" {
            expanded.insert((kind, namespace, name));
        }
        let before = out.replicas.len();
        expand(&input, scales.get(&key).copied(), &mut out);
        if let Some(quotas) = quotas.get_mut(namespace) {
            hold_to_quotas(quotas, &mut out, before);
        }
    }
    let others =
        found.as_mut().map(|live| live.others(|kind, namespace, name| expanded.contains(&(kind, namespace, name))));
    for pod in others.into_iter().flatten() {
        if pod.left.is_some() {
            let made = Replica::new(pod.name, NOBODY, pod.pod, None);
            out.replicas.push(Replica { early: true, ..made });
        } else {
            out.hold(pod);
        }
    }
    out.evicted = found.map(|live| live.evicted).unwrap_or_default();
    out.quotas = quotas.into_iter().map(|(namespace, quotas)| (namespace.to_owned(), quotas)).collect();
    out
}

fn is_workload(group: &str, kind: &str) -> bool {
    match kind {
        "Pod" | "ReplicationController" => group.is_empty(),
        "Deployment" | "ReplicaSet" | "DaemonSet" => group == "apps" || group == "extensions",
        "StatefulSet" => group == "apps",
        "Job" | "CronJob" => group == "batch",
        _ => false,
    }
}

/// A workload that is being expanded.
#[derive(Clone, Copy)]
struct Input<'a> {
    cluster: &'a Cluster,
    nodes: &'a [Node],
    live: Option<&'a Live<'a>>,
    id: ObjectId,
    kind: &'a str,
    name: &'a str,
    namespace: &'a str,
    view: View<'a>,
    /// The manifest says no number of replicas.
    unwritten: bool,
    admission: &'a Admission<'a>,
    /// What is known of the namespace.
    policies: &'a Namespace<'a>,
}

/// A pod spec with its metadata and where it stands.
#[derive(Clone, Copy)]
struct Template<'a> {
    metadata: Option<View<'a>>,
    spec: View<'a>,
    path: &'static str,
}

impl<'a> Input<'a> {
    /// The object as it is in the cluster.
    fn live_view(&self) -> Option<View<'a>> {
        self.live?.view(self.kind, self.namespace, self.name)
    }

    /// The pods that the workload has in the cluster.
    fn present(&self) -> Present {
        let template = self.view.at(&["spec", "template"]);
        self.live.map(|live| live.present(self.kind, self.namespace, self.name, template)).unwrap_or_default()
    }

    /// What quotas count of a live pod, where the namespace has some.
    fn charge_of(&self, pod: &str) -> Option<Arc<Charge>> {
        let live = self.live.filter(|_| !self.policies.quotas.is_empty())?;
        live.view("Pod", self.namespace, pod)?.get("spec").map(|spec| Arc::new(Charge::pod(spec)))
    }

    /// What quotas count of a new pod, where the namespace has some.
    fn charge(&self) -> Option<Arc<Charge>> {
        let spec = pod_template(self).filter(|_| !self.policies.quotas.is_empty())?.spec;
        Some(Arc::new(Charge::pod(self.admission.pod(Some(self.policies), spec, &[]).view())))
    }

    fn template(&self, at: &[&str], path: &'static str) -> Option<Template<'a>> {
        let template = at.iter().try_fold(self.view, |view, key| view.get(key))?;
        Some(Template { metadata: template.get("metadata"), spec: template.get("spec")?, path })
    }
}

/// Refuses the pods of the last workload for which the quotas of their namespace have no room after those before them.
/// Those of a rollout ask when their time comes.
fn hold_to_quotas(quotas: &mut Quotas, out: &mut Expansion, first: usize) {
    let Some((workload, charge)) = out.workloads.last().and_then(|last| Some((last, last.charge.as_ref()?))) else {
        return;
    };
    let rolling = out.rollings.last().filter(|rolling| rolling.workload + 1 == out.workloads.len());
    let old = rolling
        .into_iter()
        .flat_map(|rolling| rolling.slots.iter().filter_map(|slot| slot.old.as_ref()).chain(&rolling.old));
    old.filter_map(|old| old.charge.as_ref()).for_each(|charge| quotas.charge(charge, true));
    let bound = workload.kind == "Pod" && workload.pod.node_name.is_some();
    for (index, replica) in out.replicas.iter_mut().enumerate().skip(first) {
        let runs = bound || replica.running.is_some();
        if replica.rejected.is_some() || !runs && rolling.is_some_and(|rolling| rolling.replicas.contains(&index)) {
            continue;
        }
        match quotas.refuses(charge).filter(|_| !runs) {
            Some(why) => replica.rejected = Some(format!("pods \"{}\" is forbidden: {why}", replica.name)),
            None => quotas.charge(charge, runs),
        }
    }
}

fn pod_template<'a>(input: &Input<'a>) -> Option<Template<'a>> {
    match input.kind {
        "Pod" => input.template(&[], "spec"),
        "CronJob" => {
            input.template(&["spec", "jobTemplate", "spec", "template"], "spec.jobTemplate.spec.template.spec")
        }
        _ => input.template(&["spec", "template"], "spec.template.spec"),
    }
}

fn expand(input: &Input<'_>, scale: Option<Scale>, out: &mut Expansion) {
    if input.kind == "Pod" {
        return pods::pod(input, out);
    }
    let Some(template) = pod_template(input) else {
        return;
    };
    match input.kind {
        "DaemonSet" => daemonset::expand(input, &template, out),
        "Job" => jobs::expand(input, input.view.get("spec"), &template, out),
        "CronJob" => jobs::expand(input, input.view.at(&["spec", "jobTemplate", "spec"]), &template, out),
        "StatefulSet" => stateful_set::expand(input, &template, scale, out),
        _ => pods::replicas(input, &template, scale, out),
    }
}

/// Compiles the template's pod with what admission and the owner add; `hash` is the one that its pods have in the cluster.
fn compile(input: &Input<'_>, template: &Template<'_>, hash: Option<&str>) -> (Pod, Option<String>) {
    let mut labels = labels(template.metadata.and_then(|metadata| metadata.get("labels")));
    if input.kind == "Deployment" {
        labels.insert(TEMPLATE_HASH.to_owned(), hash.unwrap_or("old").to_owned());
    }
    let admitted = input.admission.pod(Some(input.policies), template.spec, &[]);
    let mut pod = Pod::with_labels(input.namespace, labels, template.metadata, admitted.view(), None);
    pod.priority = priority(admitted.view());
    pod.default_spread = default_spread(input, &pod.labels);
    (pod, refused(input, &admitted, template.metadata))
}

/// Why the API server refuses a pod, without its name: those that change it, its own validation, those that judge.
fn refused(input: &Input<'_>, admitted: &Admitted, metadata: Option<View<'_>>) -> Option<String> {
    let spec = admitted.view();
    let first = admitted.refused.as_ref().map(|refusal| refusal.message.clone());
    let last = || Some(input.admission.refuses_pod(Some(input.policies), metadata, spec)?.message);
    first.or_else(|| invalid(spec)).or_else(last)
}

/// The priority that admission has given a pod.
fn priority(spec: View<'_>) -> i32 {
    spec.get_int("priority").and_then(|value| i32::try_from(value).ok()).unwrap_or(0)
}

/// A constraint that the API server refuses and that would change the answer.
fn invalid(spec: View<'_>) -> Option<String> {
    let mut constraints = spec.list("topologySpreadConstraints").enumerate();
    constraints.find_map(|(index, constraint)| {
        let domains = constraint.get_int("minDomains")?;
        (constraint.get_str("whenUnsatisfiable") == Some("ScheduleAnyway")).then(|| {
            format!(
                "spec.topologySpreadConstraints[{index}].minDomains: Invalid value: {domains}: can only use minDomains \
                 if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            )
        })
    })
}

/// Selector of the scheduler's default spreading: Services that select the pod, and its owner's selector
/// (`DefaultSelector` in `pkg/scheduler/framework/plugins/helper/spread.go`). Jobs and DaemonSets have none.
fn default_spread(input: &Input<'_>, pod: &Labels) -> Selector {
    let services = input.cluster.services.iter();
    let matching = services.filter(|((namespace, _), selector)| namespace == input.namespace && selector.matches(pod));
    let mut requirements: Vec<_> = matching.flat_map(|(_, selector)| selector.requirements.clone()).collect();
    let own = input.view.at(&["spec", "selector"]);
    let own = match input.kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" => own.and_then(Selector::read),
        "ReplicationController" => Some(Selector::from_map(own)),
        _ => None,
    };
    requirements.extend(own.into_iter().flat_map(|selector| selector.requirements));
    // A Deployment's ReplicaSet selects by a hash of the template besides, which all its pods share.
    let mut seen = Selector::default();
    for requirement in requirements {
        if !seen.requirements.contains(&requirement) {
            seen.requirements.push(requirement);
        }
    }
    seen
}

/// Gives generic ephemeral volumes the claims that are named after the pod.
fn name_claims(mut pod: Pod, name: &str) -> Pod {
    for volume in &mut pod.volumes {
        if let Volume::Claim { name: claim, ephemeral: true } = volume {
            *claim = format!("{name}-{claim}");
        }
    }
    pod
}

/// Labels by key, for owners that add some.
fn with_labels(mut pod: Pod, more: &[(&str, &str)]) -> Pod {
    pod.labels.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    pod
}

/// Workloads by `(namespace, kind, name)`.
type ByTarget = BTreeMap<(String, String, String), Scale>;
