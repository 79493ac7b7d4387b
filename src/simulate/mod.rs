//! Where every pod lands: the scheduler's answer, offline.
//!
//! ```text
//! nodes, cluster, expand → state → queue (engine: filters, scores, preemption) → rollout, losses, remedies → findings
//! ```

pub mod cluster;
mod cycle;
pub mod engine;
pub mod expand;
pub mod filters;
pub mod labels;
mod message;
pub mod nodes;
mod placement;
pub mod pod;
pub mod preemption;
pub mod queue;
mod report;
mod requests;
mod resources;
mod scores;
pub mod state;
mod topology;
mod volumes;

#[cfg(test)]
mod tests;

pub use nodes::{Inventory, NodeError};
pub use placement::{Blocked, Drain, Loss, PlacedNode, PlacedPod, Placement, Remedy, Rollout, Settled, Stall, Verdict};

use cluster::Cluster;
use expand::Expansion;
use state::State;

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::model::Bundle;

/// Places every pod of a set on the nodes, and says what follows from it.
pub fn run(bundle: &Bundle, inventory: &Inventory, settings: &Settings) -> (Placement, Vec<Diagnostic>) {
    let (mut state, expansion) = prepare(bundle, inventory, settings);
    let outcomes = queue::run(&mut state, &expansion.replicas, settings.sequential);
    let placement = report::placement(&state, &expansion, &outcomes);
    (placement, Vec::new())
}

/// The cluster before anything is scheduled, and the pods to come.
fn prepare(bundle: &Bundle, inventory: &Inventory, settings: &Settings) -> (State, Expansion) {
    let mut cluster = Cluster::from_bundle(bundle, settings.kube_version);
    let mut expansion = expand::run(bundle, &cluster, &inventory.nodes);
    cluster.volumes.add_claims(std::mem::take(&mut expansion.claims));
    cluster.volumes.settle();
    (State::new(cluster, inventory.nodes.clone()), expansion)
}
