//! Resource quotas and limit ranges.
//!
//! `pkg/apis/core/validation/validation.go`, `pkg/apis/core/helper/helpers.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::content::{NameRule, is_qualified_name};
use super::super::errors::{Errors, Shown};
use super::super::meta::validate_object_meta;
use super::super::obj::Obj;
use super::resources::{
    is_overcommit_allowed, is_standard_quota_resource_name, quantity_json, validate_container_resource_name,
    validate_resource_name, validate_resource_quantity_value,
};
use crate::model::path::Path;
use crate::model::quantity::Quantity;

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "VolumeAttributesClass",
    "CrossNamespacePodAffinity",
];

/// `ValidateResourceQuota`.
pub(crate) fn validate_resource_quota(errs: &mut Errors, quota: Obj) {
    validate_object_meta(errs, quota.at("metadata"), NameRule::Subdomain);
    validate_resource_quota_spec(errs, quota.at("spec"), &Path::root("spec"));
}

/// `ValidateResourceQuotaSpec`.
pub(crate) fn validate_resource_quota_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    let hard = path.child("hard");
    for (name, value) in spec.map("hard") {
        let key = hard.key(name);
        validate_resource_quota_resource_name(errs, name, &key);
        validate_resource_quantity_value(errs, name, &value.quantity(), &key);
    }
    validate_resource_quota_scopes(errs, spec, &path.child("scopes"));
    validate_scope_selector(errs, spec, path);
}

/// `ValidateResourceQuotaResourceName`.
fn validate_resource_quota_resource_name(errs: &mut Errors, name: &str, path: &Path) {
    validate_resource_name(errs, name, path);
    if !name.contains('/') && !is_standard_quota_resource_name(name) {
        errs.invalid(path, Shown::Typed(name), "must be a standard resource for quota");
    }
}

/// `IsResourceQuotaScopeValidForResource`.
fn is_scope_valid(scope: &str, name: &str) -> bool {
    let compute = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
    match scope {
        "Terminating" | "NotTerminating" | "NotBestEffort" | "PriorityClass" | "CrossNamespacePodAffinity" => {
            name == "pods" || compute.contains(&name)
        }
        "BestEffort" => name == "pods",
        "VolumeAttributesClass" => name == "persistentvolumeclaims" || name == "requests.storage",
        _ => true,
    }
}

fn unfit<'a>(spec: Obj<'a>, scope: &str) -> Vec<&'a str> {
    let names = spec.map("hard").into_iter().map(|(name, _)| name);
    names.filter(|name| is_standard_quota_resource_name(name) && !is_scope_valid(scope, name)).collect()
}

const CONFLICTS: [(&str, &str); 2] = [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")];

/// `validateResourceQuotaScopes`.
fn validate_resource_quota_scopes(errs: &mut Errors, spec: Obj, path: &Path) {
    let scopes = spec.strings("scopes");
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            errs.invalid(path, spec.at("scopes"), "unsupported scope");
        }
        for _ in unfit(spec, scope) {
            errs.invalid(path, spec.at("scopes"), "unsupported scope applied to resource");
        }
    }
    for (one, other) in CONFLICTS {
        if scopes.contains(&one) && scopes.contains(&other) {
            errs.invalid(path, spec.at("scopes"), "conflicting scopes");
        }
    }
}

