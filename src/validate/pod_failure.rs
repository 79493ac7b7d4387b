//! Failure and success policies of Jobs.
//!
//! `pkg/apis/batch/validation/validation.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::errors::{Errors, Shown, quote};
use super::meta::{validate_nonnegative_field, validate_qualified_name};
use super::obj::Obj;
use crate::model::path::Path;

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];

/// `valid values: ["A" "B"]`.
fn valid_values(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

fn required_one_of(errs: &mut Errors, value: &str, values: &[&str], path: &Path) {
    if value.is_empty() {
        errs.required(path, &valid_values(values));
    } else if !values.contains(&value) {
        errs.not_supported(path, Shown::Typed(value), values);
    }
}

/// `validatePodFailurePolicy`.
pub(super) fn validate_pod_failure_policy(errs: &mut Errors, spec: Obj, path: &Path) {
    let policy = spec.at("podFailurePolicy");
    let rules = path.child("rules");
    if policy.len("rules") > 20 {
        errs.too_many(&rules, policy.len("rules"), 20);
    }
    let pod = spec.at("template").at("spec");
    let names: BTreeSet<&str> =
        pod.list("containers").chain(pod.list("initContainers")).map(|container| container.str("name")).collect();
    for (index, rule) in policy.list("rules").enumerate() {
        validate_pod_failure_policy_rule(errs, spec, rule, &names, &rules.index(index));
    }
}

/// `validatePodFailurePolicyRule`.
fn validate_pod_failure_policy_rule(errs: &mut Errors, spec: Obj, rule: Obj, names: &BTreeSet<&str>, path: &Path) {
    let action = rule.str("action");
    let at = path.child("action");
    if action == "FailIndex" {
        if !spec.at("backoffLimitPerIndex").has() {
            errs.invalid(&at, Shown::Typed(action), "requires the backoffLimitPerIndex to be set");
        }
    } else {
        required_one_of(errs, action, &ACTIONS, &at);
    }
    let codes = rule.at("onExitCodes");
    if codes.has() {
        validate_on_exit_codes(errs, codes, names, &path.child("onExitCodes"));
    }
    let conditions = rule.len("onPodConditions");
    if conditions > 0 {
        validate_on_pod_conditions(errs, rule, &path.child("onPodConditions"));
    }
    if codes.has() && conditions > 0 {
        errs.invalid(path, Shown::Omit, "specifying both OnExitCodes and OnPodConditions is not supported");
    }
    if !codes.has() && conditions == 0 {
        errs.invalid(path, Shown::Omit, "specifying one of OnExitCodes and OnPodConditions is required");
    }
}

/// `validatePodFailurePolicyRuleOnPodConditions`.
fn validate_on_pod_conditions(errs: &mut Errors, rule: Obj, path: &Path) {
    if rule.len("onPodConditions") > 20 {
        errs.too_many(path, rule.len("onPodConditions"), 20);
    }
    for (index, pattern) in rule.list("onPodConditions").enumerate() {
        let at = path.index(index);
        validate_qualified_name(errs, pattern.str("type"), &at.child("type"));
        let status = pattern.opt_str("status").unwrap_or("True");
        required_one_of(errs, status, &STATUSES, &at.child("status"));
    }
}

/// `validatePodFailurePolicyRuleOnExitCodes`.
fn validate_on_exit_codes(errs: &mut Errors, codes: Obj, names: &BTreeSet<&str>, path: &Path) {
    let operator = codes.str("operator");
    required_one_of(errs, operator, &OPERATORS, &path.child("operator"));
    if let Some(name) = codes.opt_str("containerName").filter(|name| !names.contains(name)) {
        let detail = "must be one of the container or initContainer names in the pod template";
        errs.invalid(&path.child("containerName"), name, detail);
    }
    let at = path.child("values");
    let values: Vec<i64> = codes.list("values").map(Obj::number).collect();
    if values.is_empty() {
        errs.invalid(&at, codes.at("values"), "at least one value is required");
    } else if values.len() > 255 {
        errs.too_many(&at, values.len(), 255);
    }
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        if operator == "In" && *value == 0 {
            errs.invalid(&at.index(index), *value, "must not be 0 for the In operator");
        }
        if !seen.insert(value) {
            errs.duplicate(&at.index(index), *value);
        }
    }
    if !values.is_sorted() {
        errs.invalid(&at, codes.at("values"), "must be ordered");
    }
}

