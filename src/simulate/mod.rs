//! Where every pod lands: the scheduler's answer, offline.

mod placement;

pub use placement::{Blocked, Drain, Loss, PlacedNode, PlacedPod, Placement, Remedy, Rollout, Settled, Stall, Verdict};
