//! Probes, lifecycle hooks and their handlers.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use super::super::content::{is_http_header_name, is_valid_port_name, is_valid_port_num};
use super::super::errors::{Errors, Shown};
use super::super::meta::nonnegative;
use super::super::obj::Obj;
use crate::model::path::Path;

/// `terminationGracePeriodSeconds` of the pod.
pub(super) type Grace = Option<i64>;

/// `validateLivenessProbe` and `validateStartupProbe`.
pub(super) fn validate_liveness_probe(errs: &mut Errors, probe: Obj, grace: Grace, path: &Path) {
    if !probe.has() {
        return;
    }
    validate_probe(errs, probe, grace, path);
    let threshold = probe.opt_int("successThreshold").unwrap_or(1);
    if threshold != 1 {
        errs.invalid(&path.child("successThreshold"), threshold, "must be 1");
    }
}

/// `validateReadinessProbe`.
pub(super) fn validate_readiness_probe(errs: &mut Errors, probe: Obj, grace: Grace, path: &Path) {
    if !probe.has() {
        return;
    }
    validate_probe(errs, probe, grace, path);
    if let Some(seconds) = probe.opt_int("terminationGracePeriodSeconds") {
        let at = path.child("terminationGracePeriodSeconds");
        errs.invalid(&at, seconds, "must not be set for readinessProbes");
    }
}

/// `validateProbe`.
fn validate_probe(errs: &mut Errors, probe: Obj, grace: Grace, path: &Path) {
    validate_handler(errs, probe, &["exec", "httpGet", "tcpSocket", "grpc"], grace, path);
    for key in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        nonnegative(errs, probe, key, path);
    }
    if let Some(seconds) = probe.opt_int("terminationGracePeriodSeconds").filter(|seconds| *seconds <= 0) {
        errs.invalid(&path.child("terminationGracePeriodSeconds"), seconds, "must be greater than 0");
    }
}

/// `validateLifecycle`; `stopSignal` is dropped before, its gate ContainerStopSignals is off.
pub(super) fn validate_lifecycle(errs: &mut Errors, lifecycle: Obj, grace: Grace, path: &Path) {
    for key in ["postStart", "preStop"] {
        let hook = lifecycle.at(key);
        if hook.has() {
            validate_handler(errs, hook, &["exec", "httpGet", "tcpSocket", "sleep"], grace, &path.child(key));
        }
    }
}

/// `validateHandler`: exactly one of the handlers that the place knows.
fn validate_handler(errs: &mut Errors, handler: Obj, kinds: &[&str], grace: Grace, path: &Path) {
    let mut found = false;
    for kind in kinds {
        let action = handler.at(kind);
        if !action.has() {
            continue;
        }
        let at = path.child(kind);
        if found {
            errs.forbidden(&at, "may not specify more than 1 handler type");
            continue;
        }
        found = true;
        match *kind {
            "exec" if action.len("command") == 0 => errs.required(&at.child("command"), ""),
            "httpGet" => validate_http_get_action(errs, action, &at),
            "tcpSocket" => validate_port_num_or_name(errs, action.at("port"), &at.child("port")),
            "grpc" => {
                let port = action.int("port");
                errs_port(errs, port, &at.child("port"));
            }
            "sleep" => validate_sleep_action(errs, action, grace, &at),
            _ => {}
        }
    }
    if !found {
        errs.required(path, "must specify a handler type");
    }
}

fn errs_port(errs: &mut Errors, port: i64, path: &Path) {
    for message in is_valid_port_num(port) {
        errs.invalid(path, port, &message);
    }
}

/// `validateHTTPGetAction`.
fn validate_http_get_action(errs: &mut Errors, http: Obj, path: &Path) {
    validate_port_num_or_name(errs, http.at("port"), &path.child("port"));
    let scheme = http.str("scheme");
    if !["", "HTTP", "HTTPS"].contains(&scheme) {
        errs.not_supported(&path.child("scheme"), Shown::Typed(scheme), &["HTTP", "HTTPS"]);
    }
    for header in http.list("httpHeaders") {
        let name = header.str("name");
        errs.invalid_each(&path.child("httpHeaders"), name, &is_http_header_name(name));
    }
}

/// `validateSleepAction`; the path is the action itself.
fn validate_sleep_action(errs: &mut Errors, sleep: Obj, grace: Grace, path: &Path) {
    let seconds = sleep.int("seconds");
    if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errs.invalid(path, seconds, &detail);
    }
}

/// `ValidatePortNumOrName`; a missing port is the number 0.
pub(super) fn validate_port_num_or_name(errs: &mut Errors, port: Obj, path: &Path) {
    match port.0.and_then(crate::yaml::View::str) {
        Some(name) => errs.invalid_each(path, name, &is_valid_port_name(name)),
        None => errs_port(errs, port.number(), path),
    }
}
