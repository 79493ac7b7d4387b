//! NodeResourcesFit (LeastAllocated over cpu and memory where nothing else is configured) and
//! NodeResourcesBalancedAllocation, weight 1 each.

use super::MAX;
use crate::model::Version;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;
use crate::simulate::schedulers::{Fit, Profile, ScoringStrategy};

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

    /// What is used, and the same as scores count it.
    pub fn amounts(&self) -> [i64; 4] {
        [self.used[0], self.used[1], self.nonzero[0], self.nonzero[1]]
    }

    /// Picks each number of two rooms of the same capacity.
    pub fn each(&self, other: &Room, pick: fn(i64, i64) -> i64) -> Room {
        let both = |a: [i64; 2], b: [i64; 2]| [pick(a[0], b[0]), pick(a[1], b[1])];
        let (used, nonzero) = (both(self.used, other.used), both(self.nonzero, other.nonzero));
        Room { capacity: self.capacity, used, nonzero, evenness: pick(self.evenness, other.evenness) }
    }
}

/// Both scores of a node.
pub fn score(pod: &Pod, room: &Room, version: Version) -> i64 {
    let Profile { weights, fit, .. } = pod.profile();
    let balance = if pod.is_best_effort() { 0 } else { balanced(pod, room, version) };
    weights.fit * allocation(pod, room, fit) + weights.balanced * balance
}

/// The lowest and the highest score that a room between two others can have: one with the least of every number, and
/// one with the most.
pub fn bounds(pod: &Pod, least: &Room, most: &Room, version: Version) -> (i64, i64) {
    if least.capacity.iter().any(|capacity| *capacity < 0) {
        return (i64::MIN / 4, i64::MAX / 4);
    }
    let Profile { weights, fit, .. } = pod.profile();
    let (low, high) = allocation_bounds(pod, least, most, fit);
    let (low, high) = (weights.fit * low, weights.fit * high);
    if pod.is_best_effort() {
        return (low, high);
    }
    let (uneven, even) = evenness_bounds(with(pod, least), with(pod, most), least.capacity);
    let (worst, best) = match version < Version::new(1, 36) {
        true => (uneven, even),
        false => (improvement(uneven, most.evenness), improvement(even, least.evenness)),
    };
    (low + weights.balanced * worst, high + weights.balanced * best)
}

/// The share that is left free (LeastAllocated) or used (MostAllocated), in percent, or what is made of it
/// (RequestedToCapacityRatio), averaged over cpu and memory.
fn allocation(pod: &Pod, room: &Room, fit: &Fit) -> i64 {
    let (mut sum, mut weights) = (0, 0);
    for at in (0..2).filter(|at| room.capacity[*at] != 0) {
        let (requested, capacity) = (requested(pod, room, at), room.capacity[at]);
        let share = match &fit.strategy {
            ScoringStrategy::MostAllocated => percent(requested.min(capacity), capacity),
            ScoringStrategy::LeastAllocated if requested <= capacity => {
                percent(capacity.saturating_sub(requested), capacity)
            }
            ScoringStrategy::LeastAllocated => 0,
            ScoringStrategy::RequestedToCapacityRatio(points) => {
                match on_line(points, percent(requested.min(capacity), capacity)) {
                    // What scores nothing is left out of the average.
                    0 => continue,
                    score => score,
                }
            }
        };
        sum += fit.weights[at] * share;
        weights += fit.weights[at];
    }
    match (weights, &fit.strategy) {
        (0, _) => 0,
        (weights, ScoringStrategy::RequestedToCapacityRatio(_)) => (sum as f64 / weights as f64).round() as i64,
        (weights, _) => sum / weights,
    }
}

/// What is requested of cpu (0) or memory (1) when the pod is there, as scores count it.
fn requested(pod: &Pod, room: &Room, at: usize) -> i64 {
    let scored = [pod.requests.scored.cpu, pod.requests.scored.memory];
    room.nonzero[at].saturating_add(scored[at])
}

/// The lowest and the highest of all that is requested between two bounds.
fn allocation_bounds(pod: &Pod, least: &Room, most: &Room, fit: &Fit) -> (i64, i64) {
    let (emptiest, fullest) = (allocation(pod, least, fit), allocation(pod, most, fit));
    let ScoringStrategy::RequestedToCapacityRatio(points) = &fit.strategy else {
        return (emptiest.min(fullest), emptiest.max(fullest));
    };
    if least.nonzero == most.nonzero {
        return (emptiest, emptiest);
    }
    let (mut low, mut high) = (MAX, 0);
    for at in (0..2).filter(|at| least.capacity[*at] != 0) {
        let capacity = least.capacity[at];
        let share = |room: &Room| percent(requested(pod, room, at).min(capacity), capacity);
        let (from, to) = (share(least), share(most));
        let between =
            points.iter().filter(|(utilization, _)| (from..=to).contains(utilization)).map(|(_, score)| *score);
        for score in between.chain([on_line(points, from), on_line(points, to)]) {
            (low, high) = (low.min(score), high.max(score));
        }
    }
    if low > high { (0, 0) } else { (low, high) }
}

