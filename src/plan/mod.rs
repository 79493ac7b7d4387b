//! Order, risk and consequences of changes.

mod access;
mod budgets;
mod endpoints;
mod hooks;
mod judges;
mod order;
mod places;
mod quota;
mod readers;
mod references;
mod rollout;
mod state;
mod storage;
mod verdict;

use std::collections::{BTreeMap, HashSet};

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::diff::{Action, Change, Fidelity, Risk};
use crate::model::{Bundle, Object, ObjectId};
use crate::simulate::Placement;
use crate::yaml::View;
use budgets::Budget;
use endpoints::Endpoints;
use readers::Readers;
use state::{Item, State, bounds, item};
use verdict::{Verdict, plural};

/// The objects that others of the set wait for: what objects live in, what defines their kinds, what they say that they
/// depend on, and what answers for a webhook, which would refuse everything before.
pub fn gates(desired: &Bundle) -> HashSet<ObjectId> {
    let mut named: HashSet<_> = desired.ids().flat_map(|id| references::depends_on(desired.written(id))).collect();
    named.extend(hooks::backends(desired));
    let gates = |object: &Object| {
        let key = (object.kind.clone(), object.namespace.clone().unwrap_or_default(), object.name.clone());
        matches!(object.kind.as_str(), "Namespace" | "CustomResourceDefinition") || named.contains(&key)
    };
    desired.iter().filter(|(_, object)| gates(object)).map(|(id, _)| id).collect()
}

/// The objects of the set whose replicas an autoscaler of the set or of the base sets.
pub fn autoscaled(desired: &Bundle, base: &Bundle) -> HashSet<ObjectId> {
    let mut targets = HashSet::new();
    for bundle in [desired, base] {
        for (id, scaler) in bundle.iter().filter(|(_, object)| object.kind == "HorizontalPodAutoscaler") {
            let target = bundle.written(id).at(&["spec", "scaleTargetRef"]);
            let target = target.and_then(|to| to.get_str("kind").zip(to.get_str("name")));
            targets.extend(target.map(|(kind, name)| (scaler.namespace.as_deref(), kind, name)));
        }
    }
    let is_target =
        |object: &Object| targets.contains(&(object.namespace.as_deref(), object.kind.as_str(), object.name.as_str()));
    desired.iter().filter(|(_, object)| is_target(object)).map(|(id, _)| id).collect()
}

/// Says of each change how much it can hurt and why, which pods it replaces, and in which wave it is applied; the
/// worst risk comes first, then the order of the waves, and unchanged objects last. Findings are cycles in the order.
pub fn run(
    mut changes: Vec<Change>,
    desired: &Bundle,
    base: &Bundle,
    placement: Option<&Placement>,
    _settings: &Settings,
) -> (Vec<Change>, Vec<Diagnostic>) {
    let before = State::before(base, &changes, placement);
    let after = State::after(desired, base, &changes, placement);
    let (endpoints, budgets) = (endpoints::all(&before, &after), budgets::all(&before, &after));
    let plan = Plan { desired, base, endpoints, budgets, before, after, placement };
    for change in &mut changes {
        plan.leave_replicas(change);
        let verdict = plan.judge(change);
        change.risk = verdict.risk;
        change.restarts = verdict.restarts;
        change.why = verdict.why;
    }
    plan.name_readers(&mut changes);
    let diagnostics = order::run(&mut changes, desired, base);
    quota::run(&plan, &mut changes);
    places::run(&plan, &mut changes);
    changes.sort_by_cached_key(order::rank);
    (changes, diagnostics)
}

struct Plan<'a> {
    desired: &'a Bundle,
    base: &'a Bundle,
    before: State<'a>,
    after: State<'a>,
    /// By namespace.
    endpoints: BTreeMap<String, Vec<Endpoints>>,
    /// By namespace.
    budgets: BTreeMap<String, Vec<Budget>>,
    placement: Option<&'a Placement>,
}

