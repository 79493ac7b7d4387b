//! Network policies and role bindings (`pkg/apis/networking/v1/defaults.go`, `pkg/apis/rbac/v1/defaults.go`).

use super::draft::{Draft, Literal};
use crate::yaml::NodeId;

pub(super) fn fill(name: &str, draft: &mut Draft, node: NodeId) {
    match name {
        "v1.NetworkPolicySpec" => network_policy(draft, node),
        "v1.Subject" => subject(draft, node),
        _ => {}
    }
}

/// `SetDefaults_NetworkPolicy`
fn network_policy(draft: &mut Draft, spec: NodeId) {
    let types: &[&str] = if draft.filled(spec, "egress") { &["Ingress", "Egress"] } else { &["Ingress"] };
    draft.default(spec, "policyTypes", Literal::Strings(types));
}

/// `SetDefaults_Subject`
fn subject(draft: &mut Draft, subject: NodeId) {
    if matches!(draft.str(subject, "kind"), "User" | "Group") {
        draft.default(subject, "apiGroup", Literal::Str("rbac.authorization.k8s.io"));
    }
}
