//! The `Warning` headers that the API server adds to a create, kind by kind; those about API versions come from the
//! facts file, those of an update are in `update_warnings`.
//!
//! `pkg/registry/*/*/strategy.go` `WarningsOnCreate`, `pkg/api/{persistentvolume,persistentvolumeclaim,service,job,
//! node}` (Kubernetes 1.36).

use super::content::{is_dns1123_label, warnings_for_cidr, warnings_for_ip};
use super::core::pod_warnings::{self, fractional_bytes, node_label_message, warnings_for_node_selector_term};
use super::errors::quote;
use super::meta::repeated_owners;
use super::obj::Obj;
use crate::model::path::Path;
use crate::schema::Life;
use crate::yaml::View;

/// The warnings for creating an object, in the server's order; nothing for unknown kinds. The object is defaulted.
pub fn warnings(group: &str, kind: &str, view: View<'_>) -> Vec<String> {
    let object = Obj(Some(view));
    let (meta, spec) = (object.at("metadata"), object.at("spec"));
    let mut out = Vec::new();
    owners(&mut out, meta);
    let path = Path::root("spec");
    match (group, kind) {
        ("", "Pod") => {
            dns_label(&mut out, meta, "this is used in the Pod's hostname");
            pod_warnings::warnings_for_pod(&mut out, meta, spec, None);
        }
        ("", "PodTemplate") => template(&mut out, object.at("template"), &Path::root("template")),
        ("", "ReplicationController") => {
            dns_label(&mut out, meta, "this is used in Pod names and hostnames");
            template(&mut out, spec.at("template"), &path.child("template"));
        }
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet") => {
            workload(&mut out, kind, meta, spec);
        }
        ("batch", "Job") => {
            dns_label(&mut out, meta, "this is used in Pod names and hostnames");
            job_spec(&mut out, spec, &path);
        }
        ("batch", "CronJob") => {
            dns_label(&mut out, meta, "this is used in Pod names and hostnames");
            let template = path.child("jobTemplate");
            job_spec(&mut out, spec.at("jobTemplate").at("spec"), &template.child("spec"));
        }
        ("networking.k8s.io", "Ingress") => ingress(&mut out, meta),
        ("", "ResourceQuota") => resource_quota(&mut out, spec.at("hard")),
        ("", "ServiceAccount") => service_account(&mut out, meta),
        _ => always(&mut out, group, kind, object),
    }
    out
}

/// The kinds of which the server says the same whether they are made or changed.
pub(super) fn always(out: &mut Vec<String>, group: &str, kind: &str, object: Obj) {
    let (meta, spec) = (object.at("metadata"), object.at("spec"));
    match (group, kind) {
        ("", "Service") => service(out, meta, spec),
        ("", "PersistentVolume") => persistent_volume(out, meta, spec),
        ("", "PersistentVolumeClaim") => persistent_volume_claim(out, meta, spec),
        ("networking.k8s.io", "NetworkPolicy") => network_policy(out, spec),
        ("", "Secret") => secret(out, object),
        ("", "Endpoints") => endpoints(out, object),
        ("", "Node") => node(out, spec),
        ("node.k8s.io", "RuntimeClass") => runtime_class(out, object),
        ("storage.k8s.io", "StorageClass") => storage_class(out, object),
        _ => {}
    }
}

/// Owners that are named twice (`dedupOwnerReferencesAndAddWarning` of apiserver `pkg/endpoints/handlers`).
pub(super) fn owners(out: &mut Vec<String>, meta: Obj) {
    let repeated = repeated_owners(meta);
    if !repeated.is_empty() {
        out.push(format!(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may \
             reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            repeated.join(", ")
        ));
    }
}

/// What the server says of a deprecated version of a kind (apiserver `pkg/endpoints/deprecation`, `WarningMessage`).
pub fn deprecation(life: &Life) -> String {
    let mut message = format!("{} {} is deprecated", life.api_version, life.kind);
    if let Some(version) = life.deprecated {
        message += &format!(" in v{version}+");
    }
    if let Some(version) = life.removed {
        message += &format!(", unavailable in v{version}+");
    }
    if let Some((api_version, kind)) = life.replacement {
        message += &format!("; use {api_version} {kind}");
    }
    message
}

