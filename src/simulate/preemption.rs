//! DefaultPreemption: which less important pods would have to go (Kubernetes 1.36).

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use super::cycle::Cycle;
use super::filters::Rejection;
use super::filters::volume_binding::{PodVolumes, exclusive_uses};
use super::message::{NOT_HELPFUL, fit_error};
use super::pod::Pod;
use super::state::{NodeInfo, PlacedId, State};
use super::topology::Counter;

/// What preemption comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// `preemptionPolicy: Never`.
    Never,
    /// The text after `preemption: `.
    NoCandidate(String),
    /// `ties` are the nodes that would have been as good; the real scheduler takes any of them.
    Nominated { node: u32, victims: Vec<PlacedId>, ties: Vec<u32> },
}

/// A node where evictions would make room.
struct Candidate {
    node: u32,
    victims: Vec<PlacedId>,
    violations: usize,
}

/// Looks for a node where removing pods of lower priority makes room; `rejections` are the filters' by node.
pub fn preempt(state: &mut State, cycle: &mut Cycle, rejections: &[(u32, Rejection)]) -> Preemption {
    if cycle.pod.never_preempts {
        return Preemption::Never;
    }
    let potential: Vec<u32> =
        rejections.iter().filter(|(_, rejection)| !rejection.unresolvable).map(|(node, _)| *node).collect();
    // `MinCandidateNodesAbsolute` and `MinCandidateNodesPercentage` of the default profile.
    let enough = (potential.len() / 10).max(100);
    let (mut candidates, mut statuses): (Vec<Candidate>, Vec<Rejection>) = (Vec::new(), Vec::new());
    for node in potential {
        match select_victims(state, cycle, node) {
            Ok(candidate) => candidates.push(candidate),
            Err(rejection) => statuses.push(rejection),
        }
        if candidates.len() >= enough && candidates.iter().any(|candidate| candidate.violations == 0) {
            break;
        }
    }
    match best(state, candidates) {
        Some((Candidate { node, victims, .. }, ties)) => Preemption::Nominated { node, victims, ties },
        None => Preemption::NoCandidate(fit_error(state.nodes.len(), statuses.iter(), NOT_HELPFUL)),
    }
}

/// A node on which victims are taken out and put back, without touching the state.
struct DryRun<'a> {
    state: &'a mut State,
    cycle: &'a mut Cycle,
    node: u32,
    info: NodeInfo,
    counters: Vec<Counter>,
    volumes: Option<PodVolumes>,
}

impl DryRun<'_> {
    fn shift(&mut self, id: PlacedId, sign: i64) {
        let class = self.state.placed[id.0 as usize].class;
        let other: Arc<Pod> = self.state.pod(class).clone();
        if sign > 0 {
            self.info.add(id, &other)
        } else {
            self.info.remove(id, &other)
        }
        let deltas = self.cycle.deltas_of(self.state, class);
        self.counters.extend_from_slice(self.cycle.counters.get(self.counters.len()..).unwrap_or_default());
        for delta in deltas.iter() {
            self.counters[delta.counter].add(self.node, delta.weight * sign);
        }
        if let Some(volumes) = &mut self.volumes {
            volumes.exclusive_in_use += sign * exclusive_uses(&self.state.cluster.volumes, &self.cycle.pod, &other);
        }
    }

    fn filter(&self) -> Option<Rejection> {
        self.cycle.filter(self.state, self.node, &self.info, &self.counters, self.volumes.as_ref())
    }
}

