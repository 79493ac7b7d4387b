//! Waiting until applied objects are ready, and giving up early where waiting cannot help.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::steps::{Event, Outcome, State, Step, World};
use super::{Progress, Rules, TroubleKind, owned, status, troubles};
use crate::cluster::{ClusterError, Resources, Wanted};
use crate::diff::ObjectRef;
use crate::model::{Bundle, Key, ObjectId};
use crate::yaml::View;

/// Pause between two looks: short at first, since most objects are ready at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the cluster may give no answer while something is waited for.
const LOST: Duration = Duration::from_secs(20);

/// Kinds that run pods.
const WORKLOADS: [&str; 7] =
    ["DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// Since when an object has its present trouble.
type Since = HashMap<usize, (TroubleKind, Instant)>;

/// Follows the steps `ids` until each is ready or has failed; what it says goes to the outcomes.
pub(super) fn until_ready(
    world: &World<'_>,
    resources: &Resources,
    steps: &[Step],
    ids: &[usize],
    outcomes: &mut [Outcome],
    start: Instant,
) {
    let open = |outcomes: &[Outcome]| -> Vec<usize> {
        let waiting = |id: &usize| outcomes[*id].is_applied && outcomes[*id].state == State::NotStarted;
        ids.iter().copied().filter(waiting).collect()
    };
    let (mut pause, mut since, mut lost, mut looks) = (FIRST_PAUSE, Since::new(), None, 0);
    loop {
        let waiting = open(outcomes);
        if waiting.is_empty() {
            return;
        }
        let objects: Vec<&ObjectRef> = waiting.iter().map(|id| &outcomes[*id].object).collect();
        looks += 1;
        // What is ready at once needs no reasons.
        match look(world, resources, &objects, looks > 1) {
            Ok(bundle) => {
                lost = None;
                let seen = Seen::new(&bundle);
                waiting.iter().for_each(|id| seen.judge(world, *id, steps[*id].gates, &mut outcomes[*id], &mut since));
            }
            Err(error) => {
                let since = *lost.get_or_insert_with(Instant::now);
                if !error.is_passing || since.elapsed() > LOST {
                    let message = format!("applied, but not seen ready: {}", error.message);
                    return waiting.iter().for_each(|id| fail(world, *id, &mut outcomes[*id], &message));
                }
            }
        }
        for id in open(outcomes) {
            let outcome = &mut outcomes[id];
            let late = outcome.since.is_some_and(|since| since.elapsed() > world.limits.each);
            let ended = match (late, start.elapsed() > world.limits.total) {
                _ if world.is_interrupted() => "interrupted before it was ready".to_owned(),
                (true, _) => format!("not ready after {}", shown(world.limits.each)),
                (_, true) => format!("not ready when the whole run had taken {}", shown(world.limits.total)),
                _ => continue,
            };
            let message = if outcome.message.is_empty() { ended } else { format!("{ended}: {}", outcome.message) };
            fail(world, id, outcome, &message);
        }
        if !open(outcomes).is_empty() {
            rest(world, pause);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Sleeps, but not through an interrupt.
fn rest(world: &World<'_>, pause: Duration) {
    let since = Instant::now();
    while since.elapsed() < pause && !world.is_interrupted() {
        std::thread::sleep(FIRST_PAUSE.min(pause));
    }
}

/// `10m`, `90s`.
fn shown(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

fn fail(world: &World<'_>, id: usize, outcome: &mut Outcome, message: &str) {
    end(outcome, State::Failed, message);
    (world.tell)(Event::Failed(id, message));
}

fn end(outcome: &mut Outcome, state: State, message: &str) {
    outcome.state = state;
    outcome.message = message.to_owned();
    outcome.seconds = outcome.since.map_or(0.0, |since| since.elapsed().as_secs_f64());
}

/// Reads the objects, and for the reasons of workloads what their controllers made.
fn look(
    world: &World<'_>,
    resources: &Resources,
    objects: &[&ObjectRef],
    with_reasons: bool,
) -> Result<Bundle, ClusterError> {
    let all = |api_version: &str, kind: &str, namespace: Option<String>| Wanted {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace,
        name: None,
    };
    let mut wanted = Vec::new();
    for object in objects {
        let ObjectRef { api_version, kind, namespace, name } = (*object).clone();
        if with_reasons && is_workload(&api_version, &kind) {
            wanted.push(all("v1", "Pod", namespace.clone()));
            wanted.push(all("v1", "Event", namespace.clone()));
            wanted.push(all("apps/v1", "ReplicaSet", namespace.clone()));
        }
        if kind == "PersistentVolumeClaim" {
            wanted.push(all("storage.k8s.io/v1", "StorageClass", None));
        }
        wanted.push(Wanted { api_version, kind, namespace, name: Some(name) });
    }
    (world.read)(resources, &wanted)
}

fn is_workload(api_version: &str, kind: &str) -> bool {
    WORKLOADS.contains(&kind) && matches!(api_version, "v1" | "apps/v1" | "batch/v1")
}

/// What one look at the cluster showed.
struct Seen<'a> {
    bundle: &'a Bundle,
    by_key: HashMap<Key, ObjectId>,
    replica_sets: Vec<View<'a>>,
    pods: Vec<View<'a>>,
    events: Vec<View<'a>>,
}

impl<'a> Seen<'a> {
    fn new(bundle: &'a Bundle) -> Seen<'a> {
        let of_kind = |kind: &str| -> Vec<View<'a>> {
            bundle.iter().filter(|(_, object)| object.kind == kind).map(|(id, _)| bundle.written(id)).collect()
        };
        let by_key = bundle.iter().map(|(id, object)| (object.key(), id)).collect();
        let (replica_sets, pods, events) = (of_kind("ReplicaSet"), of_kind("Pod"), of_kind("Event"));
        Seen { bundle, by_key, replica_sets, pods, events }
    }

    fn judge(&self, world: &World<'_>, id: usize, gates: bool, outcome: &mut Outcome, since: &mut Since) {
        let object = &outcome.object;
        let group = object.api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
        let namespace = object.namespace.clone().unwrap_or_default();
        let key = Key { group, kind: object.kind.clone(), namespace, name: object.name.clone() };
        let Some(view) = self.by_key.get(&key).map(|id| self.bundle.written(*id)) else {
            let text = "not there: deleted by somebody else, or no longer readable";
            return self.wait(world, id, outcome, text);
        };
        let rules =
            Rules { wait_for_load_balancer: world.limits.load_balancer, gates, binds_on_use: self.binds_on_use(view) };
        let found = status(view, &rules);
        match found.progress {
            Progress::Ready => {
                end(outcome, State::Done, &found.text);
                (world.tell)(Event::Ready(id, &found.text));
            }
            Progress::Failed => {
                let text = self.trouble(world, id, view, since).map_or(found.text.clone(), |(text, _)| text);
                fail(world, id, outcome, &joined(&found.text, &text));
            }
            Progress::Waiting => match self.trouble(world, id, view, since) {
                Some((text, true)) => fail(world, id, outcome, &joined(&found.text, &text)),
                Some((text, false)) => self.wait(world, id, outcome, &joined(&found.text, &text)),
                None => self.wait(world, id, outcome, &found.text),
            },
        }
    }

    fn wait(&self, world: &World<'_>, id: usize, outcome: &mut Outcome, text: &str) {
        if outcome.message != text {
            text.clone_into(&mut outcome.message);
            (world.tell)(Event::Waiting(id, text));
        }
    }

    /// The worst trouble of a workload, and whether it has lasted longer than it may.
    fn trouble(&self, world: &World<'_>, id: usize, view: View<'a>, since: &mut Since) -> Option<(String, bool)> {
        let namespace = |view: &View<'_>| view.at(&["metadata", "namespace"]).and_then(View::str).map(str::to_owned);
        let inside = |all: &[View<'a>]| -> Vec<View<'a>> {
            all.iter().copied().filter(|other| namespace(other) == namespace(&view)).collect()
        };
        if !is_workload(view.get_str("apiVersion").unwrap_or_default(), view.get_str("kind").unwrap_or_default()) {
            return None;
        }
        let owned = owned(view, &inside(&self.replica_sets), &inside(&self.pods));
        let found = troubles(view, &owned, &inside(&self.events));
        let Some(worst) = found.first() else {
            since.remove(&id);
            return None;
        };
        let text = if worst.count > 1 { format!("{} pods: {}", worst.count, worst.text) } else { worst.text.clone() };
        let (known, begun) = since.entry(id).or_insert_with(|| (worst.kind, Instant::now()));
        if *known != worst.kind {
            (*known, *begun) = (worst.kind, Instant::now());
        }
        let limit = match worst.kind {
            TroubleKind::Unschedulable => world.limits.unschedulable,
            _ => world.limits.trouble,
        };
        let ends = worst.is_final || worst.kind == TroubleKind::Unschedulable;
        Some((text, ends && begun.elapsed() > limit))
    }

    /// Whether a claim's class waits for the first pod.
    fn binds_on_use(&self, claim: View<'_>) -> bool {
        let Some(class) = claim.at(&["spec", "storageClassName"]).and_then(View::str) else { return false };
        let key = |name: &str| Key {
            group: "storage.k8s.io".to_owned(),
            kind: "StorageClass".to_owned(),
            namespace: String::new(),
            name: name.to_owned(),
        };
        let class = self.by_key.get(&key(class)).map(|id| self.bundle.written(*id));
        class.and_then(|class| class.get_str("volumeBindingMode")) == Some("WaitForFirstConsumer")
    }
}

/// `2/3 ready, 1 pending: …`.
fn joined(status: &str, trouble: &str) -> String {
    if status.is_empty() || trouble.contains(status) { trouble.to_owned() } else { format!("{status}; {trouble}") }
}
