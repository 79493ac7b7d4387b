//! Nodes that are alike: the scheduler's answer for one of them is the answer for all. A profile is a shape of node with
//! what is requested of it; a node has another one when a pod comes or goes.

use std::sync::Arc;

use super::Map;
use super::filters::node_resources_fit::Left;
use super::groups::{Groups, Known, Offer, Shape};
use super::node_set::NodeSet;
use super::nodes::Node;
use super::resources::Resources;
use super::scores::resources::Room;

/// Profile of a node that is not there.
pub const GONE: u32 = u32::MAX;

/// Everything by which the scheduler tells nodes apart, names and volumes aside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Number of its [`Shape`].
    pub shape: u32,
    pub pods: usize,
    pub used: Resources,
    /// Cpu and memory as scores count them.
    pub nonzero: (i64, i64),
}

/// The profiles that nodes have now.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    /// By node.
    pub of: Vec<u32>,
    ids: Map<Arc<Profile>, u32>,
    pub list: Vec<Arc<Profile>>,
    /// What the nodes of a profile have for a pod.
    pub offers: Vec<Offer>,
    /// Nodes by profile.
    pub members: Vec<NodeSet>,
    /// Number of nodes by profile; zero for one that no node has.
    pub counts: Vec<u32>,
    free: Vec<u32>,
    pub groups: Groups,
    /// Nodes that changed their profile, in that order.
    pub changed: Vec<u32>,
    /// Grows when `changed` begins anew.
    pub generation: u64,
}

impl Profiles {
    pub fn new(nodes: usize) -> Profiles {
        Profiles { of: vec![GONE; nodes], ..Profiles::default() }
    }

    /// The shape of a profile.
    pub fn shape(&self, id: u32) -> &Shape {
        &self.groups.shapes[self.list[id as usize].shape as usize].shape
    }

    /// Gives a node another profile; `like` is a node of its kind.
    pub fn set(&mut self, node: u32, like: &Node, profile: Profile) {
        let next = self.id(like, profile);
        self.turn(node, next);
    }

    /// Takes a node away.
    pub fn take(&mut self, node: u32) {
        self.turn(node, GONE);
    }

    fn turn(&mut self, node: u32, next: u32) {
        let before = std::mem::replace(&mut self.of[node as usize], next);
        if before == next {
            return;
        }
        if self.changed.len() > 4 * self.of.len() {
            self.changed.clear();
            self.generation += 1;
        }
        self.changed.push(node);
        if before != GONE {
            self.counts[before as usize] -= 1;
            self.members[before as usize].remove(node);
            self.groups.shift(before, node, false);
        }
        if next != GONE {
            self.counts[next as usize] += 1;
            self.members[next as usize].insert(node);
            self.groups.shift(next, node, true);
        }
        if before != GONE {
            self.let_go(before);
        }
    }

    fn id(&mut self, like: &Node, profile: Profile) -> u32 {
        if let Some(id) = self.ids.get(&profile) {
            return *id;
        }
        let offer = Offer {
            room: Room::new(like, (profile.used.cpu, profile.used.memory), profile.nonzero),
            left: Left::new(like, profile.pods, &profile.used),
        };
        let (shape, profile) = (profile.shape, Arc::new(profile));
        let id = match self.free.pop() {
            Some(id) => {
                self.list[id as usize] = profile.clone();
                self.offers[id as usize] = offer;
                id
            }
            None => {
                self.list.push(profile.clone());
                self.offers.push(offer);
                self.members.push(NodeSet::default());
                self.counts.push(0);
                self.list.len() as u32 - 1
            }
        };
        self.ids.insert(profile, id);
        self.groups.insert(id, shape, &Known { offers: &self.offers, members: &self.members });
        id
    }

    /// Frees a profile that no node has.
    fn let_go(&mut self, id: u32) {
        let at = id as usize;
        if self.counts[at] == 0 {
            self.ids.remove(&self.list[at]);
            self.members[at] = NodeSet::default();
            self.groups.remove(id, &Known { offers: &self.offers, members: &self.members });
            self.free.push(id);
        }
    }
}
