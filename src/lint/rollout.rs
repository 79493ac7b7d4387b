//! Rules on how workloads roll out, and on what may disturb them.

use super::Cx;
use super::index::{Existence, Workload};
use super::pod::containers;
use crate::diag::Related;
use crate::model::ObjectId;
use crate::model::intstr::IntOrString;
use crate::model::pod::{map_selects, selector_selects};
use crate::yaml::View;

/// A whole number or a percentage.
fn int_or_string(view: View<'_>) -> Option<IntOrString> {
    let number = view.int().and_then(|number| i32::try_from(number).ok()).map(IntOrString::Int);
    number.or_else(|| view.str().map(|text| IntOrString::Str(text.to_owned())))
}

/// How many pods a workload is to have; `None` where nodes or a schedule decide.
pub(super) fn replicas(kind: &str, root: View<'_>) -> Option<i64> {
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController" | "Rollout" | "CloneSet" => {
            Some(root.at(&["spec", "replicas"]).and_then(View::int).unwrap_or(1))
        }
        _ => None,
    }
}

/// Whether a Service of the set sends traffic to the pods of the object.
pub(super) fn has_service(cx: &Cx<'_>) -> bool {
    let Some(template) = cx.template() else { return false };
    let labels = template.labels();
    cx.index.services_of(cx.object, &labels).any(|id| {
        let selector = cx.bundle.full(id).at(&["spec", "selector"]);
        selector.is_some_and(|selector| map_selects(selector, &labels))
    })
}

pub(super) fn strategy_recreate(cx: &mut Cx<'_>) {
    let Some(type_) = cx.root.at(&["spec", "strategy", "type"]).filter(|type_| type_.str() == Some("Recreate")) else {
        return;
    };
    // A volume that one node at a time may have leaves no other way.
    let Some(template) = cx.template() else { return };
    let claims = template.spec.list("volumes").filter(|volume| volume.get("persistentVolumeClaim").is_some());
    if claims.count() > 0 || !has_service(cx) {
        return;
    }
    let message = "each change ends all pods before it starts new ones, and a Service sends them traffic";
    cx.report(type_, message).help = Some("use RollingUpdate".to_owned());
}

/// A rolling update that may take away every pod there is.
pub(super) fn rollout_zero_capacity(cx: &mut Cx<'_>) {
    let Some(replicas) = replicas(&cx.object.kind, cx.root).filter(|replicas| *replicas > 0) else { return };
    let Some(rolling) = cx.root.at(&["spec", "strategy", "rollingUpdate"]) else { return };
    let scaled = |key: &str, up: bool| {
        let value = rolling.get(key)?;
        Some((value, int_or_string(value)?.scaled(replicas, up).ok()?))
    };
    let (Some((value, mut unavailable)), Some((_, surge))) =
        (scaled("maxUnavailable", false), scaled("maxSurge", true))
    else {
        return;
    };
    if unavailable == 0 && surge == 0 {
        unavailable = 1;
    }
    let is_written = cx.bundle.written(cx.id).at(&["spec", "strategy", "rollingUpdate", "maxUnavailable"]).is_some();
    if unavailable < replicas || !is_written || !has_service(cx) {
        return;
    }
    let message = match replicas {
        1 => "a rollout may take the only pod away before there is another".to_owned(),
        number => format!("a rollout may take all {number} pods away at once"),
    };
    let help = "set maxUnavailable below the number of replicas, or 0 with a maxSurge of 1";
    cx.report(value, message).help = Some(help.to_owned());
}

