//! Workloads (`pkg/apis/apps/v1/defaults.go`, `conversion.go`).

use super::Rule;
use super::draft::{Draft, Literal};
use crate::yaml::NodeId;

pub(super) const RULES: &[(&str, Rule)] = &[
    ("apps.v1.DaemonSetUpdateStrategy", daemon_set_strategy),
    ("apps.v1.DeploymentStrategy", deployment_strategy),
    ("apps.v1.StatefulSetUpdateStrategy", stateful_set_strategy),
];

fn deployment_strategy(draft: &mut Draft, strategy: NodeId) {
    rolling(draft, strategy, &[("maxUnavailable", Literal::Str("25%")), ("maxSurge", Literal::Str("25%"))]);
}

fn daemon_set_strategy(draft: &mut Draft, strategy: NodeId) {
    rolling(draft, strategy, &[("maxUnavailable", Literal::Int(1)), ("maxSurge", Literal::Int(0))]);
}

/// `SetDefaults_Deployment`, `SetDefaults_DaemonSet`
fn rolling(draft: &mut Draft, strategy: NodeId, defaults: &[(&str, Literal<'_>)]) {
    draft.default(strategy, "type", Literal::Str("RollingUpdate"));
    if draft.str(strategy, "type") == "RollingUpdate" {
        let rolling = draft.child(strategy, "rollingUpdate");
        for (field, value) in defaults {
            draft.default(rolling, field, *value);
        }
    }
}

/// `SetDefaults_StatefulSet`: a type that is given alone gets no parameters.
fn stateful_set_strategy(draft: &mut Draft, strategy: NodeId) {
    if !draft.has(strategy, "type") {
        draft.set(strategy, "type", Literal::Str("RollingUpdate"));
        draft.child(strategy, "rollingUpdate");
    }
    if draft.str(strategy, "type") == "RollingUpdate"
        && let Some(rolling) = draft.get(strategy, "rollingUpdate")
    {
        draft.default(rolling, "partition", Literal::Int(0));
    }
}

/// The claims of a StatefulSet are whole objects, with kind and status.
pub(super) fn claim_templates(draft: &mut Draft, root: NodeId) {
    let Some(spec) = draft.get(root, "spec") else {
        return;
    };
    for claim in draft.list(spec, "volumeClaimTemplates") {
        draft.set(claim, "apiVersion", Literal::Str("v1"));
        draft.set(claim, "kind", Literal::Str("PersistentVolumeClaim"));
        let status = draft.child(claim, "status");
        draft.default(status, "phase", Literal::Str("Pending"));
    }
}
