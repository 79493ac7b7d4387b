//! Changes that help pending pods, each found by simulating it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::expand::{Expansion, Replica, daemonset};
use super::filters::{taint_toleration, volume_binding};
use super::findings::{Cause, Group};
use super::nodes::{HOSTNAME, Node};
use super::placement::{Remedy, Verdict};
use super::pod::{Pod, Toleration};
use super::resources::Resources;
use super::state::State;
use super::{queue, rolling};
use crate::model::quantity::Quantity;

/// Beyond this many pods times nodes, remedies are not looked for.
const MAX_WORK: usize = 400_000;
const MIB: i64 = 1024 * 1024;
/// A node that is tried.
const NEW: &str = "another-node";
/// Labels that tell the versions of a DaemonSet apart.
const REVISION: [&str; 2] = ["controller-revision-hash", "pod-template-generation"];

/// What remedies are tried on: everything before the first pod was scheduled.
#[derive(Debug)]
pub struct Trial<'a> {
    pub before: &'a State,
    pub expansion: &'a Expansion,
    pub sequential: bool,
    /// Pods that found a node without any change.
    pub scheduled: usize,
}

impl Trial<'_> {
    /// Plays the set again with other nodes or pods; gives how many pods of the group then find a node, none
    /// when others lose theirs for it.
    fn places(&self, group: &Group, nodes: Option<Vec<Node>>, change: &dyn Fn(&Replica) -> Option<Pod>) -> usize {
        let nodes = nodes.unwrap_or_else(|| self.before.nodes.to_vec());
        self.places_in(group, self.before.with_nodes(nodes), change)
    }

    /// The pods of DaemonSets that come to a new node, those of the set and those that run.
    fn daemons(&self, node: &Node) -> Vec<Replica> {
        let workloads = self.expansion.workloads.iter().filter(|workload| workload.kind == "DaemonSet");
        let own = workloads.map(|workload| workload.pod.clone());
        let running = self.expansion.present.iter().filter(|(live, _)| live.is_daemon);
        // The pin of a live one takes the place of its terms.
        let others = running.map(|(live, _)| Arc::new(Pod { required_nodes: None, ..(*live.pod).clone() }));
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        for pod in own.chain(others) {
            let labels = pod.labels.iter().filter(|(key, _)| !REVISION.contains(&key.as_str()));
            let key: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
            if seen.insert((pod.namespace.clone(), key)) && daemonset::runs_on(&pod, node) {
                let pod = Arc::new(daemonset::pinned(&pod, &node.name));
                let name = format!("daemon-{}-{}", out.len(), node.name);
                out.push(Replica { early: true, ..Replica::new(name, usize::MAX, pod, None) });
            }
        }
        out
    }

    fn places_in(&self, group: &Group, mut state: State, change: &dyn Fn(&Replica) -> Option<Pod>) -> usize {
        let mut replicas = self.expansion.replicas.clone();
        let count = replicas.len();
        let new = state.nodes.iter().skip(self.before.nodes.len());
        replicas.extend(new.flat_map(|node| self.daemons(node)));
        for replica in &mut replicas {
            if let Some(pod) = change(replica) {
                replica.pod = Arc::new(pod);
            }
        }
        let (outcomes, _) = queue::run(&mut state, &replicas, &rolling::all(self.expansion), self.sequential);
        let placed =
            |index: &&usize| outcomes.get(**index).is_some_and(|outcome| outcome.verdict == Verdict::Scheduled);
        let helped = group.replicas.iter().filter(placed).count();
        let all = outcomes.iter().take(count).filter(|outcome| outcome.verdict == Verdict::Scheduled).count();
        if all >= self.scheduled + helped { helped } else { 0 }
    }

    fn remedy(&self, group: &Group, change: String, places: usize) -> Option<Remedy> {
        let pods = group.replicas.iter().filter_map(|index| self.expansion.replicas.get(*index));
        (places > 0).then(|| Remedy { pods: pods.map(Replica::full_name).collect(), change, places })
    }
}