/// `validateScopeSelector`.
fn validate_scope_selector(errs: &mut Errors, spec: Obj, path: &Path) {
    let selector = spec.at("scopeSelector");
    let at = path.child("scopeSelector");
    let path = at.child("matchExpressions");
    let mut scopes = Vec::new();
    for requirement in selector.list("matchExpressions") {
        let (scope, operator) = (requirement.str("scopeName"), requirement.str("operator"));
        if !SCOPES.contains(&scope) {
            errs.invalid(&path.child("scopeName"), Shown::Typed(scope), "unsupported scope");
        }
        for _ in unfit(spec, scope) {
            errs.invalid(&path, Shown::Json(scope_selector_json(selector)), "unsupported scope applied to resource");
        }
        let plain = !["PriorityClass", "VolumeAttributesClass"].contains(&scope) && SCOPES.contains(&scope);
        if plain && operator != "Exists" {
            let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            errs.invalid(&path.child("operator"), Shown::Typed(operator), detail);
        }
        let values = path.child("values");
        match operator {
            "In" | "NotIn" if requirement.len("values") == 0 => {
                let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                errs.required(&values, detail);
            }
            "Exists" | "DoesNotExist" if requirement.len("values") > 0 => {
                let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                errs.invalid(&values, requirement.at("values"), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => errs.invalid(&path.child("operator"), Shown::Typed(operator), "not a valid selector operator"),
        }
        scopes.push(scope);
    }
    for (one, other) in CONFLICTS {
        if scopes.contains(&one) && scopes.contains(&other) {
            errs.invalid(&path, spec.at("scopes"), "conflicting scopes");
        }
    }
}

/// The internal `ScopeSelector` as Go prints it.
fn scope_selector_json(selector: Obj) -> String {
    let one = |requirement: Obj| {
        let text = |key: &str| super::super::errors::json_string(requirement.str(key));
        format!(
            "{{\"ScopeName\":{},\"Operator\":{},\"Values\":{}}}",
            text("scopeName"),
            text("operator"),
            requirement.at("values").json()
        )
    };
    let list: Vec<String> = selector.list("matchExpressions").map(one).collect();
    format!("{{\"MatchExpressions\":[{}]}}", list.join(","))
}

/// `ValidateLimitRange`.
pub(crate) fn validate_limit_range(errs: &mut Errors, range: Obj) {
    // `PrepareForCreate` gives a name to one without.
    let mut meta = Errors::new();
    validate_object_meta(&mut meta, range.at("metadata"), NameRule::Subdomain);
    meta.retain(|cause| !cause.message.ends_with("name or generateName is required"));
    errs.extend(meta);
    let path = Path::root("spec.limits");
    let mut kinds = BTreeSet::new();
    for (index, limit) in range.at("spec").list("limits").enumerate() {
        let at = path.index(index);
        let kind = limit.str("type");
        validate_limit_range_type_name(errs, kind, &at.child("type"));
        if !kinds.insert(kind) {
            errs.duplicate(&at.child("type"), Shown::Typed(kind));
        }
        validate_limit_names(errs, limit, kind, &at);
        for name in limit_names(limit, kind) {
            validate_limit_values(errs, &Limit::new(limit, kind, name), &at);
        }
    }
}

/// `validateLimitRangeTypeName`.
fn validate_limit_range_type_name(errs: &mut Errors, kind: &str, path: &Path) {
    let messages = is_qualified_name(kind);
    for message in &messages {
        errs.invalid(path, Shown::Typed(kind), message);
    }
    let standard = ["Pod", "Container", "PersistentVolumeClaim"].contains(&kind);
    if messages.is_empty() && !kind.contains('/') && !standard {
        errs.invalid(path, Shown::Typed(kind), "must be a standard limit type or fully qualified");
    }
}

fn lists(kind: &str) -> &'static [&'static str] {
    if kind == "Pod" {
        &["max", "min", "maxLimitRequestRatio"]
    } else {
        &["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"]
    }
}

/// The checks of names, in upstream's order.
fn validate_limit_names(errs: &mut Errors, limit: Obj, kind: &str, path: &Path) {
    for key in ["max", "min", "default", "defaultRequest", "", "maxLimitRequestRatio"] {
        if key.is_empty() {
            let storage = limit.at("min").at("storage").has() || limit.at("max").at("storage").has();
            if kind == "PersistentVolumeClaim" && !storage {
                let detail = "either minimum or maximum storage value is required, but neither was provided";
                errs.required(&path.child("limits"), detail);
            }
            continue;
        }
        let list = path.child(key);
        if kind == "Pod" && key.starts_with("default") {
            if limit.len(key) > 0 {
                errs.forbidden(&list, "may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        for (name, _) in limit.map(key) {
            if kind == "Pod" || kind == "Container" {
                validate_container_resource_name(errs, name, &list.key(name));
            } else {
                validate_resource_name(errs, name, &list.key(name));
            }
        }
    }
}

fn limit_names<'a>(limit: Obj<'a>, kind: &str) -> BTreeSet<&'a str> {
    lists(kind).iter().flat_map(|key| limit.map(key)).map(|(name, _)| name).collect()
}

/// The bounds of one resource.
struct Limit<'a> {
    name: &'a str,
    min: Option<Quantity>,
    max: Option<Quantity>,
    default: Option<Quantity>,
    request: Option<Quantity>,
    ratio: Option<Quantity>,
}

