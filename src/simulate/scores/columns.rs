//! The scores for resources of many nodes at once: the same arithmetic as in `resources`, laid out so that the processor
//! takes several nodes at a time.

use super::MAX;
use super::resources::{self, Room};
use crate::model::Version;
use crate::simulate::pod::Pod;

/// Up to here all numbers and their hundredfold are exact in a float.
const EXACT: i64 = 1 << 44;

/// Rooms, and the same as columns.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub all: Vec<Room>,
    /// Of cpu and memory: what there is, what is used, and what is used as scores count it.
    capacity: [Vec<f64>; 2],
    used: [Vec<f64>; 2],
    nonzero: [Vec<f64>; 2],
    /// How evenly both are used now.
    evenness: Vec<f64>,
    /// Rooms that the columns cannot hold: larger than [`EXACT`], or without cpu or memory.
    odd: Vec<bool>,
    any_odd: bool,
}

impl Columns {
    pub fn resize(&mut self, count: usize) {
        self.all.resize(count, Room::default());
        for columns in [&mut self.capacity, &mut self.used, &mut self.nonzero] {
            columns.iter_mut().for_each(|column| column.resize(count, 1.0));
        }
        self.evenness.resize(count, 0.0);
        self.odd.resize(count, false);
    }

    pub fn set(&mut self, at: usize, room: Room) {
        for resource in 0..2 {
            self.capacity[resource][at] = room.capacity[resource] as f64;
            self.used[resource][at] = room.used[resource] as f64;
            self.nonzero[resource][at] = room.nonzero[resource] as f64;
        }
        self.evenness[at] = room.evenness as f64;
        let fits = |amount: &i64| (0..EXACT).contains(amount);
        let numbers = room.capacity.iter().chain(&room.used).chain(&room.nonzero);
        self.odd[at] = room.capacity.contains(&0) || !numbers.into_iter().all(fits);
        self.any_odd |= self.odd[at];
        self.all[at] = room;
    }

    /// The scores of all rooms for a pod.
    pub fn score_all(&self, pod: &Pod, version: Version, out: &mut [f32]) {
        let requests = &pod.requests;
        let wanted = [requests.actual.cpu, requests.actual.memory, requests.scored.cpu, requests.scored.memory];
        if version < Version::new(1, 36) || !wanted.iter().all(|amount| (0..EXACT).contains(amount)) {
            for (out, room) in out.iter_mut().zip(&self.all) {
                *out = resources::score(pod, room, version) as f32;
            }
            return;
        }
        let [cpu, memory, scored_cpu, scored_memory] = wanted.map(|amount| amount as f64);
        let balances = if pod.is_best_effort() { 0.0 } else { 1.0 };
        let count = out.len();
        let [capacity_cpu, capacity_memory] = [&self.capacity[0][..count], &self.capacity[1][..count]];
        let [used_cpu, used_memory] = [&self.used[0][..count], &self.used[1][..count]];
        let [nonzero_cpu, nonzero_memory] = [&self.nonzero[0][..count], &self.nonzero[1][..count]];
        let evenness = &self.evenness[..count];
        for at in 0..count {
            let free = |nonzero: f64, scored: f64, capacity: f64| {
                floor((capacity - nonzero - scored).max(0.0) * 100.0 / capacity)
            };
            let least = free(nonzero_cpu[at], scored_cpu, capacity_cpu[at])
                + free(nonzero_memory[at], scored_memory, capacity_memory[at]);
            let share = |used: f64, wanted: f64, capacity: f64| ((used + wanted) / capacity).min(1.0);
            let difference =
                share(used_cpu[at], cpu, capacity_cpu[at]) - share(used_memory[at], memory, capacity_memory[at]);
            let with = floor((1.0 - (difference / 2.0).abs()) * MAX as f64);
            // Half of a whole number that may be below zero, cut towards zero.
            let change = 50.0 + with - evenness[at];
            let half = floor(change.abs() / 2.0).copysign(change);
            out[at] = (floor(least / 2.0) + balances * (50.0 + half)) as f32;
        }
        if self.any_odd {
            for at in (0..count).filter(|at| self.odd[*at]) {
                out[at] = resources::score(pod, &self.all[at], version) as f32;
            }
        }
    }
}

/// The whole part of a number from 0 to 2^51, in steps that a processor does for several at once.
fn floor(number: f64) -> f64 {
    const WHOLE: f64 = (1i64 << 52) as f64;
    let near = (number + WHOLE) - WHOLE;
    near - if near > number { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simulate::nodes::Node;
    use crate::simulate::requests::{Amounts, Requests};
    use crate::simulate::resources::Resources;

    proptest! {
        #[test]
        fn columns_say_what_single_scores_say(
            have in prop::collection::vec((0i64..64_000, 0i64..1 << 46), 8),
            used in prop::collection::vec((0i64..70_000, 0i64..1 << 40), 8),
            want in (0i64..9000, 0i64..1 << 36),
            least in (0i64..9000, 0i64..1 << 36),
        ) {
            let actual = Resources { cpu: want.0, memory: want.1, ..Resources::default() };
            let scored = Amounts { cpu: least.0, memory: least.1 };
            let pod = Pod { requests: Requests { actual, nonzero: scored, scored }, ..Pod::default() };
            let mut columns = Columns::default();
            columns.resize(8);
            for (at, (have, used)) in have.iter().zip(&used).enumerate() {
                let node = Node { allocatable: Resources { cpu: have.0, memory: have.1, ..Resources::default() }, ..Node::default() };
                columns.set(at, Room::new(&node, *used, *used));
            }
            let mut scores = vec![0.0; 8];
            let version = Version::new(1, 36);
            columns.score_all(&pod, version, &mut scores);
            let single: Vec<f32> = columns.all.iter().map(|room| resources::score(&pod, room, version) as f32).collect();
            prop_assert_eq!(scores, single);
        }
    }
}
