//! What an object asks of quotas.
//!
//! `pkg/quota/v1/evaluator/core/{pods,services,persistent_volume_claims,registry}.go`, apiserver
//! `pkg/quota/v1/generic/evaluator.go`, component-helpers `resource/helpers.go` (Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};

use super::default_storage_class::BETA;
use super::resources::{ResourceList, add, of_pod, resource_list};
use crate::model::names::is_qualified_name;
use crate::model::quantity::Quantity;
use crate::yaml::View;

/// Resources that a quota makes every container name (`validationSet`).
const REQUIRED: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// Kinds that had names of their own in quotas before `count/` (`legacyObjectCountAliases`).
const ALIASES: [&str; 4] = ["configmaps", "resourcequotas", "replicationcontrollers", "secrets"];

/// How a kind is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evaluator {
    Pod,
    Service,
    Claim,
    Count,
}

/// What one object asks of quotas: what it uses, what its containers do not say, and by what quotas choose it.
#[derive(Clone, Debug)]
pub struct Charge {
    evaluator: Evaluator,
    pub(super) usage: ResourceList,
    /// Containers by the resource that they leave out.
    pub(super) missing: BTreeMap<&'static str, BTreeSet<String>>,
    scopes: BTreeSet<&'static str>,
    /// The class that the scope of classes looks at: of priority, or of volume attributes.
    class: String,
}

impl Charge {
    /// What creating an object asks for; it has been through admission. `plural` is the name of its resource.
    pub fn of(group: &str, plural: &str, object: View<'_>) -> Charge {
        match (group, plural, object.get("spec")) {
            ("", "pods", Some(spec)) => Charge::pod(spec),
            ("", "services", Some(spec)) => Charge::service(spec),
            ("", "persistentvolumeclaims", Some(spec)) => Charge::claim(object.get("metadata"), spec),
            _ => Charge::count(group, plural),
        }
    }

    fn new(evaluator: Evaluator, usage: ResourceList) -> Charge {
        let (missing, scopes) = (BTreeMap::new(), BTreeSet::new());
        Charge { evaluator, usage, missing, scopes, class: String::new() }
    }

    /// One object of a kind that is only counted (`objectCountEvaluator`).
    pub fn count(group: &str, plural: &str) -> Charge {
        let name = if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") };
        let mut usage = ResourceList::from([(name, one())]);
        if group.is_empty() && ALIASES.contains(&plural) {
            usage.insert(plural.to_owned(), one());
        }
        Charge::new(Evaluator::Count, usage)
    }

    /// A pod spec with its defaults and what admission adds (`PodUsageFunc`).
    pub fn pod(spec: View<'_>) -> Charge {
        let (mut requests, mut limits) = (of_pod(spec, "requests"), of_pod(spec, "limits"));
        let overhead = resource_list(spec.get("overhead"));
        let limited = overhead.iter().filter(|(name, _)| limits.contains_key(*name));
        let limited: ResourceList = limited.map(|(name, quantity)| (name.clone(), quantity.clone())).collect();
        add(&mut limits, &limited);
        add(&mut requests, &overhead);
        let mut usage = compute(&requests, &limits);
        usage.insert("count/pods".to_owned(), one());
        let whole = ["requests", "limits"].iter().any(|key| !resource_list(spec.at(&["resources", key])).is_empty());
        let missing = if whole { BTreeMap::new() } else { missing(spec) };
        let class = spec.get_str("priorityClassName").unwrap_or_default().to_owned();
        Charge { missing, scopes: scopes(spec), class, ..Charge::new(Evaluator::Pod, usage) }
    }

    /// `serviceEvaluator.Usage`
    fn service(spec: View<'_>) -> Charge {
        let ports = spec.list("ports");
        let numbered = spec.list("ports").filter(|port| port.get_int("nodePort").is_some_and(|port| port != 0)).count();
        let allocates = spec.get("allocateLoadBalancerNodePorts").and_then(View::bool) != Some(false);
        let (node_ports, balancers) = match spec.get_str("type") {
            Some("NodePort") => (ports.len(), 0),
            Some("LoadBalancer") => (if allocates { ports.len() } else { numbered }, 1),
            _ => (0, 0),
        };
        let number = |count: usize| Quantity::from_i64(i64::try_from(count).unwrap_or(i64::MAX));
        let usage = [("count/services", 1), ("services", 1), ("services.nodeports", node_ports)];
        let usage = usage.into_iter().chain([("services.loadbalancers", balancers)]);
        Charge::new(Evaluator::Service, usage.map(|(name, count)| (name.to_owned(), number(count))).collect())
    }

    /// `pvcEvaluator.Usage`
    pub fn claim(metadata: Option<View<'_>>, spec: View<'_>) -> Charge {
        let annotations = metadata.and_then(|metadata| metadata.get("annotations"));
        let old = annotations.and_then(|annotations| annotations.get_str(BETA));
        let class = old.or(spec.get_str("storageClassName")).filter(|class| !class.is_empty());
        let mut usage = ResourceList::from([("count/persistentvolumeclaims".to_owned(), one())]);
        let storage = resource_list(spec.at(&["resources", "requests"])).remove("storage").map(|mut storage| {
            storage.round_up(0);
            storage
        });
        for (name, amount) in [("persistentvolumeclaims", Some(one())), ("requests.storage", storage)] {
            let Some(amount) = amount else { continue };
            if let Some(class) = class {
                usage.insert(format!("{class}.storageclass.storage.k8s.io/{name}"), amount.clone());
            }
            usage.insert(name.to_owned(), amount);
        }
        let class = spec.get_str("volumeAttributesClassName").unwrap_or_default().to_owned();
        Charge { class, ..Charge::new(Evaluator::Claim, usage) }
    }

