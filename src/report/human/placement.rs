//! Tables of the placement: nodes with what is requested of them, pods that wait, rollouts, losses, drains.

use std::collections::{BTreeMap, HashMap};

use anstyle::AnsiColor;

use super::super::summary::{count, verdict_name};
use super::paint::{Paint, columns};
use crate::model::quantity::Quantity;
use crate::simulate::{Drain, Eviction, Loss, PlacedNode, PlacedPod, Placement, Remedy, Verdict};

/// Cells of a bar.
const BAR: usize = 14;

pub(in super::super) fn write(page: &mut String, placement: &Placement, paint: &Paint) {
    let header = ["NODE", "PODS", "CPU requested", "MEMORY requested", ""];
    let mut rows = vec![header.map(|title| paint.bold(title)).to_vec()];
    let owners: HashMap<String, &str> =
        placement.pods.iter().map(|pod| (format!("{}/{}", pod.namespace, pod.name), short(&pod.owner))).collect();
    rows.extend(placement.nodes.iter().map(|node| node_row(node, &owners, paint)));
    page.push_str(&columns(&rows, ""));
    zones(page, placement, paint);
    page.push('\n');
    let before = page.len();
    waiting(page, placement, paint);
    rollouts(page, placement, paint);
    scales(page, placement, paint);
    evictions(page, placement, paint);
    losses(page, placement, paint);
    if page.len() > before {
        page.push('\n');
    }
}

/// What is left free in each zone, where there are several.
fn zones(page: &mut String, placement: &Placement, paint: &Paint) {
    let mut zones: BTreeMap<&str, Vec<&PlacedNode>> = BTreeMap::new();
    for node in &placement.nodes {
        zones.entry(node.zone.as_deref().unwrap_or("")).or_default().push(node);
    }
    if zones.len() < 2 {
        return;
    }
    for (zone, nodes) in zones {
        let free = |resource: &str| {
            let sum = |amounts: fn(&PlacedNode) -> &BTreeMap<String, String>| {
                let each = nodes.iter().filter_map(|node| Quantity::parse(amounts(node).get(resource)?).ok());
                each.map(|quantity| quantity.milli_value_saturating() as f64).sum::<f64>()
            };
            let (all, taken) = (sum(|node| &node.allocatable), sum(|node| &node.requested));
            if all > 0.0 { ((1.0 - taken / all) * 100.0).max(0.0).round() } else { 0.0 }
        };
        let name = if zone.is_empty() { "no zone" } else { zone };
        let text = format!(
            "{name}: {}, {}% cpu and {}% memory not requested",
            count(nodes.len(), "node"),
            free("cpu"),
            free("memory")
        );
        line(page, &format!("{:<9}", "ZONE"), &text, paint);
    }
}

fn node_row(node: &PlacedNode, owner_of: &HashMap<String, &str>, paint: &Paint) -> Vec<String> {
    let pods = node.allocatable.get("pods").map_or("?", String::as_str);
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in &node.pods {
        if let Some(owner) = owner_of.get(pod) {
            *owners.entry(owner).or_default() += 1;
        }
    }
    let taints = node.taints.iter().map(|taint| format!("taint {taint}"));
    let notes: Vec<String> = owners.iter().map(|(name, number)| format!("{name} ×{number}")).chain(taints).collect();
    vec![
        node.name.clone(),
        format!("{}/{pods}", node.pods.len()),
        bar(node, "cpu", paint),
        bar(node, "memory", paint),
        notes.join("  "),
    ]
}

fn bar(node: &PlacedNode, resource: &str, paint: &Paint) -> String {
    let read = |amounts: &BTreeMap<String, String>| amounts.get(resource).cloned().unwrap_or_else(|| "0".to_owned());
    let (requested, allocatable) = (read(&node.requested), read(&node.allocatable));
    let share = share(&requested, &allocatable);
    let full = (share * BAR as f64).ceil().clamp(0.0, BAR as f64) as usize;
    let color = match share {
        share if share > 0.9 => AnsiColor::Red,
        share if share > 0.7 => AnsiColor::Yellow,
        _ => AnsiColor::Green,
    };
    let bar = format!("{}{}", paint.color(color, &"▇".repeat(full)), paint.dim(&"░".repeat(BAR - full)));
    let limits = node.limits.get(resource).filter(|limits| *limits != "0");
    let limits = limits.map(|limits| format!(", limits {limits}")).unwrap_or_default();
    format!("{bar}  {requested}/{allocatable}{limits}")
}

