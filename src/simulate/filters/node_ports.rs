//! NodePorts: host ports that another pod of the node holds.

use super::Rejection;
use crate::simulate::pod::{HostPort, Pod};

const ANY: &str = "0.0.0.0";

/// `taken` are the host ports of the pods on the node.
pub fn filter(pod: &Pod, taken: &[HostPort]) -> Option<Rejection> {
    let taken = pod.ports.iter().any(|port| taken.iter().any(|other| conflict(port, other)));
    taken.then(|| Rejection::resolvable("node(s) didn't have free ports for the requested pod ports"))
}

fn conflict(a: &HostPort, b: &HostPort) -> bool {
    a.port == b.port && a.protocol == b.protocol && (a.ip == b.ip || a.ip == ANY || b.ip == ANY)
}
