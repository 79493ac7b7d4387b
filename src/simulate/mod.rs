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
mod requests;
mod resources;
mod scores;
pub mod state;
mod topology;
mod volumes;

pub use nodes::{Inventory, NodeError};
pub use placement::{Blocked, Drain, Loss, PlacedNode, PlacedPod, Placement, Remedy, Rollout, Settled, Stall, Verdict};
