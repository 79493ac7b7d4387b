//! RuntimeClass: a class's overhead, node selector and tolerations.
//!
//! `plugin/pkg/admission/runtimeclass/admission.go`, `pkg/util/tolerations/tolerations.go` (Kubernetes 1.36).

use std::collections::BTreeMap;

use super::resources::{ResourceList, resource_list};
use super::{Plugin, Refusal, child, set_str};
use crate::yaml::{NodeId, Tree, View};

/// The classes by name.
#[derive(Clone, Debug, Default)]
pub(super) struct RuntimeClasses<'b> {
    classes: BTreeMap<&'b str, View<'b>>,
}

fn refused(message: String) -> Refusal {
    Refusal::new(Plugin::RuntimeClass, message)
}

fn overhead(class: View<'_>) -> Option<ResourceList> {
    class.get("overhead").map(|overhead| resource_list(overhead.get("podFixed")))
}

const UNLIKE: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

impl<'b> RuntimeClasses<'b> {
    pub(super) fn read(&mut self, name: &'b str, class: View<'b>) {
        self.classes.insert(name, class);
    }

    fn class(&self, spec: View<'_>) -> Option<View<'b>> {
        self.classes.get(spec.get_str("runtimeClassName")?).copied()
    }

    pub(super) fn admit(&self, tree: &mut Tree, spec: NodeId) -> Result<(), Refusal> {
        let Some(name) = tree.view(spec).get_str("runtimeClassName").map(str::to_owned) else { return Ok(()) };
        let Some(class) = self.classes.get(name.as_str()) else {
            let message = format!("pod rejected: RuntimeClass \"{name}\" not found");
            return Err(Refusal { is_absence: true, ..refused(message) });
        };
        set_overhead(tree, spec, *class)?;
        match class.get("scheduling") {
            Some(scheduling) => set_scheduling(tree, spec, scheduling),
            None => Ok(()),
        }
    }

    /// `validateOverhead`
    pub(super) fn validate(&self, spec: View<'_>) -> Option<String> {
        let said = spec.get("overhead");
        // A class that is not known was spoken of before.
        if spec.get("runtimeClassName").is_some() && self.class(spec).is_none() {
            return None;
        }
        match self.class(spec).and_then(overhead) {
            Some(defined) => (defined != resource_list(said)).then(|| UNLIKE.to_owned()),
            None => said.map(|_| {
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead".to_owned()
            }),
        }
    }
}

fn set_overhead(tree: &mut Tree, spec: NodeId, class: View<'_>) -> Result<(), Refusal> {
    let Some(defined) = overhead(class) else { return Ok(()) };
    let said = resource_list(tree.view(spec).get("overhead"));
    if !said.is_empty() && said != defined {
        return Err(refused(UNLIKE.to_owned()));
    }
    let list = child(tree, spec, "overhead");
    for (name, quantity) in &defined {
        set_str(tree, list, name, &quantity.canonical());
    }
    Ok(())
}

fn set_scheduling(tree: &mut Tree, spec: NodeId, scheduling: View<'_>) -> Result<(), Refusal> {
    let mut wanted: Vec<(&str, &str)> =
        scheduling.map("nodeSelector").filter_map(|(key, value)| Some((key, value.str()?))).collect();
    wanted.sort_unstable();
    for (key, value) in wanted {
        let selector = child(tree, spec, "nodeSelector");
        if let Some(said) = tree.view(selector).get_str(key).filter(|said| *said != value) {
            return Err(refused(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {said}"
            )));
        }
        set_str(tree, selector, key, value);
    }
    merge_tolerations(tree, spec, scheduling);
    Ok(())
}

/// `MergeTolerations`: those that another one includes are left out.
fn merge_tolerations(tree: &mut Tree, spec: NodeId, scheduling: View<'_>) {
    let mut all: Vec<NodeId> = tree.view(spec).list("tolerations").map(|toleration| toleration.id).collect();
    for toleration in scheduling.list("tolerations") {
        all.push(tree.copy(toleration.tree, toleration.id));
    }
    let mut merged: Vec<NodeId> = Vec::new();
    for (index, id) in all.iter().enumerate() {
        let toleration = tree.view(*id);
        let included = merged.iter().any(|other| is_superset(tree.view(*other), toleration));
        let later = all[index + 1..].iter().map(|other| tree.view(*other));
        let mut larger = later.filter(|other| !is_same(*other, toleration) && is_superset(*other, toleration));
        if !included && larger.next().is_none() {
            merged.push(*id);
        }
    }
    let list = tree.push_seq(tree.node(spec).span, &merged);
    tree.insert(spec, "tolerations", list);
}

fn text<'v>(toleration: View<'v>, key: &str) -> &'v str {
    toleration.get_str(key).unwrap_or_default()
}

fn is_same(a: View<'_>, b: View<'_>) -> bool {
    ["key", "operator", "value", "effect"].iter().all(|key| text(a, key) == text(b, key))
        && a.get_int("tolerationSeconds") == b.get_int("tolerationSeconds")
}

fn is_superset(larger: View<'_>, toleration: View<'_>) -> bool {
    let exists = text(larger, "operator") == "Exists";
    let (effect, seconds) = (text(larger, "effect"), larger.get_int("tolerationSeconds"));
    let shorter =
        seconds.is_some_and(|most| toleration.get_int("tolerationSeconds").is_none_or(|seconds| seconds > most));
    let equal = text(toleration, "operator") == "Equal" && text(toleration, "value") == text(larger, "value");
    is_same(larger, toleration)
        || (text(larger, "key") == text(toleration, "key") || text(larger, "key").is_empty() && exists)
            && ["", text(toleration, "effect")].contains(&effect)
            && !(effect == "NoExecute" && shorter)
            && (exists || ["", "Equal"].contains(&text(larger, "operator")) && equal)
}
