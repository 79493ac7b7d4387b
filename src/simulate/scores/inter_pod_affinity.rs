//! InterPodAffinity (weight 2): preferred terms, the pod's own and those of others.

use super::{MAX, Spot};
use crate::simulate::filters::inter_pod_affinity::Affinities;

pub fn scores(affinities: &Affinities, spots: &[Spot<'_>]) -> Vec<i64> {
    if affinities.preferred.is_empty() {
        return Vec::new();
    }
    let sum = |spot: &Spot<'_>| -> i64 {
        let each = affinities.preferred.iter();
        each.filter_map(|(weight, slot)| Some(weight * spot.places[*slot].at()?)).sum()
    };
    let raw: Vec<i64> = spots.iter().map(sum).collect();
    let lowest = raw.iter().copied().min().unwrap_or(0);
    let range = raw.iter().copied().max().unwrap_or(0) - lowest;
    let share = |score: &i64| match range {
        0 => 0,
        range => (MAX as f64 * ((score - lowest) as f64 / range as f64)) as i64,
    };
    raw.iter().map(share).collect()
}
