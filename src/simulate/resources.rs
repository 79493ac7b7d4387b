//! Amounts that pods request and nodes offer: `framework.Resource` of kube-scheduler (Kubernetes 1.36).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::quantity::Quantity;
use crate::yaml::View;

/// A list of named quantities, as the API writes it.
pub type ResourceList = BTreeMap<String, Quantity>;

/// Amounts rounded as the scheduler counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub ephemeral: i64,
    /// Extended resources, huge pages and other counted names, sorted.
    pub scalars: Vec<(Arc<str>, i64)>,
}

impl Resources {
    /// Rounds each amount up as `Resource.Add` does; names that the scheduler does not count are left out.
    pub fn from_list(list: &ResourceList) -> Resources {
        let mut out = Resources::default();
        for (name, quantity) in list {
            match name.as_str() {
                "cpu" => out.cpu = quantity.milli_value(),
                "memory" => out.memory = quantity.value(),
                "ephemeral-storage" => out.ephemeral = quantity.value(),
                name if is_scalar(name) => out.scalars.push((Arc::from(name), quantity.value())),
                _ => {}
            }
        }
        out
    }

    /// The amount of a counted resource; zero where it is absent.
    pub fn scalar(&self, name: &str) -> i64 {
        self.scalars.iter().find(|(other, _)| &**other == name).map_or(0, |(_, amount)| *amount)
    }

    /// Adds `times` the other amounts; sums beyond 64 bits stay at the bound.
    pub fn add(&mut self, other: &Resources, times: i64) {
        let sum = |a: i64, b: i64| a.saturating_add(b.saturating_mul(times));
        self.cpu = sum(self.cpu, other.cpu);
        self.memory = sum(self.memory, other.memory);
        self.ephemeral = sum(self.ephemeral, other.ephemeral);
        for (name, amount) in &other.scalars {
            match self.scalars.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = sum(*known, *amount),
                None => self.scalars.push((name.clone(), amount.saturating_mul(times))),
            }
        }
    }

    /// Canonical quantities by name, zero scalars left out.
    pub fn display(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        out.insert("cpu".to_owned(), Quantity::from_milli(self.cpu).canonical());
        out.insert("memory".to_owned(), Quantity::from_bytes(self.memory).canonical());
        if self.ephemeral != 0 {
            out.insert("ephemeral-storage".to_owned(), Quantity::from_bytes(self.ephemeral).canonical());
        }
        for (name, amount) in self.scalars.iter().filter(|(_, amount)| *amount != 0) {
            out.insert(name.to_string(), Quantity::from_i64(*amount).canonical());
        }
        out
    }
}

/// Whether the scheduler counts a resource of this name beside cpu, memory and ephemeral storage
/// (`IsScalarResourceName` in `pkg/scheduler/util/utils.go`).
fn is_scalar(name: &str) -> bool {
    is_extended(name)
        || name.starts_with("hugepages-")
        || name.contains("kubernetes.io/")
        || name.starts_with("attachable-volumes-")
}

/// Whether it is a resource that the cluster's administrator defines (`IsExtendedResourceName`).
fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests.")
}

/// The quantity that a value holds; `None` where it is none.
pub fn quantity(view: View<'_>) -> Option<Quantity> {
    match view.str() {
        Some(text) => Quantity::parse_json(text).ok(),
        None if view.is_map() || view.is_seq() => None,
        None => Quantity::parse_json(&view.to_json()).ok(),
    }
}

/// Reads a resource list; the API rounds each quantity up to thousandths when it stores it.
pub fn resource_list(view: Option<View<'_>>) -> ResourceList {
    view.into_iter()
        .flat_map(View::fields)
        .filter_map(|(name, value)| Some((name.to_owned(), quantity(value)?.stored())))
        .collect()
}

/// Adds every quantity of `more` (`addResourceList`).
pub fn add_list(list: &mut ResourceList, more: &ResourceList) {
    for (name, quantity) in more {
        match list.get_mut(name) {
            Some(known) => *known += quantity,
            None => {
                list.insert(name.clone(), quantity.clone());
            }
        }
    }
}

/// Raises every quantity to that of `more` (`maxResourceList`).
pub fn max_list(list: &mut ResourceList, more: &ResourceList) {
    for (name, quantity) in more {
        if list.get(name).is_none_or(|known| known < quantity) {
            list.insert(name.clone(), quantity.clone());
        }
    }
}
