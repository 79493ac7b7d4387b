//! Which pods are where: nodes with what runs on them, as a log that can be taken back.

use std::collections::HashMap;
use std::sync::Arc;

use super::cluster::Cluster;
use super::cycle::Cycle;
use super::nodes::Node;
use super::pod::{HostPort, Pod};
use super::requests::Amounts;
use super::resources::Resources;
use super::topology::Topology;
use super::volumes::Volumes;

/// Index of a distinct pod in [`State::classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// Index of a pod on a node in [`State::placed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlacedId(pub u32);

/// A pod that occupies a node.
#[derive(Clone, Debug)]
pub struct Placed {
    pub class: ClassId,
    /// `namespace/name`.
    pub name: Arc<str>,
    pub node: u32,
    /// Seconds since 1970, or any number that grows with age; earlier is more important.
    pub started: i64,
}

/// What runs on a node: `framework.NodeInfo`.
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    pub used: Resources,
    pub nonzero: Amounts,
    pub pods: Vec<PlacedId>,
    pub ports: Vec<HostPort>,
}

impl NodeInfo {
    pub fn add(&mut self, id: PlacedId, pod: &Pod) {
        self.count(pod, 1);
        self.pods.push(id);
        self.ports.extend(pod.ports.iter().cloned());
    }

    pub fn remove(&mut self, id: PlacedId, pod: &Pod) {
        self.count(pod, -1);
        // As the scheduler's cache does: the order matters to preemption.
        if let Some(at) = self.pods.iter().position(|other| *other == id) {
            self.pods.swap_remove(at);
        }
        for port in &pod.ports {
            if let Some(at) = self.ports.iter().position(|other| other == port) {
                self.ports.swap_remove(at);
            }
        }
    }

    fn count(&mut self, pod: &Pod, times: i64) {
        self.used.add(&pod.requests.actual, times);
        self.nonzero.cpu = self.nonzero.cpu.saturating_add(pod.requests.nonzero.cpu.saturating_mul(times));
        self.nonzero.memory = self.nonzero.memory.saturating_add(pod.requests.nonzero.memory.saturating_mul(times));
    }
}

/// A pod came to a node, or left it.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub class: ClassId,
    pub node: u32,
    pub sign: i64,
}

#[derive(Clone, Debug)]
enum Step {
    Place(PlacedId),
    Remove(PlacedId),
    Volumes(Box<Volumes>),
}

/// A point in time to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// The cluster during the simulation.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub cluster: Cluster,
    pub nodes: Arc<Vec<Node>>,
    pub infos: Vec<NodeInfo>,
    pub classes: Vec<Arc<Pod>>,
    by_pod: HashMap<Arc<Pod>, ClassId>,
    pub placed: Vec<Placed>,
    /// Everything that happened, for the cycles to catch up with.
    pub events: Vec<Event>,
    /// Pods per class and node that are there now.
    pub whereabouts: Vec<HashMap<u32, i64>>,
    /// Classes whose pods have affinity terms towards others.
    pub with_terms: Vec<ClassId>,
    steps: Vec<Step>,
    pub topology: Topology,
    pub(super) cycles: HashMap<ClassId, Cycle>,
    /// Grows when a binding changes or a pod with claims comes or goes.
    pub volumes_epoch: u64,
}

impl State {
    pub fn new(cluster: Cluster, nodes: Vec<Node>) -> State {
        let infos = vec![NodeInfo::default(); nodes.len()];
        State { cluster, nodes: Arc::new(nodes), infos, ..State::default() }
    }

    /// The class of a pod; equal pods share one.
    pub fn class(&mut self, pod: &Arc<Pod>) -> ClassId {
        if let Some(id) = self.by_pod.get(pod) {
            return *id;
        }
        let id = ClassId(self.classes.len() as u32);
        self.classes.push(pod.clone());
        self.whereabouts.push(HashMap::new());
        if pod.has_pod_terms() {
            self.with_terms.push(id);
        }
        self.by_pod.insert(pod.clone(), id);
        id
    }

    pub fn pod(&self, class: ClassId) -> &Arc<Pod> {
        &self.classes[class.0 as usize]
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<u32> {
        self.nodes.iter().position(|node| node.name == name).map(|index| index as u32)
    }

    /// Puts a pod on a node.
    pub fn place(&mut self, class: ClassId, name: &Arc<str>, node: u32, started: i64) -> PlacedId {
        let id = PlacedId(self.placed.len() as u32);
        self.placed.push(Placed { class, name: name.clone(), node, started });
        self.steps.push(Step::Place(id));
        self.enter(id);
        id
    }

    /// Whether a pod is on its node now.
    pub fn is_placed(&self, id: PlacedId) -> bool {
        self.placed.get(id.0 as usize).is_some_and(|placed| self.infos[placed.node as usize].pods.contains(&id))
    }

    /// Takes a pod off its node.
    pub fn remove(&mut self, id: PlacedId) {
        self.steps.push(Step::Remove(id));
        self.leave(id);
    }

    /// Replaces the storage bindings.
    pub fn set_volumes(&mut self, volumes: Volumes) {
        let before = std::mem::replace(&mut self.cluster.volumes, volumes);
        self.steps.push(Step::Volumes(Box::new(before)));
        self.volumes_epoch += 1;
    }

    pub fn mark(&self) -> Mark {
        Mark(self.steps.len())
    }

    /// Takes back everything since the mark.
    pub fn rollback(&mut self, mark: Mark) {
        while self.steps.len() > mark.0 {
            match self.steps.pop() {
                Some(Step::Place(id)) => self.leave(id),
                Some(Step::Remove(id)) => self.enter(id),
                Some(Step::Volumes(before)) => {
                    self.cluster.volumes = *before;
                    self.volumes_epoch += 1;
                }
                None => break,
            }
        }
    }

    fn enter(&mut self, id: PlacedId) {
        let (pod, node) = self.event(id, 1);
        self.infos[node as usize].add(id, &pod);
    }

    fn leave(&mut self, id: PlacedId) {
        let (pod, node) = self.event(id, -1);
        self.infos[node as usize].remove(id, &pod);
    }

    fn event(&mut self, id: PlacedId, sign: i64) -> (Arc<Pod>, u32) {
        let Placed { class, node, .. } = self.placed[id.0 as usize];
        self.events.push(Event { class, node, sign });
        *self.whereabouts[class.0 as usize].entry(node).or_insert(0) += sign;
        let pod = self.pod(class).clone();
        if pod.has_claims() {
            self.volumes_epoch += 1;
        }
        (pod, node)
    }

    /// The same pods on other nodes, which may have grown in number; nothing is remembered of the old ones.
    #[must_use]
    pub fn with_nodes(&self, nodes: Vec<Node>) -> State {
        let mut next = State { topology: Topology::default(), cycles: HashMap::new(), ..self.clone() };
        next.infos.resize(nodes.len(), NodeInfo::default());
        next.nodes = Arc::new(nodes);
        next
    }

    /// The pods that are on nodes now.
    pub fn running(&self) -> impl Iterator<Item = (PlacedId, &Placed)> {
        let ids = self.infos.iter().flat_map(|info| info.pods.iter());
        ids.map(|id| (*id, &self.placed[id.0 as usize]))
    }
}
