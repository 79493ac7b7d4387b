//! What the scheduler keeps ready beside the nodes and their pods: counters, kinds and profiles of nodes, and what was
//! worked out for each kind of pod.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Map;
use super::cluster::Cluster;
use super::counters::{Counted, Counters};
use super::cycle::Cycle;
use super::groups::Shape;
use super::kinds::{Kinds, looks_at_names};
use super::labels::Labels;
use super::node_info::NodeInfo;
use super::nodes::Node;
use super::pod::Pod;
use super::profiles::{Profile, Profiles};

/// Pods that are alike in everything but what they request, their priority, ports and volumes.
#[derive(Clone, Debug)]
pub struct Kin {
    pub pod: Arc<Pod>,
    pub namespace: Arc<Labels>,
    /// It tells nodes apart by their names.
    pub by_name: bool,
    /// Counters that the pods count for, with weights.
    deltas: Vec<(u32, i64)>,
    /// Counters that have been compared with the pods.
    covered: usize,
    pub cycle: Option<Box<Cycle>>,
}

/// A pod compared by what its kin have in common.
#[derive(Clone, Debug)]
struct Likeness(Arc<Pod>);

impl Likeness {
    fn parts(&self) -> impl Hash + PartialEq + '_ {
        let Pod { namespace, labels, node_name, node_selector, required_nodes, preferred_nodes, tolerations, .. } =
            &*self.0;
        let Pod {
            profile,
            spread,
            affinity,
            anti_affinity,
            preferred_pods,
            images,
            containers,
            terminating,
            default_spread,
            ..
        } = &*self.0;
        let node = (namespace, labels, node_name, node_selector, required_nodes, preferred_nodes, tolerations);
        (
            node,
            (spread, affinity, anti_affinity, preferred_pods, images, containers, terminating, default_spread, profile),
        )
    }
}

impl PartialEq for Likeness {
    fn eq(&self, other: &Likeness) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Likeness {}

impl Hash for Likeness {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.parts().hash(hasher);
    }
}

#[derive(Clone, Debug, Default)]
pub struct Index {
    pub counters: Counters,
    pub kinds: Kinds,
    pub profiles: Profiles,
    pub kins: Vec<Kin>,
    ids: Map<Likeness, u32>,
    namespaces: HashMap<String, Arc<Labels>>,
    /// Counters by host that are not zero, by node.
    hosts: Vec<Vec<(u32, i64)>>,
    /// Nodes that are cordoned for a while.
    pub cordoned: Vec<bool>,
    /// Nodes that are there.
    pub there: Vec<bool>,
    /// Labels came up by which the kinds of nodes have not been told apart yet.
    stale: bool,
    /// Grows when nodes are told apart anew, come or go.
    pub epoch: u64,
}

impl Index {
    pub fn new(nodes: &[Node]) -> Index {
        let mut index = Index {
            profiles: Profiles::new(nodes.len()),
            hosts: vec![Vec::new(); nodes.len()],
            cordoned: vec![false; nodes.len()],
            there: vec![true; nodes.len()],
            ..Index::default()
        };
        index.tell_apart(nodes, &vec![NodeInfo::default(); nodes.len()]);
        index
    }

    /// The kin of a pod.
    pub fn kin(&mut self, pod: &Arc<Pod>, cluster: &Cluster, nodes: &[Node]) -> u32 {
        if let Some(id) = self.ids.get(&Likeness(pod.clone())) {
            return *id;
        }
        let id = self.kins.len() as u32;
        let namespace = self.namespace(&pod.namespace, cluster);
        let by_name = looks_at_names(pod);
        self.kins.push(Kin { pod: pod.clone(), namespace, by_name, deltas: Vec::new(), covered: 0, cycle: None });
        self.ids.insert(Likeness(pod.clone()), id);
        self.stale |= self.kinds.mention(pod);
        for term in &pod.anti_affinity {
            self.counters.of(nodes, &term.key, Counted::Repelling(term.clone()));
        }
        for term in &pod.affinity {
            self.counters.of(nodes, &term.key, Counted::Requiring(term.clone()));
        }
        for (_, term) in &pod.preferred_pods {
            self.counters.of(nodes, &term.key, Counted::Preferring(term.clone()));
        }
        id
    }

    fn namespace(&mut self, name: &str, cluster: &Cluster) -> Arc<Labels> {
        if let Some(found) = self.namespaces.get(name) {
            return found.clone();
        }
        let labels = Arc::new(cluster.namespace(name));
        self.namespaces.insert(name.to_owned(), labels.clone());
        labels
    }

    /// Tells the nodes apart by the labels that are mentioned now.
    fn tell_apart(&mut self, nodes: &[Node], infos: &[NodeInfo]) {
        self.kinds.sort(nodes, &self.cordoned);
        self.profiles = Profiles::new(nodes.len());
        self.stale = false;
        self.epoch += 1;
        self.kins.iter_mut().for_each(|kin| kin.cycle = None);
        (0..nodes.len() as u32).for_each(|node| self.look_at(node, infos));
    }

    /// Finds the profile of a node anew.
    pub fn look_at(&mut self, node: u32, infos: &[NodeInfo]) {
        let (at, info) = (node as usize, &infos[node as usize]);
        // What was used and is no longer leaves a zero.
        let mut used = info.used.clone();
        used.scalars.retain(|(_, amount)| *amount != 0);
        used.scalars.sort();
        if !self.there[at] {
            return self.profiles.take(node);
        }
        let kind = self.kinds.of[at];
        let profile = Profile {
            shape: self.profiles.groups.shape(Shape { kind, counts: self.hosts[at].clone() }),
            pods: info.pods.len(),
            used,
            nonzero: (info.nonzero.cpu, info.nonzero.memory),
        };
        self.profiles.set(node, &self.kinds.like[kind as usize], profile);
    }

