//! VolumeZone: zone and region labels of bound volumes against those of the node.

use std::collections::BTreeSet;

use super::Rejection;
use super::volume_binding::PodVolumes;
use crate::simulate::nodes::Node;
use crate::simulate::volumes::PersistentVolume;

const LABELS: [&str; 4] = [
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
];

/// A label that nodes must have, and the values that will do.
pub type Zone = (&'static str, BTreeSet<String>);

/// The zones that a volume's labels name; several are joined by `__`.
pub fn zones(volume: &PersistentVolume) -> Vec<Zone> {
    let named = LABELS.iter().filter_map(|label| Some((*label, volume.labels.get(*label)?)));
    named.map(|(label, value)| (label, value.split("__").map(str::to_owned).collect())).collect()
}

pub fn filter(volumes: &PodVolumes, node: &Node) -> Option<Rejection> {
    // A node without any of the labels is not in a cloud with zones.
    if !LABELS.iter().any(|label| node.labels.contains_key(*label)) {
        return None;
    }
    let fits = |(label, values): &Zone| {
        let value = node.labels.get(*label).or_else(|| node.labels.get(current(label)));
        value.is_some_and(|value| values.contains(value))
    };
    (!volumes.zones.iter().all(fits)).then(|| Rejection::unresolvable("node(s) had no available volume zone"))
}

fn current(label: &str) -> &str {
    match label {
        "failure-domain.beta.kubernetes.io/zone" => "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region" => "topology.kubernetes.io/region",
        other => other,
    }
}
