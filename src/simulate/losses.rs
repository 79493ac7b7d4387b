//! What becomes of the pods when a node goes away or is drained, and when autoscalers go to their maximum.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::engine::{self, Answer};
use super::expand::Expansion;
use super::nodes::ZONE;
use super::placement::{Blocked, Drain, Loss, ScaleOut};
use super::pod::Pod;
use super::preemption::NOT_STARTED;
use super::queue::Outcome;
use super::state::{ClassId, PlacedId, State};

/// With more pods than this, losses are left out of a run.
const MAX_PODS: usize = 100_000;

/// Losses and drains of every node.
pub fn run(state: &State, expansion: &Expansion, outcomes: &[Outcome]) -> (Vec<Loss>, Vec<Drain>) {
    if state.nodes.len() < 2 || state.running().count() > MAX_PODS {
        return (Vec::new(), Vec::new());
    }
    tried(state, &daemons(expansion, outcomes), &Health::of(expansion, outcomes))
}

/// Pods of DaemonSets: they go with their node.
pub(super) fn daemons(expansion: &Expansion, outcomes: &[Outcome]) -> HashSet<PlacedId> {
    let daemons = expansion.replicas.iter().zip(outcomes).filter(|(replica, _)| {
        expansion.workloads.get(replica.workload).is_some_and(|workload| workload.kind == "DaemonSet")
    });
    daemons.filter_map(|(_, outcome)| outcome.placed).collect()
}

/// The loss and the drain of each node, one at a time; pods that `stay` go with their node.
pub fn what_if(state: &State, stay: &HashSet<PlacedId>) -> (Vec<Loss>, Vec<Drain>) {
    tried(state, stay, &Health::default())
}

fn tried(state: &State, stay: &HashSet<PlacedId>, health: &Health) -> (Vec<Loss>, Vec<Drain>) {
    let nodes: Vec<u32> = (0..state.nodes.len() as u32).collect();
    let budgets = Budgets::new(state, health);
    let some = |nodes: &[u32]| -> Vec<(Loss, Drain)> {
        let mut state = state.clone();
        nodes.iter().map(|node| (loss(&mut state, *node, stay), drain(&mut state, *node, stay, &budgets))).collect()
    };
    let share = nodes.len().div_ceil(rayon::current_num_threads()).max(1);
    let all: Vec<Vec<(Loss, Drain)>> = nodes.par_chunks(share).map(some).collect();
    all.into_iter().flatten().unzip()
}

/// The pods of a node, in the order in which they came; those of DaemonSets and of the kubelet itself left out.
pub(super) fn movable(state: &State, node: u32, stay: &HashSet<PlacedId>) -> Vec<(PlacedId, ClassId, Arc<str>)> {
    let placed = |id: &PlacedId| &state.placed[id.0 as usize];
    let moves = |id: &&PlacedId| !stay.contains(*id) && !state.pod(placed(id).class).names_its_node();
    let pods = state.infos[node as usize].pods.iter().filter(moves);
    pods.map(|id| (*id, placed(id).class, placed(id).name.clone())).collect()
}

