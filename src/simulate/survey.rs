//! The filters and scores over all nodes, once for nodes that are alike.

use super::cycle::{Bounds, Cycle, Spot};
use super::filters::volume_binding::PodVolumes;
use super::filters::{self, Rejection, node_resources_fit};
use super::groups::Group;
use super::node_set::NodeSet;
use super::nodes::Node;
use super::pod::Pod;
use super::profiles::GONE;
use super::scores::{self, resources};
use super::state::{ClassId, State};

/// What the filters said, and what the scores would look at.
pub struct Survey {
    pub cycle: Box<Cycle>,
    pub bounds: Bounds,
    pub volumes: Option<PodVolumes>,
    class: ClassId,
    /// Nodes that passed, by spot.
    pub feasible: Vec<usize>,
    /// By spot: what rejects it, whatever is requested of the node.
    pub verdicts: Vec<Option<Rejection>>,
    /// Groups of nodes, some of which passed.
    open: Vec<Open>,
    /// Spots of single nodes, where they are told apart; else those of the cycle count.
    singles: Option<Singles>,
}

/// A group of profiles that has room for the pod.
struct Open {
    group: u32,
    spot: u32,
    /// All of its nodes have room.
    whole: bool,
}

struct Singles {
    /// Nodes that passed, each with a spot of its own.
    nodes: Vec<u32>,
    spots: Vec<Spot>,
    /// Their scores for resources.
    scores: Vec<i64>,
    rejections: Vec<(u32, Rejection)>,
}

/// Surveys nodes by profile.
pub fn profiles(state: &State, class: ClassId, mut cycle: Box<Cycle>) -> Survey {
    let (pod, index) = (state.pod(class), &state.index);
    let groups = &index.profiles.groups;
    cycle.sort(pod, &index.kinds, &groups.shapes, &index.counters);
    let bounds = cycle.bounds(&index.counters, None);
    let verdict = |spot: &Spot| spot.rejection.clone().or_else(|| cycle.beyond(&bounds, &spot.places));
    let verdicts: Vec<Option<Rejection>> = cycle.spots.iter().map(verdict).collect();
    let (mut feasible, mut open) = (vec![0; cycle.spots.len()], Vec::new());
    for (id, group) in groups.list.iter().enumerate().filter(|(_, group)| group.count > 0) {
        let spot = cycle.spot_of[group.shape as usize];
        if verdicts[spot as usize].is_some() {
            continue;
        }
        let (passed, whole) = passing(state, pod, group);
        if passed > 0 {
            feasible[spot as usize] += passed;
            open.push(Open { group: id as u32, spot, whole });
        }
    }
    Survey { cycle, bounds, volumes: None, class, feasible, verdicts, open, singles: None }
}

/// How many nodes of a group have room for a pod, and whether all do.
fn passing(state: &State, pod: &Pod, group: &Group) -> (usize, bool) {
    if group.most.left.short(pod) != 0 {
        return (0, false);
    }
    if group.least.left.short(pod) == 0 && pod.requests.actual.scalars.is_empty() {
        return (group.count, true);
    }
    let profiles = &state.index.profiles;
    let with_room = group.profiles.iter().filter(|id| has_room(state, pod, **id));
    let passed = with_room.map(|id| profiles.counts[*id as usize] as usize).sum();
    (passed, passed == group.count)
}

/// Whether the nodes of a profile have room for a pod.
pub fn has_room(state: &State, pod: &Pod, profile: u32) -> bool {
    state.index.profiles.offers[profile as usize].left.short(pod) == 0 && {
        let (profiles, wanted) = (&state.index.profiles, &pod.requests.actual.scalars);
        wanted.is_empty() || {
            let have = &state.index.kinds.like[profiles.shape(profile).kind as usize].allocatable;
            let used = &profiles.list[profile as usize].used;
            let fits = |want: i64, name: &str| want <= 0 || want <= have.scalar(name).saturating_sub(used.scalar(name));
            wanted.iter().all(|(name, want)| fits(*want, name))
        }
    }
}

