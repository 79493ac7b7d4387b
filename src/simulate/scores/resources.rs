//! NodeResourcesFit (LeastAllocated over cpu and memory, weight 1) and NodeResourcesBalancedAllocation (weight 1).

use super::MAX;
use crate::model::Version;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

/// What the scores look at on a node: cpu in thousandths of a core and bytes of memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    pub capacity: [i64; 2],
    pub used: [i64; 2],
    /// Containers without requests counted as small ones.
    pub nonzero: [i64; 2],
    /// How evenly both are used now, 0 to 100.
    pub evenness: i64,
}

impl Room {
    pub fn new(node: &Node, used: (i64, i64), nonzero: (i64, i64)) -> Room {
        let capacity = [node.allocatable.cpu, node.allocatable.memory];
        let used = [used.0, used.1];
        Room { capacity, used, nonzero: [nonzero.0, nonzero.1], evenness: evenness(used, capacity) }
    }
}

/// Both scores of a node.
pub fn score(pod: &Pod, room: &Room, version: Version) -> i64 {
    least_allocated(pod, room) + if pod.is_best_effort() { 0 } else { balanced(pod, room, version) }
}

/// The share that is left free, in percent, averaged over cpu and memory.
fn least_allocated(pod: &Pod, room: &Room) -> i64 {
    let scored = [pod.requests.scored.cpu, pod.requests.scored.memory];
    let (mut sum, mut weights) = (0, 0);
    for ((nonzero, scored), capacity) in room.nonzero.iter().zip(scored).zip(room.capacity) {
        let requested = nonzero.saturating_add(scored);
        if capacity == 0 {
            continue;
        }
        if requested <= capacity {
            sum += percent(capacity.saturating_sub(requested), capacity);
        }
        weights += 1;
    }
    match weights {
        2 => sum / 2,
        _ => sum,
    }
}

/// `part * 100 / whole` in whole numbers.
fn percent(part: i64, whole: i64) -> i64 {
    // Up to here a quotient that is no whole number is farther from one than it can be rounded.
    const EXACT: i64 = 1 << 44;
    if part < EXACT && whole < EXACT {
        return ((part * MAX) as f64 / whole as f64) as i64;
    }
    // Wider than Go's product, which is exact up to 2^63 / 100 bytes.
    (i128::from(part) * i128::from(MAX) / i128::from(whole)) as i64
}

/// How evenly cpu and memory are used; since 1.36 what the pod changes about it.
fn balanced(pod: &Pod, room: &Room, version: Version) -> i64 {
    let want = &pod.requests.actual;
    let used = [room.used[0].saturating_add(want.cpu), room.used[1].saturating_add(want.memory)];
    let with = evenness(used, room.capacity);
    if version < Version::new(1, 36) {
        return with;
    }
    MAX / 2 + (MAX / 2 + with - room.evenness) / 2
}

fn evenness(used: [i64; 2], capacity: [i64; 2]) -> i64 {
    let share = |at: usize| (used[at] as f64 / capacity[at] as f64).min(1.0);
    let deviation = if capacity[0] != 0 && capacity[1] != 0 { ((share(0) - share(1)) / 2.0).abs() } else { 0.0 };
    ((1.0 - deviation) * MAX as f64) as i64
}
