//! LimitRanger: defaults for containers, and bounds for containers, pods and claims.
//!
//! `plugin/pkg/admission/limitranger/admission.go` (Kubernetes 1.36).

use std::collections::BTreeMap;

use super::resources::{ResourceList, of_pod, resource_list};
use super::{child, set_str};
use crate::model::quantity::Quantity;
use crate::yaml::{NodeId, Tree, View};

/// Above this a number of thousandths does not fit (`resource.MaxMilliValue`).
const MAX_MILLI: i64 = i64::MAX / 1000;

/// The LimitRanges of one namespace, by name.
#[derive(Clone, Debug, Default)]
pub struct LimitRanges<'b> {
    items: BTreeMap<&'b str, View<'b>>,
}

impl<'b> LimitRanges<'b> {
    pub(super) fn read(&mut self, name: &'b str, range: View<'b>) {
        self.items.insert(name, range);
    }

    /// Whether containers may get something that they left out.
    pub(super) fn has_defaults(&self) -> bool {
        let mut limits = self.items.values().flat_map(|range| LimitRanges::limits(*range, "Container"));
        limits.any(|limit| limit.get("default").is_some() || limit.get("defaultRequest").is_some())
    }

    /// The limits of one type in one LimitRange.
    fn limits(range: View<'b>, type_: &str) -> Vec<View<'b>> {
        let limits = range.get("spec").into_iter().flat_map(|spec| spec.list("limits"));
        limits.filter(|limit| limit.get_str("type") == Some(type_)).collect()
    }

    /// Gives the containers of a pod what they left out (`PodMutateLimitFunc`).
    pub(super) fn admit(&self, tree: &mut Tree, spec: NodeId) {
        for range in self.items.values() {
            let (mut requests, mut limits) = (ResourceList::new(), ResourceList::new());
            for limit in LimitRanges::limits(*range, "Container") {
                requests.extend(resource_list(limit.get("defaultRequest")));
                limits.extend(resource_list(limit.get("default")));
            }
            for container in containers(tree, spec) {
                merge(tree, container, "limits", &limits);
                merge(tree, container, "requests", &requests);
            }
        }
    }

    /// What the plugin says of a pod (`PodValidateLimitFunc`), without the pod's name.
    pub fn validate_pod(&self, spec: View<'_>) -> Option<String> {
        self.items.values().find_map(|range| {
            let mut problems = Vec::new();
            for limit in range.get("spec").into_iter().flat_map(|spec| spec.list("limits")) {
                match limit.get_str("type") {
                    Some("Container") => {
                        for container in spec.list("containers").chain(spec.list("initContainers")) {
                            let list = |key| resource_list(container.at(&["resources", key]));
                            constraints(&mut problems, limit, "Container", &list("requests"), &list("limits"));
                        }
                    }
                    Some("Pod") => {
                        let (requests, limits) = (of_pod(spec, "requests"), of_pod(spec, "limits"));
                        constraints(&mut problems, limit, "Pod", &requests, &limits);
                    }
                    _ => {}
                }
            }
            aggregate(problems)
        })
    }

    /// What the plugin says of a claim (`PersistentVolumeClaimValidateLimitFunc`), without the claim's name.
    pub fn validate_claim(&self, spec: View<'_>) -> Option<String> {
        const TYPE: &str = "PersistentVolumeClaim";
        let requests = resource_list(spec.at(&["resources", "requests"]));
        self.items.values().find_map(|range| {
            let mut problems = Vec::new();
            for limit in LimitRanges::limits(*range, TYPE) {
                for (name, least) in resource_list(limit.get("min")) {
                    problems.extend(min_constraint(TYPE, &name, &least, &requests, &ResourceList::new()));
                }
                for (name, most) in resource_list(limit.get("max")) {
                    problems.extend(max_request_constraint(TYPE, &name, &most, &requests));
                }
            }
            aggregate(problems)
        })
    }
}

fn containers(tree: &Tree, spec: NodeId) -> Vec<NodeId> {
    let view = tree.view(spec);
    view.list("containers").chain(view.list("initContainers")).map(|container| container.id).collect()
}

/// `mergeContainerResources`, one of its two halves.
fn merge(tree: &mut Tree, container: NodeId, key: &str, defaults: &ResourceList) {
    if defaults.is_empty() {
        return;
    }
    let list = child(tree, container, "resources");
    let list = child(tree, list, key);
    for (name, quantity) in defaults {
        if tree.view(list).get(name).is_none() {
            set_str(tree, list, name, &quantity.canonical());
        }
    }
}

/// The bounds of one limit. Go walks them in random order; here by name.
fn constraints(out: &mut Vec<String>, limit: View<'_>, type_: &str, requests: &ResourceList, limits: &ResourceList) {
    for (name, least) in resource_list(limit.get("min")) {
        out.extend(min_constraint(type_, &name, &least, requests, limits));
    }
    for (name, most) in resource_list(limit.get("max")) {
        out.extend(max_constraint(type_, &name, &most, requests, limits));
    }
    for (name, ratio) in resource_list(limit.get("maxLimitRequestRatio")) {
        out.extend(limit_request_ratio_constraint(type_, &name, &ratio, requests, limits));
    }
}

/// `requestLimitEnforcedValues`: the same unit for all of them, thousandths where these fit.
fn values<const N: usize>(quantities: [Option<&Quantity>; N]) -> [i64; N] {
    let whole = quantities.map(|quantity| quantity.map_or(0, Quantity::value));
    if whole.iter().all(|value| *value <= MAX_MILLI) {
        return quantities.map(|quantity| quantity.map_or(0, Quantity::milli_value));
    }
    whole
}

/// `minConstraint`
fn min_constraint(
    type_: &str,
    name: &str,
    least: &Quantity,
    requests: &ResourceList,
    limits: &ResourceList,
) -> Option<String> {
    let (request, limit) = (requests.get(name), limits.get(name));
    let head = format!("minimum {name} usage per {type_} is {}", least.canonical());
    let [requested, limited, enforced] = values([request, limit, Some(least)]);
    match (request, limit) {
        (None, _) => Some(format!("{head}.  No request is specified")),
        (Some(request), _) if requested < enforced => Some(format!("{head}, but request is {}", request.canonical())),
        (_, Some(limit)) if limited < enforced => Some(format!("{head}, but limit is {}", limit.canonical())),
        _ => None,
    }
}

/// `maxRequestConstraint`
fn max_request_constraint(type_: &str, name: &str, most: &Quantity, requests: &ResourceList) -> Option<String> {
    let head = format!("maximum {name} usage per {type_} is {}", most.canonical());
    let request = requests.get(name);
    let [requested, enforced] = values([request, Some(most)]);
    match request {
        None => Some(format!("{head}.  No request is specified")),
        Some(request) if requested > enforced => Some(format!("{head}, but request is {}", request.canonical())),
        Some(_) => None,
    }
}

/// `maxConstraint`
fn max_constraint(
    type_: &str,
    name: &str,
    most: &Quantity,
    requests: &ResourceList,
    limits: &ResourceList,
) -> Option<String> {
    let (request, limit) = (requests.get(name), limits.get(name));
    let head = format!("maximum {name} usage per {type_} is {}", most.canonical());
    let [requested, limited, enforced] = values([request, limit, Some(most)]);
    match (limit, request) {
        (None, _) => Some(format!("{head}.  No limit is specified")),
        (Some(limit), _) if limited > enforced => Some(format!("{head}, but limit is {}", limit.canonical())),
        (_, Some(request)) if requested > enforced => Some(format!("{head}, but request is {}", request.canonical())),
        _ => None,
    }
}

/// `limitRequestRatioConstraint`
fn limit_request_ratio_constraint(
    type_: &str,
    name: &str,
    ratio: &Quantity,
    requests: &ResourceList,
    limits: &ResourceList,
) -> Option<String> {
    let (request, limit) = (requests.get(name), limits.get(name));
    let head = format!("{name} max limit to request ratio per {type_} is {}", ratio.canonical());
    let [requested, limited, _] = values([request, limit, Some(ratio)]);
    if request.is_none() || requested == 0 {
        return Some(format!("{head}, but no request is specified or request is 0"));
    }
    if limit.is_none() || limited == 0 {
        return Some(format!("{head}, but no limit is specified or limit is 0"));
    }
    let observed = limited as f64 / requested as f64;
    let allowed = match ratio.value() <= MAX_MILLI {
        true => ratio.milli_value() as f64 / 1000.0,
        false => ratio.value() as f64,
    };
    (observed > allowed).then(|| format!("{head}, but provided ratio is {observed:.6}"))
}

/// `NewAggregate`: each message once, several in brackets.
fn aggregate(mut problems: Vec<String>) -> Option<String> {
    let mut seen: Vec<String> = Vec::new();
    problems.retain(|problem| {
        let is_new = !seen.contains(problem);
        if is_new {
            seen.push(problem.clone());
        }
        is_new
    });
    match problems.len() {
        0 => None,
        1 => problems.pop(),
        _ => Some(format!("[{}]", problems.join(", "))),
    }
}
