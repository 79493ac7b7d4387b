//! NodeResourcesFit: room for one more pod with these requests.

use std::borrow::Cow;

use super::Rejection;
use crate::simulate::node_info::{Held, NodeInfo};
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;
use crate::simulate::resources::Resources;

pub fn filter(pod: &Pod, node: &Node, info: &NodeInfo) -> Option<Rejection> {
    reasons(pod, node, info.pods.len(), &info.used)
}

/// The same for what is used by that many pods.
pub fn reasons(pod: &Pod, node: &Node, pods: usize, used: &Resources) -> Option<Rejection> {
    let (want, have) = (&pod.requests.actual, &node.allocatable);
    let mut out = Rejection { unresolvable: false, reasons: Vec::new() };
    if pods as i64 + 1 > node.max_pods {
        out.reasons.push(Cow::Borrowed("Too many pods"));
    }
    let mut check = |want: i64, have: i64, used: i64, name: &dyn Fn() -> Cow<'static, str>| {
        if want > 0 && want > have.saturating_sub(used) {
            out.reasons.push(name());
            out.unresolvable |= want > have;
        }
    };
    check(want.cpu, have.cpu, used.cpu, &|| Cow::Borrowed("Insufficient cpu"));
    check(want.memory, have.memory, used.memory, &|| Cow::Borrowed("Insufficient memory"));
    check(want.ephemeral, have.ephemeral, used.ephemeral, &|| Cow::Borrowed("Insufficient ephemeral-storage"));
    for (name, amount) in &want.scalars {
        check(*amount, have.scalar(name), used.scalar(name), &|| Cow::Owned(format!("Insufficient {name}")));
    }
    (!out.reasons.is_empty()).then_some(out)
}

/// What is left on a node: pods, cpu, memory and ephemeral storage; each may be below zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Left([i64; 4]);

impl Left {
    pub fn new(node: &Node, pods: usize, used: &Resources) -> Left {
        let have = &node.allocatable;
        Left([
            node.max_pods.saturating_sub(pods as i64),
            have.cpu.saturating_sub(used.cpu),
            have.memory.saturating_sub(used.memory),
            have.ephemeral.saturating_sub(used.ephemeral),
        ])
    }

    /// Picks each number of two.
    pub fn each(&self, other: &Left, pick: fn(i64, i64) -> i64) -> Left {
        Left(std::array::from_fn(|at| pick(self.0[at], other.0[at])))
    }

    /// The same when some pods are gone.
    pub fn without(&self, held: &Held) -> Left {
        Left(std::array::from_fn(|at| self.0[at].saturating_add(held.0[at])))
    }

    /// A bit for each of the four that is short; [`reasons`] says it in words, and looks at other resources too.
    pub fn short(&self, pod: &Pod) -> usize {
        let want = &pod.requests.actual;
        let want = [1, want.cpu, want.memory, want.ephemeral];
        (0..4).map(|at| usize::from(want[at] > 0 && want[at] > self.0[at]) << at).sum()
    }
}
