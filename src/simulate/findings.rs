//! Pods that find no node, as findings: one for each cause, at the value most to blame.

use std::collections::BTreeMap;

use super::expand::{Expansion, Workload};
use super::filters::taint_toleration;
use super::nodes::Node;
use super::placement::{Remedy, ScaleOut, Verdict};
use super::pod::Pod;
use super::queue::Outcome;
use super::state::State;
use crate::diag::{Diagnostic, Severity};
use crate::model::quantity::Quantity;
use crate::model::{Bundle, path};

/// Pods that are pending for one cause.
#[derive(Clone, Debug)]
pub struct Group {
    pub cause: Cause,
    /// The scheduler's sentence for the first of them.
    pub message: String,
    /// Indexes of replicas, in order.
    pub replicas: Vec<usize>,
    /// Indexes of workloads, in order.
    pub workloads: Vec<usize>,
}

/// What is most to blame.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// More of a resource than any node has.
    Exceeds(String),
    /// No room left of a resource.
    Insufficient(String),
    /// Nodes that match are tainted.
    Tainted,
    /// No node matches nodeSelector or affinity.
    NoMatch,
    Ports,
    Spread,
    PodAffinity,
    Volumes,
    /// Claims that stop the pod before any node is looked at.
    Claims,
    /// Something else: too many pods, cordoned nodes.
    Other,
}

/// Groups the pending pods by cause and sentence. Pods that wait for another of their StatefulSet are silent.
pub fn groups(state: &State, expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    let mut index: BTreeMap<(Cause, String), usize> = BTreeMap::new();
    for (position, (replica, outcome)) in expansion.replicas.iter().zip(outcomes).enumerate() {
        let waits = outcome.verdict == Verdict::Pending && outcome.settled.is_none() && !replica.early;
        let Some(why) = outcome.why.as_ref().filter(|_| waits) else {
            continue;
        };
        let cause = cause(state, &replica.pod, outcome);
        let at = *index.entry((cause.clone(), why.message.clone())).or_insert_with(|| {
            let message = why.message.clone();
            out.push(Group { cause, message, replicas: Vec::new(), workloads: Vec::new() });
            out.len() - 1
        });
        out[at].replicas.push(position);
        if !out[at].workloads.contains(&replica.workload) {
            out[at].workloads.push(replica.workload);
        }
    }
    out
}

fn cause(state: &State, pod: &Pod, outcome: &Outcome) -> Cause {
    let why = outcome.why.as_deref();
    if why.is_some_and(|why| why.prefilter.is_some()) {
        return Cause::Claims;
    }
    if let Some(resource) = exceeds(pod, &state.nodes) {
        return Cause::Exceeds(resource);
    }
    let matching: Vec<&Node> = state.nodes.iter().filter(|node| pod.selects_node(&node.name, &node.labels)).collect();
    if matching.is_empty() {
        return Cause::NoMatch;
    }
    if matching.iter().all(|node| taint_toleration::untolerated(pod, node).is_some()) {
        return Cause::Tainted;
    }
    let mut counts: BTreeMap<Cause, usize> = BTreeMap::new();
    for (rejection, nodes) in why.into_iter().flat_map(|why| &why.rejections) {
        for reason in &rejection.reasons {
            *counts.entry(by_reason(reason)).or_default() += nodes;
        }
    }
    counts.remove(&Cause::NoMatch);
    let most = counts.iter().filter(|(cause, _)| **cause != Cause::Other).max_by_key(|(_, count)| **count);
    most.map_or(Cause::Other, |(cause, _)| cause.clone())
}

fn by_reason(reason: &str) -> Cause {
    match reason.strip_prefix("Insufficient ") {
        Some(resource) => Cause::Insufficient(resource.to_owned()),
        None if reason.contains("free ports") => Cause::Ports,
        None if reason.contains("topology spread") => Cause::Spread,
        None if reason.contains("node affinity/selector") => Cause::NoMatch,
        None if reason.contains("affinity rules") => Cause::PodAffinity,
        None if reason.contains("olume") || reason.contains("disk") || reason.contains("storage") => Cause::Volumes,
        None => Cause::Other,
    }
}

/// A resource that the pod wants more of than any node has.
fn exceeds(pod: &Pod, nodes: &[Node]) -> Option<String> {
    let want = &pod.requests.actual;
    let most = |amount: &dyn Fn(&Node) -> i64| nodes.iter().map(amount).max().unwrap_or(0);
    if want.cpu > most(&|node| node.allocatable.cpu) {
        return Some("cpu".to_owned());
    }
    if want.memory > most(&|node| node.allocatable.memory) {
        return Some("memory".to_owned());
    }
    if want.ephemeral > most(&|node| node.allocatable.ephemeral) {
        return Some("ephemeral-storage".to_owned());
    }
    let scalar = want.scalars.iter().find(|(name, amount)| *amount > most(&|node| node.allocatable.scalar(name)));
    scalar.map(|(name, _)| name.to_string())
}

