//! What stands behind webhooks and aggregated APIs: a Service, and the workloads whose pods it selects.

use std::collections::HashSet;

use super::references::{self, Need};
use super::state::{Item, item};
use crate::model::Bundle;
use crate::model::pod::map_selects;

/// Kinds that make the API server ask a Service.
const ASKING: [&str; 3] = ["APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The workloads of the set that answer for its webhooks and aggregated APIs.
pub(super) fn backends(desired: &Bundle) -> Vec<Need> {
    let items: Vec<Item<'_>> = desired.ids().map(|id| item(desired, id)).collect();
    let asking = items.iter().filter(|item| ASKING.contains(&item.object.kind.as_str()));
    let services: HashSet<Need> = asking.flat_map(references::needs).filter(|need| need.0 == "Service").collect();
    let mut found = Vec::new();
    for service in items.iter().filter(|item| services.contains(&need(item))) {
        let Some(selector) = service.view.at(&["spec", "selector"]) else { continue };
        let answers = |item: &&Item<'_>| {
            item.namespace() == service.namespace()
                && item.template().is_some_and(|template| map_selects(selector, &template.labels()))
        };
        found.extend(items.iter().filter(answers).map(need));
    }
    found
}

fn need(item: &Item<'_>) -> Need {
    (item.object.kind.clone(), item.namespace().to_owned(), item.object.name.clone())
}
