//! Object metadata, labels and label selectors.
//!
//! apimachinery `pkg/api/validation/objectmeta.go` and `pkg/apis/meta/v1/validation/validation.go`; finalizers:
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use super::content::{self, NameRule, is_qualified_name, is_valid_label_value};
use super::errors::{Errors, json_string};
use super::obj::Obj;
use crate::model::path::Path;

const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// `ValidateNonnegativeField`.
pub(super) fn validate_nonnegative_field(errs: &mut Errors, value: i64, path: &Path) {
    if value < 0 {
        errs.invalid(path, value, "must be greater than or equal to 0");
    }
}

/// `ValidateNonnegativeField` of a field that may be missing.
pub(super) fn nonnegative(errs: &mut Errors, parent: Obj, key: &str, path: &Path) {
    validate_nonnegative_field(errs, parent.int(key), &path.child(key));
}

/// `ValidateImmutableField` for a value that prints as plain JSON.
pub(super) fn validate_immutable_field(errs: &mut Errors, new: Obj, old: Obj, path: &Path) {
    if !new.same(old) {
        errs.invalid(path, new, "field is immutable");
    }
}

/// `ValidateDNS1123Label`.
pub(super) fn validate_dns1123_label(errs: &mut Errors, value: &str, path: &Path) {
    errs.invalid_each(path, value, &content::is_dns1123_label(value));
}

/// `ValidateDNS1123Subdomain`.
pub(super) fn validate_dns1123_subdomain(errs: &mut Errors, value: &str, path: &Path) {
    errs.invalid_each(path, value, &content::is_dns1123_subdomain(value));
}

/// `ValidateQualifiedName`, and `ValidateLabelName` which is the same.
pub(super) fn validate_qualified_name(errs: &mut Errors, value: &str, path: &Path) {
    errs.invalid_each(path, value, &is_qualified_name(value));
}

/// `ValidateLabels`.
pub(super) fn validate_labels(errs: &mut Errors, labels: Obj, path: &Path) {
    for (key, value) in labels.entries() {
        validate_qualified_name(errs, key, path);
        errs.invalid_each(path, value.text(), &is_valid_label_value(value.text()));
    }
}

/// `ValidateAnnotations`.
pub(super) fn validate_annotations(errs: &mut Errors, annotations: Obj, path: &Path) {
    let mut size = 0;
    for (key, value) in annotations.entries() {
        errs.invalid_each(path, key, &is_qualified_name(&key.to_lowercase()));
        size += key.len() + value.text().len();
    }
    if size > ANNOTATIONS_LIMIT {
        errs.too_long(path, ANNOTATIONS_LIMIT);
    }
}

/// `ValidateObjectMeta` of core: the generic checks, and finalizers that must have a domain.
pub(super) fn validate_object_meta(errs: &mut Errors, meta: Obj, rule: NameRule) {
    let path = Path::root("metadata");
    validate_object_meta_accessor(errs, meta, rule, &path);
    validate_kube_finalizers(errs, meta, &path);
}

fn validate_kube_finalizers(errs: &mut Errors, meta: Obj, path: &Path) {
    let finalizers = path.child("finalizers");
    for (index, finalizer) in meta.list("finalizers").enumerate() {
        validate_kube_finalizer_name(errs, finalizer.text(), &finalizers.index(index));
    }
}

/// `ValidateObjectMetaAccessor`. The namespace is not checked: the server has refused a bad one before
/// (namespace not found), and clears it on cluster-scoped kinds.
pub(super) fn validate_object_meta_accessor(errs: &mut Errors, meta: Obj, rule: NameRule, path: &Path) {
    let generate = meta.str("generateName");
    if !generate.is_empty() {
        errs.invalid_each(&path.child("generateName"), generate, &content::name_messages(rule, generate, true));
    }
    let generated;
    let name = match meta.str("name") {
        // The server makes the name before it validates.
        "" if !generate.is_empty() => {
            generated = format!("{generate}xxxxx");
            generated.as_str()
        }
        name => name,
    };
    if name.is_empty() {
        errs.required(&path.child("name"), "name or generateName is required");
    } else {
        errs.invalid_each(&path.child("name"), name, &content::name_messages(rule, name, false));
    }
    validate_meta_common(errs, meta, path);
}

/// `validateObjectMetaAccessorWithOptsCommon`.
fn validate_meta_common(errs: &mut Errors, meta: Obj, path: &Path) {
    nonnegative(errs, meta, "generation", path);
    validate_labels(errs, meta.at("labels"), &path.child("labels"));
    validate_annotations(errs, meta.at("annotations"), &path.child("annotations"));
    validate_owner_references(errs, meta, &path.child("ownerReferences"));
    validate_finalizers(errs, meta, &path.child("finalizers"));
}