    /// Whether the object uses some of a resource.
    pub fn asks(&self, resource: &str) -> bool {
        self.usage.get(resource).is_some_and(|quantity| !quantity.is_zero())
    }

    /// Whether a resource of a quota is of this kind (`MatchingResources`).
    pub(super) fn matches(&self, name: &str) -> bool {
        const CLAIMS: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
        match self.evaluator {
            Evaluator::Pod => is_of_pods(name),
            Evaluator::Claim => {
                let of_class = name.split_once(".storageclass.storage.k8s.io/").map(|(_, rest)| rest);
                name == "count/persistentvolumeclaims" || CLAIMS.contains(&of_class.unwrap_or(name))
            }
            Evaluator::Service | Evaluator::Count => self.usage.contains_key(name),
        }
    }

    /// `podMatchesScopeFunc`, `pvcMatchesScopeFunc`; other kinds are in no scope.
    pub(super) fn in_scope(&self, scope: &str, operator: &str, values: &[&str]) -> bool {
        let of_classes = match self.evaluator {
            Evaluator::Pod => "PriorityClass",
            Evaluator::Claim => "VolumeAttributesClass",
            Evaluator::Service | Evaluator::Count => return false,
        };
        if scope != of_classes {
            return self.scopes.contains(scope);
        }
        match operator {
            "In" => values.contains(&self.class.as_str()),
            "NotIn" => !values.contains(&self.class.as_str()),
            "DoesNotExist" => self.class.is_empty(),
            _ => !self.class.is_empty(),
        }
    }
}

fn one() -> Quantity {
    Quantity::from_i64(1)
}

/// `podComputeUsageHelper`
fn compute(requests: &ResourceList, limits: &ResourceList) -> ResourceList {
    let mut usage = ResourceList::from([("pods".to_owned(), one())]);
    for (name, quantity) in requests {
        let native = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        if native {
            usage.insert(name.clone(), quantity.clone());
        }
        if native || is_extended(name) {
            usage.insert(format!("requests.{name}"), quantity.clone());
        }
    }
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(quantity) = limits.get(name) {
            usage.insert(format!("limits.{name}"), quantity.clone());
        }
    }
    usage
}

/// `IsDRAExtendedResourceName`
fn is_extended(name: &str) -> bool {
    let extended = !is_native(name) && !name.starts_with("requests.");
    extended && is_qualified_name(&format!("requests.{name}")).is_empty()
        || name.starts_with("deviceclass.resource.kubernetes.io/")
}

/// `IsNativeResource`
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a quota counts a resource of pods (`podEvaluator.MatchingResources`).
fn is_of_pods(name: &str) -> bool {
    let request = name.strip_prefix("requests.");
    let compute = request.or_else(|| name.strip_prefix("limits.")).unwrap_or(name);
    matches!(compute, "cpu" | "memory" | "ephemeral-storage")
        || matches!(name, "pods" | "count/pods")
        || request.unwrap_or(name).starts_with("hugepages-")
        || request.is_some() && !is_native(name)
        || name.starts_with("requests.deviceclass.resource.kubernetes.io/")
}

/// `enforcePodContainerConstraints`, for every resource that some quota could require.
fn missing(spec: View<'_>) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut missing: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for container in spec.list("containers").chain(spec.list("initContainers")) {
        let list = |key| resource_list(container.at(&["resources", key]));
        let usage = compute(&list("requests"), &list("limits"));
        for name in REQUIRED.into_iter().filter(|name| !usage.contains_key(*name)) {
            let container = container.get_str("name").unwrap_or_default();
            missing.entry(name).or_default().insert(container.to_owned());
        }
    }
    missing
}

/// The scopes that a pod is in, but for that of its priority class.
fn scopes(spec: View<'_>) -> BTreeSet<&'static str> {
    let terminating = spec.get_int("activeDeadlineSeconds").is_some_and(|seconds| seconds >= 0);
    let mut scopes = BTreeSet::from([if terminating { "Terminating" } else { "NotTerminating" }]);
    scopes.insert(if is_best_effort(spec) { "BestEffort" } else { "NotBestEffort" });
    let affinity = ["podAffinity", "podAntiAffinity"].into_iter().filter_map(|key| spec.at(&["affinity", key]));
    let elsewhere = |term: View<'_>| {
        term.get("namespaces").is_some_and(|list| !list.is_empty()) || term.get("namespaceSelector").is_some()
    };
    let crosses = affinity.into_iter().any(|affinity| {
        let required = affinity.list("requiredDuringSchedulingIgnoredDuringExecution");
        let preferred = affinity.list("preferredDuringSchedulingIgnoredDuringExecution");
        required.chain(preferred.filter_map(|term| term.get("podAffinityTerm"))).any(elsewhere)
    });
    if crosses {
        scopes.insert("CrossNamespacePodAffinity");
    }
    scopes
}

/// `ComputePodQOS`: nothing asks for cpu or memory. Where the pod as a whole has `resources`, even none, they decide.
fn is_best_effort(spec: View<'_>) -> bool {
    let asks = |of: View<'_>| {
        ["requests", "limits"].iter().any(|key| {
            let list = resource_list(of.at(&["resources", key]));
            ["cpu", "memory"].iter().any(|name| list.get(*name).is_some_and(|quantity| !quantity.is_zero()))
        })
    };
    match spec.get("resources") {
        Some(_) => !asks(spec),
        None => !spec.list("containers").chain(spec.list("initContainers")).any(asks),
    }
}
