//! The checks of PodSecurity, a function each, in upstream's order.
//!
//! pod-security-admission `policy/check_*.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use crate::yaml::View;

/// A pod, and the minor version whose checks apply.
pub(super) struct Subject<'a> {
    pub metadata: Option<View<'a>>,
    pub spec: View<'a>,
    /// A pod itself, not a template.
    pub is_pod: bool,
    pub minor: u32,
}

/// What a check forbids.
pub(super) struct Forbidden {
    pub reason: String,
    pub detail: String,
}

pub(super) struct Check {
    /// The first minor version that has it.
    pub since: u32,
    /// The first minor version in which the restricted level has a check of its own instead.
    restricted_since: u32,
    pub find: fn(&Subject<'_>) -> Option<Forbidden>,
}

impl Check {
    pub(super) fn overridden(&self, minor: u32) -> bool {
        minor >= self.restricted_since
    }
}

const NEVER: u32 = u32::MAX;

pub(super) const BASELINE: &[Check] = &[
    Check { since: 0, restricted_since: NEVER, find: app_armor_profile },
    Check { since: 0, restricted_since: 22, find: capabilities_baseline },
    Check { since: 0, restricted_since: NEVER, find: host_namespaces },
    Check { since: 0, restricted_since: 0, find: host_path_volumes },
    Check { since: 0, restricted_since: NEVER, find: host_ports },
    Check { since: 34, restricted_since: NEVER, find: host_probes_and_host_lifecycle },
    Check { since: 0, restricted_since: NEVER, find: privileged },
    Check { since: 0, restricted_since: 35, find: proc_mount_baseline },
    Check { since: 0, restricted_since: NEVER, find: se_linux_options },
    Check { since: 0, restricted_since: 19, find: seccomp_profile_baseline },
    Check { since: 0, restricted_since: NEVER, find: sysctls },
    Check { since: 0, restricted_since: NEVER, find: windows_host_process },
];

pub(super) const RESTRICTED: &[Check] = &[
    Check { since: 8, restricted_since: NEVER, find: allow_privilege_escalation },
    Check { since: 22, restricted_since: NEVER, find: capabilities_restricted },
    Check { since: 35, restricted_since: NEVER, find: proc_mount },
    Check { since: 0, restricted_since: NEVER, find: restricted_volumes },
    Check { since: 0, restricted_since: NEVER, find: run_as_non_root },
    Check { since: 23, restricted_since: NEVER, find: run_as_user },
    Check { since: 19, restricted_since: NEVER, find: seccomp_profile_restricted },
];

impl<'a> Subject<'a> {
    /// `visitContainers`
    fn containers(&self) -> impl Iterator<Item = View<'a>> + use<'a> {
        let spec = self.spec;
        ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(move |key| spec.list(key))
    }

    /// Names of the containers for which something holds.
    fn bad(&self, is_bad: impl Fn(View<'a>) -> bool) -> Vec<&'a str> {
        let bad = self.containers().filter(|container| is_bad(*container));
        bad.map(|container| container.get_str("name").unwrap_or_default()).collect()
    }

    fn is_windows(&self) -> bool {
        self.spec.at(&["os", "name"]).and_then(View::str) == Some("windows")
    }

    /// `relaxPolicyForUserNamespacePod`
    fn has_user_namespace(&self) -> bool {
        self.minor >= 35 && self.spec.get("hostUsers").and_then(View::bool) == Some(false)
    }

    /// The pod, then its containers, as far as they set something bad.
    fn setters(&self, is_bad: impl Fn(View<'a>) -> bool) -> Vec<String> {
        let mut setters: Vec<String> = is_bad(self.spec).then(|| "pod".to_owned()).into_iter().collect();
        let bad = self.bad(&is_bad);
        if !bad.is_empty() {
            setters.push(named(&bad));
        }
        setters
    }
}

fn forbidden(reason: &str, detail: String) -> Option<Forbidden> {
    Some(Forbidden { reason: reason.to_owned(), detail })
}

/// A field of a security context, of a pod or a container.
fn context<'a>(of: View<'a>, way: &[&str]) -> Option<View<'a>> {
    of.get("securityContext")?.at(way)
}

fn context_str<'a>(of: View<'a>, way: &[&str]) -> Option<&'a str> {
    context(of, way).and_then(View::str)
}

