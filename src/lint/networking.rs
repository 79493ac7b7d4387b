//! Rules on Services and Ingresses.

use super::Cx;
use super::index::{Existence, Workload, may_select};
use super::references::nearest;
use crate::diag::{Related, Severity, Tier};
use crate::model::pod::{ContainerRole, Labels, PodTemplate, map_selects};
use crate::yaml::View;

/// The selector of a Service that selects pods.
fn selector<'a>(cx: &Cx<'a>) -> Option<View<'a>> {
    let spec = cx.root.get("spec").filter(|_| cx.is("", "Service"))?;
    spec.get("selector").filter(|selector| !selector.is_empty() && spec.get_str("type") != Some("ExternalName"))
}

/// A selector that no pod of the set has the labels for.
pub(super) fn service_no_match(cx: &mut Cx<'_>) {
    let Some(selector) = selector(cx) else { return };
    let workloads = cx.index.workloads(cx.object);
    let likely = cx.index.with_label(cx.object, Some(selector));
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let live = cx.index.live.workloads(&namespace);
    let matched =
        likely.iter().any(|workload| may_select(selector, &cx.bundle.object(workload.id).name, &workload.labels))
            || live.iter().any(|workload| map_selects(selector, &workload.labels))
            || cx.index.live.is_unread("Pod", "");
    let wanted: Vec<(&str, &str)> = selector.fields().filter_map(|(key, value)| Some((key, value.str()?))).collect();
    if matched || cx.index.may_hide(cx.object, wanted.iter().map(|(_, value)| *value)) {
        return;
    }
    // Of several Services one in a namespace without workloads, which fits no pod elsewhere, is for pods of others.
    let elsewhere =
        !cx.index.live.is_known() && cx.index.of_kind(cx.object, "Service").len() > 1 && workloads.is_empty();
    let strangers = cx.index.selected_anywhere(cx.object, selector);
    if elsewhere && strangers.is_none() {
        return;
    }
    let shown: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let owner = |workload: &Workload<'_>| cx.bundle.object(workload.id).title();
    let near = nearest_labels(&wanted, workloads);
    let help = match (&near, strangers) {
        (Some((workload, key, value)), _) => {
            format!("did you mean `{key}: {value}`, which the pods of {} have?", owner(workload))
        }
        (None, Some(workload)) => {
            format!("the pods of {} have them; a Service reaches only pods of its own namespace", owner(workload))
        }
        (None, None) => {
            format!("give the pods these labels, or select labels that they have, in namespace {namespace}")
        }
    };
    let related = near.map(|(workload, ..)| workload).or(strangers).map(|workload| {
        let field = workload.template.path.trim_end_matches("spec").to_owned() + "metadata.labels";
        let (file, span) = cx.place_in(workload.id, &field);
        Related { file, span, message: format!("labels of the pods of {}", owner(workload)) }
    });
    let place = match strangers {
        Some(_) => format!("in namespace {namespace}"),
        None => cx.index.place().to_owned(),
    };
    let message = format!("no pod {place} has the labels {}", shown.join(","));
    let spec = cx.root.get("spec").unwrap_or(cx.root);
    let diagnostic = cx.report_key(spec, "selector", message);
    diagnostic.help = Some(help);
    diagnostic.related.extend(related);
}

/// The label that a typo in the selector most likely meant: all others match, this one nearly.
fn nearest_labels<'w, 'a>(
    wanted: &[(&str, &str)],
    workloads: &'w [Workload<'a>],
) -> Option<(&'w Workload<'a>, &'a str, &'a str)> {
    let mut candidates = Vec::new();
    for workload in workloads {
        let wrong: Vec<&(&str, &str)> =
            wanted.iter().filter(|(key, value)| workload.labels.get(key) != Some(value)).collect();
        if let [(key, value)] = wrong[..]
            && let Some((key, value, distance)) = near_label(key, value, &workload.labels)
        {
            candidates.push((distance, workload, key, value));
        }
    }
    let best = candidates.into_iter().min_by_key(|(distance, ..)| *distance)?;
    Some((best.1, best.2, best.3))
}

