//! What quotas, limits and Pod Security refuse while workloads change: old and new pods count together.
//!
//! A step is what a controller does before it waits: `pkg/controller/deployment/rolling.go` and `recreate.go`, the
//! ReplicaSets' own `manageReplicas`, StatefulSets and DaemonSets pod by pod (Kubernetes 1.36). Workloads of one wave
//! change at once, the waves one after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use super::rollout::{fenceposts, is_held, template_changes};
use super::state::Workload;
use super::verdict::{Verdict, plural};
use crate::admission::resource_quota::{Quotas, Usage};
use crate::admission::{Admission, Charge};
use crate::diff::{Action, Change, Risk};
use crate::yaml::View;

/// How a workload gets from its old pods to the new ones.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Its pods stay; some come or go.
    Scale,
    Rolling {
        surge: u64,
        unavailable: u64,
    },
    Recreate,
    /// One goes and is made anew, then the next; so many keep the old template.
    InTurn {
        keep: u64,
    },
}

/// A workload on its way.
struct Roll<'a> {
    /// Index of its change.
    change: usize,
    wave: u32,
    namespace: &'a str,
    shape: Shape,
    wanted: u64,
    before: u64,
    old: u64,
    new: u64,
    /// New pods that are wanted and not there.
    waiting: u64,
    old_pod: Charge,
    new_pod: Charge,
    /// Why no pod of the new template is ever taken.
    never: Option<String>,
    refused: Option<String>,
}

/// What is used of one resource of a quota: before, at the peak, and afterwards.
type Peaks = BTreeMap<(String, String), [Usage; 3]>;

/// Says of each workload that grows or is rolled where its pods would be refused, and how near quotas come to their end.
pub(super) fn run(plan: &Plan<'_>, changes: &mut [Change]) {
    let admission = Admission::of(plan.desired, Some(plan.base));
    let mut quotas = admission.quotas();
    for workload in plan.before.all_workloads() {
        if let Some(quotas) = quotas.get_mut(workload.item.namespace()) {
            let pod = charge(&admission, workload);
            (0..workload.pods.unwrap_or(0)).for_each(|_| quotas.charge(&pod, true));
        }
    }
    let mut rolls: Vec<Roll<'_>> = (0..changes.len())
        .filter_map(|index| roll(plan, &admission, &changes[index], index))
        .filter(|roll| roll.never.is_some() || quotas.contains_key(roll.namespace))
        .collect();
    rolls.sort_by_key(|roll| (roll.namespace, roll.wave));
    for rolls in rolls.chunk_by_mut(|a, b| a.namespace == b.namespace) {
        let mut none = Quotas::default();
        let namespace = rolls.first().map_or("", |roll| roll.namespace);
        let quotas = quotas.get_mut(namespace).unwrap_or(&mut none);
        let peaks = play(rolls, quotas);
        for roll in rolls.iter() {
            if let Some(change) = changes.get_mut(roll.change) {
                roll.tell(change, &peaks);
            }
        }
    }
}

