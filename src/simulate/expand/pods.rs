//! Pods as they stand, and the replicas of Deployments, ReplicaSets and ReplicationControllers.

use std::sync::Arc;

use super::{
    Expansion, Input, LivePod, MAX_REPLICAS, Old, Present, Replica, Rolling, Scale, Template, Update, Workload,
    compile, default_spread, name_claims, priority, refused,
};
use crate::simulate::pod::{Pod, Volume};
use crate::yaml::View;

/// A pod of the set. One that has ended takes no room; one that runs in the cluster stays where it is.
pub(super) fn pod(input: &Input<'_>, out: &mut Expansion) {
    let Some(spec) = input.view.get("spec") else {
        return;
    };
    let status = input.view.get("status");
    let phase_of =
        |status: Option<View<'_>>| status.and_then(|status| status.get_str("phase")).unwrap_or("").to_owned();
    let has_ended = |phase: String| phase == "Succeeded" || phase == "Failed";
    let running = spec.get_str("nodeName").is_some();
    let live = input.live_view().map(|view| view.get("status"));
    if running && has_ended(phase_of(status)) || live.is_some_and(|status| has_ended(phase_of(status))) {
        return;
    }
    let metadata = input.view.get("metadata");
    // A pod that runs was admitted as it stands.
    let admitted = input.admission.pod(Some(input.policies).filter(|_| !running), spec, &[]);
    let mut pod = Pod::compile(input.namespace, metadata, admitted.view(), status.filter(|_| running));
    pod.priority = priority(admitted.view());
    pod.default_spread = default_spread(input, &pod.labels);
    let name = input.name;
    let refused = if running { None } else { refused(input, &admitted, metadata) };
    let rejected = refused.map(|why| match why.starts_with("spec.") {
        true => format!("Pod \"{name}\" is invalid: {why}"),
        false => format!("pods \"{name}\" is forbidden: {why}"),
    });
    let pod = Arc::new(name_claims(pod, name));
    let started = status.and_then(|status| status.get_str("startTime")).map(seconds);
    let replica = match input.present().same.pop().filter(|found| found.node.is_some()) {
        Some(found) => Replica::running(found, out.workloads.len()),
        None => Replica { started, ..Replica::new(name.to_owned(), out.workloads.len(), pod.clone(), rejected) },
    };
    out.replicas.push(replica);
    out.workloads.push(workload(input, pod, 1, "spec", None));
}

/// A number that grows with an RFC 3339 time in UTC.
pub(super) fn seconds(text: &str) -> i64 {
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
        update: Update::read(input.kind, input.view, input.cluster.version()),
        charge: input.charge(),
        scale,
    }
}

/// Replicas written, held within the range of an autoscaler; absent means 1. In a live cluster the number that is
/// there stays where an autoscaler sets it or the manifest says none.
pub(super) fn count(input: &Input<'_>, scale: Option<Scale>) -> i64 {
    let number = |view: View<'_>| view.at(&["spec", "replicas"]).and_then(View::int);
    let there = input.live_view().and_then(number).filter(|_| input.unwritten || scale.is_some());
    let written = there.or_else(|| number(input.view));
    match scale {
        Some(scale) if written != Some(0) => scale.clamp(written),
        _ => written.unwrap_or(1),
    }
}

/// `name-0` … `name-N`: the real names end in random letters.
pub(super) fn replicas(input: &Input<'_>, template: &Template<'_>, scale: Option<Scale>, out: &mut Expansion) {
    let mut present = input.present();
    if input.view.get("spec").is_some_and(|spec| spec.get_bool("paused")) {
        // Nothing is replaced until it is resumed.
        present.same.append(&mut present.old);
    }
    let compiled = compile(input, template, present.hash.as_deref());
    let count = count(input, scale);
    push(input, template, compiled, present, count, scale, out);
}

/// Adds a workload with `count` like pods, of which some may be there.
pub(super) fn push(
    input: &Input<'_>,
    template: &Template<'_>,
    (pod, rejected): (Pod, Option<String>),
    present: Present,
    count: i64,
    scale: Option<Scale>,
    out: &mut Expansion,
) {
    let shared = Arc::new(pod);
    let named = shared.volumes.iter().any(|volume| matches!(volume, Volume::Claim { ephemeral: true, .. }));
    let wanted = count.clamp(0, MAX_REPLICAS);
    let at = out.workloads.len();
    let mut there: Vec<Replica> = running(present.same, wanted, at).collect();
    let ready = there.len();
    out.replicas.append(&mut there);
    let first = out.replicas.len();
    for index in ready as i64..wanted {
        let name = format!("{}-{index}", input.name);
        let pod = if named { Arc::new(name_claims((*shared).clone(), &name)) } else { shared.clone() };
        let rejected = rejected.as_ref().map(|why| format!("pods \"{}-\" is forbidden: {why}", input.name));
        out.replicas.push(Replica::new(name, at, pod, rejected));
    }
    let rest = Replica::rest(input.name, count, at, &shared);
    let made = workload(input, shared, count, template.path, scale);
    if let Some(update) = made.update.filter(|_| !present.old.is_empty()) {
        let replicas = first..out.replicas.len();
        let before = input.live_view().and_then(|live| live.at(&["spec", "replicas"])).and_then(View::int);
        // A rollout under way is none of one ReplicaSet; a single one may lack pods that quotas refuse.
        let wants = |before: i64| if LivePod::are_of_one_set(&present.old) { present.old.len() as i64 } else { before };
        let growth = before.filter(|_| ready == 0).map_or(0, |before| wanted - wants(before));
        let old = present.old.into_iter().map(|pod| Old::new(input, pod, out)).collect();
        let (there, slots) = (ready as i64, Vec::new());
        out.rollings.push(Rolling { workload: at, replicas, wanted, update, there, growth, slots, old });
    }
    out.replicas.extend(rest);
    out.workloads.push(made);
}

/// As many of the pods that are on nodes as are wanted.
fn running(pods: Vec<LivePod>, wanted: i64, workload: usize) -> impl Iterator<Item = Replica> {
    let placed = pods.into_iter().filter(|pod| pod.node.is_some());
    placed.take(usize::try_from(wanted).unwrap_or(0)).map(move |pod| Replica::running(pod, workload))
}