/// `ValidateObjectMetaUpdate` of core: the generic checks, and finalizers that must have a domain.
pub(super) fn validate_object_meta_update(errs: &mut Errors, new: Obj, old: Obj) {
    let (meta, path) = (new.at("metadata"), Path::root("metadata"));
    validate_object_meta_accessor_update(errs, meta, old.at("metadata"), &path);
    validate_kube_finalizers(errs, meta, &path);
}

/// `ValidateObjectMetaAccessorUpdate`; name, namespace and uid do not change, because the update is one of the same
/// object, and the server keeps the generation and the times of the old one.
pub(super) fn validate_object_meta_accessor_update(errs: &mut Errors, new: Obj, old: Obj, path: &Path) {
    let (time, grace) = ("deletionTimestamp", "deletionGracePeriodSeconds");
    if new.at(time).has() && !old.at(time).has() {
        errs.invalid(&path.child(time), new.at(time), "field is immutable");
    }
    if new.at(grace).has() && !new.at(grace).same(old.at(grace)) {
        errs.invalid(&path.child(grace), new.at(grace), "field is immutable");
    }
    validate_labels(errs, new.at("labels"), &path.child("labels"));
    validate_annotations(errs, new.at("annotations"), &path.child("annotations"));
    validate_owner_references(errs, new, &path.child("ownerReferences"));
}

/// `ValidateOwnerReferences`.
fn validate_owner_references(errs: &mut Errors, meta: Obj, path: &Path) {
    let mut first = String::new();
    for reference in owner_references(meta) {
        validate_owner_reference(errs, reference, path);
        if !reference.bool("controller") {
            continue;
        }
        let current = format!("{}/{}", reference.str("kind"), reference.str("name"));
        if first.is_empty() {
            first = current;
        } else {
            let detail = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {current}"
            );
            errs.invalid(path, super::errors::Shown::Json(owner_references_json(meta)), &detail);
        }
    }
}

/// The references as the server keeps them: equal ones once (`dedupOwnerReferences` in apiserver
/// `pkg/endpoints/handlers/rest.go`).
fn owner_references<'a>(meta: Obj<'a>) -> Vec<Obj<'a>> {
    let mut kept: Vec<Obj> = Vec::new();
    for reference in meta.list("ownerReferences") {
        if !kept.iter().any(|known| known.same(reference)) {
            kept.push(reference);
        }
    }
    kept
}

/// The uids of references that stand twice.
pub(super) fn repeated_owners<'a>(meta: Obj<'a>) -> Vec<&'a str> {
    let references: Vec<Obj> = meta.list("ownerReferences").collect();
    let repeated = references
        .iter()
        .enumerate()
        .filter(|(index, reference)| references.iter().take(*index).any(|known| known.same(**reference)));
    repeated.map(|(_, reference)| reference.str("uid")).collect()
}

fn owner_references_json(meta: Obj) -> String {
    let one = |reference: Obj| {
        let mut fields: Vec<String> = ["apiVersion", "kind", "name", "uid"]
            .iter()
            .map(|key| format!("\"{key}\":{}", json_string(reference.str(key))))
            .collect();
        for key in ["controller", "blockOwnerDeletion"] {
            fields.extend(reference.opt_bool(key).map(|value| format!("\"{key}\":{value}")));
        }
        format!("{{{}}}", fields.join(","))
    };
    format!("[{}]", owner_references(meta).into_iter().map(one).collect::<Vec<_>>().join(","))
}

/// `validateOwnerReference`.
fn validate_owner_reference(errs: &mut Errors, reference: Obj, path: &Path) {
    let api_version = reference.str("apiVersion");
    if api_version.is_empty() || api_version.ends_with('/') || api_version.matches('/').count() > 1 {
        errs.invalid(&path.child("apiVersion"), api_version, "version must not be empty");
    }
    for key in ["kind", "name", "uid"] {
        let value = reference.str(key);
        if value.is_empty() {
            errs.invalid(&path.child(key), value, "must not be empty");
        }
    }
    if api_version == "v1" && reference.str("kind") == "Event" {
        errs.invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner");
    }
}

/// `ValidateFinalizers`.
fn validate_finalizers(errs: &mut Errors, meta: Obj, path: &Path) {
    let finalizers = meta.strings("finalizers");
    for finalizer in &finalizers {
        validate_qualified_name(errs, finalizer, path);
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errs.invalid(path, meta.at("finalizers"), detail);
    }
}