/// Remedies for one group, best first within its kind.
pub fn find(trial: &Trial<'_>, group: &Group) -> Vec<Remedy> {
    let work = trial.expansion.replicas.len() * trial.before.nodes.len();
    let Some(pod) = group.replicas.first().and_then(|index| trial.expansion.replicas.get(*index)) else {
        return Vec::new();
    };
    if work > MAX_WORK || trial.before.nodes.is_empty() {
        return Vec::new();
    }
    let pod = pod.pod.clone();
    match &group.cause {
        Cause::Exceeds(resource) | Cause::Insufficient(resource) => lower_request(trial, group, resource)
            .into_iter()
            .chain(more_nodes(trial, group))
            .chain(tolerate(trial, group, &pod))
            .collect(),
        Cause::Tainted => tolerate(trial, group, &pod),
        Cause::NoMatch => label(trial, group, &pod),
        Cause::Claims | Cause::Volumes => volume(trial, group, &pod).into_iter().collect(),
        _ => more_nodes(trial, group),
    }
}

/// The largest request with which all pods of the group find a node, for every workload that asks for the
/// resource.
fn lower_request(trial: &Trial<'_>, group: &Group, resource: &str) -> Option<Remedy> {
    let get = |amounts: &Resources| match resource {
        "cpu" => Some(amounts.cpu),
        "memory" => Some(amounts.memory / MIB),
        _ => None,
    };
    let workload = |index: usize| trial.expansion.workloads.get(index);
    let asks = |index: &usize| {
        workload(*index)
            .is_some_and(|workload| workload.kind != "DaemonSet" && get(&workload.pod.requests.actual) > Some(0))
    };
    let alone: BTreeSet<usize> = group.workloads.iter().copied().filter(asks).collect();
    let all: BTreeSet<usize> = (0..trial.expansion.workloads.len()).filter(asks).collect();
    let chosen = if matches!(group.cause, Cause::Exceeds(_)) { alone } else { all };
    let most = chosen.iter().filter_map(|index| get(&workload(*index)?.pod.requests.actual)).max()?;
    let places = |bound: i64| {
        trial.places(group, None, &|replica: &Replica| {
            let lower = chosen.contains(&replica.workload) && replica.pod.node_name.is_none();
            lower.then(|| capped(&replica.pod, resource, bound))
        })
    };
    let (mut works, mut fails) = (0, most);
    while works + 1 < fails {
        let middle = works + (fails - works) / 2;
        if places(middle) == group.replicas.len() { works = middle } else { fails = middle }
    }
    if works == 0 {
        return None;
    }
    let text =
        if resource == "cpu" { Quantity::from_milli(works) } else { Quantity::from_bytes(works.saturating_mul(MIB)) };
    let names: Vec<&str> = chosen.iter().filter_map(|index| Some(workload(*index)?.name.as_str())).collect();
    trial.remedy(group, format!("requests.{resource} ≤ {text} for {}", join(&names)), group.replicas.len())
}

fn capped(pod: &Pod, resource: &str, bound: i64) -> Pod {
    let mut pod = pod.clone();
    let requests = &mut pod.requests;
    let amounts = [&mut requests.nonzero, &mut requests.scored];
    if resource == "cpu" {
        requests.actual.cpu = requests.actual.cpu.min(bound);
        amounts.into_iter().for_each(|amounts| amounts.cpu = amounts.cpu.min(bound));
    } else {
        let bound = bound.saturating_mul(MIB);
        requests.actual.memory = requests.actual.memory.min(bound);
        amounts.into_iter().for_each(|amounts| amounts.memory = amounts.memory.min(bound));
    }
    pod
}

fn join(names: &[&str]) -> String {
    match names {
        [head @ .., last] if !head.is_empty() => format!("{} and {last}", head.join(", ")),
        names => names.join(""),
    }
}

