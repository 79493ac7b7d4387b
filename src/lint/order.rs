//! Rules on what has to be there before an object is sent: its namespace, its definition, what answers for it.

use super::Cx;
use super::index::Existence;
use super::references::nearest;
use crate::diag::{Related, Severity, Tier};
use crate::model::ObjectId;
use crate::yaml::View;

/// Namespaces that every cluster has.
const OWN: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
/// Kinds whose controllers make a namespace of their name.
const MAKERS: [&str; 3] = ["Project", "ProjectRequest", "SubnamespaceAnchor"];

/// A namespace that nobody makes, told once, at the first object that stands in it.
pub(super) fn namespace_missing(cx: &mut Cx<'_>) {
    let Some((first, number)) = cx.index.first_here(cx.object) else { return };
    let name = cx.object.namespace.clone().unwrap_or_default();
    if first != cx.id || name.is_empty() || OWN.contains(&name.as_str()) {
        return;
    }
    let is_made = |kind: &str, other: &str| (kind == "Namespace" || MAKERS.contains(&kind)) && other == name;
    if cx.index.find_in(cx.object, "Namespace", "", &name) != Existence::Missing
        || cx.bundle.iter().any(|(_, object)| is_made(&object.kind, &object.name))
    {
        return;
    }
    let is_closed = cx.index.live.knows("Namespace", "");
    let names = cx.index.names_in(cx.object, "Namespace", "");
    let near = nearest(&name, &names);
    // Namespaces are mostly made elsewhere: only a set that brings some says which there are.
    if !is_closed && names.is_empty() {
        return;
    }
    let whose = match number {
        1 => "the object".to_owned(),
        number => format!("{number} objects"),
    };
    let message = format!("Namespace `{name}` of {whose} is not {}", cx.index.place());
    let written = cx.bundle.written(cx.id).at(&["metadata", "namespace"]).is_some();
    let field = if written { "metadata.namespace" } else { "metadata.name" };
    let diagnostic = cx.report_field(field.to_owned(), message);
    diagnostic.help = Some(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "add the Namespace, or name it under `assumeExists` in kplan.yaml".to_owned(),
    });
    diagnostic.missing(is_closed);
    if near.is_some() {
        diagnostic.tier = None;
    }
}

/// What `kubectl apply` sends before what it needs: it is refused the first time.
pub(super) fn apply_order(cx: &mut Cx<'_>) {
    let first = cx.index.first_here(cx.object).filter(|(first, _)| *first == cx.id);
    if let Some(name) = cx.object.namespace.clone().filter(|_| first.is_some())
        && let Existence::Found(id) = cx.index.find_in(cx.object, "Namespace", "", &name)
    {
        let written = cx.bundle.written(cx.id).at(&["metadata", "namespace"]).is_some();
        let field = if written { "metadata.namespace" } else { "metadata.name" };
        comes_late(cx, field, id, |cx, id| cx.bundle.object(id).namespace.as_deref() == Some(name.as_str()));
    }
    if let Some(id) = cx.index.definition(cx.object)
        && cx.index.of_kind(cx.object, &cx.object.kind).first() == Some(&cx.id)
    {
        let key = (cx.object.group().to_owned(), cx.object.kind.clone());
        comes_late(cx, "kind", id, |cx, id| {
            let object = cx.bundle.object(id);
            (object.group(), &object.kind) == (key.0.as_str(), &key.1)
        });
    }
    if cx.object.kind.ends_with("WebhookConfiguration") {
        webhook_order(cx);
    }
}

/// A webhook that is asked before the Service behind it is there.
fn webhook_order(cx: &mut Cx<'_>) {
    for (place, webhook) in cx.root.list("webhooks").enumerate() {
        let service =
            webhook.at(&["clientConfig", "service"]).filter(|_| webhook.get_str("failurePolicy") != Some("Ignore"));
        let text = |key: &str| service.and_then(|service| service.get_str(key)).unwrap_or_default();
        let Existence::Found(id) = cx.index.find_in(cx.object, "Service", text("namespace"), text("name")) else {
            continue;
        };
        let own = cx.id;
        comes_late(cx, &format!("webhooks[{place}].clientConfig.service"), id, |_, id| id == own);
    }
}

