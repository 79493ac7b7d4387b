//! The filters and scores over all nodes, once for nodes that are alike.

use super::cycle::{Bounds, Cycle, Spot};
use super::filters::volume_binding::PodVolumes;
use super::filters::{self, Rejection, node_resources_fit};
use super::node_set::NodeSet;
use super::nodes::Node;
use super::profiles::GONE;
use super::ranks::NO_ROOM;
use super::scores::{self, resources};
use super::state::{ClassId, State};

/// What the filters said, and what the scores would look at.
pub struct Survey {
    pub cycle: Box<Cycle>,
    pub bounds: Bounds,
    pub volumes: Option<PodVolumes>,
    /// Scores for resources by profile; empty where nodes are told apart.
    pub ranks: Vec<f32>,
    class: ClassId,
    /// Nodes that passed, by spot.
    feasible: Vec<usize>,
    /// The best score for resources, by spot: nothing else decides between nodes of one spot.
    tops: Vec<i64>,
    /// By spot: what rejects it, whatever is requested of the node.
    verdicts: Vec<Option<Rejection>>,
    /// Spots of single nodes, where they are told apart; else those of the cycle count.
    singles: Option<Singles>,
}

struct Singles {
    /// Nodes that passed, each with a spot of its own.
    nodes: Vec<u32>,
    spots: Vec<Spot>,
    rejections: Vec<(u32, Rejection)>,
}

/// Surveys nodes by profile.
pub fn profiles(state: &mut State, class: ClassId, mut cycle: Box<Cycle>) -> Survey {
    let pod = state.pod(class).clone();
    let version = state.cluster.version();
    let State { index, memory, .. } = state;
    cycle.sort(&pod, &index.kinds, &index.profiles, &index.counters);
    let bounds = cycle.bounds(&index.counters, None);
    let verdict = |spot: &Spot| spot.rejection.clone().or_else(|| cycle.beyond(&bounds, &spot.places));
    let verdicts: Vec<Option<Rejection>> = cycle.spots.iter().map(verdict).collect();
    let open: Vec<bool> = verdicts.iter().map(Option::is_none).collect();
    let ranks = memory.ranks.of(class, &pod, index, version);
    let mut feasible = vec![0; cycle.spots.len()];
    let mut tops = vec![NO_ROOM; cycle.spots.len()];
    for ((count, rank), spot) in index.profiles.counts.iter().zip(&ranks).zip(&cycle.spot_of) {
        if *count > 0 && *rank > NO_ROOM {
            let spot = *spot as usize;
            feasible[spot] += *count as usize;
            tops[spot] = tops[spot].max(*rank);
        }
    }
    feasible.iter_mut().zip(&open).filter(|(_, open)| !**open).for_each(|(feasible, _)| *feasible = 0);
    let tops = tops.into_iter().map(|top| top as i64).collect();
    Survey { cycle, bounds, volumes: None, ranks, class, feasible, tops, verdicts, singles: None }
}

/// Surveys nodes one by one, for pods that look at their names, ports or volumes.
pub fn nodes(
    state: &mut State,
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
        cycle.sort(&pod, &index.kinds, &index.profiles, &index.counters);
    }
    let bounds = cycle.bounds(&index.counters, None);
    let (mut passed, mut spots, mut tops, mut rejections) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for node in nodes {
        let profile = index.profiles.of[node as usize];
        if profile == GONE {
            continue;
        }
        let shape = &state.nodes[node as usize];
        let spot = match (by_name, index.cordoned[node as usize]) {
            (false, _) => cycle.spots[cycle.spot_of[profile as usize] as usize].clone(),
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
                tops.push(resources::score(&pod, &room, version));
                passed.push(node);
                spots.push(spot);
            }
        }
    }
    let (feasible, ranks) = (vec![1; spots.len()], Vec::new());
    let singles = Some(Singles { nodes: passed, spots, rejections });
    Survey { cycle, bounds, volumes, ranks, class, feasible, tops, verdicts: Vec::new(), singles }
}

impl Survey {
    /// The nodes with the highest total, and how many passed; `None` where none did.
    pub fn best(&self, state: &State) -> Option<(NodeSet, usize)> {
        let relative = self.relative();
        let met = |spot: &usize| self.feasible[*spot] > 0;
        let highest = (0..self.tops.len()).filter(met).map(|spot| self.tops[spot] + relative[spot]).max()?;
        let wanted: Vec<i64> = relative.iter().map(|relative| highest - relative).collect();
        let is_best = |spot: usize| self.feasible[spot] > 0 && self.tops[spot] == wanted[spot];
        let feasible = self.feasible.iter().sum();
        if let Some(singles) = &self.singles {
            let best = singles.nodes.iter().enumerate().filter(|(spot, _)| is_best(*spot));
            return Some((best.map(|(_, node)| *node).collect(), feasible));
        }
        let mut best = NodeSet::default();
        let profiles = &state.index.profiles;
        for (id, (rank, spot)) in self.ranks.iter().zip(&self.cycle.spot_of).enumerate() {
            let spot = *spot as usize;
            if *rank == wanted[spot] as f32 && *rank > NO_ROOM && profiles.counts[id] > 0 && is_best(spot) {
                best.add(&profiles.members[id]);
            }
        }
        Some((best, feasible))
    }

