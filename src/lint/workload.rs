//! Rules on workloads against each other.

use super::Cx;
use crate::diag::Related;
use crate::model::pod::selector_selects;
use crate::yaml::View;

/// Controllers that adopt pods by their selector.
fn is_controller(kind: &str) -> bool {
    matches!(kind, "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
}

/// Two controllers of one namespace, each of which selects the other's pods.
pub(super) fn workload_selector_overlap(cx: &mut Cx<'_>) {
    if !is_controller(&cx.object.kind) {
        return;
    }
    let (Some(selector), Some(template)) = (selector(cx.root), cx.template()) else { return };
    let labels = template.labels();
    let likely = cx.index.with_label(cx.object, selector.get("matchLabels"));
    for other in likely.into_iter().filter(|other| other.id < cx.id) {
        let object = cx.bundle.object(other.id);
        if !is_controller(&object.kind) || object.key() == cx.object.key() {
            continue;
        }
        let Some(theirs) = self::selector(cx.bundle.full(other.id)) else { continue };
        if !selector_selects(selector, &other.labels) || !selector_selects(theirs, &labels) {
            continue;
        }
        let title = object.title();
        let (file, span) = cx.place_in(other.id, "spec.selector");
        let message = format!("this selector also selects the pods of {title}, and that one selects these");
        let diagnostic = cx.report_field("spec.selector".to_owned(), message);
        diagnostic.help =
            Some("add a label to one of the two selectors and to its pods that the other lacks".to_owned());
        diagnostic.related.push(Related { file, span, message: format!("the selector of {title}") });
        return;
    }
}

/// A selector that selects something; the API refuses an empty one.
fn selector(root: View<'_>) -> Option<View<'_>> {
    let selector = root.at(&["spec", "selector"])?;
    let is_empty = ["matchLabels", "matchExpressions"].iter().all(|key| selector.get(key).is_none_or(View::is_empty));
    (!is_empty).then_some(selector)
}