/// Surveys nodes one by one, for pods that look at their names, ports or volumes.
pub fn nodes(
    state: &State,
    class: ClassId,
    mut cycle: Box<Cycle>,
    nodes: Vec<u32>,
    volumes: Option<PodVolumes>,
) -> Survey {
    let pod = state.pod(class).clone();
    let version = state.cluster.version();
    let index = &state.index;
    let by_name = index.kins[state.kin(class) as usize].by_name;
    if !by_name {
        cycle.sort(&pod, &index.kinds, &index.profiles.groups.shapes, &index.counters);
    }
    let bounds = cycle.bounds(&index.counters, None);
    let (mut passed, mut spots, mut scores, mut rejections) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for node in nodes {
        let profile = index.profiles.of[node as usize];
        if profile == GONE {
            continue;
        }
        let shape = &state.nodes[node as usize];
        let spot = match (by_name, index.cordoned[node as usize]) {
            (false, _) => {
                cycle.spots[cycle.spot_of[index.profiles.list[profile as usize].shape as usize] as usize].clone()
            }
            (true, false) => cycle.spot_at(&pod, shape, node, &index.counters),
            (true, true) => cycle.spot_at(&pod, &Node { unschedulable: true, ..shape.clone() }, node, &index.counters),
        };
        let info = &state.infos[node as usize];
        let others = || state.pods_on(info);
        let local = || filters::local(&state.cluster.volumes, &pod, shape, info, &others, volumes.as_ref());
        match spot.rejection.clone().or_else(local).or_else(|| cycle.beyond(&bounds, &spot.places)) {
            Some(rejection) => rejections.push((node, rejection)),
            None => {
                let used = (info.used.cpu, info.used.memory);
                let room = resources::Room::new(shape, used, (info.nonzero.cpu, info.nonzero.memory));
                scores.push(resources::score(&pod, &room, version));
                passed.push(node);
                spots.push(spot);
            }
        }
    }
    let (feasible, open) = (vec![1; spots.len()], Vec::new());
    let singles = Some(Singles { nodes: passed, spots, scores, rejections });
    Survey { cycle, bounds, volumes, class, feasible, verdicts: Vec::new(), open, singles }
}

impl Survey {
    /// The nodes with the highest total and that total, and how many passed; `None` where none did.
    pub fn best(&self, state: &State, relative: &[i64]) -> Option<(NodeSet, i64, usize)> {
        let feasible: usize = self.feasible.iter().sum();
        if feasible == 0 {
            return None;
        }
        let (best, total) = match &self.singles {
            Some(singles) => {
                let totals = || singles.scores.iter().zip(relative).map(|(score, more)| score + more);
                let highest = totals().max()?;
                let best = singles.nodes.iter().zip(totals()).filter(|(_, total)| *total == highest);
                (best.map(|(node, _)| *node).collect(), highest)
            }
            None => self.best_of_groups(state, relative),
        };
        Some((best, total, feasible))
    }

    /// Looks into the most promising groups, until no other can be as good.
    fn best_of_groups(&self, state: &State, relative: &[i64]) -> (NodeSet, i64) {
        let (pod, version, profiles) = (state.pod(self.class), state.cluster.version(), &state.index.profiles);
        let bounds = |open: &Open| {
            let group = &profiles.groups.list[open.group as usize];
            let (low, high) = resources::bounds(pod, &group.least.room, &group.most.room, version);
            (high + relative[open.spot as usize], open.whole && low == high)
        };
        let mut open: Vec<(i64, bool, &Open)> = self
            .open
            .iter()
            .map(|open| (bounds(open), open))
            .map(|((high, exact), open)| (high, exact, open))
            .collect();
        // The most promising group first: it rules most of the others out.
        if let Some(first) = (0..open.len()).max_by_key(|at| (open[*at].0, open[*at].1)) {
            open.swap(0, first);
        }
        let (mut best, mut nodes) = (i64::MIN, NodeSet::default());
        for (high, exact, open) in open {
            if high < best {
                continue;
            }
            let group = &profiles.groups.list[open.group as usize];
            let mut meet = |total: i64, more: &NodeSet| {
                if total > best {
                    (best, nodes) = (total, NodeSet::default());
                }
                if total == best {
                    nodes.add(more);
                }
            };
            if exact {
                meet(high, &group.nodes);
                continue;
            }
            for id in group.profiles.iter().filter(|id| open.whole || has_room(state, pod, **id)) {
                let score = resources::score(pod, &profiles.offers[*id as usize].room, version);
                meet(score + relative[open.spot as usize], &profiles.members[*id as usize]);
            }
        }
        (nodes, best)
    }

