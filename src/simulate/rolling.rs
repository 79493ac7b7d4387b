//! Workloads that replace pods of another template, step by step beside what else is scheduled. In each step the
//! controllers do what they can with the pods that are ready; then the scheduler has its turn, and what found a node is
//! ready in the next step. A pod that leaves is gone at once.

mod daemon_set;
mod deployment;
mod slots;
mod stateful_set;

use std::ops::Range;
use std::sync::Arc;

use super::cluster::Amount;
use super::engine::{self, Answer};
use super::expand::{Expansion, Old, Replica, Rolling, Update};
use super::placement::{Rollout, Stall, Verdict};
use super::pod::Pod;
use super::preemption::NOT_STARTED;
use super::queue::Outcome;
use super::state::{PlacedId, State};
use crate::admission::Charge;
use daemon_set::DaemonSet;
use deployment::{Deployment, fenceposts};
use stateful_set::StatefulSet;

/// A rollout under way.
#[derive(Clone, Debug)]
pub struct Progress {
    workload: usize,
    owner: String,
    namespace: String,
    /// Its new pods among the replicas.
    replicas: Range<usize>,
    /// What quotas count of a new pod.
    charge: Option<Arc<Charge>>,
    machine: Machine,
    tally: Tally,
    steps: usize,
    /// Why the API server refused the last new pod.
    refused: Option<String>,
    /// Why it refused one at all.
    ever_refused: Option<String>,
    /// How many pods had been evicted when it was last looked at.
    evictions: usize,
}

#[derive(Clone, Debug)]
enum Machine {
    Deployment(Deployment),
    StatefulSet(StatefulSet),
    DaemonSet(DaemonSet),
}

/// Pods of a workload, old and new.
#[derive(Clone, Copy, Debug)]
struct Tally {
    pods: i64,
    ready: i64,
    peak: i64,
    lowest: i64,
}

/// How a rollout ends, or where it gets stuck.
#[derive(Clone, Debug)]
pub struct End {
    /// `None` where nothing is replaced by itself, and nothing else was to do.
    pub rollout: Option<Rollout>,
    /// Index of its workload.
    pub workload: usize,
    /// Old pods that stay.
    pub old: Vec<PlacedId>,
    /// Replicas that were never created.
    pub missing: Vec<usize>,
}

/// What a controller sees and does in one step.
struct Round<'a> {
    state: &'a mut State,
    all: &'a [Replica],
    outcomes: &'a [Outcome],
    namespace: &'a str,
    charge: Option<&'a Charge>,
    tally: &'a mut Tally,
    /// Pods were evicted since the last step.
    has_evictions: bool,
    /// New pods for the scheduler.
    created: Vec<usize>,
    refused: Option<String>,
}

/// All rollouts that a set starts.
pub fn all(expansion: &Expansion) -> Vec<Progress> {
    let each =
        expansion.rollings.iter().filter_map(|rolling| Some((rolling, expansion.workloads.get(rolling.workload)?)));
    each.map(|(rolling, workload)| {
        Progress::new(rolling, workload.owner(), workload.namespace.clone(), workload.charge.clone())
    })
    .collect()
}

impl Progress {
    pub(super) fn new(rolling: &Rolling, owner: String, namespace: String, charge: Option<Arc<Charge>>) -> Progress {
        let machine = match rolling.update {
            Update::Recreate => Machine::Deployment(Deployment::new(rolling, None)),
            Update::RollingUpdate { max_surge, max_unavailable } => {
                let posts = fenceposts(max_surge, max_unavailable, rolling.wanted);
                Machine::Deployment(Deployment::new(rolling, Some(posts)))
            }
            Update::StatefulSet { ordered, partition, max_unavailable } => {
                let unavailable =
                    max_unavailable.map(|most| usize::try_from(most.of(rolling.wanted, false)).unwrap_or(0).max(1));
                Machine::StatefulSet(StatefulSet::new(rolling, ordered, partition, unavailable))
            }
            Update::DaemonSet { max_surge, max_unavailable } => {
                let of = |amount: Amount| usize::try_from(amount.of(rolling.wanted, true)).unwrap_or(0);
                Machine::DaemonSet(DaemonSet::new(rolling, of(max_surge), of(max_unavailable)))
            }
        };
        let (pods, ready) = counts(rolling);
        Progress {
            workload: rolling.workload,
            owner,
            namespace,
            replicas: rolling.replicas.clone(),
            charge,
            machine,
            tally: Tally { pods, ready, peak: pods, lowest: ready },
            steps: 0,
            refused: None,
            ever_refused: None,
            evictions: 0,
        }
    }