/// `validateKubeFinalizerName`.
pub(super) fn validate_kube_finalizer_name(errs: &mut Errors, name: &str, path: &Path) {
    if !name.contains('/') && !["kubernetes", "orphan", "foregroundDeletion"].contains(&name) {
        errs.invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

/// `ValidateTemplateObjectMeta`: only labels and annotations may be set.
pub(super) fn validate_template_object_meta(errs: &mut Errors, meta: Obj, path: &Path) {
    validate_annotations(errs, meta.at("annotations"), &path.child("annotations"));
    validate_labels(errs, meta.at("labels"), &path.child("labels"));
    let fields = [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ];
    for key in fields {
        // Upstream lowers the first letter of the Go name `UID`.
        let name = if key == "uid" { "uID" } else { key };
        let value = meta.at(key);
        if value.has() && !value.same(Obj::NONE) && value.0.and_then(crate::yaml::View::int) != Some(0) {
            errs.forbidden(&path.child(name), "cannot be set");
        }
    }
}

/// `ValidateLabelSelector`.
pub(super) fn validate_label_selector(errs: &mut Errors, selector: Obj, path: &Path) {
    validate_labels(errs, selector.at("matchLabels"), &path.child("matchLabels"));
    let expressions = path.child("matchExpressions");
    for (index, requirement) in selector.list("matchExpressions").enumerate() {
        validate_label_selector_requirement(errs, requirement, &expressions.index(index));
    }
}

/// `ValidateLabelSelectorRequirement`.
fn validate_label_selector_requirement(errs: &mut Errors, requirement: Obj, path: &Path) {
    let operator = requirement.str("operator");
    let values = path.child("values");
    match operator {
        "In" | "NotIn" if requirement.len("values") == 0 => {
            errs.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if requirement.len("values") > 0 => {
            errs.forbidden(&values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errs.invalid(
            &path.child("operator"),
            super::errors::Shown::Typed(operator),
            "not a valid selector operator",
        ),
    }
    validate_qualified_name(errs, requirement.str("key"), &path.child("key"));
    for (index, value) in requirement.strings("values").into_iter().enumerate() {
        errs.invalid_each(&values.index(index), value, &is_valid_label_value(value));
    }
}

/// How `LabelSelectorAsSelector` reads a selector (apimachinery `pkg/apis/meta/v1/helpers.go`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Selector<'a> {
    /// It cannot be read.
    Bad,
    /// Missing: matches nothing, yet is not empty.
    Nothing,
    Some(Obj<'a>),
}

impl<'a> Selector<'a> {
    pub(super) fn new(selector: Obj<'a>) -> Selector<'a> {
        if !selector.has() {
            return Selector::Nothing;
        }
        let label_ok = |(key, value): &(&str, Obj)| {
            is_qualified_name(key).is_empty() && is_valid_label_value(value.text()).is_empty()
        };
        let requirement_ok = |requirement: Obj| {
            let values = requirement.strings("values");
            let count_ok = match requirement.str("operator") {
                "In" | "NotIn" => !values.is_empty(),
                "Exists" | "DoesNotExist" => values.is_empty(),
                _ => false,
            };
            count_ok
                && is_qualified_name(requirement.str("key")).is_empty()
                && values.iter().all(|value| is_valid_label_value(value).is_empty())
        };
        let ok =
            selector.map("matchLabels").iter().all(label_ok) && selector.list("matchExpressions").all(requirement_ok);
        if ok { Selector::Some(selector) } else { Selector::Bad }
    }

    pub(super) fn is_bad(self) -> bool {
        matches!(self, Selector::Bad)
    }

    /// Whether it has no requirement at all.
    pub(super) fn is_empty(self) -> bool {
        matches!(self, Selector::Some(selector) if is_empty_selector(selector))
    }

    pub(super) fn matches(self, labels: Obj) -> bool {
        let Selector::Some(selector) = self else {
            return false;
        };
        let equal = |(key, value): (&str, Obj)| labels.entry(key) == Some(value.text());
        let holds = |requirement: Obj| {
            let found = labels.entry(requirement.str("key"));
            let listed = || found.is_some_and(|value| requirement.strings("values").contains(&value));
            match requirement.str("operator") {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => found.is_some(),
                _ => found.is_none(),
            }
        };
        selector.map("matchLabels").into_iter().all(equal) && selector.list("matchExpressions").all(holds)
    }
}

/// Whether a selector selects by nothing.
pub(super) fn is_empty_selector(selector: Obj) -> bool {
    selector.len("matchLabels") + selector.len("matchExpressions") == 0
}

/// A `metav1.LabelSelector` as Go prints it: fields in the order of the struct.
pub(super) fn label_selector_json(selector: Obj) -> String {
    let mut parts = Vec::new();
    if selector.len("matchLabels") > 0 {
        parts.push(format!("\"matchLabels\":{}", selector.at("matchLabels").json()));
    }
    if selector.len("matchExpressions") > 0 {
        let one = |requirement: Obj| {
            let mut text = format!(
                "{{\"key\":{},\"operator\":{}",
                json_string(requirement.str("key")),
                json_string(requirement.str("operator"))
            );
            if requirement.len("values") > 0 {
                text.push_str(&format!(",\"values\":{}", requirement.at("values").json()));
            }
            text + "}"
        };
        let list: Vec<String> = selector.list("matchExpressions").map(one).collect();
        parts.push(format!("\"matchExpressions\":[{}]", list.join(",")));
    }
    if selector.has() { format!("{{{}}}", parts.join(",")) } else { "null".to_owned() }
}