/// The value of a broken line at a point (`BuildBrokenLinearFunction`).
fn on_line(points: &[(i64, i64)], at: i64) -> i64 {
    let next = points.partition_point(|(utilization, _)| *utilization < at);
    match (next.checked_sub(1).map(|before| points[before]), points.get(next)) {
        (Some((from, low)), Some((to, high))) => low + (high - low) * (at - from) / (to - from),
        (None, Some((_, score))) => *score,
        (Some((_, score)), None) => score,
        (None, None) => 0,
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
    let with = evenness(with(pod, room), room.capacity);
    if version < Version::new(1, 36) { with } else { improvement(with, room.evenness) }
}

fn improvement(with: i64, without: i64) -> i64 {
    MAX / 2 + (MAX / 2 + with - without) / 2
}

/// What is used when the pod is there.
fn with(pod: &Pod, room: &Room) -> [i64; 2] {
    let want = &pod.requests.actual;
    [room.used[0].saturating_add(want.cpu), room.used[1].saturating_add(want.memory)]
}

fn evenness(used: [i64; 2], capacity: [i64; 2]) -> i64 {
    let difference = share(used[0], capacity[0]) - share(used[1], capacity[1]);
    score_of((difference / 2.0).abs(), capacity)
}

/// The lowest and the highest of all that is used between two bounds.
fn evenness_bounds(least: [i64; 2], most: [i64; 2], capacity: [i64; 2]) -> (i64, i64) {
    let low = share(least[0], capacity[0]) - share(most[1], capacity[1]);
    let high = share(most[0], capacity[0]) - share(least[1], capacity[1]);
    let nearest = if low > 0.0 { low } else { high.min(0.0) };
    let farthest = low.abs().max(high.abs());
    (score_of((farthest / 2.0).abs(), capacity), score_of((nearest / 2.0).abs(), capacity))
}

fn share(used: i64, capacity: i64) -> f64 {
    (used as f64 / capacity as f64).min(1.0)
}

fn score_of(deviation: f64, capacity: [i64; 2]) -> i64 {
    let deviation = if capacity[0] != 0 && capacity[1] != 0 { deviation } else { 0.0 };
    ((1.0 - deviation) * MAX as f64) as i64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::simulate::nodes::Node;
    use crate::simulate::requests::{Amounts, Requests};
    use crate::simulate::resources::Resources;

    /// Cpu and memory; a tenth of all are far too much.
    fn amounts() -> impl Strategy<Value = (i64, i64)> {
        prop_oneof![9 => (0i64..9000, 0i64..1 << 36), 1 => (0..i64::MAX, 0..i64::MAX)]
    }

    proptest! {
        #[test]
        fn rooms_score_within_the_bounds_of_their_group(
            have in (0i64..8000, 0i64..1 << 36),
            used in prop::collection::vec((amounts(), amounts()), 1..6),
            want in amounts(),
            scored in amounts(),
            newest: bool,
            ratio: bool,
            shape in prop::collection::btree_map(0i64..=100, 0i64..=100, 1..5),
        ) {
            let version = if newest { Version::new(1, 36) } else { Version::new(1, 34) };
            let actual = Resources { cpu: want.0, memory: want.1, ..Resources::default() };
            let scored = Amounts { cpu: scored.0, memory: scored.1 };
            let strategy = match ratio {
                true => ScoringStrategy::RequestedToCapacityRatio(shape.into_iter().collect()),
                false => ScoringStrategy::LeastAllocated,
            };
            let profile = Some(Arc::new(Profile { fit: Fit { strategy, weights: [2, 1] }, ..Profile::default() }));
            let pod = Pod { requests: Requests { actual, nonzero: scored, scored, ..Requests::default() }, profile, ..Pod::default() };
            let node = Node { allocatable: Resources { cpu: have.0, memory: have.1, ..Resources::default() }, ..Node::default() };
            let rooms: Vec<Room> = used.iter().map(|(used, nonzero)| Room::new(&node, *used, *nonzero)).collect();
            let of_all = |pick| rooms[1..].iter().fold(rooms[0], |all, room| all.each(room, pick));
            let (low, high) = bounds(&pod, &of_all(i64::min), &of_all(i64::max), version);
            for room in &rooms {
                let score = score(&pod, room, version);
                prop_assert!((low..=high).contains(&score), "{score} is not between {low} and {high}");
            }
            let (low, high) = bounds(&pod, &rooms[0], &rooms[0], version);
            prop_assert_eq!(low, high);
        }
    }
}
