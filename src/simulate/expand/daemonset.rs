//! DaemonSets: one pod for each node that the controller finds fit, pinned to it
//! (`NodeShouldRunDaemonPod` in `pkg/controller/daemon/daemon_controller.go`).

use std::sync::Arc;

use super::pods::workload;
use super::{Expansion, Input, LivePod, Replica, Template, compile, name_claims};
use crate::simulate::filters::taint_toleration;
use crate::simulate::labels::{NodeTerm, Operator, Requirement};
use crate::simulate::nodes::Node;
use crate::simulate::pod::{Pod, Toleration};
use crate::yaml::View;

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
    let present = input.present();
    let on_delete = input.view.at(&["spec", "updateStrategy", "type"]).and_then(View::str) == Some("OnDelete");
    pod.tolerations.extend(TOLERATED.iter().map(|(key, effect)| Toleration::of(key, effect)));
    if template.spec.get_bool("hostNetwork") {
        pod.tolerations.push(Toleration::of("node.kubernetes.io/network-unavailable", "NoSchedule"));
    }
    let mut count = 0;
    for (at, node) in input.nodes.iter().enumerate() {
        let here = |pods: &[LivePod]| pods.iter().find(|pod| pod.node == Some(at as u32)).cloned();
        let same = here(&present.same);
        let old = here(&present.old);
        if !runs_on(&pod, node) && !((same.is_some() || old.is_some()) && stays_on(&pod, node)) {
            continue;
        }
        let name = format!("{}-{count}", input.name);
        count += 1;
        if let Some(found) = same.or_else(|| old.clone().filter(|_| on_delete)) {
            out.replicas.push(Replica::running(found, out.workloads.len()));
            continue;
        }
        let one = Arc::new(name_claims(pinned(&pod, &node.name), &name));
        let rejected = rejected.as_ref().map(|why| format!("pods \"{}-\" is forbidden: {why}", input.name));
        let replaces = old.and_then(|old| out.hold(old));
        out.replicas.push(Replica { replaces, ..Replica::new(name, out.workloads.len(), one, rejected) });
    }
    out.workloads.push(workload(input, Arc::new(pod), count, template.path, None));
}

/// A pod that is there stays under taints that only keep new ones off (`ShouldContinueRunning`).
fn stays_on(pod: &Pod, node: &Node) -> bool {
    let taints = node.taints.iter().filter(|taint| taint.effect == "NoExecute").cloned().collect();
    runs_on(pod, &Node { taints, ..node.clone() })
}

/// Name, node selector and affinity, and taints decide; room does not, nor does a cordon.
fn runs_on(pod: &Pod, node: &Node) -> bool {
    pod.node_name.as_ref().is_none_or(|name| *name == node.name)
        && pod.selects_node(&node.name, &node.labels)
        && taint_toleration::untolerated(pod, node).is_none()
}

/// The pin takes the place of the required terms (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
fn pinned(pod: &Pod, node: &str) -> Pod {
    let pin = Requirement { key: "metadata.name".to_owned(), operator: Operator::In, values: vec![node.to_owned()] };
    let term = NodeTerm { expressions: Vec::new(), fields: vec![pin], broken: false };
    Pod { required_nodes: Some(vec![term]), ..pod.clone() }
}
