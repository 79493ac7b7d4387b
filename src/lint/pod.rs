//! Pods as the kubelet runs them: what a container does not say of its security, its pod says for it.

use super::Cx;
use crate::diag::Diagnostic;
use crate::model::pod::{Container, ContainerRole, PodTemplate};
use crate::yaml::View;

/// Fields of the security context that a container takes from its pod where it does not set them itself.
const INHERITED: [&str; 7] = [
    "appArmorProfile",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "windowsOptions",
];

/// A container within its pod.
#[derive(Clone, Copy)]
pub(super) struct Effective<'a> {
    pub role: ContainerRole,
    pub view: View<'a>,
    pub pod: View<'a>,
}

impl<'a> Effective<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.view.get_str("name").unwrap_or_default()
    }

    /// A field of the security context that counts for the container.
    pub(super) fn security(&self, key: &str) -> Option<View<'a>> {
        let inherited = || INHERITED.contains(&key).then(|| self.pod.at(&["securityContext", key])).flatten();
        self.view.at(&["securityContext", key]).or_else(inherited)
    }

    /// The same as a truth value, where it is set.
    pub(super) fn security_bool(&self, key: &str) -> Option<bool> {
        self.security(key).and_then(View::bool)
    }

    /// Whether it runs as long as its pod.
    pub(super) fn is_serving(&self) -> bool {
        matches!(self.role, ContainerRole::Main | ContainerRole::Sidecar)
    }
}

/// All containers of a pod: init, main, ephemeral.
pub(super) fn containers<'a>(template: &PodTemplate<'a>) -> Vec<Effective<'a>> {
    let pod = template.spec;
    template.containers().map(|Container { role, view }| Effective { role, view, pod }).collect()
}

/// Whether the pods of a kind run to their end, of Kubernetes, KEDA or OpenKruise.
pub(super) fn is_job(kind: &str) -> bool {
    matches!(kind, "Job" | "CronJob" | "ScaledJob" | "AdvancedCronJob" | "BroadcastJob")
}

pub(super) fn is_windows(template: &PodTemplate<'_>) -> bool {
    let selected = template.spec.at(&["nodeSelector", "kubernetes.io/os"]).and_then(View::str);
    template.spec.at(&["os", "name"]).and_then(View::str).or(selected) == Some("windows")
}

/// `container a`, `containers a, b`
pub(super) fn named(containers: &[Effective<'_>]) -> String {
    let names: Vec<&str> = containers.iter().map(Effective::name).collect();
    let word = if names.len() == 1 { "container" } else { "containers" };
    format!("{word} `{}`", names.join("`, `"))
}

/// Reports what containers do not set: once at the pod, where its setting would do for all of them, else once for each.
pub(super) fn report_unset<'a>(
    cx: &mut Cx<'a>,
    template: &PodTemplate<'a>,
    lacking: &[Effective<'a>],
    what: &str,
    help: &str,
) {
    let all = template.containers().filter(|container| container.role != ContainerRole::Ephemeral).count();
    if lacking.is_empty() {
        return;
    }
    if lacking.len() >= all.max(1) && template.spec.get("containers").is_some() {
        let message = format!("{} {what}", named(lacking));
        report_context(cx, template.spec, message).help = Some(help.to_owned());
        return;
    }
    for container in lacking {
        let message = format!("{} {what}", named(&[*container]));
        report_context(cx, container.view, message).help = Some(help.to_owned());
    }
}

/// Reports at the security context of a pod or container, and where it has none at what it would stand in.
pub(super) fn report_context<'c, 'a>(cx: &'c mut Cx<'a>, of: View<'a>, message: String) -> &'c mut Diagnostic {
    cx.report_key(of, "securityContext", message)
}