fn strings<'a>(list: Option<View<'a>>) -> Vec<&'a str> {
    list.into_iter().flat_map(View::items).filter_map(View::str).collect()
}

fn join_quote<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = items.into_iter().map(|item| format!("\"{}\"", item.as_ref())).collect();
    quoted.join(", ")
}

fn plural<'t>(one: &'t str, many: &'t str, count: usize) -> &'t str {
    if count == 1 { one } else { many }
}

/// `container "a"`, `containers "a", "b"`
fn named(containers: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", containers.len()), join_quote(containers))
}

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The type of a container's AppArmor profile. Before admission a pod's annotation was copied to a container without a
/// field (`applyAppArmorVersionSkew`).
fn app_armor_type<'a>(pod: &Subject<'a>, of: View<'a>) -> Option<&'a str> {
    let own = context(of, &["appArmorProfile"]).map(|profile| profile.get_str("type").unwrap_or_default());
    if own.is_some() || !pod.is_pod || pod.is_windows() || of == pod.spec {
        return own;
    }
    let key = format!("{APP_ARMOR}{}", of.get_str("name").unwrap_or_default());
    let text = pod.metadata?.get("annotations")?.get_str(&key)?;
    (text == "unconfined").then_some("Unconfined")
}

fn app_armor_profile(pod: &Subject<'_>) -> Option<Forbidden> {
    let bad = |of| app_armor_type(pod, of).filter(|type_| !["RuntimeDefault", "Localhost"].contains(type_));
    let mut setters = pod.setters(|of| bad(of).is_some());
    let all = std::iter::once(pod.spec).chain(pod.containers());
    let types: BTreeSet<&str> = all.filter_map(bad).collect();
    let mut values: Vec<String> = types.into_iter().map(str::to_owned).collect();
    let annotations = pod.metadata.and_then(|metadata| metadata.get("annotations"));
    let mut annotations: Vec<String> = annotations
        .into_iter()
        .flat_map(View::fields)
        .filter(|(key, _)| key.starts_with(APP_ARMOR))
        .map(|(key, value)| (key, value.str().unwrap_or_default()))
        .filter(|(_, value)| !value.is_empty() && *value != "runtime/default" && !value.starts_with("localhost/"))
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    if !annotations.is_empty() {
        annotations.sort();
        setters.push(plural("annotation", "annotations", annotations.len()).to_owned());
        values.extend(annotations);
    }
    if setters.is_empty() {
        return None;
    }
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    let detail = format!("{} must not set AppArmor profile type to {}", setters.join(" and "), join_quote(&values));
    forbidden(reason, detail)
}

/// What the baseline level lets containers add.
pub const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Which containers add capabilities that are not allowed, said as upstream says it.
fn added(pod: &Subject<'_>, allowed: &[&str]) -> Option<String> {
    let extra = |container| {
        let added = strings(context(container, &["capabilities", "add"])).into_iter();
        added.filter(|name| !allowed.contains(name)).collect::<Vec<&str>>()
    };
    let bad = pod.bad(|container| !extra(container).is_empty());
    let names: BTreeSet<&str> = pod.containers().flat_map(extra).collect();
    let detail =
        || format!("{} must not include {} in securityContext.capabilities.add", named(&bad), join_quote(names));
    (!bad.is_empty()).then(detail)
}

fn capabilities_baseline(pod: &Subject<'_>) -> Option<Forbidden> {
    forbidden("non-default capabilities", added(pod, &DEFAULT_CAPABILITIES)?)
}

fn host_namespaces(pod: &Subject<'_>) -> Option<Forbidden> {
    let set = ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|key| pod.spec.get_bool(key));
    let set: Vec<String> = set.map(|key| format!("{key}=true")).collect();
    if set.is_empty() { None } else { forbidden("host namespaces", set.join(", ")) }
}

