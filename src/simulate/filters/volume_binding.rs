//! VolumeBinding: claims that are bound to a reachable volume, or can be bound or provisioned on the node.

use std::collections::BTreeSet;

use super::Rejection;
use super::volume_zone::{Zone, zones};
use crate::simulate::nodes::Node;
use crate::simulate::pod::{Pod, Volume};
use crate::simulate::volumes::{Claim, NO_PROVISIONER, StorageClass, Volumes};

/// What PreFilter finds out about a pod's claims.
#[derive(Clone, Debug, Default)]
pub struct PodVolumes {
    /// Volumes of bound claims.
    bound: Vec<String>,
    /// Keys of claims that wait for a node.
    delayed: Vec<String>,
    pub zones: Vec<Zone>,
    /// ReadWriteOncePod claims of this pod that pods on nodes use.
    pub exclusive_in_use: i64,
}

/// A claim is bound on the chosen node, or its volume will be made there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    Static { claim: String, volume: String },
    Provision { claim: String },
}

/// The pod's claims; the rejection is PreFilter's, in the order in which VolumeRestrictions, VolumeBinding and
/// VolumeZone speak.
/// `is_used`: whether a pod on some node uses the claim of that name.
pub fn pre_filter(known: &Volumes, pod: &Pod, is_used: &dyn Fn(&str) -> bool) -> Result<PodVolumes, Rejection> {
    let key = |name: &str| format!("{}/{name}", pod.namespace);
    let mut out = PodVolumes::default();
    for name in claims(pod, false) {
        let claim = known.claims.get(&key(name)).ok_or_else(|| not_found(name))?;
        if claim.access_modes.iter().any(|mode| mode == "ReadWriteOncePod") && is_used(name) {
            out.exclusive_in_use += 1;
        }
    }
    for name in claims(pod, true) {
        let claim = known.claims.get(&key(name)).ok_or_else(|| {
            Rejection::unresolvable(format!(
                "waiting for ephemeral volume controller to create the persistentvolumeclaim \"{name}\""
            ))
        })?;
        check_alive(claim)?;
    }
    let mut immediate = false;
    for name in claims(pod, true) {
        let Some(claim) = known.claims.get(&key(name)) else {
            continue;
        };
        let waits = known.classes.get(&claim.class).is_some_and(|class| class.waits);
        match claim {
            claim if claim.bound => out.bound.push(claim.volume.clone()),
            claim if waits && claim.volume.is_empty() => out.delayed.push(key(name)),
            _ => immediate = true,
        }
    }
    if immediate {
        return Err(Rejection::unresolvable("pod has unbound immediate PersistentVolumeClaims"));
    }
    for volume in &out.bound {
        let missing = || Rejection::unresolvable(format!("persistentvolume \"{volume}\" not found"));
        out.zones.extend(zones(known.volumes.get(volume).ok_or_else(missing)?));
    }
    Ok(out)
}

fn not_found(name: &str) -> Rejection {
    Rejection::unresolvable(format!("persistentvolumeclaim \"{name}\" not found"))
}

/// Names of the pod's claims; with generic ephemeral ones where asked for.
pub(in crate::simulate) fn claims(pod: &Pod, with_ephemeral: bool) -> impl Iterator<Item = &str> {
    pod.volumes.iter().filter_map(move |volume| match volume {
        Volume::Claim { name, ephemeral } if with_ephemeral || !ephemeral => Some(name.as_str()),
        _ => None,
    })
}

fn check_alive(claim: &Claim) -> Result<(), Rejection> {
    let Claim { name, volume, .. } = claim;
    if claim.lost {
        let text = format!("persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\"");
        return Err(Rejection::unresolvable(text));
    }
    if claim.deleting {
        return Err(Rejection::unresolvable(format!("persistentvolumeclaim \"{name}\" is being deleted")));
    }
    Ok(())
}

