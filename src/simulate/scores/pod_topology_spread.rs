//! PodTopologySpread (weight 2): soft constraints, the pod's own or the scheduler's defaults.

use super::MAX;
use crate::simulate::cycle::Cycle;
use crate::simulate::filters::pod_topology_spread::Constraint;
use crate::simulate::nodes::HOSTNAME;
use crate::simulate::topology::{Counter, NO_DOMAIN};

pub fn scores(cycle: &Cycle, feasible: &[usize]) -> Vec<i64> {
    let spreading = &cycle.spreading;
    let counted: Option<Vec<(&Constraint, &Counter)>> =
        spreading.soft.iter().map(|constraint| Some((constraint, cycle.counters.get(constraint.counter)?))).collect();
    let Some(counted) = counted.filter(|counted| !counted.is_empty()) else {
        return Vec::new();
    };
    let nodes: Vec<u32> = feasible.iter().map(|position| cycle.nodes[*position]).collect();
    let lacks = |node: &u32| counted.iter().any(|(_, counter)| domain(counter, *node) == NO_DOMAIN);
    let ignored: Vec<bool> = match spreading.require_all {
        true => nodes.iter().map(lacks).collect(),
        false => vec![false; nodes.len()],
    };
    let mut sums = vec![0.0; nodes.len()];
    for (constraint, counter) in counted {
        let weight = ((size(constraint, counter, &nodes, &ignored) + 2) as f64).ln();
        let base = (constraint.spread.max_skew - 1) as f64;
        for (sum, node) in sums.iter_mut().zip(&nodes) {
            if let Some(count) = counter.at(*node) {
                *sum += count as f64 * weight + base;
            }
        }
    }
    normalize(&sums, &ignored)
}

fn domain(counter: &Counter, node: u32) -> u32 {
    counter.domains.of.get(node as usize).copied().unwrap_or(NO_DOMAIN)
}

/// Domains among the nodes that count; nodes without the label are one more.
fn size(constraint: &Constraint, counter: &Counter, nodes: &[u32], ignored: &[bool]) -> usize {
    let considered = nodes.iter().zip(ignored).filter(|(_, ignored)| !**ignored).map(|(node, _)| *node);
    if constraint.spread.key == HOSTNAME {
        return considered.count();
    }
    let mut seen = vec![false; counter.domains.count + 1];
    for node in considered {
        let at = (domain(counter, node) as usize).min(counter.domains.count);
        seen[at] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

/// The fewest pods become 100.
fn normalize(sums: &[f64], ignored: &[bool]) -> Vec<i64> {
    let mut raw: Vec<i64> = sums.iter().map(|sum| sum.round() as i64).collect();
    let considered = || raw.iter().zip(ignored).filter(|(_, ignored)| !**ignored).map(|(score, _)| *score);
    let lowest = considered().min().unwrap_or(0);
    let highest = considered().max().unwrap_or(0);
    for (score, ignored) in raw.iter_mut().zip(ignored) {
        *score = match (ignored, highest) {
            (true, _) => 0,
            (false, 0) => MAX,
            (false, highest) => MAX * (highest + lowest - *score) / highest,
        };
    }
    raw
}
