//! DefaultIngressClass: the class of Ingresses that name none.
//!
//! `plugin/pkg/admission/network/defaultingressclass/admission.go` (Kubernetes 1.36).

use super::{child, set_str};
use crate::yaml::{NodeId, Tree, View};

/// Whether a class is marked as the default.
pub fn is_default(class: View<'_>) -> bool {
    let annotations = class.at(&["metadata", "annotations"]);
    annotations.is_some_and(|list| list.get_str("ingressclass.kubernetes.io/is-default-class") == Some("true"))
}

pub(super) fn admit(tree: &mut Tree, ingress: NodeId, default: &str) {
    let view = tree.view(ingress);
    let annotations = view.at(&["metadata", "annotations"]);
    let chosen = annotations.is_some_and(|list| list.entry("kubernetes.io/ingress.class").is_some());
    let named = view.at(&["spec", "ingressClassName"]).is_some();
    if !chosen && !named {
        let spec = child(tree, ingress, "spec");
        set_str(tree, spec, "ingressClassName", default);
    }
}
