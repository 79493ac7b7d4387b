//! How far a live object is, by its own status.
//!
//! The rules are those of kstatus (kubernetes-sigs/cli-utils, `pkg/kstatus/status`, named `generic.go` and `core.go`
//! below) with what a deployer needs beyond: a failed pod has failed, a Job that others wait for has to finish, an
//! address may be waited for, and what nobody will move by itself is said instead of waited for.

use super::pods;
use crate::yaml::View;

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing more is to come, or nothing that apply should wait for; the text says which.
    Ready,
    /// Its controller is still at work.
    Waiting,
    /// It will not become ready by waiting.
    Failed,
}

/// How far an object is, and in which words to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub progress: Progress,
    /// One line without the object's name: `2/3 ready`, `no address yet`, or the controller's own words.
    pub text: String,
}

/// What the object alone does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Services of type LoadBalancer and Ingresses are ready only with an address.
    pub wait_for_load_balancer: bool,
    /// Others wait for this object, so a Job has to complete; else it is enough that it has started.
    pub gates: bool,
    /// The claim's StorageClass binds when a pod first uses the claim (`volumeBindingMode: WaitForFirstConsumer`),
    /// so that a pending claim is not waited for.
    pub binds_on_use: bool,
}

impl Status {
    fn ready(text: impl Into<String>) -> Status {
        Status { progress: Progress::Ready, text: text.into() }
    }

    fn waiting(text: impl Into<String>) -> Status {
        Status { progress: Progress::Waiting, text: text.into() }
    }

    fn failed(text: impl Into<String>) -> Status {
        Status { progress: Progress::Failed, text: text.into() }
    }
}

/// How far one live object is. Kinds without a rule of their own, custom resources among them, are read by the
/// conditions that any controller may set, and are ready where there are none.
pub fn status(object: View<'_>, rules: &Rules) -> Status {
    if object.at(&["metadata", "deletionTimestamp"]).is_some() {
        return deleted(object);
    }
    let (group, kind) = group_kind(object);
    // A budget whose pods have no controller is never observed (disruption.go, failSafe), and nothing waits for it.
    if (group, kind) == ("policy", "PodDisruptionBudget") {
        return Status::ready("stored");
    }
    if is_unseen(object) {
        return Status::waiting("change not seen by its controller yet");
    }
    match (group, kind) {
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replica_set(object),
        ("batch", "Job") => job(object, rules),
        ("", "Pod") => pod(object),
        ("", "Service") => service(object, rules),
        ("networking.k8s.io", "Ingress") => ingress(object, rules),
        ("", "PersistentVolumeClaim") => claim(object, rules),
        ("", "PersistentVolume") => volume(object),
        ("", "Namespace") => namespace(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("apiregistration.k8s.io", "APIService") => api_service(object),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(object),
        _ => by_conditions(object),
    }
}

/// Group and kind of an object; the core group is empty.
pub(super) fn group_kind(object: View<'_>) -> (&str, &str) {
    let version = object.get_str("apiVersion").unwrap_or("");
    (version.split_once('/').map_or("", |(group, _)| group), object.get_str("kind").unwrap_or(""))
}

/// The condition of a type, whatever its status.
pub(super) fn condition<'a>(object: View<'a>, kind: &str) -> Option<View<'a>> {
    object.get("status")?.list("conditions").find(|condition| condition.get_str("type") == Some(kind))
}

/// The condition of a type where it has this status.
pub(super) fn condition_is<'a>(object: View<'a>, kind: &str, status: &str) -> Option<View<'a>> {
    condition(object, kind).filter(|condition| condition.get_str("status") == Some(status))
}

/// `Reason: message`, or the one of them that is there; a condition without either is named.
pub(super) fn words(view: View<'_>) -> String {
    let field = |key| view.get_str(key).map(one_line).filter(|text| !text.is_empty());
    match (field("reason"), field("message")) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => match (field("type"), field("status")) {
            (Some(kind), Some(status)) => format!("{kind} is {status}"),
            _ => String::new(),
        },
    }
}