/// One finding for each group.
pub fn diagnostics(
    bundle: &Bundle,
    state: &State,
    expansion: &Expansion,
    groups: &[(Group, Vec<Remedy>)],
) -> Vec<Diagnostic> {
    let each = groups.iter().filter_map(|(group, remedies)| diagnostic(bundle, state, expansion, group, remedies));
    each.collect()
}

/// Autoscaled workloads that do not fit at their maximum, as warnings; those that are pending already are silent.
pub fn at_maximum(
    bundle: &Bundle,
    expansion: &Expansion,
    scales: &[ScaleOut],
    groups: &[(Group, Vec<Remedy>)],
) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for scale in scales.iter().filter(|scale| scale.pending > 0) {
        let is_it = |workload: &&Workload| workload.owner() == scale.owner && workload.namespace == scale.namespace;
        let Some(workload) = expansion.workloads.iter().find(is_it) else {
            continue;
        };
        let position = expansion.workloads.iter().position(|other| is_it(&other));
        if groups.iter().any(|(group, _)| position.is_some_and(|index| group.workloads.contains(&index))) {
            continue;
        }
        let (file, span, field) = place(bundle, workload, &Cause::Insufficient("cpu".to_owned()));
        let text = format!(
            "{} of {} pods find no node when the autoscaler goes to its maximum",
            scale.pending, scale.replicas
        );
        let mut found = Diagnostic::new("pod-unschedulable", file, span, text);
        found.help = scale.message.as_ref().map(|message| format!("scheduler: {message}"));
        found.document = Some(bundle.object(workload.object).document);
        found.object = Some(workload.object);
        found.field = Some(field);
        found.severity = Some(Severity::Warning);
        out.push(found);
    }
    out
}

fn diagnostic(
    bundle: &Bundle,
    state: &State,
    expansion: &Expansion,
    group: &Group,
    remedies: &[Remedy],
) -> Option<Diagnostic> {
    let workload = expansion.workloads.get(*group.workloads.first()?)?;
    // A claim that is not there is a finding of its own (pvc-missing).
    if group.cause == Cause::Claims
        && group.message.contains("persistentvolumeclaim \"")
        && group.message.contains("\" not found")
    {
        return None;
    }
    let (file, span, field) = place(bundle, workload, &group.cause);
    let rule = match &group.cause {
        Cause::Exceeds(_) => "request-exceeds-node",
        Cause::Tainted => "taint-conflict",
        _ => "pod-unschedulable",
    };
    let mut found = Diagnostic::new(rule, file, span, headline(state, expansion, group, workload));
    let mut help = vec![format!("scheduler: {}", group.message)];
    help.extend(explain_claims(state, &workload.pod));
    if !remedies.is_empty() {
        help.push("any of these works (each was simulated):".to_owned());
        help.extend(remedies.iter().map(|remedy| format!("  {}", remedy.change)));
    }
    found.help = Some(help.join("\n"));
    if group.cause == Cause::Claims {
        found.yields_to = &["pvc-missing", "pvc-no-pv"];
    }
    found.document = Some(bundle.object(workload.object).document);
    found.object = Some(workload.object);
    found.field = Some(field);
    for other in group.workloads.iter().skip(1).filter_map(|index| expansion.workloads.get(*index)) {
        let (file, span, _) = place(bundle, other, &group.cause);
        found = found.related(file, span, format!("{} {}/{} too", other.kind, other.namespace, other.name));
    }
    Some(found)
}

fn headline(state: &State, expansion: &Expansion, group: &Group, workload: &Workload) -> String {
    let all = expansion.replicas.iter().filter(|replica| !replica.early).count();
    let count = group.replicas.len();
    let pod = &workload.pod;
    match &group.cause {
        Cause::Exceeds(resource) => {
            let want = amount(
                resource,
                pod.requests.actual.cpu,
                pod.requests.actual.memory,
                pod.requests.actual.ephemeral,
                pod.requests.actual.scalar(resource),
            );
            let most = state.nodes.iter().max_by_key(|node| amount_of(node, resource));
            let have = most.map(|node| {
                let given = &node.allocatable;
                let text = amount(resource, given.cpu, given.memory, given.ephemeral, given.scalar(resource));
                format!("the most that a node has is {text} ({})", node.name)
            });
            format!("requests {want} {resource}, {} even when empty", have.unwrap_or_default())
        }
        Cause::Tainted => {
            let matching = state.nodes.iter().filter(|node| pod.selects_node(&node.name, &node.labels));
            let taints = matching
                .filter_map(|node| Some(format!("{} ({})", node.name, taint_toleration::untolerated(pod, node)?)));
            format!(
                "{count} of {all} pods find no node: every node that matches is tainted: {}",
                taints.take(3).collect::<Vec<_>>().join(", ")
            )
        }
        Cause::NoMatch => format!("{count} of {all} pods find no node: none matches the node selector or affinity"),
        _ => format!("{count} of {all} pods find no node"),
    }
}

