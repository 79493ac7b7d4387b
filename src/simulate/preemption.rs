//! DefaultPreemption: which less important pods would have to go (Kubernetes 1.36).

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use super::Map;
use super::cycle::Spot;
use super::filters::volume_binding::{PodVolumes, exclusive_uses};
use super::filters::{self, Rejection, node_resources_fit};
use super::message::{NOT_HELPFUL, fit_error};
use super::node_info::{Held, NodeInfo, PlacedId};
use super::pod::Pod;
use super::state::{ClassId, State};
use super::survey::Survey;
use crate::model::Version;

/// What preemption comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// `preemptionPolicy: Never`.
    Never,
    /// The text after `preemption: `.
    NoCandidate(String),
    /// `ties` are the nodes that would have been as good; the real scheduler takes any of them.
    Nominated { node: u32, victims: Vec<PlacedId>, ties: Vec<u32> },
}

/// Nodes that are alike, where the same evictions would make room or none would.
struct Alike {
    /// The first of them.
    node: u32,
    outcome: Outcome,
    nodes: Vec<u32>,
}

/// What came of a dry run.
enum Outcome {
    /// No pod is less important.
    Nobody,
    /// What still stands in the way when all less important pods are gone.
    InVain(Rejection),
    Candidate {
        /// By their place among the pods of the node, the most important first.
        victims: Vec<usize>,
        /// How many of them a budget protects.
        violations: usize,
    },
}

/// Looks for a node where removing pods of lower priority makes room.
pub fn preempt(state: &State, class: ClassId, survey: &Survey, rejections: &[(Rejection, usize)]) -> Preemption {
    let pod = state.pod(class);
    if pod.never_preempts {
        return Preemption::Never;
    }
    let groups = match state.has_lower_priority(pod.priority) {
        true => {
            let (weights, by_profile) = Default::default();
            DryRuns { state, class, survey, weights, groups: Vec::new(), by_profile }.run()
        }
        false => Vec::new(),
    };
    if let Some((node, victims, ties)) = best(state, &groups) {
        return Preemption::Nominated { node, victims, ties };
    }
    let no_victims = Rejection::unresolvable("No preemption victims found for incoming pod");
    let tried: usize = groups.iter().map(|group| group.nodes.len()).sum();
    let resolvable = rejections.iter().filter(|(rejection, _)| !rejection.unresolvable);
    let untried = resolvable.map(|(_, nodes)| nodes).sum::<usize>().saturating_sub(tried);
    let statuses = groups.iter().map(|group| match &group.outcome {
        Outcome::InVain(rejection) => (rejection, group.nodes.len()),
        _ => (&no_victims, group.nodes.len()),
    });
    let statuses = statuses.chain((untried > 0).then_some((&no_victims, untried)));
    Preemption::NoCandidate(fit_error(state.nodes.len(), statuses, NOT_HELPFUL))
}

/// Dry runs for one pod.
struct DryRuns<'a> {
    state: &'a State,
    class: ClassId,
    survey: &'a Survey,
    /// By kin: what a pod counts for in each of the incoming pod's counters.
    weights: Map<u32, Arc<Vec<i64>>>,
    groups: Vec<Alike>,
    /// Groups by the profile of their nodes.
    by_profile: Map<u32, Vec<usize>>,
}

/// A node on which victims are taken out and put back, without touching the state.
struct DryRun<'a, 'b> {
    all: &'b mut DryRuns<'a>,
    node: u32,
    info: NodeInfo,
    /// Added to the incoming pod's counters in the domains of the node.
    changes: Vec<i64>,
    spot: Spot,
    volumes: Option<PodVolumes>,
}

