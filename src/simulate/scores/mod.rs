//! The scheduler's scores, one file each, with its weights and its arithmetic (default profile, Kubernetes 1.36).

pub mod image_locality;
pub mod inter_pod_affinity;
pub mod node_affinity;
pub mod pod_topology_spread;
pub mod resources;
pub mod taint_toleration;

use super::cycle::Cycle;
use super::nodes::Node;
use super::pod::Pod;

/// The best that a node can get from one plugin.
pub const MAX: i64 = 100;

/// Scores that depend on pod and node alone, before normalising; by position among the nodes looked at.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Taints that would rather not have the pod; empty where no node has one.
    pub taints: Vec<i64>,
    /// Weights of preferred node affinity; empty without preferences.
    pub affinity: Vec<i64>,
    /// Empty where no node lists images.
    pub images: Vec<i64>,
}

impl Fixed {
    pub fn new(pod: &Pod, all: &[Node], nodes: &[u32]) -> Fixed {
        if nodes.len() < 2 {
            return Fixed::default();
        }
        let each = |score: &dyn Fn(&Node) -> i64| nodes.iter().map(|node| score(&all[*node as usize])).collect();
        let mut out = Fixed::default();
        if all.iter().any(|node| node.taints.iter().any(|taint| !taint.repels())) {
            out.taints = each(&|node| taint_toleration::score(pod, node));
        }
        if !pod.preferred_nodes.is_empty() {
            out.affinity = each(&|node| node_affinity::score(pod, node));
        }
        if all.iter().any(|node| !node.images.is_empty()) {
            let images = image_locality::Images::new(pod, all);
            out.images = each(&|node| images.score(pod, node));
        }
        out
    }
}

/// Total score by place in `feasible`, which holds positions among the cycle's nodes.
pub fn total(cycle: &Cycle, feasible: &[usize]) -> Vec<i64> {
    let mut out: Vec<i64> = feasible.iter().map(|position| cycle.resource_scores[*position]).collect();
    let pick = |scores: &[i64]| -> Vec<i64> { feasible.iter().filter_map(|at| scores.get(*at).copied()).collect() };
    let mut add =
        |weight: i64, scores: &[i64]| out.iter_mut().zip(scores).for_each(|(sum, score)| *sum += weight * score);
    let taints = match cycle.fixed_scores.taints.as_slice() {
        [] => vec![MAX; feasible.len()],
        taints => normalize(pick(taints), true),
    };
    add(3, &taints);
    add(2, &normalize(pick(&cycle.fixed_scores.affinity), false));
    add(1, &pick(&cycle.fixed_scores.images));
    add(2, &pod_topology_spread::scores(cycle, feasible));
    add(2, &inter_pod_affinity::scores(cycle, feasible));
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
