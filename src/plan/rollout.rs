//! What a changed workload does to its pods: which are replaced, and how many stay ready meanwhile.

use super::state::{Item, Workload};
use super::verdict::{Verdict, plural};
use crate::diff::{Change, FieldChange, Risk};
use crate::simulate::Placement;
use crate::yaml::View;

/// Judges an update of a workload. `old` and `new` are the same object on both sides.
pub(super) fn update(change: &Change, old: &Workload<'_>, new: &Workload<'_>) -> Verdict {
    let scale = scale(old, new);
    if !template_changes(change, &new.item) {
        return scale.unwrap_or_default();
    }
    let what = changed(change, &new.item);
    let mut verdict = match new.item.object.kind.as_str() {
        "Deployment" => deployment(old, new, &what),
        "StatefulSet" => stateful_set(old, new, &what),
        "DaemonSet" => daemon_set(new, &what),
        "CronJob" => Verdict::safe(format!("{what}: the next run uses it, running Jobs stay")),
        "Pod" => Verdict {
            restarts: 1,
            ..Verdict::new(Risk::Disruptive, format!("{what}: the container restarts in place"))
        },
        _ => Verdict::safe(format!("{what}: pods that run keep the old template")),
    };
    if let Some(scale) = scale {
        verdict.add(scale);
    }
    verdict
}

/// Replicas that change without the template.
fn scale(old: &Workload<'_>, new: &Workload<'_>) -> Option<Verdict> {
    if !matches!(new.item.object.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController") {
        return None;
    }
    let (before, after) = (old.pods?, new.pods?);
    let text = format!("replicas {before} → {after}");
    Some(match after {
        _ if before == after => return None,
        0 => Verdict::new(Risk::Outage, format!("{text}: no pod is left")),
        _ if after > before => Verdict::safe(format!("{text}: {} more, none restarts", plural(after - before, "pod"))),
        _ if deletes_claims(&new.item, "whenScaled") => {
            let words = format!("{text}: removes {} and deletes their claims", plural(before - after, "pod"));
            Verdict::new(Risk::DataLoss, words)
        }
        _ => Verdict::new(Risk::Disruptive, format!("{text}: removes {}", plural(before - after, "pod"))),
    })
}

/// Whether a StatefulSet deletes the claims of pods that go (`persistentVolumeClaimRetentionPolicy`).
pub(super) fn deletes_claims(item: &Item<'_>, when: &str) -> bool {
    let policy = item.view.at(&["spec", "persistentVolumeClaimRetentionPolicy", when]);
    item.object.kind == "StatefulSet" && policy.and_then(View::str) == Some("Delete")
}

/// `maxSurge` and `maxUnavailable` as the controller resolves them (deployment/util `ResolveFenceposts`): the first
/// rounded up, the second down, and one pod at a time where both are zero.
pub(super) fn fenceposts(strategy: Option<View<'_>>, replicas: u64) -> (u64, u64) {
    let rolling = strategy.and_then(|strategy| strategy.get("rollingUpdate"));
    let amount = |key: &str, up: bool| {
        let value = rolling.and_then(|rolling| rolling.get(key));
        value.map_or_else(|| percent("25%", replicas, up), |value| int_or_percent(value, replicas, up))
    };
    let (surge, unavailable) = (amount("maxSurge", true), amount("maxUnavailable", false));
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable.min(replicas)) }
}

pub(super) fn int_or_percent(value: View<'_>, of: u64, up: bool) -> u64 {
    value.int().map_or_else(|| percent(value.str().unwrap_or_default(), of, up), |value| value.max(0) as u64)
}

fn percent(text: &str, of: u64, up: bool) -> u64 {
    let share: u64 = text.strip_suffix('%').and_then(|number| number.parse().ok()).unwrap_or(0);
    let product = share.saturating_mul(of);
    if up { product.div_ceil(100) } else { product / 100 }
}

fn deployment(old: &Workload<'_>, new: &Workload<'_>, what: &str) -> Verdict {
    let spec = new.item.view.get("spec");
    let replicas = new.pods.unwrap_or(0);
    let replaced = old.pods.unwrap_or(0).min(replicas);
    if spec.is_some_and(|spec| spec.get_bool("paused")) {
        return Verdict::safe(format!("{what}: the rollout is paused, no pod restarts until it is resumed"));
    }
    if replaced == 0 {
        return Verdict::safe(format!("{what}: no pod runs that would restart"));
    }
    let strategy = spec.and_then(|spec| spec.get("strategy"));
    let pods = plural(replaced, "pod");
    if strategy.and_then(|strategy| strategy.get_str("type")) == Some("Recreate") {
        let why = format!("{what}: strategy Recreate stops {} before new ones start", all(&pods, replaced));
        return Verdict { restarts: replaced, ..Verdict::new(Risk::Outage, why) };
    }
    let (surge, unavailable) = fenceposts(strategy, replicas);
    let ready = replicas.saturating_sub(unavailable);
    if ready == 0 {
        let why = format!("{what}: rolls {pods}, and maxUnavailable {unavailable} lets all be down at once");
        return Verdict { restarts: replaced, ..Verdict::new(Risk::Outage, why) };
    }
    let why = format!("{what}: rolls {pods}, never fewer than {ready} ready, at most {} at once", replicas + surge);
    Verdict { restarts: replaced, ..Verdict::new(Risk::Disruptive, why) }
}

fn all(pods: &str, count: u64) -> String {
    if count == 1 { format!("its only {}", pods.trim_start_matches("1 ")) } else { format!("all {pods}") }
}

