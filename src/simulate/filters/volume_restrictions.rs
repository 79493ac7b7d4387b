//! VolumeRestrictions: disks that must not be mounted twice, and claims that one pod has to itself.

use std::sync::Arc;

use super::Rejection;
use crate::simulate::pod::{Pod, Volume};

/// `others` are the pods on the node.
pub fn filter(pod: &Pod, others: &[Arc<Pod>], exclusive_claim_in_use: bool) -> Option<Rejection> {
    let disks = pod.volumes.iter().filter(|volume| !matches!(volume, Volume::Claim { .. }));
    for disk in disks {
        if others.iter().any(|other| other.volumes.iter().any(|volume| conflict(disk, volume))) {
            return Some(Rejection::resolvable("node(s) had no available disk"));
        }
    }
    exclusive_claim_in_use.then(|| {
        Rejection::resolvable(
            "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
        )
    })
}

fn conflict(a: &Volume, b: &Volume) -> bool {
    match (a, b) {
        (Volume::Disk { kind, id, read_only }, Volume::Disk { kind: kind2, id: id2, read_only: read_only2 }) => {
            kind == kind2 && id == id2 && !(*read_only && *read_only2)
        }
        (
            Volume::Rbd { monitors, pool, image, read_only },
            Volume::Rbd { monitors: monitors2, pool: pool2, image: image2, read_only: read_only2 },
        ) => !monitors.is_disjoint(monitors2) && pool == pool2 && image == image2 && !(*read_only && *read_only2),
        _ => false,
    }
}