fn near_label<'a>(key: &str, value: &str, labels: &Labels<'a>) -> Option<(&'a str, &'a str, usize)> {
    let near = labels.iter().map(|(other_key, other)| {
        (*other_key, *other, strsim::osa_distance(key, other_key) + strsim::osa_distance(value, other))
    });
    near.min_by_key(|(.., distance)| *distance).filter(|(.., distance)| *distance <= 1 + value.len() / 4)
}

/// A targetPort that no container of the selected pods has: by name an error, by number a remark.
pub(super) fn service_targetport_missing(cx: &mut Cx<'_>) {
    let Some(selector) = selector(cx) else { return };
    let mut matched = cx.index.with_label(cx.object, Some(selector));
    matched.retain(|workload| map_selects(selector, &workload.labels));
    if matched.is_empty() {
        return;
    }
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let live = cx.index.live.workloads(&namespace).iter();
    let live = live.filter(|workload| map_selects(selector, &workload.labels)).map(|workload| &workload.template);
    let templates = matched.iter().map(|workload| &workload.template).chain(live);
    let templates: Vec<&PodTemplate<'_>> = templates.collect();
    let names: Vec<&str> = templates.iter().flat_map(|template| port_names(template)).collect();
    let numbers: Vec<i64> = templates.iter().flat_map(|template| port_numbers(template)).collect();
    for port in cx.root.get("spec").into_iter().flat_map(|spec| spec.list("ports")) {
        let Some(target) = port.get("targetPort") else { continue };
        if let Some(number) = target.int().filter(|number| *number != 0) {
            if !numbers.is_empty() && !numbers.contains(&number) {
                undeclared(cx, port, number);
            }
            continue;
        }
        let Some(name) = target.str().filter(|name| !names.contains(name)) else { continue };
        let owners: Vec<String> = matched.iter().map(|workload| cx.bundle.object(workload.id).title()).collect();
        let help = match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "name the container's port so, or use its number".to_owned(),
            None => format!("the pods have the ports {}", names.join(", ")),
        };
        let message = format!("no container of {} has a port named `{name}`", owners.join(", "));
        cx.report(target, message).help = Some(help);
    }
}

/// A number that no container declares may be listened on all the same.
fn undeclared<'a>(cx: &mut Cx<'a>, port: View<'a>, number: i64) {
    let message = format!("no container of the pods declares the port {number}");
    let diagnostic = cx.report_key(port, "targetPort", message);
    diagnostic.help = Some("name a port that they listen on, or declare this one".to_owned());
    (diagnostic.severity, diagnostic.tier) = (Some(Severity::Info), Some(Tier::Strict));
}

/// The ports of the containers that serve.
fn ports<'a>(template: &PodTemplate<'a>) -> impl Iterator<Item = View<'a>> {
    let containers = template.containers();
    let serving = containers.filter(|c| matches!(c.role, ContainerRole::Main | ContainerRole::Sidecar));
    serving.flat_map(|container| container.view.list("ports"))
}

fn port_names<'a>(template: &PodTemplate<'a>) -> Vec<&'a str> {
    ports(template).filter_map(|port| port.get_str("name")).collect()
}

fn port_numbers(template: &PodTemplate<'_>) -> Vec<i64> {
    ports(template).filter_map(|port| port.get_int("containerPort")).collect()
}

const OTHER_PORT: &str = "choose another port between 30000 and 32767, or leave nodePort out";

