//! The scheduler's scores, one file each, with its weights and its arithmetic (Kubernetes 1.36).

pub mod image_locality;
pub mod inter_pod_affinity;
pub mod node_affinity;
pub mod pod_topology_spread;
pub mod resources;
pub mod taint_toleration;

use super::filters::inter_pod_affinity::Affinities;
use super::filters::pod_topology_spread::Spreading;
use super::nodes::Node;
use super::pod::Pod;
use super::schedulers::Weights;
use super::topology::Place;

/// The best that a node can get from one plugin.
pub const MAX: i64 = 100;

/// Scores that depend on pod and node alone, before normalising.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed {
    /// Taints that would rather not have the pod.
    pub taints: i64,
    /// Weights of preferred node affinity.
    pub affinity: i64,
    pub images: i64,
}

impl Fixed {
    pub fn new(pod: &Pod, node: &Node, images: &image_locality::Images) -> Fixed {
        Fixed {
            taints: taint_toleration::score(pod, node),
            affinity: node_affinity::score(pod, node),
            images: images.score(pod, node),
        }
    }
}

/// Nodes that passed the filters and are alike in all but what is requested of them.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// How many nodes it stands for.
    pub nodes: usize,
    pub fixed: Fixed,
    /// The pod's counters as these nodes see them.
    pub places: &'a [Place],
}

/// The scores of every spot that come on top of those for resources; they depend on which nodes passed the filters.
pub fn relative(weights: &Weights, spreading: &Spreading, affinities: &Affinities, spots: &[Spot<'_>]) -> Vec<i64> {
    let mut out: Vec<i64> = spots.iter().map(|spot| weights.images * spot.fixed.images).collect();
    let mut add =
        |weight: i64, scores: &[i64]| out.iter_mut().zip(scores).for_each(|(sum, score)| *sum += weight * score);
    add(weights.taints, &normalize(spots.iter().map(|spot| spot.fixed.taints).collect(), true));
    add(weights.node_affinity, &normalize(spots.iter().map(|spot| spot.fixed.affinity).collect(), false));
    add(weights.spread, &pod_topology_spread::scores(spreading, spots));
    add(weights.pod_affinity, &inter_pod_affinity::scores(affinities, spots));
    out
}

/// `DefaultNormalizeScore`: the highest becomes 100; `reverse` turns more into worse.
fn normalize(mut scores: Vec<i64>, reverse: bool) -> Vec<i64> {
    let highest = scores.iter().copied().max().unwrap_or(0);
    for score in &mut scores {
        let part = if highest == 0 { 0 } else { MAX * *score / highest };
        *score = if reverse { MAX - part } else { part };
    }
    scores
}
