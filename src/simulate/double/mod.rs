//! The scheduler once more, as plainly as its documentation tells it: every node and every pod is looked at for every
//! answer, and nothing is kept. What the engine says must be equal.

mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::counters::{Counted, Eligible};
use super::filters::{self, Rejection, node_affinity, taint_toleration};
use super::labels::Labels;
use super::message::{self, NOT_HELPFUL, fit_error};
use super::node_info::{NodeInfo, PlacedId};
use super::nodes::{HOSTNAME, Node, ZONE};
use super::pod::{Pod, PodTerm, Spread};
use super::preemption::{Preemption, more_important};
use super::scores::{image_locality, node_affinity as affinity_score, resources, taint_toleration as taint_score};
use super::state::{ClassId, State};

/// What the scheduler says of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// The total score of every node that passed; with one node it is not scored.
    Scheduled(BTreeMap<u32, i64>),
    Pending {
        message: String,
        nodes: BTreeSet<u32>,
        victims: BTreeSet<PlacedId>,
    },
}

struct World<'a> {
    state: &'a State,
    pod: Arc<Pod>,
    /// Pods that are taken out for a try.
    out: Vec<PlacedId>,
}

pub fn schedule(state: &State, class: ClassId) -> Plain {
    let world = World { state, pod: state.pod(class).clone(), out: Vec::new() };
    let runs = world.pod.profile().runs("NodeAffinity");
    let pinned = match node_affinity::pinned(&world.pod).or_else(|error| if runs { Err(error) } else { Ok(None) }) {
        Ok(pinned) => pinned,
        Err(rejection) => {
            let message = message::prefilter(state.nodes.len(), &rejection, state.cluster.version());
            return Plain::Pending { message, nodes: BTreeSet::new(), victims: BTreeSet::new() };
        }
    };
    let pinned = pinned.filter(|_| runs);
    let listed = |node: &u32| pinned.as_ref().is_none_or(|names| names.contains(&world.node(*node).name));
    let nodes: Vec<u32> = world.nodes().filter(listed).collect();
    let verdicts: Vec<(u32, Option<Rejection>)> = nodes.iter().map(|node| (*node, world.filter(*node))).collect();
    let feasible: Vec<u32> = verdicts.iter().filter(|(_, verdict)| verdict.is_none()).map(|(node, _)| *node).collect();
    if !feasible.is_empty() {
        return Plain::Scheduled(world.scores(&feasible));
    }
    let rejections: Vec<(u32, Rejection)> =
        verdicts.into_iter().filter_map(|(node, verdict)| Some((node, verdict?))).collect();
    world.pending(&rejections)
}

