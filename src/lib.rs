//! kplan: `terraform plan` for Kubernetes. The stages, in the order in which data flows:
//!
//! ```text
//! load → render → parse → defaults → validate → lint → simulate → diff → plan → report
//! ```
#![forbid(unsafe_code)]

pub mod admission;
pub mod apply;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod defaults;
pub mod diag;
pub mod diff;
pub mod lint;
pub mod load;
pub mod model;
pub mod parse;
pub mod plan;
pub mod policy;
pub mod render;
pub mod report;
pub mod schema;
pub mod simulate;
pub mod snapshot;
pub mod source;
pub mod validate;
pub mod yaml;
