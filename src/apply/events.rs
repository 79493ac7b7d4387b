//! What is wrong by events (core/v1), where no status says it.

use super::pods::TroubleKind;
use super::status::one_line;
use crate::yaml::View;

/// Why a pod is not ready, by the last that the kubelet (`pkg/kubelet/events/event.go`) or the attach-detach controller
/// said of it; none where the pod got further since.
pub(super) fn of_pod(pod: View<'_>, events: &[View<'_>]) -> Option<(TroubleKind, String)> {
    let last = latest(about(pod, events).filter(|event| kind(*event).is_some() || is_progress(*event)))?;
    Some((kind(last)?, message(last)?))
}

fn kind(event: View<'_>) -> Option<TroubleKind> {
    match event.get_str("reason")? {
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => Some(TroubleKind::Volume),
        "FailedCreatePodSandBox" => Some(TroubleKind::Config),
        "Unhealthy" => Some(TroubleKind::NotReady),
        _ => None,
    }
}

fn is_progress(event: View<'_>) -> bool {
    matches!(event.get_str("reason"), Some("Pulling" | "Pulled" | "Created" | "Started"))
}

/// Why a controller could not create pods, in the server's words (controller_utils.go: `Error creating: …`;
/// stateful_pod_control.go: `Create Pod … failed error: …`); none where it created one since. Events live for an hour,
/// so that one may be of an earlier try.
pub(super) fn of_creation(workload: View<'_>, pods: &[View<'_>], events: &[View<'_>]) -> Option<String> {
    let is_creation = |event: &View<'_>| matches!(event.get_str("reason"), Some("FailedCreate" | "SuccessfulCreate"));
    let last = latest(about(workload, events).filter(is_creation))?;
    let created = pods.iter().filter_map(|pod| pod.at(&["metadata", "creationTimestamp"])?.str()).max();
    if last.get_str("reason") != Some("FailedCreate") || created.is_some_and(|created| created >= time(last)) {
        return None;
    }
    let message = message(last)?;
    // Repeated events read `(combined from similar events): Error creating: …`.
    let server = ["Error creating: ", " failed error: "].iter().find_map(|before| Some(message.split_once(before)?.1));
    Some(server.unwrap_or(&message).to_owned())
}

fn about<'a>(object: View<'_>, events: &[View<'a>]) -> impl Iterator<Item = View<'a>> {
    let uid = object.at(&["metadata", "uid"]).and_then(View::str);
    let is_about =
        move |event: &View<'a>| uid.is_some() && event.at(&["involvedObject", "uid"]).and_then(View::str) == uid;
    events.iter().copied().filter(is_about)
}

fn message(event: View<'_>) -> Option<String> {
    Some(one_line(event.get_str("message")?))
}

/// The last of these events; of two in one second, the later in the list.
fn latest<'a>(events: impl Iterator<Item = View<'a>>) -> Option<View<'a>> {
    events.max_by_key(|event| time(*event))
}

/// When an event was last seen; all times are written in UTC, so that they compare as text.
fn time(event: View<'_>) -> &str {
    let series = event.at(&["series", "lastObservedTime"]).and_then(View::str);
    series.or_else(|| event.get_str("lastTimestamp")).or_else(|| event.get_str("eventTime")).unwrap_or("")
}
