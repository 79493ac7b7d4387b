//! Device requests (`pkg/apis/resource/v1/defaults.go`), and what the containers of a pod request together.

use std::collections::BTreeMap;

use super::Rule;
use super::draft::{Draft, Literal};
use crate::model::quantity::Quantity;
use crate::yaml::{NodeId, View};

type Totals = BTreeMap<String, Quantity>;

pub(super) const RULES: &[(&str, Rule)] =
    &[("resource.v1.DeviceSubRequest", allocation), ("resource.v1.ExactDeviceRequest", allocation)];

fn allocation(draft: &mut Draft, request: NodeId) {
    draft.default(request, "allocationMode", Literal::Str("ExactCount"));
    if draft.str(request, "allocationMode") == "ExactCount" {
        draft.default(request, "count", Literal::Int(1));
    }
}

/// `AggregateContainerRequests` and `AggregateContainerLimits` of component-helpers `resource/helpers.go`: the sum over
/// containers and sidecars, or the largest step of the init containers. `key` is `requests` or `limits`.
pub(super) fn container_totals(spec: View<'_>, key: &str) -> Totals {
    let mut totals = Totals::new();
    for container in spec.list("containers") {
        add(&mut totals, &amounts(container, key));
    }
    let mut sidecars = Totals::new();
    let mut step = Totals::new();
    for container in spec.list("initContainers") {
        let mut now = amounts(container, key);
        if container.get_str("restartPolicy") == Some("Always") {
            add(&mut totals, &now);
            add(&mut sidecars, &now);
            now = sidecars.clone();
        } else {
            add(&mut now, &sidecars);
        }
        raise(&mut step, &now);
    }
    raise(&mut totals, &step);
    totals
}

fn amounts(container: View<'_>, key: &str) -> Totals {
    let amounts = container.at(&["resources", key]).into_iter().flat_map(View::fields);
    amounts.filter_map(|(name, value)| Some((name.to_owned(), Quantity::parse(value.str()?).ok()?))).collect()
}

fn add(totals: &mut Totals, more: &Totals) {
    for (name, amount) in more {
        match totals.get_mut(name) {
            Some(total) => *total += amount,
            None => {
                totals.insert(name.clone(), amount.clone());
            }
        }
    }
}

fn raise(totals: &mut Totals, floor: &Totals) {
    for (name, amount) in floor {
        if totals.get(name).is_none_or(|total| amount > total) {
            totals.insert(name.clone(), amount.clone());
        }
    }
}
