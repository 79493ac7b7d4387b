//! Profiles close to one another: what bounds a group of them settles most questions without looking at each.
//!
//! Profiles of one shape are split at the middle of what is used on them, along the resource in which they differ most,
//! until few are left together (a k-d tree).

use std::sync::Arc;

use super::Map;
use super::filters::node_resources_fit::Left;
use super::node_set::NodeSet;
use super::scores::resources::Room;

/// More profiles than this are split.
const MOST: usize = 48;
/// With fewer profiles a group than this, all of them are grouped anew.
const FEWEST: usize = 8;
/// Stands for no group.
const NONE: u32 = u32::MAX;

/// Kind of a node, and what its own domains hold: all that tells nodes apart but for what is requested of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Labels that any pod mentions, taints, what it offers.
    pub kind: u32,
    /// Counters by domains of few nodes that are not zero here.
    pub counts: Vec<(u32, i64)>,
}

impl Shape {
    /// What a counter by domains of few nodes has here.
    pub fn count(&self, counter: u32) -> i64 {
        self.counts.binary_search_by_key(&counter, |(id, _)| *id).map_or(0, |at| self.counts[at].1)
    }
}

/// What NodeResourcesFit and the scores for resources look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer {
    pub room: Room,
    pub left: Left,
}

impl Offer {
    fn each(&self, other: &Offer, pick: fn(i64, i64) -> i64) -> Offer {
        Offer { room: self.room.each(&other.room, pick), left: self.left.each(&other.left, pick) }
    }
}

/// Some profiles of one shape.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub shape: u32,
    pub profiles: Vec<u32>,
    /// Nodes of all of them.
    pub nodes: NodeSet,
    pub count: usize,
    /// No profile has less of anything.
    pub least: Offer,
    /// No profile has more of anything.
    pub most: Offer,
}

impl Group {
    fn take_in(&mut self, profile: u32, offer: &Offer) {
        if self.profiles.is_empty() {
            (self.least, self.most) = (*offer, *offer);
        }
        (self.least, self.most) = (self.least.each(offer, i64::min), self.most.each(offer, i64::max));
        self.profiles.push(profile);
    }

    /// The resource whose use differs most; `None` where none does.
    fn widest(&self) -> Option<usize> {
        let (least, most) = (self.least.room.amounts(), self.most.room.amounts());
        let width =
            |at: usize| (most[at].saturating_sub(least[at])) as f64 / self.least.room.capacity[at % 2].max(1) as f64;
        (0..4).filter(|at| most[*at] > least[*at]).max_by(|a, b| width(*a).total_cmp(&width(*b)))
    }
}

/// Where the profiles of a shape are grouped.
#[derive(Clone, Debug)]
enum Tree {
    Group(u32),
    /// What is below a number in the use of one resource, and the rest.
    Fork {
        resource: usize,
        from: i64,
        halves: Box<[Tree; 2]>,
    },
}

/// What is known by profile.
pub struct Known<'a> {
    pub offers: &'a [Offer],
    pub members: &'a [NodeSet],
}

/// A shape that nodes have.
#[derive(Clone, Debug)]
pub struct Entry {
    pub shape: Arc<Shape>,
    /// Tells it from another shape that had its number before; zero for none.
    pub stamp: u64,
    tree: Tree,
    groups: usize,
    profiles: usize,
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    pub shapes: Vec<Entry>,
    ids: Map<Arc<Shape>, u32>,
    free_shapes: Vec<u32>,
    stamps: u64,
    /// Some are empty.
    pub list: Vec<Group>,
    free: Vec<u32>,
    /// Group by profile.
    of: Vec<u32>,
}

impl Groups {
    /// The number of a shape; one that is new waits for its first profile.
    pub fn shape(&mut self, shape: Shape) -> u32 {
        if let Some(id) = self.ids.get(&shape) {
            return *id;
        }
        self.stamps += 1;
        let shape = Arc::new(shape);
        let (stamp, tree) = (self.stamps, Tree::Group(NONE));
        let entry = Entry { shape: shape.clone(), stamp, tree, groups: 0, profiles: 0 };
        let id = match self.free_shapes.pop() {
            Some(id) => {
                self.shapes[id as usize] = entry;
                id
            }
            None => {
                self.shapes.push(entry);
                self.shapes.len() as u32 - 1
            }
        };
        self.shapes[id as usize].tree = Tree::Group(self.empty(id));
        self.ids.insert(shape, id);
        id
    }