/// Reports at a field that the needed object comes later; `needs` tells which objects need it too.
fn comes_late(cx: &mut Cx<'_>, field: &str, needed: ObjectId, needs: impl Fn(&Cx<'_>, ObjectId) -> bool) {
    if needed < cx.id {
        return;
    }
    let set = cx.object.set;
    let early = cx.bundle.iter().filter(|(id, object)| object.set == set && *id < needed && needs(cx, *id)).count();
    let whose = match early {
        0 | 1 => "this object".to_owned(),
        number => format!("{number} objects"),
    };
    let title = cx.bundle.object(needed).title();
    let (file, span) = cx.place_in(needed, "metadata.name");
    let is_same = file == cx.object.file;
    let message = format!("{title} comes after {whose}, so `kubectl apply` does not have it yet");
    let diagnostic = cx.report_field(field.to_owned(), message);
    diagnostic.help = Some(match is_same {
        true => format!("move {title} up"),
        false => format!("put {title} into a file whose name sorts before this one, or apply it first"),
    });
    diagnostic.severity = Some(Severity::Info);
    diagnostic.tier = Some(Tier::Recommended);
    diagnostic.related.push(Related { file, span, message: "it stands here".to_owned() });
}

/// The issuer of a Certificate, or of an Ingress that asks for one.
pub(super) fn cert_issuer_missing(cx: &mut Cx<'_>) {
    if cx.object.kind == "Certificate" {
        let Some(reference) = cx.root.at(&["spec", "issuerRef"]) else { return };
        // Issuers of other groups are another controller's.
        if !matches!(reference.get_str("group"), None | Some("" | "cert-manager.io")) {
            return;
        }
        if let Some(name) = reference.get("name") {
            issuer(cx, name, reference.get_str("kind").unwrap_or("Issuer"));
        }
        return;
    }
    let Some(annotations) = cx.root.at(&["metadata", "annotations"]) else { return };
    if ["cert-manager.io/issuer-group", "cert-manager.io/issuer-kind"].iter().any(|key| annotations.get(key).is_some())
    {
        return;
    }
    for (key, kind) in [("cert-manager.io/issuer", "Issuer"), ("cert-manager.io/cluster-issuer", "ClusterIssuer")] {
        if let Some(name) = annotations.get(key) {
            issuer(cx, name, kind);
        }
    }
}

fn issuer<'a>(cx: &mut Cx<'a>, name: View<'a>, kind: &str) {
    let text = name.str().unwrap_or_default();
    let namespace = match kind {
        "Issuer" => cx.object.namespace.clone().unwrap_or_default(),
        "ClusterIssuer" => String::new(),
        _ => return,
    };
    if text.is_empty() || cx.index.find_in(cx.object, kind, &namespace, text) != Existence::Missing {
        return;
    }
    let other = if kind == "Issuer" { "ClusterIssuer" } else { "Issuer" };
    let elsewhere = cx.index.of_kind(cx.object, other).iter().chain(cx.index.of_kind(cx.object, kind));
    let same = elsewhere.map(|id| cx.bundle.object(*id)).find(|object| object.name == text);
    // Issuers are mostly the cluster's own: only a set that brings some, or a known cluster, says which there are.
    let brings = [kind, other].iter().any(|kind| !cx.index.of_kind(cx.object, kind).is_empty());
    if !brings && !cx.index.live.knows(kind, &namespace) {
        return;
    }
    let help = match (same, nearest(text, &cx.index.names_in(cx.object, kind, &namespace))) {
        (Some(object), _) if object.kind == other => format!("{} is there: name its kind, {other}", object.title()),
        (Some(object), _) => format!("{} is for its own namespace alone", object.title()),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("add the {kind}, or name it under `assumeExists` in kplan.yaml"),
    };
    let message = format!("{kind} `{text}` is not {}, so no certificate is issued", cx.index.place());
    cx.report(name, message).help = Some(help);
}