/// `SelectVictimsOnNode`: all less important pods go, then as many as possible come back, the most important
/// ones first, those that a budget protects before the others.
fn select_victims(state: &mut State, cycle: &mut Cycle, node: u32) -> Result<Candidate, Rejection> {
    let info = state.infos[node as usize].clone();
    let priority = |state: &State, id: PlacedId| state.pod(state.placed[id.0 as usize].class).priority;
    let mut potential: Vec<PlacedId> =
        info.pods.iter().copied().filter(|id| priority(state, *id) < cycle.pod.priority).collect();
    if potential.is_empty() {
        return Err(Rejection::unresolvable("No preemption victims found for incoming pod"));
    }
    let (counters, volumes) = (cycle.counters.clone(), cycle.volumes.clone());
    let mut run = DryRun { state, cycle, node, info, counters, volumes };
    potential.iter().for_each(|id| run.shift(*id, -1));
    if let Some(rejection) = run.filter() {
        return Err(rejection);
    }
    sort_by_importance(run.state, &mut potential);
    let (violating, rest) = split_by_budgets(run.state, &potential);
    let (mut victims, mut violations) = (Vec::new(), 0);
    for (id, violates) in violating.iter().map(|id| (*id, true)).chain(rest.iter().map(|id| (*id, false))) {
        run.shift(id, 1);
        if run.filter().is_some() {
            run.shift(id, -1);
            victims.push(id);
            violations += usize::from(violates);
        }
    }
    sort_by_importance(run.state, &mut victims);
    Ok(Candidate { node, victims, violations })
}

/// Start of a pod that no kubelet has started.
pub const NOT_STARTED: i64 = i64::MAX;

/// Whether the first pod is more important (`MoreImportantPod`). Pods that have not started count as started
/// when they are looked at, so that the first of two is always the older one.
fn more_important(state: &State, a: PlacedId, b: PlacedId) -> bool {
    let (a, b) = (&state.placed[a.0 as usize], &state.placed[b.0 as usize]);
    match state.pod(a.class).priority.cmp(&state.pod(b.class).priority) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => a.started < b.started || (a.started == NOT_STARTED && b.started == NOT_STARTED),
    }
}

/// Sorts the more important pods first, as Go's `sort.Slice` does up to 12 items: its insertion sort turns pods
/// that have not started around.
fn sort_by_importance(state: &State, pods: &mut [PlacedId]) {
    if pods.len() > 12 {
        let key = |id: &PlacedId| {
            let placed = &state.placed[id.0 as usize];
            (Reverse(state.pod(placed.class).priority), placed.started, Reverse(*id))
        };
        pods.sort_by_key(key);
        return;
    }
    for end in 1..pods.len() {
        let mut at = end;
        while at > 0 && more_important(state, pods[at], pods[at - 1]) {
            pods.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// Splits the pods into those whose eviction a PodDisruptionBudget forbids, and the rest.
fn split_by_budgets(state: &State, pods: &[PlacedId]) -> (Vec<PlacedId>, Vec<PlacedId>) {
    let mut allowed: Vec<i64> = state.cluster.budgets.iter().map(|budget| budget.allowed).collect();
    pods.iter().partition(|id| {
        let pod = state.pod(state.placed[id.0 as usize].class);
        let mut violates = false;
        for (budget, left) in state.cluster.budgets.iter().zip(&mut allowed) {
            let selector = budget.selector.as_ref().filter(|selector| !selector.is_empty());
            let matches = selector.is_some_and(|selector| selector.matches(&pod.labels));
            if matches && budget.namespace == pod.namespace && !pod.labels.is_empty() {
                *left -= 1;
                violates |= *left < 0;
            }
        }
        violates
    })
}

/// `pickOneNodeForPreemption`: the best candidate, and all nodes that are as good.
fn best(state: &State, candidates: Vec<Candidate>) -> Option<(Candidate, Vec<u32>)> {
    let pod = |id: &PlacedId| state.pod(state.placed[id.0 as usize].class);
    let start = |id: &PlacedId| state.placed[id.0 as usize].started;
    let rank = |candidate: &Candidate| {
        let victims = &candidate.victims;
        let highest = victims.first().map_or(i32::MIN, |id| pod(id).priority);
        let sum: i64 = victims.iter().map(|id| i64::from(pod(id).priority) + i64::from(i32::MAX) + 1).sum();
        let top = victims.iter().filter(|id| pod(id).priority == highest).map(start).min();
        (candidate.violations, highest, sum, victims.len(), Reverse(top))
    };
    let best = candidates.iter().map(rank).min()?;
    let ties = candidates.iter().filter(|candidate| rank(candidate) == best).map(|candidate| candidate.node).collect();
    let first = candidates.into_iter().find(|candidate| rank(candidate) == best)?;
    Some((first, ties))
}
