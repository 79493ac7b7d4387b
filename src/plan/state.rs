//! The set before and after the changes: objects by name, pods by label, and how many pods there are.

use std::collections::{BTreeMap, HashMap};

use crate::diff::{Action, Change};
use crate::model::pod::{Labels, PodTemplate};
use crate::model::{Bundle, Object, ObjectId};
use crate::simulate::{Placement, Verdict};
use crate::yaml::View;

/// An object of one side.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub object: &'a Object,
    pub view: View<'a>,
}

impl<'a> Item<'a> {
    pub(super) fn template(&self) -> Option<PodTemplate<'a>> {
        PodTemplate::of(self.object.group(), &self.object.kind, self.view)
    }

    pub(super) fn namespace(&self) -> &'a str {
        self.object.namespace.as_deref().unwrap_or("")
    }

    /// `Deployment/web`.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.object.kind, self.object.name)
    }
}

/// Something that runs pods.
pub(super) struct Workload<'a> {
    pub item: Item<'a>,
    pub template: PodTemplate<'a>,
    pub labels: Labels<'a>,
    /// Pods that it runs; `None` where the number of nodes decides and is not known.
    pub pods: Option<u64>,
}

/// One side: what the cluster holds before, or after.
pub(super) struct State<'a> {
    items: Vec<Item<'a>>,
    by_name: HashMap<(&'a str, &'a str, &'a str), usize>,
    workloads: BTreeMap<&'a str, Vec<Workload<'a>>>,
    /// Places in `workloads` by kind, namespace and name.
    workload_at: HashMap<(&'a str, &'a str, &'a str), usize>,
    /// Autoscalers by target: namespace, kind, name.
    autoscalers: HashMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> State<'a> {
    /// What the base holds.
    ///
    /// Where its pods ran is not known: a DaemonSet counts as many as it will have.
    pub(super) fn before(base: &'a Bundle, changes: &[Change], placement: Option<&Placement>) -> State<'a> {
        let ids = changes.iter().filter_map(|change| change.base);
        State::new(ids.map(|id| item(base, id)).collect(), placement)
    }

    /// What is wanted, and what stays of the base.
    pub(super) fn after(
        desired: &'a Bundle,
        base: &'a Bundle,
        changes: &[Change],
        placement: Option<&Placement>,
    ) -> State<'a> {
        let wanted = changes.iter().filter_map(|change| change.desired).map(|id| item(desired, id));
        let kept = changes.iter().filter(|change| change.action == Action::Keep).filter_map(|change| change.base);
        let mut state = State::new(wanted.chain(kept.map(|id| item(base, id))).collect(), placement);
        // What an autoscaler sets stays as it is.
        let pairs =
            changes.iter().filter_map(|change| Some((item(desired, change.desired?), item(base, change.base?))));
        for (new, old) in pairs.filter(|(new, _)| new.template().is_some()) {
            let Some(scaler) = state.autoscaler(new) else { continue };
            let (low, high) = bounds(scaler.view);
            let live = old.view.at(&["spec", "replicas"]).and_then(View::int).unwrap_or(1).max(0) as u64;
            let at =
                state.workload_at.get(&(new.object.kind.as_str(), new.namespace(), new.object.name.as_str())).copied();
            let workload = at.and_then(|at| state.workloads.get_mut(new.namespace())?.get_mut(at));
            if let Some(workload) = workload {
                workload.pods = Some(live.clamp(low, high.max(low)));
            }
        }
        state
    }

    fn new(items: Vec<Item<'a>>, placement: Option<&Placement>) -> State<'a> {
        let mut state = State {
            items,
            by_name: HashMap::new(),
            workloads: BTreeMap::new(),
            workload_at: HashMap::new(),
            autoscalers: HashMap::new(),
        };
        for (index, item) in state.items.iter().enumerate() {
            state.by_name.insert((&item.object.kind, item.namespace(), &item.object.name), index);
            let target = item.view.at(&["spec", "scaleTargetRef"]);
            if item.object.kind == "HorizontalPodAutoscaler"
                && let Some((kind, name)) = target.and_then(|to| to.get_str("kind").zip(to.get_str("name")))
            {
                state.autoscalers.insert((item.namespace(), kind, name), index);
            }
        }
        let workloads: Vec<Workload<'a>> =
            state.items.iter().filter_map(|item| state.workload(*item, placement)).collect();
        for workload in workloads {
            let Item { object, .. } = workload.item;
            let list = state.workloads.entry(workload.item.namespace()).or_default();
            state.workload_at.insert((&object.kind, workload.item.namespace(), &object.name), list.len());
            list.push(workload);
        }
        state
    }

    fn workload(&self, item: Item<'a>, placement: Option<&Placement>) -> Option<Workload<'a>> {
        let template = item.template().filter(|_| item.object.kind != "PodTemplate")?;
        let labels = template.labels();
        Some(Workload { item, template, labels, pods: self.pods(item, placement) })
    }

    /// Pods that a workload runs; the autoscaler's minimum counts where it is higher.
    fn pods(&self, item: Item<'a>, placement: Option<&Placement>) -> Option<u64> {
        let spec = item.view.get("spec");
        let number = |key: &str, default: i64| spec.and_then(|spec| spec.get_int(key)).unwrap_or(default).max(0) as u64;
        match item.object.kind.as_str() {
            "Pod" => Some(1),
            "CronJob" => Some(0),
            "Job" => Some(number("parallelism", 1).min(number("completions", i64::MAX))),
            "DaemonSet" => {
                let owner = item.title();
                let pods = &placement?.pods;
                let ours = pods.iter().filter(|pod| pod.owner == owner && pod.namespace == item.namespace());
                Some(ours.filter(|pod| pod.verdict == Verdict::Scheduled).count() as u64)
            }
            _ => {
                let (low, high) = self.autoscaler(item).map_or((0, u64::MAX), |scaler| bounds(scaler.view));
                Some(number("replicas", 1).clamp(low, high.max(low)))
            }
        }
    }

    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<Item<'a>> {
        self.by_name.get(&(kind, namespace, name)).and_then(|index| self.items.get(*index)).copied()
    }

    pub(super) fn items(&self) -> impl Iterator<Item = Item<'a>> + '_ {
        self.items.iter().copied()
    }

    pub(super) fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = Item<'a>> + '_ {
        self.items.iter().filter(move |item| item.object.kind == kind).copied()
    }

    pub(super) fn workloads(&self, namespace: &str) -> &[Workload<'a>] {
        self.workloads.get(namespace).map_or(&[], Vec::as_slice)
    }

    pub(super) fn all_workloads(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.workloads.values().flatten()
    }

    /// The workload that is this object.
    pub(super) fn workload_of(&self, object: &Object) -> Option<&Workload<'a>> {
        let namespace = object.namespace.as_deref().unwrap_or("");
        let at = self.workload_at.get(&(object.kind.as_str(), namespace, object.name.as_str()))?;
        self.workloads(namespace).get(*at)
    }

    /// The autoscaler that sets the replicas of a workload.
    pub(super) fn autoscaler(&self, item: Item<'_>) -> Option<Item<'a>> {
        let key = (item.namespace(), item.object.kind.as_str(), item.object.name.as_str());
        self.autoscalers.get(&key).and_then(|index| self.items.get(*index)).copied()
    }
}

/// Fewest and most replicas of an autoscaler.
pub(super) fn bounds(scaler: View<'_>) -> (u64, u64) {
    let number = |key: &str| scaler.at(&["spec", key]).and_then(View::int).map(|value| value.max(0) as u64);
    (number("minReplicas").unwrap_or(1), number("maxReplicas").unwrap_or(u64::MAX))
}

pub(super) fn item(bundle: &Bundle, id: ObjectId) -> Item<'_> {
    Item { object: bundle.object(id), view: bundle.full(id) }
}