    /// Scores beside those for resources, by spot.
    fn relative(&self) -> Vec<i64> {
        let all = self.singles.as_ref().map_or(&self.cycle.spots, |singles| &singles.spots);
        let met: Vec<usize> = (0..all.len()).filter(|spot| self.feasible[*spot] > 0).collect();
        let spot =
            |at: &usize| scores::Spot { nodes: self.feasible[*at], fixed: all[*at].fixed, places: &all[*at].places };
        let spots: Vec<scores::Spot<'_>> = met.iter().map(spot).collect();
        let mut out = vec![0; all.len()];
        let scores = scores::relative(&self.cycle.spreading, &self.cycle.affinities, &spots);
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
        let pod = state.pod(self.class);
        let others = !pod.requests.actual.scalars.is_empty();
        for (id, nodes) in state.index.profiles.counts.iter().enumerate().filter(|(_, nodes)| **nodes > 0) {
            let (nodes, spot) = (*nodes as usize, self.cycle.spot_of[id] as usize);
            if self.cycle.spots[spot].rejection.is_some() {
                by_spot[spot] += nodes;
            } else if others {
                let rejection = reasons(state, self.class, id);
                count(rejection.as_ref().or(self.verdicts[spot].as_ref()).unwrap_or(&NOTHING), nodes);
            } else {
                match state.memory.ranks.short(id, pod) {
                    0 => by_spot[spot] += nodes,
                    short => {
                        let at = short | usize::from(self.exceeds(state, id)) << 4;
                        shortages[at] += nodes;
                        examples[at] = id;
                    }
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

    /// Whether the pod wants more of something that is short than the nodes of a profile have when empty.
    fn exceeds(&self, state: &State, id: usize) -> bool {
        let have = &state.index.kinds.like[state.index.profiles.list[id].kind as usize].allocatable;
        let want = &state.pod(self.class).requests.actual;
        want.cpu > have.cpu || want.memory > have.memory || want.ephemeral > have.ephemeral
    }

    /// The nodes whose rejection could be resolved, in order.
    pub fn resolvable(&self, state: &State) -> Vec<u32> {
        if let Some(singles) = &self.singles {
            let nodes = singles.rejections.iter().filter(|(_, rejection)| !rejection.unresolvable);
            return nodes.map(|(node, _)| *node).collect();
        }
        let pod = state.pod(self.class);
        let scalars = !pod.requests.actual.scalars.is_empty();
        let resolvable = |id: usize| {
            let spot = self.cycle.spot_of[id] as usize;
            // What the kind of node decides, evictions do not change.
            if self.cycle.spots[spot].rejection.is_some() {
                return false;
            }
            if scalars && let Some(rejection) = reasons(state, self.class, id) {
                return !rejection.unresolvable;
            }
            match state.memory.ranks.short(id, pod) {
                0 => self.verdicts[spot].as_ref().is_some_and(|rejection| !rejection.unresolvable),
                _ => !self.exceeds(state, id),
            }
        };
        let profiles = &state.index.profiles;
        let known: Vec<bool> =
            profiles.counts.iter().enumerate().map(|(id, count)| *count > 0 && resolvable(id)).collect();
        let nodes = profiles.of.iter().enumerate().filter(|(_, id)| **id != GONE && known[**id as usize]);
        nodes.map(|(node, _)| node as u32).collect()
    }

    /// A node as the pod sees it.
    pub fn spot(&self, state: &State, node: u32) -> Spot {
        match state.index.profiles.of[node as usize] {
            profile if self.singles.is_none() && profile != GONE => {
                self.cycle.spots[self.cycle.spot_of[profile as usize] as usize].clone()
            }
            _ => self.cycle.spot_at(state.pod(self.class), &state.nodes[node as usize], node, &state.index.counters),
        }
    }

    /// Total score of every node that passed.
    pub fn scores(&self, state: &State) -> Vec<(u32, i64)> {
        let relative = self.relative();
        if let Some(singles) = &self.singles {
            let totals = self.tops.iter().zip(relative).map(|(top, more)| top + more);
            return singles.nodes.iter().copied().zip(totals).collect();
        }
        let mut out = Vec::new();
        for (node, id) in state.index.profiles.of.iter().enumerate().filter(|(_, id)| **id != GONE) {
            let (rank, spot) = (self.ranks[*id as usize], self.cycle.spot_of[*id as usize] as usize);
            if rank > NO_ROOM && self.verdicts[spot].is_none() {
                out.push((node as u32, rank as i64 + relative[spot]));
            }
        }
        out
    }
}

static NOTHING: Rejection = Rejection { unresolvable: false, reasons: Vec::new() };

/// NodeResourcesFit's answer for the nodes of a profile.
fn reasons(state: &State, class: ClassId, id: usize) -> Option<Rejection> {
    let profile = &state.index.profiles.list[id];
    let node = &state.index.kinds.like[profile.kind as usize];
    node_resources_fit::reasons(state.pod(class), node, profile.pods, &profile.used)
}
