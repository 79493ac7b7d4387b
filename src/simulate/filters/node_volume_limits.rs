//! NodeVolumeLimits: how many volumes a CSI driver attaches to one node. Volumes of in-tree types that a
//! driver has taken over are not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Rejection;
use crate::simulate::nodes::Node;
use crate::simulate::pod::{Pod, Volume};
use crate::simulate::volumes::Volumes;

/// `others` are the pods on the node.
pub fn filter(known: &Volumes, pod: &Pod, node: &Node, others: &[Arc<Pod>]) -> Option<Rejection> {
    let limits = known.limits.get(&node.name).filter(|limits| !limits.is_empty())?;
    let mut wanted = attachable(known, pod);
    let mut attached = BTreeSet::new();
    others.iter().for_each(|other| attached.extend(attachable(known, other)));
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

/// Driver and handle of each volume that a pod has attached; an unbound claim counts for its class's driver.
fn attachable(volumes: &Volumes, pod: &Pod) -> BTreeSet<(String, String)> {
    let mut out = BTreeSet::new();
    for volume in &pod.volumes {
        let Volume::Claim { name, .. } = volume else {
            continue;
        };
        let key = format!("{}/{name}", pod.namespace);
        let Some(claim) = volumes.claims.get(&key) else {
            continue;
        };
        let class = || volumes.classes.get(&claim.class).map(|class| (class.provisioner.clone(), key.clone()));
        match volumes.volumes.get(&claim.volume) {
            Some(volume) => out.extend(volume.csi.clone()),
            None => out.extend(class()),
        }
    }
    out
}