/// Whether a pod uses a claim.
pub fn uses(pod: &Pod, namespace: &str, claim: &str) -> bool {
    pod.namespace == namespace && claims(pod, false).any(|name| name == claim)
}

/// How many of the pod's ReadWriteOncePod claims another pod uses; what its removal frees.
pub fn exclusive_uses(volumes: &Volumes, pod: &Pod, other: &Pod) -> i64 {
    let exclusive = |name: &&str| {
        let claim = volumes.claims.get(&format!("{}/{name}", pod.namespace));
        claim.is_some_and(|claim| claim.access_modes.iter().any(|mode| mode == "ReadWriteOncePod"))
    };
    claims(pod, false).filter(exclusive).filter(|name| uses(other, &pod.namespace, name)).count() as i64
}

pub fn filter(known: &Volumes, volumes: &PodVolumes, node: &Node) -> Option<Rejection> {
    let mut reasons = Vec::new();
    let bound = volumes.bound.iter().map(|name| known.volumes.get(name));
    if bound.clone().flatten().any(|volume| !volume.reaches(&node.labels)) {
        reasons.push("node(s) didn't match PersistentVolume's node affinity".into());
    }
    match bindings(known, volumes, node) {
        Err(reason) => reasons.push(reason.into()),
        Ok(_) if bound.clone().any(|volume| volume.is_none()) => {
            reasons.push("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)".into());
        }
        Ok(_) => {}
    }
    (!reasons.is_empty()).then_some(Rejection { unresolvable: true, reasons })
}

/// How the waiting claims get volumes on a node: the smallest claims choose first, what finds no volume is
/// provisioned.
pub fn bindings(known: &Volumes, volumes: &PodVolumes, node: &Node) -> Result<Vec<Binding>, &'static str> {
    const NO_VOLUME: &str = "node(s) didn't find available persistent volumes to bind";
    let mut waiting: Vec<(&String, &Claim)> =
        volumes.delayed.iter().filter_map(|key| Some((key, known.claims.get(key)?))).collect();
    waiting.sort_by(|(_, a), (_, b)| a.request.cmp(&b.request));
    let (mut out, mut taken, mut provision) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (key, claim) in waiting {
        match &claim.selected_node {
            Some(selected) if *selected != node.name => return Err(NO_VOLUME),
            Some(_) => provision.insert(0, (key, claim)),
            None => match known.find(claim, Some(&node.labels), &taken, true) {
                Some(volume) => {
                    taken.insert(volume.clone());
                    out.push(Binding::Static { claim: key.clone(), volume });
                }
                None => provision.push((key, claim)),
            },
        }
    }
    for (key, claim) in provision {
        let class = known.classes.get(&claim.class).ok_or(NO_VOLUME)?;
        if !provisions(class, node) {
            return Err(NO_VOLUME);
        }
        if !has_capacity(known, class, claim, node) {
            return Err("node(s) did not have enough free storage");
        }
        out.push(Binding::Provision { claim: key.clone() });
    }
    Ok(out)
}

fn provisions(class: &StorageClass, node: &Node) -> bool {
    let holds = |term: &Vec<_>| {
        term.iter().all(|wanted: &crate::simulate::labels::Requirement| {
            wanted.matches_value(node.labels.get(&wanted.key).map(String::as_str))
        })
    };
    let allowed = class.topologies.is_empty() || class.topologies.iter().any(holds);
    !class.provisioner.is_empty() && class.provisioner != NO_PROVISIONER && allowed
}

/// Whether a driver that tracks capacity has enough of it near the node.
fn has_capacity(known: &Volumes, class: &StorageClass, claim: &Claim, node: &Node) -> bool {
    if !known.capacity_drivers.contains(&class.provisioner) {
        return true;
    }
    known.capacities.iter().any(|capacity| {
        capacity.class == claim.class
            && capacity.limit.is_some_and(|limit| limit >= claim.request.value())
            && capacity.topology.as_ref().is_some_and(|topology| topology.matches(&node.labels))
    })
}
