//! A StatefulSet that replaces its pods (`pkg/controller/statefulset/stateful_set_control.go`, Kubernetes 1.36).

use super::Round;
use super::slots::Slots;
use crate::simulate::expand::{Old, Rolling};
use crate::simulate::state::PlacedId;

#[derive(Clone, Debug)]
pub(super) struct StatefulSet {
    slots: Slots,
    /// Old pods beyond the replicas wanted; the last goes first.
    condemned: Vec<Old>,
    ordered: bool,
    partition: usize,
    /// How many may be down at once, where that is a choice.
    unavailable: Option<usize>,
}

impl StatefulSet {
    pub(super) fn new(rolling: &Rolling, ordered: bool, partition: usize, unavailable: Option<usize>) -> StatefulSet {
        let slots = Slots::new(rolling.slots.clone());
        StatefulSet { slots, condemned: rolling.old.clone(), ordered, partition, unavailable }
    }

    /// Which pods are ready now, and whether an old one has become so.
    pub(super) fn look(&mut self, round: &mut Round<'_>) -> bool {
        self.slots.look(round)
    }

    /// One sync of the controller (`updateStatefulSet`); whether it changed anything.
    pub(super) fn sync(&mut self, round: &mut Round<'_>) -> bool {
        if self.ordered {
            // In order, each when those before it are ready.
            let unready = self.slots.first_unready();
            if let Some(missing) = self.slots.missing.first().filter(|at| unready.is_none_or(|unready| **at < unready))
            {
                return self.slots.create(*missing, round);
            }
            if unready.is_some() {
                return false;
            }
        } else {
            let missing: Vec<usize> = self.slots.missing.iter().copied().collect();
            let made = missing.into_iter().filter(|at| self.slots.create(*at, round)).count();
            if made > 0 {
                return true;
            }
        }
        if !self.condemned.is_empty() {
            return self.shrink(round);
        }
        match self.unavailable {
            Some(unavailable) => self.update_counted(round, unavailable),
            None => self.update(round),
        }
    }

    /// `processCondemned`: the highest ordinal goes first; in order, one that is not ready only where no lower one is so
    /// too.
    fn shrink(&mut self, round: &mut Round<'_>) -> bool {
        if !self.ordered {
            self.condemned.drain(..).for_each(|old| round.remove(&old));
            return true;
        }
        let first = self.condemned.iter().position(|old| !old.ready);
        let last = self.condemned.len() - 1;
        if !self.condemned[last].ready && first != Some(last) {
            return false;
        }
        self.condemned.pop().into_iter().for_each(|old| round.remove(&old));
        true
    }

    /// The highest old pod goes, when all pods after it are ready.
    fn update(&mut self, round: &mut Round<'_>) -> bool {
        let Some(target) = self.target() else { return false };
        let is_after = |at: &usize| *at > target;
        if self.slots.waiting.last().is_some_and(is_after) || self.slots.missing.last().is_some_and(is_after) {
            return false;
        }
        self.slots.remove(target, round);
        true
    }

    /// As many of the highest as may be down (`updateStatefulSetAfterInvariantEstablished`).
    fn update_counted(&mut self, round: &mut Round<'_>, unavailable: usize) -> bool {
        let down = self.slots.waiting.len() + self.slots.sick.len() + self.slots.missing.len();
        let spare = unavailable.saturating_sub(down);
        let targets: Vec<usize> = self.slots.old.range(self.partition..).rev().take(spare).copied().collect();
        targets.iter().for_each(|at| self.slots.remove(*at, round));
        !targets.is_empty()
    }

    fn target(&self) -> Option<usize> {
        self.slots.old.range(self.partition..).next_back().copied()
    }

    pub(super) fn is_by_hand(&self) -> bool {
        self.partition == usize::MAX
    }

    pub(super) fn is_done(&self) -> bool {
        let Slots { missing, waiting, .. } = &self.slots;
        self.condemned.is_empty() && self.target().is_none() && missing.is_empty() && waiting.is_empty()
    }

    /// The first new pod that does not run.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.slots.unplaced()
    }

    /// The old pod that is not ready and holds up the others.
    pub(super) fn blocks(&self) -> Option<&Old> {
        let old = self.slots.sick.first().and_then(|at| self.slots.old_of(*at));
        old.or_else(|| self.condemned.iter().find(|old| !old.ready))
    }

    /// Old pods that stay, and new ones that were never made.
    pub(super) fn left(&self) -> (Vec<PlacedId>, Vec<usize>) {
        let (mut old, missing) = self.slots.left();
        old.extend(self.condemned.iter().filter_map(|old| old.id));
        (old, missing)
    }
}