/// Warnings about a name that should be a DNS label.
fn dns_label(out: &mut Vec<String>, meta: Obj, why: &str) {
    // The server has made the name before it warns.
    let name = match (meta.str("name"), meta.str("generateName")) {
        ("", "") => return,
        ("", prefix) => format!("{prefix}xxxxx"),
        (name, _) => name.to_owned(),
    };
    let messages = is_dns1123_label(&name);
    if !messages.is_empty() {
        let messages = messages.join(" ");
        out.push(format!(
            "metadata.name: {why}, which can result in surprising behavior; a DNS label is recommended: [{messages}]"
        ));
    }
}

pub(super) fn template(out: &mut Vec<String>, template: Obj, path: &Path) {
    pod_warnings::warnings_for_pod(out, template.at("metadata"), template.at("spec"), Some(path));
}

fn workload(out: &mut Vec<String>, kind: &str, meta: Obj, spec: Obj) {
    let path = Path::root("spec");
    if !["StatefulSet", "DaemonSet"].contains(&kind) {
        dns_label(out, meta, "this is used in Pod names and hostnames");
    }
    template(out, spec.at("template"), &path.child("template"));
    if kind != "StatefulSet" {
        return;
    }
    history(out, spec);
    let claims = path.child("volumeClaimTemplates");
    for (index, claim) in spec.list("volumeClaimTemplates").enumerate() {
        claim_spec(out, claim.at("spec"), &claims.index(index));
    }
}

/// A StatefulSet that keeps all its revisions.
pub(super) fn history(out: &mut Vec<String>, spec: Obj) {
    if spec.int("revisionHistoryLimit") < 0 {
        out.push(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
                .to_owned(),
        );
    }
}

/// `WarningsForJobSpec`.
pub(super) fn job_spec(out: &mut Vec<String>, spec: Obj, path: &Path) {
    let many = spec.int("completions") > 100_000 && spec.int("parallelism") > 10_000;
    if spec.str("completionMode") == "Indexed" && many {
        out.push(format!("{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail"));
    }
    template(out, spec.at("template"), &path.child("template"));
}

/// Puts the field path in front of warnings about addresses.
fn at(out: &mut Vec<String>, path: &Path, messages: Vec<String>) {
    out.extend(messages.into_iter().map(|message| format!("{path}: {message}")));
}