/// The loss of each zone with all its nodes at once, where there are several.
pub fn zones(state: &mut State, expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Loss> {
    let mut zones: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (index, node) in state.nodes.iter().enumerate() {
        if let Some(zone) = node.labels.get(ZONE) {
            zones.entry(zone.clone()).or_default().push(index as u32);
        }
    }
    if zones.len() < 2 || state.running().count() > MAX_PODS {
        return Vec::new();
    }
    let stay = daemons(expansion, outcomes);
    let lost = zones.into_iter().map(|(zone, nodes)| Loss { node: zone, pending: lose(state, &nodes, &stay) });
    lost.collect()
}

/// The node is gone: its pods look for another.
fn loss(state: &mut State, node: u32, stay: &HashSet<PlacedId>) -> Loss {
    Loss { node: state.nodes[node as usize].name.clone(), pending: lose(state, &[node], stay) }
}

/// The pods that find no place when nodes go at once.
fn lose(state: &mut State, nodes: &[u32], stay: &HashSet<PlacedId>) -> Vec<String> {
    let pods: Vec<_> = nodes.iter().flat_map(|node| movable(state, *node, stay)).collect();
    let mark = state.mark();
    nodes.iter().for_each(|node| state.lose(*node));
    let pending = pods.into_iter().filter(|(_, class, name)| !move_to_best(state, *class, name));
    let pending = pending.map(|(_, _, name)| name.to_string()).collect();
    state.rollback(mark);
    pending
}

/// The node is cordoned and its pods are evicted one by one, as far as budgets allow.
fn drain(state: &mut State, node: u32, stay: &HashSet<PlacedId>, budgets: &Budgets) -> Drain {
    let pods = movable(state, node, stay);
    let mark = state.mark();
    state.cordon(node);
    let (mut blocked, mut pending) = (Vec::new(), Vec::new());
    let mut down: HashMap<usize, i64> = HashMap::new();
    for (id, class, name) in pods {
        let guards = &budgets.of[class.0 as usize];
        // One that is not ready may go where enough others are (`IfHealthyBudget`).
        let loses = i64::from(!budgets.unready.contains(&id));
        let forbids = |budget: &&usize| {
            let missing = down.get(*budget).copied().unwrap_or(0);
            budgets.healthy[**budget] - missing - loses < budgets.desired[**budget]
        };
        if let Some(budget) = guards.iter().find(forbids) {
            let budget = &state.cluster.budgets[*budget];
            blocked.push(Blocked { pdb: format!("{}/{}", budget.namespace, budget.name), pod: name.to_string() });
            continue;
        }
        state.remove(id);
        if !move_to_best(state, class, &name) {
            guards.iter().for_each(|budget| *down.entry(*budget).or_default() += loses);
            pending.push(name.to_string());
        }
    }
    state.rollback(mark);
    Drain { node: state.nodes[node as usize].name.clone(), blocked, pending }
}

pub(super) fn move_to_best(state: &mut State, class: ClassId, name: &Arc<str>) -> bool {
    let Some(best) = engine::best(state, class) else { return false };
    if let Some(node) = best.first() {
        state.place(class, name, node, NOT_STARTED);
    }
    true
}

/// Which pods are not ready, and how many are not there at all.
#[derive(Default)]
struct Health {
    unready: HashSet<PlacedId>,
    /// Pods of workloads that wait for a node or were never made, as many as there are of each.
    missing: Vec<(Arc<Pod>, i64)>,
}

impl Health {
    fn of(expansion: &Expansion, outcomes: &[Outcome]) -> Health {
        // Those that were there first are numbered in their order.
        let present = expansion.present.iter().enumerate().filter(|(_, (live, _))| !live.is_ready());
        let present = present.map(|(at, _)| PlacedId(at as u32));
        let replicas = expansion.replicas.iter().zip(outcomes).filter(|(replica, _)| replica.unready);
        let unready = present.chain(replicas.filter_map(|(_, outcome)| outcome.placed)).collect();
        let mut placed = vec![0; expansion.workloads.len()];
        for (replica, _) in expansion.replicas.iter().zip(outcomes).filter(|(_, outcome)| outcome.placed.is_some()) {
            placed.get_mut(replica.workload).into_iter().for_each(|count| *count += 1);
        }
        let rolls = |at: usize| expansion.rollings.iter().any(|rolling| rolling.workload == at);
        let scaled = |kind: &str| ["Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"].contains(&kind);
        let all = expansion.workloads.iter().zip(placed).enumerate();
        let all = all.filter(|(at, (workload, _))| scaled(&workload.kind) && !rolls(*at));
        let missing = all.map(|(_, (workload, placed))| (workload.pod.clone(), (workload.count - placed).max(0)));
        Health { unready, missing: missing.collect() }
    }
}

/// What the PodDisruptionBudgets of a cluster ask for (`updatePdbStatus` in `pkg/controller/disruption/disruption.go`,
/// Kubernetes 1.36).
struct Budgets {
    /// Budgets that select the pods of a class.
    of: Vec<Vec<usize>>,
    unready: HashSet<PlacedId>,
    /// Pods that are ready, by budget.
    healthy: Vec<i64>,
    /// Pods that must keep running, by budget.
    desired: Vec<i64>,
}

impl Budgets {
    fn new(state: &State, health: &Health) -> Budgets {
        let budgets = &state.cluster.budgets;
        let select = |pod: &Arc<Pod>| -> Vec<usize> {
            let selects = |at: &usize| {
                let budget = &budgets[*at];
                budget.namespace == pod.namespace
                    && budget.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels))
            };
            (0..budgets.len()).filter(selects).collect()
        };
        let of: Vec<Vec<usize>> = state.classes.iter().map(select).collect();
        let (mut healthy, mut expected) = (vec![0; budgets.len()], vec![0; budgets.len()]);
        for (id, placed) in state.running() {
            for budget in &of[placed.class.0 as usize] {
                expected[*budget] += 1;
                healthy[*budget] += i64::from(!health.unready.contains(&id));
            }
        }
        for (pod, missing) in &health.missing {
            select(pod).into_iter().for_each(|budget| expected[budget] += missing);
        }
        let desired = budgets.iter().zip(expected).map(|(budget, expected)| {
            match (budget.min_available, budget.max_unavailable) {
                (Some(minimum), _) => minimum.of(expected, true),
                (None, Some(most)) => expected - most.of(expected, true),
                (None, None) => 0,
            }
        });
        Budgets { of, unready: health.unready.clone(), desired: desired.collect(), healthy }
    }
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