impl DryRun<'_, '_> {
    fn shift(&mut self, id: PlacedId, sign: i64) {
        let state = self.all.state;
        let class = state.placed[id.0 as usize].class;
        let other = state.pod(class);
        if sign > 0 {
            self.info.add(id, other)
        } else {
            self.info.remove(id, other)
        }
        let weights = self.all.weights_of(state.kin(class));
        self.changes.iter_mut().zip(weights.iter()).for_each(|(change, weight)| *change += weight * sign);
        if let Some(volumes) = &mut self.volumes {
            let pod = state.pod(self.all.class);
            volumes.exclusive_in_use += sign * exclusive_uses(&state.cluster.volumes, pod, other);
        }
    }

    fn filter(&self) -> Option<Rejection> {
        let (state, cycle) = (self.all.state, &self.all.survey.cycle);
        let pod = state.pod(self.all.class);
        let others = || state.pods_on(&self.info);
        let shape = &state.nodes[self.node as usize];
        let local = || filters::local(&state.cluster.volumes, pod, shape, &self.info, &others, self.volumes.as_ref());
        self.spot.rejection.clone().or_else(local).or_else(|| {
            if cycle.slots.is_empty() {
                return None;
            }
            let counters = &state.index.counters;
            let bounds = cycle.bounds(counters, Some((self.node, &self.changes)));
            let mut places = self.spot.places.clone();
            for ((place, change), slot) in places.iter_mut().zip(&self.changes).zip(&cycle.slots) {
                if counters.get(*slot).domain(self.node).is_some() {
                    place.value += change;
                }
            }
            cycle.beyond(&bounds, &places)
        })
    }
}

