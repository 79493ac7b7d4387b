//! ResourceQuota: what pods of a namespace may use together.
//!
//! apiserver `pkg/admission/plugin/resourcequota/controller.go`, `pkg/quota/v1/evaluator/core/pods.go` (Kubernetes 1.36).
//! Only pods are counted, not other objects.

use std::collections::{BTreeMap, BTreeSet};

use super::resources::{ResourceList, add, of_pod, resource_list};
use crate::model::Bundle;
use crate::model::quantity::Quantity;
use crate::yaml::View;

/// Resources that a quota makes every container name (`validationSet`).
const REQUIRED: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// One quota, and what is used of it.
#[derive(Clone, Debug)]
struct Quota<'b> {
    name: &'b str,
    spec: View<'b>,
    hard: ResourceList,
    used: ResourceList,
    /// Whether `used` came from a cluster and so has the pods that run there.
    is_counted: bool,
}

/// The quotas of one namespace, by name.
#[derive(Clone, Debug, Default)]
pub struct Quotas<'b> {
    items: Vec<Quota<'b>>,
}

/// What one pod asks of quotas: what it uses, what its containers do not say, and by what quotas choose it.
#[derive(Clone, Debug)]
pub struct Charge {
    usage: ResourceList,
    /// Containers by the resource that they leave out.
    missing: BTreeMap<&'static str, BTreeSet<String>>,
    scopes: BTreeSet<&'static str>,
    priority_class: String,
}

impl Charge {
    /// That of a pod spec with its defaults and what LimitRanges add.
    pub fn of(spec: View<'_>) -> Charge {
        let (requests, limits) = (of_pod(spec, "requests"), of_pod(spec, "limits"));
        let mut requests = requests;
        add(&mut requests, &resource_list(spec.get("overhead")));
        let mut usage = compute(&requests, &limits);
        usage.insert("count/pods".to_owned(), Quantity::from_i64(1));
        let whole = ["requests", "limits"].iter().any(|key| !resource_list(spec.at(&["resources", key])).is_empty());
        let missing = if whole { BTreeMap::new() } else { missing(spec) };
        let priority_class = spec.get_str("priorityClassName").unwrap_or_default().to_owned();
        Charge { usage, missing, scopes: scopes(spec), priority_class }
    }
}