fn host_path_volumes(pod: &Subject<'_>) -> Option<Forbidden> {
    let volumes = pod.spec.list("volumes").filter(|volume| volume.get("hostPath").is_some());
    let names: Vec<&str> = volumes.map(|volume| volume.get_str("name").unwrap_or_default()).collect();
    let detail = || format!("{} {}", plural("volume", "volumes", names.len()), join_quote(&names));
    if names.is_empty() { None } else { forbidden("hostPath volumes", detail()) }
}

fn host_ports(pod: &Subject<'_>) -> Option<Forbidden> {
    let ports = |container: View<'_>| {
        let ports = container.list("ports").filter_map(|port| port.get_int("hostPort"));
        ports.filter(|port| *port != 0).map(|port| port.to_string()).collect::<Vec<String>>()
    };
    let bad = pod.bad(|container| !ports(container).is_empty());
    if bad.is_empty() {
        return None;
    }
    let used: BTreeSet<String> = pod.containers().flat_map(ports).collect();
    let (use_, what) = (plural("uses", "use", bad.len()), plural("hostPort", "hostPorts", used.len()));
    let used: Vec<String> = used.into_iter().collect();
    forbidden("hostPort", format!("{} {use_} {what} {}", named(&bad), used.join(", ")))
}

fn host_probes_and_host_lifecycle(pod: &Subject<'_>) -> Option<Forbidden> {
    let hosts = |container: View<'_>| -> Vec<String> {
        let handlers = [
            container.get("livenessProbe"),
            container.get("readinessProbe"),
            container.get("startupProbe"),
            container.at(&["lifecycle", "postStart"]),
            container.at(&["lifecycle", "preStop"]),
        ];
        let hosts = handlers.into_iter().flatten().flat_map(|handler| {
            ["httpGet", "tcpSocket"].map(|key| handler.at(&[key, "host"]).and_then(View::str).unwrap_or_default())
        });
        hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect()
    };
    let bad: BTreeSet<&str> = pod.bad(|container| !hosts(container).is_empty()).into_iter().collect();
    if bad.is_empty() {
        return None;
    }
    let used: BTreeSet<String> = pod.containers().flat_map(hosts).collect();
    let bad: Vec<&str> = bad.into_iter().collect();
    let what = plural("probe or lifecycle host", "probe or lifecycle hosts", used.len());
    let use_ = plural("uses", "use", bad.len());
    forbidden("probe or lifecycle host", format!("{} {use_} {what} {}", named(&bad), join_quote(&used)))
}

fn privileged(pod: &Subject<'_>) -> Option<Forbidden> {
    let bad = pod.bad(|container| context(container, &["privileged"]).and_then(View::bool) == Some(true));
    let detail = || format!("{} must not set securityContext.privileged=true", named(&bad));
    if bad.is_empty() { None } else { forbidden("privileged", detail()) }
}

fn proc_mount_baseline(pod: &Subject<'_>) -> Option<Forbidden> {
    if pod.has_user_namespace() { None } else { proc_mount(pod) }
}

fn proc_mount(pod: &Subject<'_>) -> Option<Forbidden> {
    let bad_type = |container| context_str(container, &["procMount"]).filter(|type_| *type_ != "Default");
    let bad = pod.bad(|container| bad_type(container).is_some());
    let types: BTreeSet<&str> = pod.containers().filter_map(bad_type).collect();
    let detail = || format!("{} must not set securityContext.procMount to {}", named(&bad), join_quote(types));
    if bad.is_empty() { None } else { forbidden("procMount", detail()) }
}

fn option<'a>(of: View<'a>, key: &str) -> &'a str {
    context_str(of, &["seLinuxOptions", key]).unwrap_or_default()
}

