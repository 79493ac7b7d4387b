//! Nodes that are alike: the scheduler's answer for one of them is the answer for all. A profile is a kind of node with
//! what is requested of it and what its own domains hold; it changes when a pod comes or goes.

use std::collections::HashMap;
use std::sync::Arc;

use super::node_set::NodeSet;
use super::resources::Resources;

/// Profile of a node that is not there.
pub const GONE: u32 = u32::MAX;

/// Everything by which the scheduler tells nodes apart, names and volumes aside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Its kind: labels that any pod mentions, taints, what it offers.
    pub kind: u32,
    pub pods: usize,
    pub used: Resources,
    /// Cpu and memory as scores count them.
    pub nonzero: (i64, i64),
    /// Counters by domains of few nodes that are not zero here.
    pub counts: Vec<(u32, i64)>,
}

impl Profile {
    /// What a counter by domains of few nodes has here.
    pub fn count(&self, counter: u32) -> i64 {
        self.counts.binary_search_by_key(&counter, |(id, _)| *id).map_or(0, |at| self.counts[at].1)
    }
}

/// The profiles that nodes have now.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    /// By node.
    pub of: Vec<u32>,
    ids: HashMap<Arc<Profile>, u32>,
    pub list: Vec<Arc<Profile>>,
    /// Nodes by profile.
    pub members: Vec<NodeSet>,
    /// Number of nodes by profile; zero for one that no node has.
    pub counts: Vec<u32>,
    /// Place of a profile's birth in the journal.
    born: Vec<usize>,
    free: Vec<u32>,
    /// Profiles in the order in which they came; an id that was freed may come again.
    pub journal: Vec<u32>,
    /// Lengths of the journal to go back to; what was there then keeps its id until then.
    marks: Vec<usize>,
}

impl Profiles {
    pub fn new(nodes: usize) -> Profiles {
        Profiles { of: vec![GONE; nodes], ..Profiles::default() }
    }

    /// Gives a node another profile; `None` takes it away.
    pub fn set(&mut self, node: u32, profile: Option<Profile>) {
        let next = profile.map_or(GONE, |profile| self.id(profile));
        let before = std::mem::replace(&mut self.of[node as usize], next);
        if before == next {
            return;
        }
        if next != GONE {
            self.counts[next as usize] += 1;
            self.members[next as usize].insert(node);
        }
        if before != GONE {
            self.counts[before as usize] -= 1;
            self.members[before as usize].remove(node);
            self.let_go(before);
        }
    }

    fn id(&mut self, profile: Profile) -> u32 {
        if let Some(id) = self.ids.get(&profile) {
            return *id;
        }
        let profile = Arc::new(profile);
        let id = match self.free.pop() {
            Some(id) => {
                self.list[id as usize] = profile.clone();
                self.born[id as usize] = self.journal.len();
                id
            }
            None => {
                self.list.push(profile.clone());
                self.members.push(NodeSet::default());
                self.counts.push(0);
                self.born.push(self.journal.len());
                self.list.len() as u32 - 1
            }
        };
        self.ids.insert(profile, id);
        self.journal.push(id);
        id
    }

    /// Frees a profile that no node has, unless it was there at the last mark.
    fn let_go(&mut self, id: u32) {
        let at = id as usize;
        if self.counts[at] == 0 && self.marks.last().is_none_or(|mark| self.born[at] >= *mark) {
            self.ids.remove(&self.list[at]);
            self.members[at] = NodeSet::default();
            self.free.push(id);
        }
    }

    pub fn mark(&mut self) {
        self.marks.push(self.journal.len());
    }

    /// Forgets what came since the last mark, when every node has the profile again that it had then. What a node has
    /// for good, because a counter was added meanwhile, stays. Gives the point of the journal from which on it may be new.
    pub fn rollback(&mut self) -> usize {
        let Some(mark) = self.marks.pop() else { return self.journal.len() };
        for id in self.journal.split_off(mark) {
            if self.counts[id as usize] > 0 && self.born[id as usize] >= mark {
                self.born[id as usize] = self.journal.len();
                self.journal.push(id);
            }
        }
        mark
    }
}