impl DryRuns<'_> {
    fn weights_of(&mut self, kin: u32) -> Arc<Vec<i64>> {
        let (state, survey) = (self.state, self.survey);
        let weigh = || {
            let kin = &state.index.kins[kin as usize];
            let counted = survey.cycle.slots.iter().map(|slot| &state.index.counters.counted[*slot as usize]);
            Arc::new(counted.map(|counted| counted.weight(&kin.pod, &kin.namespace, true)).collect())
        };
        self.weights.entry(kin).or_insert_with(weigh).clone()
    }

    /// Tries the nodes whose rejection can be resolved, until there are enough candidates.
    fn run(mut self) -> Vec<Alike> {
        let potential = self.survey.resolvable(self.state);
        // `calculateNumCandidates` with `minCandidateNodesPercentage` and `minCandidateNodesAbsolute`.
        let (percent, least) = self.state.pod(self.class).profile().candidates;
        let enough = (potential.len().saturating_mul(percent) / 100).max(least);
        let (mut candidates, mut harmless) = (0, false);
        // By what is short when all less important pods are gone.
        let mut hopeless: [Option<usize>; 16] = [None; 16];
        for node in potential {
            if let Some(short) = self.is_hopeless(node) {
                let at = *hopeless[short].get_or_insert_with(|| {
                    let outcome = self.select_victims(node);
                    self.groups.push(Alike { node, outcome, nodes: Vec::new() });
                    self.groups.len() - 1
                });
                self.groups[at].nodes.push(node);
                continue;
            }
            let profile = self.state.index.profiles.of[node as usize];
            let known = self.by_profile.get(&profile).map_or(&[][..], Vec::as_slice);
            let known = known.iter().copied().find(|at| self.are_alike(self.groups[*at].node, node));
            let at = known.unwrap_or_else(|| {
                let outcome = self.select_victims(node);
                self.groups.push(Alike { node, outcome, nodes: Vec::new() });
                self.by_profile.entry(profile).or_default().push(self.groups.len() - 1);
                self.groups.len() - 1
            });
            let group = &mut self.groups[at];
            group.nodes.push(node);
            if let Outcome::Candidate { violations, .. } = group.outcome {
                candidates += 1;
                harmless |= violations == 0;
            }
            if candidates >= enough && harmless {
                break;
            }
        }
        self.groups
    }

    /// Tells most nodes apart from those that are worth a try, by bits of what stays short; zero where no pod is less
    /// important.
    fn is_hopeless(&self, node: u32) -> Option<usize> {
        let (state, pod) = (self.state, self.state.pod(self.class));
        if !pod.ports.is_empty() || !pod.requests.actual.scalars.is_empty() {
            return None;
        }
        let held = state.infos[node as usize].held_below(pod.priority);
        if held == Held::default() {
            return Some(0);
        }
        let offer = &state.index.profiles.offers[state.index.profiles.of[node as usize] as usize];
        Some(offer.left.without(&held).short(pod)).filter(|short| *short != 0)
    }

    /// What is short although all less important pods are gone, without trying: most nodes are passed over by this.
    fn is_in_vain(&self, node: u32, lower: &[PlacedId]) -> Option<Rejection> {
        let (state, pod) = (self.state, self.state.pod(self.class));
        if !pod.ports.is_empty() {
            return None;
        }
        let info = &state.infos[node as usize];
        let mut used = info.used.clone();
        for id in lower {
            used.add(&state.pod(state.placed[id.0 as usize].class).requests.actual, -1);
        }
        node_resources_fit::reasons(pod, &state.nodes[node as usize], info.pods.len() - lower.len(), &used)
    }

    /// Whether the same must come of two nodes of one profile: they have equal pods in the same order.
    fn are_alike(&self, a: u32, b: u32) -> bool {
        let (state, pod) = (self.state, self.state.pod(self.class));
        let singly = !pod.volumes.is_empty()
            || !pod.ports.is_empty()
            || state.index.kins[state.kin(self.class) as usize].by_name;
        let pods = |node: u32| state.infos[node as usize].pods.iter().map(|id| &state.placed[id.0 as usize]);
        !singly && pods(a).zip(pods(b)).all(|(a, b)| a.class == b.class && a.started == b.started)
    }

    /// `SelectVictimsOnNode`: all less important pods go, then as many as possible come back, the most important
    /// ones first, those that a budget protects before the others.
    fn select_victims(&mut self, node: u32) -> Outcome {
        let (state, pod) = (self.state, self.state.pod(self.class));
        let priority = |id: PlacedId| state.pod(state.placed[id.0 as usize].class).priority;
        let place = |id: &PlacedId| state.infos[node as usize].pods.iter().position(|other| other == id);
        let pods = &state.infos[node as usize].pods;
        let mut potential: Vec<PlacedId> = pods.iter().copied().filter(|id| priority(*id) < pod.priority).collect();
        if potential.is_empty() {
            return Outcome::Nobody;
        }
        if let Some(rejection) = self.is_in_vain(node, &potential) {
            return Outcome::InVain(rejection);
        }
        let info = state.infos[node as usize].clone();
        let (spot, volumes) = (self.survey.spot(state, node), self.survey.volumes.clone());
        let changes = vec![0; self.survey.cycle.slots.len()];
        let mut run = DryRun { all: self, node, info, changes, spot, volumes };
        potential.iter().for_each(|id| run.shift(*id, -1));
        if let Some(rejection) = run.filter() {
            return Outcome::InVain(rejection);
        }
        sort_by_importance(state, &mut potential);
        let (violating, rest) = split_by_budgets(state, &potential);
        let (mut victims, mut violations) = (Vec::new(), 0);
        for (id, violates) in violating.iter().map(|id| (*id, true)).chain(rest.iter().map(|id| (*id, false))) {
            run.shift(id, 1);
            if run.filter().is_some() {
                run.shift(id, -1);
                victims.push(id);
                violations += usize::from(violates);
            }
        }
        sort_by_importance(state, &mut victims);
        Outcome::Candidate { victims: victims.iter().filter_map(place).collect(), violations }
    }
}

/// Start of a pod that no kubelet has started.
pub const NOT_STARTED: i64 = i64::MAX;

/// Whether a victim is deleted: one that is terminating goes anyway, and is not deleted once more since 1.35
/// (`Executor.prepareCandidateAsync` in `pkg/scheduler/framework/preemption/executor.go`).
pub fn deletes(victim: &Pod, version: Version) -> bool {
    !victim.terminating || version < Version::new(1, 35)
}

