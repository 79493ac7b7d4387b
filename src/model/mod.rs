//! What Kubernetes objects are made of: exact values, names and formats, parsed once.

pub mod intstr;
pub mod names;
pub mod number;
pub mod quantity;
pub mod selector;