    /// Whether a replica waits for its rollout to create it.
    pub fn holds(&self, index: usize) -> bool {
        self.replicas.contains(&index)
    }

    /// Does what the controller can do with the pods that are ready, and gives the new pods; `None` where nothing moves
    /// any more. `evictions` is how many pods were evicted so far.
    pub fn step(
        &mut self,
        state: &mut State,
        all: &[Replica],
        outcomes: &[Outcome],
        evictions: usize,
    ) -> Option<Vec<usize>> {
        let mut round = Round {
            state,
            all,
            outcomes,
            namespace: &self.namespace,
            charge: self.charge.as_deref(),
            tally: &mut self.tally,
            has_evictions: evictions != self.evictions,
            created: Vec::new(),
            refused: None,
        };
        self.evictions = evictions;
        let mut moves = match &mut self.machine {
            Machine::Deployment(machine) => machine.look(&mut round),
            Machine::StatefulSet(machine) => machine.look(&mut round),
            Machine::DaemonSet(machine) => machine.look(&mut round),
        };
        while match &mut self.machine {
            Machine::Deployment(machine) => machine.sync(&mut round),
            Machine::StatefulSet(machine) => machine.sync(&mut round),
            Machine::DaemonSet(machine) => machine.sync(&mut round),
        } {
            moves = true;
        }
        let Round { created, refused, .. } = round;
        self.ever_refused = self.ever_refused.take().or_else(|| refused.clone());
        self.refused = refused;
        self.steps += usize::from(moves);
        moves.then_some(created)
    }

    /// What has become of it when nothing moves any more.
    pub fn end(&self, state: &mut State, all: &[Replica], outcomes: &[Outcome]) -> End {
        let (done, waiting) = match &self.machine {
            Machine::Deployment(machine) => (machine.is_done(), machine.waiting()),
            Machine::StatefulSet(machine) => (machine.is_done(), machine.waiting()),
            Machine::DaemonSet(machine) => (machine.is_done(), machine.waiting()),
        };
        let mut why = || {
            let pod = waiting.and_then(|index| unplaced(state, &all[index], &outcomes[index]));
            pod.or_else(|| self.refused.clone()).or_else(|| self.blocked(state)).unwrap_or_default()
        };
        let stalls = (!done).then(|| Stall { step: self.steps + 1, message: why() });
        let rollout = Rollout {
            owner: self.owner.clone(),
            namespace: self.namespace.clone(),
            fits: done,
            peak_pods: usize::try_from(self.tally.peak).unwrap_or(0),
            lowest_ready: usize::try_from(self.tally.lowest).unwrap_or(0),
            stalls,
            refused: self.ever_refused.clone().filter(|_| done && matches!(self.machine, Machine::Deployment(_))),
        };
        let (old, missing) = match &self.machine {
            Machine::Deployment(machine) => machine.left(),
            Machine::StatefulSet(machine) => machine.left(),
            Machine::DaemonSet(machine) => machine.left(),
        };
        let rollout = Some(rollout).filter(|_| !done || self.steps > 0 || !self.is_by_hand());
        End { rollout, workload: self.workload, old, missing }
    }

    /// Whether somebody has to delete each pod that is to be replaced (`OnDelete`).
    fn is_by_hand(&self) -> bool {
        matches!(&self.machine, Machine::StatefulSet(machine) if machine.is_by_hand())
    }

    /// Why the old pod is not ready that the controller waits for.
    fn blocked(&self, state: &mut State) -> Option<String> {
        let Machine::StatefulSet(machine) = &self.machine else { return None };
        let old = machine.blocks()?;
        if old.id.is_none()
            && let Some(message) = asked(state, &old.pod)
        {
            return Some(message);
        }
        let name = old.name.split_once('/').map_or(&*old.name, |(_, name)| name);
        Some(format!(
            "{name} is not ready, and StatefulSet replaces nothing before it is (podManagementPolicy OrderedReady)"
        ))
    }
}

