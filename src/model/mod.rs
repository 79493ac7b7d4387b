//! What Kubernetes objects are made of: exact values, names and formats, parsed once.

pub mod cron;
pub mod image;
pub mod intstr;
pub mod names;
pub mod number;
pub mod quantity;
pub mod selector;
pub mod time;
