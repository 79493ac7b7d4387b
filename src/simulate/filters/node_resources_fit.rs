//! NodeResourcesFit: room for one more pod with these requests.

use std::borrow::Cow;

use super::Rejection;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;
use crate::simulate::state::NodeInfo;

pub fn filter(pod: &Pod, node: &Node, info: &NodeInfo) -> Option<Rejection> {
    let (want, have, used) = (&pod.requests.actual, &node.allocatable, &info.used);
    let mut out = Rejection { unresolvable: false, reasons: Vec::new() };
    if info.pods.len() as i64 + 1 > node.max_pods {
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
