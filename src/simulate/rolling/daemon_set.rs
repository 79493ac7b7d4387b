//! A DaemonSet that replaces its pods (`pkg/controller/daemon/{daemon_controller,update}.go`, Kubernetes 1.36). The
//! controller takes nodes in an order that is random; here it is theirs.

use super::Round;
use super::slots::Slots;
use crate::simulate::expand::{Old, Rolling};
use crate::simulate::state::PlacedId;

#[derive(Clone, Debug)]
pub(super) struct DaemonSet {
    slots: Slots,
    /// Old pods on nodes where none belongs any more.
    leaving: Vec<Old>,
    surge: usize,
    unavailable: usize,
}

impl DaemonSet {
    /// With neither surge nor unavailable pods nothing could move: then one may be down.
    pub(super) fn new(rolling: &Rolling, surge: usize, unavailable: usize) -> DaemonSet {
        let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
        DaemonSet { slots: Slots::new(rolling.slots.clone()), leaving: rolling.old.clone(), surge, unavailable }
    }

    /// Which pods are ready now, and whether an old one has become so.
    pub(super) fn look(&mut self, round: &mut Round<'_>) -> bool {
        self.slots.look(round)
    }

    /// One sync of the controller; whether it changed anything.
    pub(super) fn sync(&mut self, round: &mut Round<'_>) -> bool {
        let moves = self.manage(round);
        let rolls = if self.surge > 0 { self.with_surge(round) } else { self.without_surge(round) };
        moves || rolls
    }

    /// Every node has a pod; of two the old one goes where the new one is ready or it is not (`podsShouldBeOnNode`).
    fn manage(&mut self, round: &mut Round<'_>) -> bool {
        let mut moves = !self.leaving.is_empty();
        self.leaving.drain(..).for_each(|old| round.remove(&old));
        for at in self.slots.missing.clone() {
            moves |= self.slots.create(at, round);
        }
        let replaced = |at: &usize| self.slots.sick.contains(at) || !self.slots.waiting.contains(at);
        for at in self.slots.both.iter().copied().filter(replaced).collect::<Vec<usize>>() {
            self.slots.remove(at, round);
            moves = true;
        }
        moves
    }

    /// Old pods that are not ready go, and as many others as may be down.
    fn without_surge(&mut self, round: &mut Round<'_>) -> bool {
        let down = self.slots.waiting.len() + self.slots.missing.len() + self.slots.sick.len();
        let spare = self.unavailable.saturating_sub(down);
        let well = self.slots.old.iter().filter(|at| !self.slots.sick.contains(at)).take(spare);
        let targets: Vec<usize> = self.slots.sick.iter().chain(well).copied().collect();
        targets.iter().for_each(|at| self.slots.remove(*at, round));
        !targets.is_empty()
    }

    /// New pods come beside old ones that are not ready, and beside as many others as may surge.
    fn with_surge(&mut self, round: &mut Round<'_>) -> bool {
        let Slots { old, sick, both, waiting, .. } = &self.slots;
        let spare = self.surge.saturating_sub(both.intersection(waiting).count());
        let well = old.iter().filter(|at| !sick.contains(at) && !both.contains(at)).take(spare);
        let targets: Vec<usize> = sick.difference(both).chain(well).copied().collect();
        let made = targets.into_iter().filter(|at| self.slots.create(*at, round)).count();
        made > 0
    }

    pub(super) fn is_done(&self) -> bool {
        let Slots { missing, waiting, old, .. } = &self.slots;
        missing.is_empty() && waiting.is_empty() && old.is_empty()
    }

    /// The first new pod that does not run.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.slots.unplaced()
    }

    /// Old pods that stay, and new ones that were never made.
    pub(super) fn left(&self) -> (Vec<PlacedId>, Vec<usize>) {
        self.slots.left()
    }
}
