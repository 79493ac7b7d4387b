//! What a later change of each workload would do: an update to a version of the same size, one at a time, from the pods
//! that the set has.

use std::sync::Arc;

use super::expand::{Expansion, Old, Replica, Rolling, Slot, TEMPLATE_HASH, Update, Workload};
use super::placement::{Rollout, Verdict};
use super::queue::{self, Outcome};
use super::rolling::Progress;
use super::state::State;

/// Every workload updated to a version of the same size, one at a time. Those that are under way have been played with
/// the pods that they have. A StatefulSet or DaemonSet without room for all its pods is left out: it fails before.
pub fn like_versions(state: &mut State, expansion: &Expansion, outcomes: &[Outcome]) -> Vec<Rollout> {
    let mut of: Vec<Vec<usize>> = vec![Vec::new(); expansion.workloads.len()];
    for (index, replica) in expansion.replicas.iter().enumerate() {
        of.get_mut(replica.workload).into_iter().for_each(|all| all.push(index));
    }
    expansion.rollings.iter().for_each(|rolling| of[rolling.workload].clear());
    let mut rollouts = Vec::new();
    for (workload, indexes) in expansion.workloads.iter().zip(of) {
        let Some(update) = workload.update.filter(|_| !indexes.is_empty()) else { continue };
        let pods: Vec<(&Replica, &Outcome)> =
            indexes.iter().map(|index| (&expansion.replicas[*index], &outcomes[*index])).collect();
        let played = match update {
            Update::Recreate | Update::RollingUpdate { .. } => deployment(workload, update, &pods),
            Update::StatefulSet { .. } | Update::DaemonSet { .. } => in_places(workload, update, &pods),
        };
        rollouts.extend(played.and_then(|(rolling, replicas)| run(state, workload, &rolling, &replicas)));
    }
    rollouts
}

/// The rollout of a Deployment; `None` where nothing is known of its pods.
fn deployment(workload: &Workload, update: Update, pods: &[(&Replica, &Outcome)]) -> Option<(Rolling, Vec<Replica>)> {
    let judged = |outcome: &Outcome| matches!(outcome.verdict, Verdict::Scheduled | Verdict::Pending);
    if !pods.iter().any(|(_, outcome)| judged(outcome)) {
        return None;
    }
    let there = pods.iter().filter(|(_, outcome)| outcome.placed.is_some() || outcome.verdict != Verdict::Unknown);
    let mut old: Vec<Old> = there.map(|(replica, outcome)| old(workload, replica, outcome)).collect();
    old.sort_by_key(|old| !old.ready);
    let new = Arc::new(workload.pod.relabelled(TEMPLATE_HASH, "new"));
    let replicas: Vec<Replica> = (0..old.len())
        .map(|index| Replica::new(format!("{}-new-{index}", workload.name), 0, new.clone(), None))
        .collect();
    Some((rolling(update, replicas.len(), Vec::new(), old), replicas))
}

/// The rollout of pods that have their places: each is replaced by its like.
fn in_places(workload: &Workload, update: Update, pods: &[(&Replica, &Outcome)]) -> Option<(Rolling, Vec<Replica>)> {
    if pods.iter().any(|(_, outcome)| outcome.placed.is_none()) {
        return None;
    }
    let slots = pods.iter().enumerate().map(|(index, (replica, outcome))| Slot {
        replica: index,
        created: false,
        old: Some(old(workload, replica, outcome)),
    });
    let replicas = pods.iter().map(|(replica, _)| Replica::new(replica.name.clone(), 0, replica.pod.clone(), None));
    Some((rolling(update, pods.len(), slots.collect(), Vec::new()), replicas.collect()))
}

fn rolling(update: Update, count: usize, slots: Vec<Slot>, old: Vec<Old>) -> Rolling {
    Rolling { workload: 0, replicas: 0..count, wanted: count as i64, update, there: 0, growth: 0, slots, old }
}

fn old(workload: &Workload, replica: &Replica, outcome: &Outcome) -> Old {
    Old {
        name: Arc::from(replica.full_name()),
        pod: replica.pod.clone(),
        id: outcome.placed,
        ready: outcome.placed.is_some(),
        charge: workload.charge.clone(),
    }
}

/// Plays an update; the state is as before afterwards.
fn run(state: &mut State, workload: &Workload, rolling: &Rolling, replicas: &[Replica]) -> Option<Rollout> {
    let mark = state.mark();
    let quotas = state.cluster.quotas.clone();
    let progress = Progress::new(rolling, workload.owner(), workload.namespace.clone(), workload.charge.clone());
    let (_, ends) = queue::run(state, replicas, &[progress], false);
    state.rollback(mark);
    state.cluster.quotas = quotas;
    ends.into_iter().next().and_then(|end| end.rollout)
}
