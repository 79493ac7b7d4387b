//! Rolling updates of Deployments, step by step (`pkg/controller/deployment/rolling.go`, Kubernetes 1.36).

use std::sync::Arc;

use super::cluster::Amount;
use super::engine::{self, Answer};
use super::expand::{Expansion, Strategy, TEMPLATE_HASH};
use super::placement::{Rollout, Stall, Verdict};
use super::pod::Pod;
use super::preemption::NOT_STARTED;
use super::queue::Outcome;
use super::state::{PlacedId, State};

/// An update from pods that exist to a new version.
#[derive(Clone, Debug)]
pub struct Update {
    /// `Deployment/web`.
    pub owner: String,
    pub namespace: String,
    /// Old pods that run.
    pub old: Vec<PlacedId>,
    /// Old pods that exist and found no node.
    pub old_pending: usize,
    pub new: Arc<Pod>,
    /// Replicas of the new version.
    pub replicas: i64,
    pub strategy: Strategy,
}

/// Every Deployment updated to a version of the same size, one at a time.
pub fn like_versions(state: &mut State, expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Rollout> {
    let updates: Vec<Update> = updates(expansion, outcomes);
    updates.iter().map(|update| run(state, update)).collect()
}

fn updates(expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Update> {
    let mut pods: Vec<(Vec<PlacedId>, usize, bool)> = vec![Default::default(); expansion.workloads.len()];
    for (replica, outcome) in expansion.replicas.iter().zip(outcomes) {
        if let Some((placed, pending, judged)) = pods.get_mut(replica.workload) {
            placed.extend(outcome.placed);
            *pending += usize::from(outcome.placed.is_none() && outcome.verdict != Verdict::Unknown);
            *judged |= matches!(outcome.verdict, Verdict::Scheduled | Verdict::Pending);
        }
    }
    // Those that are under way are played with the pods that they have.
    let under_way = |index: usize| expansion.rollings.iter().any(|rolling| rolling.workload == index);
    let each = expansion.workloads.iter().zip(pods).enumerate().filter(|(index, _)| !under_way(*index));
    let each = each.filter_map(|(_, (workload, (old, old_pending, judged)))| {
        Some(Update {
            owner: workload.owner(),
            namespace: workload.namespace.clone(),
            replicas: (old.len() + old_pending) as i64,
            old,
            old_pending,
            new: Arc::new(workload.pod.relabelled(TEMPLATE_HASH, "new")),
            strategy: workload.strategy.filter(|_| judged)?,
        })
    });
    each.collect()
}

/// The pods of a rollout under way.
struct Progress<'a> {
    state: &'a mut State,
    update: &'a Update,
    old: Vec<PlacedId>,
    old_pending: usize,
    /// New pods that run.
    ready: i64,
    /// New pods that found no node yet.
    waiting: i64,
    why: Option<String>,
}

/// Plays an update; the state is as before afterwards. A pod is ready as soon as it has a node.
pub fn run(state: &mut State, update: &Update) -> Rollout {
    let mark = state.mark();
    let (old, old_pending) = (update.old.clone(), update.old_pending);
    let mut progress = Progress { state, update, old, old_pending, ready: 0, waiting: 0, why: None };
    let rollout = match update.strategy {
        Strategy::Recreate => progress.recreate(),
        Strategy::RollingUpdate { max_surge, max_unavailable } => {
            let (surge, unavailable) = fenceposts(max_surge, max_unavailable, update.replicas);
            progress.roll(surge, unavailable)
        }
    };
    state.rollback(mark);
    rollout
}

/// Pods above and below the number wanted (`ResolveFenceposts`); with neither, nothing could move.
pub(super) fn fenceposts(surge: Amount, unavailable: Amount, replicas: i64) -> (i64, i64) {
    let surge = surge.of(replicas, true).max(0);
    let unavailable = unavailable.of(replicas, false).clamp(0, replicas);
    (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable })
}

impl Progress<'_> {
    fn total(&self) -> i64 {
        self.old.len() as i64 + self.old_pending as i64 + self.ready + self.waiting
    }

    fn available(&self) -> i64 {
        self.old.len() as i64 + self.ready
    }

    fn done(&self) -> bool {
        self.ready >= self.update.replicas && self.old.is_empty() && self.old_pending == 0
    }

    /// Every round scales up as far as the surge allows, then takes old pods away as far as enough stay
    /// available, then the new pods become ready.
    fn roll(&mut self, surge: i64, unavailable: i64) -> Rollout {
        let (mut peak, mut lowest) = (self.total(), self.available());
        let minimum = self.update.replicas - unavailable;
        let mut step = 0;
        while !self.done() {
            step += 1;
            let before = (self.old.len(), self.old_pending, self.ready, self.waiting);
            let room = self.update.replicas + surge - self.total();
            let more = room.min(self.update.replicas - self.ready - self.waiting).max(0);
            self.waiting += more;
            peak = peak.max(self.total());
            self.scale_down(minimum);
            lowest = lowest.min(self.available());
            self.place_waiting();
            if before == (self.old.len(), self.old_pending, self.ready, self.waiting) {
                return self.result(peak, lowest, Some(step));
            }
        }
        self.result(peak, lowest, None)
    }

    /// Old pods that do not run go first (`cleanupUnhealthyReplicas`), then those that run.
    fn scale_down(&mut self, minimum: i64) {
        let spare = (self.total() - minimum - self.waiting).clamp(0, self.old_pending as i64);
        self.old_pending -= usize::try_from(spare).unwrap_or(0);
        let extra = (self.available() - minimum).clamp(0, self.old.len() as i64);
        for _ in 0..extra {
            if let Some(id) = self.old.pop() {
                self.state.remove(id);
            }
        }
    }

    fn place_waiting(&mut self) {
        let class = self.state.class(&self.update.new);
        while self.waiting > 0 {
            match engine::schedule(self.state, class) {
                Answer::Scheduled { best, .. } => {
                    let Some(node) = best.first() else {
                        return;
                    };
                    engine::bind_volumes(self.state, class, node);
                    let name = Arc::from(format!("{}/new-{}", self.update.namespace, self.ready));
                    self.state.place(class, &name, node, NOT_STARTED);
                    self.waiting -= 1;
                    self.ready += 1;
                }
                Answer::Pending(why) => {
                    self.why = Some(why.message.clone());
                    return;
                }
            }
        }
    }

    /// All old pods go before the first new one comes.
    fn recreate(&mut self) -> Rollout {
        let peak = self.total().max(self.update.replicas);
        while let Some(id) = self.old.pop() {
            self.state.remove(id);
        }
        self.old_pending = 0;
        self.waiting = self.update.replicas;
        self.place_waiting();
        let stalled = (self.waiting > 0).then_some(2);
        self.result(peak, 0, stalled)
    }

    fn result(&self, peak: i64, lowest: i64, stalled: Option<usize>) -> Rollout {
        let message = self.why.clone().unwrap_or_default();
        Rollout {
            owner: self.update.owner.clone(),
            namespace: self.update.namespace.clone(),
            fits: stalled.is_none(),
            peak_pods: usize::try_from(peak).unwrap_or(0),
            lowest_ready: usize::try_from(lowest).unwrap_or(0),
            stalls: stalled.map(|step| Stall { step, message }),
        }
    }
}
