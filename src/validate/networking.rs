//! The networking group: Ingresses, IngressClasses, NetworkPolicies.
//!
//! `pkg/apis/networking/validation/validation.go` (Kubernetes 1.36).

use super::content::{
    NameError, NameRule, is_dns1123_label, is_dns1123_subdomain, is_valid_path_segment_name, is_valid_port_name,
    is_valid_port_num, is_wildcard_dns1123_subdomain,
};
use super::errors::{Errors, Shown};
use super::ip::{is_valid_cidr_for_legacy_field, parse_cidr_sloppy, parse_ip_sloppy};
use super::meta::{validate_label_selector, validate_object_meta};
use super::obj::Obj;
use crate::model::names;
use crate::model::path::Path;

/// `IsDomainPrefixedPath` (apimachinery `pkg/util/validation`).
pub(super) fn is_domain_prefixed_path(errs: &mut Errors, value: &str, path: &Path) {
    for error in names::is_domain_prefixed_path(value) {
        match error {
            NameError::Required => errs.required(path, ""),
            NameError::Invalid { value, detail } => errs.invalid(path, value.as_str(), &detail),
        }
    }
}

/// `ValidateNetworkPolicy`.
pub(super) fn validate_network_policy(errs: &mut Errors, policy: Obj) {
    validate_object_meta(errs, policy.at("metadata"), NameRule::Subdomain);
    validate_network_policy_spec(errs, policy.at("spec"), Obj::NONE, &Path::root("spec"));
}

/// The ranges of an old policy, which may stay as they are.
fn old_ranges(old: Obj<'_>) -> Vec<&str> {
    let mut ranges = Vec::new();
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        for block in old.list(list).flat_map(|rule| rule.list(peers)).map(|peer| peer.at("ipBlock")) {
            ranges.push(block.str("cidr"));
            ranges.extend(block.strings("except"));
        }
    }
    ranges
}

/// `ValidateNetworkPolicySpec`.
pub(super) fn validate_network_policy_spec(errs: &mut Errors, spec: Obj, old: Obj, path: &Path) {
    validate_label_selector(errs, spec.at("podSelector"), &path.child("podSelector"));
    let old = old_ranges(old);
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        let rules = path.child(list);
        for (index, rule) in spec.list(list).enumerate() {
            let at = rules.index(index);
            let ports = at.child("ports");
            for (place, port) in rule.list("ports").enumerate() {
                validate_network_policy_port(errs, port, &ports.index(place));
            }
            let peers_path = at.child(peers);
            for (place, peer) in rule.list(peers).enumerate() {
                validate_network_policy_peer(errs, peer, &old, &peers_path.index(place));
            }
        }
    }
    let types = path.child("policyTypes");
    let given = spec.strings("policyTypes");
    if given.len() > 2 {
        errs.invalid(&types, spec.at("policyTypes"), "may not specify more than two policyTypes");
        return;
    }
    for (index, kind) in given.into_iter().enumerate() {
        if !["Ingress", "Egress"].contains(&kind) {
            errs.not_supported(&types.index(index), Shown::Typed(kind), &["Ingress", "Egress"]);
        }
    }
}

/// `ValidateNetworkPolicyPort`.
fn validate_network_policy_port(errs: &mut Errors, port: Obj, path: &Path) {
    let protocols = ["TCP", "UDP", "SCTP"];
    if let Some(protocol) = port.opt_str("protocol").filter(|protocol| !protocols.contains(protocol)) {
        errs.not_supported(&path.child("protocol"), Shown::Typed(protocol), &protocols);
    }
    let (at, end_path) = (path.child("port"), path.child("endPort"));
    let (number, end) = (port.at("port"), port.opt_int("endPort"));
    if let Some(name) = number.0.and_then(crate::yaml::View::str) {
        if let Some(end) = end {
            errs.invalid(&end_path, end, "may not be specified when `port` is non-numeric");
        }
        errs.invalid_each(&at, name, &is_valid_port_name(name));
    } else if number.has() {
        let number = number.number();
        for message in is_valid_port_num(number) {
            errs.invalid(&at, number, &message);
        }
        if let Some(end) = end {
            if end < number {
                errs.invalid(&end_path, number, "must be greater than or equal to `port`");
            }
            for message in is_valid_port_num(end) {
                errs.invalid(&end_path, end, &message);
            }
        }
    } else if let Some(end) = end {
        errs.invalid(&end_path, end, "may not be specified when `port` is not specified");
    }
}

