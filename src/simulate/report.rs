//! From the simulation to the `placement` part of the report.

use std::collections::{BTreeMap, HashSet};

use super::expand::{Expansion, Replica, Workload};
use super::nodes::ZONE;
use super::placement::{PlacedNode, PlacedPod, Placement, Verdict};
use super::preemption::Preemption;
use super::queue::Outcome;
use super::requests::Amounts;
use super::rolling::End;
use super::state::{PlacedId, State};
use crate::model::quantity::Quantity;

/// Nodes and pods; the other parts are filled in by their own modules. A rollout that gets stuck leaves old pods in the
/// place of new ones that are never created.
pub fn placement(state: &State, expansion: &Expansion, outcomes: &[Outcome], ends: &[End]) -> Placement {
    let missing: HashSet<usize> = ends.iter().flat_map(|end| end.missing.iter().copied()).collect();
    let pods = expansion.replicas.iter().zip(outcomes).enumerate().filter(|(index, _)| !missing.contains(index));
    let pods = pods.filter_map(|(_, (replica, outcome))| {
        let workload = expansion.workloads.get(replica.workload)?;
        Some(placed_pod(state, workload, replica, outcome))
    });
    let old = ends.iter().flat_map(|end| {
        let workload = expansion.workloads.get(end.workload);
        end.old.iter().filter_map(move |id| Some(old_pod(state, workload?, *id)))
    });
    Placement { nodes: placed_nodes(state), pods: pods.chain(old).collect(), ..Placement::default() }
}

fn old_pod(state: &State, workload: &Workload, id: PlacedId) -> PlacedPod {
    let placed = &state.placed[id.0 as usize];
    let node = state.nodes.get(placed.node as usize).map(|node| node.name.clone());
    PlacedPod {
        name: placed.name.split_once('/').map_or(&*placed.name, |(_, name)| name).to_owned(),
        namespace: workload.namespace.clone(),
        owner: workload.owner(),
        verdict: Verdict::Scheduled,
        nodes: node.iter().cloned().collect(),
        feasible: 1,
        node,
        message: None,
        nominated_node: None,
        victims: Vec::new(),
        settled: None,
    }
}

fn placed_pod(state: &State, workload: &Workload, replica: &Replica, outcome: &Outcome) -> PlacedPod {
    let name = |node: u32| state.nodes.get(node as usize).map(|node| node.name.clone()).unwrap_or_default();
    let scheduled = outcome.verdict == Verdict::Scheduled;
    let nominated = match outcome.why.as_deref().map(|why| &why.preemption) {
        Some(Preemption::Nominated { node, .. }) => Some(name(*node)),
        _ => None,
    };
    PlacedPod {
        name: replica.name.clone(),
        namespace: workload.namespace.clone(),
        owner: workload.owner(),
        verdict: outcome.verdict,
        nodes: outcome.best.iter().map(name).collect(),
        feasible: outcome.feasible,
        node: match outcome.verdict {
            Verdict::Bypassed => replica.pod.node_name.clone(),
            _ => outcome.best.first().filter(|_| scheduled).map(name),
        },
        message: outcome.message.clone(),
        nominated_node: nominated,
        victims: outcome.victims.clone(),
        settled: outcome.settled.clone(),
    }
}

fn placed_nodes(state: &State) -> Vec<PlacedNode> {
    let each = state.nodes.iter().zip(&state.infos).map(|(node, info)| {
        let mut requested: BTreeMap<String, String> = info.used.display();
        requested.insert("pods".to_owned(), info.pods.len().to_string());
        let limits = info.pods.iter().map(|id| state.pod(state.placed[id.0 as usize].class).requests.limits);
        let sum = |of: fn(Amounts) -> i64| limits.clone().map(of).fold(0, i64::saturating_add);
        let (cpu, memory) = (Quantity::from_milli(sum(|all| all.cpu)), Quantity::from_bytes(sum(|all| all.memory)));
        let limits = [("cpu", cpu), ("memory", memory)];
        PlacedNode {
            name: node.name.clone(),
            limits: limits.map(|(name, amount)| (name.to_owned(), amount.canonical())).into(),
            allocatable: node.allocatable_display.clone(),
            requested,
            pods: info.pods.iter().map(|id| state.placed[id.0 as usize].name.to_string()).collect(),
            taints: node.taints.iter().map(ToString::to_string).collect(),
            zone: node.labels.get(ZONE).cloned(),
        }
    });
    each.collect()
}
