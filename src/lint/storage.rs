//! Rules on claims and volumes.

use super::Cx;
use crate::diag::Related;
use crate::model::pod::{labels, selector_selects};
use crate::model::quantity::Quantity;
use crate::model::{Bundle, ObjectId};
use crate::yaml::View;

/// A claim of a class that volumes of the set serve, none of which fits it.
pub(super) fn pvc_no_pv(cx: &mut Cx<'_>) {
    if !cx.is("", "PersistentVolumeClaim") || cx.index.is_open(cx.object, "PersistentVolume") {
        return;
    }
    let Some(spec) = cx.root.get("spec") else { return };
    let Some(class) = spec.get_str("storageClassName") else { return };
    if is_served_by_cluster(cx, class) {
        return;
    }
    let provisioned = cx.index.of_kind(cx.object, "StorageClass").iter().any(|id| {
        let root = cx.bundle.full(*id);
        cx.bundle.object(*id).name == class && root.get_str("provisioner") != Some("kubernetes.io/no-provisioner")
    });
    let volumes: Vec<ObjectId> = of_class(cx, class);
    if provisioned {
        return;
    }
    if volumes.is_empty() && !class.is_empty() {
        return other_class(cx, class);
    }
    if volumes.is_empty() {
        let message = "the class \"\" is never provisioned, and the set has no volume without a class";
        let help = "add a PersistentVolume without storageClassName, or name a class that provisions";
        cx.report_field("spec.storageClassName".to_owned(), message).help = Some(help.to_owned());
        return;
    }
    let bound = bind(cx, class, &volumes);
    if bound.iter().any(|(claim, _)| *claim == cx.id) {
        return;
    }
    let reasons: Vec<(ObjectId, Misfit)> = volumes
        .iter()
        .map(|volume| {
            (*volume, misfit(cx.root, cx.bundle.full(*volume)).unwrap_or_else(|| taken(cx.bundle, &bound, *volume)))
        })
        .collect();
    let Some((volume, first)) = reasons.first() else { return };
    let shown: Vec<String> =
        reasons.iter().map(|(id, misfit)| format!("{} {}", cx.bundle.object(*id).name, misfit.text)).collect();
    let message = format!("no PersistentVolume of class `{class}` fits: {}", shown.join("; "));
    let (file, span) = cx.place_in(*volume, first.volume_field);
    let diagnostic = cx.report_field(first.claim_field.to_owned(), message);
    diagnostic.help = Some("change the claim or a volume so that the two fit, or add a volume".to_owned());
    diagnostic.related.push(Related { file, span, message: "the nearest volume".to_owned() });
}

/// Whether the cluster has the claim already, a class that provisions for it, or volumes of its class: which of them it
/// gets is the simulation's to say.
fn is_served_by_cluster(cx: &Cx<'_>, class: &str) -> bool {
    let live = &cx.index.live;
    let namespace = cx.object.namespace.as_deref().unwrap_or("");
    let of_class = |root: View<'_>| root.at(&["spec", "storageClassName"]).and_then(View::str).unwrap_or("") == class;
    live.find("PersistentVolumeClaim", namespace, &cx.object.name).is_some()
        || live
            .find("StorageClass", "", class)
            .is_some_and(|found| found.get_str("provisioner") != Some("kubernetes.io/no-provisioner"))
        || live.of_kind("PersistentVolume").iter().any(|volume| of_class(volume.root))
}

/// A claim of a class without volumes, where a free volume of another class fits in everything else; any other
/// class may be provisioned by the cluster.
fn other_class(cx: &mut Cx<'_>, class: &str) {
    let claimed: Vec<&str> = cx
        .index
        .of_kind(cx.object, "PersistentVolumeClaim")
        .iter()
        .filter_map(|claim| cx.bundle.full(*claim).at(&["spec", "storageClassName"])?.str())
        .collect();
    let class_of =
        |id: ObjectId| cx.bundle.full(id).at(&["spec", "storageClassName"]).and_then(View::str).unwrap_or("");
    let volumes = cx.index.of_kind(cx.object, "PersistentVolume").iter().copied();
    let mut free =
        volumes.filter(|id| !claimed.contains(&class_of(*id)) && misfit(cx.root, cx.bundle.full(*id)).is_none());
    let Some(volume) = free.next() else { return };
    let (name, offered) = (cx.bundle.object(volume).title(), class_of(volume));
    let message = format!("no volume has the class `{class}`; {name} would fit, but has the class `{offered}`");
    let (file, span) = cx.place_in(volume, "spec.storageClassName");
    let diagnostic = cx.report_field("spec.storageClassName".to_owned(), message);
    diagnostic.help = Some(format!("write `storageClassName: {offered}` if that volume is meant"));
    diagnostic.related.push(Related { file, span, message: "its class".to_owned() });
}

