//! Rules on Services: how they are exposed, and whom they select.

use core::net::IpAddr;

use super::Cx;
use super::index::{Existence, Workload};
use super::pod::{containers, is_job};
use crate::diag::Related;
use crate::model::names::parse_ip_sloppy;
use crate::model::pod::{map_selects, selector_selects};
use crate::yaml::View;

fn exposed(cx: &mut Cx<'_>, type_: &str, message: &str, help: &str) {
    if let Some(at) = cx.root.at(&["spec", "type"]).filter(|at| at.str() == Some(type_)) {
        cx.report(at, message).help = Some(help.to_owned());
    }
}

pub(super) fn service_nodeport(cx: &mut Cx<'_>) {
    let help = "use ClusterIP behind an Ingress or Gateway";
    exposed(cx, "NodePort", "the Service opens a port on every node", help);
}

pub(super) fn service_loadbalancer(cx: &mut Cx<'_>) {
    let help = "use ClusterIP behind an Ingress or Gateway, or restrict loadBalancerSourceRanges";
    exposed(cx, "LoadBalancer", "the Service is reached from outside of the cluster", help);
}

pub(super) fn service_external_ips(cx: &mut Cx<'_>) {
    let given = cx.root.get("spec").into_iter().flat_map(|spec| spec.list("externalIPs"));
    let mut others = given.filter(|ip| !ip.str().is_some_and(|ip| cx.params.has_like("allowed", ip)));
    if let Some(first) = others.next() {
        let message =
            format!("traffic of the whole cluster to {} is sent to these pods", first.str().unwrap_or_default());
        cx.report(first, message).help = Some("use a LoadBalancer or an Ingress".to_owned());
    }
}

/// An alias, or endpoints that are on the node of whoever asks (CVE-2021-25737).
pub(super) fn service_external_name(cx: &mut Cx<'_>) {
    for address in cx.root.list("endpoints").flat_map(|endpoint| endpoint.list("addresses")) {
        let text = address.str().unwrap_or_default();
        let is_near = parse_ip_sloppy(text).is_some_and(|ip| match ip.to_canonical() {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
        });
        if is_near {
            let message = format!("`{text}` is on the node of whoever asks, and the API server refuses it");
            cx.report(address, message).help = Some("write the address that the pod or server has".to_owned());
        }
    }
    let Some(name) = cx.root.at(&["spec", "externalName"]) else { return };
    let text = name.str().unwrap_or_default();
    if cx.root.at(&["spec", "type"]).and_then(View::str) != Some("ExternalName") {
        return;
    }
    let is_address = parse_ip_sloppy(text).is_some();
    let message = if is_address {
        format!("`{text}` is an address: externalName is looked up as a name, and no server has one of numbers")
    } else {
        format!("whoever asks for this Service is sent to `{text}`, past certificates and policies")
    };
    let help = "use a Service without selector and an EndpointSlice for addresses; else let clients use the name";
    cx.report(name, message).help = Some(help.to_owned());
}

/// The selector of a Service that selects pods.
fn selector<'a>(cx: &Cx<'a>) -> Option<View<'a>> {
    let spec = cx.root.get("spec")?;
    spec.get("selector").filter(|selector| !selector.is_empty() && spec.get_str("type") != Some("ExternalName"))
}

/// A selector that catches the pods of a Job besides those of a workload that serves.
pub(super) fn service_selects_strangers(cx: &mut Cx<'_>) {
    let Some(selector) = selector(cx) else { return };
    let likely = cx.index.with_label(cx.object, Some(selector));
    let matched: Vec<&Workload<'_>> =
        likely.into_iter().filter(|workload| map_selects(selector, &workload.labels)).collect();
    let is_job = |workload: &Workload<'_>| is_job(&cx.bundle.object(workload.id).kind);
    let job = matched.iter().find(|workload| is_job(workload));
    let server = matched.iter().find(|workload| !is_job(workload));
    let (Some(job), Some(server)) = (job, server) else { return };
    let (title, owner) = (cx.bundle.object(job.id).title(), cx.bundle.object(server.id).title());
    let field = job.template.path.trim_end_matches("spec").to_owned() + "metadata.labels";
    let (file, span) = cx.place_in(job.id, &field);
    let message = format!("the selector also selects the pods of {title}, which do not serve what {owner} serves");
    let diagnostic = cx.report_field("spec.selector".to_owned(), message);
    diagnostic.help = Some("select a label that only the pods of the one have".to_owned());
    diagnostic.related.push(Related { file, span, message: format!("labels of the pods of {title}") });
}

