//! What becomes of the pods when a node goes away or is drained, and when autoscalers go to their maximum.

use std::sync::Arc;

use super::cluster::Budget;
use super::engine::{self, Answer};
use super::expand::Expansion;
use super::placement::{Blocked, Drain, Loss, ScaleOut};
use super::preemption::NOT_STARTED;
use super::queue::Outcome;
use super::state::{Placed, PlacedId, State};

/// Beyond this many nodes, or pods times nodes, losses are left out of a run.
const MAX_NODES: usize = 50;
const MAX_WORK: usize = 200_000;

/// Losses and drains of every node.
pub fn run(state: &State, expansion: &Expansion, outcomes: &[Outcome]) -> (Vec<Loss>, Vec<Drain>) {
    let running = state.running().count();
    if state.nodes.len() > MAX_NODES || running * state.nodes.len() > MAX_WORK || state.nodes.len() < 2 {
        return (Vec::new(), Vec::new());
    }
    let pinned = pinned(expansion, outcomes);
    let nodes = 0..state.nodes.len() as u32;
    let losses = nodes.clone().map(|node| loss(state, node, &pinned)).collect();
    let drains = nodes.map(|node| drain(state, node, &pinned)).collect();
    (losses, drains)
}

/// Pods of DaemonSets: they go with their node.
fn pinned(expansion: &Expansion, outcomes: &[Outcome]) -> Vec<PlacedId> {
    let daemons = expansion.replicas.iter().zip(outcomes).filter(|(replica, _)| {
        expansion.workloads.get(replica.workload).is_some_and(|workload| workload.kind == "DaemonSet")
    });
    daemons.filter_map(|(_, outcome)| outcome.placed).collect()
}

/// The pods of a node, in the order in which they came; those of DaemonSets and of the kubelet itself left out.
fn movable(state: &State, node: u32, pinned: &[PlacedId]) -> Vec<(PlacedId, Placed)> {
    let pods = state.infos.get(node as usize).map_or(&[][..], |info| &info.pods);
    let named = |id: &&PlacedId| state.pod(state.placed[id.0 as usize].class).names_its_node();
    let movable = pods.iter().filter(|id| !pinned.contains(id) && !named(id));
    movable.map(|id| (*id, state.placed[id.0 as usize].clone())).collect()
}

/// The node is gone: its pods look for another.
fn loss(state: &State, node: u32, pinned: &[PlacedId]) -> Loss {
    let name = state.nodes[node as usize].name.clone();
    let mut nodes = state.nodes.to_vec();
    nodes.remove(node as usize);
    let mut rest = State::new(state.cluster.clone(), nodes);
    for (_, placed) in state.running().filter(|(_, placed)| placed.node != node) {
        let class = rest.class(state.pod(placed.class));
        let index = if placed.node > node { placed.node - 1 } else { placed.node };
        rest.place(class, &placed.name, index, placed.started);
    }
    let mut pending = Vec::new();
    for (_, placed) in movable(state, node, pinned) {
        let class = rest.class(state.pod(placed.class));
        if !move_to_best(&mut rest, class, &placed.name) {
            pending.push(placed.name.to_string());
        }
    }
    Loss { node: name, pending }
}

/// The node is cordoned and its pods are evicted one by one, as far as budgets allow.
fn drain(state: &State, node: u32, pinned: &[PlacedId]) -> Drain {
    let mut nodes = state.nodes.to_vec();
    let name = nodes[node as usize].name.clone();
    nodes[node as usize].unschedulable = true;
    let mut cordoned = state.with_nodes(nodes);
    let (mut blocked, mut pending) = (Vec::new(), Vec::new());
    for (id, placed) in movable(state, node, pinned) {
        if let Some(budget) = forbidding(&cordoned, state, &placed) {
            let pdb = format!("{}/{}", budget.namespace, budget.name);
            blocked.push(Blocked { pdb, pod: placed.name.to_string() });
            continue;
        }
        cordoned.remove(id);
        if !move_to_best(&mut cordoned, placed.class, &placed.name) {
            pending.push(placed.name.to_string());
        }
    }
    Drain { node: name, blocked, pending }
}

fn move_to_best(state: &mut State, class: super::state::ClassId, name: &Arc<str>) -> bool {
    let Answer::Scheduled { best, .. } = engine::schedule(state, class) else {
        return false;
    };
    if let Some(node) = best.first() {
        state.place(class, name, node, NOT_STARTED);
    }
    true
}

/// The budget that forbids to evict a pod now. The wanted number counts from the pods that ran before.
fn forbidding<'a>(now: &State, before: &'a State, placed: &Placed) -> Option<&'a Budget> {
    let pod = before.pod(placed.class);
    let matches = |budget: &Budget, state: &State, other: &Placed| {
        let other = state.pod(other.class);
        budget.namespace == other.namespace
            && budget.selector.as_ref().is_some_and(|selector| selector.matches(&other.labels))
    };
    before.cluster.budgets.iter().filter(|budget| budget.namespace == pod.namespace).find(|budget| {
        if !matches(budget, before, placed) {
            return false;
        }
        let expected = before.running().filter(|(_, other)| matches(budget, before, other)).count() as i64;
        let healthy = now.running().filter(|(_, other)| matches(budget, now, other)).count() as i64;
        let desired = match (budget.min_available, budget.max_unavailable) {
            (Some(minimum), _) => minimum.of(expected, true),
            (None, Some(most)) => expected - most.of(expected, true),
            (None, None) => 0,
        };
        healthy - 1 < desired
    })
}

/// Every autoscaled workload at its maximum, one at a time.
pub fn scales(state: &mut State, expansion: &Expansion) -> Vec<ScaleOut> {
    let mut out = Vec::new();
    for workload in &expansion.workloads {
        let Some(scale) = workload.scale.filter(|scale| scale.max > workload.count && workload.count > 0) else {
            continue;
        };
        let mark = state.mark();
        let class = state.class(&workload.pod);
        let (mut pending, mut message) = (0, None);
        for index in workload.count..scale.max.min(super::expand::MAX_REPLICAS) {
            let name: Arc<str> = Arc::from(format!("{}/{}-{index}", workload.namespace, workload.name));
            match engine::schedule(state, class) {
                Answer::Scheduled { best, .. } => {
                    best.first().map(|node| state.place(class, &name, node, NOT_STARTED));
                }
                Answer::Pending(why) => {
                    message.get_or_insert_with(|| why.message.clone());
                    pending += 1;
                }
            }
        }
        state.rollback(mark);
        let (owner, namespace) = (workload.owner(), workload.namespace.clone());
        out.push(ScaleOut { owner, namespace, replicas: scale.max, pending, message });
    }
    out
}
