//! Horizontal pod autoscalers (`pkg/apis/autoscaling/v2/defaults.go`, `v1/conversion.go`).

use super::Rule;
use super::draft::{Draft, Literal};
use crate::yaml::NodeId;

/// Average CPU use in percent of the request when no metric is given.
const CPU_UTILIZATION: i64 = 80;

pub(super) const RULES: &[(&str, Rule)] = &[
    ("autoscaling.v1.HorizontalPodAutoscaler", utilization),
    ("autoscaling.v2.HorizontalPodAutoscalerBehavior", behavior),
    ("autoscaling.v2.HorizontalPodAutoscalerSpec", metrics),
];

fn behavior(draft: &mut Draft, behavior: NodeId) {
    rules(draft, behavior, "scaleUp", Some(0), &[("Pods", 4), ("Percent", 100)]);
    rules(draft, behavior, "scaleDown", None, &[("Percent", 100)]);
}

/// `autoscaling/v1` keeps other metrics in an annotation.
fn utilization(draft: &mut Draft, object: NodeId) {
    let annotated = draft.view(object).at(&["metadata", "annotations", "autoscaling.alpha.kubernetes.io/metrics"]);
    let annotated = annotated.is_some();
    if let Some(spec) = draft.get(object, "spec")
        && !annotated
    {
        draft.default(spec, "targetCPUUtilizationPercentage", Literal::Int(CPU_UTILIZATION));
    }
}

/// `SetDefaults_HorizontalPodAutoscaler`
fn metrics(draft: &mut Draft, spec: NodeId) {
    if draft.filled(spec, "metrics") {
        return;
    }
    for metric in draft.set_list_of_maps(spec, "metrics", 1) {
        draft.set(metric, "type", Literal::Str("Resource"));
        let resource = draft.child(metric, "resource");
        draft.set(resource, "name", Literal::Str("cpu"));
        let target = draft.child(resource, "target");
        draft.set(target, "type", Literal::Str("Utilization"));
        draft.set(target, "averageUtilization", Literal::Int(CPU_UTILIZATION));
    }
}

/// `GenerateHPAScaleUpRules`, `GenerateHPAScaleDownRules`: holds where a behavior is given at all.
fn rules(draft: &mut Draft, behavior: NodeId, key: &str, window: Option<i64>, policies: &[(&str, i64)]) {
    let rules = draft.child(behavior, key);
    if let Some(window) = window {
        draft.default(rules, "stabilizationWindowSeconds", Literal::Int(window));
    }
    draft.default(rules, "selectPolicy", Literal::Str("Max"));
    if draft.has(rules, "policies") {
        return;
    }
    let made = draft.set_list_of_maps(rules, "policies", policies.len());
    for (policy, (type_, value)) in made.into_iter().zip(policies) {
        draft.set(policy, "type", Literal::Str(type_));
        draft.set(policy, "value", Literal::Int(*value));
        draft.set(policy, "periodSeconds", Literal::Int(15));
    }
}