fn stateful_set(old: &Workload<'_>, new: &Workload<'_>, what: &str) -> Verdict {
    let strategy = new.item.view.at(&["spec", "updateStrategy"]);
    if strategy.and_then(|strategy| strategy.get_str("type")) == Some("OnDelete") {
        return Verdict::safe(format!("{what}: updateStrategy OnDelete, no pod restarts until it is deleted"));
    }
    let replicas = new.pods.unwrap_or(0).min(old.pods.unwrap_or(0));
    let rolling = strategy.and_then(|strategy| strategy.get("rollingUpdate"));
    let partition = rolling.and_then(|rolling| rolling.get_int("partition")).unwrap_or(0).max(0) as u64;
    let replaced = replicas.saturating_sub(partition);
    if replaced == 0 {
        return Verdict::safe(format!("{what}: no pod at or above partition {partition} runs, so none restarts"));
    }
    let down = rolling.and_then(|rolling| rolling.get("maxUnavailable"));
    let down = down.map_or(1, |value| int_or_percent(value, replicas, true).max(1)).min(replaced);
    let ready = replicas - down;
    let risk = if ready == 0 { Risk::Outage } else { Risk::Disruptive };
    let why = match ready {
        0 => format!("{what}: restarts {}, none is ready meanwhile", plural(replaced, "pod")),
        _ => format!("{what}: restarts {} in turn, never fewer than {ready} ready", plural(replaced, "pod")),
    };
    Verdict { restarts: replaced, ..Verdict::new(risk, why) }
}

fn daemon_set(new: &Workload<'_>, what: &str) -> Verdict {
    let strategy = new.item.view.at(&["spec", "updateStrategy"]);
    if strategy.and_then(|strategy| strategy.get_str("type")) == Some("OnDelete") {
        return Verdict::safe(format!("{what}: updateStrategy OnDelete, no pod restarts until it is deleted"));
    }
    let why = match new.pods {
        Some(pods) => format!("{what}: restarts {}, node by node", plural(pods, "pod")),
        None => format!("{what}: restarts the pod of every node in turn; how many is not known without nodes"),
    };
    Verdict { restarts: new.pods.unwrap_or(0), ..Verdict::new(Risk::Disruptive, why) }
}

/// Pods of a workload that its rollout takes away at once.
pub(super) fn unavailable(new: &Workload<'_>) -> u64 {
    let pods = new.pods.unwrap_or(0);
    let strategy = |key: &str| new.item.view.at(&["spec", key]);
    match new.item.object.kind.as_str() {
        "Deployment" if strategy("strategy").and_then(|it| it.get_str("type")) == Some("Recreate") => pods,
        "Deployment" => fenceposts(strategy("strategy"), pods).1,
        _ => {
            let rolling = strategy("updateStrategy").and_then(|it| it.get("rollingUpdate"));
            let most = rolling.and_then(|rolling| rolling.get("maxUnavailable"));
            most.map_or(1, |value| int_or_percent(value, pods, true)).min(pods)
        }
    }
}

/// What the simulated rollout says, where it does not fit.
pub(super) fn stall(item: &Item<'_>, placement: Option<&Placement>) -> Option<String> {
    let owner = item.title();
    let rollouts = &placement?.rollouts;
    let rollout = rollouts.iter().find(|rollout| rollout.owner == owner && rollout.namespace == item.namespace())?;
    let stall = rollout.stalls.as_ref().filter(|_| !rollout.fits)?;
    Some(format!("the rollout stalls at step {}: {}", stall.step, stall.message))
}

/// Whether the pods that a workload makes would be others.
pub(super) fn template_changes(change: &Change, item: &Item<'_>) -> bool {
    change.fields.iter().any(|field| in_template(field, item))
}

/// Whether pods keep their template until somebody does more: a paused Deployment, strategy OnDelete.
pub(super) fn is_held(item: &Item<'_>) -> bool {
    let strategy = item.view.at(&["spec", "updateStrategy", "type"]).and_then(View::str);
    item.view.get("spec").is_some_and(|spec| spec.get_bool("paused")) || strategy == Some("OnDelete")
}

/// Whether a field belongs to the pods that a workload makes.
fn in_template(field: &FieldChange, item: &Item<'_>) -> bool {
    match item.object.kind.as_str() {
        "Pod" => field.path.starts_with("spec.") && field.path.ends_with(".image"),
        "CronJob" => field.path.starts_with("spec.jobTemplate"),
        _ => field.path == "spec.template" || field.path.starts_with("spec.template."),
    }
}

/// Names the template fields that differ: `image of web changes`.
fn changed(change: &Change, item: &Item<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    let fields = change.fields.iter().filter(|field| in_template(field, item));
    for name in fields.map(short) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [one] => format!("{one} changes"),
        [one, two] => format!("{one} and {two} change"),
        [one, rest @ ..] => format!("{one} and {} more fields change", rest.len()),
        [] => "pod template changes".to_owned(),
    }
}

/// The path from the container or the pod spec on, without indices.
fn short(field: &FieldChange) -> String {
    let path = field.path.as_str();
    let start = path.rfind("ontainers[").and_then(|at| path[at..].find("].").map(|dot| at + dot + 2));
    let start = start.or_else(|| path.rfind("template.spec.").map(|at| at + "template.spec.".len()));
    let rest = start.and_then(|start| path.get(start..)).unwrap_or(path);
    let rest = rest.strip_prefix("spec.template.").unwrap_or(rest);
    rest.split('[').next().unwrap_or(rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_the_controller_does() {
        assert_eq!((percent("25%", 3, true), percent("25%", 3, false)), (1, 0));
        assert_eq!((percent("25%", 6, true), percent("25%", 6, false)), (2, 1));
        assert_eq!(fenceposts(None, 0), (0, 1));
        assert_eq!(fenceposts(None, 1), (1, 0));
    }
}
