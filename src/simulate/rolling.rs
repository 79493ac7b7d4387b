//! Deployments whose pods of another template run: the rollout that the set starts, step by step beside what else is
//! scheduled (`pkg/controller/deployment/rolling.go` and `recreate.go`, Kubernetes 1.36).

use std::ops::Range;

use super::expand::{Expansion, Rolling, Strategy};
use super::placement::{Rollout, Stall};
use super::queue::Outcome;
use super::rollout::fenceposts;
use super::state::{PlacedId, State};

/// A rollout under way.
#[derive(Clone, Debug)]
pub struct Progress {
    workload: usize,
    owner: String,
    namespace: String,
    strategy: Strategy,
    wanted: i64,
    /// New pods that ran before.
    there: i64,
    /// Its new pods among the replicas.
    replicas: Range<usize>,
    /// How many of them exist.
    created: usize,
    old: Vec<PlacedId>,
    old_pending: i64,
    steps: usize,
    peak: i64,
    lowest: i64,
    /// The sentence for the first new pod that finds no node.
    why: Option<String>,
}

/// How a rollout ends, or where it gets stuck.
#[derive(Clone, Debug)]
pub struct End {
    pub rollout: Rollout,
    /// Index of its Deployment in the list of workloads.
    pub workload: usize,
    /// Old pods that stay.
    pub old: Vec<PlacedId>,
    /// Replicas that were never created.
    pub missing: Range<usize>,
}

/// All rollouts that a set starts.
pub fn all(expansion: &Expansion) -> Vec<Progress> {
    let each =
        expansion.rollings.iter().filter_map(|rolling| Some((rolling, expansion.workloads.get(rolling.workload)?)));
    each.map(|(rolling, workload)| Progress::new(rolling, workload.owner(), workload.namespace.clone())).collect()
}

impl Progress {
    fn new(rolling: &Rolling, owner: String, namespace: String) -> Progress {
        let mut progress = Progress {
            workload: rolling.workload,
            owner,
            namespace,
            strategy: rolling.strategy,
            wanted: rolling.wanted,
            there: rolling.ready as i64,
            replicas: rolling.replicas.clone(),
            created: 0,
            old: rolling.old.clone(),
            old_pending: rolling.old_pending as i64,
            steps: 0,
            peak: 0,
            lowest: 0,
            why: None,
        };
        progress.peak = progress.there + progress.old.len() as i64 + progress.old_pending;
        progress.lowest = progress.there + progress.old.len() as i64;
        progress
    }

    /// Whether a replica waits for its rollout to create it.
    pub fn holds(&self, index: usize) -> bool {
        self.replicas.contains(&index)
    }

    /// Lets old pods go as far as enough stay available, and gives the new pods to create. An old pod that was evicted
    /// is gone already. `None` where nothing moves any more.
    pub fn step(&mut self, state: &mut State, outcomes: &[Outcome]) -> Option<Range<usize>> {
        self.old.retain(|id| state.is_placed(*id));
        let new = self.replicas.start..self.replicas.start + self.created;
        let ready = self.there + outcomes[new.clone()].iter().filter(|outcome| outcome.placed.is_some()).count() as i64;
        if self.steps > 0 {
            self.why = outcomes[new].iter().filter(|outcome| outcome.placed.is_none()).find_map(|o| o.message.clone());
        }
        let before = (self.old.len(), self.old_pending);
        let create = match self.strategy {
            Strategy::Recreate => self.recreate(state),
            Strategy::RollingUpdate { max_surge, max_unavailable } => {
                self.roll(state, ready, fenceposts(max_surge, max_unavailable, self.wanted))
            }
        };
        let left = self.replicas.len() - self.created;
        let create = usize::try_from(create).unwrap_or(0).min(left);
        let first = self.replicas.start + self.created;
        self.created += create;
        let moves = create > 0 || before != (self.old.len(), self.old_pending);
        self.steps += usize::from(moves);
        moves.then_some(first..first + create)
    }

    fn roll(&mut self, state: &mut State, ready: i64, (surge, unavailable): (i64, i64)) -> i64 {
        let existing = self.there + self.created as i64;
        let total = existing + self.old.len() as i64 + self.old_pending;
        let more = (self.wanted + surge - total).min(self.wanted - existing).max(0);
        let (total, waiting) = (total + more, existing + more - ready);
        self.peak = self.peak.max(total);
        let minimum = self.wanted - unavailable;
        // Old pods that do not run go first (`cleanupUnhealthyReplicas`).
        self.old_pending -= (total - minimum - waiting).clamp(0, self.old_pending);
        let available = ready + self.old.len() as i64;
        self.remove(state, (available - minimum).clamp(0, self.old.len() as i64));
        self.lowest = self.lowest.min(ready + self.old.len() as i64);
        more
    }

    /// All old pods go before the first new one comes.
    fn recreate(&mut self, state: &mut State) -> i64 {
        let existing = self.there + self.created as i64;
        self.lowest = self.lowest.min(self.there);
        if !self.old.is_empty() || self.old_pending > 0 {
            self.old_pending = 0;
            self.remove(state, self.old.len() as i64);
            return 0;
        }
        self.peak = self.peak.max(self.wanted);
        self.wanted - existing
    }

    fn remove(&mut self, state: &mut State, count: i64) {
        for _ in 0..count {
            if let Some(id) = self.old.pop() {
                state.remove(id);
            }
        }
    }

    /// What has become of it when nothing moves any more.
    pub fn end(&self, outcomes: &[Outcome]) -> End {
        let new = &outcomes[self.replicas.clone()];
        let fits = self.old.is_empty() && self.old_pending == 0 && new.iter().all(|outcome| outcome.placed.is_some());
        let message = self.why.clone().or_else(|| new.iter().find_map(|outcome| outcome.message.clone()));
        let rollout = Rollout {
            owner: self.owner.clone(),
            namespace: self.namespace.clone(),
            fits,
            peak_pods: usize::try_from(self.peak).unwrap_or(0),
            lowest_ready: usize::try_from(self.lowest).unwrap_or(0),
            stalls: (!fits).then(|| Stall { step: self.steps, message: message.unwrap_or_default() }),
        };
        let missing = self.replicas.start + self.created..self.replicas.end;
        End { rollout, workload: self.workload, old: self.old.clone(), missing }
    }
}
