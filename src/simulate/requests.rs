//! What a pod asks for: `PodRequests` of k8s.io/component-helpers/resource (Kubernetes 1.36).

use super::resources::{ResourceList, Resources, add_list, max_list, resource_list};
use crate::admission;
use crate::model::quantity::Quantity;
use crate::yaml::View;

/// What a container without a request counts for in scores (`DefaultMilliCPURequest`,
/// `DefaultMemoryRequest` in `pkg/scheduler/util/pod_resources.go`).
const DEFAULT_MILLI_CPU: i64 = 100;
const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// The requests of a pod, as filters and as scores count them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Requests {
    /// What the filters count.
    pub actual: Resources,
    /// What the pod adds to its node in scores: containers without requests count as small ones.
    pub nonzero: Amounts,
    /// What the pod counts for while NodeResourcesFit scores it, which overlooks requests for the whole pod
    /// (`resourceAllocationScorer` in noderesources/fit.go, 1.34 to 1.36).
    pub scored: Amounts,
    /// What its containers may use at most; those without a limit are not counted. Nothing but the report looks at it.
    pub limits: Amounts,
}

/// Cpu in thousandths of a core, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amounts {
    pub cpu: i64,
    pub memory: i64,
}

/// Computes the requests of a pod; `status` is given for a pod that already runs.
pub fn pod_requests(spec: View<'_>, status: Option<View<'_>>) -> Requests {
    let level = pod_level_requests(spec);
    let finish = |missing: &ResourceList, level: &ResourceList| {
        let mut total = containers(spec, status, missing);
        total.extend(level.clone());
        add_list(&mut total, &resource_list(spec.get("overhead")));
        total
    };
    let amounts = |list: &ResourceList| {
        let rounded = Resources::from_list(list);
        Amounts { cpu: rounded.cpu, memory: rounded.memory }
    };
    let actual = finish(&ResourceList::new(), &level);
    let mut missing = ResourceList::new();
    missing.insert("cpu".to_owned(), Quantity::from_milli(DEFAULT_MILLI_CPU));
    missing.insert("memory".to_owned(), Quantity::from_i64(DEFAULT_MEMORY));
    let scored = amounts(&finish(&missing, &ResourceList::new()));
    if !level.is_empty() {
        // With requests for the whole pod, only what they leave open is assumed.
        missing.retain(|name, _| !actual.contains_key(name));
    }
    let nonzero = amounts(&finish(&missing, &level));
    let limits = amounts(&admission::of_pod(spec, "limits"));
    Requests { actual: Resources::from_list(&actual), nonzero, scored, limits }
}

/// Sums containers and init containers (`AggregateContainerRequests`).
fn containers(spec: View<'_>, status: Option<View<'_>>, missing: &ResourceList) -> ResourceList {
    let mut total = ResourceList::new();
    for container in spec.list("containers") {
        add_list(&mut total, &container_requests(container, status, "containerStatuses", missing));
    }
    let mut sidecars = ResourceList::new();
    let mut init = ResourceList::new();
    for container in spec.list("initContainers") {
        let restarts = container.get_str("restartPolicy") == Some("Always");
        let mut current = container_requests(container, status.filter(|_| restarts), "initContainerStatuses", missing);
        if restarts {
            add_list(&mut total, &current);
            add_list(&mut sidecars, &current);
            current.clone_from(&sidecars);
        } else {
            add_list(&mut current, &sidecars);
        }
        max_list(&mut init, &current);
    }
    max_list(&mut total, &init);
    total
}

/// Requests for the whole pod, with the API's defaults: where it has limits, what its containers ask
/// for, else the limit (`defaultPodRequests` in `pkg/apis/core/v1/defaults.go`).
fn pod_level_requests(spec: View<'_>) -> ResourceList {
    let mut list = resource_list(spec.at(&["resources", "requests"]));
    let limits = resource_list(spec.at(&["resources", "limits"]));
    if !limits.is_empty() {
        let mut summed = containers(spec, None, &ResourceList::new());
        summed.retain(|name, _| name == "cpu" || name == "memory");
        for (name, quantity) in summed.into_iter().chain(limits) {
            list.entry(name).or_insert(quantity);
        }
    }
    list.retain(|name, _| name == "cpu" || name == "memory" || name.starts_with("hugepages-"));
    list
}

/// Requests of one container: the API's defaulting takes missing ones from the limits; for a running
/// pod the greatest of what is asked for, allocated and actual counts (in-place resize).
fn container_requests(
    container: View<'_>,
    status: Option<View<'_>>,
    statuses: &str,
    missing: &ResourceList,
) -> ResourceList {
    let mut list = resource_list(container.at(&["resources", "requests"]));
    for (name, limit) in resource_list(container.at(&["resources", "limits"])) {
        list.entry(name).or_insert(limit);
    }
    if let Some(status) = status {
        let name = container.get_str("name");
        let found = status.list(statuses).find(|entry| entry.get_str("name") == name);
        if let Some(found) = found.filter(|entry| entry.get("resources").is_some()) {
            if resize_infeasible(status) {
                list.clear();
            }
            max_list(&mut list, &resource_list(found.at(&["resources", "requests"])));
            max_list(&mut list, &resource_list(found.get("allocatedResources")));
        }
    }
    for (name, quantity) in missing {
        list.entry(name.clone()).or_insert_with(|| quantity.clone());
    }
    list
}

fn resize_infeasible(status: View<'_>) -> bool {
    status
        .list("conditions")
        .find(|condition| condition.get_str("type") == Some("PodResizePending"))
        .is_some_and(|condition| condition.get_str("reason") == Some("Infeasible"))
}