/// `validateSuccessPolicy`.
pub(super) fn validate_success_policy(errs: &mut Errors, spec: Obj, path: &Path) {
    let policy = spec.at("successPolicy");
    let rules = path.child("rules");
    let count = policy.len("rules");
    if count == 0 {
        errs.required(&rules, "at least one rules must be specified when the successPolicy is specified");
    }
    if count > 20 {
        errs.too_many(&rules, count, 20);
    }
    let completions = spec.int("completions");
    for (index, rule) in policy.list("rules").enumerate() {
        validate_success_policy_rule(errs, rule, completions, &rules.index(index));
    }
}

/// `validateSuccessPolicyRule`.
fn validate_success_policy_rule(errs: &mut Errors, rule: Obj, completions: i64, path: &Path) {
    let (count, indexes) = (rule.opt_int("succeededCount"), rule.opt_str("succeededIndexes"));
    if count.is_none() && indexes.is_none() {
        errs.required(path, "at least one of succeededCount or succeededIndexes must be specified");
    }
    let mut total = 0;
    if let Some(indexes) = indexes {
        let at = path.child("succeededIndexes");
        if indexes.len() > 64 * 1024 {
            errs.too_long(&at, 64 * 1024);
        }
        match validate_indexes_format(indexes, completions) {
            Ok(number) => total = number,
            Err(message) => {
                errs.invalid(&at, indexes, &format!("error parsing succeededIndexes: {message}"));
            }
        }
    }
    let Some(count) = count else {
        return;
    };
    let at = path.child("succeededCount");
    validate_nonnegative_field(errs, count, &at);
    if count > completions {
        let detail = format!("must be less than or equal to {completions} (the number of specified completions)");
        errs.invalid(&at, count, &detail);
    }
    if indexes.is_some() && count > total {
        let detail = format!(
            "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        );
        errs.invalid(&at, count, &detail);
    }
}

/// `validateIndexesFormat`: the number of indexes in `1,3-5`.
fn validate_indexes_format(indexes: &str, completions: i64) -> Result<i64, String> {
    if indexes.is_empty() {
        return Ok(0);
    }
    let mut last: Option<i64> = None;
    let mut total = 0;
    for interval in indexes.split(',') {
        let (first, end) = parse_index_interval(interval, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(format!("non-increasing order, previous: {last}, current: {first}"));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

/// `parseIndexInterval`.
fn parse_index_interval(interval: &str, completions: i64) -> Result<(i64, i64), String> {
    let parts: Vec<&str> = interval.split('-').collect();
    let index = |text: &str| {
        let number: i64 =
            text.parse().map_err(|_| format!("cannot convert string to integer for index: {}", quote(text)))?;
        if number >= completions { Err(format!("too large index: {}", quote(text))) } else { Ok(number) }
    };
    match parts.as_slice() {
        [one] => index(one).map(|number| (number, number)),
        [first, last] => {
            let (first, last) = (index(first)?, index(last)?);
            if first >= last {
                return Err(format!("non-increasing order, previous: {first}, current: {last}"));
            }
            Ok((first, last))
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            quote(interval)
        )),
    }
}

/// The internal `SuccessPolicy` as Go prints it.
pub(super) fn success_policy_json(policy: Obj) -> String {
    let one = |rule: Obj| {
        format!(
            "{{\"SucceededIndexes\":{},\"SucceededCount\":{}}}",
            rule.at("succeededIndexes").json(),
            rule.at("succeededCount").json()
        )
    };
    let rules: Vec<String> = policy.list("rules").map(one).collect();
    let rules = if policy.at("rules").has() { format!("[{}]", rules.join(",")) } else { "null".to_owned() };
    format!("{{\"Rules\":{rules}}}")
}

/// The internal `PodFailurePolicy` as Go prints it.
pub(super) fn pod_failure_policy_json(policy: Obj) -> String {
    let text = super::errors::json_string;
    let codes = |codes: Obj| {
        format!(
            "{{\"ContainerName\":{},\"Operator\":{},\"Values\":{}}}",
            codes.at("containerName").json(),
            text(codes.str("operator")),
            codes.at("values").json()
        )
    };
    let pattern =
        |pattern: Obj| format!("{{\"Type\":{},\"Status\":{}}}", text(pattern.str("type")), text(pattern.str("status")));
    let one = |rule: Obj| {
        let exit = rule.at("onExitCodes");
        let exit = if exit.has() { codes(exit) } else { "null".to_owned() };
        let list: Vec<String> = rule.list("onPodConditions").map(pattern).collect();
        let list = if rule.at("onPodConditions").has() { format!("[{}]", list.join(",")) } else { "null".to_owned() };
        format!("{{\"Action\":{},\"OnExitCodes\":{exit},\"OnPodConditions\":{list}}}", text(rule.str("action")))
    };
    let rules: Vec<String> = policy.list("rules").map(one).collect();
    format!("{{\"Rules\":[{}]}}", rules.join(","))
}
