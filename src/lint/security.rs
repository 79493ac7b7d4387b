//! Rules on what containers may do: users, capabilities, profiles.

use super::Cx;
use super::params::RuleParams;
use super::pod::{Effective, containers, is_windows, report_context, report_unset};
use crate::model::Version;
use crate::model::image::Image;
use crate::model::pod::ContainerRole;
use crate::yaml::View;

/// The containers that the security of a pod rests on; those for debugging come and go.
fn hardened<'a>(cx: &Cx<'a>) -> Vec<Effective<'a>> {
    let Some(template) = cx.template().filter(|template| !is_windows(template)) else { return Vec::new() };
    let mut all = containers(&template);
    all.retain(|container| container.role != ContainerRole::Ephemeral);
    all
}

pub(super) fn privileged_container(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        let Some(value) = container.security("privileged").filter(|value| value.bool() == Some(true)) else { continue };
        let message =
            format!("container `{}` is privileged: it can do on its node whatever root can", container.name());
        let help = "remove it, and add the capabilities or devices that are needed";
        cx.report(value, message).help = Some(help.to_owned());
    }
}

pub(super) fn privilege_escalation(cx: &mut Cx<'_>) {
    for container in hardened(cx) {
        // Who is privileged, or has CAP_SYS_ADMIN, escalates anyway, and another rule says so.
        if container.security_bool("privileged") == Some(true) {
            continue;
        }
        let message = match container.security("allowPrivilegeEscalation") {
            Some(value) if value.bool() == Some(false) => continue,
            Some(_) => format!("container `{}` lets its processes gain privileges", container.name()),
            None => format!("container `{}` does not forbid its processes to gain privileges", container.name()),
        };
        let help = "set `allowPrivilegeEscalation: false` in the container's securityContext";
        match container.view.get("securityContext") {
            Some(context) => cx.report_key(context, "allowPrivilegeEscalation", message),
            None => report_context(cx, container.view, message),
        }
        .help = Some(help.to_owned());
    }
}

/// From 1.35 a pod with a user namespace of its own may be root in it.
fn has_user_namespace(cx: &Cx<'_>, pod: View<'_>) -> bool {
    cx.settings.kube_version >= Version::new(1, 35) && pod.get("hostUsers").and_then(View::bool) == Some(false)
}

pub(super) fn run_as_root(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    if has_user_namespace(cx, template.spec) {
        return;
    }
    let mut lacking = Vec::new();
    let mut said = None;
    for container in hardened(cx) {
        let user = container.security("runAsUser");
        if let Some(root) = user.filter(|user| user.int() == Some(0)) {
            // A user that the pod sets is one cause for all of its containers.
            if container.security_bool("runAsNonRoot") != Some(true) && said != Some(root) {
                said = Some(root);
                let message = format!("container `{}` runs as user 0, which is root", container.name());
                cx.report(root, message).help = Some("give the number of another user".to_owned());
            }
            continue;
        }
        if user.is_none() && container.security_bool("runAsNonRoot") != Some(true) {
            lacking.push(container);
        }
    }
    let help = "set `runAsNonRoot: true` in the pod's securityContext, and runAsUser where the image names none";
    report_unset(cx, &template, &lacking, "may run as root: neither runAsNonRoot nor runAsUser is set", help);
}

/// The kubelet refuses to start a container that has to be no root and is told to run as root.
pub(super) fn nonroot_uid_zero(cx: &mut Cx<'_>) {
    let Some(template) = cx.template().filter(|template| !is_windows(template)) else { return };
    let mut said = None;
    for container in containers(&template) {
        let user = container.security("runAsUser").filter(|user| user.int() == Some(0));
        let Some(user) = user.filter(|_| container.security_bool("runAsNonRoot") == Some(true)) else { continue };
        if said != Some(user) {
            said = Some(user);
            let message = format!("container `{}` never starts: runAsNonRoot forbids its user 0", container.name());
            cx.report(user, message).help = Some("give another user, or take runAsNonRoot away".to_owned());
        }
    }
}

/// Official images of Docker Hub that name no user or root, and those that name one without its number, as their Dockerfiles
/// of 2026 have it in every tag.
const ROOT_IMAGES: [&str; 35] = [
    "almalinux",
    "alpine",
    "amazonlinux",
    "bash",
    "busybox",
    "caddy",
    "cassandra",
    "debian",
    "drupal",
    "eclipse-temurin",
    "fedora",
    "gcc",
    "golang",
    "httpd",
    "joomla",
    "mariadb",
    "maven",
    "mongo",
    "mysql",
    "nats",
    "nextcloud",
    "nginx",
    "node",
    "openjdk",
    "perl",
    "php",
    "postgres",
    "python",
    "rabbitmq",
    "redis",
    "rockylinux",
    "ruby",
    "rust",
    "tomcat",
    "ubuntu",
];
const NAMED_USERS: [(&str, &str); 1] = [("memcached", "memcache")];

