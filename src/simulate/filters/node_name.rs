//! NodeName: a pod that names its node. Such a pod bypasses the scheduler, so this speaks only in what-ifs.

use super::Rejection;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

pub fn filter(pod: &Pod, node: &Node) -> Option<Rejection> {
    let other = pod.node_name.as_ref().is_some_and(|name| *name != node.name);
    other.then(|| Rejection::unresolvable("node(s) didn't match the requested node name"))
}
