//! Jobs, and one run of a CronJob.

use super::pods::push;
use super::{Expansion, Input, Present, Template, compile, with_labels};
use crate::yaml::View;

/// `min(parallelism, completions)` pods at once, none when suspended.
pub(super) fn expand(input: &Input<'_>, spec: Option<View<'_>>, template: &Template<'_>, out: &mut Expansion) {
    let number = |key: &str| spec.and_then(|spec| spec.get_int(key));
    let parallelism = number("parallelism").unwrap_or(1);
    let live = input.live_view().filter(|_| input.kind == "Job");
    let succeeded = live.and_then(|job| job.at(&["status", "succeeded"])).and_then(View::int).unwrap_or(0);
    let count = match number("completions") {
        Some(completions) => parallelism.min(completions.saturating_sub(succeeded).max(0)),
        None => parallelism,
    };
    let suspended = spec.is_some_and(|spec| spec.get_bool("suspend")) && input.kind == "Job";
    let count = if suspended || has_ended(input) { 0 } else { count };
    let (pod, rejected) = compile(input, template, None);
    let labels = [("batch.kubernetes.io/job-name", input.name), ("job-name", input.name)];
    let pod = with_labels(pod, &labels);
    // The pods of earlier runs of a CronJob are others than those of the next one.
    let present = if input.kind == "Job" { input.present() } else { Present::default() };
    push(input, template, (pod, rejected), present, count, None, out);
}

/// Whether the Job is in the cluster and has run to its end. One run of a CronJob is always to come.
fn has_ended(input: &Input<'_>) -> bool {
    let conditions = input.live_view().and_then(|job| job.get("status")).filter(|_| input.kind == "Job");
    conditions.into_iter().flat_map(|status| status.list("conditions")).any(|condition| {
        matches!(condition.get_str("type"), Some("Complete" | "Failed")) && condition.get_str("status") == Some("True")
    })
}
