//! NodeVolumeLimits: how many volumes a CSI driver attaches to one node; those of a plugin count where the driver has
//! taken it over (`isCSIMigrationOn` in nodevolumelimits/utils.go, Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Rejection;
use crate::simulate::in_tree::{self, InTree};
use crate::simulate::nodes::Node;
use crate::simulate::pod::{Pod, Volume};
use crate::simulate::volumes::Volumes;

/// `others` are the pods on the node.
pub fn filter(known: &Volumes, pod: &Pod, node: &Node, others: &[Arc<Pod>]) -> Option<Rejection> {
    let limits = known.limits.get(&node.name).filter(|limits| !limits.is_empty())?;
    let mut wanted = attachable(known, pod, node);
    let mut attached = BTreeSet::new();
    others.iter().for_each(|other| attached.extend(attachable(known, other, node)));
    wanted.retain(|volume| !attached.contains(volume));
    let count = |volumes: &BTreeSet<(String, String)>| {
        let mut out: BTreeMap<String, i64> = BTreeMap::new();
        volumes.iter().for_each(|(driver, _)| *out.entry(driver.clone()).or_default() += 1);
        out
    };
    let have = count(&attached);
    let over = count(&wanted).into_iter().any(|(driver, more)| {
        limits.get(&driver).is_some_and(|limit| have.get(&driver).copied().unwrap_or(0) + more > *limit)
    });
    over.then(|| Rejection::resolvable("node(s) exceed max volume count"))
}

/// Driver and handle of each volume that a pod has attached to a node; an unbound claim counts for its class's driver.
fn attachable(volumes: &Volumes, pod: &Pod, node: &Node) -> BTreeSet<(String, String)> {
    let is_migrated = |plugin: &str| volumes.migrated.get(&node.name).is_some_and(|names| names.contains(plugin));
    let driven = |volume: &InTree| {
        is_migrated(volume.plugin).then(|| (volume.driver.to_owned(), format!("in-tree {}", volume.id)))
    };
    let mut out = BTreeSet::new();
    for volume in &pod.volumes {
        let name = match volume {
            Volume::Claim { name, .. } => name,
            Volume::Attached(volume) => {
                out.extend(driven(volume));
                continue;
            }
            _ => continue,
        };
        let key = format!("{}/{name}", pod.namespace);
        let Some(claim) = volumes.claims.get(&key) else {
            continue;
        };
        let of_class = || {
            let provisioner = volumes.classes.get(&claim.class)?.provisioner.as_str();
            match in_tree::driver(provisioner) {
                Some(driver) => is_migrated(provisioner).then(|| (driver.to_owned(), key.clone())),
                None => Some((provisioner.to_owned(), key.clone())),
            }
        };
        match volumes.volumes.get(&claim.volume) {
            Some(volume) => out.extend(volume.csi.clone().or_else(|| volume.in_tree.as_ref().and_then(driven))),
            None => out.extend(of_class()),
        }
    }
    out
}
