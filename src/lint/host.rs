//! Rules on what pods take of their node: namespaces, ports, paths, sockets.

use super::Cx;
use super::pod::containers;
use crate::yaml::View;

fn host_namespace(cx: &mut Cx<'_>, key: &str, message: &str) {
    let Some(template) = cx.template() else { return };
    if let Some(value) = template.spec.get(key).filter(|value| value.bool() == Some(true)) {
        cx.report(value, message).help = Some(format!("remove {key}, unless the pod manages its node"));
    }
}

pub(super) fn host_network(cx: &mut Cx<'_>) {
    host_namespace(cx, "hostNetwork", "the pod uses its node's network: it listens there and sees all of its traffic");
}

pub(super) fn host_pid(cx: &mut Cx<'_>) {
    host_namespace(cx, "hostPID", "the pod sees every process of its node, and what is in their environment");
}

pub(super) fn host_ipc(cx: &mut Cx<'_>) {
    host_namespace(cx, "hostIPC", "the pod shares memory with the processes of its node");
}

pub(super) fn host_process(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let places = std::iter::once(template.spec).chain(template.containers().map(|container| container.view));
    let values = places.filter_map(|of| of.at(&["securityContext", "windowsOptions", "hostProcess"]));
    for value in values.filter(|value| value.bool() == Some(true)).collect::<Vec<_>>() {
        let message = "the container runs as a process of the Windows node itself";
        cx.report(value, message).help = Some("remove hostProcess, unless the pod manages its node".to_owned());
    }
}

pub(super) fn host_port(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    // On the node's network the API server sets each hostPort itself.
    if template.spec.get_bool("hostNetwork") {
        return;
    }
    for container in template.containers() {
        for port in container.view.list("ports").filter_map(|port| port.get("hostPort")) {
            if port.int().is_some_and(|number| number != 0 && !cx.params.has_in_range("allowed", number)) {
                let message =
                    format!("hostPort {} opens a port of the node, past Services and policies", port.written());
                cx.report(port, message).help = Some("use a Service; two such pods never share a node".to_owned());
            }
        }
    }
}

/// The volumes of a pod that are paths of its node, each with the path.
fn host_paths<'a>(cx: &Cx<'a>) -> Vec<(View<'a>, &'a str)> {
    let volumes = cx.template().into_iter().flat_map(|template| template.spec.list("volumes"));
    let paths = volumes.filter_map(|volume| volume.at(&["hostPath", "path"]));
    paths.filter_map(|path| Some((path, path.str()?))).collect()
}

/// A path without the slashes that do not matter.
fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}

/// Whether a path is another or lies below it.
fn is_within(path: &str, folder: &str) -> bool {
    path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path is the socket of a container runtime.
fn is_socket(cx: &Cx<'_>, path: &str) -> bool {
    let name = path.rsplit_once('/').map(|(_, name)| name);
    name.is_some_and(|name| cx.all_params.of("runtime-socket").has_like("sockets", name))
}

/// Whether a path holds a node's accounts, its secrets or its kernel's switches, and is none of those that are harmless
/// to read.
fn is_sensitive(cx: &Cx<'_>, path: &str) -> bool {
    let params = cx.all_params.of("host-path-sensitive");
    let normal = normal(path);
    let is_below = |list: &str| params.texts(list).any(|folder| is_within(&normal, folder.trim_end_matches('/')));
    let inside = is_below("paths");
    // Who mounts /var has /var/lib/kubelet too.
    let around = params.texts("paths").any(|folder| is_within(folder, &normal));
    normal == "/" || around || (inside && !is_socket(cx, &normal) && !is_below("harmless"))
}

pub(super) fn host_path(cx: &mut Cx<'_>) {
    for (path, text) in host_paths(cx) {
        let is_allowed = || cx.params.texts("allowed").any(|f| is_within(&normal(text), f.trim_end_matches('/')));
        if is_sensitive(cx, text) || is_socket(cx, text) || is_allowed() {
            continue;
        }
        let message = format!("the pod reads and keeps files in `{text}` of whatever node it runs on");
        cx.report(path, message).help = Some("use a PersistentVolumeClaim, a ConfigMap or an emptyDir".to_owned());
    }
}

pub(super) fn host_path_sensitive(cx: &mut Cx<'_>) {
    for (path, text) in host_paths(cx) {
        if is_sensitive(cx, text) {
            let message = format!("`{text}` of the node is mounted: what the node rests on can be read there");
            cx.report(path, message).help = Some("mount the one file or folder that is needed, read-only".to_owned());
        }
    }
}

pub(super) fn runtime_socket(cx: &mut Cx<'_>) {
    for (path, text) in host_paths(cx) {
        if is_socket(cx, text) {
            let message = format!("`{text}` lets the pod start any container on its node, as root");
            cx.report(path, message).help = Some("use the Kubernetes API, or a builder without a daemon".to_owned());
        }
    }
}

pub(super) fn host_path_writable(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let volumes: Vec<(&str, &str)> = template
        .spec
        .list("volumes")
        .filter_map(|volume| Some((volume.get_str("name")?, volume.at(&["hostPath", "path"])?.str()?)))
        .filter(|(_, path)| !is_socket(cx, path))
        .collect();
    for container in containers(&template) {
        for mount in container.view.list("volumeMounts") {
            let name = mount.get_str("name").unwrap_or_default();
            let Some((_, path)) = volumes.iter().find(|(volume, _)| *volume == name) else { continue };
            if mount.get_bool("readOnly") {
                continue;
            }
            let message = format!("container `{}` can write to `{path}` of its node", container.name());
            cx.report_key(mount, "mountPath", message).help = Some("set `readOnly: true` on the mount".to_owned());
        }
    }
}
