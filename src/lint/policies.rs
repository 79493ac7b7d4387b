//! Rules on NetworkPolicies.

use super::Cx;
use crate::model::pod::{Labels, selector_selects};
use crate::yaml::View;

/// Labels of the pods that a policy selects.
fn selected<'a>(cx: &Cx<'a>) -> Vec<Labels<'a>> {
    let Some(selector) = cx.root.at(&["spec", "podSelector"]) else { return Vec::new() };
    let all = cx.index.workloads(cx.object).iter();
    all.filter(|workload| selector_selects(selector, &workload.labels))
        .map(|workload| workload.labels.clone())
        .collect()
}

fn is_empty_selector(selector: View<'_>) -> bool {
    ["matchLabels", "matchExpressions"].iter().all(|key| selector.get(key).is_none_or(View::is_empty))
}

pub(super) fn networkpolicy_no_match(cx: &mut Cx<'_>) {
    let Some(selector) = cx.root.at(&["spec", "podSelector"]).filter(|selector| !is_empty_selector(*selector)) else {
        return;
    };
    let wanted = selector.map("matchLabels").filter_map(|(_, value)| value.str());
    // Of several policies those in a namespace without workloads are for pods of others.
    let elsewhere = cx.index.workloads(cx.object).is_empty() && cx.index.of_kind(cx.object, "NetworkPolicy").len() > 1;
    if !selected(cx).is_empty() || cx.index.may_hide(cx.object, wanted) || elsewhere {
        return;
    }
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let live = cx.index.live.workloads(&namespace);
    if live.iter().any(|workload| selector_selects(selector, &workload.labels)) || cx.index.live.is_unread("Pod", "") {
        return;
    }
    let message = format!("the policy selects no pod {}", cx.index.place());
    let help = format!("select labels that pods in namespace {namespace} have");
    cx.report_field("spec.podSelector".to_owned(), message).help = Some(help);
}

/// Rules that policyTypes leaves out are not looked at.
pub(super) fn networkpolicy_rules_ignored(cx: &mut Cx<'_>) {
    let written = cx.bundle.written(cx.id);
    let Some(spec) = written.get("spec") else { return };
    let Some(types) = spec.get("policyTypes").filter(|types| !types.is_empty()) else { return };
    let has = |type_: &str| types.items().any(|item| item.str() == Some(type_));
    for (key, type_) in [("ingress", "Ingress"), ("egress", "Egress")] {
        if spec.get(key).is_some_and(|rules| !rules.is_empty()) && !has(type_) {
            let message = format!("the {key} rules are not looked at: policyTypes does not hold {type_}");
            cx.report_field(format!("spec.{key}"), message).help = Some(format!("add {type_} to policyTypes"));
        }
    }
}

fn rules<'a>(cx: &Cx<'a>, key: &str) -> Vec<View<'a>> {
    cx.root.get("spec").into_iter().flat_map(|spec| spec.list(key)).collect()
}

/// Whether the policy holds for a direction.
fn is_about(cx: &Cx<'_>, type_: &str) -> bool {
    let types = cx.root.at(&["spec", "policyTypes"]).into_iter().flat_map(View::items);
    types.into_iter().any(|item| item.str() == Some(type_))
}

/// Whether a rule allows a port.
fn allows_port(rule: View<'_>, number: i64) -> bool {
    let Some(ports) = rule.get("ports").filter(|ports| !ports.is_empty()) else { return true };
    ports.items().any(|port| {
        let first = port.get("port");
        let last = port.get_int("endPort");
        match first.and_then(View::int) {
            None => first.is_none() || first.and_then(View::str).is_some_and(|name| name.contains("dns")),
            Some(first) => first <= number && number <= last.unwrap_or(first),
        }
    })
}

