//! DaemonSets: one pod for each node that the controller finds fit, pinned to it
//! (`NodeShouldRunDaemonPod` in `pkg/controller/daemon/daemon_controller.go`).

use std::sync::Arc;

use super::pods::workload;
use super::{Expansion, Input, Replica, Template, compile, name_claims};
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
    let (mut pod, rejected) = compile(input, template);
    pod.tolerations.extend(TOLERATED.iter().map(|(key, effect)| Toleration::of(key, effect)));
    if template.spec.get_bool("hostNetwork") {
        pod.tolerations.push(Toleration::of("node.kubernetes.io/network-unavailable", "NoSchedule"));
    }
    let fit: Vec<&Node> = input.nodes.iter().filter(|node| runs_on(&pod, node)).collect();
    for (index, node) in fit.iter().enumerate() {
        let name = format!("{}-{index}", input.name);
        let one = Arc::new(name_claims(pinned(&pod, &node.name), &name));
        let rejected = rejected.as_ref().map(|why| format!("pods \"{}-\" is forbidden: {why}", input.name));
        out.replicas.push(Replica {
            name,
            workload: out.workloads.len(),
            pod: one,
            rejected,
            unknown: None,
            after: None,
            started: None,
        });
    }
    out.workloads.push(workload(input, Arc::new(pod), fit.len() as i64, template.path, None));
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
