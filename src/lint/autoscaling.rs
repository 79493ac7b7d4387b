//! Rules on HorizontalPodAutoscalers.

use super::Cx;
use super::index::Existence;
use super::references::nearest;
use crate::diag::Related;
use crate::model::ObjectId;
use crate::model::pod::{ContainerRole, PodTemplate};
use crate::yaml::View;

/// The object that an HPA scales, if it is in the set.
fn target(cx: &Cx<'_>, hpa: View<'_>) -> Option<ObjectId> {
    let target = hpa.at(&["spec", "scaleTargetRef"])?;
    match cx.index.find(cx.object, target.get_str("kind")?, target.get_str("name")?) {
        Existence::Found(id) => Some(id),
        _ => None,
    }
}

pub(super) fn hpa_target_missing(cx: &mut Cx<'_>) {
    if cx.object.kind != "HorizontalPodAutoscaler" {
        return;
    }
    let Some(target) = cx.root.at(&["spec", "scaleTargetRef"]) else { return };
    let (Some(kind), Some(name)) = (target.get_str("kind"), target.get("name")) else { return };
    let text = name.str().unwrap_or_default();
    if text.is_empty() || cx.index.find(cx.object, kind, text) != Existence::Missing {
        return;
    }
    let names = cx.index.names(cx.object, kind);
    let help = match nearest(text, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add the {kind}, correct the name, or name it under `assumeExists` in kplan.yaml"),
    };
    cx.report(name, format!("{kind} `{text}`, which this should scale, is not {}", cx.index.place())).help = Some(help);
}

/// What a VerticalPodAutoscaler watches is not there.
pub(super) fn vpa_target_missing(cx: &mut Cx<'_>) {
    let Some(target) = cx.root.at(&["spec", "targetRef"]) else { return };
    let (Some(kind), Some(name)) = (target.get_str("kind"), target.get("name")) else { return };
    let text = name.str().unwrap_or_default();
    if text.is_empty() || cx.index.find(cx.object, kind, text) != Existence::Missing {
        return;
    }
    let help = match nearest(text, &cx.index.names(cx.object, kind)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add the {kind}, correct the name, or name it under `assumeExists` in kplan.yaml"),
    };
    let message = format!("{kind} `{text}`, for which this should set requests, is not {}", cx.index.place());
    cx.report(name, message).help = Some(help);
}

/// A utilization target of a resource that some container does not request: the scaler cannot compute it.
pub(super) fn hpa_metric_without_request(cx: &mut Cx<'_>) {
    if cx.object.kind != "HorizontalPodAutoscaler" {
        return;
    }
    let Some(id) = target(cx, cx.root) else { return };
    let object = cx.bundle.object(id);
    let Some(template) = PodTemplate::of(object.group(), &object.kind, cx.bundle.admitted(id)) else { return };
    for (resource, at) in utilization_metrics(cx.root) {
        let lacking: Vec<&str> = template
            .containers()
            .filter(|container| matches!(container.role, ContainerRole::Main | ContainerRole::Sidecar))
            .filter(|container| !requests(container.view, resource))
            .filter_map(|container| container.view.get_str("name"))
            .collect();
        if lacking.is_empty() || template.spec.at(&["resources", "requests", resource]).is_some() {
            continue;
        }
        let title = object.title();
        let message =
            format!("{title} requests no {resource} in {}, so its utilization is unknown", lacking.join(", "));
        let (file, span) = cx.place_in(id, &format!("{}.containers", template.path));
        let diagnostic = cx.report(at, message);
        diagnostic.help = Some(format!("set resources.requests.{resource} in every container of {title}"));
        diagnostic.related.push(Related { file, span, message: "its containers".to_owned() });
    }
}

/// A request, or a limit that becomes the request.
fn requests(container: View<'_>, resource: &str) -> bool {
    ["requests", "limits"].iter().any(|list| container.at(&["resources", list, resource]).is_some())
}

/// Resources that the HPA measures as utilization, with the node that says so.
fn utilization_metrics(hpa: View<'_>) -> Vec<(&str, View<'_>)> {
    let Some(spec) = hpa.get("spec") else { return Vec::new() };
    let old = spec.get("targetCPUUtilizationPercentage").map(|at| ("cpu", at));
    let metrics = spec.list("metrics").filter_map(|metric| {
        let resource = metric.get("resource")?;
        let by_utilization = resource.at(&["target", "averageUtilization"]).is_some();
        let name = resource.get("name").filter(|_| by_utilization)?;
        Some((name.str()?, name))
    });
    old.into_iter().chain(metrics).collect()
}

/// A written replica count of a scaled workload: each apply sets the scaler back.
pub(super) fn hpa_fixed_replicas(cx: &mut Cx<'_>) {
    let Some(replicas) = cx.bundle.written(cx.id).at(&["spec", "replicas"]) else { return };
    let scaler = cx.index.scalers(cx.object, &cx.object.name).iter().copied().find(|id| {
        cx.bundle.object(*id).kind == "HorizontalPodAutoscaler" && target(cx, cx.bundle.full(*id)) == Some(cx.id)
    });
    let live = cx.index.live.of_kind("HorizontalPodAutoscaler").iter().find(|live| {
        let target = |key: &str| live.root.at(&["spec", "scaleTargetRef", key]).and_then(View::str);
        live.object.namespace == cx.object.namespace
            && target("kind") == Some(cx.object.kind.as_str())
            && target("name") == Some(cx.object.name.as_str())
    });
    let Some(object) = scaler.map(|id| cx.bundle.object(id)).or(live.map(|live| live.object)) else { return };
    let title = object.title();
    let place = scaler.map(|id| cx.place_in(id, "spec.scaleTargetRef"));
    let message = format!("`replicas: {}` is set back at each apply, though {title} scales it", replicas.written());
    let diagnostic = cx.report_field("spec.replicas".to_owned(), message);
    diagnostic.help = Some("remove `replicas` here; the autoscaler's minReplicas takes its place".to_owned());
    let related = place.map(|(file, span)| Related { file, span, message: "scaled here".to_owned() });
    diagnostic.related.extend(related);
}

