//! TaintToleration (weight 3): the fewer untolerated `PreferNoSchedule` taints, the better.

use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

/// Untolerated soft taints; tolerations of the other effects do not help here.
pub fn score(pod: &Pod, node: &Node) -> i64 {
    let soft = pod
        .tolerations
        .iter()
        .filter(|toleration| toleration.effect.is_empty() || toleration.effect == "PreferNoSchedule");
    let tolerated = |taint: &crate::simulate::nodes::Taint| {
        soft.clone().any(|toleration| toleration.tolerates(&taint.key, &taint.value, &taint.effect))
    };
    node.taints.iter().filter(|taint| taint.effect == "PreferNoSchedule" && !tolerated(taint)).count() as i64
}
