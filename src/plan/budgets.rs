//! What PodDisruptionBudgets let a drain do before and after (`pkg/controller/disruption/disruption.go`, Kubernetes
//! 1.36), and which of them a rollout goes below: budgets hold evictions, not rollouts.

use std::collections::{BTreeMap, BTreeSet};

use super::rollout::{int_or_percent, unavailable};
use super::state::{Item, State, Workload};
use super::verdict::Verdict;
use crate::diff::Risk;
use crate::model::pod::selector_selects;

/// What a budget allows while all of its pods are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowed {
    pods: u64,
    /// Pods that it keeps.
    kept: u64,
}

impl Allowed {
    fn evictions(self) -> u64 {
        self.pods.saturating_sub(self.kept)
    }
}

/// What changes for one budget.
pub(super) struct Budget {
    name: String,
    before: Option<Allowed>,
    after: Option<Allowed>,
    /// Workloads that it covers afterwards, `Deployment/web`.
    covers: BTreeSet<String>,
}

/// Every budget of both sides, by namespace.
pub(super) fn all(before: &State<'_>, after: &State<'_>) -> BTreeMap<String, Vec<Budget>> {
    const KIND: &str = "PodDisruptionBudget";
    let names: BTreeSet<(&str, &str)> = before
        .of_kind(KIND)
        .chain(after.of_kind(KIND))
        .map(|budget| (budget.namespace(), budget.object.name.as_str()))
        .collect();
    let mut all: BTreeMap<String, Vec<Budget>> = BTreeMap::new();
    for (namespace, name) in names {
        let side = |state: &State<'_>| state.find(KIND, namespace, name).and_then(|budget| allowed(budget, state));
        let of_after = after.find(KIND, namespace, name);
        let covered = of_after.into_iter().flat_map(|budget| covered(budget, after));
        let covers = covered.map(|workload| workload.item.title()).collect();
        let budget = Budget { name: name.to_owned(), before: side(before), after: side(after), covers };
        all.entry(namespace.to_owned()).or_default().push(budget);
    }
    all
}

fn covered<'s, 'a>(budget: Item<'a>, state: &'s State<'a>) -> impl Iterator<Item = &'s Workload<'a>> + use<'s, 'a> {
    let selector = budget.view.at(&["spec", "selector"]);
    let selects =
        move |workload: &&Workload<'a>| selector.is_some_and(|selector| selector_selects(selector, &workload.labels));
    state.workloads(budget.namespace()).iter().filter(selects)
}

/// `getExpectedPodCount`; `None` where the number of pods is not known or the budget says nothing.
fn allowed(budget: Item<'_>, state: &State<'_>) -> Option<Allowed> {
    let counts: Option<Vec<u64>> = covered(budget, state).map(|workload| workload.pods).collect();
    let pods: u64 = counts?.into_iter().sum();
    let spec = budget.view.get("spec")?;
    let kept = match (spec.get("maxUnavailable"), spec.get("minAvailable")) {
        (Some(most), _) => pods.saturating_sub(int_or_percent(most, pods, true)),
        (None, Some(least)) => int_or_percent(least, pods, true),
        (None, None) => return None,
    };
    Some(Allowed { pods, kept })
}

impl Budget {
    /// Whether it is the budget of that name.
    pub(super) fn is_named(&self, kind: &str, name: &str) -> bool {
        kind == "PodDisruptionBudget" && name == self.name
    }

    /// What to say of the budget itself; empty where nothing changes.
    pub(super) fn verdict(&self) -> Verdict {
        let evictions = |side: Option<Allowed>| side.map(Allowed::evictions);
        let (before, after) = (evictions(self.before), evictions(self.after));
        match (before, after) {
            (Some(before), Some(0)) if before > 0 => {
                Verdict::new(Risk::Disruptive, format!("evictions at once {before} → 0: drains wait"))
            }
            (Some(before), Some(after)) if before != after => {
                Verdict::safe(format!("evictions at once {before} → {after}"))
            }
            (None, Some(0)) if self.after.is_some_and(|after| after.pods > 0) => {
                Verdict::new(Risk::Disruptive, "allows no eviction: drains of its pods' nodes wait")
            }
            _ => Verdict::default(),
        }
    }

    /// What to say of a workload that it covers and that changes.
    pub(super) fn of_workload(&self, workload: &Workload<'_>, restarts: u64) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(after) = self.after.filter(|_| self.covers.contains(&workload.item.title())) else { return verdict };
        let before = self.before.map(Allowed::evictions);
        if after.evictions() == 0 && after.pods > 0 && before > Some(0) {
            let text = format!("PodDisruptionBudget {} then allows no eviction: drains wait", self.name);
            verdict.add(Verdict::new(Risk::Disruptive, text));
        }
        if restarts > 0 && after.pods.saturating_sub(unavailable(workload)) < after.kept.min(after.pods) {
            let text =
                format!("goes below the {} of PodDisruptionBudget {}, which holds no rollout", after.kept, self.name);
            verdict.add(Verdict::safe(text));
        }
        verdict
    }
}