impl<'a> Plan<'a> {
    fn old_item(&self, change: &Change) -> Option<Item<'a>> {
        change.base.map(|id| item(self.base, id))
    }

    fn new_item(&self, change: &Change) -> Option<Item<'a>> {
        change.desired.map(|id| item(self.desired, id))
    }

    /// Replicas belong to the autoscaler: a manifest that says otherwise does not change them.
    fn leave_replicas(&self, change: &mut Change) {
        let scaler = self.new_item(change).and_then(|new| self.after.autoscaler(new));
        let (Action::Update, Some(scaler)) = (change.action, scaler) else { return };
        let replicas =
            |view: Option<View<'_>>| view.and_then(|view| view.at(&["spec", "replicas"])).and_then(View::int);
        let written = replicas(change.desired.map(|id| self.desired.written(id)));
        let kept = replicas(self.old_item(change).map(|old| old.view));
        change.fields.retain(|field| field.path != "spec.replicas");
        if written.is_some() && written != kept {
            let (low, high) = bounds(scaler.view);
            change.why =
                format!("replicas are left to HorizontalPodAutoscaler {} ({low} to {high})", scaler.object.name);
        }
        if change.fields.is_empty() {
            change.action = Action::Unchanged;
        }
    }

    fn judge(&self, change: &Change) -> Verdict {
        let note = Verdict::safe(change.why.clone());
        let (old, new) = (self.old_item(change), self.new_item(change));
        let mut verdict = match (change.action, old, new) {
            (Action::Create, _, Some(new)) => create(change, new, &self.before),
            (Action::Update, Some(old), Some(new)) => self.update(change, old, new),
            (Action::Conflict, Some(old), Some(new)) => {
                let mut verdict = self.update(change, old, new);
                verdict.add(Verdict::new(Risk::Conflict, ""));
                verdict
            }
            (Action::Replace, Some(old), Some(new)) => self.replace(change, old, new),
            (Action::Delete, Some(old), _) => self.delete(old),
            _ => Verdict::default(),
        };
        verdict.add(self.serving(change));
        verdict.add(self.evictions(change, verdict.restarts));
        if change.action != Action::Replace {
            verdict.add(note);
        }
        verdict
    }

    fn update(&self, change: &Change, old: Item<'a>, new: Item<'a>) -> Verdict {
        let mut verdict = access::update(change, old, new, &self.before);
        if let (Some(old), Some(new)) = (self.before.workload_of(old.object), self.after.workload_of(new.object)) {
            verdict.add(rollout::update(change, old, new));
        }
        if verdict.restarts > 0
            && let Some(stall) = rollout::stall(&new, self.placement)
        {
            verdict.add(Verdict::safe(stall));
        }
        verdict
    }

    /// Deleted and created again.
    fn replace(&self, change: &Change, old: Item<'a>, new: Item<'a>) -> Verdict {
        let pods = self.before.workload_of(old.object).and_then(|workload| workload.pods).unwrap_or(0);
        // The new one takes the pods of the old one over.
        let stays = keeps_pods(change, old, new);
        let consequence = match old.object.kind.as_str() {
            "Job" => "the Job is made anew and runs again".to_owned(),
            "Service" => "made anew, with another address".to_owned(),
            _ if stays => "made anew around its pods, which run on".to_owned(),
            _ if pods > 0 => format!("made anew, {} first", stop(pods)),
            _ => "deleted and created again".to_owned(),
        };
        let leave =
            if change.needs_leave { format!(" (needs --allow-replace {})", old.object.kind) } else { String::new() };
        let why = format!("{}: {consequence}{leave}", change.why);
        let mut verdict = Verdict { restarts: if stays { 0 } else { pods }, ..Verdict::new(Risk::Replace, why) };
        if stays {
            verdict.add(self.update(change, old, new));
        }
        let claims = change.fields.iter().any(|field| field.path.starts_with("spec.volumeClaimTemplates"));
        if let Some(lost) = storage::lost(old, &self.before).filter(|_| !stays) {
            verdict.add(lost);
        } else if old.object.kind == "StatefulSet" && claims {
            let text = "existing claims keep their form and data, new ones start empty";
            verdict.add(Verdict::new(Risk::DataLoss, text));
        }
        verdict
    }

    fn delete(&self, old: Item<'a>) -> Verdict {
        if let Some(opens) = access::delete(old) {
            return opens;
        }
        let mut verdict = Verdict::new(Risk::Delete, "only in the base");
        let pods = self.before.workload_of(old.object).and_then(|workload| workload.pods).unwrap_or(0);
        if pods > 0 {
            verdict.why.push_str(&format!(", {}", stop(pods)));
        }
        if let Some(taken) = access::taken(old) {
            verdict.why.push_str(&format!(", {taken}"));
        }
        if let Some(lost) = storage::lost(old, &self.before) {
            verdict.add(lost);
        }
        verdict
    }

    /// What changes behind Services: said of the Service, and of the workload that joins or leaves it.
    fn serving(&self, change: &Change) -> Verdict {
        let mut verdict = Verdict::default();
        let object = &change.object;
        let namespace = object.namespace.as_deref().unwrap_or("");
        let title = format!("{}/{}", object.kind, object.name);
        for service in self.endpoints.get(namespace).into_iter().flatten() {
            if object.kind == "Service" && object.name == service.name && change.action != Action::Delete {
                let mut found = service.verdict();
                if change.action == Action::Unchanged {
                    // The workload that causes it carries the risk.
                    found.risk = Risk::Safe;
                }
                verdict.add(found);
            } else if !matches!(change.action, Action::Unchanged | Action::Keep) {
                verdict.add(service.of_workload(&title));
            }
        }
        verdict
    }

    /// What changes for drains: said of the budget, and of the workload that causes it.
    fn evictions(&self, change: &Change, restarts: u64) -> Verdict {
        let mut verdict = Verdict::default();
        let object = &change.object;
        let touched = matches!(change.action, Action::Create | Action::Update | Action::Conflict | Action::Replace);
        let workload = self.new_item(change).filter(|_| touched).and_then(|new| self.after.workload_of(new.object));
        for budget in self.budgets.get(object.namespace.as_deref().unwrap_or("")).into_iter().flatten() {
            if budget.is_named(&object.kind, &object.name) && change.action != Action::Delete {
                let mut found = budget.verdict();
                if change.action == Action::Unchanged {
                    // The workload that causes it carries the risk.
                    found.risk = Risk::Safe;
                }
                verdict.add(found);
            } else if let Some(workload) = workload {
                verdict.add(budget.of_workload(workload, restarts));
            }
        }
        verdict
    }

    /// Says who reads a ConfigMap or Secret that changes; needs to know what restarts.
    fn name_readers(&self, changes: &mut [Change]) {
        let text = |namespace: &Option<String>| namespace.clone().unwrap_or_default();
        let restarted: HashSet<(String, String)> = changes
            .iter()
            .filter(|change| change.restarts > 0)
            .map(|change| (text(&change.object.namespace), format!("{}/{}", change.object.kind, change.object.name)))
            .collect();
        let readers = Readers::new(&self.after);
        for change in changes.iter_mut() {
            let Some(kind) = content_kind(change) else { continue };
            let namespace = text(&change.object.namespace);
            let restarts = |title: &str| restarted.contains(&(namespace.clone(), title.to_owned()));
            let sentence = readers.sentence((kind, &namespace, &change.object.name), &restarts);
            let mut verdict = Verdict { risk: change.risk, why: std::mem::take(&mut change.why), restarts: 0 };
            verdict.add(Verdict::safe(sentence));
            change.why = verdict.why;
        }
    }
}

