//! Rules on names of objects that another object needs.

use super::Cx;
use super::index::Existence;
use crate::diag::Severity;
use crate::model::pod::Reference;
use crate::model::{Object, path};
use crate::yaml::View;

/// The same object twice: the last one applied silently wins.
pub(super) fn object_duplicate(cx: &mut Cx<'_>) {
    if cx.object.name.is_empty() || cx.root.at(&["metadata", "name"]).is_none() {
        return;
    }
    let Some((first, number)) = cx.index.repeated(cx.id) else { return };
    let same_file = cx.bundle.object(first).file == cx.object.file;
    let title = cx.object.title();
    let (file, span) = cx.place_in(first, "metadata.name");
    let message = match number {
        1 => format!("{title} is defined a second time"),
        number => {
            let other = &cx.bundle.sources.get(file).name;
            format!("{number} objects of this file are defined in others of its folder too, {title} in {other}")
        }
    };
    let diagnostic = cx.report_field("metadata.name".to_owned(), message);
    diagnostic.help = Some(match number {
        1 => "remove one of the two, or give them different names".to_owned(),
        _ => "apply one of the files alone, or keep each in a folder of its own".to_owned(),
    });
    diagnostic.severity = (!same_file).then_some(Severity::Warning);
    diagnostic.related.push(crate::diag::Related { file, span, message: "first defined here".to_owned() });
}

pub(super) fn configmap_missing(cx: &mut Cx<'_>) {
    config_missing(cx, "ConfigMap");
}

pub(super) fn secret_missing(cx: &mut Cx<'_>) {
    config_missing(cx, "Secret");
}

pub(super) fn configmap_key_missing(cx: &mut Cx<'_>) {
    config_key_missing(cx, "ConfigMap", &["data", "binaryData"]);
}

pub(super) fn secret_key_missing(cx: &mut Cx<'_>) {
    config_key_missing(cx, "Secret", &["data", "stringData"]);
}

fn config_missing(cx: &mut Cx<'_>, kind: &'static str) {
    let Some(template) = cx.template().filter(|_| !cx.index.may_be_made(cx.object, kind)) else { return };
    for reference in template.config_references() {
        if reference.kind == kind && reference.key.is_none() && !reference.optional {
            missing(cx, kind, reference.name);
        }
    }
}

/// Reports a name in the object's namespace that nothing in the set has.
fn missing<'a>(cx: &mut Cx<'a>, kind: &str, name: View<'a>) {
    let text = name.str().unwrap_or_default();
    if text.is_empty() || is_made_by_cluster(kind, text) || cx.index.find(cx.object, kind, text) != Existence::Missing {
        return;
    }
    if is_produced(cx, kind, text) {
        return;
    }
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let elsewhere = cx.index.of_kind(cx.object, kind).iter().map(|id| cx.bundle.object(*id));
    let elsewhere: Vec<&Object> = elsewhere.filter(|object| object.name == text).collect();
    let names = cx.index.names(cx.object, kind);
    let help = match (elsewhere.first(), nearest(text, &names)) {
        (Some(object), _) => {
            let other = object.namespace.as_deref().unwrap_or_default();
            format!("it stands in namespace {other}; a pod reads only its own namespace, {namespace}")
        }
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => {
            format!("add the {kind} to namespace {namespace}, or name it under `assumeExists` in kplan.yaml")
        }
    };
    let is_closed = cx.index.live.knows(kind, &namespace);
    let diagnostic = cx.report(name, format!("{kind} `{text}` is not {}", cx.index.place()));
    diagnostic.help = Some(help);
    // An account is often made by what installs the set, and without it no pod is.
    diagnostic.severity = (kind == "ServiceAccount" && !is_closed).then_some(Severity::Warning);
}

