//! TaintToleration: the first taint that keeps pods off and that the pod does not tolerate.

use super::Rejection;
use crate::model::Version;
use crate::simulate::nodes::{Node, Taint};
use crate::simulate::pod::{Pod, Toleration};

pub fn filter(pod: &Pod, node: &Node, version: Version) -> Option<Rejection> {
    let taint = untolerated(pod, node)?;
    // In 1.34 since 1.34.2.
    if version >= Version::new(1, 34) {
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

/// Seconds until a pod that runs is evicted for taints of effect NoExecute; `None` where it stays. Of each taint the first
/// toleration counts (`processPodOnNode` in `pkg/controller/tainteviction/taint_eviction.go`, Kubernetes 1.36).
pub fn evicts_after(pod: &Pod, node: &Node) -> Option<u64> {
    let mut soonest = None;
    for taint in node.taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let tolerates = |one: &&Toleration| one.tolerates(&taint.key, &taint.value, &taint.effect);
        let Some(toleration) = pod.tolerations.iter().find(tolerates) else { return Some(0) };
        if let Some(seconds) = toleration.seconds {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            soonest = Some(soonest.map_or(seconds, |other: u64| other.min(seconds)));
        }
    }
    soonest
}