/// `ValidateNetworkPolicyPeer`.
fn validate_network_policy_peer(errs: &mut Errors, peer: Obj, old: &[&str], path: &Path) {
    let mut peers = 0;
    for key in ["podSelector", "namespaceSelector"] {
        if peer.at(key).has() {
            peers += 1;
            validate_label_selector(errs, peer.at(key), &path.child(key));
        }
    }
    let block = peer.at("ipBlock");
    if block.has() {
        peers += 1;
        validate_ip_block(errs, block, old, &path.child("ipBlock"));
    }
    if peers == 0 {
        errs.required(path, "must specify a peer");
    } else if peers > 1 && block.has() {
        errs.forbidden(path, "may not specify both ipBlock and another peer");
    }
}

/// `ValidateIPBlock`.
fn validate_ip_block(errs: &mut Errors, block: Obj, old: &[&str], path: &Path) {
    let cidr = block.str("cidr");
    if cidr.is_empty() {
        errs.required(&path.child("cidr"), "");
        return;
    }
    is_valid_cidr_for_legacy_field(errs, &path.child("cidr"), cidr, old);
    let Some(cidr) = parse_cidr_sloppy(cidr) else {
        return;
    };
    let except = path.child("except");
    for (index, text) in block.strings("except").into_iter().enumerate() {
        let at = except.index(index);
        is_valid_cidr_for_legacy_field(errs, &at, text, old);
        if let Some(inner) = parse_cidr_sloppy(text)
            && (!cidr.contains(inner.network()) || cidr.prefix >= inner.prefix)
        {
            errs.invalid(&at, text, "must be a strict subset of `cidr`");
        }
    }
}

/// `ValidateIngressCreate`.
pub(super) fn validate_ingress_create(errs: &mut Errors, ingress: Obj) {
    let metadata = ingress.at("metadata");
    validate_ingress(errs, ingress);
    let name = "kubernetes.io/ingress.class";
    if let Some(class) = ingress.at("spec").opt_str("ingressClassName")
        && let Some(old) = metadata.at("annotations").entry(name).filter(|old| *old != class)
    {
        let annotations = Path::root("annotations");
        errs.invalid(&annotations.child(name), old, "must match `ingressClassName` when both are specified");
    }
}

/// `validateIngress`.
pub(super) fn validate_ingress(errs: &mut Errors, ingress: Obj) {
    validate_object_meta(errs, ingress.at("metadata"), NameRule::Subdomain);
    validate_ingress_spec(errs, ingress.at("spec"), &Path::root("spec"));
}

/// `ValidateIngressSpec`.
fn validate_ingress_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    if spec.len("rules") == 0 && !spec.at("defaultBackend").has() {
        let shown = if spec.at("rules").has() { "[]" } else { "null" };
        let detail = "either `defaultBackend` or `rules` must be specified";
        errs.invalid(path, Shown::Json(shown.to_owned()), detail);
    }
    if spec.at("defaultBackend").has() {
        validate_ingress_backend(errs, spec.at("defaultBackend"), &path.child("defaultBackend"));
    }
    let rules = path.child("rules");
    for (index, rule) in spec.list("rules").enumerate() {
        let at = rules.index(index);
        validate_ingress_host(errs, rule.str("host"), &at.child("host"));
        let http = rule.at("http");
        if http.has() {
            validate_http_ingress_rule_value(errs, http, &at.child("http"));
        }
    }
    validate_ingress_tls(errs, spec, &path.child("tls"));
    if let Some(class) = spec.opt_str("ingressClassName") {
        errs.invalid_each(&path.child("ingressClassName"), class, &is_dns1123_subdomain(class));
    }
}

fn validate_ingress_host(errs: &mut Errors, host: &str, path: &Path) {
    if host.is_empty() {
        return;
    }
    if parse_ip_sloppy(host).is_some() {
        errs.invalid(path, host, "must be a DNS name, not an IP address");
    }
    errs.invalid_each(path, host, &host_messages(host));
}

fn host_messages(host: &str) -> Vec<String> {
    if host.contains('*') { is_wildcard_dns1123_subdomain(host) } else { is_dns1123_subdomain(host) }
}

/// `validateIngressTLS`.
fn validate_ingress_tls(errs: &mut Errors, spec: Obj, path: &Path) {
    for (index, tls) in spec.list("tls").enumerate() {
        let at = path.index(index);
        let hosts = at.child("hosts");
        for (place, host) in tls.strings("hosts").into_iter().enumerate() {
            errs.invalid_each(&hosts.index(place), host, &host_messages(host));
        }
        let secret = tls.str("secretName");
        if !secret.is_empty() {
            errs.invalid_each(&at.child("secretName"), secret, &is_dns1123_subdomain(secret));
        }
    }
}

