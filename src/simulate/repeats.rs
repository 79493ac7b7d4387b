//! Pods of a class again and again: of the answer before, only the nodes that changed since are looked at.

use std::sync::Arc;

use super::Map;
use super::cycle::Cycle;
use super::node_set::NodeSet;
use super::profiles::GONE;
use super::scores::resources;
use super::state::{ClassId, State};
use super::survey::{Survey, has_room};

/// With more changes than this, everything is looked at.
const MOST_CHANGES: usize = 256;
/// So many words of node sets are kept.
const MOST_WORDS: usize = 8 << 20;

/// The last answers, by class.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    known: Map<ClassId, Repeat>,
    /// Classes that were asked for once.
    met: Vec<bool>,
}

/// An answer for pods to which nothing matters but the kind of node and its room.
#[derive(Clone, Debug)]
struct Repeat {
    /// What nodes there were: epoch of the index, generation of the profiles.
    since: (u64, u64),
    /// How many of the changes are taken in.
    cursor: usize,
    /// By kind of node: its spot; `None` where it takes none of the pods.
    spots: Vec<Option<u32>>,
    feasible: Vec<usize>,
    relative: Vec<i64>,
    passed: NodeSet,
    total: i64,
    best: Arc<NodeSet>,
}

impl Repeats {
    pub fn knows(&self, class: ClassId) -> bool {
        self.known.contains_key(&class)
    }

    /// The best nodes and how many passed, where what is remembered tells.
    pub fn again(&mut self, state: &State, class: ClassId, cycle: &Cycle) -> Option<(Arc<NodeSet>, usize)> {
        let repeat = self.known.get_mut(&class)?;
        let answer = if cycle.slots.is_empty() { repeat.again(state, class) } else { None };
        if answer.is_none() {
            self.known.remove(&class);
        }
        answer
    }

    /// Remembers an answer from the second time on.
    pub fn keep(
        &mut self,
        state: &State,
        class: ClassId,
        survey: &Survey,
        relative: Vec<i64>,
        found: (&Arc<NodeSet>, i64),
    ) {
        if self.met.len() <= class.0 as usize {
            self.met.resize(state.classes.len(), false);
        }
        if !std::mem::replace(&mut self.met[class.0 as usize], true) || !survey.by_kind() {
            return;
        }
        if self.known.len() * state.nodes.len() / 32 > MOST_WORDS {
            self.known.clear();
        }
        let (index, cycle) = (&state.index, &survey.cycle);
        let mut spots = vec![None; index.kinds.like.len()];
        for (id, entry) in index.profiles.groups.shapes.iter().enumerate().filter(|(_, entry)| entry.stamp != 0) {
            let spot = cycle.spot_of[id];
            spots[entry.shape.kind as usize] = survey.verdicts[spot as usize].is_none().then_some(spot);
        }
        let repeat = Repeat {
            since: (index.epoch, index.profiles.generation),
            cursor: index.profiles.changed.len(),
            spots,
            feasible: survey.feasible.clone(),
            relative,
            passed: survey.passed(state),
            total: found.1,
            best: found.0.clone(),
        };
        self.known.insert(class, repeat);
    }
}

impl Repeat {
    fn again(&mut self, state: &State, class: ClassId) -> Option<(Arc<NodeSet>, usize)> {
        let (index, pod, version) = (&state.index, state.pod(class), state.cluster.version());
        let profiles = &index.profiles;
        let changed = profiles.changed.get(self.cursor..)?;
        if self.since != (index.epoch, profiles.generation) || changed.len() > MOST_CHANGES {
            return None;
        }
        self.cursor = profiles.changed.len();
        let mut best = std::mem::take(&mut self.best);
        let nodes = Arc::make_mut(&mut best);
        for node in changed {
            let id = profiles.of[*node as usize];
            let spot = if id == GONE { None } else { self.spots[profiles.shape(id).kind as usize] };
            let Some(spot) = spot else { continue };
            let passes = has_room(state, pod, id);
            let passed = &mut self.feasible[spot as usize];
            match (self.passed.contains(*node), passes) {
                (false, true) => *passed += 1,
                (true, false) => *passed -= 1,
                _ => {}
            }
            // Scores that compare nodes look at the kinds that passed.
            if *passed == usize::from(passes) && self.passed.contains(*node) != passes {
                return None;
            }
            if !passes {
                self.passed.remove(*node);
                nodes.remove(*node);
                continue;
            }
            self.passed.insert(*node);
            let score = resources::score(pod, &profiles.offers[id as usize].room, version);
            let total = score + self.relative[spot as usize];
            if total > self.total {
                self.total = total;
                *nodes = NodeSet::one(*node);
            } else if total == self.total {
                nodes.insert(*node);
            } else {
                nodes.remove(*node);
            }
        }
        if nodes.is_empty() {
            return None;
        }
        self.best = best.clone();
        Some((best, self.feasible.iter().sum()))
    }
}
