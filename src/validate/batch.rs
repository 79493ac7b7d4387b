//! The batch group: Jobs and CronJobs.
//!
//! `pkg/apis/batch/validation/validation.go`; what create fills in before: `pkg/registry/batch/job/strategy.go`
//! (Kubernetes 1.36).

use super::content::{NameRule, is_dns1123_label, is_qualified_name, is_valid_label_value};
use super::core::pod::validate_pod_template_spec;
use super::errors::{Errors, Shown};
use super::meta::{Selector, label_selector_json, nonnegative, validate_label_selector, validate_object_meta};
use super::networking::is_domain_prefixed_path;
use super::obj::Obj;
use super::pod_failure::{validate_pod_failure_policy, validate_success_policy};
use super::schedule::{validate_schedule_format, validate_time_zone};
use crate::model::path::Path;

/// Labels that the server adds to the template of a Job.
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];
const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

/// `ValidateJob`.
pub(super) fn validate_job(errs: &mut Errors, job: Obj) {
    let (metadata, spec) = (job.at("metadata"), job.at("spec"));
    validate_object_meta(errs, metadata, NameRule::Subdomain);
    if !spec.bool("manualSelector") {
        validate_generated_selector(errs, job);
    }
    validate_job_spec(errs, job, &Path::root("spec"));
    validate_indexed_name(errs, job);
}

/// `ValidateJob` of a job that is stored: its selector and labels may be those that the server made.
pub(super) fn validate_job_to_update(errs: &mut Errors, job: Obj) {
    validate_object_meta(errs, job.at("metadata"), NameRule::Subdomain);
    validate_job_spec_to_update(errs, job, &Path::root("spec"));
    validate_indexed_name(errs, job);
}

/// `ValidateJobSpec` of a job that is stored.
pub(super) fn validate_job_spec_to_update(errs: &mut Errors, job: Obj, path: &Path) {
    let spec = job.at("spec");
    let is_made = spec.at("selector").at("matchLabels").entry(UID_LABELS[1]).is_some();
    let generated = (!is_made && !spec.bool("manualSelector")).then(|| job.at("metadata").str("name"));
    validate_job_spec_of(errs, job, generated, path);
}

/// The last part of `ValidateJob`.
fn validate_indexed_name(errs: &mut Errors, job: Obj) {
    let (metadata, spec) = (job.at("metadata"), job.at("spec"));
    let completions = spec.int("completions");
    if spec.str("completionMode") == "Indexed" && completions > 0 {
        let name = metadata.str("name");
        let hostname = format!("{name}-{}", completions - 1);
        if !is_dns1123_label(&hostname).is_empty() {
            let detail = format!("will not able to create pod with invalid DNS label: {hostname}");
            errs.invalid(&Path::root("metadata.name"), name, &detail);
        }
    }
}

/// `validateGeneratedSelector`: labels that the user set must be those that the server would set.
fn validate_generated_selector(errs: &mut Errors, job: Obj) {
    let name = job.at("metadata").str("name");
    let labels = job.at("spec").at("template").at("metadata").at("labels");
    let path = Path::root("spec.template.metadata.labels");
    let order =
        [(UID_LABELS[0], None), (NAME_LABELS[0], Some(name)), (UID_LABELS[1], None), (NAME_LABELS[1], Some(name))];
    for (key, expected) in order {
        let Some(value) = labels.entry(key) else {
            continue;
        };
        if Some(value) != expected {
            let shown = Shown::Json(template_labels_json(job));
            errs.invalid(&path.key(key), shown, &format!("must be '{}'", expected.unwrap_or(UID)));
        }
    }
    let selector = job.at("spec").at("selector");
    if selector.has() && !Selector::new(selector).is_bad() && !selector_is_generated(selector, name) {
        let shown = Shown::Json(selector_json(selector));
        errs.invalid(&Path::root("spec.selector"), shown, "`selector` not auto-generated");
    }
}

/// Stands for the uid that the server makes up.
const UID: &str = "00000000-0000-0000-0000-000000000000";