/// The first start may take longer than the rollout is given.
pub(super) fn progress_deadline_short(cx: &mut Cx<'_>) {
    let Some(deadline) = cx.root.at(&["spec", "progressDeadlineSeconds"]).and_then(View::int) else { return };
    let Some(template) = cx.template() else { return };
    let ready = cx.root.at(&["spec", "minReadySeconds"]).and_then(View::int).unwrap_or(0);
    for container in containers(&template).into_iter().filter(|container| container.is_serving()) {
        let Some(probe) = container.view.get("startupProbe") else { continue };
        let number = |key: &str, default: i64| probe.get_int(key).unwrap_or(default);
        let longest = number("initialDelaySeconds", 0)
            .saturating_add(number("failureThreshold", 3).saturating_mul(number("periodSeconds", 10)))
            .saturating_add(ready);
        if longest > deadline {
            let message = format!(
                "container `{}` may take {longest} s to start, and the rollout counts as failed after {deadline} s",
                container.name()
            );
            let help = "raise progressDeadlineSeconds of the workload above that";
            cx.report_key(container.view, "startupProbe", message).help = Some(help.to_owned());
        }
    }
}

pub(super) fn grace_period_zero(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let Some(grace) = template.spec.get("terminationGracePeriodSeconds").filter(|grace| grace.int() == Some(0)) else {
        return;
    };
    let message = "the processes are killed without being asked to end";
    cx.report(grace, message).help = Some("remove it: 30 seconds are the default".to_owned());
}

/// A hook that sleeps as long as the pod is given to end: the program itself is killed unasked.
pub(super) fn prestop_eats_grace(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let grace = template.spec.get_int("terminationGracePeriodSeconds").unwrap_or(30);
    for container in containers(&template) {
        let Some(hook) = container.view.at(&["lifecycle", "preStop"]) else { continue };
        let Some((place, seconds)) = sleep_of(hook).filter(|(_, seconds)| *seconds >= grace && grace > 0) else {
            continue;
        };
        let message = format!(
            "container `{}` sleeps {seconds} s of the {grace} s that it is given to end, then it is killed",
            container.name()
        );
        let help = "shorten the sleep, or raise terminationGracePeriodSeconds above it";
        cx.report(place, message).help = Some(help.to_owned());
    }
}

/// How long a hook sleeps: `sleep: {seconds}`, or `sleep N` as its command.
fn sleep_of(hook: View<'_>) -> Option<(View<'_>, i64)> {
    if let Some(seconds) = hook.at(&["sleep", "seconds"]) {
        return Some((seconds, seconds.int()?));
    }
    let command: Vec<View<'_>> = hook.at(&["exec", "command"])?.items().collect();
    let words: Vec<&str> = command.iter().filter_map(|word| word.str()).collect();
    let text = words.join(" ");
    let at = text.find("sleep ")?;
    let before = text[..at].chars().next_back();
    if before.is_some_and(|letter| letter.is_alphanumeric()) {
        return None;
    }
    let number: String = text[at + 6..].chars().take_while(char::is_ascii_digit).collect();
    let place = command.iter().find(|word| word.str().is_some_and(|word| word.contains(&number)))?;
    Some((*place, number.parse().ok()?))
}

/// The workloads that a budget covers.
fn covered<'i, 'a>(cx: &'i Cx<'a>) -> Vec<&'i Workload<'a>> {
    let Some(selector) = cx.root.at(&["spec", "selector"]) else { return Vec::new() };
    let all = cx.index.with_label(cx.object, selector.get("matchLabels"));
    all.into_iter().filter(|workload| selector_selects(selector, &workload.labels)).collect()
}

/// The fewest pods of a workload: what its autoscaler may go down to, else its replicas.
fn fewest(cx: &Cx<'_>, id: ObjectId) -> Option<(i64, bool)> {
    let object = cx.bundle.object(id);
    let least = cx.index.scalers(object, &object.name).iter().find_map(|scaler| {
        // The field with the minimum, and what it is without: KEDA goes down to none.
        let (field, default, kind) = match cx.bundle.object(*scaler).kind.as_str() {
            "HorizontalPodAutoscaler" => ("minReplicas", 1, None),
            "ScaledObject" => ("minReplicaCount", 0, Some("Deployment")),
            _ => return None,
        };
        let spec = cx.bundle.full(*scaler).get("spec")?;
        let target = spec.at(&["scaleTargetRef", "kind"]).and_then(View::str).or(kind);
        (target == Some(object.kind.as_str())).then(|| spec.get_int(field).unwrap_or(default))
    });
    match least {
        Some(least) => Some((least, true)),
        None => replicas(&object.kind, cx.bundle.full(id)).map(|replicas| (replicas, false)),
    }
}

