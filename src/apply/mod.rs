//! Doing what a plan says, and waiting until it is done: [`run`] applies and waits; how far a live object is, and why
//! the pods of a workload are not ready, are pure functions over objects as the API server returns them.

mod events;
mod owned;
mod pods;
mod run;
mod status;
mod steps;
#[cfg(test)]
mod tests;
mod wait;

pub use owned::{Owned, owned};
pub use pods::{Trouble, TroubleKind, troubles};
pub use run::run;
pub use status::{Progress, Rules, Status, status};
pub use steps::{Event, Limits, Outcome, Read, Recheck, State, Step, World};
