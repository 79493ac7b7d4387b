//! What PodTopologySpread and InterPodAffinity count: pods by topology domain, one counter for each question that any
//! pod asks, kept up to date while pods come and go.

use std::collections::HashMap;
use std::sync::Arc;

use super::labels::{Labels, NodeTerm, Selector};
use super::nodes::{HOSTNAME, Node};
use super::pod::{Pod, PodTerm, Spread, Toleration};
use super::topology::{Counter, Topology};

/// Which pods count, and for how much.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Pods of a namespace that a spread constraint selects, on the nodes that count for it.
    Spread { namespace: String, selector: Option<Selector>, on: Eligible },
    /// Pods that one term of an incoming pod matches.
    Matching(PodTerm),
    /// Pods that all required affinity terms of an incoming pod match.
    MatchingAll(Vec<PodTerm>),
    /// Pods with the term among their required anti-affinity.
    Repelling(PodTerm),
    /// Pods with the term among their required affinity, for scores.
    Requiring(PodTerm),
    /// Weights of the pods that have the term among their preferences.
    Preferring(PodTerm),
}

/// nodeSelector and required affinity of a pod.
type NodeRequirement = (Vec<(String, String)>, Option<Vec<NodeTerm>>);

/// The nodes whose pods count for a spread constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Eligible {
    /// All nodes, each a domain of its own: what scores count on hosts.
    EachNode,
    Nodes {
        /// Labels that a node must have.
        keys: Vec<String>,
        /// nodeSelector and required affinity of the pod, where the policy honors them.
        selected: Option<NodeRequirement>,
        /// Tolerations of the pod, where the policy honors taints.
        tolerated: Option<Vec<Toleration>>,
    },
}

impl Eligible {
    /// The nodes of a pod's constraint; `keys` are the labels of all constraints of its kind.
    pub fn of(pod: &Pod, spread: &Spread, keys: Vec<String>) -> Eligible {
        if !spread.hard && spread.key == HOSTNAME {
            return Eligible::EachNode;
        }
        let selected = spread.honor_affinity.then(|| (pod.node_selector.clone(), pod.required_nodes.clone()));
        Eligible::Nodes { keys, selected, tolerated: spread.honor_taints.then(|| pod.tolerations.clone()) }
    }

    fn counts(&self, node: &Node) -> bool {
        let Eligible::Nodes { keys, selected, tolerated } = self else { return true };
        let tolerates = |tolerations: &Vec<Toleration>| {
            node.taints.iter().filter(|taint| taint.repels()).all(|taint| {
                tolerations.iter().any(|toleration| toleration.tolerates(&taint.key, &taint.value, &taint.effect))
            })
        };
        keys.iter().all(|key| node.labels.contains_key(key))
            && selected.as_ref().is_none_or(|(selector, terms)| {
                selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
                    && terms
                        .as_ref()
                        .is_none_or(|terms| terms.iter().any(|term| term.matches(&node.name, &node.labels)))
            })
            && tolerated.as_ref().is_none_or(tolerates)
    }
}

impl Counted {
    /// What a pod counts for. `dry_run`: while victims are taken out and put back, the scheduler forgets two exemptions
    /// (`updateWithPod` in podtopologyspread/filtering.go, 1.34 to 1.36).
    pub fn weight(&self, pod: &Pod, its_namespace: &Labels, dry_run: bool) -> i64 {
        let same = |terms: &[PodTerm], term| terms.iter().filter(|other| *other == term).count() as i64;
        match self {
            Counted::Spread { namespace, selector, .. } => {
                let selector = selector.as_ref().filter(|_| *namespace == pod.namespace);
                let exempt = |selector: &Selector| pod.terminating || selector.is_empty();
                i64::from(selector.is_some_and(|one| one.matches(&pod.labels) && (dry_run || !exempt(one))))
            }
            Counted::Matching(term) => i64::from(term.matches_existing(pod, its_namespace)),
            Counted::MatchingAll(terms) => {
                i64::from(terms.iter().all(|term| term.matches_existing(pod, its_namespace)))
            }
            Counted::Repelling(term) => same(&pod.anti_affinity, term),
            Counted::Requiring(term) => same(&pod.affinity, term),
            Counted::Preferring(term) => {
                pod.preferred_pods.iter().filter(|(_, other)| other == term).map(|(weight, _)| weight).sum()
            }
        }
    }

    /// The term that other pods carry.
    pub fn carried(&self) -> Option<&PodTerm> {
        match self {
            Counted::Repelling(term) | Counted::Requiring(term) | Counted::Preferring(term) => Some(term),
            _ => None,
        }
    }
}

/// All counters, each with the label that it counts by.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    pub list: Vec<Counter>,
    pub counted: Vec<Arc<Counted>>,
    /// Those that count what other pods carry, in the order in which they came.
    pub carried: Vec<u32>,
    ids: HashMap<(String, Arc<Counted>), u32>,
    topology: Topology,
}

impl Counters {
    /// The counter of a question, and whether it is new and has counted nothing yet.
    pub fn of(&mut self, nodes: &[Node], key: &str, counted: Counted) -> (u32, bool) {
        let question = (key.to_owned(), Arc::new(counted));
        if let Some(id) = self.ids.get(&question) {
            return (*id, false);
        }
        let counted = &*question.1;
        let (domains, eligible) = match counted {
            Counted::Spread { on: Eligible::EachNode, .. } => (self.topology.each_node(nodes), None),
            Counted::Spread { on, .. } => {
                let eligible = nodes.iter().map(|node| on.counts(node)).collect();
                (self.topology.domains(nodes, key), Some(Arc::new(eligible)))
            }
            _ => (self.topology.domains(nodes, key), None),
        };
        let id = self.list.len() as u32;
        self.list.push(Counter::new(domains, eligible));
        self.counted.push(question.1.clone());
        if question.1.carried().is_some() {
            self.carried.push(id);
        }
        self.ids.insert(question, id);
        (id, true)
    }

    pub fn get(&self, id: u32) -> &Counter {
        &self.list[id as usize]
    }
}