/// `validateHTTPIngressRuleValue`.
fn validate_http_ingress_rule_value(errs: &mut Errors, http: Obj, path: &Path) {
    let paths = path.child("paths");
    if http.len("paths") == 0 {
        errs.required(&paths, "");
    }
    for (index, item) in http.list("paths").enumerate() {
        validate_http_ingress_path(errs, item, &paths.index(index));
    }
}

/// `validateHTTPIngressPath`.
fn validate_http_ingress_path(errs: &mut Errors, item: Obj, path: &Path) {
    let Some(kind) = item.opt_str("pathType") else {
        errs.required(&path.child("pathType"), "pathType must be specified");
        return;
    };
    let at = path.child("path");
    let text = item.str("path");
    match kind {
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                errs.invalid(&at, text, "must be an absolute path");
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"].iter().filter(|part| text.contains(**part)) {
                errs.invalid(&at, text, &format!("must not contain '{part}'"));
            }
            for end in ["/..", "/."].iter().filter(|end| text.ends_with(**end)) {
                errs.invalid(&at, text, &format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                errs.invalid(&at, text, "must be an absolute path");
            }
        }
        _ => {
            let kinds = ["Exact", "ImplementationSpecific", "Prefix"];
            errs.not_supported(&path.child("pathType"), Shown::Typed(kind), &kinds);
        }
    }
    validate_ingress_backend(errs, item.at("backend"), &path.child("backend"));
}

/// `validateIngressBackend`; gate RelaxedServiceNameValidation is on since 1.36.
fn validate_ingress_backend(errs: &mut Errors, backend: Obj, path: &Path) {
    let (resource, service) = (backend.at("resource"), backend.at("service"));
    if resource.has() && service.has() {
        errs.invalid(path, "", "cannot set both resource and service backends");
        return;
    }
    if resource.has() {
        validate_reference(errs, resource, &path.child("resource"));
        return;
    }
    if !service.has() {
        errs.invalid(path, "", "resource or service backend is required");
        return;
    }
    let at = path.child("service");
    let name = service.str("name");
    if name.is_empty() {
        errs.required(&at.child("name"), "");
    } else {
        errs.invalid_each(&at.child("name"), name, &is_dns1123_label(name));
    }
    let port_path = at.child("port");
    let (name, number) = (service.at("port").str("name"), service.at("port").int("number"));
    if !name.is_empty() && number != 0 {
        errs.invalid(path, "", "cannot set both port name & port number");
    } else if !name.is_empty() {
        errs.invalid_each(&port_path.child("name"), name, &is_valid_port_name(name));
    } else if number != 0 {
        for message in is_valid_port_num(number) {
            errs.invalid(&port_path.child("number"), number, &message);
        }
    } else {
        errs.required(path, "port name or number is required");
    }
}

/// `validateIngressTypedLocalObjectReference`.
fn validate_reference(errs: &mut Errors, reference: Obj, path: &Path) {
    if let Some(group) = reference.opt_str("apiGroup") {
        errs.invalid_each(&path.child("apiGroup"), group, &is_dns1123_subdomain(group));
    }
    for key in ["kind", "name"] {
        let value = reference.str(key);
        if value.is_empty() {
            errs.required(&path.child(key), "");
        } else {
            errs.invalid_each(&path.child(key), value, &is_valid_path_segment_name(value));
        }
    }
}

/// `ValidateIngressClass`.
pub(super) fn validate_ingress_class(errs: &mut Errors, class: Obj) {
    validate_object_meta(errs, class.at("metadata"), NameRule::Subdomain);
    validate_ingress_class_spec(errs, class.at("spec"), &Path::root("spec"));
}

/// `validateIngressClassSpec`.
fn validate_ingress_class_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    let controller = spec.str("controller");
    let at = path.child("controller");
    if controller.len() > 250 {
        errs.too_long(&at, 250);
    }
    is_domain_prefixed_path(errs, controller, &at);
    let parameters = spec.at("parameters");
    if !parameters.has() {
        return;
    }
    let at = path.child("parameters");
    validate_reference(errs, parameters, &at);
    let namespace = parameters.opt_str("namespace");
    let namespace_path = at.child("namespace");
    match (parameters.opt_str("scope").unwrap_or("Cluster"), namespace) {
        ("Namespace", None) => errs.required(&namespace_path, "`parameters.scope` is set to 'Namespace'"),
        ("Namespace", Some(name)) => errs.invalid_each(&namespace_path, name, &is_dns1123_label(name)),
        ("Cluster", Some(_)) => errs.forbidden(&namespace_path, "`parameters.scope` is set to 'Cluster'"),
        ("Cluster", None) => {}
        (scope, _) => errs.not_supported(&at.child("scope"), scope, &["Cluster", "Namespace"]),
    }
}
