//! NodeUnschedulable: cordoned nodes.

use super::Rejection;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

const TAINT: &str = "node.kubernetes.io/unschedulable";

pub fn filter(pod: &Pod, node: &Node) -> Option<Rejection> {
    let tolerated = || pod.tolerations.iter().any(|toleration| toleration.tolerates(TAINT, "", "NoSchedule"));
    (node.unschedulable && !tolerated()).then(|| Rejection::unresolvable("node(s) were unschedulable"))
}
