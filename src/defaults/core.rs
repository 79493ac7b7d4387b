//! Everything of the core group but pods, and custom resource definitions (`pkg/apis/core/v1/defaults.go`).

use super::Rule;
use super::draft::{Draft, Literal};
use crate::yaml::{NodeId, base64};

pub(super) const RULES: &[(&str, Rule)] = &[
    ("core.v1.LimitRangeItem", limit_range_item),
    ("core.v1.Namespace", namespace),
    ("core.v1.NodeStatus", node_status),
    ("core.v1.ReplicationController", replication_controller),
    ("core.v1.Secret", string_data),
    ("core.v1.Service", service),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec",
        custom_resource_definition,
    ),
];

/// `SetDefaults_Service`
fn service(draft: &mut Draft, service: NodeId) {
    let Some(spec) = draft.get(service, "spec") else {
        return;
    };
    draft.default(spec, "sessionAffinity", Literal::Str("None"));
    match draft.str(spec, "sessionAffinity") {
        "None" => draft.tree.remove(spec, "sessionAffinityConfig"),
        "ClientIP" => {
            let config = draft.child(spec, "sessionAffinityConfig");
            let client = draft.child(config, "clientIP");
            draft.default(client, "timeoutSeconds", Literal::Int(10800));
        }
        _ => {}
    }
    draft.default(spec, "type", Literal::Str("ClusterIP"));
    for port in draft.list(spec, "ports") {
        target_port(draft, port);
    }
    let type_ = draft.str(spec, "type").to_owned();
    let external_ips = draft.filled(spec, "externalIPs");
    if matches!(type_.as_str(), "NodePort" | "LoadBalancer") || type_ == "ClusterIP" && external_ips {
        draft.default(spec, "externalTrafficPolicy", Literal::Str("Cluster"));
    }
    if matches!(type_.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        draft.default(spec, "internalTrafficPolicy", Literal::Str("Cluster"));
    }
    if type_ == "LoadBalancer" {
        draft.default(spec, "allocateLoadBalancerNodePorts", Literal::Bool(true));
    }
}

/// Zero and the empty string count as no target.
fn target_port(draft: &mut Draft, port: NodeId) {
    let view = draft.view(port);
    let given = view.get("targetPort").is_some_and(|target| target.int() != Some(0) && target.str() != Some(""));
    if let Some(number) = draft.get(port, "port")
        && !given
    {
        draft.tree.insert(port, "targetPort", number);
    }
}

/// `Convert_v1_Secret_To_core_Secret`: text goes over what stands in `data`.
fn string_data(draft: &mut Draft, secret: NodeId) {
    let texts: Vec<(String, String)> = draft
        .view(secret)
        .map("stringData")
        .map(|(key, value)| (key.to_owned(), value.str().unwrap_or_default().to_owned()))
        .collect();
    for (key, text) in texts {
        let data = draft.child(secret, "data");
        draft.set(data, &key, Literal::Str(&base64::encode(text.as_bytes())));
    }
    draft.tree.remove(secret, "stringData");
}

/// `SetDefaults_Namespace` and the strategy of its registry.
fn namespace(draft: &mut Draft, namespace: NodeId) {
    let metadata = draft.child(namespace, "metadata");
    let name = draft.str(metadata, "name").to_owned();
    if !name.is_empty() {
        let labels = draft.child(metadata, "labels");
        draft.set(labels, "kubernetes.io/metadata.name", Literal::Str(&name));
    }
    let spec = draft.child(namespace, "spec");
    match draft.get(spec, "finalizers") {
        None => {
            draft.set(spec, "finalizers", Literal::Strings(&["kubernetes"]));
        }
        Some(list) if !draft.view(list).items().any(|item| item.str() == Some("kubernetes")) => {
            let item = draft.make(list, Literal::Str("kubernetes"));
            draft.tree.append(list, item);
        }
        Some(_) => {}
    }
}

/// `SetDefaults_NodeStatus`
fn node_status(draft: &mut Draft, status: NodeId) {
    if let Some(capacity) = draft.get(status, "capacity")
        && !draft.has(status, "allocatable")
    {
        let allocatable = draft.clone_map(capacity);
        draft.tree.insert(status, "allocatable", allocatable);
    }
}

/// `SetDefaults_LimitRangeItem`
fn limit_range_item(draft: &mut Draft, item: NodeId) {
    if draft.str(item, "type") != "Container" {
        return;
    }
    let steps = [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")];
    for (to, from) in steps {
        if let Some(from) = draft.get(item, from) {
            let to = draft.child(item, to);
            draft.add_missing(to, from);
        }
    }
}

/// `EnforceDataSourceBackwardsCompatibility` and `NormalizeDataSources`: the old field takes only claims and
/// snapshots where it stands alone, and either field stands for both. Gate CrossNamespaceVolumeDataSource is off.
pub(super) fn data_source(draft: &mut Draft, claim: NodeId) {
    let Some(spec) = draft.get(claim, "spec") else { return };
    if draft.get(spec, "dataSourceRef").is_some_and(|source| !draft.str(source, "namespace").is_empty()) {
        draft.tree.remove(spec, "dataSourceRef");
    }
    if let Some(source) = draft.get(spec, "dataSource").filter(|_| !draft.has(spec, "dataSourceRef")) {
        let of = (draft.str(source, "apiGroup"), draft.str(source, "kind"));
        if !matches!(of, ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")) {
            draft.tree.remove(spec, "dataSource");
        }
    }
    match (draft.get(spec, "dataSource"), draft.get(spec, "dataSourceRef")) {
        (Some(source), None) => {
            let source = draft.clone_map(source);
            draft.tree.insert(spec, "dataSourceRef", source);
        }
        (None, Some(source)) => {
            let source = draft.clone_map(source);
            draft.tree.insert(spec, "dataSource", source);
        }
        _ => {}
    }
}

/// `SetDefaults_ReplicationController`
fn replication_controller(draft: &mut Draft, controller: NodeId) {
    let Some(spec) = draft.get(controller, "spec") else {
        return;
    };
    let Some(template) = draft.get(spec, "template") else {
        return;
    };
    let labels = draft.get(template, "metadata").and_then(|metadata| draft.get(metadata, "labels"));
    if let Some(labels) = labels
        && !draft.filled(spec, "selector")
    {
        let selector = draft.clone_map(labels);
        draft.tree.insert(spec, "selector", selector);
    }
    labels_from(draft, controller, template);
}

/// An object without labels takes those of its template.
pub(super) fn labels_from(draft: &mut Draft, object: NodeId, template: NodeId) {
    let labels = draft.get(template, "metadata").and_then(|metadata| draft.get(metadata, "labels"));
    let metadata = draft.child(object, "metadata");
    if let Some(labels) = labels
        && !draft.filled(metadata, "labels")
    {
        let labels = draft.clone_map(labels);
        draft.tree.insert(metadata, "labels", labels);
    }
}

/// `SetDefaults_CustomResourceDefinitionSpec` of apiextensions.
fn custom_resource_definition(draft: &mut Draft, spec: NodeId) {
    if let Some(names) = draft.get(spec, "names") {
        let kind = draft.str(names, "kind").to_owned();
        if !kind.is_empty() {
            draft.default(names, "singular", Literal::Str(&kind.to_lowercase()));
            draft.default(names, "listKind", Literal::Str(&format!("{kind}List")));
        }
    }
    if !draft.has(spec, "conversion") {
        let conversion = draft.child(spec, "conversion");
        draft.set(conversion, "strategy", Literal::Str("None"));
    }
}
