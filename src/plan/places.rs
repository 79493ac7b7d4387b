//! Where the pods of a workload run, and where they are going to run.

use std::collections::{BTreeMap, HashMap};

use super::Plan;
use super::state::Item;
use crate::diff::{Action, Change};
use crate::model::{Bundle, Object};
use crate::simulate::{PlacedPod, Placement, Verdict};
use crate::yaml::View;

/// Nodes named for a workload; the others are counted.
const MOST: usize = 6;

/// Pods by node; the empty name is that of those without one.
type Nodes = BTreeMap<String, usize>;

/// By namespace and title (`Deployment/web`).
type Places = HashMap<(String, String), Nodes>;

/// Notes on each workload that changes where its pods are and will be: the first only where the base has pods, the
/// second only where pods were placed.
pub(super) fn run(plan: &Plan<'_>, changes: &mut [Change]) {
    let Some(placement) = plan.placement else { return };
    let (before, after) = (running(plan.base), placed(placement));
    for change in changes.iter_mut() {
        if !matches!(change.action, Action::Create | Action::Update | Action::Replace | Action::Conflict) {
            continue;
        }
        let namespace = change.object.namespace.clone().unwrap_or_default();
        let key = (namespace, format!("{}/{}", change.object.kind, change.object.name));
        let Some(after) = after.get(&key) else { continue };
        let note = match before.get(&key) {
            Some(before) if before == after => format!("pods: {}, as before", shown(after)),
            Some(before) => format!("pods: {} → {}", shown(before), shown(after)),
            None => format!("pods: {}", shown(after)),
        };
        change.notes.insert(0, note);
    }
}

/// Pods of the base by what controls them in the end.
fn running(base: &Bundle) -> Places {
    let sets = base.iter().filter(|(_, object)| object.kind == "ReplicaSet");
    let above: HashMap<(&str, &str), String> = sets
        .filter_map(|(id, set)| Some(((namespace(set), set.name.as_str()), controller(base.written(id))?)))
        .collect();
    let mut places = Places::new();
    for (id, pod) in base.iter().filter(|(_, object)| object.kind == "Pod" && object.group().is_empty()) {
        let item = Item { object: pod, view: base.written(id) };
        let ended = matches!(item.view.at(&["status", "phase"]).and_then(View::str), Some("Succeeded" | "Failed"));
        if ended || item.view.at(&["metadata", "deletionTimestamp"]).is_some() {
            continue;
        }
        let mut owner = controller(item.view).unwrap_or_else(|| item.title());
        if let Some(name) = owner.strip_prefix("ReplicaSet/") {
            owner = above.get(&(namespace(pod), name)).cloned().unwrap_or(owner);
        }
        let node = item.view.at(&["spec", "nodeName"]).and_then(View::str).unwrap_or_default();
        add(&mut places, namespace(pod), owner, node);
    }
    places
}

fn placed(placement: &Placement) -> Places {
    let mut places = Places::new();
    let there = |pod: &&PlacedPod| !matches!(pod.verdict, Verdict::Unknown);
    for pod in placement.pods.iter().filter(there) {
        let settled = pod.settled.as_ref().map_or(&pod.node, |settled| &settled.node);
        add(&mut places, &pod.namespace, pod.owner.clone(), settled.as_deref().unwrap_or_default());
    }
    places
}

fn add(places: &mut Places, namespace: &str, owner: String, node: &str) {
    *places.entry((namespace.to_owned(), owner)).or_default().entry(node.to_owned()).or_default() += 1;
}

fn namespace(object: &Object) -> &str {
    object.namespace.as_deref().unwrap_or("")
}

/// `ReplicaSet/web-5d9c`.
fn controller(view: View<'_>) -> Option<String> {
    let mut owners = view.get("metadata")?.list("ownerReferences");
    let owner = owners.find(|owner| owner.get_bool("controller"))?;
    Some(format!("{}/{}", owner.get_str("kind")?, owner.get_str("name")?))
}

/// `node-1 ×2, node-3 ×1, no node ×1`.
fn shown(nodes: &Nodes) -> String {
    let homeless = nodes.get("").map(|count| format!("no node ×{count}"));
    let named = nodes.iter().filter(|(name, _)| !name.is_empty());
    let mut parts: Vec<String> = named.map(|(name, count)| format!("{name} ×{count}")).collect();
    if parts.len() > MOST {
        let more = parts.split_off(MOST).len();
        parts.push(format!("{more} more nodes"));
    }
    parts.extend(homeless);
    parts.join(", ")
}
