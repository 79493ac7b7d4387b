//! ConfigMaps, Secrets and ServiceAccounts.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use super::super::content::{NameRule, is_config_map_key};
use super::super::errors::Errors;
use super::super::meta::validate_object_meta;
use super::super::obj::Obj;
use crate::model::path::Path;
use crate::yaml::base64;

/// `MaxSecretSize`.
const MAX_SIZE: usize = 1 << 20;

/// `ValidateServiceAccount`.
pub(crate) fn validate_service_account(errs: &mut Errors, account: Obj) {
    validate_object_meta(errs, account.at("metadata"), NameRule::Subdomain);
}

/// The bytes of a base64 value; what is none has been refused by the decoder.
fn decoded(value: Obj) -> Vec<u8> {
    base64::decode(value.text().as_bytes()).unwrap_or_default()
}

/// `ValidateConfigMap`.
pub(crate) fn validate_config_map(errs: &mut Errors, config: Obj) {
    validate_object_meta(errs, config.at("metadata"), NameRule::Subdomain);
    let mut size = 0;
    let path = Path::root("data");
    for (key, value) in config.map("data") {
        errs.invalid_each(&path.key(key), key, &is_config_map_key(key));
        if config.at("binaryData").entry(key).is_some() {
            errs.invalid(&path.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.text().len();
    }
    let path = Path::root("binaryData");
    for (key, value) in config.map("binaryData") {
        errs.invalid_each(&path.key(key), key, &is_config_map_key(key));
        size += decoded(value).len();
    }
    if size > MAX_SIZE {
        errs.too_long(&Path::root("[]"), MAX_SIZE);
    }
}

/// A secret's value by key: `stringData` is folded into `data` by defaulting, or not yet.
pub(crate) fn secret_value(secret: Obj, key: &str) -> Option<Vec<u8>> {
    if let Some(text) = secret.at("stringData").entry(key) {
        return Some(text.as_bytes().to_vec());
    }
    let (_, value) = secret.at("data").0?.entry(key)?;
    Some(decoded(Obj(Some(value))))
}

/// `ValidateSecret`.
pub(crate) fn validate_secret(errs: &mut Errors, secret: Obj) {
    validate_object_meta(errs, secret.at("metadata"), NameRule::Subdomain);
    let path = Path::root("data");
    let mut keys: Vec<&str> =
        secret.map("data").into_iter().chain(secret.map("stringData")).map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut size = 0;
    for key in keys {
        errs.invalid_each(&path.key(key), key, &is_config_map_key(key));
        size += secret_value(secret, key).map_or(0, |value| value.len());
    }
    if size > MAX_SIZE {
        errs.too_long(&path, MAX_SIZE);
    }
    validate_secret_type(errs, secret, &path);
}

/// What each type of secret asks for.
fn validate_secret_type(errs: &mut Errors, secret: Obj, path: &Path) {
    let missing = |key: &str| secret_value(secret, key).is_none();
    match secret.str("type") {
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            let annotations = Path::root("metadata.annotations");
            if secret.at("metadata").at("annotations").entry(name).is_none_or(str::is_empty) {
                errs.required(&annotations.key(name), "");
            }
        }
        "kubernetes.io/dockercfg" => validate_docker_config(errs, secret, ".dockercfg", path),
        "kubernetes.io/dockerconfigjson" => validate_docker_config(errs, secret, ".dockerconfigjson", path),
        "kubernetes.io/basic-auth" if missing("username") && missing("password") => {
            errs.required(&path.key("username"), "");
            errs.required(&path.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if secret_value(secret, "ssh-privatekey").is_none_or(|key| key.is_empty()) => {
            errs.required(&path.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"].into_iter().filter(|key| missing(key)) {
                errs.required(&path.key(key), "");
            }
        }
        _ => {}
    }
}

fn validate_docker_config(errs: &mut Errors, secret: Obj, key: &str, path: &Path) {
    match secret_value(secret, key) {
        None => errs.required(&path.key(key), ""),
        Some(bytes) => {
            if let Some(message) = super::json::object_error(&bytes) {
                errs.invalid(&path.key(key), "<secret contents redacted>", &message);
            }
        }
    }
}