    /// Takes in a profile that no node has yet.
    pub fn insert(&mut self, profile: u32, shape: u32, known: &Known<'_>) {
        let offer = &known.offers[profile as usize];
        let entry = &mut self.shapes[shape as usize];
        entry.profiles += 1;
        let mut tree = std::mem::replace(&mut entry.tree, Tree::Group(NONE));
        let mut at = &mut tree;
        while let Tree::Fork { resource, from, halves } = at {
            at = &mut halves[usize::from(offer.room.amounts()[*resource] >= *from)];
        }
        if let Tree::Group(id) = *at {
            let group = &mut self.list[id as usize];
            group.take_in(profile, offer);
            note(&mut self.of, profile, id);
            if group.profiles.len() > MOST && group.widest().is_some() {
                let profiles = self.dissolve(id);
                *at = self.grow(shape, profiles, known);
            }
        }
        self.shapes[shape as usize].tree = tree;
    }

    /// Lets go of a profile that no node has any more.
    pub fn remove(&mut self, profile: u32, known: &Known<'_>) {
        let group = &mut self.list[self.of[profile as usize] as usize];
        if let Some(at) = group.profiles.iter().position(|other| *other == profile) {
            group.profiles.swap_remove(at);
        }
        let id = group.shape;
        let entry = &mut self.shapes[id as usize];
        entry.profiles -= 1;
        let (groups, profiles) = (entry.groups, entry.profiles);
        if profiles == 0 {
            entry.stamp = 0;
            let shape = entry.shape.clone();
            self.fell(id);
            self.ids.remove(&shape);
            self.free_shapes.push(id);
        } else if groups > 4 && groups * FEWEST > profiles {
            let profiles = self.fell(id);
            let tree = self.grow(id, profiles, known);
            self.shapes[id as usize].tree = tree;
        }
    }

    /// A node came to have a profile (`there`) or has another now.
    pub fn shift(&mut self, profile: u32, node: u32, there: bool) {
        let group = &mut self.list[self.of[profile as usize] as usize];
        if there {
            group.nodes.insert(node);
            group.count += 1;
        } else {
            group.nodes.remove(node);
            group.count -= 1;
        }
    }

    /// Groups profiles of a shape.
    fn grow(&mut self, shape: u32, mut profiles: Vec<u32>, known: &Known<'_>) -> Tree {
        let id = self.empty(shape);
        for profile in &profiles {
            self.list[id as usize].take_in(*profile, &known.offers[*profile as usize]);
        }
        let widest = self.list[id as usize].widest().filter(|_| profiles.len() > MOST);
        let Some(resource) = widest else {
            let group = &mut self.list[id as usize];
            for profile in &profiles {
                group.nodes.add(&known.members[*profile as usize]);
                note(&mut self.of, *profile, id);
            }
            group.count = group.nodes.len();
            return Tree::Group(id);
        };
        self.dissolve(id);
        let amount = |profile: &u32| known.offers[*profile as usize].room.amounts()[resource];
        profiles.sort_unstable_by_key(amount);
        let (lowest, middle) = (amount(&profiles[0]), amount(&profiles[profiles.len() / 2]));
        // Below the number there is at least one profile.
        let cut = profiles.partition_point(|profile| amount(profile) < middle || amount(profile) == lowest);
        let from = amount(&profiles[cut]);
        let rest = profiles.split_off(cut);
        Tree::Fork {
            resource,
            from,
            halves: Box::new([self.grow(shape, profiles, known), self.grow(shape, rest, known)]),
        }
    }

    /// Takes all groups of a shape apart.
    fn fell(&mut self, shape: u32) -> Vec<u32> {
        let mut profiles = Vec::new();
        let mut trees = vec![std::mem::replace(&mut self.shapes[shape as usize].tree, Tree::Group(NONE))];
        while let Some(tree) = trees.pop() {
            match tree {
                Tree::Group(id) => profiles.append(&mut self.dissolve(id)),
                Tree::Fork { halves, .. } => trees.extend(*halves),
            }
        }
        profiles
    }

    fn empty(&mut self, shape: u32) -> u32 {
        self.shapes[shape as usize].groups += 1;
        let id = self.free.pop().unwrap_or_else(|| {
            self.list.push(Group::default());
            self.list.len() as u32 - 1
        });
        self.list[id as usize].shape = shape;
        id
    }

    fn dissolve(&mut self, id: u32) -> Vec<u32> {
        let group = std::mem::take(&mut self.list[id as usize]);
        self.shapes[group.shape as usize].groups -= 1;
        self.free.push(id);
        group.profiles
    }
}

fn note(of: &mut Vec<u32>, profile: u32, group: u32) {
    if of.len() <= profile as usize {
        of.resize(profile as usize + 1, NONE);
    }
    of[profile as usize] = group;
}