impl<'a> Limit<'a> {
    fn new(limit: Obj, kind: &str, name: &'a str) -> Limit<'a> {
        let value = |key: &str| {
            let value = limit.at(key).at(name);
            (lists(kind).contains(&key) && value.has()).then(|| value.quantity())
        };
        Limit {
            name,
            min: value("min"),
            max: value("max"),
            default: value("default"),
            request: value("defaultRequest"),
            ratio: value("maxLimitRequestRatio"),
        }
    }
}

fn validate_limit_values(errs: &mut Errors, limit: &Limit, path: &Path) {
    // Where, the smaller, the larger, which of them is shown, and the words.
    let (min, max, default, request) = (&limit.min, &limit.max, &limit.default, &limit.request);
    let rules = [
        ("min", min, max, min, "min value", "max value"),
        ("defaultRequest", min, request, request, "min value", "default request value"),
        ("defaultRequest", request, max, request, "default request value", "max value"),
        ("defaultRequest", request, default, request, "default request value", "default limit value"),
        ("default", min, default, min, "min value", "default value"),
        ("default", default, max, max, "default value", "max value"),
    ];
    for (key, small, large, shown, small_name, large_name) in rules {
        if let (Some(small), Some(large), Some(shown)) = (small, large, shown)
            && small > large
        {
            let detail =
                format!("{small_name} {} is greater than {large_name} {}", small.canonical(), large.canonical());
            let list = path.child(key);
            errs.invalid(&list.key(limit.name), quantity_json(shown), &detail);
        }
    }
    validate_ratio(errs, limit, &path.child("maxLimitRequestRatio"));
    if let (Some(default), Some(request)) = (default, request)
        && !is_overcommit_allowed(limit.name)
        && default != request
    {
        let detail = format!(
            "default value {} must equal to defaultRequest value {} in {}",
            default.canonical(),
            request.canonical(),
            limit.name
        );
        let list = path.child("defaultRequest");
        errs.invalid(&list.key(limit.name), quantity_json(request), &detail);
    }
}

fn validate_ratio(errs: &mut Errors, limit: &Limit, path: &Path) {
    let Some(ratio) = &limit.ratio else {
        return;
    };
    let at = path.key(limit.name);
    if ratio.cmp_i64(1).is_lt() {
        errs.invalid(&at, quantity_json(ratio), &format!("ratio {} is less than 1", ratio.canonical()));
    }
    if let (Some(min), Some(max)) = (&limit.min, &limit.max) {
        // `MaxMilliValue`: above it thousandths do not fit.
        let small = [ratio, min, max].iter().all(|value| value.value() < i64::MAX / 1000);
        let (own, low, high) = if small {
            (ratio.milli_value() as f64 / 1000.0, min.milli_value(), max.milli_value())
        } else {
            (ratio.value() as f64, min.value(), max.value())
        };
        let most = high as f64 / low as f64;
        if own > most {
            let detail = format!("ratio {} is greater than max/min = {most:.6}", ratio.canonical());
            errs.invalid(&at, quantity_json(ratio), &detail);
        }
    }
}