/// Whether a selector that the user gave selects by nothing but generated labels.
fn selector_is_generated(selector: Obj, name: &str) -> bool {
    let labels = selector.map("matchLabels");
    let plain = labels.iter().all(|(key, value)| NAME_LABELS.contains(key) && value.text() == name);
    let expressions = selector.list("matchExpressions").all(|requirement| {
        let key = requirement.str("key");
        let known = NAME_LABELS.contains(&key) || UID_LABELS.contains(&key);
        let listed = NAME_LABELS.contains(&key) && requirement.strings("values").contains(&name);
        match requirement.str("operator") {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => known,
            _ => !known,
        }
    });
    plain && expressions
}

/// The selector after the server has added its label.
fn selector_json(selector: Obj) -> String {
    let text = super::errors::json_string;
    let mut labels: Vec<String> = selector
        .map("matchLabels")
        .iter()
        .map(|(key, value)| format!("{}:{}", text(key), text(value.text())))
        .collect();
    if selector.at("matchLabels").entry(UID_LABELS[1]).is_none() {
        labels.push(format!("\"{}\":\"{UID}\"", UID_LABELS[1]));
    }
    labels.sort();
    let all = label_selector_json(selector);
    let rest = all
        .find("\"matchExpressions\"")
        .and_then(|at| all.get(at..))
        .map_or_else(|| "}".to_owned(), |rest| format!(",{rest}"));
    format!("{{\"matchLabels\":{{{}}}{rest}", labels.join(","))
}

/// The labels of the template after the server has added its own.
fn template_labels_json(job: Obj) -> String {
    let name = job.at("metadata").str("name");
    let mut labels: std::collections::BTreeMap<&str, &str> = job
        .at("spec")
        .at("template")
        .at("metadata")
        .map("labels")
        .into_iter()
        .map(|(key, value)| (key, value.text()))
        .collect();
    for (keys, value) in [(NAME_LABELS, name), (UID_LABELS, UID)] {
        for key in keys {
            labels.entry(key).or_insert(value);
        }
    }
    let text = super::errors::json_string;
    let parts: Vec<String> = labels.iter().map(|(key, value)| format!("{}:{}", text(key), text(value))).collect();
    format!("{{{}}}", parts.join(","))
}

/// `ValidateJobSpec`: the common part, then the selector.
pub(super) fn validate_job_spec(errs: &mut Errors, job: Obj, path: &Path) {
    let generated = (!job.at("spec").bool("manualSelector")).then(|| job.at("metadata").str("name"));
    validate_job_spec_of(errs, job, generated, path);
}

fn validate_job_spec_of(errs: &mut Errors, job: Obj, generated: Option<&str>, path: &Path) {
    let spec = job.at("spec");
    validate_job_spec_common(errs, spec, generated, path);
    let selector = spec.at("selector");
    let at = path.child("selector");
    if !selector.has() && generated.is_none() {
        errs.required(&at, "");
    }
    validate_label_selector(errs, selector, &at);
    let labels = spec.at("template").at("metadata").at("labels");
    let read = Selector::new(selector);
    let fits = match generated {
        None => read.is_bad() || read.matches(labels),
        // The server adds its label to both sides.
        Some(name) => !selector.has() || read.is_bad() || generated_selector_fits(selector, labels, name),
    };
    if !fits {
        let shown = if generated.is_some() { Shown::Json(template_labels_json(job)) } else { labels.into() };
        let template = path.child("template");
        let metadata = template.child("metadata");
        errs.invalid(&metadata.child("labels"), shown, "`selector` does not match template `labels`");
    }
}

/// Whether a selector matches the template's labels together with those that the server adds.
fn generated_selector_fits(selector: Obj, labels: Obj, name: &str) -> bool {
    let value = |key: &str| {
        labels
            .entry(key)
            .or_else(|| NAME_LABELS.contains(&key).then_some(name))
            .or_else(|| UID_LABELS.contains(&key).then_some(UID))
    };
    let expressions = selector.list("matchExpressions").all(|requirement| {
        let found = value(requirement.str("key"));
        let listed = found.is_some_and(|value| requirement.strings("values").contains(&value));
        match requirement.str("operator") {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => found.is_some(),
            _ => found.is_none(),
        }
    });
    expressions && selector.map("matchLabels").iter().all(|(key, wanted)| value(key) == Some(wanted.text()))
}