    /// A pod came to a node (1) or left it (-1); `infos` know already.
    pub fn shift(&mut self, kin: u32, node: u32, sign: i64, infos: &[NodeInfo]) {
        self.cover(kin);
        let deltas = std::mem::take(&mut self.kins[kin as usize].deltas);
        for (id, weight) in &deltas {
            let counter = &mut self.counters.list[*id as usize];
            if !counter.add(node, weight * sign) || !counter.domains.hosts {
                continue;
            }
            let domains = counter.domains.clone();
            for member in &domains.members[domains.at(node) as usize] {
                self.note(*id, *member);
                if *member != node {
                    self.look_at(*member, infos);
                }
            }
        }
        self.kins[kin as usize].deltas = deltas;
        self.look_at(node, infos);
    }

    /// Compares the pods of a kin with the counters that are new.
    fn cover(&mut self, kin: u32) {
        let kin = &mut self.kins[kin as usize];
        for id in kin.covered..self.counters.list.len() {
            let weight = self.counters.counted[id].weight(&kin.pod, &kin.namespace, false);
            if weight != 0 {
                kin.deltas.push((id as u32, weight));
            }
        }
        kin.covered = self.counters.list.len();
    }

    /// Writes down what a counter by hosts has at a node.
    fn note(&mut self, counter: u32, node: u32) {
        let value = self.counters.get(counter).place(node).value;
        let counts = &mut self.hosts[node as usize];
        match (counts.binary_search_by_key(&counter, |(id, _)| *id), value) {
            (Ok(at), 0) => {
                counts.remove(at);
            }
            (Ok(at), value) => counts[at].1 = value,
            (Err(_), 0) => {}
            (Err(at), value) => counts.insert(at, (counter, value)),
        }
    }

    /// The counter of a question of an incoming pod; one that is new counts the pods that are there.
    fn counter(&mut self, key: &str, counted: Counted, world: &World<'_>) -> u32 {
        let (id, new) = self.counters.of(world.nodes, key, counted);
        if !new {
            return id;
        }
        for (node, there) in self.there.iter().enumerate() {
            if !there {
                self.counters.list[id as usize].stand(node as u32, false);
            }
        }
        let counted = self.counters.counted[id as usize].clone();
        let mut weights: Vec<Option<i64>> = vec![None; self.kins.len()];
        for (node, info) in world.infos.iter().enumerate() {
            let mut sum = 0;
            for pod in &info.pods {
                let kin = (world.kin_of)(*pod) as usize;
                let weigh = || counted.weight(&self.kins[kin].pod, &self.kins[kin].namespace, false);
                sum += *weights[kin].get_or_insert_with(weigh);
            }
            if sum != 0 {
                self.counters.list[id as usize].add(node as u32, sum);
            }
        }
        if self.counters.get(id).domains.hosts {
            let holds = |node: &u32| self.counters.get(id).place(*node).value != 0;
            for node in (0..world.nodes.len() as u32).filter(holds).collect::<Vec<_>>() {
                self.note(id, node);
                self.look_at(node, world.infos);
            }
        }
        id
    }

    /// What is worked out for a kin, up to date; give it back as the kin's `cycle`.
    pub fn cycle(&mut self, kin: u32, world: &World<'_>) -> Box<Cycle> {
        if self.stale {
            self.tell_apart(world.nodes, world.infos);
        }
        let Kin { pod, namespace, .. } = self.kins[kin as usize].clone_heads();
        let mut cycle = match self.kins[kin as usize].cycle.take() {
            Some(cycle) => cycle,
            None => {
                let mut counter = |key: &str, counted: Counted| self.counter(key, counted, world);
                Box::new(Cycle::new(&pod, &namespace, world.nodes, world.version, &mut counter))
            }
        };
        cycle.meet(&pod, &namespace, &self.counters);
        cycle
    }

    /// Lets a node go for a while, or come back.
    pub fn stand(&mut self, node: u32, there: bool, infos: &[NodeInfo]) {
        self.there[node as usize] = there;
        self.epoch += 1;
        self.counters.list.iter_mut().for_each(|counter| counter.stand(node, there));
        self.look_at(node, infos);
    }

    /// Cordons a node for a while, or opens it again.
    pub fn cordon(&mut self, node: u32, cordoned: bool, nodes: &[Node], infos: &[NodeInfo]) {
        self.cordoned[node as usize] = cordoned;
        self.epoch += 1;
        self.kinds.look_at(node, &nodes[node as usize], cordoned);
        self.look_at(node, infos);
    }
}

impl Kin {
    fn clone_heads(&self) -> Kin {
        Kin {
            pod: self.pod.clone(),
            namespace: self.namespace.clone(),
            by_name: self.by_name,
            deltas: Vec::new(),
            covered: 0,
            cycle: None,
        }
    }
}

/// Nodes and what is on them, as the state has it.
pub struct World<'a> {
    pub nodes: &'a [Node],
    pub infos: &'a [NodeInfo],
    pub version: crate::model::Version,
    /// The kin of a placed pod.
    pub kin_of: &'a dyn Fn(super::node_info::PlacedId) -> u32,
}
