//! What the API server's admission adds to a pod before the scheduler sees it: priority, RuntimeClass,
//! default tolerations.

use crate::simulate::cluster::Cluster;
use crate::simulate::pod::{Pod, Toleration};
use crate::simulate::resources::Resources;
use crate::yaml::View;

const SYSTEM_NODE_CRITICAL: i32 = 2_000_001_000;
const SYSTEM_CLUSTER_CRITICAL: i32 = 2_000_000_000;

/// Fills the pod in; gives the refusal where there is one, without the pod's name.
pub(super) fn admit(pod: &mut Pod, spec: View<'_>, cluster: &Cluster) -> Option<String> {
    let rejected = priority(pod, spec, cluster).or_else(|| runtime_class(pod, spec, cluster));
    for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !pod.tolerations.iter().any(|toleration| toleration.tolerates(taint, "", "NoExecute")) {
            pod.tolerations.push(Toleration::of(taint, "NoExecute"));
        }
    }
    rejected.or_else(|| invalid(spec))
}

/// The named class, else the default one, else 0.
fn priority(pod: &mut Pod, spec: View<'_>, cluster: &Cluster) -> Option<String> {
    if let Some(value) = spec.get_int("priority") {
        pod.priority = i32::try_from(value).unwrap_or(0);
        return None;
    }
    let name = spec.get_str("priorityClassName").unwrap_or("");
    let class = match name {
        "" => cluster.priorities.values().filter(|class| class.global_default).min_by_key(|class| class.value),
        "system-node-critical" | "system-cluster-critical" => {
            pod.priority = if name.contains("node") { SYSTEM_NODE_CRITICAL } else { SYSTEM_CLUSTER_CRITICAL };
            return None;
        }
        name => match cluster.priorities.get(name) {
            Some(class) => Some(class),
            None => return Some(format!("no PriorityClass with name {name} was found")),
        },
    };
    if let Some(class) = class {
        pod.priority = class.value;
        pod.never_preempts |= class.never_preempts;
    }
    None
}

/// The class's overhead, node selector and tolerations.
fn runtime_class(pod: &mut Pod, spec: View<'_>, cluster: &Cluster) -> Option<String> {
    let name = spec.get_str("runtimeClassName")?;
    let Some(class) = cluster.runtimes.get(name) else {
        return Some(format!("pod rejected: RuntimeClass \"{name}\" not found"));
    };
    if spec.get("overhead").is_none() {
        let overhead = Resources::from_list(&class.overhead);
        pod.requests.actual.add(&overhead, 1);
        for amounts in [&mut pod.requests.nonzero, &mut pod.requests.scored] {
            amounts.cpu = amounts.cpu.saturating_add(overhead.cpu);
            amounts.memory = amounts.memory.saturating_add(overhead.memory);
        }
    }
    for (key, value) in &class.node_selector {
        match pod.node_selector.iter().find(|(known, _)| known == key) {
            Some((_, known)) if known != value => {
                return Some(format!(
                    "pod rejected: conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; \
                     pod.spec.nodeSelector[{key}] = {known}"
                ));
            }
            Some(_) => {}
            None => pod.node_selector.push((key.clone(), value.clone())),
        }
    }
    let missing = class.tolerations.iter().filter(|toleration| !pod.tolerations.contains(toleration));
    let missing: Vec<Toleration> = missing.cloned().collect();
    pod.tolerations.extend(missing);
    None
}

/// A constraint that the API server refuses and that would change the answer.
fn invalid(spec: View<'_>) -> Option<String> {
    let mut constraints = spec.list("topologySpreadConstraints").enumerate();
    constraints.find_map(|(index, constraint)| {
        let domains = constraint.get_int("minDomains")?;
        (constraint.get_str("whenUnsatisfiable") == Some("ScheduleAnyway")).then(|| {
            format!(
                "spec.topologySpreadConstraints[{index}].minDomains: Invalid value: {domains}: can only use minDomains \
                 if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            )
        })
    })
}
