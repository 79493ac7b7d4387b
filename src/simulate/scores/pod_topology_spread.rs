//! PodTopologySpread (weight 2): soft constraints, the pod's own or the scheduler's defaults.

use super::{MAX, Spot};
use crate::simulate::filters::pod_topology_spread::{Constraint, Spreading};
use crate::simulate::topology::NO_DOMAIN;

pub fn scores(spreading: &Spreading, spots: &[Spot<'_>]) -> Vec<i64> {
    if spreading.soft.is_empty() {
        return Vec::new();
    }
    let lacks = |spot: &Spot<'_>| spreading.soft.iter().any(|one| spot.places[one.slot].domain == NO_DOMAIN);
    let ignored: Vec<bool> = spots.iter().map(|spot| spreading.require_all && lacks(spot)).collect();
    let mut sums = vec![0.0; spots.len()];
    for constraint in &spreading.soft {
        let weight = ((size(constraint, spots, &ignored) + 2) as f64).ln();
        let base = (constraint.max_skew - 1) as f64;
        for (sum, spot) in sums.iter_mut().zip(spots) {
            if let Some(count) = spot.places[constraint.slot].at() {
                *sum += count as f64 * weight + base;
            }
        }
    }
    normalize(&sums, &ignored)
}

/// Domains among the nodes that count; nodes without the label are one more.
fn size(constraint: &Constraint, spots: &[Spot<'_>], ignored: &[bool]) -> usize {
    let considered = spots.iter().zip(ignored).filter(|(_, ignored)| !**ignored).map(|(spot, _)| spot);
    if constraint.hosts {
        return considered.map(|spot| spot.nodes).sum();
    }
    let mut seen: Vec<u32> = considered.map(|spot| spot.places[constraint.slot].domain).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
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
