//! What the API server's validation (HTTP 422) says about an object.
//!
//! Each function follows the one of upstream with the same name in snake case; the head of a file names upstream's
//! file. Input are defaulted objects; what is missing counts as Go's zero value, or as its default.

mod apps;
mod content;
mod core;
mod errors;
mod ip;
mod made;
mod meta;
mod obj;

pub use errors::{Errors, Shown, status_message};
