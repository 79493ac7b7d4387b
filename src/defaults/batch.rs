//! Jobs (`pkg/apis/batch/v1/defaults.go`); a CronJob's job template gets its defaults when the job is made.

use super::Rule;
use super::draft::{Draft, Literal};
use crate::yaml::NodeId;

pub(super) const RULES: &[(&str, Rule)] = &[("batch.v1.Job", job)];

/// `SetDefaults_Job`
fn job(draft: &mut Draft, job: NodeId) {
    let Some(spec) = draft.get(job, "spec") else {
        return;
    };
    if !draft.has(spec, "completions") && !draft.has(spec, "parallelism") {
        draft.set(spec, "completions", Literal::Int(1));
    }
    draft.default(spec, "parallelism", Literal::Int(1));
    let backoff = if draft.has(spec, "backoffLimitPerIndex") { i64::from(i32::MAX) } else { 6 };
    draft.default(spec, "backoffLimit", Literal::Int(backoff));
    draft.default(spec, "completionMode", Literal::Str("NonIndexed"));
    draft.default(spec, "suspend", Literal::Bool(false));
    let replacement = if draft.has(spec, "podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    draft.default(spec, "podReplacementPolicy", Literal::Str(replacement));
    draft.default(spec, "manualSelector", Literal::Bool(false));
    if let Some(template) = draft.get(spec, "template") {
        super::core::labels_from(draft, job, template);
    }
}
