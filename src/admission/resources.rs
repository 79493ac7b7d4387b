//! What a pod asks for as LimitRanger counts it (`podRequests` and `podLimits` in
//! `plugin/pkg/admission/limitranger/admission.go`, Kubernetes 1.36).

use std::collections::BTreeMap;

use crate::model::quantity::Quantity;
use crate::yaml::View;

/// Amounts by resource.
pub type ResourceList = BTreeMap<String, Quantity>;

/// A map of quantities; what is none was refused before.
pub(super) fn resource_list(list: Option<View<'_>>) -> ResourceList {
    let quantity = |view: View<'_>| match view.str() {
        Some(text) => Quantity::parse(text).ok(),
        None => Quantity::parse(&view.to_json()).ok(),
    };
    let entries = list.into_iter().flat_map(View::fields);
    entries.filter_map(|(name, view)| Some((name.to_owned(), quantity(view)?))).collect()
}

/// The sum of a pod's containers for `requests` or `limits`, held against what its init containers need, and replaced
/// by what is set for the pod as a whole.
pub fn of_pod(spec: View<'_>, key: &str) -> ResourceList {
    let of = |container: View<'_>| resource_list(container.at(&["resources", key]));
    let mut total = ResourceList::new();
    for container in spec.list("containers") {
        add(&mut total, &of(container));
    }
    let (mut sidecars, mut most) = (ResourceList::new(), ResourceList::new());
    for container in spec.list("initContainers") {
        let mut current = of(container);
        if container.get_str("restartPolicy") == Some("Always") {
            add(&mut total, &current);
            add(&mut sidecars, &current);
            current.clone_from(&sidecars);
        } else {
            add(&mut current, &sidecars);
        }
        raise(&mut most, &current);
    }
    raise(&mut total, &most);
    let whole = resource_list(spec.at(&["resources", key])).into_iter();
    total.extend(whole.filter(|(name, _)| is_pod_level(name)));
    total
}

/// Whether a resource can be set for a pod as a whole.
fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// Adds each amount to that of the same name.
pub(super) fn add(list: &mut ResourceList, more: &ResourceList) {
    for (name, quantity) in more {
        match list.get_mut(name) {
            Some(sum) => *sum += quantity,
            None => {
                list.insert(name.clone(), quantity.clone());
            }
        }
    }
}

/// Each amount at least as large as in the other list.
fn raise(list: &mut ResourceList, other: &ResourceList) {
    for (name, quantity) in other {
        if list.get(name).is_none_or(|known| known < quantity) {
            list.insert(name.clone(), quantity.clone());
        }
    }
}
