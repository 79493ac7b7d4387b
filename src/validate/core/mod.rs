//! The core group.

mod affinity;
pub(super) mod config;
mod container;
pub(super) mod endpoints;
mod env;
mod json;
mod mount;
pub(super) mod namespace;
pub(super) mod node;
mod overlap;
mod plugin;
pub(super) mod pod;
mod pod_resources;
pub(super) mod pod_warnings;
mod probe;
mod projected;
pub(super) mod quota;
pub(super) mod resources;
mod security;
pub(super) mod service;
pub(super) mod service_update;
pub(super) mod storage;
pub(super) mod toleration;
mod volume;
mod windows;
