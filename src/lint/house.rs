//! House rules: what kplan.yaml asks for, and nothing before it does.

use super::Cx;
use super::pod::containers;
use super::resources::quantity;
use crate::model::image::Image;
use crate::model::is_like;
use crate::yaml::View;

/// Whether a name, `Deployment` or `apps/Deployment`, in which `*` stands for any part, means the kind of the object.
fn is_kind(cx: &Cx<'_>, name: &str) -> bool {
    match name.split_once('/') {
        Some((group, kind)) => is_like(group, cx.object.group()) && is_like(kind, &cx.object.kind),
        None => is_like(name, &cx.object.kind),
    }
}

/// Whether the object is one of those that `kinds` names; all are where it names none.
fn is_asked_about(cx: &Cx<'_>) -> bool {
    let mut kinds = cx.params.texts("kinds").peekable();
    kinds.peek().is_none() || kinds.any(|kind| is_kind(cx, kind))
}

/// The metadata of the object, and of its pods where `podTemplates` says so.
fn metadata<'a>(cx: &Cx<'a>) -> Vec<View<'a>> {
    let own = cx.root.get("metadata");
    let pods = cx.template().filter(|_| cx.params.flag("podTemplates")).map(|template| template.metadata);
    // A template without metadata has no place of its own.
    own.into_iter().chain(pods.flatten().filter(|pods| own != Some(*pods))).collect()
}

/// Keys of a map of the metadata that are missing or whose values do not fit.
fn required(cx: &mut Cx<'_>, map: &str, what: &str) {
    if !is_asked_about(cx) {
        return;
    }
    let params = cx.params;
    for metadata in metadata(cx) {
        for (key, regex) in params.entries(map) {
            let help = format!("add it under {map}, or leave the object out with `kinds` in kplan.yaml");
            match metadata.get(map).and_then(|all| all.get(key)) {
                None => {
                    let parent = metadata.get(map).filter(|all| all.is_map());
                    let message = format!("the {what} `{key}`, which kplan.yaml asks for, is missing");
                    match parent {
                        Some(all) => cx.report_key(all, key, message),
                        None => cx.report_key(metadata, map, message),
                    }
                    .help = Some(help);
                }
                Some(value) if !params.fits(regex, value.str().unwrap_or_default()) => {
                    let text = value.str().unwrap_or_default();
                    let message = format!("the {what} `{key}` is `{text}`, and kplan.yaml asks for `{regex}`");
                    cx.report(value, message).help = Some("give it a value that is asked for".to_owned());
                }
                Some(_) => {}
            }
        }
    }
}

pub(super) fn required_labels(cx: &mut Cx<'_>) {
    required(cx, "labels", "label");
}

pub(super) fn required_annotations(cx: &mut Cx<'_>) {
    required(cx, "annotations", "annotation");
}

pub(super) fn forbidden_annotations(cx: &mut Cx<'_>) {
    if !is_asked_about(cx) {
        return;
    }
    for metadata in metadata(cx) {
        for (key, value) in metadata.map("annotations") {
            if cx.params.has_like("annotations", key) {
                let message = format!("kplan.yaml forbids the annotation `{key}`");
                cx.report(value, message).help = Some("remove it".to_owned());
            }
        }
    }
}

pub(super) fn name_pattern(cx: &mut Cx<'_>) {
    let pattern = cx.params.text("pattern");
    let Some(name) = cx.root.at(&["metadata", "name"]) else { return };
    let text = name.str().unwrap_or_default();
    if is_asked_about(cx) && !text.is_empty() && !cx.params.fits(pattern, text) {
        let message = format!("the name `{text}` is not like `{pattern}`, which kplan.yaml asks for");
        cx.report(name, message).help = Some("give it a name that is asked for".to_owned());
    }
}

pub(super) fn kind_forbidden(cx: &mut Cx<'_>) {
    if cx.params.texts("kinds").any(|kind| is_kind(cx, kind)) {
        let message = format!("kplan.yaml forbids objects of kind {}", cx.object.kind);
        cx.report_field("kind".to_owned(), message).help = Some("use another kind".to_owned());
    }
}

/// A registry, or a path of one with everything below it.
pub(super) fn image_registry_not_allowed(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for at in template.containers().filter_map(|container| container.view.get("image")).collect::<Vec<_>>() {
        let text = at.str().unwrap_or_default();
        // Text that is no name of an image is another rule's.
        let Ok(image) = Image::parse(text) else { continue };
        let full = format!("{}/{}", image.registry, image.repository);
        let is_at = |allowed: &str| {
            let allowed = allowed.trim_end_matches('/');
            is_like(allowed, &full) || is_like(&format!("{allowed}/*"), &full)
        };
        if !text.is_empty() && !cx.params.texts("allowed").any(is_at) {
            let allowed: Vec<&str> = cx.params.texts("allowed").collect();
            let message = format!("`{text}` comes from {}, which kplan.yaml does not allow", image.registry);
            cx.report(at, message).help = Some(format!("take it from {}", allowed.join(" or ")));
        }
    }
}

/// What a container may use at most, against what it requests.
pub(super) fn limit_request_ratio(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        for resource in ["cpu", "memory"] {
            let Some(most) = cx.params.number(resource) else { continue };
            let Some(at) = container.view.at(&["resources", "limits", resource]) else { continue };
            let request = quantity(container.view.at(&["resources", "requests", resource]));
            let (Some(request), Some(limit)) = (request, quantity(Some(at))) else { continue };
            let (request, limit) = (request.milli_value_saturating() as f64, limit.milli_value_saturating() as f64);
            if request > 0.0 && limit > request * most {
                let message = format!(
                    "the {resource} limit of container `{}` is {} times its request, and kplan.yaml allows {most}",
                    container.name(),
                    (limit / request * 10.0).round() / 10.0
                );
                cx.report(at, message).help = Some("raise the request, or lower the limit".to_owned());
            }
        }
    }
}

