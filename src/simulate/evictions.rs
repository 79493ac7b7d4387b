//! Pods that leave their nodes for taints of effect NoExecute: at once, or when they have tolerated them for as long as they
//! say (`pkg/controller/tainteviction/taint_eviction.go`, Kubernetes 1.36).

use std::collections::{BTreeMap, HashSet};

use super::expand::Expansion;
use super::filters::taint_toleration::evicts_after;
use super::losses::{daemons, movable, move_to_best};
use super::placement::{Eviction, Verdict};
use super::queue::Outcome;
use super::state::State;

/// What is driven off, node by node and by time.
pub fn run(state: &mut State, expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Eviction> {
    let mut out = at_once(state, expansion, outcomes);
    out.extend(later(state, expansion, outcomes));
    out
}

/// What was driven off before anything else happened, and has been placed with the set.
fn at_once(state: &State, expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Eviction> {
    let waits = |outcome: &Outcome| outcome.verdict == Verdict::Pending && outcome.placed.is_none();
    let displaced = expansion.replicas.iter().zip(outcomes).filter(|(replica, _)| replica.early);
    let waiting: HashSet<String> =
        displaced.filter(|(_, outcome)| waits(outcome)).map(|(replica, _)| replica.full_name()).collect();
    let mut pods: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (node, name) in &expansion.evicted {
        pods.entry(*node).or_default().push(name.clone());
    }
    let each = pods.into_iter().map(|(node, pods)| Eviction {
        node: state.nodes[node as usize].name.clone(),
        after: 0,
        pending: pods.iter().filter(|pod| waiting.contains(*pod)).cloned().collect(),
        pods,
    });
    each.collect()
}

/// What runs now and will not for ever.
fn later(state: &mut State, expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Eviction> {
    let tainted = |at: &u32| state.nodes[*at as usize].taints.iter().any(|taint| taint.effect == "NoExecute");
    let nodes: Vec<u32> = (0..state.nodes.len() as u32).filter(tainted).collect();
    if nodes.is_empty() {
        return Vec::new();
    }
    let stay = daemons(expansion, outcomes);
    let mut out = Vec::new();
    for node in nodes {
        let mut by_time: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        let here = movable(state, node, &stay).into_iter().filter(|(_, class, _)| !state.pod(*class).terminating);
        for pod in here {
            if let Some(after) = evicts_after(state.pod(pod.1), &state.nodes[node as usize]) {
                by_time.entry(after).or_default().push(pod);
            }
        }
        let mark = state.mark();
        for (after, pods) in by_time {
            pods.iter().for_each(|(id, _, _)| state.remove(*id));
            let finds_none = |(_, class, name): &&(_, _, _)| !move_to_best(state, *class, name);
            let pending = pods.iter().filter(finds_none).map(|(_, _, name)| name.to_string()).collect();
            let pods = pods.iter().map(|(_, _, name)| name.to_string()).collect();
            out.push(Eviction { node: state.nodes[node as usize].name.clone(), after, pods, pending });
        }
        state.rollback(mark);
    }
    out
}
