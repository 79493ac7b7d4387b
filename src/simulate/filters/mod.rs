//! The scheduler's filters, one file each, in the order in which it asks them (default profile, Kubernetes 1.36).

pub mod inter_pod_affinity;
pub mod node_affinity;
pub mod node_name;
pub mod node_ports;
pub mod node_resources_fit;
pub mod node_unschedulable;
pub mod node_volume_limits;
pub mod pod_topology_spread;
pub mod taint_toleration;
pub mod volume_binding;
pub mod volume_restrictions;
pub mod volume_zone;

use std::borrow::Cow;
use std::sync::Arc;

use super::node_info::NodeInfo;
use super::nodes::Node;
use super::pod::Pod;
use super::volumes::Volumes;
use crate::model::Version;

/// Why a node does not take a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// `UnschedulableAndUnresolvable`: evicting pods would not help.
    pub unresolvable: bool,
    pub reasons: Vec<Cow<'static, str>>,
}

impl Rejection {
    /// `Unschedulable`: room could be made.
    pub fn resolvable(reason: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection { unresolvable: false, reasons: vec![reason.into()] }
    }

    pub fn unresolvable(reason: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection { unresolvable: true, reasons: vec![reason.into()] }
    }
}

/// What depends on the pod and the node alone, not on what runs there.
pub fn fixed(pod: &Pod, node: &Node, version: Version) -> Option<Rejection> {
    let run = |name: &str, filter: &dyn Fn() -> Option<Rejection>| pod.profile().runs(name).then(filter).flatten();
    run("NodeUnschedulable", &|| node_unschedulable::filter(pod, node))
        .or_else(|| run("NodeName", &|| node_name::filter(pod, node)))
        .or_else(|| run("TaintToleration", &|| taint_toleration::filter(pod, node, version)))
        .or_else(|| run("NodeAffinity", &|| node_affinity::filter(pod, node)))
}

/// What depends on the pods of the node, and on volumes. `others` are the pods of the node; they are looked at only
/// where the pod has volumes.
pub fn local(
    known: &Volumes,
    pod: &Pod,
    node: &Node,
    info: &NodeInfo,
    others: &dyn Fn() -> Vec<Arc<Pod>>,
    volumes: Option<&volume_binding::PodVolumes>,
) -> Option<Rejection> {
    let ports = || node_ports::filter(pod, &info.ports);
    pod.profile()
        .runs("NodePorts")
        .then(ports)
        .flatten()
        .or_else(|| node_resources_fit::filter(pod, node, info))
        .or_else(|| if pod.volumes.is_empty() { None } else { with_volumes(known, pod, node, &others(), volumes) })
}

fn with_volumes(
    known: &Volumes,
    pod: &Pod,
    node: &Node,
    others: &[Arc<Pod>],
    volumes: Option<&volume_binding::PodVolumes>,
) -> Option<Rejection> {
    let in_use = volumes.is_some_and(|volumes| volumes.exclusive_in_use > 0);
    volume_restrictions::filter(pod, others, in_use)
        .or_else(|| node_volume_limits::filter(known, pod, node, others))
        .or_else(|| volumes.and_then(|volumes| volume_binding::filter(known, volumes, node)))
        .or_else(|| volumes.and_then(|volumes| volume_zone::filter(volumes, node)))
}