/// Two ports of one name in a pod: whoever goes by the name gets the first.
pub(super) fn port_name_duplicate(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let mut seen: Vec<(&str, View<'_>, &str)> = Vec::new();
    for container in containers(&template).into_iter().filter(|container| container.is_serving()) {
        for port in container.view.list("ports") {
            let Some(name) = port.get("name") else { continue };
            let text = name.str().unwrap_or_default();
            let first = seen.iter().find(|(other, ..)| *other == text);
            let Some((_, other, owner)) = first.filter(|(.., owner)| *owner != container.name()) else {
                seen.push((text, port, container.name()));
                continue;
            };
            if other.get_int("containerPort") == port.get_int("containerPort") {
                continue;
            }
            let message = format!("container `{owner}` has a port named `{text}` too, and a Service sends to that one");
            cx.report(name, message).help = Some("give it another name".to_owned());
        }
    }
}

/// Two containers of a pod that say they listen on one port: they share an address.
pub(super) fn pod_port_conflict(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let mut seen: Vec<(i64, &str, &str)> = Vec::new();
    for container in containers(&template).into_iter().filter(|container| container.is_serving()) {
        for port in container.view.list("ports") {
            let Some(at) = port.get("containerPort") else { continue };
            let (number, protocol) = (at.int().unwrap_or(0), port.get_str("protocol").unwrap_or("TCP"));
            match seen.iter().find(|(other, its, _)| *other == number && *its == protocol) {
                Some((.., owner)) if *owner != container.name() => {
                    let message = format!(
                        "container `{owner}` listens on {number}/{protocol} already, and they share an address"
                    );
                    cx.report(at, message).help = Some("let one of the two listen on another port".to_owned());
                }
                Some(_) => {}
                None => seen.push((number, protocol, container.name())),
            }
        }
    }
}

/// A ServiceMonitor that no Service of the set answers, or a port that none of those has.
pub(super) fn servicemonitor_no_match(cx: &mut Cx<'_>) {
    let Some(services) = monitored(cx) else { return };
    if services.is_empty() {
        let message =
            format!("no Service {} has the labels that are selected, so nothing is scraped", cx.index.place());
        cx.report_field("spec.selector".to_owned(), message).help =
            Some("select labels of the Service itself, not of its pods".to_owned());
    }
}

pub(super) fn servicemonitor_port_missing(cx: &mut Cx<'_>) {
    let Some(services) = monitored(cx).filter(|services| !services.is_empty()) else { return };
    let names: Vec<&str> = services
        .iter()
        .flat_map(|service| service.get("spec").into_iter().flat_map(|spec| spec.list("ports")))
        .filter_map(|port| port.get_str("name"))
        .collect();
    for port in cx
        .root
        .get("spec")
        .into_iter()
        .flat_map(|spec| spec.list("endpoints"))
        .filter_map(|e| e.get("port"))
        .collect::<Vec<_>>()
    {
        let text = port.str().unwrap_or_default();
        if !text.is_empty() && !names.contains(&text) {
            let help = match super::references::nearest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "give the name of a port of the Service".to_owned(),
            };
            cx.report(port, format!("no selected Service has a port named `{text}`")).help = Some(help);
        }
    }
}

