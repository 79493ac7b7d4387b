//! Pods that have their places: one for each ordinal or node, the old one or the new one, or both where nodes surge.

use std::collections::BTreeSet;

use super::Round;
use crate::simulate::expand::{Old, Slot};
use crate::simulate::state::PlacedId;

#[derive(Clone, Debug)]
pub(super) struct Slots {
    list: Vec<Slot>,
    /// Without any pod.
    pub missing: BTreeSet<usize>,
    /// With a new pod that does not run yet.
    pub waiting: BTreeSet<usize>,
    /// With an old pod.
    pub old: BTreeSet<usize>,
    /// With an old pod that is not ready.
    pub sick: BTreeSet<usize>,
    /// With both pods.
    pub both: BTreeSet<usize>,
}

impl Slots {
    pub(super) fn new(list: Vec<Slot>) -> Slots {
        let that = |test: &dyn Fn(&Slot) -> bool| (0..list.len()).filter(|at| test(&list[*at])).collect();
        Slots {
            missing: that(&|slot| !slot.created && slot.old.is_none()),
            waiting: BTreeSet::new(),
            old: that(&|slot| slot.old.is_some()),
            sick: that(&|slot| slot.old.as_ref().is_some_and(|old| !old.ready)),
            both: that(&|slot| slot.created && slot.old.is_some()),
            list,
        }
    }

    /// The first slot whose pod is not ready.
    pub(super) fn first_unready(&self) -> Option<usize> {
        self.waiting.first().into_iter().chain(self.sick.first()).min().copied()
    }

    /// The old pod of a slot.
    pub(super) fn old_of(&self, at: usize) -> Option<&Old> {
        self.list[at].old.as_ref()
    }

    /// Which new pods run now, and whether an old one has found a node.
    pub(super) fn look(&mut self, round: &mut Round<'_>) -> bool {
        let before = self.waiting.len();
        if round.has_evictions {
            self.after_evictions(round);
        } else {
            self.waiting.retain(|at| !round.runs(self.list[*at].replica));
        }
        round.is_ready(before.saturating_sub(self.waiting.len()));
        round.is_lost(self.waiting.len().saturating_sub(before));
        let mut moves = false;
        let homeless = |at: &usize| self.list[*at].old.as_ref().is_some_and(|old| old.id.is_none());
        for at in self.sick.iter().copied().filter(homeless).collect::<Vec<usize>>() {
            if self.list[at].old.as_mut().is_some_and(|old| round.settle(old)) {
                self.sick.remove(&at);
                moves = true;
            }
        }
        moves
    }

    /// An evicted pod leaves its place empty; the controller makes a new one.
    fn after_evictions(&mut self, round: &mut Round<'_>) {
        for (at, slot) in self.list.iter_mut().enumerate() {
            if let Some(old) = slot.old.take_if(|old| old.id.is_some() && round.is_homeless(old)) {
                round.remove(&Old { id: None, ..old });
                self.old.remove(&at);
                self.sick.remove(&at);
                self.both.remove(&at);
                if !slot.created {
                    self.missing.insert(at);
                }
            }
            match slot.created && !round.runs(slot.replica) {
                true => self.waiting.insert(at),
                false => self.waiting.remove(&at),
            };
        }
    }

    /// Makes the new pod of a slot, unless a quota has no room for it.
    pub(super) fn create(&mut self, at: usize, round: &mut Round<'_>) -> bool {
        let slot = &mut self.list[at];
        if !round.create(slot.replica) {
            return false;
        }
        slot.created = true;
        self.missing.remove(&at);
        self.waiting.insert(at);
        if slot.old.is_some() {
            self.both.insert(at);
        }
        true
    }

    /// Takes the old pod of a slot away.
    pub(super) fn remove(&mut self, at: usize, round: &mut Round<'_>) {
        let slot = &mut self.list[at];
        let Some(old) = slot.old.take() else { return };
        round.remove(&old);
        self.old.remove(&at);
        self.sick.remove(&at);
        self.both.remove(&at);
        if !slot.created {
            self.missing.insert(at);
        }
    }

    /// The first new pod that does not run.
    pub(super) fn unplaced(&self) -> Option<usize> {
        self.waiting.first().map(|at| self.list[*at].replica)
    }

    /// Old pods that stay, and new ones that were never made.
    pub(super) fn left(&self) -> (Vec<PlacedId>, Vec<usize>) {
        let old = self.list.iter().filter_map(|slot| slot.old.as_ref()?.id);
        let missing = self.list.iter().filter(|slot| !slot.created).map(|slot| slot.replica);
        (old.collect(), missing.collect())
    }
}