fn amount_of(node: &Node, resource: &str) -> i64 {
    match resource {
        "cpu" => node.allocatable.cpu,
        "memory" => node.allocatable.memory,
        "ephemeral-storage" => node.allocatable.ephemeral,
        name => node.allocatable.scalar(name),
    }
}

fn amount(resource: &str, cpu: i64, memory: i64, ephemeral: i64, scalar: i64) -> String {
    match resource {
        "cpu" => Quantity::from_milli(cpu).canonical(),
        "memory" => Quantity::from_bytes(memory).canonical(),
        "ephemeral-storage" => Quantity::from_bytes(ephemeral).canonical(),
        _ => scalar.to_string(),
    }
}

/// Which claim is bound to which volume, and why another is not.
fn explain_claims(state: &State, pod: &Pod) -> Vec<String> {
    let known = &state.cluster.volumes;
    let mut out = Vec::new();
    for volume in &pod.volumes {
        let super::pod::Volume::Claim { name, .. } = volume else {
            continue;
        };
        let Some(claim) = known.claims.get(&format!("{}/{name}", pod.namespace)) else {
            continue;
        };
        if claim.bound {
            out.push(format!("claim {name} is bound to volume {}", claim.volume));
            continue;
        }
        let reasons = known.why_unbound(claim);
        out.push(match reasons.is_empty() {
            true => format!("claim {name} is not bound: the set has no volume of class \"{}\"", claim.class),
            false => format!("claim {name} is not bound: {}", reasons.join("; ")),
        });
    }
    out
}

/// File, bytes and path of the value to blame.
fn place(bundle: &Bundle, workload: &Workload, cause: &Cause) -> (crate::source::FileId, crate::source::Span, String) {
    let object = bundle.object(workload.object);
    let root = bundle.written(workload.object);
    let spec = workload.spec_path;
    let field = match cause {
        Cause::Exceeds(resource) | Cause::Insufficient(resource) => request_path(bundle, workload, resource),
        Cause::Ports => host_port_path(bundle, workload),
        Cause::Spread => Some(format!("{spec}.topologySpreadConstraints")),
        Cause::PodAffinity => Some(format!("{spec}.affinity")),
        Cause::Volumes | Cause::Claims => Some(format!("{spec}.volumes")),
        Cause::NoMatch | Cause::Tainted => {
            let has = |path: &str| path::follow(root, path).whole;
            let selector = format!("{spec}.nodeSelector");
            let affinity = format!("{spec}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
            has(&selector).then_some(selector).or_else(|| has(&affinity).then_some(affinity))
        }
        Cause::Other => None,
    };
    let field = field.filter(|path| path::follow(root, path).whole).unwrap_or_else(|| "metadata.name".to_owned());
    (object.file, path::place(root, &field), field)
}

/// The first port that asks for one of the node.
fn host_port_path(bundle: &Bundle, workload: &Workload) -> Option<String> {
    let spec = path::follow(bundle.written(workload.object), workload.spec_path).view;
    spec.list("containers").enumerate().find_map(|(index, container)| {
        let port = container.list("ports").position(|port| port.get("hostPort").is_some())?;
        Some(format!("{}.containers[{index}].ports[{port}].hostPort", workload.spec_path))
    })
}

/// The greatest request of a resource among the containers; the limit where it stands in for the request.
fn request_path(bundle: &Bundle, workload: &Workload, resource: &str) -> Option<String> {
    let root = bundle.written(workload.object);
    let spec = path::follow(root, workload.spec_path).view;
    let mut best: Option<(Quantity, String)> = None;
    for (index, container) in spec.list("containers").enumerate() {
        for kind in ["requests", "limits"] {
            let value = container.at(&["resources", kind, resource]).and_then(super::resources::quantity);
            let Some(value) = value else {
                continue;
            };
            if best.as_ref().is_none_or(|(known, _)| *known < value) {
                let mut at = format!("{}.containers[{index}].resources.{kind}", workload.spec_path);
                path::push_key(&mut at, resource);
                best = Some((value, at));
            }
            break;
        }
    }
    best.map(|(_, path)| path)
}
