//! InterPodAffinity (weight 2): preferred terms, the pod's own and those of others.

use super::MAX;
use crate::simulate::cycle::Cycle;

pub fn scores(cycle: &Cycle, feasible: &[usize]) -> Vec<i64> {
    if cycle.affinities.preferred.is_empty() {
        return Vec::new();
    }
    let counters = cycle.affinities.preferred.iter().filter_map(|(_, slot)| cycle.counters.get(*slot));
    let raw = |position: &usize| counters.clone().filter_map(|counter| counter.at(cycle.nodes[*position])).sum::<i64>();
    let raw: Vec<i64> = feasible.iter().map(raw).collect();
    let lowest = raw.iter().copied().min().unwrap_or(0);
    let range = raw.iter().copied().max().unwrap_or(0) - lowest;
    let share = |score: &i64| match range {
        0 => 0,
        range => (MAX as f64 * ((score - lowest) as f64 / range as f64)) as i64,
    };
    raw.iter().map(share).collect()
}
