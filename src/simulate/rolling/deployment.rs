//! A Deployment that replaces its pods (`pkg/controller/deployment/{rolling,recreate,sync}.go`, Kubernetes 1.36).
//!
//! Approximated: several old ReplicaSets shrink and grow as one.

use std::ops::Range;
use std::sync::Arc;

use super::Round;
use crate::simulate::cluster::Amount;
use crate::simulate::expand::{Old, Rolling};
use crate::simulate::state::PlacedId;

#[derive(Clone, Debug)]
pub(super) struct Deployment {
    /// Pods above and below the number wanted; `None` for `Recreate`.
    posts: Option<(i64, i64)>,
    wanted: i64,
    /// New pods that ran before.
    there: i64,
    replicas: Range<usize>,
    /// What the new ReplicaSet wants beyond these, whether or not quotas let it.
    asked: i64,
    /// How many replicas exist.
    created: usize,
    /// New pods without a node.
    waiting: Vec<usize>,
    /// Old pods that are ready; the last goes first.
    ready: Vec<Old>,
    /// Old pods that are not; the last goes first.
    unready: Vec<Old>,
    /// Pods that the old ReplicaSet wants more than there are, before the first step.
    growth: i64,
    /// Pods that it wants and quotas refuse.
    unmade: i64,
}

/// Pods above and below the number wanted (`ResolveFenceposts`); with neither, nothing could move.
pub(super) fn fenceposts(surge: Amount, unavailable: Amount, replicas: i64) -> (i64, i64) {
    let surge = surge.of(replicas, true).max(0);
    let unavailable = unavailable.of(replicas, false).clamp(0, replicas);
    (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable })
}

impl Deployment {
    pub(super) fn new(rolling: &Rolling, posts: Option<(i64, i64)>) -> Deployment {
        let (ready, unready) = rolling.old.iter().cloned().partition(|old| old.ready);
        Deployment {
            posts,
            wanted: rolling.wanted,
            there: rolling.there,
            replicas: rolling.replicas.clone(),
            asked: 0,
            created: 0,
            waiting: Vec::new(),
            ready,
            unready,
            growth: rolling.growth,
            unmade: 0,
        }
    }

    /// Which pods are ready now, and whether an old one has become so.
    pub(super) fn look(&mut self, round: &mut Round<'_>) -> bool {
        let before = self.waiting.len();
        if round.has_evictions {
            let created = self.replicas.start..self.replicas.start + self.created;
            self.waiting = created.filter(|index| !round.runs(*index)).collect();
            let ready = std::mem::take(&mut self.ready).into_iter();
            let (gone, stay): (Vec<Old>, Vec<Old>) = ready.partition(|old| round.is_homeless(old));
            self.ready = stay;
            round.is_lost(gone.len());
            self.unready.extend(gone.into_iter().map(|old| Old { id: None, ready: false, ..old }));
        } else {
            self.waiting.retain(|index| !round.runs(*index));
        }
        round.is_ready(before.saturating_sub(self.waiting.len()));
        round.is_lost(self.waiting.len().saturating_sub(before));
        let mut moves = self.make_old(round);
        while let Some(mut old) = self.unready.pop_if(|old| old.id.is_none()) {
            if !round.settle(&mut old) {
                self.unready.push(old);
                break;
            }
            self.ready.push(old);
            moves = true;
        }
        moves
    }

    /// One sync of the controller; whether it changed anything.
    pub(super) fn sync(&mut self, round: &mut Round<'_>) -> bool {
        if self.growth != 0 {
            self.scale(round);
            return true;
        }
        match self.posts {
            None => self.recreate(round),
            Some((surge, unavailable)) => {
                self.scale_up(round, surge) || self.scale_down(round, self.wanted - unavailable)
            }
        }
    }

    /// The old ReplicaSet takes the new number before a new one is made (`scale` in `sync.go`).
    fn scale(&mut self, round: &mut Round<'_>) {
        let growth = std::mem::take(&mut self.growth);
        (growth..0).for_each(|_| self.remove_one(round));
        self.unmade = growth.max(0);
        self.make_old(round);
    }

    /// The old ReplicaSet makes what it wants more, as far as quotas let it; whether it made any.
    fn make_old(&mut self, round: &mut Round<'_>) -> bool {
        let Some(like) = self.unready.first().or(self.ready.first()).cloned() else { return false };
        let before = self.unmade;
        while self.unmade > 0 && round.has_room_for(&like) {
            let name = Arc::from(format!("{}-more-{}", like.name, self.unmade));
            self.unready.push(Old { name, id: None, ready: false, ..like.clone() });
            self.unmade -= 1;
        }
        self.unmade < before
    }

    /// Old pods as their ReplicaSet counts them.
    fn old(&self) -> i64 {
        (self.ready.len() + self.unready.len()) as i64 + self.unmade
    }

    fn total(&self) -> i64 {
        self.there + self.asked + self.old()
    }

    /// New pods that are available.
    fn available(&self) -> i64 {
        self.there + self.created as i64 - self.waiting.len() as i64
    }

    /// `reconcileNewReplicaSet`; the ReplicaSet makes what quotas let it.
    fn scale_up(&mut self, round: &mut Round<'_>, surge: i64) -> bool {
        let room = self.wanted + surge - self.total();
        self.asked += room.min(self.wanted - self.there - self.asked).max(0);
        self.create(round)
    }

    fn create(&mut self, round: &mut Round<'_>) -> bool {
        let before = self.created;
        while (self.created as i64) < self.asked && self.created < self.replicas.len() {
            let index = self.replicas.start + self.created;
            if !round.create(index) {
                break;
            }
            self.created += 1;
            self.waiting.push(index);
        }
        self.created > before
    }

    /// `reconcileOldReplicaSets`: old pods that are not ready go first, then those that are, as far as enough stay.
    fn scale_down(&mut self, round: &mut Round<'_>, minimum: i64) -> bool {
        let unavailable = self.there + self.asked - self.available();
        let most = self.total() - minimum - unavailable;
        if most <= 0 {
            return false;
        }
        let unready = most.min(self.unready.len() as i64 + self.unmade);
        (0..unready).for_each(|_| self.remove_one(round));
        let spare = self.available() + self.ready.len() as i64 - minimum;
        let ready = spare.clamp(0, self.old());
        (0..ready).for_each(|_| self.remove_one(round));
        unready + ready > 0
    }

    fn remove_one(&mut self, round: &mut Round<'_>) {
        if self.unmade > 0 {
            self.unmade -= 1;
        } else if let Some(old) = self.unready.pop().or_else(|| self.ready.pop()) {
            round.remove(&old);
        }
    }

    /// All old pods go before the first new one comes.
    fn recreate(&mut self, round: &mut Round<'_>) -> bool {
        if self.old() > 0 {
            (0..self.old()).for_each(|_| self.remove_one(round));
            return true;
        }
        self.asked = self.wanted - self.there;
        self.create(round)
    }

    pub(super) fn is_done(&self) -> bool {
        self.old() == 0 && self.waiting.is_empty() && self.created == self.replicas.len()
    }

    /// The first new pod that does not run.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.waiting.first().copied()
    }

    /// Old pods that stay, and new ones that were never made.
    pub(super) fn left(&self) -> (Vec<PlacedId>, Vec<usize>) {
        let old = self.ready.iter().chain(&self.unready).filter_map(|old| old.id);
        (old.collect(), (self.replicas.start + self.created..self.replicas.end).collect())
    }
}
