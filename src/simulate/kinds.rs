//! Kinds of nodes: nodes that are alike in everything but what runs on them and what they are called.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::labels::NodeTerm;
use super::nodes::{HOSTNAME, Node, Taint};
use super::pod::Pod;
use super::resources::Resources;

/// What tells kinds apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Traits {
    /// Values of the labels that pods mention.
    labels: Vec<Option<String>>,
    has_host: bool,
    taints: Vec<Taint>,
    unschedulable: bool,
    allocatable: Resources,
    max_pods: i64,
    images: BTreeMap<String, i64>,
}

/// The kind of every node.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    /// By node.
    pub of: Vec<u32>,
    /// A node of each kind.
    pub like: Vec<Arc<Node>>,
    /// Index of that node in the inventory.
    pub example: Vec<u32>,
    ids: HashMap<Traits, u32>,
    /// Labels that any pod mentions; host names are left out, or every node would be its own kind.
    mentioned: BTreeSet<String>,
}

impl Kinds {
    /// Takes in the labels that a pod mentions; true where nodes must be told apart anew.
    pub fn mention(&mut self, pod: &Pod) -> bool {
        let before = self.mentioned.len();
        for key in mentions(pod).filter(|key| *key != HOSTNAME) {
            if !self.mentioned.contains(key) {
                self.mentioned.insert(key.to_owned());
            }
        }
        // With the scheduler's own defaults every pod that has an owner looks at zones.
        if !pod.default_spread.is_empty() && !self.mentioned.contains(super::nodes::ZONE) {
            self.mentioned.insert(super::nodes::ZONE.to_owned());
        }
        self.mentioned.len() > before
    }

    /// Tells all nodes apart.
    pub fn sort(&mut self, nodes: &[Node], cordoned: &[bool]) {
        (self.ids, self.like, self.example) = Default::default();
        self.of = vec![0; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            self.look_at(index as u32, node, cordoned[index]);
        }
    }

    /// Finds the kind of a node.
    pub fn look_at(&mut self, index: u32, node: &Node, cordoned: bool) {
        let traits = Traits {
            labels: self.mentioned.iter().map(|key| node.labels.get(key).cloned()).collect(),
            has_host: node.labels.contains_key(HOSTNAME),
            taints: node.taints.clone(),
            unschedulable: node.unschedulable || cordoned,
            allocatable: node.allocatable.clone(),
            max_pods: node.max_pods,
            images: node.images.clone(),
        };
        let unschedulable = traits.unschedulable;
        let next = self.like.len() as u32;
        let id = *self.ids.entry(traits).or_insert(next);
        if id == next {
            self.like.push(Arc::new(Node { unschedulable, ..node.clone() }));
            self.example.push(index);
        }
        self.of[index as usize] = id;
    }
}

/// Labels of nodes that a pod asks for.
fn mentions(pod: &Pod) -> impl Iterator<Item = &str> {
    let terms = node_terms(pod);
    let expressions = terms.flat_map(|term| &term.expressions).map(|wanted| wanted.key.as_str());
    let selector = pod.node_selector.iter().map(|(key, _)| key.as_str());
    let pods = pod.affinity.iter().chain(&pod.anti_affinity).chain(pod.preferred_pods.iter().map(|(_, term)| term));
    let topologies = pods
        .map(|term| term.key.as_str())
        .chain(pod.spread.iter().chain(pod.profile().spread.iter().flatten()).map(|spread| spread.key.as_str()));
    expressions.chain(selector).chain(topologies)
}

/// Terms over nodes, the pod's own and those that its scheduler adds.
fn node_terms(pod: &Pod) -> impl Iterator<Item = &NodeTerm> {
    let own = pod.required_nodes.iter().flatten().chain(pod.preferred_nodes.iter().map(|(_, term)| term));
    let profile = pod.profile();
    let added = profile.added_nodes.iter().flatten().chain(profile.preferred_nodes.iter().map(|(_, term)| term));
    own.chain(added)
}

/// Whether a pod tells nodes apart by their names.
pub fn looks_at_names(pod: &Pod) -> bool {
    let by_name =
        |term: &NodeTerm| !term.fields.is_empty() || term.expressions.iter().any(|wanted| wanted.key == HOSTNAME);
    pod.node_name.is_some() || node_terms(pod).any(by_name) || pod.node_selector.iter().any(|(key, _)| key == HOSTNAME)
}
