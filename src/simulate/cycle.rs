//! What the scheduler works out for one distinct pod, kept up to date while pods come and go: `CycleState`.

use std::collections::HashMap;
use std::sync::Arc;

use super::filters::inter_pod_affinity::{self, Affinities};
use super::filters::pod_topology_spread::{self, Spreading};
use super::filters::volume_binding::{self, PodVolumes};
use super::filters::{self, Rejection, node_affinity};
use super::pod::Pod;
use super::scores::resources;
use super::state::{ClassId, Event, NodeInfo, State};
use super::topology::{Counter, Delta};

/// The standing of one class of pods: verdicts by node, scores that depend on the node alone, counters.
#[derive(Clone, Debug)]
pub struct Cycle {
    pub pod: Arc<Pod>,
    /// Events of the state that are taken in.
    cursor: usize,
    volumes_epoch: u64,
    /// PreFilter turns the pod away everywhere.
    pub rejected: Option<Rejection>,
    /// Nodes that are looked at; the others fail NodeAffinity's PreFilter.
    pub nodes: Vec<u32>,
    /// By position in `nodes`: what the node alone decides.
    fixed: Vec<Option<Rejection>>,
    /// By position in `nodes`: what the node and its pods decide.
    pub local: Vec<Option<Rejection>>,
    /// By position in `nodes`: NodeResourcesFit and NodeResourcesBalancedAllocation.
    pub resource_scores: Vec<i64>,
    /// By position in `nodes`: scores of the node alone, where several nodes are looked at.
    pub fixed_scores: super::scores::Fixed,
    pub volumes: Option<PodVolumes>,
    pub spreading: Spreading,
    pub affinities: Affinities,
    pub counters: Vec<Counter>,
    /// The last answer, good until something happens.
    pub answer: Option<super::engine::Answer>,
    /// What a pod of another class adds.
    deltas: HashMap<ClassId, Arc<Vec<Delta>>>,
}

impl Cycle {
    /// Works everything out for a class.
    fn new(state: &mut State, class: ClassId) -> Cycle {
        let pod = state.pod(class).clone();
        let (mut rejected, mut nodes) = (None, None);
        match node_affinity::pinned(&pod) {
            Err(rejection) => rejected = Some(rejection),
            Ok(pinned) => nodes = pinned,
        }
        let listed = |(index, node): (usize, &super::nodes::Node)| {
            nodes.as_ref().is_none_or(|names| names.contains(&node.name)).then_some(index as u32)
        };
        let nodes: Vec<u32> = state.nodes.iter().enumerate().filter_map(listed).collect();
        let mut volumes = None;
        if rejected.is_none() && pod.has_claims() {
            match volume_binding::pre_filter(state, &pod) {
                Err(rejection) => rejected = Some(rejection),
                Ok(found) => volumes = Some(found),
            }
        }
        let version = state.cluster.version();
        let fixed = nodes.iter().map(|node| filters::fixed(&pod, &state.nodes[*node as usize], version)).collect();
        let mut counters = Vec::new();
        let spreading = pod_topology_spread::prepare(&pod, &state.nodes, &mut state.topology, &mut counters);
        let affinities =
            inter_pod_affinity::prepare(&pod, &state.cluster, &state.nodes, &mut state.topology, &mut counters);
        let fixed_scores = super::scores::Fixed::new(&pod, &state.nodes, &nodes);
        let mut cycle = Cycle {
            cursor: state.events.len(),
            volumes_epoch: state.volumes_epoch,
            rejected,
            local: vec![None; nodes.len()],
            resource_scores: vec![0; nodes.len()],
            nodes,
            fixed,
            fixed_scores,
            volumes,
            spreading,
            affinities,
            counters,
            answer: None,
            deltas: HashMap::new(),
            pod,
        };
        (0..cycle.nodes.len()).for_each(|position| cycle.judge(state, position));
        cycle.count_all(state);
        cycle
    }

    /// The cycle of a class, up to date. Give it back with [`Cycle::keep`].
    pub fn of(state: &mut State, class: ClassId) -> Cycle {
        match state.cycles.remove(&class) {
            Some(cycle) if cycle.pod.volumes.is_empty() || cycle.volumes_epoch == state.volumes_epoch => {
                cycle.catch_up(state)
            }
            _ => Cycle::new(state, class),
        }
    }