fn se_linux_options(pod: &Subject<'_>) -> Option<Forbidden> {
    let mut allowed = vec!["", "container_t", "container_init_t", "container_kvm_t"];
    if pod.minor >= 31 {
        allowed.push("container_engine_t");
    }
    let bad_type = |of: &View<'_>| !allowed.contains(&option(*of, "type"));
    let is_bad = |of| bad_type(&of) || !option(of, "user").is_empty() || !option(of, "role").is_empty();
    let setters = pod.setters(is_bad);
    if setters.is_empty() {
        return None;
    }
    let all: Vec<View<'_>> = std::iter::once(pod.spec).chain(pod.containers()).collect();
    let types: BTreeSet<&str> = all.iter().copied().filter(bad_type).map(|of| option(of, "type")).collect();
    let mut data = Vec::new();
    if !types.is_empty() {
        data.push(format!("{} {}", plural("type", "types", types.len()), join_quote(types)));
    }
    for key in ["user", "role"] {
        if all.iter().any(|of| !option(*of, key).is_empty()) {
            data.push(format!("{key} may not be set"));
        }
    }
    let detail = format!("{} set forbidden securityContext.seLinuxOptions: {}", setters.join(" and "), data.join("; "));
    forbidden("seLinuxOptions", detail)
}

/// The type of a seccomp profile that no level allows.
fn bad_seccomp(of: View<'_>) -> Option<&str> {
    let profile = context(of, &["seccompProfile"])?;
    Some(profile.get_str("type").unwrap_or_default()).filter(|type_| !["Localhost", "RuntimeDefault"].contains(type_))
}

/// What versions before 1.19 looked at (`seccompProfileBaselineV1Dot0`).
fn seccomp_annotations(pod: &Subject<'_>) -> Option<Forbidden> {
    let own = std::iter::once("seccomp.security.alpha.kubernetes.io/pod".to_owned());
    let names = pod.containers().map(|container| container.get_str("name").unwrap_or_default());
    let keys = own.chain(names.map(|name| format!("container.seccomp.security.alpha.kubernetes.io/{name}")));
    let annotations = pod.metadata?.get("annotations")?;
    let is_good =
        |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let bad = keys.filter_map(|key| Some((annotations.get_str(&key).filter(|value| !is_good(value))?, key)));
    let bad: BTreeSet<String> = bad.map(|(value, key)| format!("{key}={value:?}")).collect();
    let shown: Vec<&str> = bad.iter().map(String::as_str).collect();
    let detail = || format!("forbidden {} {}", plural("annotation", "annotations", shown.len()), shown.join(", "));
    if shown.is_empty() { None } else { forbidden("seccompProfile", detail()) }
}

fn seccomp_profile_baseline(pod: &Subject<'_>) -> Option<Forbidden> {
    if pod.minor < 19 {
        return seccomp_annotations(pod);
    }
    let setters = pod.setters(|of| bad_seccomp(of).is_some());
    if setters.is_empty() {
        return None;
    }
    let types: BTreeSet<&str> = std::iter::once(pod.spec).chain(pod.containers()).filter_map(bad_seccomp).collect();
    let detail =
        format!("{} must not set securityContext.seccompProfile.type to {}", setters.join(" and "), join_quote(types));
    forbidden("seccompProfile", detail)
}

/// Sysctls that are safe, with the minor version that found them so.
const SYSCTLS: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

fn sysctls(pod: &Subject<'_>) -> Option<Forbidden> {
    let list = context(pod.spec, &["sysctls"]).into_iter().flat_map(View::items);
    let names = list.map(|sysctl| sysctl.get_str("name").unwrap_or_default());
    let is_safe = |name: &str| SYSCTLS.iter().any(|(known, since)| *known == name && *since <= pod.minor);
    let bad: Vec<&str> = names.filter(|name| !is_safe(name)).collect();
    if bad.is_empty() { None } else { forbidden("forbidden sysctls", bad.join(", ")) }
}

fn windows_host_process(pod: &Subject<'_>) -> Option<Forbidden> {
    let setters = pod.setters(|of| context(of, &["windowsOptions", "hostProcess"]).and_then(View::bool) == Some(true));
    let detail = || format!("{} must not set securityContext.windowsOptions.hostProcess=true", setters.join(" and "));
    if setters.is_empty() { None } else { forbidden("hostProcess", detail()) }
}

