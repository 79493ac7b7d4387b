//! Which pods are where: nodes with what runs on them, as a log that can be taken back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Map;
use super::cluster::Cluster;
use super::cycle::Cycle;
use super::index::{Index, World};
use super::node_info::NodeInfo;
use super::nodes::Node;
use super::pod::Pod;
use super::volumes::Volumes;

pub use super::node_info::PlacedId;

/// Index of a distinct pod in [`State::classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

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

#[derive(Clone, Debug)]
enum Step {
    Place(PlacedId),
    Remove(PlacedId),
    Volumes(Box<Volumes>),
    Cordon(u32),
    Lose(u32),
}

/// A point in time to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// The cluster during the simulation.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub cluster: Cluster,
    pub nodes: Arc<Vec<Node>>,
    by_name: Arc<HashMap<String, u32>>,
    pub infos: Vec<NodeInfo>,
    pub classes: Vec<Arc<Pod>>,
    /// The kin of each class in the index.
    kins: Vec<u32>,
    by_pod: Map<Arc<Pod>, ClassId>,
    /// The same by address; the pods are kept so that no other gets theirs.
    by_address: Map<usize, (Arc<Pod>, ClassId)>,
    pub placed: Vec<Placed>,
    /// Pods on nodes by priority.
    priorities: BTreeMap<i32, usize>,
    steps: Vec<Step>,
    pub index: Index,
    /// Grows with everything that happens.
    pub version: u64,
    /// What the engine has worked out before.
    pub(super) memory: super::engine::Memory,
}

impl State {
    pub fn new(cluster: Cluster, nodes: Vec<Node>) -> State {
        let infos = vec![NodeInfo::default(); nodes.len()];
        let by_name = nodes.iter().enumerate().rev().map(|(index, node)| (node.name.clone(), index as u32)).collect();
        let index = Index::new(&nodes);
        State { cluster, by_name: Arc::new(by_name), nodes: Arc::new(nodes), infos, index, ..State::default() }
    }

    /// The class of a pod; equal pods share one.
    pub fn class(&mut self, pod: &Arc<Pod>) -> ClassId {
        let address = Arc::as_ptr(pod) as usize;
        if let Some((_, id)) = self.by_address.get(&address) {
            return *id;
        }
        let id = match self.by_pod.get(pod) {
            Some(id) => *id,
            None => {
                let id = ClassId(self.classes.len() as u32);
                self.classes.push(pod.clone());
                self.kins.push(self.index.kin(pod, &self.cluster, &self.nodes));
                self.by_pod.insert(pod.clone(), id);
                id
            }
        };
        self.by_address.insert(address, (pod.clone(), id));
        id
    }

    pub fn pod(&self, class: ClassId) -> &Arc<Pod> {
        &self.classes[class.0 as usize]
    }

