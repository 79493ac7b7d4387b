//! DaemonSets: one pod for each node that the controller finds fit, pinned to it
//! (`NodeShouldRunDaemonPod` in `pkg/controller/daemon/daemon_controller.go`).

use std::sync::Arc;

use super::pods::workload;
use super::{Expansion, Input, LivePod, Old, Replica, Rolling, Slot, Template, Update, compile, name_claims};
use crate::simulate::filters::taint_toleration;
use crate::simulate::labels::{NodeTerm, Operator, Requirement};
use crate::simulate::nodes::Node;
use crate::simulate::pod::{Pod, Toleration};

/// Tolerations that every pod of a DaemonSet gets (`AddOrUpdateDaemonPodTolerations`).
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

pub(super) fn expand(input: &Input<'_>, template: &Template<'_>, out: &mut Expansion) {
    let (mut pod, rejected) = compile(input, template, None);
    let mut present = input.present();
    let network =
        template.spec.get_bool("hostNetwork").then_some(("node.kubernetes.io/network-unavailable", "NoSchedule"));
    for (key, effect) in TOLERATED.into_iter().chain(network) {
        // One of the template or of admission with seconds gives way (`AddOrUpdateToleration`).
        let same = |one: &Toleration| one.key == key && one.effect == effect && one.exists;
        pod.tolerations.retain(|one| !same(one));
        pod.tolerations.push(Toleration::of(key, effect));
    }
    let update = Update::read(input.kind, input.view, input.cluster.version()).filter(|_| !present.old.is_empty());
    let (at, first) = (out.workloads.len(), out.replicas.len());
    let mut slots = Vec::new();
    for (index, node) in input.nodes.iter().enumerate() {
        let take = |pods: &mut Vec<LivePod>| {
            pods.iter()
                .position(|pod| pod.node == Some(index as u32) || waits_for(pod, &node.name))
                .map(|at| pods.remove(at))
        };
        let belongs = runs_on(&pod, node);
        if !belongs && (update.is_some() || !stays_on(&pod, node)) {
            continue;
        }
        let (same, old) = (take(&mut present.same), take(&mut present.old));
        if !belongs && same.is_none() && old.is_none() {
            continue;
        }
        let name = format!("{}-{}", input.name, out.replicas.len() - first);
        let mut slot = Slot { replica: out.replicas.len(), created: false, old: None };
        let stays = same.filter(|pod| pod.node.is_some());
        slot.created = stays.is_some();
        let kept = old.clone().filter(|pod| update.is_none() && pod.node.is_some());
        slot.old = old.filter(|_| update.is_some()).map(|old| Old::new(input, old, out));
        out.replicas.push(match stays.or(kept) {
            Some(found) => Replica::running(found, at),
            None => {
                let one = Arc::new(name_claims(pinned(&pod, &node.name), &name));
                let rejected = rejected.as_ref().map(|why| format!("pods \"{}-\" is forbidden: {why}", input.name));
                Replica::new(name, at, one, rejected)
            }
        });
        slots.push(slot);
    }
    let replicas = first..out.replicas.len();
    let wanted = slots.len() as i64;
    if let Some(update) = update {
        let leaving = present.same.into_iter().chain(present.old);
        let old = leaving.map(|pod| Old::new(input, pod, out)).collect();
        out.rollings.push(Rolling { workload: at, replicas, wanted, update, there: 0, growth: 0, slots, old });
    }
    out.workloads.push(workload(input, Arc::new(pod), wanted, template.path, None));
}

/// Whether a pod without a node is pinned to this one.
fn waits_for(pod: &LivePod, node: &str) -> bool {
    let pins = |term: &NodeTerm| term.fields.iter().any(|field| field.values.iter().any(|value| value == node));
    pod.node.is_none() && pod.pod.required_nodes.iter().flatten().any(pins)
}

/// A pod that is there stays under taints that only keep new ones off (`ShouldContinueRunning`).
fn stays_on(pod: &Pod, node: &Node) -> bool {
    let taints = node.taints.iter().filter(|taint| taint.effect == "NoExecute").cloned().collect();
    runs_on(pod, &Node { taints, ..node.clone() })
}

/// Name, node selector and affinity, and taints decide; room does not, nor does a cordon.
pub fn runs_on(pod: &Pod, node: &Node) -> bool {
    pod.node_name.as_ref().is_none_or(|name| *name == node.name)
        && pod.selects_node(&node.name, &node.labels)
        && taint_toleration::untolerated(pod, node).is_none()
}

/// The pin takes the place of the required terms (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
pub fn pinned(pod: &Pod, node: &str) -> Pod {
    let pin = Requirement { key: "metadata.name".to_owned(), operator: Operator::In, values: vec![node.to_owned()] };
    let term = NodeTerm { expressions: Vec::new(), fields: vec![pin], broken: false };
    Pod { required_nodes: Some(vec![term]), ..pod.clone() }
}