/// One more node; where that does not place all, the smallest number of copies of the largest node that fits.
fn more_nodes(trial: &Trial<'_>, group: &Group) -> Vec<Remedy> {
    let one = one_more_node(trial, group);
    let wanted = group.replicas.len();
    if one.as_ref().is_some_and(|remedy| remedy.places == wanted) || wanted < 2 {
        return one.into_iter().collect();
    }
    let replicas = || group.replicas.iter().filter_map(|index| trial.expansion.replicas.get(*index));
    let matches = |node: &&Node| replicas().all(|replica| replica.pod.selects_node(&node.name, &node.labels));
    let like = trial.before.nodes.iter().filter(matches);
    let Some(like) = like.max_by_key(|node| (node.allocatable.cpu, node.allocatable.memory)) else {
        return one.into_iter().collect();
    };
    let places = |count: usize| {
        let copies = (1..=count).map(|index| {
            let name = format!("{NEW}-{index}");
            let mut node = Node { name: name.clone(), ..like.clone() };
            node.labels.insert(HOSTNAME.to_owned(), name);
            node
        });
        trial.places(group, Some(trial.before.nodes.iter().cloned().chain(copies).collect()), &|_| None)
    };
    if places(wanted) < wanted {
        return one.into_iter().collect();
    }
    let (mut few, mut enough) = (1, wanted);
    while few < enough {
        let middle = few + (enough - few) / 2;
        if places(middle) == wanted { enough = middle } else { few = middle + 1 }
    }
    let text = match enough {
        1 => format!("one more node like {}", like.name),
        count => format!("{count} more nodes like {}", like.name),
    };
    trial.remedy(group, text, wanted).into_iter().collect()
}

/// A volume for each claim that nothing serves.
fn volume(trial: &Trial<'_>, group: &Group, pod: &Pod) -> Option<Remedy> {
    let mut state = trial.before.with_nodes(trial.before.nodes.to_vec());
    let mut volumes = state.cluster.volumes.clone();
    let keys = volume_binding::claims(pod, true).map(|name| format!("{}/{name}", pod.namespace));
    let mut texts = Vec::new();
    for key in keys.collect::<Vec<_>>() {
        let claim = volumes.claims.get(&key).filter(|claim| !claim.bound && claim.volume.is_empty())?.clone();
        let modes = claim.access_modes.join(" and ");
        let class = if claim.class.is_empty() { "no class".to_owned() } else { format!("class {}", claim.class) };
        texts.push(format!("a PersistentVolume with ≥ {}, {modes} and {class}", claim.request));
        volumes.add_volume_for(&claim);
    }
    volumes.settle();
    state.set_volumes(volumes);
    let places = trial.places_in(group, state, &|_| None);
    if texts.is_empty() { None } else { trial.remedy(group, texts.join(", "), places) }
}

/// One node that is just large enough for the group; a copy of a node where labels matter.
fn one_more_node(trial: &Trial<'_>, group: &Group) -> Option<Remedy> {
    let replicas: Vec<&Replica> =
        group.replicas.iter().filter_map(|index| trial.expansion.replicas.get(*index)).collect();
    let mut sum = Resources::default();
    replicas.iter().for_each(|replica| sum.add(&replica.pod.requests.actual, 1));
    let choosy =
        replicas.iter().any(|replica| !replica.pod.node_selector.is_empty() || replica.pod.required_nodes.is_some());
    if choosy || !sum.scalars.is_empty() {
        let matches = |node: &&Node| replicas.iter().all(|one| one.pod.selects_node(&node.name, &node.labels));
        let like = trial.before.nodes.iter().filter(matches);
        let like = like.max_by_key(|node| (node.allocatable.cpu, node.allocatable.memory))?;
        return with_node(trial, group, like.clone(), format!("one more node like {}", like.name));
    }
    let bare = Node { name: NEW.to_owned(), max_pods: 110, ..Node::default() };
    trial.daemons(&bare).iter().for_each(|daemon| sum.add(&daemon.pod.requests.actual, 1));
    let mut best: Option<Remedy> = None;
    // Pods that have a node may prefer the new one; then it has to have room for some of them, too.
    for quarters in [0, 1, 2, 4] {
        let mut size = sum.clone();
        if quarters > 0 {
            let is_other = |(index, one): &(usize, &Replica)| {
                group.replicas.binary_search(index).is_err() && one.running.is_none()
            };
            let others = trial.expansion.replicas.iter().enumerate().filter(is_other);
            let mut more = Resources::default();
            others.for_each(|(_, one)| more.add(&one.pod.requests.actual, 1));
            size.cpu = size.cpu.saturating_add(more.cpu / 4 * quarters);
            size.memory = size.memory.saturating_add(more.memory / 4 * quarters);
        }
        let found = with_node(trial, group, Node { allocatable: size.clone(), ..bare.clone() }, described(&size));
        if found.as_ref().map(|remedy| remedy.places) > best.as_ref().map(|remedy| remedy.places) {
            best = found;
        }
        if best.as_ref().is_some_and(|remedy| remedy.places == replicas.len()) {
            break;
        }
    }
    best
}