/// Two Services that claim one nodePort, one of which may be in the cluster; ports outside of the range are the API server's to refuse.
pub(super) fn nodeport_collision(cx: &mut Cx<'_>) {
    if !cx.is("", "Service") {
        return;
    }
    let claims = |root: View<'_>| -> Vec<(i64, String)> {
        let ports = root.get("spec").into_iter().flat_map(|spec| spec.list("ports"));
        let claim = |port: View<'_>| {
            let number = port.get_int("nodePort").filter(|number| *number != 0)?;
            Some((number, port.get_str("protocol").unwrap_or("TCP").to_owned()))
        };
        ports.filter_map(claim).collect()
    };
    if claims(cx.root).is_empty() {
        return;
    }
    let earlier: Vec<_> = cx.index.of_kind(cx.object, "Service").iter().take_while(|id| **id != cx.id).collect();
    for port in cx.root.get("spec").into_iter().flat_map(|spec| spec.list("ports")) {
        let Some(node_port) = port.get("nodePort") else { continue };
        let claim = (node_port.int().unwrap_or(0), port.get_str("protocol").unwrap_or("TCP").to_owned());
        let taken = earlier.iter().find(|id| {
            let other = cx.bundle.object(***id);
            other.key() != cx.object.key() && claims(cx.bundle.full(***id)).contains(&claim)
        });
        let Some(other) = taken.map(|id| **id).filter(|_| claim.0 != 0) else {
            let live = cx.index.live.of_kind("Service").iter().find(|live| claims(live.root).contains(&claim));
            if let Some(live) = live.filter(|_| claim.0 != 0) {
                let message =
                    format!("nodePort {} is already taken by {} in the cluster", claim.0, live.object.title());
                cx.report(node_port, message).help = Some(OTHER_PORT.to_owned());
            }
            continue;
        };
        let title = cx.bundle.object(other).title();
        let index = claims(cx.bundle.full(other)).iter().position(|other| *other == claim).unwrap_or(0);
        let (file, span) = cx.place_in(other, &format!("spec.ports[{index}].nodePort"));
        let diagnostic = cx.report(node_port, format!("nodePort {} is already taken by {title}", claim.0));
        diagnostic.help = Some(OTHER_PORT.to_owned());
        diagnostic.related.push(Related { file, span, message: "taken here".to_owned() });
    }
}

/// An Ingress backend whose Service, or whose port of it, is missing.
pub(super) fn ingress_backend_missing(cx: &mut Cx<'_>) {
    if cx.object.kind != "Ingress" {
        return;
    }
    let Some(spec) = cx.root.get("spec") else { return };
    let rules = spec.list("rules").filter_map(|rule| rule.get("http")).flat_map(|http| http.list("paths"));
    let backends: Vec<View<'_>> =
        rules.filter_map(|path| path.get("backend")).chain(spec.get("defaultBackend")).collect();
    for service in backends.into_iter().filter_map(|backend| backend.get("service")) {
        backend(cx, service);
    }
}

fn backend<'a>(cx: &mut Cx<'a>, service: View<'a>) {
    let Some(name) = service.get("name") else { return };
    let text = name.str().unwrap_or_default();
    // The AWS controller takes actions from annotations under this port name.
    if text.is_empty() || service.at(&["port", "name"]).and_then(View::str) == Some("use-annotation") {
        return;
    }
    let (id, found) = match cx.index.find(cx.object, "Service", text) {
        Existence::Found(id) => (Some(id), cx.bundle.full(id)),
        Existence::Live(found) => (None, found),
        Existence::Maybe => return,
        Existence::Missing => {
            let names = cx.index.names(cx.object, "Service");
            let help = match nearest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add the Service, or name it under `assumeExists` in kplan.yaml".to_owned(),
            };
            cx.report(name, format!("Service `{text}` is not {}", cx.index.place())).help = Some(help);
            return;
        }
    };
    let (number, port_name) = (service.at(&["port", "number"]), service.at(&["port", "name"]));
    let Some(wanted) = number.or(port_name) else { return };
    let ports: Vec<View<'_>> = found.get("spec").into_iter().flat_map(|spec| spec.list("ports")).collect();
    let serves = |port: &View<'_>| match wanted.int() {
        Some(number) => port.get_int("port") == Some(number),
        None => port.get_str("name") == wanted.str(),
    };
    if ports.is_empty() || ports.iter().any(serves) {
        return;
    }
    let has: Vec<String> = ports
        .iter()
        .filter_map(|port| {
            let number = port.get_int("port")?;
            Some(port.get_str("name").map_or(number.to_string(), |name| format!("{number} ({name})")))
        })
        .collect();
    let place = id.map(|id| cx.place_in(id, "spec.ports"));
    let diagnostic = cx.report(wanted, format!("Service `{text}` has no port {}", wanted.written()));
    diagnostic.help = Some(format!("it has {}", has.join(", ")));
    let related = place.map(|(file, span)| Related { file, span, message: "its ports".to_owned() });
    diagnostic.related.extend(related);
}
