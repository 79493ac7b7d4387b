//! Rules on what containers request and may use.

use super::Cx;
use super::pod::{Effective, containers};
use crate::admission::Plugin;
use crate::model::pod::{ContainerRole, PodTemplate};
use crate::model::quantity::Quantity;
use crate::yaml::View;

pub(super) fn quantity(view: Option<View<'_>>) -> Option<Quantity> {
    let view = view?;
    let text = view.str().map_or_else(|| view.to_json(), str::to_owned);
    Quantity::parse(&text).ok()
}

/// Containers that lack an amount, which neither their pod nor a LimitRange of the namespace gives them.
fn lacking<'a>(cx: &Cx<'a>, list: &str, resource: &str) -> Vec<Effective<'a>> {
    let Some(template) = cx.template() else { return Vec::new() };
    let given = template.spec.at(&["resources", list, resource]).is_some();
    let mut all = containers(&template);
    // Init containers end before the others begin: what those request holds for them too.
    all.retain(|container| {
        let own = container.view.at(&["resources", list, resource]).is_some();
        let limit = list == "requests" && container.view.at(&["resources", "limits", resource]).is_some();
        container.is_serving() && !given && !own && !limit
    });
    all
}

fn missing(cx: &mut Cx<'_>, list: &str, resource: &str, message: &str) {
    for container in lacking(cx, list, resource) {
        let help = format!("set resources.{list}.{resource}, from what it uses");
        let message = format!("container `{}` {message}", container.name());
        cx.report_key(container.view, "resources", message).help = Some(help);
    }
}

pub(super) fn cpu_request_missing(cx: &mut Cx<'_>) {
    missing(cx, "requests", "cpu", "requests no CPU: it is placed as if it needed none, and gets what others leave");
}

pub(super) fn memory_request_missing(cx: &mut Cx<'_>) {
    missing(cx, "requests", "memory", "requests no memory: it is placed as if it needed none, and is evicted first");
}

pub(super) fn cpu_limit_missing(cx: &mut Cx<'_>) {
    missing(cx, "limits", "cpu", "has no CPU limit");
}

pub(super) fn memory_limit_missing(cx: &mut Cx<'_>) {
    missing(cx, "limits", "memory", "has no memory limit: when it leaks, its node runs out of memory");
}

/// `cpu: 500` is five hundred cores.
pub(super) fn cpu_unit_missing(cx: &mut Cx<'_>) {
    let most = cx.params.int("cores").unwrap_or(i64::MAX);
    let Some(template) = cx.template() else { return };
    for container in template.containers() {
        for list in ["requests", "limits"] {
            let Some(value) = container.view.at(&["resources", list, "cpu"]) else { continue };
            let Some(cores) = quantity(Some(value)).filter(|cores| cores.value_saturating() >= most) else { continue };
            let number = cores.value_saturating();
            let message = format!("`cpu: {number}` is {number} cores, more than any machine has");
            cx.report(value, message).help = Some(format!("write `{number}m` for {number} thousandths of a core"));
        }
    }
}

/// An init container that makes the pod request more than it uses once it runs.
pub(super) fn init_request_dominates(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let all = containers(&template);
    let factor = cx.params.int("factor").unwrap_or(i64::MAX);
    for resource in ["cpu", "memory"] {
        let requested = |container: &Effective<'_>| {
            quantity(container.view.at(&["resources", "requests", resource])).map_or(0, |q| q.milli_value_saturating())
        };
        let serving = all.iter().filter(|c| c.is_serving()).map(requested).fold(0i64, i64::saturating_add);
        for container in all.iter().filter(|container| container.role == ContainerRole::Init) {
            let own = requested(container);
            if serving == 0 || own <= serving.saturating_mul(factor) {
                continue;
            }
            let Some(value) = container.view.at(&["resources", "requests", resource]) else { continue };
            let message = format!(
                "init container `{}` makes the pod hold {} of {resource} for good, more than {} what the others request",
                container.name(),
                value.written(),
                if factor == 2 { "twice".to_owned() } else { format!("{factor} times") }
            );
            cx.report(value, message).help = Some("lower its request, or do its work in a Job".to_owned());
        }
    }
}

/// Files in memory count against the limits of the containers that write them.
pub(super) fn emptydir_memory_over_limit(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for volume in template.spec.list("volumes") {
        let Some(empty) = volume.get("emptyDir").filter(|empty| empty.get_str("medium") == Some("Memory")) else {
            continue;
        };
        let Some(size) = quantity(empty.get("sizeLimit")) else { continue };
        let name = volume.get_str("name").unwrap_or_default();
        let mounts = |view: View<'_>| view.list("volumeMounts").any(|mount| mount.get_str("name") == Some(name));
        for container in containers(&template).into_iter().filter(|container| mounts(container.view)) {
            let Some(limit) = quantity(container.view.at(&["resources", "limits", "memory"])) else { continue };
            if size <= limit {
                continue;
            }
            let message = format!(
                "the volume `{name}` may grow to {} in memory, and container `{}` is killed at {}",
                size.canonical(),
                container.name(),
                limit.canonical()
            );
            cx.report_key(empty, "sizeLimit", message).help =
                Some("lower sizeLimit, or raise the container's memory limit".to_owned());
        }
    }
}

/// What admission says of the pods that a workload would make: the workload is taken, and none of them is.
fn refused_pods<'a>(cx: &Cx<'a>, plugin: Plugin) -> Option<(PodTemplate<'a>, String)> {
    // A Pod is refused itself, and validation says so.
    if cx.object.kind == "Pod" || cx.object.kind == "PodTemplate" {
        return None;
    }
    let template = cx.template()?;
    let refused = cx.index.refuses_pod(cx.object, &template)?;
    (refused.plugin == plugin).then_some((template, refused.message))
}

pub(super) fn psa_namespace_conflict(cx: &mut Cx<'_>) {
    let Some((template, words)) = refused_pods(cx, Plugin::PodSecurity) else { return };
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let message = format!("no pod of it is created in namespace {namespace}: {words}");
    let help = "set what the message asks for, or give the pods a namespace with another level";
    cx.report_field(template.path.to_owned(), message).help = Some(help.to_owned());
}

/// Enforced and warned levels are told by the server's own words; these nobody sees but the audit log.
pub(super) fn psa_audit_violation(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let Some(words) = cx.index.audited_pod(cx.object, &template) else { return };
    let message = format!("the audit log says that it {words}");
    let help = "set what the message asks for, before the level is enforced";
    cx.report_field(template.path.to_owned(), message).help = Some(help.to_owned());
}

pub(super) fn limitrange_violation(cx: &mut Cx<'_>) {
    let Some((template, words)) = refused_pods(cx, Plugin::LimitRanger) else { return };
    let message = format!("no pod of it is created: a LimitRange says {words}");
    let help = "bring the amounts within the LimitRange, or change that";
    cx.report_field(format!("{}.containers", template.path), message).help = Some(help.to_owned());
}
