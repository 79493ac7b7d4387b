//! Why the pods of a workload are not ready, in the words of the scheduler, the kubelet and the controllers.
//!
//! Reasons of container states are those of the kubelet 1.36 (`pkg/kubelet/images/types.go`,
//! `kuberuntime/kuberuntime_container.go`, `container/sync_result.go`).

use std::cmp::Reverse;

use super::events;
use super::owned::Owned;
use super::status::{condition, condition_is, group_kind, is_unseen, one_line, words};
use crate::yaml::View;

/// What kind of trouble; of two that are final or not, the first is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// The controller may not create pods: quota, Pod Security, a webhook.
    Create,
    /// A container cannot be made or started: a missing ConfigMap, Secret or command.
    Config,
    ImagePull,
    /// A container ends again and again.
    CrashLoop,
    /// A volume cannot be attached or mounted.
    Volume,
    /// A pod of the old revision holds up a StatefulSet.
    Blocked,
    Unschedulable,
    /// A pod has ended in failure or was evicted.
    Failed,
    /// Not ready, without more being known; probes say so in events.
    NotReady,
    /// The Deployment's progress deadline has passed.
    Deadline,
}

/// One reason why a workload is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub kind: TroubleKind,
    /// Pods that share it; 0 where it is the workload's own.
    pub count: usize,
    /// One line: the container if there is one, then the component's own words.
    pub text: String,
    /// Waiting will not help by itself; false where an autoscaler, a retry or a restart may.
    pub is_final: bool,
}

/// Restarts after which a crash loop counts as final: with the kubelet's back-off of 10, 20 and 40 seconds, more than
/// a minute has passed.
const MANY_RESTARTS: i64 = 3;

/// Words in errors of registries and webhooks that come and go.
const PASSING: [&str; 16] = [
    "timeout",
    "timed out",
    "deadline exceeded",
    "connection refused",
    "connection reset",
    "temporary failure",
    "too many requests",
    "toomanyrequests",
    "registryunavailable",
    "service unavailable",
    "bad gateway",
    "internal server error",
    "unexpected eof",
    "failed calling webhook",
    "object has been modified",
    "etcdserver",
];

