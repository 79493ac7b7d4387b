//! TaintToleration: the first taint that keeps pods off and that the pod does not tolerate.

use super::Rejection;
use crate::model::Version;
use crate::simulate::nodes::{Node, Taint};
use crate::simulate::pod::Pod;

pub fn filter(pod: &Pod, node: &Node, version: Version) -> Option<Rejection> {
    let taint = untolerated(pod, node)?;
    if version >= Version::new(1, 35) {
        return Some(Rejection::unresolvable("node(s) had untolerated taint(s)"));
    }
    Some(Rejection::unresolvable(format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value)))
}

/// The first taint that keeps the pod off the node.
pub fn untolerated<'a>(pod: &Pod, node: &'a Node) -> Option<&'a Taint> {
    node.taints.iter().filter(|taint| taint.repels()).find(|taint| !tolerates(pod, taint))
}

/// Whether the pod tolerates a taint.
pub fn tolerates(pod: &Pod, taint: &Taint) -> bool {
    pod.tolerations.iter().any(|toleration| toleration.tolerates(&taint.key, &taint.value, &taint.effect))
}

/// Whether a pod that runs is evicted at once, for a taint of effect NoExecute
/// (`processPodOnNode` in `pkg/controller/tainteviction/taint_eviction.go`, Kubernetes 1.36).
pub fn evicts(pod: &Pod, node: &Node) -> bool {
    node.taints.iter().any(|taint| taint.effect == "NoExecute" && !tolerates(pod, taint))
}