/// `podComputeUsageHelper`
fn compute(requests: &ResourceList, limits: &ResourceList) -> ResourceList {
    let mut usage = ResourceList::from([("pods".to_owned(), Quantity::from_i64(1))]);
    for (name, quantity) in requests {
        let native = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        if native {
            usage.insert(name.clone(), quantity.clone());
        }
        if native || name.contains('/') {
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

/// `GetPodQOS`: no container asks for cpu or memory.
fn is_best_effort(spec: View<'_>) -> bool {
    let asks = |of: View<'_>| {
        ["requests", "limits"].iter().any(|key| {
            let list = resource_list(of.at(&["resources", key]));
            ["cpu", "memory"].iter().any(|name| list.get(*name).is_some_and(|quantity| !quantity.is_zero()))
        })
    };
    !asks(spec) && !spec.list("containers").chain(spec.list("initContainers")).any(asks)
}

/// Whether a quota counts a resource of pods (`MatchingResources`).
fn is_of_pods(name: &str) -> bool {
    let compute = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits.")).unwrap_or(name);
    matches!(compute, "cpu" | "memory" | "ephemeral-storage")
        || matches!(name, "pods" | "count/pods")
        || compute.starts_with("hugepages-")
        || name.strip_prefix("requests.").is_some_and(|name| name.contains('/') && !name.contains("storageclass"))
}

impl<'b> Quotas<'b> {
    /// Those of a set, by the namespace that they hold for; what is used so far is what their status says.
    pub fn by_namespace(bundle: &'b Bundle) -> BTreeMap<&'b str, Quotas<'b>> {
        let quotas = bundle.iter().filter(|(_, object)| object.kind == "ResourceQuota" && object.group().is_empty());
        let mut quotas: Vec<_> = quotas.collect();
        quotas.sort_by_key(|(_, object)| object.name.as_str());
        let mut found: BTreeMap<&str, Quotas<'b>> = BTreeMap::new();
        for (id, object) in quotas {
            let Some(spec) = bundle.full(id).get("spec") else { continue };
            let hard = resource_list(spec.get("hard"));
            let status = bundle.written(id).at(&["status", "used"]);
            let (used, is_counted) = (resource_list(status), status.is_some());
            let namespace = object.namespace.as_deref().unwrap_or("default");
            found.entry(namespace).or_default().items.push(Quota { name: &object.name, spec, hard, used, is_counted });
        }
        found
    }

    /// Why the plugin refuses a pod, without the pod's name (`CheckRequest`).
    pub fn refuses(&self, pod: &Charge) -> Option<String> {
        let of_pod: Vec<&Quota<'_>> = self.items.iter().filter(|quota| quota.matches(pod)).collect();
        let unsaid = of_pod.iter().find_map(|quota| quota.unsaid(pod));
        unsaid.or_else(|| of_pod.iter().find_map(|quota| quota.exceeded(pod)))
    }

    /// Counts a pod that was created, or that runs already.
    pub fn charge(&mut self, pod: &Charge, runs: bool) {
        let counts = |quota: &&mut Quota<'_>| quota.matches(pod) && !(runs && quota.is_counted);
        for quota in self.items.iter_mut().filter(counts) {
            let counted = pod.usage.iter().filter(|(name, _)| quota.hard.contains_key(*name));
            let counted: ResourceList = counted.map(|(name, quantity)| (name.clone(), quantity.clone())).collect();
            add(&mut quota.used, &counted);
        }
    }
}

impl Quota<'_> {
    /// `Matches`: it counts something of pods, and all its scopes hold.
    fn matches(&self, pod: &Charge) -> bool {
        let mut scopes = self.spec.list("scopes").filter_map(View::str);
        let expressions = self.spec.at(&["scopeSelector", "matchExpressions"]).into_iter().flat_map(View::items);
        self.hard.keys().any(|name| is_of_pods(name))
            && scopes.all(|scope| in_scope(pod, scope, "Exists", &[]))
            && expressions.into_iter().all(|expression| {
                let values: Vec<&str> = expression.list("values").filter_map(View::str).collect();
                let text = |key| expression.get_str(key).unwrap_or_default();
                in_scope(pod, text("scopeName"), text("operator"), &values)
            })
    }

    /// `Constraints`
    fn unsaid(&self, pod: &Charge) -> Option<String> {
        let missing = pod.missing.iter().filter(|(name, _)| self.hard.contains_key(**name));
        let said: Vec<String> = missing
            .map(|(name, containers)| {
                let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
                format!("{name} for: {}", containers.join(","))
            })
            .collect();
        (!said.is_empty()).then(|| format!("failed quota: {}: must specify {}", self.name, said.join("; ")))
    }

    fn exceeded(&self, pod: &Charge) -> Option<String> {
        let zero = Quantity::from_i64(0);
        let used = |name: &str| self.used.get(name).unwrap_or(&zero);
        let over = |(name, asked): &(&String, &Quantity)| {
            let mut total = used(name).clone();
            total += *asked;
            !asked.is_zero() && self.hard.get(*name).is_some_and(|hard| total > *hard)
        };
        let exceeded: Vec<(&String, &Quantity)> = pod.usage.iter().filter(over).collect();
        if exceeded.is_empty() {
            return None;
        }
        let print = |amount: &dyn Fn(&str, &Quantity) -> String| {
            let parts = exceeded.iter().map(|(name, asked)| format!("{name}={}", amount(name, asked)));
            parts.collect::<Vec<String>>().join(",")
        };
        Some(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            self.name,
            print(&|_, asked| asked.canonical()),
            print(&|name, _| used(name).canonical()),
            print(&|name, _| self.hard.get(name).unwrap_or(&zero).canonical()),
        ))
    }
}

/// `podMatchesScopeFunc`
fn in_scope(pod: &Charge, scope: &str, operator: &str, values: &[&str]) -> bool {
    if scope != "PriorityClass" {
        return pod.scopes.contains(scope);
    }
    let class = pod.priority_class.as_str();
    match operator {
        "In" => values.contains(&class),
        "NotIn" => !values.contains(&class),
        "DoesNotExist" => class.is_empty(),
        _ => !class.is_empty(),
    }
}