/// Plays the waves of one namespace.
fn play(rolls: &mut [Roll<'_>], quotas: &mut Quotas) -> Peaks {
    let mut peaks = Peaks::new();
    let resources: BTreeSet<Usage> = rolls.iter().flat_map(|roll| quotas.usage(&roll.new_pod)).collect();
    for usage in resources {
        peaks.insert((usage.quota.clone(), usage.resource.clone()), [usage.clone(), usage.clone(), usage]);
    }
    for wave in rolls.chunk_by_mut(|a, b| a.wave == b.wave) {
        loop {
            let mut moved = false;
            for roll in wave.iter_mut() {
                moved |= roll.step(quotas);
                for usage in quotas.usage(&roll.new_pod) {
                    let Some([_, peak, after]) = peaks.get_mut(&(usage.quota.clone(), usage.resource.clone())) else {
                        continue;
                    };
                    if usage.used > peak.used {
                        *peak = usage.clone();
                    }
                    *after = usage;
                }
            }
            if !moved {
                break;
            }
        }
    }
    peaks
}

fn charge(admission: &Admission<'_>, workload: &Workload<'_>) -> Charge {
    let namespace = admission.namespace(workload.item.namespace());
    Charge::pod(admission.pod(namespace, workload.template.spec, &[]).view())
}

/// Why a pod of the template is refused whatever room there is.
fn refusal(admission: &Admission<'_>, workload: &Workload<'_>) -> Option<String> {
    let namespace = admission.namespace(workload.item.namespace());
    let admitted = admission.pod(namespace, workload.template.spec, &[]);
    let refused = admission.refuses_pod(namespace, workload.template.metadata, admitted.view());
    refused.filter(|refused| !refused.is_absence).map(|refused| refused.message)
}

fn roll<'a>(plan: &Plan<'a>, admission: &Admission<'_>, change: &Change, index: usize) -> Option<Roll<'a>> {
    if !matches!(change.action, Action::Create | Action::Update | Action::Replace) {
        return None;
    }
    let new = plan.new_item(change).and_then(|item| plan.after.workload_of(item.object))?;
    let old = plan.old_item(change).and_then(|item| plan.before.workload_of(item.object));
    let kind = new.item.object.kind.as_str();
    if !matches!(
        kind,
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" | "Pod"
    ) {
        return None;
    }
    let wanted = new.pods?;
    let before = old.and_then(|old| old.pods).unwrap_or(0);
    let shape = match old {
        Some(old) if change.action == Action::Replace && !super::keeps_pods(change, old.item, new.item) => {
            Shape::Recreate
        }
        Some(_) if template_changes(change, &new.item) && !is_held(&new.item) => shape(new, wanted),
        _ => Shape::Scale,
    };
    let new_pod = charge(admission, new);
    let rolls = !matches!(shape, Shape::Scale);
    Some(Roll {
        change: index,
        wave: change.wave,
        namespace: new.item.namespace(),
        shape,
        wanted,
        before,
        old: if rolls { before } else { 0 },
        new: if rolls { 0 } else { before },
        waiting: 0,
        old_pod: old.map_or_else(|| new_pod.clone(), |old| charge(admission, old)),
        never: refusal(admission, new).filter(|_| old.is_some()),
        new_pod,
        refused: None,
    })
}

/// How the pods of a changed template take the place of the old ones.
fn shape(new: &Workload<'_>, wanted: u64) -> Shape {
    let spec = new.item.view.get("spec");
    let strategy = |key: &str| spec.and_then(|spec| spec.get(key));
    match new.item.object.kind.as_str() {
        "Deployment" if strategy("strategy").and_then(|it| it.get_str("type")) == Some("Recreate") => Shape::Recreate,
        "Deployment" => {
            let (surge, unavailable) = fenceposts(strategy("strategy"), wanted);
            Shape::Rolling { surge, unavailable }
        }
        "StatefulSet" | "DaemonSet" => {
            let rolling = strategy("updateStrategy").and_then(|it| it.get("rollingUpdate"));
            let keep = rolling.and_then(|rolling| rolling.get("partition")).and_then(View::int);
            Shape::InTurn { keep: keep.unwrap_or(0).max(0) as u64 }
        }
        _ => Shape::Scale,
    }
}

impl Roll<'_> {
    /// One round; whether anything moved.
    fn step(&mut self, quotas: &mut Quotas) -> bool {
        let before = (self.old, self.new, self.waiting);
        match self.shape {
            Shape::Scale => {
                for _ in self.wanted..self.new {
                    quotas.release(&self.new_pod);
                }
                self.new = self.new.min(self.wanted);
                self.waiting = self.wanted - self.new;
            }
            Shape::Recreate if self.old > 0 => self.let_go(self.old, quotas),
            Shape::Recreate => self.waiting = self.wanted.saturating_sub(self.new),
            Shape::Rolling { surge, unavailable } => {
                let total = self.old + self.new + self.waiting;
                let more = (self.wanted + surge).saturating_sub(total);
                self.waiting += more.min(self.wanted.saturating_sub(self.new + self.waiting));
                let least = self.wanted.saturating_sub(unavailable);
                self.let_go((self.old + self.new).saturating_sub(least), quotas);
            }
            Shape::InTurn { keep } => {
                self.let_go((self.old + self.new).saturating_sub(self.wanted), quotas);
                self.waiting = self.wanted - self.old - self.new;
                if self.waiting == 0 && self.old > keep {
                    self.let_go(1, quotas);
                    self.waiting = 1;
                }
            }
        }
        self.make(quotas);
        before != (self.old, self.new, self.waiting)
    }

    fn let_go(&mut self, count: u64, quotas: &mut Quotas) {
        let count = count.min(self.old);
        (0..count).for_each(|_| quotas.release(&self.old_pod));
        self.old -= count;
    }

    fn make(&mut self, quotas: &mut Quotas) {
        while self.waiting > 0 {
            self.refused = self.never.clone().or_else(|| quotas.refuses(&self.new_pod));
            if self.refused.is_some() {
                return;
            }
            quotas.charge(&self.new_pod, false);
            self.new += 1;
            self.waiting -= 1;
        }
    }

    /// What came of it.
    fn tell(&self, change: &mut Change, peaks: &Peaks) {
        let counted = |[usage, ..]: &&[Usage; 3]| self.new_pod.asks(&usage.resource);
        change.notes.extend(peaks.values().filter(counted).map(note));
        // Of new objects the findings tell.
        let Some(why) = self.refused.as_ref().filter(|_| self.waiting > 0 && change.action != Action::Create) else {
            return;
        };
        let rolls = !matches!(self.shape, Shape::Scale);
        let text = match rolls {
            _ if self.old + self.new == 0 => "no pod is left, and new ones are forbidden".to_owned(),
            true => format!("the rollout stalls after {} of {}, more are forbidden", self.new, new_pods(self.wanted)),
            false => format!("{} of {} are forbidden", self.waiting, new_pods(self.wanted - self.before)),
        };
        let risk = if self.old + self.new == 0 { Risk::Outage } else { Risk::Disruptive };
        if rolls {
            // What goes and is not made again is lost, not restarted.
            change.restarts = change.restarts.min(self.new);
        }
        let mut verdict = Verdict::new(risk, format!("{text}: {why}"));
        verdict.add(Verdict { risk: change.risk, why: std::mem::take(&mut change.why), restarts: 0 });
        (change.risk, change.why) = (verdict.risk, verdict.why);
    }
}

fn new_pods(count: u64) -> String {
    plural(count, "new pod")
}

/// `quota room: pods 3 → 3 of 4, 4 at the peak`.
fn note([before, peak, after]: &[Usage; 3]) -> String {
    let mut text = format!(
        "quota {}: {} {} → {} of {}",
        before.quota,
        before.resource,
        before.used.canonical(),
        after.used.canonical(),
        before.hard.canonical()
    );
    if peak.used > before.used && peak.used > after.used {
        text.push_str(&format!(", {} at the peak", peak.used.canonical()));
    }
    text
}
