//! What pods may not set on Linux or on Windows.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use super::super::content::is_dns1123_subdomain;
use super::super::errors::{Errors, Shown};
use super::super::obj::Obj;
use super::pod::visit_containers_with_path;
use crate::model::path::Path;

const NOT_ON_WINDOWS: &str = "cannot be set for a windows pod";

/// `validateOS`, then `validateLinux` or `validateWindows`.
pub(super) fn validate_os(errs: &mut Errors, spec: Obj, path: &Path) {
    let os = spec.at("os");
    match os.str("name") {
        _ if !os.has() => {}
        "" => {
            let at = path.child("os");
            errs.required(&at.child("name"), "");
        }
        "linux" => validate_linux(errs, spec, path),
        "windows" => validate_windows(errs, spec, path),
        name => errs.not_supported(&path.child("os"), Shown::Typed(name), &["linux", "windows"]),
    }
}

/// `validateLinux`.
fn validate_linux(errs: &mut Errors, spec: Obj, path: &Path) {
    let text = "windows options cannot be set for a linux pod";
    let context = path.child("securityContext");
    if spec.at("securityContext").at("windowsOptions").has() {
        errs.forbidden(&context.child("windowsOptions"), text);
    }
    visit_containers_with_path(spec, path, |container, at| {
        if container.at("securityContext").at("windowsOptions").has() {
            let context = at.child("securityContext");
            errs.forbidden(&context.child("windowsOptions"), text);
        }
    });
}

/// `validateWindows`.
fn validate_windows(errs: &mut Errors, spec: Obj, path: &Path) {
    let context = spec.at("securityContext");
    let context_path = path.child("securityContext");
    // `^` marks fields of the spec itself, `^!` those that are only set when true.
    let fields = [
        "appArmorProfile",
        "seLinuxOptions",
        "^hostUsers",
        "^!hostPID",
        "^!hostIPC",
        "seccompProfile",
        "fsGroup",
        "fsGroupChangePolicy",
        "sysctls",
        "^shareProcessNamespace",
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
    ];
    for field in fields {
        match (field.strip_prefix("^!"), field.strip_prefix('^')) {
            (Some(key), _) if spec.bool(key) => errs.forbidden(&path.child(key), NOT_ON_WINDOWS),
            (None, Some(key)) if spec.at(key).has() => errs.forbidden(&path.child(key), NOT_ON_WINDOWS),
            (None, None) if context.at(field).has() && (field != "sysctls" || context.len(field) > 0) => {
                errs.forbidden(&context_path.child(field), NOT_ON_WINDOWS);
            }
            _ => {}
        }
    }
    visit_containers_with_path(spec, path, |container, at| {
        let context_path = at.child("securityContext");
        let fields = [
            "appArmorProfile",
            "seLinuxOptions",
            "seccompProfile",
            "capabilities",
            "readOnlyRootFilesystem",
            "privileged",
            "allowPrivilegeEscalation",
            "procMount",
            "runAsUser",
            "runAsGroup",
        ];
        for field in fields {
            if container.at("securityContext").at(field).has() {
                errs.forbidden(&context_path.child(field), NOT_ON_WINDOWS);
            }
        }
    });
}

/// `validateWindowsHostProcessPod`.
pub(super) fn validate_windows_host_process_pod(errs: &mut Errors, spec: Obj, path: &Path) {
    let pod = spec.at("securityContext").at("windowsOptions").opt_bool("hostProcess");
    let (mut all, mut host) = (0, 0);
    visit_containers_with_path(spec, path, |container, at| {
        all += 1;
        let own = container.at("securityContext").at("windowsOptions").opt_bool("hostProcess");
        if let (Some(pod), Some(own)) = (pod, own)
            && pod != own
        {
            let (context, options) = (at.child("securityContext"), "windowsOptions");
            let options = context.child(options);
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            errs.invalid(&options.child("hostProcess"), own, &detail);
        }
        if own.or(pod) == Some(true) {
            host += 1;
        }
    });
    if host == 0 {
        return;
    }
    if host != all {
        let text = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errs.invalid(path, "", text);
    }
    if !spec.bool("hostNetwork") {
        let text = "hostNetwork must be true if pod contains any hostProcess containers";
        errs.invalid(&path.child("hostNetwork"), false, text);
    }
}

/// `validateWindowsSecurityContextOptions`.
pub(super) fn validate_windows_security_context_options(errs: &mut Errors, options: Obj, path: &Path) {
    if let Some(name) = options.opt_str("gmsaCredentialSpecName") {
        for message in is_dns1123_subdomain(name) {
            errs.invalid(&path.child("gmsaCredentialSpecName"), Shown::Typed(name), &message);
        }
    }
    if let Some(spec) = options.opt_str("gmsaCredentialSpec") {
        let at = path.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errs.invalid(&at, Shown::Typed(spec), "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > 64 * 1024 {
            errs.invalid(&at, Shown::Typed(spec), "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if let Some(name) = options.opt_str("runAsUserName") {
        for message in user_name_messages(name) {
            errs.invalid(&path.child("runAsUserName"), Shown::Typed(name), message);
        }
    }
}

/// What is wrong with a Windows user name, `domain\user` or `user`.
fn user_name_messages(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.bytes().any(|byte| byte.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    let parts: Vec<&str> = name.split('\\').collect();
    let (domain, user) = match parts.as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec!["runAsUserName cannot contain more than one backslash"],
    };
    let mut messages = Vec::new();
    if let Some(domain) = domain {
        if domain.len() >= 256 {
            messages.push("runAsUserName's Domain length must be under 256 characters");
        }
        if !is_net_bios(domain) && !is_windows_domain(domain) {
            messages.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        }
    }
    if user.is_empty() {
        messages.push("runAsUserName's User cannot be empty");
    } else if user.len() > 104 {
        messages.push("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.chars().all(|char| char == '.' || char == ' ') {
        messages.push("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']) {
        messages.push("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
    }
    messages
}

fn is_net_bios(domain: &str) -> bool {
    let bad = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
    let length = domain.chars().count();
    (1..=15).contains(&length) && !domain.contains(bad) && !domain.starts_with('.')
}

fn is_windows_domain(domain: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    domain.split('.').all(|label| {
        let bytes = label.as_bytes();
        label.len() <= 63
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    })
}
