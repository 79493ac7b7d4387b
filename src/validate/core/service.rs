//! Services.
//!
//! `pkg/apis/core/validation/validation.go`; what create fills in before: `pkg/registry/core/service/storage`
//! (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::content::{NameRule, is_valid_port_num};
use super::super::errors::{Errors, Shown, json_string};
use super::super::ip::{is_dual_stack, is_ipv6_string, is_valid_cidr_for_legacy_field, is_valid_ip_for_legacy_field};
use super::super::meta::{
    validate_dns1123_label, validate_dns1123_subdomain, validate_labels, validate_object_meta, validate_qualified_name,
};
use super::super::obj::Obj;
use super::container::validate_protocol;
use super::endpoints::validate_endpoint_ip;
use super::probe::validate_port_num_or_name;
use super::security::one_of;
use crate::model::path::Path;

const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ONLY_LOAD_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";

/// A service with what the API server fills in before it validates.
#[derive(Clone, Copy)]
pub(super) struct Service<'a> {
    pub(super) metadata: Obj<'a>,
    pub(super) spec: Obj<'a>,
    pub(super) old: Obj<'a>,
}

impl<'a> Service<'a> {
    pub(super) fn new(service: Obj<'a>, old: Obj<'a>) -> Service<'a> {
        Service { metadata: service.at("metadata"), spec: service.at("spec"), old: old.at("spec") }
    }

    pub(super) fn kind(self) -> &'a str {
        match self.spec.str("type") {
            "" => "ClusterIP",
            kind => kind,
        }
    }

    /// Whether addresses that are left out stay those of the old service (`patchAllocatedValues`).
    fn keeps_addresses(self) -> bool {
        self.old.has() && ![self.kind(), self.old.str("type")].contains(&"ExternalName")
    }

    /// `clusterIP`.
    fn cluster_ip(self) -> &'a str {
        match self.spec.str("clusterIP") {
            "" if self.keeps_addresses() => self.old.str("clusterIP"),
            ip => ip,
        }
    }

    /// `clusterIPs`, or the one of `clusterIP` (`NormalizeClusterIPs`).
    pub(super) fn cluster_ips(self) -> Vec<&'a str> {
        let primary = self.cluster_ip();
        let moved = self.old.has() && primary != self.old.str("clusterIP");
        let mut ips = self.spec.strings("clusterIPs");
        if ips.is_empty() && !moved && self.keeps_addresses() {
            ips = self.old.strings("clusterIPs");
        }
        // Of an old pair only the singular one was changed.
        let alone = ips.is_empty() || moved && ips == self.old.strings("clusterIPs");
        if alone && !primary.is_empty() { vec![primary] } else { ips }
    }

    pub(super) fn is_headless(self) -> bool {
        self.cluster_ips() == ["None"]
    }

    /// `ExternallyAccessible`.
    pub(super) fn externally_accessible(self) -> bool {
        match self.kind() {
            "LoadBalancer" | "NodePort" => true,
            "ClusterIP" => self.spec.len("externalIPs") > 0,
            _ => false,
        }
    }
}

/// `ValidateServiceCreate`; gate RelaxedServiceNameValidation is on since 1.36.
pub(crate) fn validate_service_create(errs: &mut Errors, service: Obj) {
    // The allocators look at the object before it is validated, and stop at what they find.
    validate_service_cluster_ips_related_fields(errs, Service::new(service, Obj::NONE), &Path::root("spec"));
    if errs.is_empty() {
        init_ip_family_fields(errs, Service::new(service, Obj::NONE), &Path::root("spec"));
    }
    if errs.is_empty() {
        allocate_node_ports(errs, service);
    }
    if !errs.is_empty() {
        return;
    }
    validate_object_meta(errs, service.at("metadata"), NameRule::Label);
    validate_service(errs, Service::new(service, Obj::NONE));
}

