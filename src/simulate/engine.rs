//! One pod against all nodes: PreFilter, Filter, Score, PostFilter, as `schedulePod` and its failure handler do.

use std::sync::Arc;

use super::Map;
use super::filters::volume_binding::{self, PodVolumes};
use super::filters::{Rejection, node_affinity};
use super::message;
use super::node_set::NodeSet;
use super::pod::Pod;
use super::preemption::{Preemption, preempt};
use super::repeats::Repeats;
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
    repeats: Repeats,
    /// Answers since something happened last.
    answers: Map<ClassId, Answer>,
    /// Classes that found no node since then, where nobody asked why.
    homeless: Map<ClassId, ()>,
    version: u64,
}

impl Memory {
    /// Forgets answers to another state.
    fn renew(&mut self, version: u64) {
        if self.version != version {
            self.answers.clear();
            self.homeless.clear();
            self.version = version;
        }
    }
}

/// Asks for one pod of a class, without placing it.
pub fn schedule(state: &mut State, class: ClassId) -> Answer {
    state.memory.renew(state.version);
    if let Some(answer) = state.memory.answers.get(&class) {
        return answer.clone();
    }
    let answer = answer(state, class);
    state.memory.answers.insert(class, answer.clone());
    answer
}

/// The nodes with the highest total score for one pod of a class; `None` where none takes it, and why is not worked out.
pub fn best(state: &mut State, class: ClassId) -> Option<Arc<NodeSet>> {
    state.memory.renew(state.version);
    if state.memory.homeless.contains_key(&class) {
        return None;
    }
    if let Some((best, _)) = again(state, class) {
        return Some(best);
    }
    let found = survey(state, class).ok().and_then(|survey| {
        let found = choose(state, class, &survey);
        state.keep(class, survey.cycle);
        found
    });
    if found.is_none() {
        state.memory.homeless.insert(class, ());
    }
    found.map(|(best, _)| best)
}

/// Total score of every node that passes the filters; empty where only one does, which is not scored.
pub fn scores(state: &mut State, class: ClassId) -> Vec<(u32, i64)> {
    match survey(state, class) {
        Ok(survey) => {
            let scores = survey.scores(state);
            state.keep(class, survey.cycle);
            if scores.len() > 1 { scores } else { Vec::new() }
        }
        Err(_) => Vec::new(),
    }
}

fn answer(state: &mut State, class: ClassId) -> Answer {
    let (total, version) = (state.nodes.len(), state.cluster.version());
    if total == 0 {
        return pending("no nodes available to schedule pods".to_owned(), None);
    }
    if let Some((best, feasible)) = again(state, class) {
        return Answer::Scheduled { best, feasible };
    }
    let survey = match survey(state, class) {
        Ok(survey) => survey,
        Err(rejection) => {
            return pending(message::prefilter(total, &rejection, version), Some(rejection.reasons.join(", ")));
        }
    };
    let answer = match choose(state, class, &survey) {
        Some((best, feasible)) => Answer::Scheduled { best, feasible },
        None => unschedulable(state, class, &survey),
    };
    state.keep(class, survey.cycle);
    answer
}

/// The nodes with the highest total score and how many passed, which is remembered for the next of the class.
fn choose(state: &mut State, class: ClassId, survey: &Survey) -> Option<(Arc<NodeSet>, usize)> {
    let relative = survey.relative();
    let (best, score, feasible) = survey.best(state, &relative)?;
    let (best, mut repeats) = (Arc::new(best), std::mem::take(&mut state.memory.repeats));
    repeats.keep(state, class, survey, relative, (&best, score));
    state.memory.repeats = repeats;
    Some((best, feasible))
}

/// The answer from the one before, where that is remembered.
fn again(state: &mut State, class: ClassId) -> Option<(Arc<NodeSet>, usize)> {
    if !state.memory.repeats.knows(class) {
        return None;
    }
    let (cycle, mut repeats) = (state.cycle(class), std::mem::take(&mut state.memory.repeats));
    let found = repeats.again(state, class, &cycle);
    state.memory.repeats = repeats;
    state.keep(class, cycle);
    found
}

/// Runs the filters over the nodes that PreFilter leaves; give the cycle back with [`State::keep`].
fn survey(state: &mut State, class: ClassId) -> Result<Survey, Rejection> {
    let pod = state.pod(class).clone();
    let pinned = if pod.profile().runs("NodeAffinity") { node_affinity::pinned(&pod)? } else { None };
    let volumes = if pod.has_claims() { Some(pre_filter_volumes(state, &pod)?) } else { None };
    let cycle = state.cycle(class);
    if pod.ports.is_empty() && pod.volumes.is_empty() && !state.index.kins[state.kin(class) as usize].by_name {
        return Ok(survey::profiles(state, class, cycle));
    }
    let nodes = match pinned {
        Some(names) => {
            let mut nodes: Vec<u32> = names.iter().filter_map(|name| state.node(name)).collect();
            nodes.sort_unstable();
            nodes
        }
        None => (0..state.nodes.len() as u32).collect(),
    };
    Ok(survey::nodes(state, class, cycle, nodes, volumes))
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