    /// Whether nodes of one kind differ in nothing but their room.
    pub fn by_kind(&self) -> bool {
        self.singles.is_none() && self.cycle.slots.is_empty()
    }

    /// All nodes that passed.
    pub fn passed(&self, state: &State) -> NodeSet {
        if let Some(singles) = &self.singles {
            return singles.nodes.iter().copied().collect();
        }
        let (mut nodes, pod, profiles) = (NodeSet::default(), state.pod(self.class), &state.index.profiles);
        for open in &self.open {
            let group = &profiles.groups.list[open.group as usize];
            if open.whole {
                nodes.add(&group.nodes);
            } else {
                let with_room = group.profiles.iter().filter(|id| has_room(state, pod, **id));
                with_room.for_each(|id| nodes.add(&profiles.members[*id as usize]));
            }
        }
        nodes
    }

    /// Scores beside those for resources, by spot.
    pub fn relative(&self) -> Vec<i64> {
        let all = self.singles.as_ref().map_or(&self.cycle.spots, |singles| &singles.spots);
        let met: Vec<usize> = (0..all.len()).filter(|spot| self.feasible[*spot] > 0).collect();
        let spot =
            |at: &usize| scores::Spot { nodes: self.feasible[*at], fixed: all[*at].fixed, places: &all[*at].places };
        let spots: Vec<scores::Spot<'_>> = met.iter().map(spot).collect();
        let mut out = vec![0; all.len()];
        let scores = scores::relative(&self.cycle.weights, &self.cycle.spreading, &self.cycle.affinities, &spots);
        met.iter().zip(scores).for_each(|(at, score)| out[*at] = score);
        out
    }

    /// Why the nodes do not take the pod, where none does, with their number.
    pub fn rejections(&self, state: &State) -> Vec<(Rejection, usize)> {
        let mut out: Vec<(Rejection, usize)> = Vec::new();
        let mut count = |rejection: &Rejection, nodes: usize| match out.iter_mut().find(|(known, _)| known == rejection)
        {
            Some((_, count)) => *count += nodes,
            None => out.push((rejection.clone(), nodes)),
        };
        if let Some(singles) = &self.singles {
            singles.rejections.iter().for_each(|(_, rejection)| count(rejection, 1));
            return out;
        }
        // What is short by itself, and whether the node would have it when empty, tells the words.
        let mut shortages = [0; 32];
        let (mut examples, mut by_spot) = ([0; 32], vec![0; self.verdicts.len()]);
        let (pod, profiles) = (state.pod(self.class), &state.index.profiles);
        let others = !pod.requests.actual.scalars.is_empty();
        for group in profiles.groups.list.iter().filter(|group| group.count > 0) {
            let spot = self.cycle.spot_of[group.shape as usize] as usize;
            if self.cycle.spots[spot].rejection.is_some() {
                by_spot[spot] += group.count;
                continue;
            }
            let exceeds = self.exceeds(state, group.shape);
            let mut short = |bits: usize, nodes: usize, profile: u32| match bits {
                0 => by_spot[spot] += nodes,
                bits => {
                    let at = bits | usize::from(exceeds) << 4;
                    shortages[at] += nodes;
                    examples[at] = profile;
                }
            };
            let bits = group.most.left.short(pod);
            if !others && bits == group.least.left.short(pod) {
                short(bits, group.count, group.profiles[0]);
                continue;
            }
            for id in &group.profiles {
                let nodes = profiles.counts[*id as usize] as usize;
                if others {
                    let rejection = reasons(state, self.class, *id);
                    count(rejection.as_ref().or(self.verdicts[spot].as_ref()).unwrap_or(&NOTHING), nodes);
                } else {
                    short(profiles.offers[*id as usize].left.short(pod), nodes, *id);
                }
            }
        }
        for (at, nodes) in shortages.into_iter().enumerate().filter(|(_, nodes)| *nodes > 0) {
            reasons(state, self.class, examples[at]).iter().for_each(|rejection| count(rejection, nodes));
        }
        for (verdict, nodes) in self.verdicts.iter().zip(by_spot).filter(|(_, nodes)| *nodes > 0) {
            verdict.iter().for_each(|rejection| count(rejection, nodes));
        }
        out
    }

