//! Rules on probes.

use super::Cx;
use crate::diag::{Severity, Tier};
use crate::yaml::View;

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const HANDLERS: [&str; 2] = ["httpGet", "tcpSocket"];

/// A probe of a port that the container does not declare: an error by name, a remark by number.
pub(super) fn probe_port_undeclared(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers() {
        let ports: Vec<View<'_>> = container.view.list("ports").collect();
        let probes = PROBES.iter().filter_map(|probe| container.view.get(probe));
        for port in probes.flat_map(|probe| HANDLERS.iter().filter_map(move |handler| probe.at(&[handler, "port"]))) {
            let name = container.view.get_str("name").unwrap_or_default();
            if let Some(text) = port.str() {
                if !ports.iter().any(|declared| declared.get_str("name") == Some(text)) {
                    let has: Vec<&str> = ports.iter().filter_map(|declared| declared.get_str("name")).collect();
                    let help = match super::references::nearest(text, &has) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "name a port of the container, or give the number".to_owned(),
                    };
                    let message = format!("container `{name}` has no port named `{text}`, so the probe always fails");
                    cx.report(port, message).help = Some(help);
                }
            } else if let Some(number) = port.int().filter(|_| cx.params.flag("numbers")) {
                let declared = ports.iter().any(|declared| declared.get_int("containerPort") == Some(number));
                if !declared && !ports.is_empty() {
                    let message = format!("container `{name}` does not declare the port {number} that is probed");
                    let diagnostic = cx.report(port, message);
                    diagnostic.help = Some("probe a declared port, or declare this one".to_owned());
                    diagnostic.severity = Some(Severity::Info);
                }
            }
        }
    }
}

/// Liveness gives up before readiness even begins to ask, and no startup probe holds it back.
pub(super) fn liveness_kills_startup(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers().map(|container| container.view) {
        let (Some(liveness), Some(readiness)) = (container.get("livenessProbe"), container.get("readinessProbe"))
        else {
            continue;
        };
        let number = |probe: View<'_>, key: &str, default: i64| probe.get_int(key).unwrap_or(default);
        let period = number(liveness, "periodSeconds", 10);
        let patience = number(liveness, "initialDelaySeconds", 0)
            .saturating_add(number(liveness, "failureThreshold", 3).saturating_mul(period));
        let delay = number(readiness, "initialDelaySeconds", 0);
        if container.get("startupProbe").is_some() || patience > delay {
            continue;
        }
        let message = format!(
            "liveness ends the container after {patience} s without an answer, readiness waits {delay} s before it asks"
        );
        let help = "add a startupProbe, or raise initialDelaySeconds of the liveness probe above that of readiness";
        cx.report_key(container, "livenessProbe", message).help = Some(help.to_owned());
    }
}

/// Liveness asks what readiness asks, as often and as patiently: a busy pod is killed instead of spared.
pub(super) fn probes_identical(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers().map(|container| container.view) {
        let (Some(liveness), Some(readiness)) = (container.get("livenessProbe"), container.get("readinessProbe"))
        else {
            continue;
        };
        if !liveness.same(readiness) {
            continue;
        }
        let message = "liveness and readiness ask the same question with the same patience";
        let help = "give liveness a higher failureThreshold, or let it ask something that only a restart mends";
        cx.report_key(container, "livenessProbe", message).help = Some(help.to_owned());
    }
}

/// A container behind a Service that gets requests as soon as it runs; one with ports whose Service is not seen is a note.
pub(super) fn readiness_probe_missing(cx: &mut Cx<'_>) {
    if super::pod::is_job(&cx.object.kind) {
        return;
    }
    let has_service = super::rollout::has_service(cx);
    let Some(template) = cx.template() else { return };
    for container in super::pod::containers(&template) {
        let serves = container.view.get("ports").is_some_and(|ports| !ports.is_empty());
        let is_main = container.role == crate::model::pod::ContainerRole::Main;
        // Where no container says which port it has, the first one serves.
        let any = template.containers().any(|other| other.view.get("ports").is_some_and(|ports| !ports.is_empty()));
        let is_asked = serves || (has_service && !any);
        if !is_main || container.view.get("readinessProbe").is_some() || !is_asked {
            continue;
        }
        let message = format!("container `{}` gets requests as soon as it runs, ready or not", container.name());
        let help = "add a readinessProbe that asks what its clients ask";
        let diagnostic = cx.report_key(container.view, "readinessProbe", message);
        diagnostic.help = Some(help.to_owned());
        if !has_service {
            (diagnostic.severity, diagnostic.tier) = (Some(Severity::Info), Some(Tier::Strict));
        }
    }
}

pub(super) fn liveness_probe_missing(cx: &mut Cx<'_>) {
    if super::pod::is_job(&cx.object.kind) {
        return;
    }
    let Some(template) = cx.template() else { return };
    for container in super::pod::containers(&template) {
        if container.role == crate::model::pod::ContainerRole::Main && container.view.get("livenessProbe").is_none() {
            let message = format!("container `{}` is not restarted when it hangs", container.name());
            let help = "add a livenessProbe, if a restart mends what can go wrong";
            cx.report_key(container.view, "livenessProbe", message).help = Some(help.to_owned());
        }
    }
}

/// A probe that is still waiting when the next one is due.
pub(super) fn probe_timeout_ge_period(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for probe in template.containers().flat_map(|container| PROBES.map(|probe| container.view.get(probe))).flatten() {
        let period = probe.get_int("periodSeconds").unwrap_or(10);
        let Some(timeout) = probe.get("timeoutSeconds").filter(|timeout| timeout.int().is_some_and(|t| t > period))
        else {
            continue;
        };
        let message = format!("an answer may take {} s, and the probe asks every {period} s", timeout.written());
        cx.report(timeout, message).help = Some("raise periodSeconds, or lower timeoutSeconds".to_owned());
    }
}
