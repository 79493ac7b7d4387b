//! The rbac group.
//!
//! `pkg/apis/rbac/validation/validation.go` (Kubernetes 1.36).

use super::content::{NameRule, is_dns1123_subdomain, is_valid_path_segment_name};
use super::errors::{Errors, Shown};
use super::meta::{Selector, label_selector_json, validate_label_selector, validate_object_meta};
use super::obj::Obj;
use crate::model::path::Path;

const GROUP: &str = "rbac.authorization.k8s.io";

/// `ValidateRole`.
pub(super) fn validate_role(errs: &mut Errors, role: Obj) {
    validate_object_meta(errs, role.at("metadata"), NameRule::PathSegment);
    validate_rules(errs, role, true);
}

fn validate_rules(errs: &mut Errors, role: Obj, namespaced: bool) {
    let path = Path::root("rules");
    for (index, rule) in role.list("rules").enumerate() {
        validate_policy_rule(errs, rule, namespaced, &path.index(index));
    }
}

/// `ValidateClusterRole`.
pub(super) fn validate_cluster_role(errs: &mut Errors, role: Obj) {
    validate_object_meta(errs, role.at("metadata"), NameRule::PathSegment);
    validate_rules(errs, role, false);
    let aggregation = role.at("aggregationRule");
    let path = Path::root("aggregationRule.clusterRoleSelectors");
    if aggregation.has() && aggregation.len("clusterRoleSelectors") == 0 {
        let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        errs.required(&path, detail);
    }
    for (index, selector) in aggregation.list("clusterRoleSelectors").enumerate() {
        let at = path.index(index);
        validate_label_selector(errs, selector, &at);
        if Selector::new(selector).is_bad() {
            // Upstream shows the selector that could not be made.
            debug_assert!(!label_selector_json(selector).is_empty());
            errs.invalid(&at, Shown::Json("null".to_owned()), "invalid label selector.");
        }
    }
}

/// `ValidatePolicyRule`.
fn validate_policy_rule(errs: &mut Errors, rule: Obj, namespaced: bool, path: &Path) {
    if rule.len("verbs") == 0 {
        errs.required(&path.child("verbs"), "verbs must contain at least one value");
    }
    let at = path.child("nonResourceURLs");
    if rule.len("nonResourceURLs") > 0 {
        let urls = rule.at("nonResourceURLs");
        if namespaced {
            errs.invalid(&at, urls, "namespaced rules cannot apply to non-resource URLs");
        }
        if ["apiGroups", "resources", "resourceNames"].iter().any(|key| rule.len(key) > 0) {
            errs.invalid(&at, urls, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if rule.len("apiGroups") == 0 {
        errs.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
    }
    if rule.len("resources") == 0 {
        errs.required(&path.child("resources"), "resource rules must supply at least one resource");
    }
}

/// `ValidateRoleBinding`.
pub(super) fn validate_role_binding(errs: &mut Errors, binding: Obj) {
    validate_binding(errs, binding, true);
}

/// `ValidateClusterRoleBinding`.
pub(super) fn validate_cluster_role_binding(errs: &mut Errors, binding: Obj) {
    validate_binding(errs, binding, false);
}

fn validate_binding(errs: &mut Errors, binding: Obj, namespaced: bool) {
    validate_object_meta(errs, binding.at("metadata"), NameRule::PathSegment);
    let path = Path::root("roleRef");
    let reference = binding.at("roleRef");
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    let group = reference.str("apiGroup");
    if !["", GROUP].contains(&group) {
        errs.not_supported(&path.child("apiGroup"), group, &[GROUP]);
    }
    let kind = reference.str("kind");
    if !kinds.contains(&kind) {
        errs.not_supported(&path.child("kind"), kind, kinds);
    }
    let name = reference.str("name");
    if name.is_empty() {
        errs.required(&path.child("name"), "");
    } else {
        errs.invalid_each(&path.child("name"), name, &is_valid_path_segment_name(name));
    }
    let subjects = Path::root("subjects");
    for (index, subject) in binding.list("subjects").enumerate() {
        validate_role_binding_subject(errs, subject, namespaced, &subjects.index(index));
    }
}

/// `ValidateRoleBindingSubject`.
fn validate_role_binding_subject(errs: &mut Errors, subject: Obj, namespaced: bool, path: &Path) {
    let (name, group) = (subject.str("name"), subject.str("apiGroup"));
    if name.is_empty() {
        errs.required(&path.child("name"), "");
    }
    match subject.str("kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                errs.invalid_each(&path.child("name"), name, &is_dns1123_subdomain(name));
            }
            if !group.is_empty() {
                errs.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if !namespaced && subject.str("namespace").is_empty() {
                errs.required(&path.child("namespace"), "");
            }
        }
        // A missing group is filled in.
        "User" | "Group" => {
            if !["", GROUP].contains(&group) {
                errs.not_supported(&path.child("apiGroup"), group, &[GROUP]);
            }
        }
        kind => errs.not_supported(&path.child("kind"), kind, &["ServiceAccount", "User", "Group"]),
    }
}