/// `validateService`.
pub(super) fn validate_service(errs: &mut Errors, service: Service) {
    let path = Path::root("spec");
    let spec = service.spec;
    validate_topology_annotations(errs, service.metadata);
    if spec.len("ports") == 0 && !service.is_headless() && service.kind() != "ExternalName" {
        errs.required(&path.child("ports"), "");
    }
    validate_type(errs, service, &path);
    validate_ports(errs, service, &path.child("ports"));
    validate_labels(errs, spec.at("selector"), &path.child("selector"));
    validate_session_affinity(errs, spec, &path);
    let ips = path.child("externalIPs");
    let old = service.old.strings("externalIPs");
    for (index, ip) in spec.strings("externalIPs").into_iter().enumerate() {
        let at = ips.index(index);
        if is_valid_ip_for_legacy_field(errs, &at, ip, &old) {
            validate_endpoint_ip(errs, ip, &at);
        }
    }
    one_of(errs, spec, "type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], &path);
    validate_port_sets(errs, service, &path.child("ports"));
    validate_source_ranges(errs, service, &path);
    if spec.at("allocateLoadBalancerNodePorts").has() && service.kind() != "LoadBalancer" {
        errs.forbidden(&path.child("allocateLoadBalancerNodePorts"), ONLY_LOAD_BALANCER);
    }
    validate_load_balancer_class(errs, service, &path.child("loadBalancerClass"));
    validate_service_external_traffic_policy(errs, service, &path);
    one_of(errs, spec, "internalTrafficPolicy", &["Cluster", "Local"], &path);
    if let Some(value) = spec.opt_str("trafficDistribution") {
        let supported = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        if !supported.contains(&value) {
            errs.not_supported(&path.child("trafficDistribution"), value, &supported);
        }
    }
}

fn validate_topology_annotations(errs: &mut Errors, metadata: Obj) {
    let annotations = metadata.at("annotations");
    let (hints, mode) = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode");
    if let (Some(old), Some(new)) = (annotations.entry(hints), annotations.entry(mode))
        && old != new
    {
        let path = Path::root("metadata.annotations");
        errs.invalid(&path.key(mode), new, &format!("must match annotations[{hints}] when both are specified"));
    }
}

fn validate_type(errs: &mut Errors, service: Service, path: &Path) {
    let spec = service.spec;
    match service.kind() {
        kind @ ("LoadBalancer" | "NodePort") if service.is_headless() => {
            let ips = path.child("clusterIPs");
            errs.invalid(&ips.index(0), "None", &format!("may not be set to 'None' for {kind} services"));
        }
        "ExternalName" => {
            // What another type had left behind is dropped.
            let turned = service.old.has() && service.old.str("type") != "ExternalName";
            let set = |key: &str| match key {
                _ if turned => false,
                "clusterIPs" => !service.cluster_ips().is_empty(),
                "ipFamilies" => spec.len(key) > 0,
                _ => spec.at(key).has(),
            };
            for key in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if set(key) {
                    errs.forbidden(&path.child(key), "may not be set for ExternalName services");
                }
            }
            let name = spec.str("externalName");
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.is_empty() {
                errs.required(&path.child("externalName"), "");
            } else {
                validate_dns1123_subdomain(errs, name, &path.child("externalName"));
            }
        }
        _ => {}
    }
}

/// `validateServicePort` for every port.
fn validate_ports(errs: &mut Errors, service: Service, path: &Path) {
    let mut names = BTreeSet::new();
    let ports = service.spec.list("ports");
    let several = ports.len() > 1;
    for (index, port) in ports.enumerate() {
        let at = path.index(index);
        let name = port.str("name");
        if several && name.is_empty() {
            errs.required(&at.child("name"), "");
        } else if !name.is_empty() {
            validate_dns1123_label(errs, name, &at.child("name"));
            if !names.insert(name) {
                errs.duplicate(&at.child("name"), name);
            }
        }
        let number = port.int("port");
        for message in is_valid_port_num(number) {
            errs.invalid(&at.child("port"), number, &message);
        }
        validate_protocol(errs, port.str("protocol"), &at.child("protocol"));
        // Missing, 0 and "" become the port by default.
        let target = port.at("targetPort");
        let target = if target.number() == 0 && target.text().is_empty() { port.at("port") } else { target };
        validate_port_num_or_name(errs, target, &at.child("targetPort"));
        if let Some(protocol) = port.opt_str("appProtocol") {
            validate_qualified_name(errs, protocol, &at.child("appProtocol"));
        }
    }
}

