//! What a workload of the set needs to know of the live pods that it replaces, because they are of another template.

use std::ops::Range;
use std::sync::Arc;

use super::{Expansion, Input, LivePod};
use crate::admission::Charge;
use crate::model::Version;
use crate::simulate::cluster::Amount;
use crate::simulate::pod::Pod;
use crate::simulate::state::PlacedId;
use crate::yaml::View;

/// A workload of the set whose template differs from the one that live pods were made from.
#[derive(Clone, Debug)]
pub struct Rolling {
    pub workload: usize,
    /// Its pods to come among the replicas, and those that stay.
    pub replicas: Range<usize>,
    /// Replicas wanted.
    pub wanted: i64,
    pub update: Update,
    /// New pods of a Deployment that run already; they are none of the replicas to come.
    pub there: i64,
    /// How many pods a Deployment wants more than its live object; they are made from the old template.
    pub growth: i64,
    /// The places of a StatefulSet's or DaemonSet's pods.
    pub slots: Vec<Slot>,
    /// Old pods that have no place: all of a Deployment, those that go last first; those beyond the replicas wanted of a
    /// StatefulSet, by ordinal; those on nodes where none of a DaemonSet belongs any more.
    pub old: Vec<Old>,
}

/// How a workload replaces its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    Recreate,
    RollingUpdate {
        max_surge: Amount,
        max_unavailable: Amount,
    },
    StatefulSet {
        /// `podManagementPolicy: OrderedReady`
        ordered: bool,
        /// Ordinals before this one keep their pods.
        partition: usize,
        /// How many may be down at once, where the API server knows `maxUnavailable`: the controller then counts pods
        /// that are down otherwise.
        max_unavailable: Option<Amount>,
    },
    DaemonSet {
        max_surge: Amount,
        max_unavailable: Amount,
    },
}

impl Update {
    /// That of an object; `None` where nothing is replaced by itself (`OnDelete`), or by any controller.
    pub(super) fn read(kind: &str, view: View<'_>, version: Version) -> Option<Update> {
        let key = if kind == "Deployment" { "strategy" } else { "updateStrategy" };
        let strategy = view.at(&["spec", key]);
        let rolling = strategy.and_then(|strategy| strategy.get("rollingUpdate"));
        let field = |key: &str| rolling.and_then(|rolling| rolling.get(key));
        let amount = |key: &str| field(key).and_then(Amount::read);
        let is = |name: &str| strategy.and_then(|strategy| strategy.get_str("type")) == Some(name);
        if is("OnDelete") {
            return None;
        }
        let quarter = Amount::Percent(25);
        match kind {
            "Deployment" if is("Recreate") => Some(Update::Recreate),
            // 25 % and 25 % where nothing is written (`SetDefaults_Deployment`).
            "Deployment" => Some(Update::RollingUpdate {
                max_surge: amount("maxSurge").unwrap_or(quarter),
                max_unavailable: amount("maxUnavailable").unwrap_or(quarter),
            }),
            "StatefulSet" => Some(Update::StatefulSet {
                ordered: view.at(&["spec", "podManagementPolicy"]).and_then(View::str) != Some("Parallel"),
                partition: field("partition").and_then(View::int).and_then(|at| usize::try_from(at).ok()).unwrap_or(0),
                // Gate MaxUnavailableStatefulSet.
                max_unavailable: (version >= Version::new(1, 37))
                    .then(|| amount("maxUnavailable").unwrap_or(Amount::Number(1))),
            }),
            // One at a time where nothing is written (`SetDefaults_DaemonSet`).
            "DaemonSet" => Some(Update::DaemonSet {
                max_surge: amount("maxSurge").unwrap_or(Amount::Number(0)),
                max_unavailable: amount("maxUnavailable").unwrap_or(Amount::Number(1)),
            }),
            _ => None,
        }
    }
}

/// The place of one pod: an ordinal, or a node.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The new pod among the replicas.
    pub replica: usize,
    /// Whether it exists.
    pub created: bool,
    pub old: Option<Old>,
}

/// A pod of another template.
#[derive(Clone, Debug)]
pub struct Old {
    /// `namespace/name`
    pub name: Arc<str>,
    pub pod: Arc<Pod>,
    /// Its place; `None` where it waits for a node.
    pub id: Option<PlacedId>,
    pub ready: bool,
    /// What quotas count of it.
    pub charge: Option<Arc<Charge>>,
}

impl Old {
    /// Takes in a live pod.
    pub(super) fn new(input: &Input<'_>, found: LivePod, out: &mut Expansion) -> Old {
        let charge = input.charge_of(&found.name);
        let (name, pod, is_ready) = (Arc::from(found.full_name()), found.pod.clone(), found.is_ready());
        let id = out.hold(found);
        Old { name, pod, id, ready: is_ready, charge }
    }
}