/// `validateJobSpec`; `generated` is the name of the job whose labels the server adds.
fn validate_job_spec_common(errs: &mut Errors, spec: Obj, generated: Option<&str>, path: &Path) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        nonnegative(errs, spec, key, path);
    }
    if spec.at("maxFailedIndexes").has() && !spec.at("backoffLimitPerIndex").has() {
        errs.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    if let Some(controller) = spec.opt_str("managedBy") {
        let at = path.child("managedBy");
        is_domain_prefixed_path(errs, controller, &at);
        if controller.len() > 63 {
            errs.too_long(&at, 63);
        }
    }
    validate_completion_mode(errs, spec, path);
    if spec.at("podFailurePolicy").has() {
        validate_pod_failure_policy(errs, spec, &path.child("podFailurePolicy"));
    }
    if spec.at("successPolicy").has() {
        let at = path.child("successPolicy");
        if spec.str("completionMode") == "Indexed" {
            validate_success_policy(errs, spec, &at);
        } else {
            let shown = super::pod_failure::success_policy_json(spec.at("successPolicy"));
            errs.invalid(&at, Shown::Json(shown), "requires indexed completion mode");
        }
    }
    validate_pod_replacement_policy(errs, spec, &path.child("podReplacementPolicy"));
    let template = path.child("template");
    if let Some(name) = generated {
        validate_name_label(errs, spec, name, &template.child("labels"));
    }
    validate_pod_template_spec(errs, spec.at("template"), &template);
    validate_restart_policy(errs, spec, &template);
}

/// The name of a job becomes a label of its pods.
fn validate_name_label(errs: &mut Errors, spec: Obj, name: &str, path: &Path) {
    let labels = spec.at("template").at("metadata").at("labels");
    for key in NAME_LABELS.iter().rev().filter(|key| labels.entry(key).is_none()) {
        debug_assert!(is_qualified_name(key).is_empty());
        errs.invalid_each(path, name, &is_valid_label_value(name));
    }
}

fn validate_completion_mode(errs: &mut Errors, spec: Obj, path: &Path) {
    let mode = spec.opt_str("completionMode").unwrap_or("NonIndexed");
    if !["NonIndexed", "Indexed"].contains(&mode) {
        errs.not_supported(&path.child("completionMode"), Shown::Typed(mode), &["NonIndexed", "Indexed"]);
    }
    let (completions, failed) = (spec.opt_int("completions"), spec.opt_int("maxFailedIndexes"));
    let failed_path = path.child("maxFailedIndexes");
    if mode == "NonIndexed" {
        for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(value) = spec.opt_int(key) {
                errs.invalid(&path.child(key), value, "requires indexed completion mode");
            }
        }
    }
    if mode != "Indexed" {
        return;
    }
    let parallelism = spec.opt_int("parallelism").unwrap_or(1);
    if completions.is_none() {
        errs.required(&path.child("completions"), "when completion mode is Indexed");
    }
    if parallelism > 100_000 {
        let detail = "must be less than or equal to 100000 when completion mode is Indexed";
        errs.invalid(&path.child("parallelism"), parallelism, detail);
    }
    if let (Some(completions), Some(failed)) = (completions, failed)
        && failed > completions
    {
        errs.invalid(&failed_path, failed, "must be less than or equal to completions");
    }
    if let Some(failed) = failed.filter(|failed| *failed > 100_000) {
        errs.invalid(&failed_path, failed, "must be less than or equal to 100000");
    }
    if completions.is_some_and(|completions| completions > 100_000) && spec.at("backoffLimitPerIndex").has() {
        let text = "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index";
        if failed.is_none() {
            errs.required(&failed_path, "must be specified when completions is above 100000");
        }
        if parallelism > 10_000 {
            errs.invalid(&path.child("parallelism"), parallelism, text);
        }
        if let Some(failed) = failed.filter(|failed| *failed > 10_000) {
            errs.invalid(&failed_path, failed, text);
        }
    }
}