/// A node of a size in words.
fn described(size: &Resources) -> String {
    let (cpu, memory) = (Quantity::from_milli(size.cpu), Quantity::from_bytes(size.memory));
    let parts = [(size.cpu, format!("≥ {cpu} cpu")), (size.memory, format!("≥ {memory} memory"))];
    let parts: Vec<String> = parts.into_iter().filter(|(amount, _)| *amount > 0).map(|(_, text)| text).collect();
    let with = if parts.is_empty() { String::new() } else { format!(" with {}", parts.join(" and ")) };
    format!("one more node{with}")
}

/// Tries one more node like this one.
fn with_node(trial: &Trial<'_>, group: &Group, like: Node, text: String) -> Option<Remedy> {
    let mut node = Node { name: NEW.to_owned(), ..like };
    node.labels.insert(HOSTNAME.to_owned(), NEW.to_owned());
    let nodes = trial.before.nodes.iter().cloned().chain([node]).collect();
    trial.remedy(group, text, trial.places(group, Some(nodes), &|_| None))
}

/// A toleration, or the taint removed, for each taint that stands in the way.
fn tolerate(trial: &Trial<'_>, group: &Group, pod: &Pod) -> Vec<Remedy> {
    let matching = trial.before.nodes.iter().filter(|node| pod.selects_node(&node.name, &node.labels));
    let mut taints: Vec<(&Node, &super::nodes::Taint)> =
        matching.filter_map(|node| Some((node, taint_toleration::untolerated(pod, node)?))).collect();
    taints.truncate(5);
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for (node, taint) in taints {
        if seen.insert(taint.to_string()) {
            let places = trial.places(group, None, &|replica: &Replica| {
                let mut pod = group.workloads.contains(&replica.workload).then(|| (*replica.pod).clone())?;
                pod.tolerations.push(Toleration {
                    key: taint.key.clone(),
                    exists: taint.value.is_empty(),
                    value: taint.value.clone(),
                    effect: taint.effect.clone(),
                    seconds: None,
                });
                Some(pod)
            });
            out.extend(trial.remedy(group, format!("a toleration for the taint {taint}"), places));
        }
        let mut nodes = trial.before.nodes.to_vec();
        for other in nodes.iter_mut().filter(|other| other.name == node.name) {
            other.taints.retain(|known| known != taint);
        }
        let places = trial.places(group, Some(nodes), &|_| None);
        out.extend(trial.remedy(group, format!("the taint {taint} removed from {}", node.name), places));
    }
    out
}

/// The labels that nodeSelector or a required term wants, on each node in turn.
fn label(trial: &Trial<'_>, group: &Group, pod: &Pod) -> Vec<Remedy> {
    use super::labels::Operator;
    let mut wanted: Vec<(String, String)> = pod.node_selector.clone();
    let term = pod.required_nodes.iter().flatten().find(|term| term.fields.is_empty());
    for expression in term.into_iter().flat_map(|term| &term.expressions) {
        match (expression.operator, expression.values.first()) {
            (Operator::In, Some(value)) => wanted.push((expression.key.clone(), value.clone())),
            (Operator::Exists, _) => wanted.push((expression.key.clone(), String::new())),
            _ => return Vec::new(),
        }
    }
    let mut out = Vec::new();
    for node in trial.before.nodes.iter().take(20) {
        let mut nodes = trial.before.nodes.to_vec();
        for other in nodes.iter_mut().filter(|other| other.name == node.name) {
            other.labels.extend(wanted.iter().cloned());
        }
        let places = trial.places(group, Some(nodes), &|_| None);
        let labels: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        out.extend(trial.remedy(group, format!("label {} on node {}", labels.join(" "), node.name), places));
        if out.len() == 3 {
            break;
        }
    }
    out
}
