//! Pods and what is in them (`pkg/apis/core/v1/defaults.go`, `conversion.go`).

use super::Rule;
use super::draft::{Draft, Literal};
use crate::model::image;
use crate::yaml::{NodeId, View};

pub(super) const RULES: &[(&str, Rule)] = &[
    ("core.v1.Container", pull_policy_of_container),
    ("core.v1.EphemeralContainer", pull_policy_of_container),
    ("core.v1.Pod", pod),
    ("core.v1.PodSpec", pod_spec),
    ("core.v1.Volume", volume),
    ("core.v1.VolumeProjection", disabled_projections),
];

fn pull_policy_of_container(draft: &mut Draft, container: NodeId) {
    pull_policy(draft, container, "image", "imagePullPolicy");
}

fn pod_spec(draft: &mut Draft, spec: NodeId) {
    service_account(draft, spec);
    grace_period(draft, spec);
}

/// A negative grace period becomes one second (`pkg/apis/core/v1/conversion.go`).
fn grace_period(draft: &mut Draft, spec: NodeId) {
    let key = "terminationGracePeriodSeconds";
    if draft.view(spec).get_int(key).is_some_and(|seconds| seconds < 0) {
        draft.set(spec, key, Literal::Int(1));
    }
}

/// Gate ClusterTrustBundleProjection is off (`dropDisabledClusterTrustBundleProjection` in `pkg/api/pod/util.go`).
fn disabled_projections(draft: &mut Draft, source: NodeId) {
    if draft.has(source, "clusterTrustBundle") {
        draft.tree.remove(source, "clusterTrustBundle");
    }
}

/// `SetDefaults_Pod`: holds for pods only, not for templates.
fn pod(draft: &mut Draft, pod: NodeId) {
    let Some(spec) = draft.get(pod, "spec") else {
        return;
    };
    let host_network = draft.view(spec).get_bool("hostNetwork");
    for list in ["containers", "initContainers"] {
        for container in draft.list(spec, list) {
            requests_from_limits(draft, container);
            if host_network {
                host_ports(draft, container);
            }
        }
    }
    huge_page_limits(draft, spec);
    pod_requests(draft, spec);
    draft.default(spec, "enableServiceLinks", Literal::Bool(true));
}

fn requests_from_limits(draft: &mut Draft, container: NodeId) {
    let Some(resources) = draft.get(container, "resources") else {
        return;
    };
    if let Some(limits) = draft.get(resources, "limits") {
        let requests = draft.child(resources, "requests");
        draft.add_missing(requests, limits);
    }
}

/// `defaultHostNetworkPorts`
fn host_ports(draft: &mut Draft, container: NodeId) {
    for port in draft.list(container, "ports") {
        if let Some(number) = draft.get(port, "containerPort")
            && !draft.has(port, "hostPort")
        {
            draft.tree.insert(port, "hostPort", number);
        }
    }
}

/// `defaultHugePagePodLimits`: where something is set for the pod as a whole, its huge pages come from the containers.
fn huge_page_limits(draft: &mut Draft, spec: NodeId) {
    let Some(resources) = draft.get(spec, "resources") else { return };
    let [requests, limits] = ["requests", "limits"].map(|key| draft.view(resources).get(key));
    let is_set = |list: Option<View<'_>>| list.is_some_and(|list| !list.is_empty());
    if !is_set(requests) && !is_set(limits) {
        return;
    }
    let asked = |name: &str| requests.is_some_and(|requests| requests.get(name).is_some());
    let mut totals = super::resource::container_totals(draft.view(spec), "limits");
    totals.retain(|name, _| name.starts_with("hugepages-") && !asked(name));
    for (name, total) in totals {
        let limits = draft.child(resources, "limits");
        if !draft.has(limits, &name) {
            draft.set(limits, &name, Literal::Str(&total.canonical()));
        }
    }
}

/// `defaultPodRequests`: pod-level requests come from the containers, else from the pod's limits.
fn pod_requests(draft: &mut Draft, spec: NodeId) {
    let Some(resources) = draft.get(spec, "resources") else {
        return;
    };
    let Some(limits) = draft.get(resources, "limits") else {
        return;
    };
    let totals = super::resource::container_totals(draft.view(spec), "requests");
    let names: Vec<String> = draft.view(limits).fields().map(|(name, _)| name.to_owned()).collect();
    let requests = draft.child(resources, "requests");
    for (name, total) in totals {
        // Huge pages cannot be overcommitted: theirs come from the limits.
        if matches!(name.as_str(), "cpu" | "memory") && !draft.has(requests, &name) {
            draft.set(requests, &name, Literal::Str(&total.canonical()));
        }
    }
    for name in names {
        let pod_level = matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-");
        if pod_level
            && !draft.has(requests, &name)
            && let Some(limit) = draft.get(limits, &name)
        {
            draft.tree.insert(requests, &name, limit);
        }
    }
}

/// `Convert_core_PodSpec_To_v1_PodSpec`: the old name of the field mirrors the new one.
fn service_account(draft: &mut Draft, spec: NodeId) {
    let name = draft.get(spec, "serviceAccountName").or_else(|| draft.get(spec, "serviceAccount"));
    if let Some(name) = name {
        draft.tree.insert(spec, "serviceAccountName", name);
        draft.tree.insert(spec, "serviceAccount", name);
    }
}

/// `SetDefaults_Volume`: without a source it is an empty directory.
fn volume(draft: &mut Draft, volume: NodeId) {
    if draft.view(volume).fields().all(|(key, _)| key == "name") {
        draft.set(volume, "emptyDir", Literal::Map);
    }
    if let Some(image) = draft.get(volume, "image") {
        pull_policy(draft, image, "reference", "pullPolicy");
    }
}

/// `SetDefaults_Container`
fn pull_policy(draft: &mut Draft, node: NodeId, image: &str, policy: &str) {
    let default = image::default_pull_policy(draft.str(node, image));
    draft.default(node, policy, Literal::Str(default));
}