/// Why a workload is not ready: its own conditions and those of the pods that [`super::owned`] found, pods with the
/// same words counted together; final ones first, then by kind, in stable order. Events are those of the namespace, and
/// may be none: they add what no status holds (volumes, probes, creation by kinds without conditions).
pub fn troubles(workload: View<'_>, owned: &Owned<'_>, events: &[View<'_>]) -> Vec<Trouble> {
    let is_pod = group_kind(workload) == ("", "Pod");
    let mut groups: Vec<Group> = Vec::new();
    for pod in &owned.pods {
        for mut found in of_pod(*pod, events) {
            // A controller replaces failed pods, or gives up and says so itself.
            found.is_final |= is_pod && found.kind == TroubleKind::Failed;
            add(&mut groups, key(&found.text, *pod), found);
        }
    }
    let of_pods = groups.into_iter().map(|group| Trouble {
        kind: group.found.kind,
        count: group.count,
        text: group.found.full_text(),
        is_final: group.found.is_final,
    });
    let own = [create(workload, owned, events), blocked(owned, events), deadline(workload)];
    // What a controller said of an older generation is no reason now.
    let own = own.into_iter().filter(|_| !is_unseen(workload));
    let mut all: Vec<Trouble> = of_pods.chain(own.flatten()).collect();
    // A passed deadline only sums up what the others say.
    let rank = |trouble: &Trouble| (trouble.kind == TroubleKind::Deadline, !trouble.is_final, trouble.kind);
    all.sort_by_cached_key(|trouble| (rank(trouble), Reverse(trouble.count), trouble.text.clone()));
    all
}

/// What is wrong with one pod.
struct Found {
    kind: TroubleKind,
    text: String,
    /// Not part of the text, so that pods of one fault count together.
    restarts: i64,
    is_final: bool,
}

impl Found {
    fn new(kind: TroubleKind, text: String, is_final: bool) -> Found {
        Found { kind, text, restarts: 0, is_final }
    }

    fn full_text(&self) -> String {
        match self.restarts {
            0 => self.text.clone(),
            1 => format!("{}, 1 restart", self.text),
            restarts => format!("{}, {restarts} restarts", self.text),
        }
    }
}

/// Pods with the same fault; the text is the first pod's, the number of restarts the highest.
struct Group {
    key: String,
    found: Found,
    count: usize,
}

fn add(groups: &mut Vec<Group>, key: String, found: Found) {
    match groups.iter_mut().find(|group| group.key == key && group.found.kind == found.kind) {
        Some(group) => {
            group.count += 1;
            group.found.restarts = group.found.restarts.max(found.restarts);
            group.found.is_final |= found.is_final;
        }
        None => groups.push(Group { key, found, count: 1 }),
    }
}

/// The words without what differs between pods of one fault: the name and uid of the pod, which some messages hold, and
/// the two reasons of a command that does not start, during the try and after it.
fn key(text: &str, pod: View<'_>) -> String {
    let meta = |key| pod.at(&["metadata", key]).and_then(View::str).filter(|value| !value.is_empty());
    let parts = [meta("uid"), meta("name"), Some("RunContainerError"), Some("StartError")];
    parts.into_iter().flatten().fold(text.to_owned(), |text, part| text.replace(part, "*"))
}

/// Whether the words name a cause that may pass by itself.
fn is_passing(words: &str) -> bool {
    let words = words.to_lowercase();
    PASSING.iter().any(|passing| words.contains(passing))
}

fn of_pod(pod: View<'_>, events: &[View<'_>]) -> Vec<Found> {
    match pod.at(&["status", "phase"]).and_then(View::str) {
        Some("Succeeded") => return Vec::new(),
        Some("Failed") => return vec![Found::new(TroubleKind::Failed, end(pod), false)],
        _ if condition_is(pod, "Ready", "True").is_some() => return Vec::new(),
        _ => {}
    }
    if let Some(unscheduled) = unscheduled(pod) {
        return vec![Found::new(TroubleKind::Unschedulable, unscheduled, false)];
    }
    let containers: Vec<Found> =
        container_statuses(pod).filter_map(|(role, status)| of_container(pod, role, status)).collect();
    if !containers.is_empty() {
        return containers;
    }
    vec![events::of_pod(pod, events).map_or_else(
        || Found::new(TroubleKind::NotReady, not_ready(pod), false),
        |(kind, text)| {
            let is_final = kind == TroubleKind::Volume && is_missing_source(&text);
            Found::new(kind, text, is_final)
        },
    )]
}

/// A volume whose ConfigMap or Secret, or a key in it, is not there (kubelet's volume plugins configmap and secret).
fn is_missing_source(text: &str) -> bool {
    let names_source = text.contains("configmap \"") || text.contains("secret \"");
    (names_source && text.contains("not found")) || text.contains("references non-existent")
}

/// Why a pod has no node: the scheduler's sentence, its gates, or that no scheduler has looked (core/v1 `PodScheduled`).
fn unscheduled(pod: View<'_>) -> Option<String> {
    match condition(pod, "PodScheduled") {
        Some(scheduled) if scheduled.get_str("status") == Some("False") => Some(match scheduled.get_str("message") {
            Some(message) if !message.is_empty() => one_line(message),
            _ => words(scheduled),
        }),
        Some(_) => None,
        None if pod.at(&["spec", "nodeName"]).is_some() => None,
        None => {
            let scheduler = pod.at(&["spec", "schedulerName"]).and_then(View::str).unwrap_or("default-scheduler");
            Some(format!("no scheduler has looked at it yet (schedulerName: {scheduler})"))
        }
    }
}