/// Why a volume cannot serve a claim, and which fields say so.
struct Misfit {
    text: String,
    claim_field: &'static str,
    volume_field: &'static str,
}

fn of_class(cx: &Cx<'_>, class: &str) -> Vec<ObjectId> {
    let volumes = cx.index.of_kind(cx.object, "PersistentVolume").iter().copied();
    let class_of = |id: &ObjectId| cx.bundle.full(*id).at(&["spec", "storageClassName"]).and_then(View::str);
    volumes.filter(|id| class_of(id).unwrap_or("") == class).collect()
}

/// Binds the claims of a class in their order, each to the smallest free volume that fits, as the PV controller does.
fn bind(cx: &Cx<'_>, class: &str, volumes: &[ObjectId]) -> Vec<(ObjectId, ObjectId)> {
    let mut bound: Vec<(ObjectId, ObjectId)> = Vec::new();
    for claim in cx.index.of_kind(cx.object, "PersistentVolumeClaim") {
        let root = cx.bundle.full(*claim);
        if root.at(&["spec", "storageClassName"]).and_then(View::str) != Some(class) {
            continue;
        }
        let free = volumes.iter().filter(|volume| !bound.iter().any(|(_, taken)| taken == *volume));
        let fitting = free.filter(|volume| misfit(root, cx.bundle.full(**volume)).is_none());
        let smallest = fitting.min_by(|a, b| capacity(cx.bundle.full(**a)).cmp(&capacity(cx.bundle.full(**b))));
        bound.extend(smallest.map(|volume| (*claim, *volume)));
    }
    bound
}

fn taken(bundle: &Bundle, bound: &[(ObjectId, ObjectId)], volume: ObjectId) -> Misfit {
    let by = bound.iter().find(|(_, taken)| *taken == volume).map(|(claim, _)| bundle.object(*claim).title());
    let text = format!("is taken by {}", by.unwrap_or_else(|| "another claim".to_owned()));
    Misfit { text, claim_field: "metadata.name", volume_field: "metadata.name" }
}

fn capacity(volume: View<'_>) -> Option<Quantity> {
    quantity(volume.at(&["spec", "capacity", "storage"]))
}

fn quantity(view: Option<View<'_>>) -> Option<Quantity> {
    let view = view?;
    let text = view.str().map_or_else(|| view.to_json(), str::to_owned);
    Quantity::parse(&text).ok()
}

/// The first reason why a volume cannot serve a claim; `None` when it can.
fn misfit(claim: View<'_>, volume: View<'_>) -> Option<Misfit> {
    let (wanted, offered) = (claim.get("spec")?, volume.get("spec")?);
    let request = quantity(wanted.at(&["resources", "requests", "storage"]));
    let size = capacity(volume);
    if let (Some(request), Some(size)) = (&request, &size)
        && size < request
    {
        let text = format!("has {} of {}", size.canonical(), request.canonical());
        let claim_field = "spec.resources.requests.storage";
        return Some(Misfit { text, claim_field, volume_field: "spec.capacity.storage" });
    }
    let offers = |mode: &str| offered.list("accessModes").any(|offered| offered.str() == Some(mode));
    let lacking = wanted.list("accessModes").filter_map(View::str).find(|mode| !offers(mode));
    if let Some(mode) = lacking {
        let text = format!("does not offer {mode}");
        return Some(Misfit { text, claim_field: "spec.accessModes", volume_field: "spec.accessModes" });
    }
    let mode = |view: View<'_>| view.get_str("volumeMode").unwrap_or("Filesystem").to_owned();
    if mode(wanted) != mode(offered) {
        let text = format!("has volumeMode {}", mode(offered));
        return Some(Misfit { text, claim_field: "spec.volumeMode", volume_field: "spec.volumeMode" });
    }
    if let Some(selector) = wanted.get("selector")
        && !selector_selects(selector, &labels(volume.at(&["metadata", "labels"])))
    {
        let text = "lacks the labels that the claim selects".to_owned();
        return Some(Misfit { text, claim_field: "spec.selector", volume_field: "metadata.labels" });
    }
    let reserved = offered
        .get("claimRef")
        .is_some_and(|claim_ref| claim_ref.get_str("name") != claim.at(&["metadata", "name"]).and_then(View::str));
    let named = wanted.get_str("volumeName").filter(|name| !name.is_empty());
    let other = named.is_some_and(|name| volume.at(&["metadata", "name"]).and_then(View::str) != Some(name));
    (reserved || other).then(|| Misfit {
        text: if reserved { "is reserved for another claim" } else { "is not the volume that the claim names" }
            .to_owned(),
        claim_field: if other { "spec.volumeName" } else { "metadata.name" },
        volume_field: if reserved { "spec.claimRef" } else { "metadata.name" },
    })
}
