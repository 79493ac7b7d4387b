//! What placement says: the `placement` part of the report, field by field.

use serde::Serialize;
use std::collections::BTreeMap;

/// Where every pod lands, and what happens during rollouts and losses.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    pub nodes: Vec<PlacedNode>,
    pub pods: Vec<PlacedPod>,
    pub remedies: Vec<Remedy>,
    pub rollouts: Vec<Rollout>,
    pub losses: Vec<Loss>,
    pub drains: Vec<Drain>,
    /// Autoscaled workloads at their maximum; for people, not part of the JSON contract.
    #[serde(skip)]
    pub scales: Vec<ScaleOut>,
    /// Losses of whole zones, each under the zone's name; for people, not part of the JSON contract.
    #[serde(skip)]
    pub zones: Vec<Loss>,
    /// What taints of effect NoExecute drive off; for people, not part of the JSON contract.
    #[serde(skip)]
    pub evictions: Vec<Eviction>,
}

/// A node with what runs on it after the simulation; amounts are canonical quantities.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedNode {
    pub name: String,
    pub allocatable: BTreeMap<String, String>,
    pub requested: BTreeMap<String, String>,
    /// What the limits of its pods add up to, cpu and memory; for people, not part of the JSON contract.
    #[serde(skip)]
    pub limits: BTreeMap<String, String>,
    /// `namespace/name`.
    pub pods: Vec<String>,
    /// `key=value:Effect`, for people; not part of the JSON contract.
    #[serde(skip)]
    pub taints: Vec<String>,
    /// Label `topology.kubernetes.io/zone`, for people; not part of the JSON contract.
    #[serde(skip)]
    pub zone: Option<String>,
}

/// The first answer for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Scheduled,
    Pending,
    /// Admission or validation refuses the pod itself.
    Rejected,
    /// Scheduling gates.
    Gated,
    /// `spec.nodeName` is set: the scheduler never sees it.
    Bypassed,
    /// Something that is not modelled decides.
    Unknown,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedPod {
    pub name: String,
    pub namespace: String,
    /// `Deployment/web`; the pod itself for a naked pod: `Pod/web`.
    pub owner: String,
    pub verdict: Verdict,
    /// All nodes with the highest total score; ties are random in the real scheduler.
    pub nodes: Vec<String>,
    /// How many nodes passed the filters.
    pub feasible: usize,
    /// The node that the simulation goes on with.
    pub node: Option<String>,
    /// The scheduler's sentence when it is pending.
    pub message: Option<String>,
    pub nominated_node: Option<String>,
    /// Pods that preemption would evict, `namespace/name`.
    pub victims: Vec<String>,
    /// The state after preemption, where it differs from the first answer.
    pub settled: Option<Settled>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    pub verdict: Verdict,
    pub node: Option<String>,
}

/// A change that was simulated and helps.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remedy {
    /// `namespace/name` of the pods that it is for.
    pub pods: Vec<String>,
    pub change: String,
    /// How many of them it places.
    pub places: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// `Deployment/web`.
    pub owner: String,
    pub namespace: String,
    pub fits: bool,
    /// Most pods that exist at once.
    pub peak_pods: usize,
    /// Fewest ready pods at any time.
    pub lowest_ready: usize,
    pub stalls: Option<Stall>,
    /// What the API server says of a new pod of a ReplicaSet that it takes only later. Nothing tells the ReplicaSet that
    /// there is room: it tries again after 5 ms, then after twice as long each time, up to 1000 s
    /// (`DefaultTypedControllerRateLimiter` of client-go).
    #[serde(skip)]
    pub refused: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stall {
    /// 1-based step of the rollout.
    pub step: usize,
    pub message: String,
}

/// What happens when a HorizontalPodAutoscaler goes to its maximum.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleOut {
    /// `Deployment/web`.
    pub owner: String,
    pub namespace: String,
    /// `maxReplicas`.
    pub replicas: i64,
    /// How many of them find no node.
    pub pending: usize,
    /// The scheduler's sentence for the first of those.
    pub message: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    pub node: String,
    pub pending: Vec<String>,
}

/// Pods that leave a node for its taints at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    pub node: String,
    /// Seconds that they tolerate the taints.
    pub after: u64,
    /// `namespace/name`.
    pub pods: Vec<String>,
    /// Those of them for which there is no other node.
    pub pending: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    pub node: String,
    pub blocked: Vec<Blocked>,
    pub pending: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    pub pdb: String,
    pub pod: String,
}
