//! What is wrong by events (core/v1), where no status says it.

use super::pods::TroubleKind;
use super::status::one_line;
use crate::yaml::View;

/// The last warning about a pod that explains why it is not ready; reasons of the kubelet (`pkg/kubelet/events/event.go`)
/// and of the attach-detach controller.
pub(super) fn of_pod(pod: View<'_>, events: &[View<'_>]) -> Option<(TroubleKind, String)> {
    let about = about(pod, events).filter(|event| kind(*event).is_some());
    let last = latest(about)?;
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

/// Why a controller could not create pods, in the server's words (controller_utils.go: `Error creating: …`;
/// stateful_pod_control.go: `Create Pod … failed error: …`).
pub(super) fn of_creation(workload: View<'_>, events: &[View<'_>]) -> Option<String> {
    let failed = about(workload, events).filter(|event| event.get_str("reason") == Some("FailedCreate"));
    let message = message(latest(failed)?)?;
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

/// The last of these events by time; all times are written in UTC, so that they compare as text.
fn latest<'a>(events: impl Iterator<Item = View<'a>>) -> Option<View<'a>> {
    let time = |event: View<'a>| {
        let series = event.at(&["series", "lastObservedTime"]).and_then(View::str);
        series.or_else(|| event.get_str("lastTimestamp")).or_else(|| event.get_str("eventTime")).unwrap_or("")
    };
    events.max_by_key(|event| time(*event))
}