    pub fn kin(&self, class: ClassId) -> u32 {
        self.kins[class.0 as usize]
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Puts a pod on a node.
    pub fn place(&mut self, class: ClassId, name: &Arc<str>, node: u32, started: i64) -> PlacedId {
        let id = PlacedId(self.placed.len() as u32);
        self.placed.push(Placed { class, name: name.clone(), node, started });
        self.steps.push(Step::Place(id));
        self.shift(id, 1);
        id
    }

    /// Whether a pod is on its node now.
    pub fn is_placed(&self, id: PlacedId) -> bool {
        self.placed.get(id.0 as usize).is_some_and(|placed| self.infos[placed.node as usize].pods.contains(&id))
    }

    /// Takes a pod off its node.
    pub fn remove(&mut self, id: PlacedId) {
        self.steps.push(Step::Remove(id));
        self.shift(id, -1);
    }

    /// Replaces the storage bindings.
    pub fn set_volumes(&mut self, volumes: Volumes) {
        let before = std::mem::replace(&mut self.cluster.volumes, volumes);
        self.steps.push(Step::Volumes(Box::new(before)));
        self.version += 1;
    }

    /// Lets no new pods on a node.
    pub fn cordon(&mut self, node: u32) {
        if !self.index.cordoned[node as usize] {
            self.steps.push(Step::Cordon(node));
            self.index.cordon(node, true, &self.nodes, &self.infos);
            self.version += 1;
        }
    }

    /// Takes a node away, with the pods that are on it.
    pub fn lose(&mut self, node: u32) {
        self.infos[node as usize].pods.clone().into_iter().for_each(|id| self.remove(id));
        self.steps.push(Step::Lose(node));
        self.index.stand(node, false, &self.infos);
        self.version += 1;
    }

    /// A point to go back to.
    pub fn mark(&self) -> Mark {
        Mark(self.steps.len())
    }

    /// Takes back everything since the mark.
    pub fn rollback(&mut self, mark: Mark) {
        while self.steps.len() > mark.0 {
            match self.steps.pop() {
                Some(Step::Place(id)) => self.shift(id, -1),
                Some(Step::Remove(id)) => self.shift(id, 1),
                Some(Step::Volumes(before)) => self.cluster.volumes = *before,
                Some(Step::Cordon(node)) => self.index.cordon(node, false, &self.nodes, &self.infos),
                Some(Step::Lose(node)) => self.index.stand(node, true, &self.infos),
                None => break,
            }
        }
        self.version += 1;
    }

    fn shift(&mut self, id: PlacedId, sign: i64) {
        let Placed { class, node, .. } = self.placed[id.0 as usize];
        let pod = self.classes[class.0 as usize].clone();
        let info = &mut self.infos[node as usize];
        if sign > 0 {
            info.add(id, &pod)
        } else {
            info.remove(id, &pod)
        }
        let count = self.priorities.entry(pod.priority).or_insert(0);
        *count = count.saturating_add_signed(sign as isize);
        self.index.shift(self.kins[class.0 as usize], node, sign, &self.infos);
        self.version += 1;
    }

    /// Whether a pod of lower priority is on any node.
    pub fn has_lower_priority(&self, priority: i32) -> bool {
        self.priorities.range(..priority).any(|(_, count)| *count > 0)
    }

    /// What is worked out for the kin of a class; give it back with [`State::keep`].
    pub fn cycle(&mut self, class: ClassId) -> Box<Cycle> {
        let State { index, placed, kins, nodes, infos, cluster, .. } = self;
        let kin_of = |id: PlacedId| kins[placed[id.0 as usize].class.0 as usize];
        let world = World { nodes, infos, version: cluster.version(), kin_of: &kin_of };
        index.cycle(kins[class.0 as usize], &world)
    }

    /// Keeps it for the next pod of its kin.
    pub fn keep(&mut self, class: ClassId, cycle: Box<Cycle>) {
        self.index.kins[self.kins[class.0 as usize] as usize].cycle = Some(cycle);
    }

    /// The same pods on other nodes, which may have grown in number; nothing is remembered of the old ones.
    #[must_use]
    pub fn with_nodes(&self, nodes: Vec<Node>) -> State {
        let mut next = State::new(self.cluster.clone(), nodes);
        self.classes.iter().for_each(|pod| {
            next.class(pod);
        });
        next.placed.clone_from(&self.placed);
        for (index, info) in self.infos.iter().enumerate().take(next.infos.len()) {
            for id in &info.pods {
                debug_assert_eq!(self.placed[id.0 as usize].node as usize, index);
                next.shift(*id, 1);
            }
        }
        next
    }

    /// The pods of a node.
    pub fn pods_on(&self, info: &NodeInfo) -> Vec<Arc<Pod>> {
        info.pods.iter().map(|id| self.pod(self.placed[id.0 as usize].class).clone()).collect()
    }

    /// The pods that are on nodes now.
    pub fn running(&self) -> impl Iterator<Item = (PlacedId, &Placed)> {
        let ids = self.infos.iter().flat_map(|info| info.pods.iter());
        ids.map(|id| (*id, &self.placed[id.0 as usize]))
    }
}
