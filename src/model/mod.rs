//! Kubernetes values and objects over plain data; numbers, quantities and times are parsed here, once.

pub mod names;
mod object;
pub mod path;
pub mod quantity;
mod version;

pub use object::{Bundle, Counts, Key, Object, ObjectId, ParsedFile, Role, SetId};
pub use version::Version;
