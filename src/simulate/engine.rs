//! One pod against all nodes: PreFilter, Filter, Score, PostFilter, as `schedulePod` and its failure handler do.

use std::sync::Arc;

use super::cycle::Cycle;
use super::filters::{Rejection, node_affinity, pod_topology_spread, volume_binding};
use super::message;
use super::preemption::{Preemption, preempt};
use super::scores;
use super::state::{ClassId, State};

/// What the scheduler says of a pod.
#[derive(Clone, Debug)]
pub enum Answer {
    Scheduled {
        /// Nodes with the highest total score, in the order of the inventory.
        best: Arc<Vec<u32>>,
        /// Total score of every node that passed the filters; empty where only one did, which is not scored.
        scores: Arc<Vec<(u32, i64)>>,
        feasible: usize,
    },
    Pending(Arc<Unschedulable>),
}

/// Why no node takes a pod.
#[derive(Clone, Debug)]
pub struct Unschedulable {
    /// The scheduler's sentence.
    pub message: String,
    /// By node; empty where PreFilter turned the pod away.
    pub rejections: Vec<(u32, Rejection)>,
    /// PreFilter's reason.
    pub prefilter: Option<String>,
    pub preemption: Preemption,
}

/// Asks for one pod of a class, without placing it.
pub fn schedule(state: &mut State, class: ClassId) -> Answer {
    let mut cycle = Cycle::of(state, class);
    let answer = match cycle.answer.take() {
        Some(answer) => answer,
        None => answer(state, &mut cycle),
    };
    cycle.answer = Some(answer.clone());
    cycle.keep(state, class);
    answer
}

fn answer(state: &mut State, cycle: &mut Cycle) -> Answer {
    let (total, version) = (state.nodes.len(), state.cluster.version());
    if total == 0 {
        return pending("no nodes available to schedule pods".to_owned(), Vec::new(), None);
    }
    if let Some(rejection) = &cycle.rejected {
        return pending(message::prefilter(total, rejection, version), Vec::new(), Some(rejection.reasons.join(", ")));
    }
    let minimums = pod_topology_spread::minimums(&cycle.spreading, &cycle.counters);
    let local_only = cycle.looks_no_further();
    let feasible: Vec<usize> = (0..cycle.nodes.len())
        .filter(|position| cycle.local[*position].is_none())
        .filter(|position| local_only || cycle.beyond(&cycle.counters, &minimums, cycle.nodes[*position]).is_none())
        .collect();
    match feasible.as_slice() {
        [] => unschedulable(state, cycle, &minimums),
        [only] => Answer::Scheduled { best: Arc::new(vec![cycle.nodes[*only]]), scores: Arc::default(), feasible: 1 },
        _ => pick(cycle, &feasible),
    }
}

fn pending(message: String, rejections: Vec<(u32, Rejection)>, prefilter: Option<String>) -> Answer {
    let preemption = Preemption::NoCandidate(String::new());
    Answer::Pending(Arc::new(Unschedulable { message, rejections, prefilter, preemption }))
}

fn pick(cycle: &Cycle, feasible: &[usize]) -> Answer {
    let totals = scores::total(cycle, feasible);
    let scores: Vec<(u32, i64)> = feasible.iter().zip(totals).map(|(at, score)| (cycle.nodes[*at], score)).collect();
    let highest = scores.iter().map(|(_, score)| *score).max();
    let best = scores.iter().filter(|(_, score)| Some(*score) == highest).map(|(node, _)| *node).collect();
    Answer::Scheduled { best: Arc::new(best), feasible: scores.len(), scores: Arc::new(scores) }
}

fn unschedulable(state: &mut State, cycle: &mut Cycle, minimums: &[i64]) -> Answer {
    let mut rejections: Vec<(u32, Rejection)> = Vec::with_capacity(cycle.nodes.len());
    for (position, node) in cycle.nodes.iter().enumerate() {
        let local = cycle.local[position].clone();
        let rejection = local.or_else(|| cycle.beyond(&cycle.counters, minimums, *node));
        rejections.extend(rejection.map(|rejection| (*node, rejection)));
    }
    let preemption = preempt(state, cycle, &rejections);
    let each = rejections.iter().map(|(_, rejection)| rejection);
    let fit_error = message::fit_error(state.nodes.len(), each, node_affinity::NOT_PINNED);
    let message = message::unschedulable(fit_error, &preemption, state.cluster.version());
    Answer::Pending(Arc::new(Unschedulable { message, rejections, prefilter: None, preemption }))
}

/// Binds the waiting claims of a pod that goes to a node, as the volume controllers would after PreBind.
pub fn bind_volumes(state: &mut State, class: ClassId, node: u32) {
    let pod = state.pod(class).clone();
    if !pod.has_claims() {
        return;
    }
    let Ok(found) = volume_binding::pre_filter(state, &pod) else {
        return;
    };
    let bindings = volume_binding::bindings(&state.cluster.volumes, &found, &state.nodes[node as usize]);
    let bindings = bindings.unwrap_or_default();
    if bindings.is_empty() {
        return;
    }
    let mut volumes = state.cluster.volumes.clone();
    for binding in bindings {
        match binding {
            volume_binding::Binding::Static { claim, volume } => volumes.bind(&claim, &volume),
            volume_binding::Binding::Provision { claim } => volumes.provision(&claim, &state.nodes[node as usize]),
        }
    }
    state.set_volumes(volumes);
}