fn container_statuses(pod: View<'_>) -> impl Iterator<Item = (&'static str, View<'_>)> {
    let list = move |key| pod.get("status").into_iter().flat_map(move |status| status.list(key));
    let init = list("initContainerStatuses").map(|status| ("init container", status));
    init.chain(list("containerStatuses").map(|status| ("container", status)))
}

fn of_container(pod: View<'_>, role: &str, status: View<'_>) -> Option<Found> {
    if status.get_bool("ready") {
        return None;
    }
    let name = status.get_str("name").unwrap_or("");
    let found = match status.at(&["state", "waiting"]) {
        Some(waiting) => of_waiting(pod, status, waiting)?,
        None => crash(pod, status)?,
    };
    Some(Found { text: format!("{role} {name}: {}", found.text), ..found })
}

fn of_waiting(pod: View<'_>, status: View<'_>, waiting: View<'_>) -> Option<Found> {
    let text = words(waiting);
    match waiting.get_str("reason")? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ErrImageNeverPull"
        | "InvalidImageName"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => {
            let text = pull_error(waiting).unwrap_or(text);
            let is_final = !is_passing(&text);
            Some(Found::new(TroubleKind::ImagePull, text, is_final))
        }
        "CrashLoopBackOff" => crash(pod, status).or_else(|| Some(Found::new(TroubleKind::CrashLoop, text, false))),
        // CreateContainerConfigError, CreateContainerError, RunContainerError, hooks and sandboxes.
        reason if reason.ends_with("Error") => {
            let is_final = !is_passing(&text);
            Some(Found::new(TroubleKind::Config, text, is_final))
        }
        // ContainerCreating, PodInitializing.
        _ => None,
    }
}

/// The error of the pull that a back-off repeats (image_manager.go: `Back-off pulling image "…": ErrImagePull: …`), so
/// that a pod says the same during the pull and between pulls.
fn pull_error(waiting: View<'_>) -> Option<String> {
    let (_, error) = waiting.get_str("message")?.strip_prefix("Back-off pulling image ")?.split_once(": ")?;
    Some(one_line(error))
}

/// A container that ended and was or will be started again: in its back-off, between it and the start, or running once
/// more without being ready.
fn crash(pod: View<'_>, status: View<'_>) -> Option<Found> {
    let now = status.at(&["state", "terminated"]);
    let ended = now.or_else(|| status.at(&["lastState", "terminated"]))?;
    let code = ended.get_int("exitCode").unwrap_or(0);
    let restarts = status.get_int("restartCount").unwrap_or(0);
    // Done: only `restartPolicy: Always` starts again what ended well.
    let is_restarted = pod.at(&["spec", "restartPolicy"]).and_then(View::str).is_none_or(|policy| policy == "Always");
    if now.is_some() && code == 0 && (restarts == 0 || !is_restarted) {
        return None;
    }
    let text = exit(pod, status, ended);
    // The runtime could not start the command; the next try has the same command.
    if matches!(ended.get_str("reason"), Some("StartError" | "ContainerCannotRun")) {
        return Some(Found { kind: TroubleKind::Config, text, restarts, is_final: true });
    }
    let is_running = status.at(&["state", "running"]).is_some();
    Some(Found { kind: TroubleKind::CrashLoop, text, restarts, is_final: restarts >= MANY_RESTARTS && !is_running })
}

/// How a container ended: `exit code 137 (OOMKilled, memory limit 64Mi)`, or the runtime's words where it never ran.
fn exit(pod: View<'_>, status: View<'_>, ended: View<'_>) -> String {
    let code = ended.get_int("exitCode").unwrap_or(0);
    match ended.get_str("reason") {
        Some("StartError" | "ContainerCannotRun") => words(ended),
        Some("OOMKilled") => match memory_limit(pod, status.get_str("name")) {
            Some(limit) => format!("exit code {code} (OOMKilled, memory limit {limit})"),
            None => format!("exit code {code} (OOMKilled)"),
        },
        Some(reason) => format!("exit code {code} ({reason})"),
        None => format!("exit code {code}"),
    }
}