    /// Keeps the cycle for the next pod of its class.
    pub fn keep(self, state: &mut State, class: ClassId) {
        state.cycles.insert(class, self);
    }

    fn catch_up(mut self, state: &mut State) -> Cycle {
        let events: Vec<Event> = state.events.get(self.cursor..).unwrap_or_default().to_vec();
        self.cursor = state.events.len();
        if !events.is_empty() {
            self.answer = None;
        }
        for event in &events {
            for delta in self.deltas_of(state, event.class).iter().filter(|delta| !delta.dry_run_only) {
                self.counters[delta.counter].add(event.node, delta.weight * event.sign);
            }
        }
        let mut touched: Vec<u32> = events.iter().map(|event| event.node).collect();
        touched.sort_unstable();
        touched.dedup();
        for node in touched {
            if let Ok(position) = self.nodes.binary_search(&node) {
                self.judge(state, position);
            }
        }
        self
    }

    /// Works out the verdict and scores of one node.
    fn judge(&mut self, state: &State, position: usize) {
        let node = self.nodes[position] as usize;
        let (shape, info) = (&state.nodes[node], &state.infos[node]);
        self.local[position] = match &self.fixed[position] {
            Some(rejection) => Some(rejection.clone()),
            None => filters::local(state, &self.pod, shape, info, self.volumes.as_ref()),
        };
        if self.local[position].is_none() {
            self.resource_scores[position] = resources::score(&self.pod, shape, info, state.cluster.version());
        }
    }

    /// Takes in the pods that are on nodes already.
    fn count_all(&mut self, state: &mut State) {
        let counts_others = !self.counters.is_empty() || self.pod.has_pod_terms();
        let classes: Vec<ClassId> = if counts_others {
            (0..state.classes.len() as u32).map(ClassId).collect()
        } else {
            state.with_terms.clone()
        };
        for class in classes {
            let present = state.whereabouts[class.0 as usize].iter().any(|(_, count)| *count != 0);
            if !present {
                continue;
            }
            let deltas = self.deltas_of(state, class);
            for (node, count) in &state.whereabouts[class.0 as usize] {
                for delta in deltas.iter().filter(|delta| !delta.dry_run_only) {
                    self.counters[delta.counter].add(*node, delta.weight * count);
                }
            }
        }
    }

    /// What a pod of a class adds to the counters.
    pub fn deltas_of(&mut self, state: &mut State, class: ClassId) -> Arc<Vec<Delta>> {
        if let Some(found) = self.deltas.get(&class) {
            return found.clone();
        }
        let other = state.pod(class).clone();
        let mut deltas = pod_topology_spread::deltas(&self.spreading, &self.pod, &other);
        if self.pod.has_pod_terms() || other.has_pod_terms() {
            let State { cluster, nodes, topology, .. } = state;
            let (pod, counters) = (self.pod.clone(), &mut self.counters);
            let more =
                inter_pod_affinity::deltas(&mut self.affinities, &pod, &other, cluster, nodes, topology, counters);
            deltas.extend(more);
        }
        let deltas = Arc::new(deltas);
        self.deltas.insert(class, deltas.clone());
        deltas
    }

    /// Whether no plugin looks beyond the node.
    pub fn looks_no_further(&self) -> bool {
        let Affinities { near, apart, repelled, .. } = &self.affinities;
        self.spreading.hard.is_empty() && near.is_empty() && apart.is_empty() && repelled.is_empty()
    }

    /// The plugins that look beyond the node, for a node that passed the others.
    pub fn beyond(&self, counters: &[Counter], minimums: &[i64], node: u32) -> Option<Rejection> {
        pod_topology_spread::filter(&self.spreading, minimums, counters, node)
            .or_else(|| inter_pod_affinity::filter(&self.affinities, counters, node))
    }

    /// All filters on a node that is not as the state has it.
    pub fn filter(
        &self,
        state: &State,
        node: u32,
        info: &NodeInfo,
        counters: &[Counter],
        volumes: Option<&PodVolumes>,
    ) -> Option<Rejection> {
        let position = self.nodes.binary_search(&node).ok()?;
        let minimums = pod_topology_spread::minimums(&self.spreading, counters);
        self.fixed[position]
            .clone()
            .or_else(|| filters::local(state, &self.pod, &state.nodes[node as usize], info, volumes))
            .or_else(|| self.beyond(counters, &minimums, node))
    }
}