/// The kubelet starts no container that has to be no root, of an image whose user is root or only a name.
pub(super) fn nonroot_needs_uid(cx: &mut Cx<'_>) {
    let Some(template) = cx.template().filter(|template| !is_windows(template)) else { return };
    for container in containers(&template) {
        if container.security_bool("runAsNonRoot") != Some(true) || container.security("runAsUser").is_some() {
            continue;
        }
        let Some(image) = container.view.get("image") else { continue };
        let Ok(parsed) = Image::parse(image.str().unwrap_or_default()) else { continue };
        let name = parsed.familiar_name();
        let reason = match NAMED_USERS.iter().find(|(image, _)| *image == name) {
            Some((_, user)) => format!("the image's user `{user}` is a name, which may be root's"),
            None if ROOT_IMAGES.contains(&name.as_str()) => "the image's user is root".to_owned(),
            None => continue,
        };
        let message = format!("container `{}` never starts: runAsNonRoot is set, and {reason}", container.name());
        let help = "set runAsUser to the number of a user that may run it, or take an image that names one";
        cx.report(image, message).help = Some(help.to_owned());
    }
}

pub(super) fn root_group(cx: &mut Cx<'_>) {
    let Some(template) = cx.template().filter(|template| !is_windows(template)) else { return };
    let pod = template.spec.get("securityContext");
    let own = template.containers().filter_map(|container| container.view.at(&["securityContext", "runAsGroup"]));
    let pods = ["runAsGroup", "fsGroup"].into_iter().filter_map(|key| pod?.get(key));
    let more = pod.into_iter().flat_map(|pod| pod.list("supplementalGroups"));
    for group in pods.chain(more).chain(own).filter(|group| group.int() == Some(0)).collect::<Vec<_>>() {
        cx.report(group, "group 0 is root's group").help = Some("give the number of another group".to_owned());
    }
}

pub(super) fn writable_root_fs(cx: &mut Cx<'_>) {
    for container in hardened(cx) {
        if container.security_bool("readOnlyRootFilesystem") == Some(true) {
            continue;
        }
        let message = format!("container `{}` can write to the file system of its image", container.name());
        let help = "set `readOnlyRootFilesystem: true`, and mount an emptyDir where it has to write";
        report_context(cx, container.view, message).help = Some(help.to_owned());
    }
}

/// A capability as containers of the API name it.
fn plain(capability: &str) -> String {
    let upper = capability.to_ascii_uppercase();
    upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
}

fn listed<'a>(container: &Effective<'a>, list: &str) -> Vec<(View<'a>, String)> {
    let items = container.security("capabilities").into_iter().flat_map(|capabilities| capabilities.list(list));
    items.filter_map(|item| Some((item, plain(item.str()?)))).collect()
}

/// Whether a parameter lists a capability.
fn names(params: &RuleParams, list: &str, name: &str) -> bool {
    params.texts(list).any(|own| plain(own) == name)
}

pub(super) fn capability_dangerous(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        for (item, name) in listed(&container, "add") {
            if !names(cx.params, "capabilities", &name) {
                continue;
            }
            let message = format!("container `{}` gets the capability {name}", container.name());
            cx.report(item, message).help = Some("remove it, or add the one that is needed instead".to_owned());
        }
    }
}

pub(super) fn capability_added(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let dangerous = cx.all_params.of("capability-dangerous");
    for container in containers(&template) {
        for (item, name) in listed(&container, "add") {
            if names(dangerous, "capabilities", &name) || names(cx.params, "allowed", &name) {
                continue;
            }
            let message = format!("container `{}` gets the capability {name}, beyond the baseline", container.name());
            cx.report(item, message).help = Some("remove it unless the program fails without it".to_owned());
        }
    }
}

pub(super) fn capability_not_dropped(cx: &mut Cx<'_>) {
    for container in hardened(cx) {
        let dropped = listed(&container, "drop");
        let has = |wanted: &str| dropped.iter().any(|(_, name)| name == "ALL" || *name == plain(wanted));
        if container.security_bool("privileged") == Some(true) || cx.params.texts("drop").all(has) {
            continue;
        }
        let message = format!("container `{}` keeps the runtime's default capabilities", container.name());
        let drop: Vec<&str> = cx.params.texts("drop").collect();
        let help = format!(
            "set `capabilities: {{drop: [{}]}}` in its securityContext, and add back what it needs",
            drop.join(", ")
        );
        match container.security("capabilities") {
            Some(capabilities) => cx.report_key(capabilities, "drop", message),
            None => report_context(cx, container.view, message),
        }
        .help = Some(help);
    }
}