fn memory_limit<'a>(pod: View<'a>, container: Option<&str>) -> Option<&'a str> {
    let spec = pod.get("spec")?;
    let mut containers = spec.list("initContainers").chain(spec.list("containers"));
    let container = containers.find(|view| view.get_str("name") == container)?;
    container.at(&["resources", "limits", "memory"])?.str()
}

/// How a failed pod ended: the kubelet's reason (`Evicted: The node was low on resource: …`), else its containers.
pub(super) fn end(pod: View<'_>) -> String {
    let own = pod.get("status").map(words).unwrap_or_default();
    if !own.is_empty() {
        return own;
    }
    let failed = container_statuses(pod).find_map(|(role, status)| {
        let ended = status.at(&["state", "terminated"]).filter(|ended| ended.get_int("exitCode") != Some(0))?;
        Some(format!("{role} {}: {}", status.get_str("name").unwrap_or(""), exit(pod, status, ended)))
    });
    failed.unwrap_or_else(|| "Failed".to_owned())
}

/// What the kubelet says of a pod that has a node and no fault.
fn not_ready(pod: View<'_>) -> String {
    let waiting = container_statuses(pod).find_map(|(role, status)| {
        let reason = status.at(&["state", "waiting", "reason"]).and_then(View::str)?;
        Some(format!("{role} {}: {reason}", status.get_str("name").unwrap_or("")))
    });
    let condition =
        || condition(pod, "Ready").and_then(|ready| ready.get_str("message")).filter(|text| !text.is_empty());
    waiting.or_else(|| condition().map(one_line)).unwrap_or_else(|| "not started yet".to_owned())
}

/// Why pods cannot be created, in the server's words: the ReplicaFailure condition (replica_set_utils.go), for other
/// kinds the controller's event. A Deployment repeats the failure of older ReplicaSets too (progress.go,
/// getReplicaFailures), so that the present one is asked.
fn create(workload: View<'_>, owned: &Owned<'_>, events: &[View<'_>]) -> Option<Trouble> {
    let failure = condition_is(owned.replica_set.unwrap_or(workload), "ReplicaFailure", "True");
    let text = match failure {
        Some(failure) => failure.get_str("message").map(one_line).unwrap_or_default(),
        None => events::of_creation(workload, &owned.pods, events)?,
    };
    let may_pass = is_passing(&text) || (text.contains("exceeded quota") && gets_room(workload));
    Some(Trouble { kind: TroubleKind::Create, count: 0, text, is_final: !may_pass })
}

/// Whether room in a quota comes by itself: from old pods that are yet to go, or from Jobs that end.
fn gets_room(workload: View<'_>) -> bool {
    let count = |key| workload.get("status").and_then(|status| status.get_int(key)).unwrap_or(0);
    match group_kind(workload).1 {
        "Deployment" => count("replicas") > count("updatedReplicas"),
        kind => kind == "Job",
    }
}

fn blocked(owned: &Owned<'_>, events: &[View<'_>]) -> Option<Trouble> {
    let pod = owned.blocking?;
    let why = of_pod(pod, events).into_iter().min_by_key(|found| found.kind)?;
    // A failed pod is made anew by the controller; one that merely starts may still get ready.
    if why.kind == TroubleKind::Failed {
        return None;
    }
    let name = pod.at(&["metadata", "name"]).and_then(View::str).unwrap_or("");
    Some(Trouble {
        kind: TroubleKind::Blocked,
        count: 1,
        text: format!(
            "{name} of the old revision holds up the update until it is deleted by hand: {}",
            why.full_text()
        ),
        is_final: why.kind != TroubleKind::NotReady,
    })
}

fn deadline(workload: View<'_>) -> Option<Trouble> {
    let progressing = condition_is(workload, "Progressing", "False")?;
    let passed = progressing.get_str("reason") == Some("ProgressDeadlineExceeded");
    passed.then(|| Trouble { kind: TroubleKind::Deadline, count: 0, text: words(progressing), is_final: true })
}