    /// Whether the pod wants more of something that is short than the nodes of a shape have when empty.
    fn exceeds(&self, state: &State, shape: u32) -> bool {
        let kind = state.index.profiles.groups.shapes[shape as usize].shape.kind;
        let have = &state.index.kinds.like[kind as usize].allocatable;
        let want = &state.pod(self.class).requests.actual;
        want.cpu > have.cpu || want.memory > have.memory || want.ephemeral > have.ephemeral
    }

    /// The nodes whose rejection could be resolved, in order.
    pub fn resolvable(&self, state: &State) -> Vec<u32> {
        if let Some(singles) = &self.singles {
            let nodes = singles.rejections.iter().filter(|(_, rejection)| !rejection.unresolvable);
            return nodes.map(|(node, _)| *node).collect();
        }
        let (pod, profiles) = (state.pod(self.class), &state.index.profiles);
        let scalars = !pod.requests.actual.scalars.is_empty();
        let mut nodes = NodeSet::default();
        for group in profiles.groups.list.iter().filter(|group| group.count > 0) {
            let spot = self.cycle.spot_of[group.shape as usize] as usize;
            // What the kind of node decides, evictions do not change.
            if self.cycle.spots[spot].rejection.is_some() {
                continue;
            }
            let would = |bits: usize| match bits {
                0 => self.verdicts[spot].as_ref().is_some_and(|rejection| !rejection.unresolvable),
                _ => !self.exceeds(state, group.shape),
            };
            let bits = group.most.left.short(pod);
            if !scalars && bits == group.least.left.short(pod) {
                if would(bits) {
                    nodes.add(&group.nodes);
                }
                continue;
            }
            let resolvable = |id: &&u32| match reasons(state, self.class, **id).filter(|_| scalars) {
                Some(rejection) => !rejection.unresolvable,
                None => would(profiles.offers[**id as usize].left.short(pod)),
            };
            group.profiles.iter().filter(resolvable).for_each(|id| nodes.add(&profiles.members[*id as usize]));
        }
        nodes.iter().collect()
    }

    /// A node as the pod sees it.
    pub fn spot(&self, state: &State, node: u32) -> Spot {
        match state.index.profiles.of[node as usize] {
            profile if self.singles.is_none() && profile != GONE => {
                let shape = state.index.profiles.list[profile as usize].shape;
                self.cycle.spots[self.cycle.spot_of[shape as usize] as usize].clone()
            }
            _ => self.cycle.spot_at(state.pod(self.class), &state.nodes[node as usize], node, &state.index.counters),
        }
    }

    /// Total score of every node that passed.
    pub fn scores(&self, state: &State) -> Vec<(u32, i64)> {
        let relative = self.relative();
        if let Some(singles) = &self.singles {
            let totals = singles.scores.iter().zip(relative).map(|(score, more)| score + more);
            return singles.nodes.iter().copied().zip(totals).collect();
        }
        let (pod, version, profiles) = (state.pod(self.class), state.cluster.version(), &state.index.profiles);
        let score = |node: u32| {
            let id = profiles.of[node as usize] as usize;
            let spot = self.cycle.spot_of[profiles.list[id].shape as usize] as usize;
            (node, resources::score(pod, &profiles.offers[id].room, version) + relative[spot])
        };
        self.passed(state).iter().map(score).collect()
    }
}

static NOTHING: Rejection = Rejection { unresolvable: false, reasons: Vec::new() };

/// NodeResourcesFit's answer for the nodes of a profile.
fn reasons(state: &State, class: ClassId, id: u32) -> Option<Rejection> {
    let profile = &state.index.profiles.list[id as usize];
    let node = &state.index.kinds.like[state.index.profiles.shape(id).kind as usize];
    node_resources_fit::reasons(state.pod(class), node, profile.pods, &profile.used)
}