/// Profiles with `type: Unconfined`, of the pod and of containers, with the annotations that came before the fields.
fn unconfined(cx: &mut Cx<'_>, field: &str, annotations: &str, what: &str) {
    let Some(template) = cx.template() else { return };
    let places = std::iter::once(template.spec).chain(template.containers().map(|container| container.view));
    let types: Vec<View<'_>> = places.filter_map(|of| of.at(&["securityContext", field, "type"])).collect();
    for type_ in types.into_iter().filter(|type_| type_.str() == Some("Unconfined")) {
        cx.report(type_, format!("{what} is switched off")).help = Some("use RuntimeDefault".to_owned());
    }
    let notes = template.metadata.into_iter().flat_map(|metadata| metadata.map("annotations"));
    for (key, value) in notes.filter(|(key, _)| key.contains(annotations)).collect::<Vec<_>>() {
        if value.str() == Some("unconfined") {
            let help = format!("set securityContext.{field} to RuntimeDefault instead");
            cx.report(value, format!("the annotation `{key}` switches {what} off")).help = Some(help);
        }
    }
}

pub(super) fn seccomp_unconfined(cx: &mut Cx<'_>) {
    unconfined(cx, "seccompProfile", "seccomp.security.alpha.kubernetes.io/", "seccomp");
}

pub(super) fn apparmor_unconfined(cx: &mut Cx<'_>) {
    unconfined(cx, "appArmorProfile", "container.apparmor.security.beta.kubernetes.io/", "AppArmor");
}

pub(super) fn seccomp_unset(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let mut lacking = hardened(cx);
    lacking.retain(|container| {
        container.security("seccompProfile").is_none() && container.security_bool("privileged") != Some(true)
    });
    let help = "set `seccompProfile: {type: RuntimeDefault}` in the pod's securityContext";
    report_unset(cx, &template, &lacking, "may use every system call: no seccomp profile is set", help);
}

pub(super) fn selinux_custom(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let places = std::iter::once(template.spec).chain(template.containers().map(|container| container.view));
    let options: Vec<View<'_>> = places.filter_map(|of| of.at(&["securityContext", "seLinuxOptions"])).collect();
    for options in options {
        for key in ["type", "user", "role"] {
            let Some(value) = options.get(key) else { continue };
            let text = value.str().unwrap_or_default();
            if text.is_empty() || key == "type" && cx.params.has("types", text) {
                continue;
            }
            let message = format!("the SELinux {key} `{text}` is not one that containers have");
            cx.report(value, message).help = Some("leave it to the runtime, which chooses container_t".to_owned());
        }
    }
}

pub(super) fn proc_mount_unmasked(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    if has_user_namespace(cx, template.spec) {
        return;
    }
    for container in containers(&template) {
        let Some(mount) = container.security("procMount").filter(|mount| mount.str() == Some("Unmasked")) else {
            continue;
        };
        let message = format!("container `{}` sees all of the node's /proc, writable", container.name());
        cx.report(mount, message).help = Some("remove procMount, or set `hostUsers: false`".to_owned());
    }
}

/// Sysctls that are of the pod's own namespaces, with the minor version that made them safe (pod-security-admission
/// `policy/check_sysctls.go`).
const SAFE_SYSCTLS: [(&str, u32); 10] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
];

pub(super) fn unsafe_sysctl(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let Some(context) = template.spec.get("securityContext") else { return };
    for name in context.list("sysctls").filter_map(|sysctl| sysctl.get("name")) {
        let text = name.str().unwrap_or_default();
        // Slashes may stand for dots.
        let dotted = text.replace('/', ".");
        let is_new = matches!(dotted.as_str(), "net.ipv4.tcp_rmem" | "net.ipv4.tcp_wmem");
        let version = cx.settings.kube_version;
        let is_safe = SAFE_SYSCTLS.iter().any(|(safe, since)| dotted == *safe && version >= Version::new(1, *since))
            || is_new && version >= Version::new(1, 32);
        if !is_safe && !cx.params.has_like("allowed", &dotted) {
            let message = format!("the sysctl `{text}` is not safe: a kubelet refuses it unless its node allows it");
            let help = "remove it, or schedule to nodes whose kubelet has it under allowedUnsafeSysctls";
            cx.report(name, message).help = Some(help.to_owned());
        }
    }
}

/// A probe or lifecycle hook makes the kubelet, on the node's network, send requests to any host.
pub(super) fn probe_host(cx: &mut Cx<'_>) {
    const HANDLERS: [&[&str]; 5] = [
        &["livenessProbe"],
        &["readinessProbe"],
        &["startupProbe"],
        &["lifecycle", "postStart"],
        &["lifecycle", "preStop"],
    ];
    let Some(template) = cx.template() else { return };
    for container in template.containers() {
        let handlers = HANDLERS.iter().filter_map(|way| container.view.at(way));
        let hosts = handlers.flat_map(|handler| ["httpGet", "tcpSocket"].map(|key| handler.at(&[key, "host"])));
        for host in hosts.flatten() {
            let text = host.str().unwrap_or_default();
            if !text.is_empty() {
                let message = format!("the kubelet asks `{text}` instead of the pod");
                cx.report(host, message).help = Some("remove host: it is the pod's own address".to_owned());
            }
        }
    }
}
