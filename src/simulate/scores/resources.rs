//! NodeResourcesFit (LeastAllocated over cpu and memory, weight 1) and NodeResourcesBalancedAllocation (weight 1).

use super::MAX;
use crate::model::Version;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;
use crate::simulate::state::NodeInfo;

/// Both scores of a node.
pub fn score(pod: &Pod, node: &Node, info: &NodeInfo, version: Version) -> i64 {
    least_allocated(pod, node, info) + if pod.is_best_effort() { 0 } else { balanced(pod, node, info, version) }
}

/// The share that is left free, in percent, averaged over cpu and memory.
fn least_allocated(pod: &Pod, node: &Node, info: &NodeInfo) -> i64 {
    let scored = &pod.requests.scored;
    let parts = [
        (info.nonzero.cpu.saturating_add(scored.cpu), node.allocatable.cpu),
        (info.nonzero.memory.saturating_add(scored.memory), node.allocatable.memory),
    ];
    let (mut sum, mut weights) = (0, 0);
    for (requested, capacity) in parts.into_iter().filter(|(_, capacity)| *capacity != 0) {
        if requested <= capacity {
            // Wider than Go's product, which is exact up to 2^63 / 100 bytes.
            sum += (i128::from(capacity - requested) * i128::from(MAX) / i128::from(capacity)) as i64;
        }
        weights += 1;
    }
    if weights == 0 { 0 } else { sum / weights }
}

/// How evenly cpu and memory are used; since 1.36 what the pod changes about it.
fn balanced(pod: &Pod, node: &Node, info: &NodeInfo, version: Version) -> i64 {
    let (want, have, used) = (&pod.requests.actual, &node.allocatable, &info.used);
    let with = evenness([
        (used.cpu.saturating_add(want.cpu), have.cpu),
        (used.memory.saturating_add(want.memory), have.memory),
    ]);
    if version < Version::new(1, 36) {
        return with;
    }
    let without = evenness([(used.cpu, have.cpu), (used.memory, have.memory)]);
    MAX / 2 + (MAX / 2 + with - without) / 2
}

fn evenness(parts: [(i64, i64); 2]) -> i64 {
    let share = |(requested, capacity): (i64, i64)| (requested as f64 / capacity as f64).min(1.0);
    let deviation = match parts {
        [a, b] if a.1 != 0 && b.1 != 0 => ((share(a) - share(b)) / 2.0).abs(),
        _ => 0.0,
    };
    ((1.0 - deviation) * MAX as f64) as i64
}