fn allow_privilege_escalation(pod: &Subject<'_>) -> Option<Forbidden> {
    if pod.minor >= 25 && pod.is_windows() {
        return None;
    }
    let bad =
        pod.bad(|container| context(container, &["allowPrivilegeEscalation"]).and_then(View::bool) != Some(false));
    let detail = || format!("{} must set securityContext.allowPrivilegeEscalation=false", named(&bad));
    if bad.is_empty() { None } else { forbidden("allowPrivilegeEscalation != false", detail()) }
}

fn capabilities_restricted(pod: &Subject<'_>) -> Option<Forbidden> {
    if pod.minor >= 25 && pod.is_windows() {
        return None;
    }
    let keeps = pod.bad(|container| !strings(context(container, &["capabilities", "drop"])).contains(&"ALL"));
    let mut details = Vec::new();
    if !keeps.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", named(&keeps)));
    }
    details.extend(added(pod, &["NET_BIND_SERVICE"]));
    if details.is_empty() { None } else { forbidden("unrestricted capabilities", details.join("; ")) }
}

/// Volume sources that the restricted level allows.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn restricted_volumes(pod: &Subject<'_>) -> Option<Forbidden> {
    let is_bad = |volume: &View<'_>| VOLUMES.iter().all(|source| volume.get(source).is_none());
    let bad: Vec<View<'_>> = pod.spec.list("volumes").filter(is_bad).collect();
    if bad.is_empty() {
        return None;
    }
    let names: Vec<&str> = bad.iter().map(|volume| volume.get_str("name").unwrap_or_default()).collect();
    let source = |volume: &View<'_>| {
        let mut sources = volume.fields().filter(|(key, value)| *key != "name" && !value.is_null());
        sources.next().map_or("unknown".to_owned(), |(key, _)| key.to_owned())
    };
    let types: BTreeSet<String> = bad.iter().map(source).collect();
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", names.len()),
        join_quote(&names),
        plural("uses", "use", names.len()),
        plural("restricted volume type", "restricted volume types", types.len()),
        join_quote(&types)
    );
    forbidden("restricted volume types", detail)
}

fn run_as_non_root(pod: &Subject<'_>) -> Option<Forbidden> {
    if pod.has_user_namespace() {
        return None;
    }
    const REASON: &str = "runAsNonRoot != true";
    let set = |of| context(of, &["runAsNonRoot"]).and_then(View::bool);
    let setters = pod.setters(|of| set(of) == Some(false));
    if !setters.is_empty() {
        return forbidden(REASON, format!("{} must not set securityContext.runAsNonRoot=false", setters.join(" and ")));
    }
    let missing = if set(pod.spec) == Some(true) { Vec::new() } else { pod.bad(|container| set(container).is_none()) };
    let detail = || format!("pod or {} must set securityContext.runAsNonRoot=true", named(&missing));
    if missing.is_empty() { None } else { forbidden(REASON, detail()) }
}

fn run_as_user(pod: &Subject<'_>) -> Option<Forbidden> {
    if pod.has_user_namespace() {
        return None;
    }
    let setters = pod.setters(|of| context(of, &["runAsUser"]).and_then(View::int) == Some(0));
    let detail = || format!("{} must not set runAsUser=0", setters.join(" and "));
    if setters.is_empty() { None } else { forbidden("runAsUser=0", detail()) }
}

fn seccomp_profile_restricted(pod: &Subject<'_>) -> Option<Forbidden> {
    if pod.minor >= 25 && pod.is_windows() {
        return None;
    }
    if let Some(found) = seccomp_profile_baseline(pod) {
        return Some(found);
    }
    let is_set = |of| context(of, &["seccompProfile"]).is_some();
    let missing = if is_set(pod.spec) { Vec::new() } else { pod.bad(|container| !is_set(container)) };
    let detail = || {
        format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            named(&missing)
        )
    };
    if missing.is_empty() { None } else { forbidden("seccompProfile", detail()) }
}