/// A budget that never lets a pod go, however many of them are healthy.
pub(super) fn pdb_blocks_eviction(cx: &mut Cx<'_>) {
    let Some((value, pods, scaled)) = blocked(cx) else { return };
    if scaled {
        return;
    }
    let message = match pods {
        Some(pods) => format!("no pod may ever be evicted: the budget asks for all {pods} of them"),
        None => "no pod may ever be evicted, so no node with one of them can be drained".to_owned(),
    };
    let help = "leave room for one pod, and run at least two";
    cx.report(value, message).help = Some(help.to_owned());
}

/// The same, where only the autoscaler's minimum makes it so.
pub(super) fn pdb_above_hpa_min(cx: &mut Cx<'_>) {
    let Some((value, Some(pods), true)) = blocked(cx) else { return };
    let message = format!("no pod may be evicted once the autoscaler is down to its minimum of {pods}");
    cx.report(value, message).help = Some("lower minAvailable, or raise minReplicas of the autoscaler".to_owned());
}

/// The field that blocks, how many pods there are then, and whether an autoscaler sets that number.
fn blocked<'a>(cx: &Cx<'a>) -> Option<(View<'a>, Option<i64>, bool)> {
    let spec = cx.root.get("spec")?;
    if let Some(value) = spec.get("maxUnavailable") {
        let amount = int_or_string(value)?;
        let is_zero = matches!(amount, IntOrString::Int(0)) || amount.percent() == Some(0);
        return is_zero.then_some((value, None, false));
    }
    let value = spec.get("minAvailable")?;
    let amount = int_or_string(value)?;
    if amount.percent().is_some_and(|percent| percent >= 100) {
        return Some((value, None, false));
    }
    let workloads = covered(cx);
    // Pods that are not seen here may be covered too.
    if workloads.is_empty() || cx.index.is_open(cx.object, "Deployment") {
        return None;
    }
    let mut total = 0i64;
    let mut scaled = false;
    for workload in workloads {
        let (pods, by_scaler) = fewest(cx, workload.id)?;
        total = total.saturating_add(pods);
        scaled |= by_scaler;
    }
    let wanted = amount.scaled(total, true).ok()?;
    (total > 0 && wanted >= total).then_some((value, Some(total), scaled))
}

pub(super) fn pdb_no_policy(cx: &mut Cx<'_>) {
    let Some(spec) = cx.root.get("spec") else { return };
    if spec.get("minAvailable").is_none() && spec.get("maxUnavailable").is_none() {
        let message = "the budget sets neither minAvailable nor maxUnavailable, and then allows no eviction at all";
        cx.report_field("spec".to_owned(), message).help = Some("set `maxUnavailable: 1`".to_owned());
    }
}

pub(super) fn pdb_no_match(cx: &mut Cx<'_>) {
    let Some(selector) = cx.root.at(&["spec", "selector"]) else { return };
    let wanted = selector.map("matchLabels").filter_map(|(_, value)| value.str());
    if !covered(cx).is_empty() || cx.index.may_hide(cx.object, wanted) || cx.index.is_open(cx.object, "Pod") {
        return;
    }
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let live = cx.index.live.workloads(&namespace);
    if live.iter().any(|workload| selector_selects(selector, &workload.labels)) || cx.index.live.is_unread("Pod", "") {
        return;
    }
    let message = format!("the budget covers no pod {}", cx.index.place());
    let help = format!("select labels that pods in namespace {namespace} have");
    cx.report_field("spec.selector".to_owned(), message).help = Some(help);
}