/// Pods that may send to some places and not ask for their addresses.
pub(super) fn networkpolicy_egress_no_dns(cx: &mut Cx<'_>) {
    let mine = rules(cx, "egress");
    // Without any rule nothing may be sent, and that is meant.
    if !is_about(cx, "Egress")
        || mine.is_empty()
        || mine.iter().any(|rule| allows_port(*rule, 53) || allows_port(*rule, 5353))
    {
        return;
    }
    // Another policy over the same pods may allow it.
    let selector = cx.root.at(&["spec", "podSelector"]);
    let pods = selected(cx);
    let helped = cx.index.of_kind_here(cx.object, "NetworkPolicy").iter().filter(|id| **id != cx.id).any(|id| {
        let root = cx.bundle.full(*id);
        let egress = root.get("spec").into_iter().flat_map(|spec| spec.list("egress"));
        let covers = root.at(&["spec", "podSelector"]).is_some_and(|theirs| {
            is_empty_selector(theirs)
                || selector.is_some_and(|mine| mine.same(theirs))
                || (!pods.is_empty() && pods.iter().all(|labels| selector_selects(theirs, labels)))
        });
        cx.bundle.object(*id).namespace == cx.object.namespace
            && covers
            && egress.into_iter().any(|rule| allows_port(rule, 53))
    });
    // Addresses instead of names need no DNS.
    let only_addresses = mine.iter().all(|rule| {
        rule.get("to").is_some_and(|to| !to.is_empty() && to.items().all(|peer| peer.get("ipBlock").is_some()))
    });
    if helped || only_addresses {
        return;
    }
    let message = "the pods may not ask for any name: no rule allows port 53";
    let help = "allow port 53, UDP and TCP, to the pods of kube-dns in kube-system";
    cx.report_field("spec.egress".to_owned(), message).help = Some(help.to_owned());
}

/// Two peers where one with both conditions looks meant: each of them is let in alone.
pub(super) fn networkpolicy_peer_or(cx: &mut Cx<'_>) {
    for (key, list) in [("ingress", "from"), ("egress", "to")] {
        for peers in rules(cx, key).into_iter().filter_map(|rule| rule.get(list)).collect::<Vec<_>>() {
            let all: Vec<View<'_>> = peers.items().collect();
            let only = |peer: &View<'_>, key: &str| peer.get(key).is_some() && peer.len() == 1;
            if let [namespaces, pods] = all[..]
                && only(&namespaces, "namespaceSelector")
                && only(&pods, "podSelector")
            {
                let message = "two peers let in all pods of those namespaces, and these pods of its own namespace";
                let help = "write podSelector into the first item (without its dash) where both conditions are meant";
                cx.report_key(pods, "podSelector", message).help = Some(help.to_owned());
            }
        }
    }
}

pub(super) fn networkpolicy_allow_all(cx: &mut Cx<'_>) {
    for (key, list, type_) in [("ingress", "from", "Ingress"), ("egress", "to", "Egress")] {
        let open = rules(cx, key).into_iter().find(|rule| {
            let any = |key: &str| rule.get(key).is_none_or(View::is_empty);
            any(list) && any("ports")
        });
        if open.is_some() && is_about(cx, type_) {
            let message = format!("an empty rule allows all {key}, so the policy restricts none");
            cx.report_field(format!("spec.{key}"), message).help = Some("name peers or ports".to_owned());
        }
    }
}

/// A port of the Service where the port of the pod is meant: policies look at pods.
pub(super) fn networkpolicy_port_unexposed(cx: &mut Cx<'_>) {
    let Some(selector) = cx.root.at(&["spec", "podSelector"]) else { return };
    let mut ports: Vec<View<'_>> = Vec::new();
    let matched: Vec<_> =
        cx.index.workloads(cx.object).iter().filter(|w| selector_selects(selector, &w.labels)).collect();
    for workload in &matched {
        ports.extend(workload.template.containers().flat_map(|container| container.view.list("ports")));
    }
    if ports.is_empty() || is_empty_selector(selector) {
        return;
    }
    let services: Vec<View<'_>> =
        cx.index.of_kind_here(cx.object, "Service").iter().map(|id| cx.bundle.full(*id)).collect();
    for rule in rules(cx, "ingress") {
        for port in rule.list("ports").filter(|port| port.get("endPort").is_none()).filter_map(|port| port.get("port"))
        {
            let exposed = |declared: &View<'_>| match port.int() {
                Some(number) => declared.get_int("containerPort") == Some(number),
                None => declared.get_str("name") == port.str(),
            };
            let of_service = |service: &View<'_>| {
                let selects = service.at(&["spec", "selector"]).is_some_and(|selector| {
                    matched.iter().any(|workload| crate::model::pod::map_selects(selector, &workload.labels))
                });
                let ports = service.get("spec").into_iter().flat_map(|spec| spec.list("ports"));
                selects
                    && ports.into_iter().any(|declared| port.int().is_some() && declared.get_int("port") == port.int())
            };
            if ports.iter().any(exposed) || (port.int().is_some() && !services.iter().any(of_service)) {
                continue;
            }
            let message = format!("the pods have no port {}, and policies look at ports of pods", port.written());
            cx.report(port, message).help = Some("give the containerPort, not the port of the Service".to_owned());
        }
    }
}
