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
    /// What the pods of each priority hold, the lowest first.
    shares: Vec<Share>,
}

/// Pods of one priority, and their requests but for other resources.
#[derive(Clone, Copy, Debug)]
struct Share {
    priority: i32,
    held: Held,
}

/// How many pods, and what they request: thousandths of a core, bytes of memory and of ephemeral storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held(pub [i64; 4]);

impl Held {
    /// Adds `times` the other amounts; sums beyond 64 bits stay at the bound.
    fn add(&mut self, other: Held, times: i64) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(more.saturating_mul(times));
        }
    }
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

    /// What pods below a priority hold.
    pub fn held_below(&self, priority: i32) -> Held {
        let mut held = Held::default();
        self.shares.iter().take_while(|share| share.priority < priority).for_each(|share| held.add(share.held, 1));
        held
    }

    fn count(&mut self, pod: &Pod, times: i64) {
        let actual = &pod.requests.actual;
        let held = Held([1, actual.cpu, actual.memory, actual.ephemeral]);
        match self.shares.binary_search_by_key(&pod.priority, |share| share.priority) {
            Ok(at) => {
                self.shares[at].held.add(held, times);
                if self.shares[at].held.0[0] == 0 {
                    self.shares.remove(at);
                }
            }
            Err(at) => {
                let mut share = Share { priority: pod.priority, held: Held::default() };
                share.held.add(held, times);
                self.shares.insert(at, share);
            }
        }
        self.used.add(&pod.requests.actual, times);
        self.nonzero.cpu = self.nonzero.cpu.saturating_add(pod.requests.nonzero.cpu.saturating_mul(times));
        self.nonzero.memory = self.nonzero.memory.saturating_add(pod.requests.nonzero.memory.saturating_mul(times));
    }
}