/// `validatePodReplacementPolicy`.
fn validate_pod_replacement_policy(errs: &mut Errors, spec: Obj, path: &Path) {
    let supported: &[&str] =
        if spec.at("podFailurePolicy").has() { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    if let Some(policy) = spec.opt_str("podReplacementPolicy").filter(|policy| !supported.contains(policy)) {
        errs.not_supported(path, Shown::Typed(policy), supported);
    }
}

/// A Job's pods may not restart always, which is the default.
fn validate_restart_policy(errs: &mut Errors, spec: Obj, template: &Path) {
    let pod = template.child("spec");
    let at = pod.child("restartPolicy");
    match spec.at("template").at("spec").str("restartPolicy") {
        "" | "Always" => errs.required(&at, "valid values: \"OnFailure\", \"Never\""),
        "Never" => {}
        "OnFailure" if spec.at("podFailurePolicy").has() => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            errs.invalid(&at, Shown::Typed("OnFailure"), detail);
        }
        "OnFailure" => {}
        policy => errs.not_supported(&at, Shown::Typed(policy), &["OnFailure", "Never"]),
    }
}

/// `ValidateCronJobCreate`.
pub(super) fn validate_cron_job_create(errs: &mut Errors, job: Obj) {
    let metadata = job.at("metadata");
    validate_object_meta(errs, metadata, NameRule::Subdomain);
    validate_cron_job_spec(errs, job.at("spec"), Obj::NONE, &Path::root("spec"));
    let name = metadata.str("name");
    if name.len() > 52 {
        errs.invalid(&Path::root("metadata.name"), name, "must be no more than 52 characters");
    }
}

/// `validateCronJobSpec`.
pub(super) fn validate_cron_job_spec(errs: &mut Errors, spec: Obj, old: Obj, path: &Path) {
    let schedule = spec.str("schedule");
    if schedule.is_empty() {
        errs.required(&path.child("schedule"), "");
    } else {
        let allow = old.str("schedule").contains("TZ");
        validate_schedule_format(errs, schedule, allow, spec.opt_str("timeZone"), &path.child("schedule"));
    }
    nonnegative(errs, spec, "startingDeadlineSeconds", path);
    if !old.has() || old.opt_str("timeZone") != spec.opt_str("timeZone") {
        validate_time_zone(errs, spec.opt_str("timeZone"), &path.child("timeZone"));
    }
    let policy = spec.str("concurrencyPolicy");
    if !["", "Allow", "Forbid", "Replace"].contains(&policy) {
        let at = path.child("concurrencyPolicy");
        errs.not_supported(&at, Shown::Typed(policy), &["Allow", "Forbid", "Replace"]);
    }
    validate_job_template_spec(errs, spec.at("jobTemplate").at("spec"), &path.child("jobTemplate"));
    nonnegative(errs, spec, "successfulJobsHistoryLimit", path);
    nonnegative(errs, spec, "failedJobsHistoryLimit", path);
}

/// `ValidateJobTemplateSpec`.
fn validate_job_template_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    let at = path.child("spec");
    validate_job_spec_common(errs, spec, None, &at);
    let selector = spec.at("selector");
    if selector.has() {
        let shown = Shown::Json(label_selector_json(selector));
        errs.invalid(&at.child("selector"), shown, "`selector` will be auto-generated");
    }
    if spec.bool("manualSelector") {
        errs.not_supported(&at.child("manualSelector"), true, &["nil", "false"]);
    }
}

/// A field of a Job as Go prints the internal type.
pub(super) fn internal_json(key: &str, value: Obj) -> String {
    match key {
        _ if !value.has() => "null".to_owned(),
        "podFailurePolicy" => super::pod_failure::pod_failure_policy_json(value),
        "successPolicy" => super::pod_failure::success_policy_json(value),
        _ => value.json(),
    }
}
