//! What is to be applied, how long to wait for it, and what became of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Client, ClusterError, Removal, Resources, Wanted};
use crate::diff::{Action, ObjectRef, Policy};
use crate::model::Bundle;

/// One object to apply.
#[derive(Clone, Debug)]
pub struct Step {
    pub object: ObjectRef,
    pub action: Action,
    /// 1-based, as in the plan.
    pub wave: u32,
    /// The object as it is sent, with the `resourceVersion` and `uid` that the plan saw; without a name it is made anew each
    /// time.
    pub payload: Value,
    /// Whose fields they become.
    pub manager: &'static str,
    /// Take fields that others own.
    pub force: bool,
    /// Managers that kplan succeeds have fields of it.
    pub inherits: bool,
    /// What only the server wrote and this apply takes away, as its conflicts name it.
    pub clears: Vec<String>,
    /// It is deleted first.
    pub removal: Option<Removal>,
    /// Later waves wait for it: a Namespace, a CustomResourceDefinition, what `depends-on` names.
    pub gates: bool,
}

/// How long to wait, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wait for readiness at all.
    pub wait: bool,
    /// For one object, from when it was applied.
    pub each: Duration,
    /// For everything.
    pub total: Duration,
    /// How long trouble that does not end by itself may last.
    pub trouble: Duration,
    /// How long a pod may find no node; an autoscaler needs time to add one.
    pub unschedulable: Duration,
    /// Services of type LoadBalancer and Ingresses need their address.
    pub load_balancer: bool,
}

/// What became of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Done,
    /// Refused, not ready in time, or in trouble that does not end by itself.
    Failed,
    NotStarted,
}

/// One object after the run.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub object: ObjectRef,
    pub action: Action,
    pub state: State,
    /// What it is waiting for, or why it failed.
    pub message: String,
    /// From the request to the state.
    pub seconds: f64,
    /// The server has taken it.
    #[serde(skip)]
    pub is_applied: bool,
    #[serde(skip)]
    pub since: Option<Instant>,
}

/// What happens meanwhile, for whoever shows it.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The server took it.
    Applied(usize),
    Waiting(usize, &'a str),
    Ready(usize, &'a str),
    Failed(usize, &'a str),
}

/// Reads objects of the cluster as one bundle.
pub type Read<'a> = dyn Fn(&Resources, &[Wanted]) -> Result<Bundle, ClusterError> + Sync + 'a;

/// Says of a step whose object has changed since the plan whether it would still change the same: then gives the
/// version of the object that this is true of, else why not.
pub type Recheck<'a> = dyn Fn(&Step) -> Result<String, String> + Sync + 'a;

/// The ways to the world that a run needs.
pub struct World<'a> {
    pub client: &'a Client<'a>,
    pub limits: Limits,
    pub policy: &'a Policy,
    pub read: &'a Read<'a>,
    pub recheck: &'a Recheck<'a>,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
    pub tell: &'a (dyn Fn(Event<'_>) + Sync),
}

impl World<'_> {
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
