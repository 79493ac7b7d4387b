//! Speaking to a live cluster: one small synchronous trait, and what kplan asks through it.
//!
//! ```text
//! kubeconfig → Kube (the only async code) → Transport → Client (retries) → discovery, read, dry run, apply
//! ```
//!
//! Everything but [`kube`] works on any [`Transport`], so that tests need no server.

mod applyset;
mod client;
pub mod discovery;
mod dry_run;
#[cfg(feature = "cluster")]
mod kube;
#[cfg(feature = "cluster")]
mod kubeconfig;
mod mutators;
mod ownership;
mod payload;
mod read;
#[cfg(test)]
mod recorder;
mod rights;
mod settled;
mod status;
mod stored;
mod succession;
mod switched;
#[cfg(test)]
mod tests;
mod unions;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use applyset::{ApplySet, Claim, Named, PARENT_MANAGER, apply_set, claim, join, member_of, other_set};
pub use client::{Client, parallel};
pub use discovery::{Resource, Resources};
pub use dry_run::{Ask, MANAGER, apply_as, ask, create_request, dry_run_again};
pub use mutators::{Mutators, Subject};
pub use payload::{Replicas, leave_out, payload};
pub use read::{Live, Wanted, read};
pub use rights::{Missing, Right, missing};
pub use status::{Status, status_of};
pub use succession::{Inherited, Removal, inherit, remove};

/// How a cluster is chosen and spoken to.
#[derive(Clone, Debug)]
pub struct Connect {
    /// `--kubeconfig`; else `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Name of a context; `None` for the current one.
    pub context: Option<String>,
    /// Longest time that one request may take, its retries apart.
    pub timeout: Duration,
    /// Whether a person can answer an exec plugin.
    pub interactive: bool,
}

/// A cluster that is spoken to.
pub struct Connection {
    /// The context's name; `in-cluster` for the account of a pod.
    pub context: String,
    /// `https://HOST:PORT`.
    pub server: String,
    /// The context's namespace.
    pub namespace: Option<String>,
    pub transport: Box<dyn Transport>,
}

/// Connects to the cluster of a context; nothing is sent yet.
///
/// # Errors
/// No such context, a broken kubeconfig, an exec plugin that fails or hangs.
#[cfg(feature = "cluster")]
pub fn connect(options: &Connect) -> Result<Connection, ClusterError> {
    kube::connect(options)
}

/// This build has no client.
///
/// # Errors
/// Always.
#[cfg(not(feature = "cluster"))]
pub fn connect(_: &Connect) -> Result<Connection, ClusterError> {
    let help = "install kplan with its default features, or give the state with --snapshot FILE";
    Err(ClusterError::new("this build of kplan cannot reach a cluster", help))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

impl Method {
    /// As HTTP writes it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// One HTTP request to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// What is accepted where it is not plain JSON.
    pub accept: Option<&'static str>,
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Request {
        Request { method: Method::Get, path: path.into(), accept: None, content_type: None, body: Vec::new() }
    }

    pub fn with_body(method: Method, path: String, content_type: &'static str, body: Vec<u8>) -> Request {
        Request { method, path, accept: None, content_type: Some(content_type), body }
    }
}

/// What the server answered; any status is an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body: String,
    /// Texts of the `Warning` headers.
    pub warnings: Vec<String>,
    /// Seconds to wait, of `Retry-After`.
    pub retry_after: Option<u64>,
}

impl Response {
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The way to an API server.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for the answer.
    ///
    /// # Errors
    /// There is no answer: no connection, no trust, no credentials, no time left.
    fn send(&self, request: &Request) -> Result<Response, ClusterError>;
}

/// Why a cluster gives no answer, or none that helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterError {
    pub message: String,
    pub help: String,
    /// Another try may succeed: the connection broke or took too long.
    pub is_passing: bool,
}

impl ClusterError {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> ClusterError {
        ClusterError { message: message.into(), help: help.into(), is_passing: false }
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ClusterError {}