impl World<'_> {
    fn nodes(&self) -> impl Iterator<Item = u32> {
        (0..self.state.nodes.len() as u32).filter(|node| self.state.index.there[*node as usize])
    }

    fn node(&self, node: u32) -> Node {
        let cordoned = self.state.index.cordoned[node as usize];
        let node = self.state.nodes[node as usize].clone();
        Node { unschedulable: node.unschedulable || cordoned, ..node }
    }

    fn other(&self, id: PlacedId) -> &Arc<Pod> {
        self.state.pod(self.state.placed[id.0 as usize].class)
    }

    fn namespace(&self, pod: &Pod) -> Labels {
        self.state.cluster.namespace(&pod.namespace)
    }

    /// A sum over the pods of all nodes by value of a label.
    fn sums(&self, key: &str, counted: &Counted, counts: &dyn Fn(u32) -> bool) -> BTreeMap<String, i64> {
        let mut out = BTreeMap::new();
        for node in self.nodes().filter(|node| counts(*node)) {
            let Some(value) = self.node(node).labels.get(key).cloned() else { continue };
            for id in &self.state.infos[node as usize].pods {
                let other = self.other(*id);
                let mut weight = counted.weight(other, &self.namespace(other), false);
                if self.out.contains(id) {
                    weight -= counted.weight(other, &self.namespace(other), true);
                }
                *out.entry(value.clone()).or_insert(0) += weight;
            }
        }
        out
    }

    fn filter(&self, node: u32) -> Option<Rejection> {
        let (shape, known) = (self.node(node), &self.state.cluster.volumes);
        let mut info = NodeInfo::default();
        let pods = self.state.infos[node as usize].pods.iter().filter(|id| !self.out.contains(id));
        pods.clone().for_each(|id| info.add(*id, self.other(*id)));
        let others = || pods.clone().map(|id| self.other(*id).clone()).collect();
        filters::fixed(&self.pod, &shape, self.state.cluster.version())
            .or_else(|| filters::local(known, &self.pod, &shape, &info, &others, None))
            .or_else(|| if self.pod.profile().runs("PodTopologySpread") { self.spread(&shape) } else { None })
            .or_else(|| if self.pod.profile().runs("InterPodAffinity") { self.pod_affinity(&shape) } else { None })
    }

    fn spread(&self, node: &Node) -> Option<Rejection> {
        let (all, _) = self.constraints();
        let hard: Vec<&Spread> = all.iter().filter(|spread| spread.hard).collect();
        for spread in &hard {
            let Some(value) = node.labels.get(&spread.key) else {
                let text = "node(s) didn't match pod topology spread constraints (missing required label)";
                return Some(Rejection::unresolvable(text));
            };
            let counts = |node: u32| {
                let node = self.node(node);
                hard.iter().all(|other| node.labels.contains_key(&other.key)) && self.honors(spread, &node)
            };
            let sums = self.sums(&spread.key, &self.spreads(spread), &counts);
            let domains: BTreeSet<String> = self
                .nodes()
                .filter(|node| counts(*node))
                .filter_map(|node| self.node(node).labels.get(&spread.key).cloned())
                .collect();
            let count = |value: &String| sums.get(value).copied().unwrap_or(0);
            let least = domains.iter().map(count).min().unwrap_or(i64::from(i32::MAX));
            let least = if domains.len() < spread.min_domains { 0 } else { least };
            let itself = i64::from(spread.selector.as_ref().is_some_and(|selector| selector.matches(&self.pod.labels)));
            if count(value) + itself - least > spread.max_skew {
                return Some(Rejection::resolvable("node(s) didn't match pod topology spread constraints"));
            }
        }
        None
    }

    fn honors(&self, spread: &Spread, node: &Node) -> bool {
        (!spread.honor_affinity || self.pod.selects_node(&node.name, &node.labels))
            && (!spread.honor_taints || taint_toleration::untolerated(&self.pod, node).is_none())
    }

    fn spreads(&self, spread: &Spread) -> Counted {
        let (namespace, selector) = (self.pod.namespace.clone(), spread.selector.clone());
        Counted::Spread { namespace, selector, on: Eligible::EachNode }
    }

    fn pod_affinity(&self, node: &Node) -> Option<Rejection> {
        let at = |term: &PodTerm, counted: Counted| {
            let value = node.labels.get(&term.key)?;
            Some(self.sums(&term.key, &counted, &|_| true).get(value).copied().unwrap_or(0))
        };
        let near = |term: &PodTerm| at(term, Counted::MatchingAll(self.pod.affinity.clone()));
        let any_missing = self.pod.affinity.iter().any(|term| near(term).is_none());
        let all_near = self.pod.affinity.iter().all(|term| near(term).unwrap_or(0) > 0);
        let nobody = self.pod.affinity.iter().all(|term| {
            self.sums(&term.key, &Counted::MatchingAll(self.pod.affinity.clone()), &|_| true).values().sum::<i64>() == 0
        });
        let namespace = self.namespace(&self.pod);
        let first = nobody && self.pod.affinity.iter().all(|term| term.matches_existing(&self.pod, &namespace));
        if any_missing || !(all_near || first) {
            return Some(Rejection::unresolvable("node(s) didn't match pod affinity rules"));
        }
        if self.pod.anti_affinity.iter().any(|term| at(term, Counted::Matching(term.clone())).unwrap_or(0) > 0) {
            return Some(Rejection::resolvable("node(s) didn't match pod anti-affinity rules"));
        }
        let theirs = self.carried(|pod| pod.anti_affinity.clone());
        let repelled = theirs.iter().filter(|term| term.matches(&self.pod, &namespace));
        let repelled = repelled.into_iter().any(|term| at(term, Counted::Repelling(term.clone())).unwrap_or(0) > 0);
        repelled.then(|| Rejection::resolvable("node(s) didn't satisfy existing pods anti-affinity rules"))
    }

    /// Terms that pods on nodes carry.
    fn carried(&self, terms: impl Fn(&Pod) -> Vec<PodTerm>) -> Vec<PodTerm> {
        let mut out: Vec<PodTerm> = Vec::new();
        for term in self.state.running().flat_map(|(id, _)| terms(self.other(id))) {
            if !out.contains(&term) {
                out.push(term);
            }
        }
        out
    }

    fn scores(&self, feasible: &[u32]) -> BTreeMap<u32, i64> {
        let images = image_locality::Images::new(&self.pod, &self.state.nodes, self.state.cluster.version());
        let each = |score: &dyn Fn(u32, &Node) -> i64| -> Vec<i64> {
            feasible.iter().map(|node| score(*node, &self.node(*node))).collect()
        };
        let resources = each(&|node, shape| {
            let info = &self.state.infos[node as usize];
            let room =
                resources::Room::new(shape, (info.used.cpu, info.used.memory), (info.nonzero.cpu, info.nonzero.memory));
            resources::score(&self.pod, &room, self.state.cluster.version())
        });
        let percent = |scores: Vec<i64>, reverse: bool| -> Vec<i64> {
            let most = scores.iter().copied().max().unwrap_or(0);
            let part = |score: &i64| if most == 0 { 0 } else { 100 * score / most };
            scores.iter().map(|score| if reverse { 100 - part(score) } else { part(score) }).collect()
        };
        let taints = percent(each(&|_, node| taint_score::score(&self.pod, node)), true);
        let affinity = percent(each(&|_, node| affinity_score::score(&self.pod, node)), false);
        let images = each(&|_, node| images.score(&self.pod, node));
        let (spread, pods) = (self.spread_scores(feasible), self.pod_scores(feasible));
        let weights = self.pod.profile().weights;
        let total = |at: usize| {
            resources[at]
                + weights.taints * taints[at]
                + weights.node_affinity * affinity[at]
                + weights.images * images[at]
                + weights.spread * spread[at]
                + weights.pod_affinity * pods[at]
        };
        feasible.iter().enumerate().map(|(at, node)| (*node, total(at))).collect()
    }

    /// The constraints of the pod, else those of its scheduler; and whether nodes may lack their labels.
    fn constraints(&self) -> (Vec<Spread>, bool) {
        let default = |key: &str, max_skew| Spread {
            max_skew,
            key: key.to_owned(),
            hard: false,
            selector: Some(self.pod.default_spread.clone()),
            min_domains: 1,
            honor_affinity: true,
            honor_taints: false,
        };
        if !self.pod.spread.is_empty() || self.pod.default_spread.is_empty() {
            return (self.pod.spread.clone(), false);
        }
        let selector = Some(self.pod.default_spread.clone());
        match &self.pod.profile().spread {
            Some(listed) => {
                (listed.iter().map(|one| Spread { selector: selector.clone(), ..one.clone() }).collect(), false)
            }
            None => (vec![default(HOSTNAME, 3), default(ZONE, 5)], true),
        }
    }

    fn spread_scores(&self, feasible: &[u32]) -> Vec<i64> {
        let (all, by_default) = self.constraints();
        let soft: Vec<Spread> = all.into_iter().filter(|spread| !spread.hard).collect();
        if soft.is_empty() {
            return vec![0; feasible.len()];
        }
        let has_all = |node: &Node| by_default || soft.iter().all(|spread| node.labels.contains_key(&spread.key));
        let ignored: Vec<bool> = feasible.iter().map(|node| !has_all(&self.node(*node))).collect();
        let mut raw = vec![0.0; feasible.len()];
        for spread in &soft {
            let considered = || feasible.iter().zip(&ignored).filter(|(_, ignored)| !**ignored).map(|(node, _)| *node);
            let value = |node: u32| self.node(node).labels.get(&spread.key).cloned();
            let domains = considered().map(value).collect::<BTreeSet<_>>().len();
            let size = if spread.key == HOSTNAME { considered().count() } else { domains };
            let counts = |node: u32| has_all(&self.node(node)) && self.honors(spread, &self.node(node));
            let sums = self.sums(&spread.key, &self.spreads(spread), &counts);
            for (sum, node) in raw.iter_mut().zip(feasible) {
                let Some(value) = value(*node) else { continue };
                let count = match spread.key == HOSTNAME {
                    true => self.state.infos[*node as usize]
                        .pods
                        .iter()
                        .map(|id| {
                            let other = self.other(*id);
                            self.spreads(spread).weight(other, &self.namespace(other), false)
                        })
                        .sum(),
                    false => sums.get(&value).copied().unwrap_or(0),
                };
                *sum += count as f64 * ((size + 2) as f64).ln() + (spread.max_skew - 1) as f64;
            }
        }
        let raw: Vec<i64> = raw.iter().map(|sum| sum.round() as i64).collect();
        let considered = || raw.iter().zip(&ignored).filter(|(_, ignored)| !**ignored).map(|(score, _)| *score);
        let (least, most) = (considered().min().unwrap_or(0), considered().max().unwrap_or(0));
        let score = |(raw, ignored): (&i64, &bool)| match (*ignored, most) {
            (true, _) => 0,
            (false, 0) => 100,
            (false, most) => 100 * (most + least - raw) / most,
        };
        raw.iter().zip(&ignored).map(score).collect()
    }

    fn pod_scores(&self, feasible: &[u32]) -> Vec<i64> {
        let namespace = self.namespace(&self.pod);
        let looks = !self.pod.profile().own_terms_only || !self.pod.preferred_pods.is_empty();
        let mut parts: Vec<(i64, PodTerm, Counted)> = Vec::new();
        for (weight, term) in &self.pod.preferred_pods {
            parts.push((*weight, term.clone(), Counted::Matching(term.clone())));
        }
        let required = self.carried(|pod| pod.affinity.clone());
        for term in required.into_iter().filter(|term| looks && term.matches(&self.pod, &namespace)) {
            parts.push((self.pod.profile().hard_affinity, term.clone(), Counted::Requiring(term)));
        }
        let preferred = self.carried(|pod| pod.preferred_pods.iter().map(|(_, term)| term.clone()).collect());
        for term in preferred.into_iter().filter(|term| looks && term.matches(&self.pod, &namespace)) {
            parts.push((1, term.clone(), Counted::Preferring(term)));
        }
        let mut raw = vec![0; feasible.len()];
        for (weight, term, counted) in parts {
            let sums = self.sums(&term.key, &counted, &|_| true);
            for (sum, node) in raw.iter_mut().zip(feasible) {
                let value = self.node(*node).labels.get(&term.key).cloned();
                *sum += weight * value.and_then(|value| sums.get(&value).copied()).unwrap_or(0);
            }
        }
        let (least, most) = (raw.iter().copied().min().unwrap_or(0), raw.iter().copied().max().unwrap_or(0));
        let share = |score: &i64| {
            if most == least { 0 } else { (100.0 * ((score - least) as f64 / (most - least) as f64)) as i64 }
        };
        raw.iter().map(share).collect()
    }

    fn pending(mut self, rejections: &[(u32, Rejection)]) -> Plain {
        let (version, total) = (self.state.cluster.version(), self.state.nodes.len());
        let each = rejections.iter().map(|(_, rejection)| (rejection, 1));
        let text = fit_error(total, each, node_affinity::NOT_PINNED);
        let (mut nodes, mut victims) = (BTreeSet::new(), BTreeSet::new());
        let preemption = if self.pod.never_preempts {
            Preemption::Never
        } else {
            let (mut statuses, mut candidates) = (Vec::new(), Vec::new());
            for (node, _) in rejections.iter().filter(|(_, rejection)| !rejection.unresolvable) {
                match self.victims(*node) {
                    Ok(victims) => candidates.push((*node, victims)),
                    Err(rejection) => statuses.push(rejection),
                }
            }
            // Without budgets: the least important most important victim, then the smallest sum, then the fewest.
            let rank = |victims: &Vec<PlacedId>| {
                let priorities = || victims.iter().map(|id| i64::from(self.other(*id).priority));
                (priorities().max(), priorities().map(|one| one + (1 << 31)).sum::<i64>(), victims.len())
            };
            let best = candidates.iter().map(|(_, victims)| rank(victims)).min();
            let chosen: Vec<_> = candidates.iter().filter(|(_, victims)| Some(rank(victims)) == best).collect();
            nodes.extend(chosen.iter().map(|(node, _)| *node));
            match chosen.first() {
                Some((node, ids)) => {
                    victims.extend(ids.iter().copied());
                    Preemption::Nominated { node: *node, victims: ids.clone(), ties: Vec::new() }
                }
                None => {
                    let each = statuses.iter().map(|rejection| (rejection, 1));
                    Preemption::NoCandidate(fit_error(total, each, NOT_HELPFUL))
                }
            }
        };
        Plain::Pending { message: message::unschedulable(text, &preemption, version), nodes, victims }
    }

    /// All less important pods go, then as many as fit come back, the most important ones first.
    fn victims(&mut self, node: u32) -> Result<Vec<PlacedId>, Rejection> {
        let pods = &self.state.infos[node as usize].pods;
        let mut lower: Vec<PlacedId> =
            pods.iter().copied().filter(|id| self.other(*id).priority < self.pod.priority).collect();
        if lower.is_empty() {
            return Err(Rejection::unresolvable("No preemption victims found for incoming pod"));
        }
        self.out.clone_from(&lower);
        if let Some(rejection) = self.filter(node) {
            self.out.clear();
            return Err(rejection);
        }
        // Insertion by importance, as Go's sort does it for few.
        for end in 1..lower.len() {
            let mut at = end;
            while at > 0 && more_important(self.state, lower[at], lower[at - 1]) {
                lower.swap(at, at - 1);
                at -= 1;
            }
        }
        for id in &lower {
            self.out.retain(|other| other != id);
            if self.filter(node).is_some() {
                self.out.push(*id);
            }
        }
        Ok(std::mem::take(&mut self.out))
    }
}