/// Ports that may not be set or may not stand twice.
fn validate_port_sets(errs: &mut Errors, service: Service, path: &Path) {
    let ports: Vec<Obj> = service.spec.list("ports").collect();
    let protocol = |port: &Obj| -> String {
        let protocol = port.str("protocol");
        if protocol.is_empty() { "TCP".to_owned() } else { protocol.to_owned() }
    };
    if service.kind() == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, port)| port.int("nodePort") != 0) {
            let at = path.index(index);
            errs.forbidden(&at.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let number = match port.int("nodePort") {
            // The allocator gives ports of one number the same node port.
            0 if ["NodePort", "LoadBalancer"].contains(&service.kind()) => ports
                .iter()
                .take(index)
                .find(|other| other.int("port") == port.int("port"))
                .map_or(0, |other| other.int("nodePort")),
            number => number,
        };
        if number != 0 && !seen.insert((protocol(port), number)) {
            let at = path.index(index);
            errs.duplicate(&at.child("nodePort"), number);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let (protocol, number) = (protocol(port), port.int("port"));
        if !seen.insert((protocol.clone(), number)) {
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}",
                json_string(&protocol)
            );
            errs.duplicate(&path.index(index), Shown::Json(shown));
        }
    }
}

fn validate_session_affinity(errs: &mut Errors, spec: Obj, path: &Path) {
    let affinity = spec.str("sessionAffinity");
    if !affinity.is_empty() {
        one_of(errs, spec, "sessionAffinity", &["ClientIP", "None"], path);
    }
    let config = spec.at("sessionAffinityConfig");
    let at = path.child("sessionAffinityConfig");
    if affinity == "ClientIP" {
        let client = at.child("clientIP");
        if let Some(seconds) = config.at("clientIP").opt_int("timeoutSeconds").filter(|s| !(1..=86400).contains(s)) {
            let detail = "must be greater than 0 and less than 86400";
            errs.invalid(&client.child("timeoutSeconds"), seconds, detail);
        }
    } else if config.has() && (affinity == "None" || affinity.is_empty()) {
        errs.forbidden(&at, "must not be set when session affinity is None");
    }
}

fn validate_source_ranges(errs: &mut Errors, service: Service, path: &Path) {
    let at = path.child("LoadBalancerSourceRanges");
    let balanced = service.kind() == "LoadBalancer";
    let ranges = service.spec.strings("loadBalancerSourceRanges");
    if !ranges.is_empty() {
        if !balanced {
            errs.forbidden(&at, ONLY_LOAD_BALANCER);
        }
        let old: Vec<&str> = service.old.strings("loadBalancerSourceRanges").into_iter().map(str::trim).collect();
        for (index, range) in ranges.into_iter().enumerate() {
            is_valid_cidr_for_legacy_field(errs, &at.index(index), range.trim(), &old);
        }
        return;
    }
    let Some(text) = service.metadata.at("annotations").entry(SOURCE_RANGES) else {
        return;
    };
    let path = Path::root("metadata.annotations");
    let at = path.key(SOURCE_RANGES);
    if !balanced {
        errs.forbidden(&at, ONLY_LOAD_BALANCER);
    }
    for range in text.trim().split(',').filter(|_| !text.trim().is_empty()) {
        is_valid_cidr_for_legacy_field(errs, &at, range.trim(), &[]);
    }
}

/// The part of `validateLoadBalancerClassField` that create and update share.
fn validate_load_balancer_class(errs: &mut Errors, service: Service, path: &Path) {
    match service.spec.opt_str("loadBalancerClass") {
        Some(class) if service.kind() == "LoadBalancer" => validate_qualified_name(errs, class, path),
        Some(_) => errs.forbidden(path, ONLY_LOAD_BALANCER),
        None => {}
    }
}

/// `validateServiceExternalTrafficPolicy`.
fn validate_service_external_traffic_policy(errs: &mut Errors, service: Service, path: &Path) {
    let at = path.child("externalTrafficPolicy");
    let policy = service.spec.str("externalTrafficPolicy");
    if policy.is_empty() {
        // Defaulting fills it in where it is needed.
    } else if !service.externally_accessible() {
        errs.invalid(&at, Shown::Typed(policy), "may only be set for externally-accessible services");
    } else {
        one_of(errs, service.spec, "externalTrafficPolicy", &["Cluster", "Local"], path);
    }
    let at = path.child("healthCheckNodePort");
    let port = service.spec.int("healthCheckNodePort");
    if service.kind() != "LoadBalancer" || policy != "Local" {
        if port != 0 {
            let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errs.invalid(&at, port, detail);
        }
    } else if port != 0 {
        // A missing one is allocated before.
        for message in is_valid_port_num(port) {
            errs.invalid(&at, port, &message);
        }
    }
}

