//! InterPodAffinity: pods that want to be near others, or apart from them.

use super::Rejection;
use crate::simulate::cluster::Cluster;
use crate::simulate::labels::Labels;
use crate::simulate::nodes::Node;
use crate::simulate::pod::{Pod, PodTerm};
use crate::simulate::topology::{Counter, Delta, Topology};

/// Weight of another pod's required affinity in scores (`hardPodAffinityWeight`).
const HARD_WEIGHT: i64 = 1;

/// Counters by label.
pub type ByKey = Vec<(String, usize)>;

/// What is counted for a pod, by label of the nodes.
#[derive(Clone, Debug, Default)]
pub struct Affinities {
    /// Pods that match all its required affinity terms.
    pub near: ByKey,
    /// Pods that match one of its required anti-affinity terms.
    pub apart: ByKey,
    /// Required anti-affinity terms of other pods that match it.
    pub repelled: ByKey,
    /// Weights of preferred terms, its own and those of others.
    pub preferred: ByKey,
    /// It matches its own affinity terms, so that the first of a group can be placed.
    matches_itself: bool,
    /// Labels of its namespace.
    namespace: Labels,
}

pub fn prepare(
    pod: &Pod,
    cluster: &Cluster,
    nodes: &[Node],
    topology: &mut Topology,
    counters: &mut Vec<Counter>,
) -> Affinities {
    let namespace = cluster.namespace(&pod.namespace);
    let matches_itself =
        !pod.affinity.is_empty() && pod.affinity.iter().all(|term| term.matches_existing(pod, &namespace));
    let mut out = Affinities { matches_itself, namespace, ..Affinities::default() };
    for term in &pod.affinity {
        slot(&mut out.near, &term.key, nodes, topology, counters);
    }
    for term in &pod.anti_affinity {
        slot(&mut out.apart, &term.key, nodes, topology, counters);
    }
    out
}

/// The counter of a label, made where it is new.
fn slot(by_key: &mut ByKey, key: &str, nodes: &[Node], topology: &mut Topology, counters: &mut Vec<Counter>) -> usize {
    if let Some((_, counter)) = by_key.iter().find(|(known, _)| known == key) {
        return *counter;
    }
    counters.push(Counter::new(topology.domains(nodes, key), None));
    by_key.push((key.to_owned(), counters.len() - 1));
    counters.len() - 1
}

/// What a pod on a node adds to the counters.
pub fn deltas(
    affinities: &mut Affinities,
    pod: &Pod,
    other: &Pod,
    cluster: &Cluster,
    nodes: &[Node],
    topology: &mut Topology,
    counters: &mut Vec<Counter>,
) -> Vec<Delta> {
    let theirs = cluster.namespace(&other.namespace);
    let ours = affinities.namespace.clone();
    let mut out = Vec::new();
    let mut push = |counter, weight| out.push(Delta { counter, weight, dry_run_only: false });
    if !pod.affinity.is_empty() && pod.affinity.iter().all(|term| term.matches_existing(other, &theirs)) {
        affinities.near.iter().for_each(|(_, counter)| push(*counter, 1));
    }
    for term in pod.anti_affinity.iter().filter(|term| term.matches_existing(other, &theirs)) {
        push(slot(&mut affinities.apart, &term.key, nodes, topology, counters), 1);
    }
    for term in other.anti_affinity.iter().filter(|term| term.matches(pod, &ours)) {
        push(slot(&mut affinities.repelled, &term.key, nodes, topology, counters), 1);
    }
    let hard = other.affinity.iter().map(|term| (HARD_WEIGHT, term));
    let soft = other.preferred_pods.iter().map(|(weight, term)| (*weight, term));
    let from_them = hard.chain(soft).filter(|(_, term)| term.matches(pod, &ours));
    let from_us = pod.preferred_pods.iter().map(|(weight, term)| (*weight, term));
    let from_us = from_us.filter(|(_, term)| term.matches_existing(other, &theirs));
    let weights: Vec<(i64, &PodTerm)> = from_us.chain(from_them).collect();
    for (weight, term) in weights {
        push(slot(&mut affinities.preferred, &term.key, nodes, topology, counters), weight);
    }
    out
}

pub fn filter(affinities: &Affinities, counters: &[Counter], node: u32) -> Option<Rejection> {
    let at = |slot: usize| counters.get(slot).and_then(|counter| counter.at(node));
    let near = || affinities.near.iter().map(|(_, slot)| at(*slot));
    let any_label_missing = near().any(|count| count.is_none());
    let all_near = near().flatten().all(|count| count > 0);
    let nobody =
        || affinities.near.iter().all(|(_, slot)| counters.get(*slot).is_none_or(|counter| counter.total == 0));
    if any_label_missing || !(all_near || (affinities.matches_itself && nobody())) {
        return Some(Rejection::unresolvable("node(s) didn't match pod affinity rules"));
    }
    if affinities.apart.iter().any(|(_, slot)| at(*slot).is_some_and(|count| count > 0)) {
        return Some(Rejection::resolvable("node(s) didn't match pod anti-affinity rules"));
    }
    let repelled = affinities.repelled.iter().any(|(_, slot)| at(*slot).is_some_and(|count| count > 0));
    repelled.then(|| Rejection::resolvable("node(s) didn't satisfy existing pods anti-affinity rules"))
}