/// Whether the first pod is more important (`MoreImportantPod`). Pods that have not started count as started
/// when they are looked at, so that the first of two is always the older one.
pub(super) fn more_important(state: &State, a: PlacedId, b: PlacedId) -> bool {
    let (a, b) = (&state.placed[a.0 as usize], &state.placed[b.0 as usize]);
    match state.pod(a.class).priority.cmp(&state.pod(b.class).priority) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => a.started < b.started || (a.started == NOT_STARTED && b.started == NOT_STARTED),
    }
}

/// Sorts the more important pods first, as Go's `sort.Slice` does up to 12 items: its insertion sort turns pods
/// that have not started around.
fn sort_by_importance(state: &State, pods: &mut [PlacedId]) {
    if pods.len() > 12 {
        let key = |id: &PlacedId| {
            let placed = &state.placed[id.0 as usize];
            (Reverse(state.pod(placed.class).priority), placed.started, Reverse(*id))
        };
        pods.sort_by_key(key);
        return;
    }
    for end in 1..pods.len() {
        let mut at = end;
        while at > 0 && more_important(state, pods[at], pods[at - 1]) {
            pods.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// Splits the pods into those whose eviction a PodDisruptionBudget forbids, and the rest.
fn split_by_budgets(state: &State, pods: &[PlacedId]) -> (Vec<PlacedId>, Vec<PlacedId>) {
    let mut allowed: Vec<i64> = state.cluster.budgets.iter().map(|budget| budget.allowed).collect();
    pods.iter().partition(|id| {
        let pod = state.pod(state.placed[id.0 as usize].class);
        let mut violates = false;
        for (budget, left) in state.cluster.budgets.iter().zip(&mut allowed) {
            let selector = budget.selector.as_ref().filter(|selector| !selector.is_empty());
            let matches = selector.is_some_and(|selector| selector.matches(&pod.labels));
            if matches && budget.namespace == pod.namespace && !pod.labels.is_empty() {
                *left -= 1;
                violates |= *left < 0;
            }
        }
        violates
    })
}

/// `pickOneNodeForPreemption`: the first of the best candidates with its victims, and all nodes that are as good.
fn best(state: &State, groups: &[Alike]) -> Option<(u32, Vec<PlacedId>, Vec<u32>)> {
    let ids = |node: u32, victims: &[usize]| -> Vec<PlacedId> {
        victims.iter().map(|at| state.infos[node as usize].pods[*at]).collect()
    };
    let placed = |id: &PlacedId| &state.placed[id.0 as usize];
    let priority = |id: &PlacedId| state.pod(placed(id).class).priority;
    let rank = |group: &Alike| {
        let Outcome::Candidate { victims, violations } = &group.outcome else { return None };
        let victims = ids(group.node, victims);
        let highest = victims.first().map_or(i32::MIN, priority);
        let sum: i64 = victims.iter().map(|id| i64::from(priority(id)) + i64::from(i32::MAX) + 1).sum();
        let top = victims.iter().filter(|id| priority(id) == highest).map(|id| placed(id).started).min();
        Some((*violations, highest, sum, victims.len(), Reverse(top)))
    };
    let ranks: Vec<_> = groups.iter().map(rank).collect();
    let best = ranks.iter().flatten().min()?;
    let as_good = || groups.iter().zip(&ranks).filter(|(_, rank)| rank.as_ref() == Some(best)).map(|(group, _)| group);
    let mut ties: Vec<u32> = as_good().flat_map(|group| group.nodes.iter().copied()).collect();
    ties.sort_unstable();
    let first = *ties.first()?;
    let group = as_good().find(|group| group.nodes.first() == Some(&first))?;
    let Outcome::Candidate { victims, .. } = &group.outcome else { return None };
    Some((first, ids(first, victims), ties))
}
