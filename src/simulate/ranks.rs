//! How much the resources of each profile speak for it, by class of pods.

use std::collections::HashMap;

use super::filters::node_resources_fit::Left;
use super::index::Index;
use super::pod::Pod;
use super::scores::resources::{self, Room};
use super::state::ClassId;
use crate::model::Version;

/// Beyond so many numbers everything is forgotten.
const MOST: usize = 16 << 20;

/// Stands for a profile whose nodes have no room.
pub const NO_ROOM: i32 = -1;

/// Columns over profiles.
#[derive(Clone, Debug, Default)]
pub struct Ranks {
    rooms: Vec<(Left, Room)>,
    cursor: usize,
    /// State of the index that this is about.
    epoch: u64,
    classes: HashMap<ClassId, Rank>,
}

#[derive(Clone, Debug, Default)]
struct Rank {
    /// Sum of the scores for resources by profile, or [`NO_ROOM`].
    scores: Vec<i32>,
    cursor: usize,
}

impl Ranks {
    pub fn rollback(&mut self, length: usize) {
        self.cursor = self.cursor.min(length);
        self.classes.values_mut().for_each(|rank| rank.cursor = rank.cursor.min(length));
    }

    fn catch_up(&mut self, index: &Index) {
        if self.epoch != index.epoch {
            *self = Ranks { epoch: index.epoch, ..Ranks::default() };
        }
        let profiles = &index.profiles;
        self.rooms.resize(profiles.list.len(), Default::default());
        for id in &profiles.journal[self.cursor..] {
            let profile = &profiles.list[*id as usize];
            let node = &index.kinds.like[profile.kind as usize];
            let left = Left::new(node, profile.pods, &profile.used);
            self.rooms[*id as usize] =
                (left, Room::new(node, (profile.used.cpu, profile.used.memory), profile.nonzero));
        }
        self.cursor = profiles.journal.len();
    }

    /// Scores for resources by profile; give them back with [`Ranks::keep`].
    pub fn of(&mut self, class: ClassId, pod: &Pod, index: &Index, version: Version) -> Vec<i32> {
        self.catch_up(index);
        let profiles = &index.profiles;
        let mut rank = self.classes.remove(&class).unwrap_or_default();
        let all = rank.scores.is_empty();
        rank.scores.resize(profiles.list.len(), NO_ROOM);
        let score = |id: usize| {
            let (left, room) = &self.rooms[id];
            let holds = left.short(pod) == 0 && (pod.requests.actual.scalars.is_empty() || has_scalars(pod, index, id));
            if holds { resources::score(pod, room, version) as i32 } else { NO_ROOM }
        };
        if all {
            rank.scores.iter_mut().enumerate().for_each(|(id, value)| *value = score(id));
        } else {
            for id in &profiles.journal[rank.cursor..] {
                rank.scores[*id as usize] = score(*id as usize);
            }
        }
        rank.scores
    }

    pub fn keep(&mut self, class: ClassId, scores: Vec<i32>) {
        if scores.is_empty() {
            return;
        }
        if self.classes.len() * scores.len() > MOST {
            self.classes.clear();
        }
        self.classes.insert(class, Rank { scores, cursor: self.cursor });
    }

    /// Bits of what is short on the nodes of a profile.
    pub fn short(&self, profile: usize, pod: &Pod) -> usize {
        self.rooms[profile].0.short(pod)
    }
}

fn has_scalars(pod: &Pod, index: &Index, id: usize) -> bool {
    let profile = &index.profiles.list[id];
    let node = &index.kinds.like[profile.kind as usize];
    pod.requests.actual.scalars.iter().all(|(name, want)| {
        *want <= 0 || *want <= node.allocatable.scalar(name).saturating_sub(profile.used.scalar(name))
    })
}