pub(super) fn resource_cap(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        for resource in ["cpu", "memory"] {
            let Some(most) = cx.params.quantity(resource) else { continue };
            let amounts = ["limits", "requests"].map(|list| container.view.at(&["resources", list, resource]));
            // A request is never above its limit, so the limit speaks for both.
            let Some(at) = amounts.into_iter().flatten().next() else { continue };
            if quantity(Some(at)).is_some_and(|amount| amount > most) {
                let message = format!(
                    "container `{}` may have {} of {resource}, and kplan.yaml allows {}",
                    container.name(),
                    at.written(),
                    most.canonical()
                );
                cx.report(at, message).help = Some("lower it, or spread the work over more pods".to_owned());
            }
        }
    }
}

pub(super) fn too_many_containers(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let number = containers(&template).iter().filter(|container| container.is_serving()).count();
    let most = cx.params.int("max").unwrap_or(i64::MAX);
    if number as i64 > most {
        let message = format!("the pod runs {number} containers, and kplan.yaml allows {most}");
        cx.report_key(template.spec, "containers", message).help = Some("give some a pod of their own".to_owned());
    }
}

pub(super) fn replica_cap(cx: &mut Cx<'_>) {
    let field = if cx.object.kind == "HorizontalPodAutoscaler" { "maxReplicas" } else { "replicas" };
    let Some(at) = cx.root.at(&["spec", field]) else { return };
    let most = cx.params.int("max").unwrap_or(i64::MAX);
    if at.int().is_some_and(|number| number > most) {
        let message = format!("{} replicas are more than the {most} that kplan.yaml allows", at.written());
        cx.report(at, message).help = Some("lower the number".to_owned());
    }
}

pub(super) fn ingress_class_restricted(cx: &mut Cx<'_>) {
    const OLD: &str = "kubernetes.io/ingress.class";
    let field = cx.root.at(&["spec", "ingressClassName"]);
    let old = || cx.root.at(&["metadata", "annotations"]).and_then(|all| all.get(OLD));
    let Some(at) = field.or_else(old) else { return };
    let class = at.str().unwrap_or_default();
    if !cx.params.has_like("classes", class) {
        let allowed: Vec<&str> = cx.params.texts("classes").collect();
        let message = format!("kplan.yaml does not allow the ingress class `{class}`");
        cx.report(at, message).help = Some(format!("use {}", allowed.join(" or ")));
    }
}

pub(super) fn service_port_range(cx: &mut Cx<'_>) {
    let Some(spec) = cx.root.get("spec") else { return };
    for port in spec.list("ports").filter_map(|port| port.get("port")) {
        let Some(number) = port.int().filter(|number| !cx.params.has_in_range("ports", *number)) else { continue };
        let allowed: Vec<&str> = cx.params.texts("ports").collect();
        let message = format!("port {number} is none that kplan.yaml allows a Service");
        cx.report(port, message).help = Some(format!("use a port of {}", allowed.join(", ")));
    }
}

pub(super) fn storage_class_policy(cx: &mut Cx<'_>) {
    let specs = match cx.object.kind.as_str() {
        "PersistentVolumeClaim" => cx.root.get("spec").into_iter().collect(),
        _ => {
            let claims = cx.root.get("spec").into_iter().flat_map(|spec| spec.list("volumeClaimTemplates"));
            claims.filter_map(|claim| claim.get("spec")).collect::<Vec<View<'_>>>()
        }
    };
    for at in specs.into_iter().filter_map(|spec| spec.get("storageClassName")) {
        let class = at.str().unwrap_or_default();
        if !cx.params.has_like("classes", class) {
            let allowed: Vec<&str> = cx.params.texts("classes").collect();
            let message = format!("kplan.yaml does not allow the storage class `{class}`");
            cx.report(at, message).help = Some(format!("use {}", allowed.join(" or ")));
        }
    }
}

pub(super) fn env_policy(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let params = cx.params;
    for container in containers(&template).into_iter().filter(|container| container.is_serving()) {
        let variables: Vec<View<'_>> = container.view.list("env").filter_map(|variable| variable.get("name")).collect();
        for name in &variables {
            let text = name.str().unwrap_or_default();
            if params.has_like("forbidden", text) {
                let message = format!("kplan.yaml forbids the variable `{text}`");
                cx.report(*name, message).help = Some("remove it".to_owned());
            }
        }
        // What whole ConfigMaps and Secrets bring is not looked into.
        let is_open = container.view.get("envFrom").is_some_and(|sources| !sources.is_empty());
        for wanted in params.texts("required").filter(|_| !is_open) {
            if variables.iter().all(|name| name.str() != Some(wanted)) {
                let message = format!("container `{}` has no variable `{wanted}`", container.name());
                let help = "set it: kplan.yaml asks for it";
                cx.report_key(container.view, "env", message).help = Some(help.to_owned());
            }
        }
    }
}

pub(super) fn volume_type_restricted(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for volume in template.spec.list("volumes") {
        let mut sources = volume.fields().filter(|(key, value)| *key != "name" && !value.is_null());
        let Some((source, _)) = sources.next().filter(|(source, _)| !cx.params.has("allowed", source)) else {
            continue;
        };
        let name = volume.get_str("name").unwrap_or_default();
        let message = format!("volume `{name}` is of the type {source}, which is not among those allowed");
        cx.report_key(volume, source, message).help = Some("use a PersistentVolumeClaim or an emptyDir".to_owned());
    }
}