/// Why a pod that was created does not run.
fn unplaced(state: &mut State, replica: &Replica, outcome: &Outcome) -> Option<String> {
    if outcome.verdict != Verdict::Pending && outcome.verdict != Verdict::Scheduled {
        return outcome.message.clone();
    }
    asked(state, &replica.pod).or_else(|| outcome.message.clone())
}

/// The scheduler's sentence for a pod that finds no node now.
fn asked(state: &mut State, pod: &Arc<Pod>) -> Option<String> {
    let class = state.class(pod);
    match engine::schedule(state, class) {
        Answer::Pending(why) => Some(why.message.clone()),
        Answer::Scheduled { .. } => None,
    }
}

/// Pods that exist, and how many of them are ready.
fn counts(rolling: &Rolling) -> (i64, i64) {
    let old = || rolling.slots.iter().filter_map(|slot| slot.old.as_ref()).chain(&rolling.old);
    let there = rolling.there + rolling.slots.iter().filter(|slot| slot.created).count() as i64;
    (there + old().count() as i64, there + old().filter(|old| old.ready).count() as i64)
}

impl Round<'_> {
    /// Whether a new pod runs.
    fn runs(&self, replica: usize) -> bool {
        self.outcomes[replica].placed.is_some()
    }

    /// A new pod, unless a quota has no room for it.
    fn create(&mut self, replica: usize) -> bool {
        let quotas = self.state.cluster.quotas.get_mut(self.namespace);
        if let Some((charge, quotas)) = self.charge.zip(quotas) {
            if let Some(why) = quotas.refuses(charge) {
                self.refused = Some(format!("pods \"{}\" is forbidden: {why}", self.all[replica].name));
                return false;
            }
            quotas.charge(charge, false);
        }
        // What admission refuses for another reason does not come into being.
        self.tally.pods += i64::from(self.outcomes[replica].verdict != Verdict::Rejected);
        self.tally.peak = self.tally.peak.max(self.tally.pods);
        self.created.push(replica);
        true
    }

    /// Counts one more pod like an old one, unless a quota has no room for it.
    fn has_room_for(&mut self, old: &Old) -> bool {
        let quotas = self.state.cluster.quotas.get_mut(self.namespace);
        if let Some((charge, quotas)) = old.charge.as_deref().zip(quotas) {
            if quotas.refuses(charge).is_some() {
                return false;
            }
            quotas.charge(charge, false);
        }
        self.tally.pods += 1;
        self.tally.peak = self.tally.peak.max(self.tally.pods);
        true
    }

    fn is_ready(&mut self, count: usize) {
        self.tally.ready += count as i64;
    }

    fn is_lost(&mut self, count: usize) {
        self.tally.ready -= count as i64;
        self.tally.lowest = self.tally.lowest.min(self.tally.ready);
    }

    /// Takes an old pod away.
    fn remove(&mut self, old: &Old) {
        if let Some(id) = old.id.filter(|id| self.state.is_placed(*id)) {
            self.state.remove(id);
        }
        let quotas = self.state.cluster.quotas.get_mut(self.namespace);
        if let Some((charge, quotas)) = old.charge.as_deref().zip(quotas) {
            quotas.release(charge);
        }
        self.tally.pods -= 1;
        self.is_lost(usize::from(old.ready));
    }

    /// Whether an old pod that was evicted, or waits for a node, has none now.
    fn is_homeless(&self, old: &Old) -> bool {
        old.id.is_none_or(|id| !self.state.is_placed(id))
    }

    /// Asks again for an old pod that waits for a node; it is ready where it finds one.
    fn settle(&mut self, old: &mut Old) -> bool {
        if old.pod.node_name.is_some() {
            old.pod = Arc::new(Pod { node_name: None, ..(*old.pod).clone() });
        }
        let class = self.state.class(&old.pod);
        let Answer::Scheduled { best, .. } = engine::schedule(self.state, class) else { return false };
        let Some(node) = best.first() else { return false };
        engine::bind_volumes(self.state, class, node);
        old.id = Some(self.state.place(class, &old.name, node, NOT_STARTED));
        old.ready = true;
        self.is_ready(1);
        true
    }
}
