//! Where every pod lands: the scheduler's answer, offline.
//!
//! ```text
//! nodes, cluster, expand (what is live included) → state → queue (engine: filters, scores, preemption) → rollout, losses, remedies → findings
//! ```

pub mod cluster;
pub mod counters;
mod cycle;
#[cfg(test)]
mod double;
pub mod engine;
mod evictions;
pub mod expand;
pub mod filters;
pub mod findings;
mod groups;
mod in_tree;
pub mod index;
pub mod kinds;
pub mod labels;
pub mod losses;
mod message;
pub mod node_info;
pub mod node_set;
pub mod nodes;
mod placement;
pub mod pod;
pub mod preemption;
pub mod profiles;
pub mod queue;
pub mod remedies;
mod repeats;
mod report;
pub mod requests;
pub mod resources;
pub mod rolling;
pub mod rollout;
pub mod schedulers;
mod scores;
pub mod state;
mod survey;
mod topology;
mod volumes;

#[cfg(test)]
mod tests;

pub use nodes::{Inventory, NodeError};
pub use placement::{
    Blocked, Drain, Eviction, Loss, PlacedNode, PlacedPod, Placement, Remedy, Rollout, ScaleOut, Settled, Stall,
    Verdict,
};

use std::collections::HashMap;
use std::sync::Arc;

use cluster::Cluster;
use expand::Expansion;
use remedies::Trial;
use state::State;

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::model::Bundle;

/// A map for what is looked up at every step; its order is never looked at.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Places every pod of a set on the nodes, and says what follows: updates, losses, remedies, findings.
pub fn run(bundle: &Bundle, inventory: &Inventory<'_>, settings: &Settings) -> (Placement, Vec<Diagnostic>) {
    let (mut state, expansion) = prepare(bundle, inventory, settings);
    let before = state.clone();
    let (outcomes, ends) = queue::run(&mut state, &expansion.replicas, &rolling::all(&expansion), settings.sequential);
    let mut placement = report::placement(&state, &expansion, &outcomes, &ends);
    let mut rollouts: Vec<Rollout> = ends.into_iter().filter_map(|end| end.rollout).collect();
    rollouts.extend(rollout::like_versions(&mut state, &expansion, &outcomes));
    placement.rollouts = rollouts;
    placement.scales = losses::scales(&mut state, &expansion);
    (placement.losses, placement.drains) = losses::run(&state, &expansion, &outcomes);
    placement.zones = losses::zones(&mut state, &expansion, &outcomes);
    placement.evictions = evictions::run(&mut state, &expansion, &outcomes);
    let scheduled = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Scheduled).count();
    let trial = Trial { before: &before, expansion: &expansion, sequential: settings.sequential, scheduled };
    let groups = findings::groups(&state, &expansion, &outcomes).into_iter();
    let groups: Vec<_> = groups.map(|group| (group.clone(), remedies::find(&trial, &group))).collect();
    placement.remedies = groups.iter().flat_map(|(_, remedies)| remedies.clone()).collect();
    let mut diagnostics = findings::diagnostics(bundle, &state, &expansion, &groups);
    diagnostics.extend(findings::at_maximum(bundle, &expansion, &placement.scales, &groups));
    (placement, diagnostics)
}

/// The cluster before anything is scheduled, and the pods to come.
pub fn prepare(bundle: &Bundle, inventory: &Inventory<'_>, settings: &Settings) -> (State, Expansion) {
    let version = settings.scheduler.unwrap_or(settings.kube_version);
    let mut cluster = Cluster::from_bundle(bundle, inventory.live, version);
    let mut expansion = expand::run(bundle, inventory.live, &cluster, &inventory.nodes, settings.now);
    cluster.volumes.add_claims(std::mem::take(&mut expansion.claims));
    cluster.quotas = std::mem::take(&mut expansion.quotas);
    cluster.volumes.settle();
    inventory.schedulers.assign(&mut expansion);
    for replica in &mut expansion.replicas {
        replica.unknown = replica.unknown.take().or_else(|| cluster.volumes.unknown_class(&replica.pod));
    }
    let mut state = State::new(cluster, inventory.nodes.clone());
    for (pod, node) in &expansion.present {
        let class = state.class(&pod.pod);
        state.place(class, &Arc::from(pod.full_name()), *node, pod.started);
    }
    (state, expansion)
}
