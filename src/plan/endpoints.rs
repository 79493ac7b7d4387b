//! The pods behind each Service, before and after.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Item, State};
use super::verdict::Verdict;
use crate::diff::Risk;
use crate::model::pod::map_selects;
use crate::yaml::View;

/// Pods behind a Service by workload (`Deployment/web`); `None` where the number is not known.
type Pods = BTreeMap<String, Option<u64>>;

/// What changes for one Service.
pub(super) struct Endpoints {
    pub name: String,
    before: Option<Pods>,
    after: Option<Pods>,
}

/// Every Service of both sides, by namespace.
pub(super) fn all(before: &State<'_>, after: &State<'_>) -> BTreeMap<String, Vec<Endpoints>> {
    let names: BTreeSet<(&str, &str)> = before
        .of_kind("Service")
        .chain(after.of_kind("Service"))
        .map(|service| (service.namespace(), service.object.name.as_str()))
        .collect();
    let pods = |state: &State<'_>, namespace: &str, name: &str| {
        state.find("Service", namespace, name).and_then(|service| pods(service, state))
    };
    let mut all: BTreeMap<String, Vec<Endpoints>> = BTreeMap::new();
    for (namespace, name) in names {
        let (before, after) = (pods(before, namespace, name), pods(after, namespace, name));
        let endpoints = Endpoints { name: name.to_owned(), before, after };
        all.entry(namespace.to_owned()).or_default().push(endpoints);
    }
    all
}

fn pods(service: Item<'_>, state: &State<'_>) -> Option<Pods> {
    let spec = service.view.get("spec")?;
    let selector = spec.get("selector").filter(|selector| !selector.is_empty())?;
    if spec.get("type").and_then(View::str) == Some("ExternalName") {
        return None;
    }
    let workloads = state.workloads(service.namespace()).iter();
    let serving = workloads.filter(|workload| !matches!(workload.item.object.kind.as_str(), "Job" | "CronJob"));
    let chosen = serving.filter(|workload| map_selects(selector, &workload.labels) && workload.pods != Some(0));
    Some(chosen.map(|workload| (workload.item.title(), workload.pods)).collect())
}

impl Endpoints {
    /// What to say of the Service itself; empty where nothing changes.
    pub(super) fn verdict(&self) -> Verdict {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before == after => Verdict::default(),
            (Some(before), Some(after)) => {
                let text = format!("endpoints {} → {}{}", sum(before), sum(after), names(after));
                let risk = if self.is_cut_off() { Risk::Outage } else { Risk::Safe };
                Verdict::new(risk, text)
            }
            (None, Some(after)) => Verdict::safe(format!("endpoints {}{}", sum(after), names(after))),
            _ => Verdict::default(),
        }
    }

    /// What to say of a workload that this Service has, had or gets behind it.
    pub(super) fn of_workload(&self, title: &str) -> Verdict {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return Verdict::default() };
        let counts = format!("endpoints {} → {}", sum(before), sum(after));
        match (before.contains_key(title), after.contains_key(title)) {
            (true, _) if before.get(title) == after.get(title) => Verdict::default(),
            (true, _) if self.is_cut_off() => {
                Verdict::new(Risk::Outage, format!("Service {} is left without endpoints", self.name))
            }
            (true, false) => Verdict::safe(format!("leaves Service {}: {counts}", self.name)),
            (false, true) => Verdict::safe(format!("joins Service {}: {counts}", self.name)),
            _ => Verdict::default(),
        }
    }

    fn is_cut_off(&self) -> bool {
        let count = |pods: &Option<Pods>| pods.as_ref().map(BTreeMap::len);
        count(&self.before) > Some(0) && count(&self.after) == Some(0)
    }
}

/// `3 + 1`, in the order of the workloads' names from the largest on.
fn sum(pods: &Pods) -> String {
    if pods.is_empty() {
        return "0".to_owned();
    }
    let counts = sorted(pods).into_iter().map(|(_, count)| number(count));
    counts.collect::<Vec<_>>().join(" + ")
}

fn names(pods: &Pods) -> String {
    if pods.len() < 2 {
        return String::new();
    }
    let parts = sorted(pods).into_iter().map(|(title, count)| {
        let name = title.split_once('/').map_or(title, |(_, name)| name);
        format!("{name} {}", number(count))
    });
    format!(" ({})", parts.collect::<Vec<_>>().join(", "))
}

fn sorted(pods: &Pods) -> Vec<(&str, Option<u64>)> {
    let mut all: Vec<(&str, Option<u64>)> = pods.iter().map(|(title, count)| (title.as_str(), *count)).collect();
    all.sort_by_key(|(title, count)| (std::cmp::Reverse(*count), *title));
    all
}

/// A DaemonSet has as many pods as there are nodes for it.
fn number(count: Option<u64>) -> String {
    count.map_or_else(|| "one a node".to_owned(), |count| count.to_string())
}