/// Objects that every namespace gets from the cluster.
fn is_made_by_cluster(kind: &str, name: &str) -> bool {
    matches!((kind, name), ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default"))
}

/// Secrets that a custom resource of the set makes: ExternalSecret, SealedSecret, Certificate and their like.
pub(super) fn is_produced(cx: &Cx<'_>, kind: &str, name: &str) -> bool {
    const PRODUCERS: [&str; 6] =
        ["ExternalSecret", "SealedSecret", "Certificate", "VaultStaticSecret", "VaultDynamicSecret", "OnePasswordItem"];
    const TARGETS: [&[&str]; 4] =
        [&["metadata", "name"], &["spec", "target", "name"], &["spec", "secretName"], &["spec", "destination", "name"]];
    kind == "Secret"
        && PRODUCERS.iter().flat_map(|producer| cx.index.of_kind(cx.object, producer)).any(|id| {
            let root = cx.bundle.full(*id);
            TARGETS.iter().any(|keys| root.at(keys).and_then(View::str) == Some(name))
        })
}

fn config_key_missing(cx: &mut Cx<'_>, kind: &str, data: &[&str]) {
    let Some(template) = cx.template() else { return };
    for Reference { kind: found, name, key, optional } in template.config_references() {
        let (Some(key), Some(text)) = (key.filter(|_| found == kind && !optional), name.str()) else { continue };
        let (id, holder) = match cx.index.find(cx.object, kind, text) {
            Existence::Found(id) => (Some(id), cx.bundle.full(id)),
            Existence::Live(holder) => (None, holder),
            Existence::Maybe | Existence::Missing => continue,
        };
        let wanted = key.str().unwrap_or_default();
        let keys: Vec<&str> = data.iter().flat_map(|data| holder.map(data)).map(|(key, _)| key).collect();
        if wanted.is_empty() || keys.contains(&wanted) || is_filled_later(holder) {
            continue;
        }
        let help = match nearest(wanted, &keys) {
            Some(near) => format!("did you mean `{near}`?"),
            None if keys.is_empty() => format!("add the key to the {kind}, which has none"),
            None => format!("add the key to the {kind}, which has {}", keys.join(", ")),
        };
        let message = format!("{kind} `{text}` has no key `{wanted}`");
        let place = id.map(|id| cx.place_in(id, "metadata.name"));
        let diagnostic = cx.report(key, message);
        diagnostic.help = Some(help);
        let message = format!("the {kind} stands here");
        diagnostic.related.extend(place.map(|(file, span)| crate::diag::Related { file, span, message }));
    }
}

/// Token secrets get their data from a controller.
fn is_filled_later(holder: View<'_>) -> bool {
    holder.get_str("type") == Some("kubernetes.io/service-account-token")
}

pub(super) fn pull_secret_missing(cx: &mut Cx<'_>) {
    let holder = if cx.is("", "ServiceAccount") { Some(cx.root) } else { cx.template().map(|template| template.spec) };
    for secret in holder.into_iter().flat_map(|holder| holder.list("imagePullSecrets")) {
        if let Some(name) = secret.get("name") {
            missing(cx, "Secret", name);
        }
    }
}

pub(super) fn pvc_missing(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    // Claims of a StatefulSet's own templates shadow volumes of the same name.
    let own: Vec<&str> = cx
        .root
        .get("spec")
        .into_iter()
        .flat_map(|spec| spec.list("volumeClaimTemplates"))
        .filter_map(|claim| claim.at(&["metadata", "name"])?.str())
        .collect();
    for volume in template.spec.list("volumes") {
        if volume.get_str("name").is_some_and(|name| own.contains(&name)) {
            continue;
        }
        if let Some(name) = volume.at(&["persistentVolumeClaim", "claimName"]) {
            missing(cx, "PersistentVolumeClaim", name);
        }
    }
}

pub(super) fn service_account_missing(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let name = template.spec.get("serviceAccountName").or_else(|| template.spec.get("serviceAccount"));
    if let Some(name) = name {
        // Defaulting mirrors the two fields; the one that is written is shown.
        let field = path::of(cx.root, name).unwrap_or_default();
        let written = path::follow(cx.bundle.written(cx.id), &field).whole;
        let name = if written { name } else { template.spec.get("serviceAccount").unwrap_or(name) };
        missing(cx, "ServiceAccount", name);
    }
}

/// The name that a typo most likely meant.
pub(super) fn nearest<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    let near = |name: &&str| strsim::osa_distance(text, name);
    let best = names.iter().copied().filter(|name| *name != text).min_by_key(near)?;
    (near(&best) <= 1 + text.len() / 5).then_some(best)
}
