//! Profiles of kube-scheduler: which plugins run, with which weights and arguments.

mod read;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::expand::Expansion;
use super::labels::NodeTerm;
use super::pod::{Pod, Spread};
use crate::model::Version;

pub use read::read;

/// The versions whose scheduler was asked, oldest first.
pub const VERSIONS: [Version; 3] = [Version::new(1, 34), Version::new(1, 35), Version::new(1, 36)];
/// The scheduler of pods that name none.
pub const DEFAULT: &str = "default-scheduler";

/// What a profile makes of the plugins; the default is that of a scheduler without configuration (Kubernetes 1.36,
/// `pkg/scheduler/apis/config/v1/default_plugins.go`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Filters that do not run.
    pub off: Vec<String>,
    pub weights: Weights,
    pub fit: Fit,
    /// PodTopologySpread's `defaultConstraints`, with `defaultingType: List`.
    pub spread: Option<Vec<Spread>>,
    /// InterPodAffinity's `hardPodAffinityWeight`.
    pub hard_affinity: i64,
    /// InterPodAffinity's `ignorePreferredTermsOfExistingPods`: pods without preferred terms of their own get no score.
    pub own_terms_only: bool,
    /// NodeAffinity's `addedAffinity`: terms of which one must match, and preferred ones with weights.
    pub added_nodes: Option<Vec<NodeTerm>>,
    pub preferred_nodes: Vec<(i64, NodeTerm)>,
    /// DefaultPreemption's smallest number of candidates, in percent of the nodes and as a number.
    pub candidates: (usize, usize),
}

/// Weights of the scores; zero for one that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weights {
    pub taints: i64,
    pub node_affinity: i64,
    pub spread: i64,
    pub pod_affinity: i64,
    pub fit: i64,
    pub balanced: i64,
    pub images: i64,
}

/// NodeResourcesFit's `scoringStrategy`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fit {
    pub strategy: ScoringStrategy,
    /// Of cpu and memory.
    pub weights: [i64; 2],
}

/// What NodeResourcesFit makes of the share of a resource that is requested.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScoringStrategy {
    LeastAllocated,
    MostAllocated,
    /// Points of percent requested and score, 0 to 100 each, the former growing; between two points the score is on a line.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

static STANDARD: LazyLock<Profile> = LazyLock::new(Profile::default);

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            off: Vec::new(),
            weights: Weights {
                taints: 3,
                node_affinity: 2,
                spread: 2,
                pod_affinity: 2,
                fit: 1,
                balanced: 1,
                images: 1,
            },
            fit: Fit { strategy: ScoringStrategy::LeastAllocated, weights: [1, 1] },
            spread: None,
            hard_affinity: 1,
            own_terms_only: false,
            added_nodes: None,
            preferred_nodes: Vec::new(),
            candidates: (10, 100),
        }
    }
}

impl Profile {
    pub fn runs(&self, filter: &str) -> bool {
        !self.off.iter().any(|off| off == filter)
    }
}

impl Pod {
    /// The profile of its scheduler.
    pub fn profile(&self) -> &Profile {
        self.profile.as_deref().unwrap_or(&STANDARD)
    }
}

/// The schedulers of a cluster, by the name that pods give.
#[derive(Clone, Debug, Default)]
pub struct Schedulers {
    /// A profile, or what of it is not modelled.
    pub named: HashMap<String, Result<Arc<Profile>, String>>,
}

impl Schedulers {
    /// Gives every pod its profile, or says why it is not known where it lands.
    pub fn assign(&self, expansion: &mut Expansion) {
        let mut known: HashMap<usize, Arc<Pod>> = HashMap::new();
        // Replicas share a pod, and go on sharing it.
        let mut settle = |pod: &mut Arc<Pod>| {
            if let Some(Ok(profile)) = self.named.get(&pod.scheduler) {
                let own = || Arc::new(Pod { profile: Some(profile.clone()), ..(**pod).clone() });
                let next = known.entry(Arc::as_ptr(pod) as usize).or_insert_with(own).clone();
                *pod = next;
            }
        };
        let old: Vec<Arc<Pod>> = expansion.replicas.iter().map(|replica| replica.pod.clone()).collect();
        for replica in &mut expansion.replicas {
            replica.unknown = replica.unknown.take().or_else(|| self.unknown(&replica.pod.scheduler));
            settle(&mut replica.pod);
        }
        expansion.workloads.iter_mut().for_each(|workload| settle(&mut workload.pod));
        expansion.present.iter_mut().for_each(|(live, _)| settle(&mut live.pod));
        // Until here no address could become that of another pod.
        drop(old);
    }

    fn unknown(&self, name: &str) -> Option<String> {
        match self.named.get(name) {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some(why.clone()),
            None if self.named.is_empty() && name == DEFAULT => None,
            None if self.named.is_empty() => Some(format!("spec.schedulerName {name} decides")),
            None => Some(format!("spec.schedulerName {name} is no profile of the scheduler's configuration")),
        }
    }
}