/// How much of a node is taken, from 0 to 1.
fn share(requested: &str, allocatable: &str) -> f64 {
    let milli = |text: &str| Quantity::parse(text).map_or(0, |quantity| quantity.milli_value_saturating()) as f64;
    let all = milli(allocatable);
    if all > 0.0 { milli(requested) / all } else { 0.0 }
}

/// Pods that no node takes, by owner and reason.
fn waiting(page: &mut String, placement: &Placement, paint: &Paint) {
    let mut groups: Vec<(&PlacedPod, Vec<&PlacedPod>)> = Vec::new();
    for pod in &placement.pods {
        if matches!(pod.verdict, Verdict::Scheduled | Verdict::Bypassed) {
            continue;
        }
        let same = |first: &PlacedPod| {
            (&first.namespace, &first.owner, first.verdict, &first.message)
                == (&pod.namespace, &pod.owner, pod.verdict, &pod.message)
        };
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, pods)) => pods.push(pod),
            None => groups.push((pod, vec![pod])),
        }
    }
    for (first, pods) in &groups {
        let siblings = placement.pods.iter().filter(|pod| pod.namespace == first.namespace && pod.owner == first.owner);
        let head = format!("{:<9}", verdict_name(first.verdict).to_uppercase());
        let message = first.message.as_deref().unwrap_or("no reason is known");
        let text = format!("{} ({} of {})  {message}", short(&first.owner), pods.len(), siblings.count());
        line(page, &paint.severity("error", &head), &text, paint);
        let helping: Vec<String> =
            remedies(placement, pods).map(|remedy| format!("{} (places {})", remedy.change, remedy.places)).collect();
        if !helping.is_empty() {
            line(page, &" ".repeat(9), &format!("fits when: {}", helping.join(" · ")), paint);
        }
        settled(page, pods, paint);
    }
}

fn remedies<'p>(placement: &'p Placement, pods: &[&PlacedPod]) -> impl Iterator<Item = &'p Remedy> {
    let names: Vec<String> = pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
    placement.remedies.iter().filter(move |remedy| remedy.pods.iter().any(|pod| names.contains(pod)))
}

/// What preemption changes.
fn settled(page: &mut String, pods: &[&PlacedPod], paint: &Paint) {
    for pod in pods.iter().filter(|pod| pod.settled.is_some() || !pod.victims.is_empty()) {
        let node = pod.nominated_node.as_deref().unwrap_or("a node");
        let text = format!("{} then runs on {node} in place of {}", pod.name, pod.victims.join(", "));
        line(page, &" ".repeat(9), &text, paint);
    }
}

fn rollouts(page: &mut String, placement: &Placement, paint: &Paint) {
    for rollout in &placement.rollouts {
        let head = format!("{:<9}", "ROLLOUT");
        let mut text = format!(
            "{}: at most {}, never under {} ready",
            short(&rollout.owner),
            count(rollout.peak_pods, "pod"),
            rollout.lowest_ready
        );
        match &rollout.stalls {
            Some(stall) => text.push_str(&format!("; stalls at step {} ({})", stall.step, stall.message)),
            None if rollout.fits => text.push_str("; fits"),
            None => text.push_str("; does not fit"),
        }
        if let Some(refused) = &rollout.refused {
            text.push_str(&format!(
                ", but may take long ({refused}): a ReplicaSet tries again after pauses that double, up to 17 minutes; give the quota room for maxSurge more pods"
            ));
        }
        let severity = if rollout.fits { "info" } else { "error" };
        line(page, &paint.severity(severity, &head), &text, paint);
    }
}