/// `GetWarningsForService`.
fn service(out: &mut Vec<String>, meta: Obj, spec: Obj) {
    let hints = "service.kubernetes.io/topology-aware-hints";
    if meta.at("annotations").entry(hints).is_some() {
        out.push(format!("annotation {hints} is deprecated, please use service.kubernetes.io/topology-mode instead"));
    }
    let path = Path::root("spec");
    let kind = if spec.str("type").is_empty() { "ClusterIP" } else { spec.str("type") };
    let headless = kind == "ClusterIP" && spec.str("clusterIP") == "None";
    let external = spec.strings("externalIPs");
    if !["", "None"].contains(&spec.str("clusterIP")) {
        let ips = path.child("clusterIPs");
        for (index, ip) in spec.strings("clusterIPs").into_iter().enumerate() {
            at(out, &ips.index(index), warnings_for_ip(ip));
        }
    }
    if headless {
        if !spec.str("loadBalancerIP").is_empty() {
            out.push("spec.loadBalancerIP is ignored for headless services".to_owned());
        }
        if !external.is_empty() {
            out.push("spec.externalIPs is ignored for headless services".to_owned());
        }
        if !["", "None"].contains(&spec.str("sessionAffinity")) {
            out.push("spec.SessionAffinity is ignored for headless services".to_owned());
        }
    }
    let ips = path.child("externalIPs");
    for (index, ip) in external.iter().enumerate() {
        at(out, &ips.index(index), warnings_for_ip(ip));
    }
    if !external.is_empty() && !headless && kind != "ExternalName" {
        out.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    service_rest(out, spec, kind, &path);
}

fn service_rest(out: &mut Vec<String>, spec: Obj, kind: &str, path: &Path) {
    let balancer = spec.str("loadBalancerIP");
    if !balancer.is_empty() {
        at(out, &path.child("loadBalancerIP"), warnings_for_ip(balancer));
    }
    let ranges = path.child("loadBalancerSourceRanges");
    for (index, range) in spec.strings("loadBalancerSourceRanges").into_iter().enumerate() {
        at(out, &ranges.index(index), warnings_for_cidr(range));
    }
    if kind == "ExternalName" && spec.len("externalIPs") > 0 {
        out.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if kind != "ExternalName" && !spec.str("externalName").is_empty() {
        out.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if spec.str("trafficDistribution") == "PreferClose" {
        out.push("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned());
    }
}

/// Volume sources that do nothing any more, with the words of the server.
pub(super) const GONE: [(&str, &str, &str); 8] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// `GetWarningsForPersistentVolume`.
fn persistent_volume(out: &mut Vec<String>, meta: Obj, spec: Obj) {
    let annotations = Path::root("metadata.annotations");
    for (key, text) in [
        (
            "volume.beta.kubernetes.io/storage-class",
            "deprecated since v1.8; use \"storageClassName\" attribute instead",
        ),
        ("volume.beta.kubernetes.io/mount-options", "deprecated since v1.31; use \"mountOptions\" attribute instead"),
    ] {
        if meta.at("annotations").entry(key).is_some() {
            out.push(format!("{}: {text}", annotations.key(key)));
        }
    }
    if spec.str("persistentVolumeReclaimPolicy") == "Recycle" {
        out.push("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.".to_owned());
    }
    let terms = Path::root("spec.nodeAffinity.required.nodeSelectorTerms");
    let required = spec.at("nodeAffinity").at("required");
    for (index, term) in required.list("nodeSelectorTerms").enumerate() {
        warnings_for_node_selector_term(out, term, false, &terms.index(index));
    }
    let deprecated = "deprecated in v1.28, non-functional in v1.31+";
    if spec.at("cephfs").has() {
        out.push(format!("spec.cephfs: {deprecated}"));
    }
    for key in ["photonPersistentDisk", "scaleIO", "storageos", "glusterfs", "rbd"] {
        if let Some((_, name, text)) = GONE.iter().find(|(name, _, _)| *name == key).filter(|_| spec.at(key).has()) {
            out.push(format!("spec.{name}: {text}"));
        }
    }
}

/// `GetWarningsForPersistentVolumeClaim`.
fn persistent_volume_claim(out: &mut Vec<String>, meta: Obj, spec: Obj) {
    let key = "volume.beta.kubernetes.io/storage-class";
    if meta.at("annotations").entry(key).is_some() {
        out.push(format!(
            "metadata.annotations[{key}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
        ));
    }
    claim_spec(out, spec, &Path::root("spec"));
}

/// `GetWarningsForPersistentVolumeClaimSpec`.
pub(super) fn claim_spec(out: &mut Vec<String>, spec: Obj, path: &Path) {
    let resources = path.child("resources");
    for list in ["requests", "limits"] {
        fractional_bytes(out, spec.at("resources").at(list), "storage", &resources.child(list));
    }
}

/// `WarningsOnCreate` of ingresses.
fn ingress(out: &mut Vec<String>, meta: Obj) {
    let key = "kubernetes.io/ingress.class";
    if meta.at("annotations").entry(key).is_some() {
        out.push(format!("annotation {} is deprecated, please use 'spec.ingressClassName' instead", quote(key)));
    }
}

/// `WarningsOnCreate` of network policies.
fn network_policy(out: &mut Vec<String>, spec: Obj) {
    let path = Path::root("spec");
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        let rules = path.child(list);
        for (index, rule) in spec.list(list).enumerate() {
            let rule_path = rules.index(index);
            let peers_path = rule_path.child(peers);
            for (place, peer) in rule.list(peers).enumerate() {
                let block = peer.at("ipBlock");
                let item = peers_path.index(place);
                let block_path = item.child("ipBlock");
                if block.has() {
                    at(out, &block_path.child("cidr"), warnings_for_cidr(block.str("cidr")));
                }
                let except = block_path.child("except");
                for (number, range) in block.strings("except").into_iter().enumerate() {
                    at(out, &except.index(number), warnings_for_cidr(range));
                }
            }
        }
    }
}

/// `GetWarningsForRuntimeClass`.
fn runtime_class(out: &mut Vec<String>, class: Obj) {
    for (key, _) in class.at("scheduling").map("nodeSelector") {
        if let Some(text) = node_label_message(key) {
            out.push(format!("scheduling.nodeSelector: {text}"));
        }
    }
}

/// `GetWarningsForStorageClass` (`pkg/api/storage/util.go`).
fn storage_class(out: &mut Vec<String>, class: Obj) {
    let path = Path::root("allowedTopologies");
    for (index, term) in class.list("allowedTopologies").enumerate() {
        let item = path.index(index);
        let list = item.child("matchLabelExpressions");
        for (place, requirement) in term.list("matchLabelExpressions").enumerate() {
            let key = requirement.str("key");
            if let Some(text) = node_label_message(key) {
                let at = list.index(place);
                out.push(format!("{}: {key} is {text}", at.child("key")));
            }
        }
    }
}

/// `WarningsOnCreate` of resource quotas.
fn resource_quota(out: &mut Vec<String>, hard: Obj) {
    for name in ["cpu", "memory", "storage", "ephemeral-storage"] {
        let (long, limit_name) = (format!("requests.{name}"), format!("limits.{name}"));
        let bare = !hard.at(&long).has() && ["cpu", "memory"].contains(&name) && hard.at(name).has();
        let request_name = if bare { name } else { &long };
        let (request, limit) = (hard.at(request_name), hard.at(&limit_name));
        if request.has() && limit.has() && request.quantity() > limit.quantity() {
            let (request, limit) = (request.quantity().canonical(), limit.quantity().canonical());
            out.push(format!("ResourceQuota {request_name} ({request}) should be less than {limit_name} ({limit})"));
        }
    }
}

pub(super) fn service_account(out: &mut Vec<String>, meta: Obj) {
    let key = "kubernetes.io/enforce-mountable-secrets";
    if meta.at("annotations").entry(key).is_some() {
        out.push(format!(
            "metadata.annotations[{key}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        ));
    }
}

/// `warningsForSecret`, as far as a certificate or key is no PEM at all.
fn secret(out: &mut Vec<String>, secret: Obj) {
    if secret.str("type") != "kubernetes.io/tls" {
        return;
    }
    for (key, what) in [("tls.crt", "certificate"), ("tls.key", "key")] {
        let pem = super::core::config::secret_value(secret, key).unwrap_or_default();
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN ") {
            out.push(format!("tls: failed to find any PEM data in {what} input"));
            return;
        }
    }
}

/// `endpointsWarnings`.
fn endpoints(out: &mut Vec<String>, endpoints: Obj) {
    let subsets = Path::root("subsets");
    for (index, subset) in endpoints.list("subsets").enumerate() {
        let item = subsets.index(index);
        for key in ["addresses", "notReadyAddresses"] {
            let list = item.child(key);
            for (place, address) in subset.list(key).enumerate() {
                let address_path = list.index(place);
                at(out, &address_path.child("ip"), warnings_for_ip(address.str("ip")));
            }
        }
    }
}

/// `nodeWarnings`.
fn node(out: &mut Vec<String>, spec: Obj) {
    if !spec.str("externalID").is_empty() {
        out.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
    }
    let path = Path::root("spec.podCIDRs");
    for (index, range) in spec.strings("podCIDRs").into_iter().enumerate() {
        at(out, &path.index(index), warnings_for_cidr(range));
    }
}
