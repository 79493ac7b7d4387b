//! Rules on Gateway API: routes, gateways, grants.

use super::Cx;
use super::index::Existence;
use super::references::nearest;
use crate::yaml::View;

const GROUP: &str = "gateway.networking.k8s.io";

/// The Services behind a route.
fn backends<'a>(cx: &Cx<'a>) -> Vec<View<'a>> {
    let rules = cx.root.get("spec").into_iter().flat_map(|spec| spec.list("rules"));
    let references = rules.flat_map(|rule| rule.list("backendRefs"));
    references
        .filter(|r| r.get_str("group").unwrap_or("").is_empty() && r.get_str("kind").unwrap_or("Service") == "Service")
        .collect()
}

fn namespace<'a>(cx: &Cx<'a>, reference: View<'a>) -> String {
    let own = || cx.object.namespace.clone().unwrap_or_default();
    reference.get_str("namespace").map_or_else(own, str::to_owned)
}

pub(super) fn route_backend_missing(cx: &mut Cx<'_>) {
    for reference in backends(cx) {
        let Some(name) = reference.get("name") else { continue };
        let (text, namespace) = (name.str().unwrap_or_default(), namespace(cx, reference));
        let found = match cx.index.find_in(cx.object, "Service", &namespace, text) {
            Existence::Found(id) => cx.bundle.full(id),
            Existence::Live(view) => view,
            Existence::Maybe => continue,
            Existence::Missing => {
                let names = cx.index.names_in(cx.object, "Service", &namespace);
                let help = match nearest(text, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add the Service, or name it under `assumeExists` in kplan.yaml".to_owned(),
                };
                cx.report(name, format!("Service `{text}` is not {}", cx.index.place())).help = Some(help);
                continue;
            }
        };
        let Some(port) = reference.get("port") else { continue };
        let ports: Vec<i64> = found
            .get("spec")
            .into_iter()
            .flat_map(|spec| spec.list("ports"))
            .filter_map(|p| p.get_int("port"))
            .collect();
        if !ports.is_empty() && port.int().is_some_and(|number| !ports.contains(&number)) {
            let has: Vec<String> = ports.iter().map(ToString::to_string).collect();
            let message = format!("Service `{text}` has no port {}", port.written());
            cx.report(port, message).help = Some(format!("it has {}", has.join(", ")));
        }
    }
}

/// A Gateway of the set that a route hangs on, or a listener of it, that is not there.
pub(super) fn gateway_ref_missing(cx: &mut Cx<'_>) {
    let parents = cx.root.get("spec").into_iter().flat_map(|spec| spec.list("parentRefs"));
    for parent in parents.filter(|p| p.get_str("kind").unwrap_or("Gateway") == "Gateway").collect::<Vec<_>>() {
        let Some(name) = parent.get("name") else { continue };
        let (text, namespace) = (name.str().unwrap_or_default(), namespace(cx, parent));
        // Gateways are mostly the platform's: only a set that has some says which there are.
        let seen = cx.index.live.knows("Gateway", &namespace) || !cx.index.of_kind(cx.object, "Gateway").is_empty();
        let root = match cx.index.find_in(cx.object, "Gateway", &namespace, text) {
            Existence::Found(id) => cx.bundle.full(id),
            Existence::Live(view) => view,
            Existence::Missing if seen => {
                let message =
                    format!("Gateway `{namespace}/{text}` is not {}, so the route is not served", cx.index.place());
                cx.report(name, message).help = Some("correct the name or the namespace".to_owned());
                continue;
            }
            _ => continue,
        };
        let Some(section) = parent.get("sectionName") else { continue };
        let wanted = section.str().unwrap_or_default();
        let names: Vec<&str> = root
            .get("spec")
            .into_iter()
            .flat_map(|spec| spec.list("listeners"))
            .filter_map(|l| l.get_str("name"))
            .collect();
        if !names.is_empty() && !names.contains(&wanted) {
            let message = format!("Gateway `{text}` has no listener named `{wanted}`");
            cx.report(section, message).help = Some(format!("it has {}", names.join(", ")));
        }
    }
}

pub(super) fn gateway_duplicate_listener(cx: &mut Cx<'_>) {
    let mut seen: Vec<(i64, &str, &str, &str)> = Vec::new();
    for listener in cx.root.get("spec").into_iter().flat_map(|spec| spec.list("listeners")) {
        let (port, protocol) =
            (listener.get_int("port").unwrap_or(0), listener.get_str("protocol").unwrap_or_default());
        let host = listener.get_str("hostname").unwrap_or_default();
        let name = listener.get_str("name").unwrap_or_default();
        if let Some((.., other)) = seen.iter().find(|(p, q, h, _)| (*p, *q, *h) == (port, protocol, host)) {
            let message = format!("listener `{other}` has the same port, protocol and hostname, so neither is served");
            cx.report_key(listener, "port", message).help = Some("change the port or the hostname of one".to_owned());
            continue;
        }
        seen.push((port, protocol, host, name));
    }
}

/// A reference into another namespace that no ReferenceGrant there allows.
pub(super) fn reference_grant_missing(cx: &mut Cx<'_>) {
    let own = cx.object.namespace.clone().unwrap_or_default();
    let routes = backends(cx).into_iter().map(|reference| (reference, "Service"));
    let listeners = cx.root.get("spec").into_iter().flat_map(|spec| spec.list("listeners"));
    let certificates = listeners.filter_map(|l| l.get("tls")).flat_map(|tls| tls.list("certificateRefs"));
    let all: Vec<_> = routes.chain(certificates.map(|reference| (reference, "Secret"))).collect();
    for (reference, kind) in all {
        let Some(namespace) = reference.get("namespace") else { continue };
        let (there, name) = (namespace.str().unwrap_or_default(), reference.get_str("name").unwrap_or_default());
        // Of a namespace that is not seen nothing is known.
        if there == own || !cx.index.has_namespace(cx.object, there) || cx.index.is_open(cx.object, "ReferenceGrant") {
            continue;
        }
        let grants = cx.index.of_kind(cx.object, "ReferenceGrant").iter();
        let here = grants
            .filter(|id| cx.bundle.object(**id).namespace.as_deref() == Some(there))
            .map(|id| cx.bundle.full(*id));
        let live = cx.index.live.of_kind("ReferenceGrant").iter();
        let live = live.filter(|live| live.object.namespace.as_deref() == Some(there)).map(|live| live.root);
        if here.chain(live).any(|grant| allows(grant, &cx.object.kind, &own, kind, name)) {
            continue;
        }
        let message = format!("no ReferenceGrant in {there} lets a {} of {own} use {kind} `{name}`", cx.object.kind);
        let help = format!("add a ReferenceGrant to {there}, or move one of the two");
        cx.report(namespace, message).help = Some(help);
    }
}

fn allows(grant: View<'_>, from_kind: &str, from: &str, kind: &str, name: &str) -> bool {
    let Some(spec) = grant.get("spec") else { return false };
    let is_from = spec.list("from").any(|item| {
        item.get_str("group") == Some(GROUP)
            && item.get_str("kind") == Some(from_kind)
            && item.get_str("namespace") == Some(from)
    });
    let mut to = spec.list("to");
    is_from && to.any(|item| item.get_str("kind") == Some(kind) && item.get_str("name").is_none_or(|only| only == name))
}