/// The Services that a monitor selects; `None` where they may stand elsewhere.
fn monitored<'a>(cx: &Cx<'a>) -> Option<Vec<View<'a>>> {
    let spec = cx.root.get("spec")?;
    let selector = spec.get("selector")?;
    let all = spec.at(&["namespaceSelector", "any"]).and_then(View::bool) == Some(true);
    let names: Vec<&str> =
        spec.at(&["namespaceSelector", "matchNames"]).into_iter().flat_map(View::items).filter_map(View::str).collect();
    let own = cx.object.namespace.as_deref().unwrap_or_default();
    let is_meant = |namespace: Option<&str>| {
        all || if names.is_empty() { namespace == Some(own) } else { namespace.is_some_and(|n| names.contains(&n)) }
    };
    let seen = all || names.iter().all(|name| cx.index.has_namespace(cx.object, name));
    if !seen || cx.index.is_open(cx.object, "Service") || cx.index.of_kind(cx.object, "Service").is_empty() {
        return None;
    }
    let services = cx.index.of_kind(cx.object, "Service").iter().map(|id| (cx.bundle.object(*id), cx.bundle.full(*id)));
    let live = cx.index.live.of_kind("Service").iter().map(|live| (live.object, live.root));
    let fits =
        |root: View<'_>| selector_selects(selector, &crate::model::pod::labels(root.at(&["metadata", "labels"])));
    let found = services.chain(live).filter(|(object, root)| is_meant(object.namespace.as_deref()) && fits(*root));
    Some(found.map(|(_, root)| root).collect())
}

/// A webhook whose Service is not there: the API server cannot ask it, and refuses or skips.
pub(super) fn webhook_service_missing(cx: &mut Cx<'_>) {
    for webhook in cx.root.list("webhooks") {
        let Some(service) = webhook.at(&["clientConfig", "service"]) else { continue };
        let (Some(name), Some(namespace)) = (service.get("name"), service.get_str("namespace")) else { continue };
        let text = name.str().unwrap_or_default();
        if !cx.index.has_namespace(cx.object, namespace)
            || cx.index.find_in(cx.object, "Service", namespace, text) != Existence::Missing
        {
            continue;
        }
        let effect = match webhook.get_str("failurePolicy") {
            Some("Ignore") => "so it is never asked",
            _ => "so every request that it is to judge is refused",
        };
        let message = format!("Service `{namespace}/{text}` is not {}, {effect}", cx.index.place());
        cx.report(name, message).help = Some("add the Service, or correct the name and namespace".to_owned());
    }
}

/// A webhook that refuses when it is down, and that its own pods need to come up again.
pub(super) fn webhook_self_lock(cx: &mut Cx<'_>) {
    for webhook in cx.root.list("webhooks") {
        let fails = webhook.get_str("failurePolicy").is_none_or(|policy| policy == "Fail");
        let Some(namespace) = webhook.at(&["clientConfig", "service", "namespace"]) else { continue };
        let rules: Vec<View<'_>> = webhook.list("rules").collect();
        let on_pods = rules.iter().any(|rule| {
            let has = |key: &str, values: &[&str]| {
                rule.list(key).any(|item| item.str().is_some_and(|text| values.contains(&text)))
            };
            has("apiGroups", &["", "*"])
                && has("resources", &["pods", "*", "*/*"])
                && has("operations", &["CREATE", "*"])
        });
        let is_open = |key: &str| {
            webhook.get(key).is_none_or(|selector| {
                ["matchLabels", "matchExpressions"].iter().all(|part| selector.get(part).is_none_or(View::is_empty))
            })
        };
        let conditions = webhook.get("matchConditions").is_some_and(|list| !list.is_empty());
        if !fails || !on_pods || !is_open("namespaceSelector") || !is_open("objectSelector") || conditions {
            continue;
        }
        let text = namespace.str().unwrap_or_default();
        let message = format!("when its pods in {text} are down, it refuses the pods that would replace them");
        let help = format!("leave namespace {text} out by namespaceSelector, or set `failurePolicy: Ignore`");
        cx.report_key(webhook, "name", message).help = Some(help);
    }
}
