//! PodTopologySpread (weight 2): soft constraints, the pod's own or the scheduler's defaults.

use std::collections::BTreeSet;

use super::MAX;
use crate::simulate::cycle::Cycle;
use crate::simulate::filters::pod_topology_spread::Constraint;
use crate::simulate::nodes::HOSTNAME;
use crate::simulate::topology::NO_DOMAIN;

pub fn scores(cycle: &Cycle, feasible: &[usize]) -> Vec<i64> {
    let spreading = &cycle.spreading;
    if spreading.soft.is_empty() {
        return Vec::new();
    }
    let domain = |constraint: &Constraint, node: u32| {
        let counter = cycle.counters.get(constraint.counter);
        counter.and_then(|counter| counter.domains.of.get(node as usize).copied()).unwrap_or(NO_DOMAIN)
    };
    let lacks = |node: u32| spreading.soft.iter().any(|constraint| domain(constraint, node) == NO_DOMAIN);
    let nodes: Vec<u32> = feasible.iter().map(|position| cycle.nodes[*position]).collect();
    let ignored: Vec<bool> = nodes.iter().map(|node| spreading.require_all && lacks(*node)).collect();
    let considered = || nodes.iter().zip(&ignored).filter(|(_, ignored)| !**ignored).map(|(node, _)| *node);
    let weights: Vec<f64> = spreading
        .soft
        .iter()
        .map(|constraint| {
            let size = if constraint.spread.key == HOSTNAME {
                considered().count()
            } else {
                considered().map(|node| domain(constraint, node)).collect::<BTreeSet<u32>>().len()
            };
            ((size + 2) as f64).ln()
        })
        .collect();
    let raw = |node: u32| {
        let mut score = 0.0;
        for (constraint, weight) in spreading.soft.iter().zip(&weights) {
            if let Some(count) = cycle.counters.get(constraint.counter).and_then(|counter| counter.at(node)) {
                score += count as f64 * weight + (constraint.spread.max_skew - 1) as f64;
            }
        }
        score.round() as i64
    };
    let raw: Vec<Option<i64>> =
        nodes.iter().zip(&ignored).map(|(node, ignored)| (!ignored).then(|| raw(*node))).collect();
    let lowest = raw.iter().flatten().copied().min().unwrap_or(0);
    let highest = raw.iter().flatten().copied().max().unwrap_or(0);
    let normal = |score: &Option<i64>| match score {
        None => 0,
        Some(_) if highest == 0 => MAX,
        Some(score) => MAX * (highest + lowest - score) / highest,
    };
    raw.iter().map(normal).collect()
}
