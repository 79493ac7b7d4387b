//! StatefulSets: ordinals from `ordinals.start`, one after the other unless `Parallel`, each with claims of its own.

use std::sync::Arc;

use super::pods::{count, workload};
use super::{
    Expansion, Input, LivePod, MAX_REPLICAS, Old, Present, Replica, Rolling, Scale, Slot, Template, Update, compile,
    name_claims, with_labels,
};
use crate::simulate::pod::{Pod, Volume};
use crate::simulate::volumes;
use crate::yaml::View;

/// A StatefulSet that is being expanded.
struct Set<'a> {
    input: &'a Input<'a>,
    start: i64,
    count: i64,
    templates: Vec<(&'a str, View<'a>)>,
    present: Present,
    ordered: bool,
    /// Ordinals below are made from the template that the cluster has.
    partition: usize,
    update: Option<Update>,
}

pub(super) fn expand(input: &Input<'_>, template: &Template<'_>, scale: Option<Scale>, out: &mut Expansion) {
    let (pod, rejected) = compile(input, template, None);
    let set = Set::new(input, scale);
    let before = input.live_view().filter(|_| set.partition > 0 && set.rolls()).and_then(|live| {
        let template = live.at(&["spec", "template"])?;
        let spec = template.get("spec")?;
        Some(compile(input, &Template { metadata: template.get("metadata"), spec, path: "" }, None).0)
    });
    let (at, first) = (out.workloads.len(), out.replicas.len());
    let (mut slots, mut previous) = (Vec::new(), None);
    for index in 0..set.count.clamp(0, MAX_REPLICAS) {
        let name = set.name(index);
        let is_before = usize::try_from(index).is_ok_and(|index| index < set.partition);
        let pod = set.pod(before.as_ref().filter(|_| is_before).unwrap_or(&pod), &name, index, out);
        let rejected = rejected.as_ref().map(|why| format!("pods \"{name}\" is forbidden: {why}"));
        let replica = out.replicas.len();
        let mut slot = Slot { replica, created: false, old: None };
        match (find(&set.present.same, &name), find(&set.present.old, &name)) {
            (Some(found), _) if found.node.is_some() => {
                slot.created = true;
                out.replicas.push(Replica::running(found, at));
            }
            (_, Some(found)) if set.rolls() => {
                slot.old = Some(Old::new(input, found, out));
                out.replicas.push(Replica::new(name, at, pod, rejected));
            }
            _ => out.replicas.push(Replica { after: previous, ..Replica::new(name, at, pod, rejected) }),
        }
        previous = (set.ordered && !set.rolls()).then_some(replica);
        slots.push(slot);
    }
    let replicas = first..out.replicas.len();
    out.replicas.extend(Replica::rest(input.name, set.count, at, &Arc::new(pod.clone())));
    if set.rolls() {
        let none = Update::StatefulSet { ordered: set.ordered, partition: usize::MAX, max_unavailable: None };
        let update = set.update.unwrap_or(none);
        let old = set.condemned().into_iter().map(|found| Old::new(input, found, out)).collect();
        let wanted = slots.len() as i64;
        out.rollings.push(Rolling { workload: at, replicas, wanted, update, there: 0, growth: 0, slots, old });
    }
    out.workloads.push(workload(input, Arc::new(pod), set.count, template.path, scale));
}

/// The pod of that name.
fn find(pods: &[LivePod], name: &str) -> Option<LivePod> {
    pods.iter().find(|pod| pod.name == name).cloned()
}

impl<'a> Set<'a> {
    fn new(input: &'a Input<'a>, scale: Option<Scale>) -> Set<'a> {
        let spec = input.view.get("spec");
        let update = Update::read(input.kind, input.view, input.cluster.version());
        let partition = match update {
            Some(Update::StatefulSet { partition, .. }) => partition,
            _ => 0,
        };
        let claims = spec.into_iter().flat_map(|spec| spec.list("volumeClaimTemplates"));
        Set {
            input,
            start: spec.and_then(|spec| spec.at(&["ordinals", "start"])).and_then(View::int).unwrap_or(0),
            count: count(input, scale),
            templates: claims.filter_map(|claim| Some((claim.at(&["metadata", "name"])?.str()?, claim))).collect(),
            present: input.present(),
            ordered: spec.and_then(|spec| spec.get_str("podManagementPolicy")) != Some("Parallel"),
            partition,
            update,
        }
    }

    fn name(&self, index: i64) -> String {
        format!("{}-{}", self.input.name, self.start.saturating_add(index))
    }

    /// Where a pod stands among the replicas wanted.
    fn index(&self, pod: &LivePod) -> Option<i64> {
        let ordinal = pod.name.strip_prefix(self.input.name)?.strip_prefix('-')?.parse::<i64>().ok()?;
        let index = ordinal.checked_sub(self.start)?;
        (0..self.count).contains(&index).then_some(index)
    }

    /// Whether pods of another template are there: the controller then waits for those that are not ready.
    fn rolls(&self) -> bool {
        !self.present.old.is_empty()
    }

    /// The pods beyond the replicas wanted, by ordinal.
    fn condemned(&self) -> Vec<LivePod> {
        let all = self.present.same.iter().chain(&self.present.old);
        let mut beyond: Vec<LivePod> = all.filter(|pod| self.index(pod).is_none()).cloned().collect();
        beyond.sort_by_key(|pod| (pod.name.len(), pod.name.clone()));
        beyond
    }

    /// The pod of an ordinal, with its claims.
    fn pod(&self, pod: &Pod, name: &str, index: i64, out: &mut Expansion) -> Arc<Pod> {
        let ordinal = self.start.saturating_add(index).to_string();
        let labels = [("statefulset.kubernetes.io/pod-name", name), ("apps.kubernetes.io/pod-index", ordinal.as_str())];
        let mut one = with_labels(pod.clone(), &labels);
        for (claim, view) in &self.templates {
            let claim_name = format!("{claim}-{name}");
            out.claims.push(volumes::claim(&claim_name, self.input.namespace, *view));
            one.volumes.push(Volume::Claim { name: claim_name, ephemeral: false });
        }
        Arc::new(name_claims(one, name))
    }
}
