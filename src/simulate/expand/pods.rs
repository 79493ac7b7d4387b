//! Pods as they stand, and the replicas of Deployments, ReplicaSets, ReplicationControllers and StatefulSets.

use std::sync::Arc;

use super::{
    Expansion, Input, LivePod, MAX_REPLICAS, Present, Replica, Rolling, Scale, Strategy, Template, Workload, compile,
    default_spread, name_claims, priority, refused, with_labels,
};
use crate::simulate::cluster::Amount;
use crate::simulate::pod::{Pod, Volume};
use crate::simulate::volumes;
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
        strategy: (input.kind == "Deployment").then(|| strategy(input.view)),
        scale,
    }
}

/// Replicas written, held within the range of an autoscaler; absent means 1. In a live cluster the number that is
/// there stays where an autoscaler sets it or the manifest says none.
fn count(input: &Input<'_>, scale: Option<Scale>) -> i64 {
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
    let present = input.present();
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
    if let Some(strategy) = made.strategy.filter(|_| !present.old.is_empty()) {
        let all = present.old.len();
        let old: Vec<_> = present.old.into_iter().filter_map(|pod| out.hold(pod)).collect();
        let (old_pending, replicas) = (all - old.len(), first..out.replicas.len());
        out.rollings.push(Rolling { workload: at, ready, replicas, old, old_pending, wanted, strategy });
    }
    out.replicas.extend(rest);
    out.workloads.push(made);
}

/// As many of the pods that are on nodes as are wanted.
fn running(pods: Vec<LivePod>, wanted: i64, workload: usize) -> impl Iterator<Item = Replica> {
    let placed = pods.into_iter().filter(|pod| pod.node.is_some());
    placed.take(usize::try_from(wanted).unwrap_or(0)).map(move |pod| Replica::running(pod, workload))
}

/// Ordinals from `ordinals.start`, one after the other unless `Parallel`, each with claims of its own.
pub(super) fn stateful_set(input: &Input<'_>, template: &Template<'_>, scale: Option<Scale>, out: &mut Expansion) {
    let (pod, rejected) = compile(input, template, None);
    let mut present = Ordinals::new(input);
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
        let workload = out.workloads.len();
        match present.take(&name, index) {
            Found::Stays(found) => out.replicas.push(Replica::running(found, workload)),
            Found::Goes(found) => {
                let replaces = out.hold(found);
                present.replaced.push(out.replicas.len());
                out.replicas.push(Replica { replaces, ..Replica::new(name, workload, pod, rejected) });
                continue;
            }
            Found::Nothing => {
                out.replicas.push(Replica { after: before, ..Replica::new(name, workload, pod, rejected) })
            }
        }
        before = (!parallel).then(|| out.replicas.len() - 1);
    }
    out.replicas.extend(Replica::rest(input.name, count, out.workloads.len(), &Arc::new(pod.clone())));
    // Updates begin with the highest ordinal, when all pods are there.
    for index in present.replaced.iter().rev() {
        out.replicas[*index].after = before;
        before = Some(*index);
    }
    out.workloads.push(workload(input, Arc::new(pod), count, template.path, scale));
}

/// The pods that a StatefulSet has already.
struct Ordinals {
    present: Present,
    /// `OnDelete`: nothing is replaced by itself.
    on_delete: bool,
    /// Ordinals below are not replaced.
    partition: i64,
    /// Replicas that take the place of an old pod.
    replaced: Vec<usize>,
}

/// What a name of a StatefulSet stands for in the cluster.
enum Found {
    Nothing,
    Stays(LivePod),
    Goes(LivePod),
}

impl Ordinals {
    fn new(input: &Input<'_>) -> Ordinals {
        let strategy = input.view.at(&["spec", "updateStrategy"]);
        let partition = strategy.and_then(|strategy| strategy.at(&["rollingUpdate", "partition"])).and_then(View::int);
        Ordinals {
            present: input.present(),
            on_delete: strategy.is_some_and(|strategy| strategy.get_str("type") == Some("OnDelete")),
            partition: partition.unwrap_or(0),
            replaced: Vec::new(),
        }
    }

    /// A pod that waits for a node counts as none.
    fn take(&self, name: &str, index: i64) -> Found {
        let find = |pods: &[LivePod]| pods.iter().find(|pod| pod.name == name && pod.node.is_some()).cloned();
        match (find(&self.present.same), find(&self.present.old)) {
            (Some(same), _) => Found::Stays(same),
            (None, Some(old)) if self.on_delete || index < self.partition => Found::Stays(old),
            (None, Some(old)) => Found::Goes(old),
            (None, None) => Found::Nothing,
        }
    }
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
