//! What becomes of data when a claim, a volume or what holds them goes.

use super::rollout::deletes_claims;
use super::state::{Item, State};
use super::verdict::Verdict;
use crate::diff::Risk;
use crate::yaml::View;

/// What is lost when an object of the base is deleted, alone or to be replaced; `None` where no data hang on it.
pub(super) fn lost(item: Item<'_>, before: &State<'_>) -> Option<Verdict> {
    let text = match item.object.kind.as_str() {
        "PersistentVolumeClaim" => claim(item, before),
        "PersistentVolume" => volume(item),
        "Namespace" => "deletes everything in the namespace".to_owned(),
        "CustomResourceDefinition" => {
            let kind = item.view.at(&["spec", "names", "kind"]).and_then(View::str).unwrap_or("its kind");
            format!("deletes every {kind} in the cluster")
        }
        "StatefulSet" if deletes_claims(&item, "whenDeleted") => {
            "deletes the claims of its pods (persistentVolumeClaimRetentionPolicy.whenDeleted)".to_owned()
        }
        _ => return None,
    };
    Some(Verdict::new(Risk::DataLoss, text))
}

fn volume(item: Item<'_>) -> String {
    match policy_of(item.view) {
        "Delete" => "reclaimPolicy Delete: the storage behind it may be deleted".to_owned(),
        "Recycle" => "reclaimPolicy Recycle: its files are deleted".to_owned(),
        policy => format!("reclaimPolicy {policy}: the old storage keeps its data, no claim reaches them any more"),
    }
}

fn claim(item: Item<'_>, before: &State<'_>) -> String {
    match reclaim_policy(item, before).as_deref() {
        Some("Delete") => "reclaimPolicy Delete: the volume and its data are deleted with the claim".to_owned(),
        Some("Recycle") => "reclaimPolicy Recycle: the volume's files are deleted".to_owned(),
        Some(policy) => format!("reclaimPolicy {policy}: the volume keeps its data, a new claim does not get it back"),
        None => "reclaimPolicy not known here: the volume's data may be deleted".to_owned(),
    }
}

/// `persistentVolumeReclaimPolicy` of a volume; volumes made by hand default to Retain.
fn policy_of(volume: View<'_>) -> &str {
    volume.at(&["spec", "persistentVolumeReclaimPolicy"]).and_then(View::str).unwrap_or("Retain")
}

/// By the volume that the claim names or is named by, else by its class: the StorageClass, or the volumes of that class.
fn reclaim_policy(claim: Item<'_>, before: &State<'_>) -> Option<String> {
    let text = |keys: &[&str]| claim.view.at(keys).and_then(View::str);
    if let Some(volume) = text(&["spec", "volumeName"]).and_then(|name| before.find("PersistentVolume", "", name)) {
        return Some(policy_of(volume.view).to_owned());
    }
    let bound = before.of_kind("PersistentVolume").find(|volume| {
        let to = volume.view.at(&["spec", "claimRef"]);
        let field = |key| to.and_then(|to| to.get_str(key));
        field("name") == Some(&claim.object.name) && field("namespace") == Some(claim.namespace())
    });
    if let Some(volume) = bound {
        return Some(policy_of(volume.view).to_owned());
    }
    let class = text(&["spec", "storageClassName"])?;
    if let Some(class) = before.find("StorageClass", "", class) {
        return Some(class.view.get_str("reclaimPolicy").unwrap_or("Delete").to_owned());
    }
    let of_class = |volume: &Item<'_>| volume.view.at(&["spec", "storageClassName"]).and_then(View::str) == Some(class);
    let mut policies: Vec<&str> =
        before.of_kind("PersistentVolume").filter(of_class).map(|volume| policy_of(volume.view)).collect();
    policies.dedup();
    match policies.as_slice() {
        [policy] => Some((*policy).to_owned()),
        _ => None,
    }
}
