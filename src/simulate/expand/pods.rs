//! Pods as they stand, and the replicas of Deployments, ReplicaSets, ReplicationControllers and StatefulSets.

use std::sync::Arc;

use super::{
    Expansion, Input, MAX_REPLICAS, Replica, Scale, Strategy, Template, Workload, admission, compile, default_spread,
    name_claims, with_labels,
};
use crate::simulate::cluster::Amount;
use crate::simulate::pod::{Pod, Volume};
use crate::simulate::volumes;
use crate::yaml::View;

/// A pod of the set. One that has ended takes no room.
pub(super) fn pod(input: &Input<'_>, out: &mut Expansion) {
    let Some(spec) = input.view.get("spec") else {
        return;
    };
    let status = input.view.get("status");
    let phase = status.and_then(|status| status.get_str("phase"));
    let running = spec.get_str("nodeName").is_some();
    if running && (phase == Some("Succeeded") || phase == Some("Failed")) {
        return;
    }
    let metadata = input.view.get("metadata");
    // A pod that runs was admitted as it stands.
    let policies = input.policies.filter(|_| !running);
    let admitted = policies.and_then(|policies| policies.limits.as_ref()).map(|limits| limits.mutate(spec, &[]));
    let spec = admitted.as_ref().map_or(spec, |(tree, root)| tree.view(*root));
    let mut pod = Pod::compile(input.namespace, metadata, spec, status.filter(|_| running));
    let refused = admission::admit(&mut pod, spec, input.cluster);
    let refused = refused.or_else(|| Some(policies?.refuses_pod(metadata, spec)?.1));
    pod.default_spread = default_spread(input, &pod.labels);
    let name = input.name;
    let rejected = refused.map(|why| match why.starts_with("spec.") {
        true => format!("Pod \"{name}\" is invalid: {why}"),
        false => format!("pods \"{name}\" is forbidden: {why}"),
    });
    let pod = Arc::new(name_claims(pod, name));
    let started = status.and_then(|status| status.get_str("startTime")).map(seconds);
    let replica = Replica {
        name: name.to_owned(),
        workload: out.workloads.len(),
        pod: pod.clone(),
        rejected,
        unknown: None,
        after: None,
        started,
    };
    out.replicas.push(replica);
    out.workloads.push(workload(input, pod, 1, "spec", None));
}

/// A number that grows with an RFC 3339 time in UTC.
fn seconds(text: &str) -> i64 {
    let digits: String = text.split('.').next().unwrap_or("").chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(i64::MAX)
}

pub(super) fn workload(
    input: &Input<'_>,
    pod: Arc<Pod>,
    count: i64,
    spec_path: &'static str,
    scale: Option<Scale>,
) -> Workload {
    Workload {
        object: input.id,
        kind: input.kind.to_owned(),
        name: input.name.to_owned(),
        namespace: input.namespace.to_owned(),
        pod,
        count,
        spec_path,
        strategy: (input.kind == "Deployment").then(|| strategy(input.view)),
        scale,
    }
}

/// Replicas written, held within the range of an autoscaler; absent means 1.
fn count(input: &Input<'_>, scale: Option<Scale>) -> i64 {
    let written = input.view.at(&["spec", "replicas"]).and_then(View::int);
    match scale {
        Some(scale) if written != Some(0) => scale.clamp(written),
        _ => written.unwrap_or(1),
    }
}

/// `name-0` … `name-N`: the real names end in random letters.
pub(super) fn replicas(input: &Input<'_>, template: &Template<'_>, scale: Option<Scale>, out: &mut Expansion) {
    let (pod, rejected) = compile(input, template);
    let count = count(input, scale);
    push(input, template, pod, rejected, count, scale, out);
}

/// Adds a workload with `count` like pods.
pub(super) fn push(
    input: &Input<'_>,
    template: &Template<'_>,
    pod: Pod,
    rejected: Option<String>,
    count: i64,
    scale: Option<Scale>,
    out: &mut Expansion,
) {
    let shared = Arc::new(pod);
    let named = shared.volumes.iter().any(|volume| matches!(volume, Volume::Claim { ephemeral: true, .. }));
    for index in 0..count.clamp(0, MAX_REPLICAS) {
        let name = format!("{}-{index}", input.name);
        let pod = if named { Arc::new(name_claims((*shared).clone(), &name)) } else { shared.clone() };
        let rejected = rejected.as_ref().map(|why| format!("pods \"{}-\" is forbidden: {why}", input.name));
        out.replicas.push(Replica {
            name,
            workload: out.workloads.len(),
            pod,
            rejected,
            unknown: None,
            after: None,
            started: None,
        });
    }
    out.workloads.push(workload(input, shared, count, template.path, scale));
}

/// Ordinals from `ordinals.start`, one after the other unless `Parallel`, each with claims of its own.
pub(super) fn stateful_set(input: &Input<'_>, template: &Template<'_>, scale: Option<Scale>, out: &mut Expansion) {
    let (pod, rejected) = compile(input, template);
    let spec = input.view.get("spec");
    let count = count(input, scale);
    let start = spec.and_then(|spec| spec.at(&["ordinals", "start"])).and_then(View::int).unwrap_or(0);
    let parallel = spec.and_then(|spec| spec.get_str("podManagementPolicy")) == Some("Parallel");
    let templates: Vec<(&str, View<'_>)> = spec
        .into_iter()
        .flat_map(|spec| spec.list("volumeClaimTemplates"))
        .filter_map(|claim| Some((claim.at(&["metadata", "name"])?.str()?, claim)))
        .collect();
    let mut before = None;
    for index in 0..count.clamp(0, MAX_REPLICAS) {
        let ordinal = start.saturating_add(index).to_string();
        let name = format!("{}-{ordinal}", input.name);
        let mut one = with_labels(
            pod.clone(),
            &[
                ("statefulset.kubernetes.io/pod-name", name.as_str()),
                ("apps.kubernetes.io/pod-index", ordinal.as_str()),
            ],
        );
        for (claim, view) in &templates {
            let claim_name = format!("{claim}-{name}");
            out.claims.push(volumes::claim(&claim_name, input.namespace, *view));
            one.volumes.push(Volume::Claim { name: claim_name, ephemeral: false });
        }
        let rejected = rejected.as_ref().map(|why| format!("pods \"{name}\" is forbidden: {why}"));
        let pod = Arc::new(name_claims(one, &name));
        out.replicas.push(Replica {
            name,
            workload: out.workloads.len(),
            pod,
            rejected,
            unknown: None,
            after: before,
            started: None,
        });
        before = (!parallel).then(|| out.replicas.len() - 1);
    }
    out.workloads.push(workload(input, Arc::new(pod), count, template.path, scale));
}

/// 25 % and 25 % where nothing is written (`SetDefaults_Deployment`).
fn strategy(view: View<'_>) -> Strategy {
    let strategy = view.at(&["spec", "strategy"]);
    if strategy.and_then(|strategy| strategy.get_str("type")) == Some("Recreate") {
        return Strategy::Recreate;
    }
    let rolling = strategy.and_then(|strategy| strategy.get("rollingUpdate"));
    let amount =
        |key: &str| rolling.and_then(|rolling| rolling.get(key)).and_then(Amount::read).unwrap_or(Amount::Percent(25));
    Strategy::RollingUpdate { max_surge: amount("maxSurge"), max_unavailable: amount("maxUnavailable") }
}
