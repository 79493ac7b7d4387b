//! HorizontalPodAutoscalers: how many replicas their targets have.

use super::ByTarget;
use crate::model::Bundle;
use crate::yaml::View;

/// The range of an autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    pub min: i64,
    pub max: i64,
}

impl Scale {
    /// The replicas that the controller leaves: those written, held within the range; the minimum where none
    /// are.
    pub fn clamp(self, replicas: Option<i64>) -> i64 {
        replicas.unwrap_or(self.min).max(self.min).min(self.max.max(self.min))
    }
}

/// The autoscalers of a set by target.
pub(super) fn scales(bundle: &Bundle) -> ByTarget {
    let mut out = ByTarget::new();
    for (id, object) in bundle.iter().filter(|(_, object)| object.kind == "HorizontalPodAutoscaler") {
        let Some(spec) = bundle.full(id).get("spec") else {
            continue;
        };
        let target = |key: &str| spec.at(&["scaleTargetRef", key]).and_then(View::str).unwrap_or("").to_owned();
        let scale =
            Scale { min: spec.get_int("minReplicas").unwrap_or(1), max: spec.get_int("maxReplicas").unwrap_or(1) };
        let namespace = object.namespace.clone().unwrap_or_default();
        out.insert((namespace, target("kind"), target("name")), scale);
    }
    out
}
