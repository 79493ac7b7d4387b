//! Workloads (`pkg/apis/apps/v1/defaults.go`, `conversion.go`).

use super::draft::{Draft, Literal};
use crate::yaml::NodeId;

pub(super) fn fill(name: &str, draft: &mut Draft, node: NodeId) {
    match name {
        "v1.DeploymentStrategy" => {
            rolling(draft, node, &[("maxUnavailable", Literal::Str("25%")), ("maxSurge", Literal::Str("25%"))]);
        }
        "v1.DaemonSetUpdateStrategy" => {
            rolling(draft, node, &[("maxUnavailable", Literal::Int(1)), ("maxSurge", Literal::Int(0))]);
        }
        "v1.StatefulSetUpdateStrategy" => stateful_set_strategy(draft, node),
        _ => {}
    }
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
