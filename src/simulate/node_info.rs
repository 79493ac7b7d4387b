//! What runs on a node: `framework.NodeInfo`.

use super::pod::{HostPort, Pod};
use super::requests::Amounts;
use super::resources::Resources;

/// Index of a pod on a node in the list of those that were placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlacedId(pub u32);

/// Pods of a node and what they hold.
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    pub used: Resources,
    pub nonzero: Amounts,
    pub pods: Vec<PlacedId>,
    pub ports: Vec<HostPort>,
}

impl NodeInfo {
    pub fn add(&mut self, id: PlacedId, pod: &Pod) {
        self.count(pod, 1);
        self.pods.push(id);
        self.ports.extend(pod.ports.iter().cloned());
    }

    pub fn remove(&mut self, id: PlacedId, pod: &Pod) {
        self.count(pod, -1);
        // As the scheduler's cache does: the order matters to preemption.
        if let Some(at) = self.pods.iter().position(|other| *other == id) {
            self.pods.swap_remove(at);
        }
        for port in &pod.ports {
            if let Some(at) = self.ports.iter().position(|other| other == port) {
                self.ports.swap_remove(at);
            }
        }
    }

    fn count(&mut self, pod: &Pod, times: i64) {
        self.used.add(&pod.requests.actual, times);
        self.nonzero.cpu = self.nonzero.cpu.saturating_add(pod.requests.nonzero.cpu.saturating_mul(times));
        self.nonzero.memory = self.nonzero.memory.saturating_add(pod.requests.nonzero.memory.saturating_mul(times));
    }
}
