//! Jobs, and one run of a CronJob.

use super::pods::push;
use super::{Expansion, Input, Template, compile, with_labels};
use crate::yaml::View;

/// `min(parallelism, completions)` pods at once, none when suspended.
pub(super) fn expand(input: &Input<'_>, spec: Option<View<'_>>, template: &Template<'_>, out: &mut Expansion) {
    let number = |key: &str| spec.and_then(|spec| spec.get_int(key));
    let parallelism = number("parallelism").unwrap_or(1);
    let count = match number("completions") {
        Some(completions) => parallelism.min(completions),
        None => parallelism,
    };
    let suspended = spec.is_some_and(|spec| spec.get_bool("suspend")) && input.kind == "Job";
    let (pod, rejected) = compile(input, template);
    let labels = [("batch.kubernetes.io/job-name", input.name), ("job-name", input.name)];
    let pod = with_labels(pod, &labels);
    push(input, template, pod, rejected, if suspended { 0 } else { count }, None, out);
}