/// What happens when an autoscaler goes to its maximum.
fn scales(page: &mut String, placement: &Placement, paint: &Paint) {
    for scale in &placement.scales {
        let answer = match (scale.pending, &scale.message) {
            (0, _) => "fits".to_owned(),
            (pending, message) => format!("{pending} Pending ({})", message.as_deref().unwrap_or("no reason is known")),
        };
        let text = format!(
            "{} at its maximum of {}: {answer}",
            short(&scale.owner),
            count(scale.replicas.max(0) as usize, "pod")
        );
        let severity = if scale.pending > 0 { "warning" } else { "info" };
        line(page, &paint.severity(severity, &format!("{:<9}", "SCALE")), &text, paint);
    }
}

/// What taints drive off, at once or when it has tolerated them for long enough.
fn evictions(page: &mut String, placement: &Placement, paint: &Paint) {
    for Eviction { node, after, pods, pending } in &placement.evictions {
        let when = if *after == 0 { "at once".to_owned() } else { format!("after {after} s") };
        let severity = if pending.is_empty() { "info" } else { "warning" };
        let text = format!("{node}: {} {when} for its taints, {}", count(pods.len(), "pod"), pending_text(pending));
        line(page, &paint.severity(severity, &format!("{:<9}", "EVICTED")), &text, paint);
    }
}

fn losses(page: &mut String, placement: &Placement, paint: &Paint) {
    /// With more nodes than this only those are named whose loss is felt.
    const FEW: usize = 50;
    let few = placement.losses.len() <= FEW;
    let hurts = |loss: &&Loss| few || !loss.pending.is_empty();
    let hinders = |drain: &&Drain| few || !drain.pending.is_empty() || !drain.blocked.is_empty();
    let (losses, drains) = (placement.losses.iter().filter(hurts), placement.drains.iter().filter(hinders));
    let named = losses.clone().count().max(drains.clone().count());
    if !few {
        let (all, most) = (placement.losses.len(), named.min(FEW));
        let text = match named {
            0 => format!("{all} nodes tried one by one: none would be felt"),
            named => format!("{all} nodes tried one by one: {named} would be felt, the first {most} are named"),
        };
        line(page, &format!("{:<9}", "LOSS"), &text, paint);
    }
    for zone in &placement.zones {
        let text = format!("zone {}: {}", zone.node, pending_text(&zone.pending));
        line(page, &format!("{:<9}", "LOSS"), &text, paint);
    }
    for loss in losses.take(FEW) {
        let text = format!("{}: {}", loss.node, pending_text(&loss.pending));
        line(page, &format!("{:<9}", "LOSS"), &text, paint);
    }
    for drain in drains.take(FEW) {
        let blocked: Vec<String> =
            drain.blocked.iter().map(|blocked| format!("{} by {}", blocked.pod, blocked.pdb)).collect();
        let allowed =
            if blocked.is_empty() { "allowed".to_owned() } else { format!("blocked: {}", blocked.join(", ")) };
        let text = format!("{}: {allowed}, {}", drain.node, pending_text(&drain.pending));
        line(page, &format!("{:<9}", "DRAIN"), &text, paint);
    }
}

fn pending_text(pods: &[String]) -> String {
    const SHOWN: usize = 5;
    let names = pods.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match pods.len() {
        0 => "no pod Pending".to_owned(),
        number if number > SHOWN => format!("{} Pending ({names}, …)", count(number, "pod")),
        number => format!("{} Pending ({names})", count(number, "pod")),
    }
}

fn line(page: &mut String, head: &str, text: &str, paint: &Paint) {
    let indent = " ".repeat(9);
    for (index, part) in paint.wrap(&format!("{indent}{text}"), 9).iter().enumerate() {
        let rest = part.get(9..).unwrap_or(part);
        let head = if index == 0 { head } else { &indent };
        page.push_str(&format!("{head}{rest}\n"));
    }
}

/// `web` of `Deployment/web`.
fn short(owner: &str) -> &str {
    owner.split_once('/').map_or(owner, |(_, name)| name)
}
