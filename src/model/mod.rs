//! What Kubernetes objects are made of: exact values, names and formats, parsed once.

pub mod names;
pub mod quantity;
