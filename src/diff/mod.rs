//! What differs between two bundles.

mod change;

pub use change::{Action, Change, Fidelity, FieldChange, ObjectRef, Op, Risk};
