//! What the scheduler looks up beside nodes and pods: namespaces, Services, budgets, storage.

use std::collections::BTreeMap;

use super::labels::{Labels, Selector, labels};
use super::volumes::Volumes;
use crate::admission::default_storage_class;
use crate::admission::resource_quota::Quotas;
use crate::model::{Bundle, Version};
use crate::yaml::View;

/// The objects of the set, and of a live cluster around it, that placement depends on.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Labels by namespace.
    pub namespaces: BTreeMap<String, Labels>,
    /// Selectors of Services that have one, by namespace and name.
    pub services: BTreeMap<(String, String), Selector>,
    pub budgets: Vec<Budget>,
    pub volumes: Volumes,
    /// The quotas of namespaces that have some, with what is used of them.
    pub quotas: BTreeMap<String, Quotas>,
    pub version: Option<Version>,
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug)]
pub struct Budget {
    pub namespace: String,
    pub name: String,
    /// `None` or empty protects nothing from preemption.
    pub selector: Option<Selector>,
    pub min_available: Option<Amount>,
    pub max_unavailable: Option<Amount>,
    /// `status.disruptionsAllowed`; zero where no controller has written it.
    pub allowed: i64,
}

/// A number or a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Number(i64),
    Percent(i64),
}

impl Amount {
    pub fn read(view: View<'_>) -> Option<Amount> {
        match view.str() {
            Some(text) => text.strip_suffix('%')?.parse().ok().map(Amount::Percent),
            None => view.int().map(Amount::Number),
        }
    }

    /// The number that it means out of `total`.
    pub fn of(self, total: i64, round_up: bool) -> i64 {
        match self {
            Amount::Number(number) => number,
            Amount::Percent(percent) => {
                let product = percent.saturating_mul(total);
                if round_up { product.saturating_add(99).div_euclid(100) } else { product.div_euclid(100) }
            }
        }
    }
}

impl Cluster {
    /// Collects the objects of a live cluster and of a set, and lets the controllers bind what they bind before pods
    /// exist. Objects of the set take the place of live ones, which lend them what only the server and its controllers
    /// know: bindings, other labels of a namespace, disruptions allowed.
    pub fn from_bundle(bundle: &Bundle, live: Option<&Bundle>, version: Version) -> Cluster {
        let mut cluster = Cluster { version: Some(version), ..Cluster::default() };
        cluster.volumes.complete = live.and_then(|live| live.live.as_ref()).is_some_and(|live| {
            !["StorageClass", "PersistentVolume"].iter().any(|kind| live.unread.iter().any(|unread| unread == kind))
        });
        for bundle in live.into_iter().chain([bundle]) {
            for (id, object) in bundle.iter() {
                let namespace = object.namespace.as_deref().unwrap_or("");
                cluster.read(&object.kind, &object.name, namespace, bundle.full(id));
            }
        }
        cluster.volumes.default_class = default_storage_class::of(bundle, live);
        cluster.volumes.settle();
        cluster
    }

    fn read(&mut self, kind: &str, name: &str, namespace: &str, view: View<'_>) {
        match kind {
            "Namespace" => {
                let labels = labels(view.at(&["metadata", "labels"]));
                self.namespaces.entry(name.to_owned()).or_default().extend(labels);
            }
            "Service" => {
                let selector = view.at(&["spec", "selector"]).filter(|selector| !selector.is_empty());
                let key = (namespace.to_owned(), name.to_owned());
                self.services.remove(&key);
                self.services.extend(selector.map(|selector| (key, Selector::from_map(Some(selector)))));
            }
            "PodDisruptionBudget" => {
                let mut new = budget(name, namespace, view);
                let same = |known: &Budget| known.namespace == namespace && known.name == name;
                if let Some(at) = self.budgets.iter().position(same) {
                    let known = self.budgets.remove(at);
                    new.allowed = if view.get("status").is_some() { new.allowed } else { known.allowed };
                }
                self.budgets.push(new);
            }
            _ => self.volumes.read(kind, name, namespace, view),
        }
    }

    /// Labels of a namespace; the API server adds its name to every one.
    pub fn namespace(&self, name: &str) -> Labels {
        let mut labels = self.namespaces.get(name).cloned().unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_owned());
        labels
    }

    /// The version whose words are used.
    pub fn version(&self) -> Version {
        self.version.unwrap_or(Version::DEFAULT)
    }
}

fn budget(name: &str, namespace: &str, view: View<'_>) -> Budget {
    let spec = view.get("spec");
    let amount = |key: &str| spec.and_then(|spec| spec.get(key)).and_then(Amount::read);
    Budget {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        selector: spec.and_then(|spec| spec.get("selector")).and_then(Selector::read),
        min_available: amount("minAvailable"),
        max_unavailable: amount("maxUnavailable"),
        allowed: view.at(&["status", "disruptionsAllowed"]).and_then(View::int).unwrap_or(0),
    }
}
