//! The storage group: StorageClasses.
//!
//! `pkg/apis/storage/validation/validation.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::content::NameRule;
use super::errors::Errors;
use super::meta::{validate_object_meta, validate_qualified_name};
use super::obj::Obj;
use crate::model::path::Path;

/// `ValidateStorageClass`.
pub(super) fn validate_storage_class(errs: &mut Errors, class: Obj) {
    validate_object_meta(errs, class.at("metadata"), NameRule::Subdomain);
    let path = Path::root("provisioner");
    let provisioner = class.str("provisioner");
    if provisioner.is_empty() {
        errs.required(&path, "");
    } else {
        validate_qualified_name(errs, &provisioner.to_lowercase(), &path);
    }
    validate_parameters(errs, class.at("parameters"), &Path::root("parameters"));
    for (key, supported) in
        [("reclaimPolicy", ["Delete", "Retain"]), ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"])]
    {
        let value = class.str(key);
        let blank = value.is_empty() && (key == "reclaimPolicy" || !class.at(key).has());
        if !blank && !supported.contains(&value) {
            errs.not_supported(&Path::root(key), super::errors::Shown::Typed(value), &supported);
        }
    }
    validate_allowed_topologies(errs, class, &Path::root("allowedTopologies"));
}

/// `validateParameters`.
fn validate_parameters(errs: &mut Errors, parameters: Obj, path: &Path) {
    let entries = parameters.entries();
    if entries.len() > 512 {
        errs.too_long(path, 512);
        return;
    }
    let mut size = 0;
    for (key, value) in entries {
        if key.is_empty() {
            errs.invalid(path, key, "field can not be empty.");
        }
        size += key.len() + value.text().len();
    }
    if size > 256 << 10 {
        errs.too_long(path, 256 << 10);
    }
}

/// `validateAllowedTopologies`, `ValidateTopologySelectorTerm` and `validateTopologySelectorLabelRequirement`.
fn validate_allowed_topologies(errs: &mut Errors, class: Obj, path: &Path) {
    let mut terms = BTreeSet::new();
    for (index, term) in class.list("allowedTopologies").enumerate() {
        let at = path.index(index);
        let list = at.child("matchLabelExpressions");
        let mut seen = std::collections::BTreeMap::new();
        for (place, requirement) in term.list("matchLabelExpressions").enumerate() {
            let item = list.index(place);
            let values_path = item.child("values");
            let values = requirement.strings("values");
            if values.is_empty() {
                errs.required(&values_path, "");
            }
            let mut set = BTreeSet::new();
            for (number, value) in values.into_iter().enumerate() {
                if !set.insert(value) {
                    errs.duplicate(&values_path.index(number), value);
                }
            }
            let key = requirement.str("key");
            validate_qualified_name(errs, key, &item.child("key"));
            if seen.insert(key, set).is_some() {
                errs.duplicate(&item.child("key"), key);
            }
        }
        // Upstream compares with empty maps for each term too.
        let empty = seen.is_empty();
        let again = usize::from(terms.contains(&seen)) + if empty { class.len("allowedTopologies") } else { 0 };
        for _ in 0..again {
            errs.duplicate(&list, "");
        }
        terms.insert(seen);
    }
}
