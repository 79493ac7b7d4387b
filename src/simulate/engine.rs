//! One pod against all nodes: PreFilter, Filter, Score, PostFilter, as `schedulePod` and its failure handler do.

use std::collections::HashMap;
use std::sync::Arc;

use super::filters::volume_binding::{self, PodVolumes};
use super::filters::{Rejection, node_affinity};
use super::message;
use super::node_set::NodeSet;
use super::pod::Pod;
use super::preemption::{Preemption, preempt};
use super::ranks::Ranks;
use super::state::{ClassId, State};
use super::survey::{self, Survey};

/// What the scheduler says of a pod.
#[derive(Clone, Debug)]
pub enum Answer {
    Scheduled {
        /// Nodes with the highest total score.
        best: Arc<NodeSet>,
        /// How many nodes passed the filters.
        feasible: usize,
    },
    Pending(Arc<Unschedulable>),
}

/// Why no node takes a pod.
#[derive(Clone, Debug)]
pub struct Unschedulable {
    /// The scheduler's sentence.
    pub message: String,
    /// With the number of nodes; empty where PreFilter turned the pod away.
    pub rejections: Vec<(Rejection, usize)>,
    /// PreFilter's reason.
    pub prefilter: Option<String>,
    pub preemption: Preemption,
}

/// What was worked out for classes before.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub ranks: Ranks,
    /// The last answers, each good as long as nothing happens.
    answers: HashMap<ClassId, (u64, Answer)>,
}

impl Memory {
    /// Forgets what came after a point of the profiles' journal.
    pub fn rollback(&mut self, length: usize) {
        self.ranks.rollback(length);
    }
}

/// Asks for one pod of a class, without placing it.
pub fn schedule(state: &mut State, class: ClassId) -> Answer {
    if let Some((version, answer)) = state.memory.answers.get(&class)
        && *version == state.version
    {
        return answer.clone();
    }
    let answer = answer(state, class);
    state.memory.answers.insert(class, (state.version, answer.clone()));
    answer
}

/// Total score of every node that passes the filters; empty where only one does, which is not scored.
pub fn scores(state: &mut State, class: ClassId) -> Vec<(u32, i64)> {
    match ask(state, class, |state, survey| survey.scores(state)) {
        Ok(scores) if scores.len() > 1 => scores,
        _ => Vec::new(),
    }
}

fn answer(state: &mut State, class: ClassId) -> Answer {
    let (total, version) = (state.nodes.len(), state.cluster.version());
    if total == 0 {
        return pending("no nodes available to schedule pods".to_owned(), None);
    }
    let asked = ask(state, class, |state, survey| match survey.best(state) {
        Some((best, feasible)) => Answer::Scheduled { best: Arc::new(best), feasible },
        None => unschedulable(state, class, survey),
    });
    asked.unwrap_or_else(|rejection| {
        pending(message::prefilter(total, &rejection, version), Some(rejection.reasons.join(", ")))
    })
}

/// Runs the filters over the nodes that PreFilter leaves.
fn ask<T>(state: &mut State, class: ClassId, then: impl FnOnce(&mut State, &mut Survey) -> T) -> Result<T, Rejection> {
    let pod = state.pod(class).clone();
    let pinned = node_affinity::pinned(&pod)?;
    let volumes = if pod.has_claims() { Some(pre_filter_volumes(state, &pod)?) } else { None };
    let cycle = state.cycle(class);
    let mut survey =
        if pod.ports.is_empty() && pod.volumes.is_empty() && !state.index.kins[state.kin(class) as usize].by_name {
            survey::profiles(state, class, cycle)
        } else {
            let nodes = match pinned {
                Some(names) => {
                    let mut nodes: Vec<u32> = names.iter().filter_map(|name| state.node(name)).collect();
                    nodes.sort_unstable();
                    nodes
                }
                None => (0..state.nodes.len() as u32).collect(),
            };
            survey::nodes(state, class, cycle, nodes, volumes)
        };
    let answer = then(state, &mut survey);
    let Survey { cycle, ranks, .. } = survey;
    state.keep(class, cycle);
    state.memory.ranks.keep(class, ranks);
    Ok(answer)
}

fn pre_filter_volumes(state: &State, pod: &Pod) -> Result<PodVolumes, Rejection> {
    let is_used = |claim: &str| {
        state.running().any(|(_, placed)| volume_binding::uses(state.pod(placed.class), &pod.namespace, claim))
    };
    volume_binding::pre_filter(&state.cluster.volumes, pod, &is_used)
}

fn pending(message: String, prefilter: Option<String>) -> Answer {
    let preemption = Preemption::NoCandidate(String::new());
    Answer::Pending(Arc::new(Unschedulable { message, rejections: Vec::new(), prefilter, preemption }))
}

fn unschedulable(state: &State, class: ClassId, survey: &Survey) -> Answer {
    let rejections = survey.rejections(state);
    let preemption = preempt(state, class, survey, &rejections);
    let each = rejections.iter().map(|(rejection, count)| (rejection, *count));
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
    let Ok(found) = pre_filter_volumes(state, &pod) else {
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
