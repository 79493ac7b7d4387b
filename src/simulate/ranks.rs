//! How much the resources of each profile speak for it, by class of pods.

use std::collections::HashMap;

use super::filters::node_resources_fit::Left;
use super::index::Index;
use super::pod::Pod;
use super::scores::columns::Columns;
use super::scores::resources::{self, Room};
use super::state::ClassId;
use crate::model::Version;

/// Beyond so many numbers everything is forgotten.
const MOST: usize = 16 << 20;

/// Stands for a profile whose nodes have no room.
pub const NO_ROOM: f32 = -1.0;

/// Columns over profiles.
#[derive(Clone, Debug, Default)]
pub struct Ranks {
    left: Vec<Left>,
    rooms: Columns,
    cursor: usize,
    /// State of the index that this is about.
    epoch: u64,
    classes: HashMap<ClassId, Rank>,
}

#[derive(Clone, Debug, Default)]
struct Rank {
    /// Sum of the scores for resources by profile, or [`NO_ROOM`]; whole numbers.
    scores: Vec<f32>,
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
        self.left.resize(profiles.list.len(), Left::default());
        self.rooms.resize(profiles.list.len());
        for id in &profiles.journal[self.cursor..] {
            let profile = &profiles.list[*id as usize];
            let node = &index.kinds.like[profile.kind as usize];
            self.left[*id as usize] = Left::new(node, profile.pods, &profile.used);
            self.rooms.set(*id as usize, Room::new(node, (profile.used.cpu, profile.used.memory), profile.nonzero));
        }
        self.cursor = profiles.journal.len();
    }

    /// Scores for resources by profile; give them back with [`Ranks::keep`].
    pub fn of(&mut self, class: ClassId, pod: &Pod, index: &Index, version: Version) -> Vec<f32> {
        self.catch_up(index);
        let profiles = &index.profiles;
        let mut rank = self.classes.remove(&class).unwrap_or_default();
        let all = rank.scores.is_empty();
        rank.scores.resize(profiles.list.len(), NO_ROOM);
        let has_room = |id: usize| {
            self.left[id].short(pod) == 0 && (pod.requests.actual.scalars.is_empty() || has_scalars(pod, index, id))
        };
        if all {
            self.rooms.score_all(pod, version, &mut rank.scores);
            for (id, score) in rank.scores.iter_mut().enumerate().filter(|(id, _)| !has_room(*id)) {
                debug_assert!(id < profiles.list.len());
                *score = NO_ROOM;
            }
        } else {
            for id in &profiles.journal[rank.cursor..] {
                let id = *id as usize;
                let score = resources::score(pod, &self.rooms.all[id], version);
                rank.scores[id] = if has_room(id) { score as f32 } else { NO_ROOM };
            }
        }
        rank.scores
    }

    pub fn keep(&mut self, class: ClassId, scores: Vec<f32>) {
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
        self.left[profile].short(pod)
    }
}

fn has_scalars(pod: &Pod, index: &Index, id: usize) -> bool {
    let profile = &index.profiles.list[id];
    let node = &index.kinds.like[profile.kind as usize];
    pod.requests.actual.scalars.iter().all(|(name, want)| {
        *want <= 0 || *want <= node.allocatable.scalar(name).saturating_sub(profile.used.scalar(name))
    })
}