pub(super) fn hpa_min_low(cx: &mut Cx<'_>) {
    let asked = cx.params.int("min").unwrap_or_default();
    let least = cx.root.at(&["spec", "minReplicas"]).and_then(View::int).unwrap_or(1);
    if least >= asked {
        return;
    }
    let is_written = cx.bundle.written(cx.id).at(&["spec", "minReplicas"]).is_some();
    let field = if is_written { "spec.minReplicas" } else { "spec.maxReplicas" };
    let message = match least {
        0 | 1 => "the autoscaler may go down to one pod, and there is none while it moves".to_owned(),
        least => format!("the autoscaler may go down to {least} pods, and kplan.yaml asks for {asked}"),
    };
    cx.report_field(field.to_owned(), message).help = Some(format!("set minReplicas to at least {asked}"));
}

pub(super) fn hpa_min_equals_max(cx: &mut Cx<'_>) {
    let number = |key: &str| cx.root.at(&["spec", key]).and_then(View::int);
    let Some(most) = number("maxReplicas").filter(|most| *most == number("minReplicas").unwrap_or(1)) else { return };
    let message = format!("minReplicas and maxReplicas are both {most}, so nothing is ever scaled");
    cx.report_field("spec.maxReplicas".to_owned(), message).help = Some("raise maxReplicas, or remove it".to_owned());
}

/// Kind and name that an autoscaler scales; KEDA calls them the same, VPA otherwise.
fn target_of(root: View<'_>) -> Option<(&str, &str)> {
    let target = root.at(&["spec", "scaleTargetRef"]).or_else(|| root.at(&["spec", "targetRef"]))?;
    Some((target.get_str("kind").unwrap_or("Deployment"), target.get_str("name")?))
}

/// The first other object of a kind that scales what this one scales.
fn rival<'a>(cx: &Cx<'a>, kind: &str) -> Option<ObjectId> {
    let mine = target_of(cx.root)?;
    let others = cx.index.scalers(cx.object, mine.1).iter().copied();
    others.filter(|id| *id != cx.id).find(|id| {
        let object = cx.bundle.object(*id);
        object.kind == kind && object.key() != cx.object.key() && target_of(cx.bundle.full(*id)) == Some(mine)
    })
}

fn report_rival(cx: &mut Cx<'_>, other: ObjectId, effect: &str) {
    let title = cx.bundle.object(other).title();
    let key = if cx.root.at(&["spec", "scaleTargetRef"]).is_some() { "scaleTargetRef" } else { "targetRef" };
    let (file, span) = cx.place_in(other, &format!("spec.{key}"));
    let diagnostic = cx.report_field(format!("spec.{key}"), format!("{title} scales it too: {effect}"));
    diagnostic.help = Some("keep one of the two".to_owned());
    diagnostic.related.push(Related { file, span, message: "the other autoscaler".to_owned() });
}

pub(super) fn hpa_duplicate_target(cx: &mut Cx<'_>) {
    let kind = cx.object.kind.clone();
    // The second of the two is told.
    if let Some(other) = rival(cx, &kind).filter(|other| *other < cx.id) {
        report_rival(cx, other, "neither scales then");
    }
}

pub(super) fn hpa_vpa_keda_conflict(cx: &mut Cx<'_>) {
    if let Some(other) = rival(cx, "ScaledObject") {
        return report_rival(cx, other, "KEDA makes an autoscaler of its own, and the two undo each other's steps");
    }
    let measures = |resource: &str| utilization_metrics(cx.root).iter().any(|(measured, _)| *measured == resource);
    let Some(other) = rival(cx, "VerticalPodAutoscaler") else { return };
    let policy = cx.bundle.full(other);
    let is_off = policy.at(&["spec", "updatePolicy", "updateMode"]).and_then(View::str) == Some("Off");
    let policies = policy.at(&["spec", "resourcePolicy", "containerPolicies"]).into_iter().flat_map(View::items);
    let controlled: Vec<&str> =
        policies.into_iter().flat_map(|policy| policy.list("controlledResources")).filter_map(View::str).collect();
    let shared = ["cpu", "memory"]
        .into_iter()
        .find(|resource| measures(resource) && (controlled.is_empty() || controlled.contains(resource)));
    if let Some(resource) = shared.filter(|_| !is_off) {
        report_rival(cx, other, &format!("it changes the {resource} request that utilization is measured by"));
    }
}

/// Kinds that have no scale.
pub(super) fn hpa_target_not_scalable(cx: &mut Cx<'_>) {
    const FIXED: [&str; 5] = ["DaemonSet", "Job", "CronJob", "Pod", "Service"];
    let Some(kind) = cx.root.at(&["spec", "scaleTargetRef", "kind"]) else { return };
    let text = kind.str().unwrap_or_default();
    if FIXED.contains(&text) {
        let message = format!("a {text} has no number of replicas to scale");
        cx.report(kind, message).help = Some("scale a Deployment or StatefulSet".to_owned());
    }
}