/// `ValidateServiceClusterIPsRelatedFields`.
pub(super) fn validate_service_cluster_ips_related_fields(errs: &mut Errors, service: Service, path: &Path) {
    if service.kind() == "ExternalName" {
        return;
    }
    let spec = service.spec;
    let at = path.child("clusterIPs");
    let ips = service.cluster_ips();
    let list: Vec<String> = ips.iter().map(|ip| json_string(ip)).collect();
    let shown = || Shown::Json(format!("[{}]", list.join(",")));
    let primary = service.cluster_ip();
    if primary.is_empty() && !ips.is_empty() {
        errs.invalid(&at, shown(), "must be empty when `clusterIP` is not specified");
    } else if !primary.is_empty() && ips.first() != Some(&primary) {
        errs.invalid(&at, shown(), "first value must match `clusterIP`");
    }
    validate_families(errs, spec, path);
    let old = service.old.strings("clusterIPs");
    let mut bad = false;
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && *ip == "None" {
            if ips.len() > 1 {
                bad = true;
                errs.invalid(&at, shown(), "'None' must be the first and only value");
            }
        } else {
            bad |= !is_valid_ip_for_legacy_field(errs, &at.index(index), ip, &old);
        }
    }
    if ips.len() > 2 {
        errs.invalid(&at, shown(), "may only hold up to 2 values");
    }
    if bad {
        return;
    }
    if ips.len() > 1 && !is_dual_stack(&ips) {
        errs.invalid(&at, shown(), "may specify no more than one IP for each IP family");
    }
    if !service.is_headless() {
        for (index, (ip, family)) in ips.iter().zip(spec.strings("ipFamilies")).enumerate() {
            let wrong = (family == "IPv4" && is_ipv6_string(ip)) || (family == "IPv6" && !is_ipv6_string(ip));
            if wrong {
                let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
                errs.invalid(&at.index(index), *ip, &detail);
            }
        }
    }
}

fn validate_families(errs: &mut Errors, spec: Obj, path: &Path) {
    let at = path.child("ipFamilies");
    let mut seen = BTreeSet::new();
    for (index, family) in spec.strings("ipFamilies").into_iter().enumerate() {
        if !["IPv4", "IPv6"].contains(&family) {
            errs.not_supported(&at.index(index), Shown::Typed(family), &["IPv4", "IPv6"]);
        }
        if !seen.insert(family) {
            errs.duplicate(&at.index(index), Shown::Typed(family));
        }
    }
    one_of(errs, spec, "ipFamilyPolicy", &["PreferDualStack", "RequireDualStack", "SingleStack"], path);
}

/// What `initIPFamilyFields` (`pkg/registry/core/service/storage/alloc.go`) says of any cluster.
fn init_ip_family_fields(errs: &mut Errors, service: Service, path: &Path) {
    let selects = service.spec.len("selector") > 0;
    let policy = match service.spec.str("ipFamilyPolicy") {
        "" if service.cluster_ip() == "None" && !selects => "RequireDualStack",
        "" => "SingleStack",
        policy => policy,
    };
    if policy != "SingleStack" || service.kind() == "ExternalName" {
        return;
    }
    let counts = [(service.cluster_ips().len(), "cluster IPs"), (service.spec.len("ipFamilies"), "IP families")];
    for (_, what) in counts.into_iter().filter(|(count, _)| *count == 2) {
        let detail = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified");
        errs.invalid(&path.child("ipFamilyPolicy"), Shown::Typed(policy), &detail);
    }
}

/// The range of node ports of a server without flags.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30000..=32767;

/// What the allocator says before validation; a dry run does not ask it (`pkg/registry/core/service/portallocator`).
fn allocate_node_ports(errs: &mut Errors, service: Obj) {
    let path = Path::root("spec");
    let ports = path.child("ports");
    let spec = service.at("spec");
    if !["NodePort", "LoadBalancer"].contains(&spec.str("type")) {
        return;
    }
    let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
    for (index, port) in spec.list("ports").enumerate() {
        let number = port.int("nodePort");
        if number != 0 && !NODE_PORTS.contains(&number) {
            let at = ports.index(index);
            errs.invalid(&at.child("nodePort"), number, detail);
            return;
        }
    }
}
