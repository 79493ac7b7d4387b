//! Projected volumes.
//!
//! `validateProjectionSources` in `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::errors::Errors;
use super::super::obj::Obj;
use super::plugin::required;
use super::volume::{validate_downward_api_volume_file, validate_key_to_path, validate_local_non_reserved_path};
use crate::model::path::Path;

/// `validateProjectionSources`; clusterTrustBundle and podCertificate are dropped before, their gates are off.
pub(super) fn validate_projection_sources(errs: &mut Errors, projection: Obj, path: &Path) {
    let mut paths = BTreeSet::new();
    let sources = path.child("sources");
    for (index, source) in projection.list("sources").enumerate() {
        let at = sources.index(index);
        let mut count = 0;
        for key in ["secret", "configMap"] {
            let items = source.at(key);
            if items.has() {
                count += 1;
                validate_items(errs, items, &mut paths, path, &at.child(key));
            }
        }
        let downward = source.at("downwardAPI");
        if downward.has() {
            count += 1;
            for file in downward.list("items") {
                validate_downward_api_volume_file(errs, file, &at.child("downwardAPI"));
                let name = file.str("path");
                if !name.is_empty() && !paths.insert(name) {
                    errs.invalid(path, name, "conflicting duplicate paths");
                }
            }
        }
        let token = source.at("serviceAccountToken");
        if token.has() {
            count += 1;
            validate_service_account_token(errs, token, path, &at.child("serviceAccountToken"));
        }
        if count > 1 {
            errs.forbidden(&at, "may not specify more than 1 volume type per source");
        }
    }
}

fn validate_items<'a>(errs: &mut Errors, source: Obj<'a>, paths: &mut BTreeSet<&'a str>, volume: &Path, path: &Path) {
    required(errs, source, &["name"], path);
    let items = path.child("items");
    for (index, item) in source.list("items").enumerate() {
        validate_key_to_path(errs, item, &items.index(index));
        let name = item.str("path");
        if !name.is_empty() && !paths.insert(name) {
            errs.invalid(volume, source.str("name"), "conflicting duplicate paths");
        }
    }
}

fn validate_service_account_token(errs: &mut Errors, token: Obj, volume: &Path, path: &Path) {
    let seconds = token.opt_int("expirationSeconds").unwrap_or(3600);
    let at = path.child("expirationSeconds");
    if seconds < 600 {
        errs.invalid(&at, seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > 1 << 32 {
        errs.invalid(&at, seconds, "may not specify a duration larger than 2^32 seconds");
    }
    // Upstream takes the path of the volume here.
    let at = volume.child("path");
    if token.str("path").is_empty() {
        errs.required(&at, "");
    } else {
        validate_local_non_reserved_path(errs, token.str("path"), &at);
    }
}