/// Two budgets over one pod: the eviction of it fails, whatever they allow.
pub(super) fn pdb_overlap(cx: &mut Cx<'_>) {
    let mine: Vec<ObjectId> = covered(cx).iter().map(|workload| workload.id).collect();
    let others = cx.index.of_kind_here(cx.object, "PodDisruptionBudget").iter().copied();
    let found = others.take_while(|other| *other != cx.id).find_map(|other| {
        let object = cx.bundle.object(other);
        let selector = cx.bundle.full(other).at(&["spec", "selector"])?;
        let shared = cx
            .index
            .workloads(cx.object)
            .iter()
            .find(|workload| mine.contains(&workload.id) && selector_selects(selector, &workload.labels))?;
        (object.namespace == cx.object.namespace && object.key() != cx.object.key()).then_some((other, shared.id))
    });
    let Some((other, shared)) = found else { return };
    let (title, owner) = (cx.bundle.object(other).title(), cx.bundle.object(shared).title());
    let (file, span) = cx.place_in(other, "spec.selector");
    let message = format!("the pods of {owner} are covered by {title} too, and cannot be evicted then");
    let diagnostic = cx.report_field("spec.selector".to_owned(), message);
    diagnostic.help = Some("keep one of the two budgets, or select other pods".to_owned());
    diagnostic.related.push(Related { file, span, message: "the other budget".to_owned() });
}

pub(super) fn pdb_missing(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let Some(number) = fewest(cx, cx.id).map(|(number, _)| number).filter(|number| *number > 0) else { return };
    if number < cx.params.int("minReplicas").unwrap_or_default() {
        return;
    }
    let labels = template.labels();
    let budgets = cx.index.of_kind_here(cx.object, "PodDisruptionBudget").iter();
    let mut budgets = budgets;
    let covers = |id: &ObjectId| {
        cx.bundle.full(*id).at(&["spec", "selector"]).is_some_and(|selector| selector_selects(selector, &labels))
    };
    if budgets.any(covers) || cx.index.is_open(cx.object, "PodDisruptionBudget") {
        return;
    }
    let message = format!("a drain may take all {number} pods at once: no PodDisruptionBudget covers them");
    let help = "add a PodDisruptionBudget with `maxUnavailable: 1`";
    cx.report_field("metadata.name".to_owned(), message).help = Some(help.to_owned());
}

/// A StatefulSet whose governing Service does not give its pods their names.
pub(super) fn statefulset_service(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let name = cx.root.at(&["spec", "serviceName"]);
    let text = name.and_then(View::str).unwrap_or_default();
    let Some(name) = name.filter(|_| !text.is_empty()) else {
        let message = "the pods get no names of their own, because there is no serviceName";
        let help = "name a Service with `clusterIP: None` that selects the pods";
        cx.report_field("spec.serviceName".to_owned(), message).help = Some(help.to_owned());
        return;
    };
    let found = match cx.index.find(cx.object, "Service", text) {
        Existence::Found(id) => cx.bundle.full(id),
        Existence::Live(view) => view,
        Existence::Maybe => return,
        Existence::Missing => {
            let message = format!("Service `{text}`, which gives the pods their names, is not {}", cx.index.place());
            cx.report(name, message).help = Some("add a Service with `clusterIP: None` for the pods".to_owned());
            return;
        }
    };
    let selector = found.at(&["spec", "selector"]);
    let selects = selector.is_none_or(|selector| selector.is_empty() || map_selects(selector, &template.labels()));
    let (message, help) = if found.at(&["spec", "clusterIP"]).and_then(View::str) != Some("None") {
        (
            format!("Service `{text}` is not headless, so the pods get no names of their own"),
            "set `clusterIP: None` there",
        )
    } else if !selects {
        (format!("Service `{text}` does not select the pods, so they get no names"), "select the pods' labels there")
    } else {
        return;
    };
    cx.report(name, message).help = Some(help.to_owned());
}
