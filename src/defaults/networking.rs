//! Network policies and role bindings (`pkg/apis/networking/v1/defaults.go`, `pkg/apis/rbac/v1/defaults.go`).

use super::Rule;
use super::draft::{Draft, Literal};
use crate::yaml::NodeId;

pub(super) const RULES: &[(&str, Rule)] =
    &[("networking.v1.NetworkPolicySpec", network_policy), ("rbac.v1.Subject", subject)];

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