/// `1 pod stops`, `3 pods stop`.
fn stop(pods: u64) -> String {
    format!("{} {}", plural(pods, "pod"), if pods == 1 { "stops" } else { "stop" })
}

/// Whether the pods of an object that is made anew run on.
fn keeps_pods(change: &Change, old: Item<'_>, new: Item<'_>) -> bool {
    old.object.kind == "StatefulSet" && change.fidelity != Fidelity::Approx && same_selector(old, new)
}

fn same_selector(old: Item<'_>, new: Item<'_>) -> bool {
    let selector = |item: Item<'_>| item.view.at(&["spec", "selector"]).map(View::to_json);
    selector(old) == selector(new)
}

/// The kind of a ConfigMap or Secret whose content changes or goes.
fn content_kind(change: &Change) -> Option<&'static str> {
    let kind = match change.object.kind.as_str() {
        _ if change.object.api_version.contains('/') => return None,
        "ConfigMap" => "ConfigMap",
        "Secret" => "Secret",
        _ => return None,
    };
    let mut paths = change.fields.iter().map(|field| field.path.as_str());
    let content = paths.any(|path| path.starts_with("data") || path.starts_with("binaryData"));
    let touched = matches!(change.action, Action::Update | Action::Replace) && content;
    (touched || change.action == Action::Delete).then_some(kind)
}

fn create(change: &Change, new: Item<'_>, before: &State<'_>) -> Verdict {
    let mut verdict = access::create(new, before);
    let replicas = new.view.at(&["spec", "replicas"]).and_then(View::int).unwrap_or(1);
    if matches!(change.object.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet") && replicas > 0 {
        verdict.add(Verdict::safe(plural(replicas as u64, "pod")));
    }
    verdict
}