/// A component's words on one line, without what would move a terminal's cursor.
pub(super) fn one_line(text: &str) -> String {
    let parts: Vec<&str> = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// An integer below `status`; absent is 0, as in Go.
fn count(object: View<'_>, key: &str) -> i64 {
    object.get("status").and_then(|status| status.get_int(key)).unwrap_or(0)
}

/// `spec.replicas`; the default of every kind is 1.
fn wanted(object: View<'_>) -> i64 {
    object.at(&["spec", "replicas"]).and_then(View::int).unwrap_or(1)
}

/// generic.go: an object that is being deleted; what was applied to it goes with it, so it has failed here.
fn deleted(object: View<'_>) -> Status {
    let remaining = ["NamespaceContentRemaining", "NamespaceFinalizersRemaining"];
    let remaining = remaining.iter().find_map(|kind| condition_is(object, kind, "True")?.get_str("message"));
    let finalizers: Vec<&str> =
        object.get("metadata").into_iter().flat_map(|meta| meta.list("finalizers")).filter_map(View::str).collect();
    Status::failed(match remaining {
        Some(remaining) => format!("being deleted: {}", one_line(remaining)),
        None if finalizers.is_empty() => "being deleted".to_owned(),
        None => format!("being deleted, held by {}", finalizers.join(", ")),
    })
}

/// generic.go, checkGeneration; for kinds whose controller always says what it has seen, silence means not yet
/// (core.go, checkGenerationSet; kubectl's rollout_status.go).
pub(super) fn is_unseen(object: View<'_>) -> bool {
    let generation = object.at(&["metadata", "generation"]).and_then(View::int);
    let observed = object.at(&["status", "observedGeneration"]).and_then(View::int);
    let always_says = matches!(
        group_kind(object),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") | ("", "ReplicationController")
    );
    match (generation, observed) {
        (Some(generation), Some(observed)) => observed < generation,
        (_, None) => always_says,
        (None, Some(_)) => false,
    }
}

/// Complete as the controller counts it (deployment_util.go, DeploymentComplete). A passed deadline fails only what
/// is incomplete: the condition lags behind the counts.
fn deployment(object: View<'_>) -> Status {
    let wanted = wanted(object);
    let [all, updated, ready, available] =
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"].map(|key| count(object, key));
    let open = if updated < wanted && updated < all {
        format!("{updated}/{wanted} updated")
    } else if ready < wanted || updated < wanted {
        format!("{ready}/{wanted} ready")
    } else if available < wanted {
        format!("{available}/{wanted} available")
    } else if all > wanted {
        format!("{ready}/{wanted} ready, {} to stop", all - wanted)
    } else {
        return Status::ready(all_ready(wanted));
    };
    // A paused Deployment scales but never rolls out: the user's wish, which nothing would end.
    if object.get("spec").is_some_and(|spec| spec.get_bool("paused")) {
        return Status::ready(format!("paused at {open}"));
    }
    let progressing = condition(object, "Progressing");
    match progressing.filter(|condition| condition.get_str("reason") == Some("ProgressDeadlineExceeded")) {
        Some(condition) => Status::failed(format!("{open}, {}", words(condition))),
        None => Status::waiting(open),
    }
}

fn all_ready(wanted: i64) -> String {
    if wanted == 0 { "scaled to 0".to_owned() } else { format!("{wanted}/{wanted} ready") }
}

/// core.go, replicasetConditions.
fn replica_set(object: View<'_>) -> Status {
    let wanted = wanted(object);
    let [all, labelled, ready, available] =
        ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"].map(|key| count(object, key));
    if labelled < wanted && labelled < all {
        Status::waiting(format!("{labelled}/{wanted} labelled as the template is"))
    } else if ready < wanted {
        Status::waiting(format!("{ready}/{wanted} ready"))
    } else if available < wanted {
        Status::waiting(format!("{available}/{wanted} available"))
    } else if all > wanted {
        Status::waiting(format!("{ready}/{wanted} ready, {} to stop", all - wanted))
    } else {
        Status::ready(all_ready(wanted))
    }
}

/// core.go, stsConditions; the API server's default of the partition is 0, so that all are updated. Under OnDelete,
/// pods of the old revision are the user's to delete and are not waited for.
fn stateful_set(object: View<'_>) -> Status {
    let wanted = wanted(object);
    let [all, ready, updated] = ["replicas", "readyReplicas", "updatedReplicas"].map(|key| count(object, key));
    let strategy = object.at(&["spec", "updateStrategy"]);
    let partition = strategy.and_then(|strategy| strategy.at(&["rollingUpdate", "partition"])?.int()).unwrap_or(0);
    // Absent before 1.22.
    let available = object.at(&["status", "availableReplicas"]).and_then(View::int).unwrap_or(ready);
    let to_update = (wanted - partition).max(0);
    if all >= wanted && updated < all && is_on_delete(object) {
        return Status::ready(left_to_delete(ready, wanted, all - updated));
    }
    if updated < to_update && ready >= wanted {
        Status::waiting(format!("{updated}/{to_update} updated"))
    } else if ready < wanted {
        Status::waiting(format!("{ready}/{wanted} ready"))
    } else if available < wanted {
        Status::waiting(format!("{available}/{wanted} available"))
    } else if all > wanted {
        Status::waiting(format!("{ready}/{wanted} ready, {} to stop", all - wanted))
    } else if partition > 0 && updated < wanted {
        Status::ready(format!("{ready}/{wanted} ready, {updated} updated (partition {partition})"))
    } else {
        Status::ready(all_ready(wanted))
    }
}

fn is_on_delete(object: View<'_>) -> bool {
    object.at(&["spec", "updateStrategy", "type"]).and_then(View::str) == Some("OnDelete")
}

fn left_to_delete(ready: i64, wanted: i64, old: i64) -> String {
    format!("{ready}/{wanted} ready, {old} of the old revision until deleted by hand (OnDelete)")
}

/// core.go, daemonsetConditions; OnDelete as for a StatefulSet.
fn daemon_set(object: View<'_>) -> Status {
    let Some(wanted) = object.at(&["status", "desiredNumberScheduled"]).and_then(View::int) else {
        return Status::waiting("no node counted yet");
    };
    let keys = ["currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable"];
    let [current, updated, ready, available] = keys.map(|key| count(object, key));
    if current >= wanted && updated < wanted && is_on_delete(object) {
        return Status::ready(left_to_delete(ready, wanted, wanted - updated));
    }
    if wanted == 0 {
        Status::ready("no node to run on")
    } else if current < wanted {
        Status::waiting(format!("{current}/{wanted} created"))
    } else if updated < wanted {
        Status::waiting(format!("{updated}/{wanted} updated"))
    } else if ready < wanted {
        Status::waiting(format!("{ready}/{wanted} ready"))
    } else if available < wanted {
        Status::waiting(format!("{available}/{wanted} available"))
    } else {
        Status::ready(all_ready(wanted))
    }
}

/// core.go, jobConditions, but for what gates others. FailureTarget comes before Failed while pods still stop
/// (batch/v1 types.go), and is as certain.
fn job(object: View<'_>, rules: &Rules) -> Status {
    let failed = ["Failed", "FailureTarget"].iter().find_map(|kind| condition_is(object, kind, "True"));
    if let Some(failed) = failed {
        return Status::failed(words(failed));
    }
    let succeeded = match object.at(&["spec", "completions"]).and_then(View::int) {
        Some(completions) => format!("{}/{completions} succeeded", count(object, "succeeded")),
        None => format!("{} succeeded", count(object, "succeeded")),
    };
    if condition_is(object, "Complete", "True").is_some() {
        return Status::ready(succeeded);
    }
    // Whoever suspended it may resume it: a queue does so by itself.
    let is_suspended = condition_is(object, "Suspended", "True").is_some();
    let text = match (is_suspended, object.at(&["status", "startTime"])) {
        (true, _) => format!("suspended, {succeeded}"),
        (false, None) => return Status::waiting("not started"),
        (false, Some(_)) => format!("{} active, {succeeded}", count(object, "active")),
    };
    if rules.gates { Status::waiting(text) } else { Status::ready(text) }
}

/// core.go, podConditions, but a failed pod has failed; what keeps it from being ready is told by its troubles.
fn pod(object: View<'_>) -> Status {
    let phase = object.at(&["status", "phase"]).and_then(View::str).unwrap_or("Pending");
    match phase {
        "Succeeded" => Status::ready("completed"),
        "Failed" => Status::failed(pods::end(object)),
        _ if condition_is(object, "Ready", "True").is_some() => Status::ready("ready"),
        _ => Status::waiting(phase),
    }
}

/// core.go, serviceConditions, and the address where it is asked for.
fn service(object: View<'_>, rules: &Rules) -> Status {
    let spec = |key| object.get("spec").and_then(|spec| spec.get_str(key));
    if spec("type") != Some("LoadBalancer") {
        return Status::ready("stored");
    }
    match spec("clusterIP") {
        None | Some("") => Status::waiting("no cluster IP yet"),
        Some(_) => address(object, rules),
    }
}

/// Ready at once as in kstatus: many controllers never write an address.
fn ingress(object: View<'_>, rules: &Rules) -> Status {
    address(object, rules)
}

fn address(object: View<'_>, rules: &Rules) -> Status {
    let ingress = object.at(&["status", "loadBalancer"]).into_iter().flat_map(|balancer| balancer.list("ingress"));
    let addresses: Vec<&str> =
        ingress.filter_map(|ingress| ingress.get_str("ip").or_else(|| ingress.get_str("hostname"))).collect();
    match (addresses.is_empty(), rules.wait_for_load_balancer) {
        (false, _) => Status::ready(addresses.join(", ")),
        (true, true) => Status::waiting("no address yet"),
        (true, false) => Status::ready("no address yet, not waited for"),
    }
}

/// core.go, pvcConditions; phases of core/v1 `PersistentVolumeClaimPhase`.
fn claim(object: View<'_>, rules: &Rules) -> Status {
    match object.at(&["status", "phase"]).and_then(View::str).unwrap_or("Pending") {
        "Bound" => Status::ready("bound"),
        "Lost" => Status::failed("its volume is lost"),
        _ if rules.binds_on_use => Status::ready("to be bound when a pod uses it"),
        phase => Status::waiting(format!("{phase}, not bound")),
    }
}

/// Phases of core/v1 `PersistentVolumePhase`.
fn volume(object: View<'_>) -> Status {
    let status = object.get("status");
    let field = |key| status.and_then(|status| status.get_str(key));
    match field("phase") {
        Some("Failed") => Status::failed(status.map_or_else(String::new, words)),
        Some("Pending") | None => Status::waiting("Pending"),
        Some(phase) => Status::ready(phase),
    }
}

/// Phases of core/v1 `NamespacePhase`; Terminating comes with a deletionTimestamp.
fn namespace(object: View<'_>) -> Status {
    match object.at(&["status", "phase"]).and_then(View::str) {
        Some("Active") => Status::ready("active"),
        phase => Status::waiting(phase.unwrap_or("no phase yet")),
    }
}

/// core.go, crdConditions.
fn definition(object: View<'_>) -> Status {
    let refused = condition_is(object, "NamesAccepted", "False");
    let broken = condition_is(object, "Established", "False")
        .filter(|condition| !matches!(condition.get_str("reason"), Some("Installing" | "NotAccepted")));
    match refused.or(broken) {
        Some(condition) => Status::failed(words(condition)),
        None if condition_is(object, "Established", "True").is_some() => Status::ready("established"),
        None => Status::waiting("not established yet"),
    }
}

/// The `Available` condition of apiregistration/v1: False until the service behind it answers.
fn api_service(object: View<'_>) -> Status {
    match condition(object, "Available") {
        Some(condition) if condition.get_str("status") == Some("True") => Status::ready("available"),
        Some(condition) => Status::waiting(words(condition)),
        None => Status::waiting("not available yet"),
    }
}

/// Conditions of autoscaling/v2, set by horizontal.go. Metrics may come a minute after the pods or never, and nothing
/// waits for an autoscaler, so that their lack is said and not waited for.
fn autoscaler(object: View<'_>) -> Status {
    if let Some(condition) = condition_is(object, "AbleToScale", "False") {
        return Status::waiting(words(condition));
    }
    match condition_is(object, "ScalingActive", "False") {
        Some(condition) => match condition.get_str("reason") {
            Some("InvalidSelector" | "AmbiguousSelector" | "InvalidMetricSourceType") => {
                Status::failed(words(condition))
            }
            _ => Status::ready(format!("not scaling: {}", words(condition))),
        },
        None if condition(object, "ScalingActive").is_none() => Status::ready("not evaluated yet"),
        None => Status::ready("scaling"),
    }
}

/// generic.go, checkGenericProperties and the Ready condition: Stalled and Reconciling of kstatus, then Ready. A
/// condition that was set for an older generation (`observedGeneration` of meta/v1 Condition) says nothing yet.
fn by_conditions(object: View<'_>) -> Status {
    if let Some(stalled) = condition_is(object, "Stalled", "True") {
        return Status::failed(words(stalled));
    }
    if let Some(reconciling) = condition_is(object, "Reconciling", "True") {
        return Status::waiting(words(reconciling));
    }
    let Some(ready) = condition(object, "Ready") else { return Status::ready("stored") };
    let generation = object.at(&["metadata", "generation"]).and_then(View::int);
    if ready.get_int("observedGeneration").is_some_and(|observed| Some(observed) < generation) {
        return Status::waiting("change not seen by its controller yet");
    }
    match ready.get_str("status") {
        Some("True") => Status::ready("ready"),
        _ => Status::waiting(words(ready)),
    }
}
