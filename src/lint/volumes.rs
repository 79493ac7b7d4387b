//! Rules on volumes of pods and where they are mounted.

use super::Cx;
use super::index::Existence;
use super::pod::{containers, is_windows};
use super::rollout::replicas;
use crate::diag::Related;
use crate::model::ObjectId;
use crate::yaml::View;

/// `defaultMode: 644`, a decimal number that was meant as octal.
pub(super) fn file_mode_decimal(cx: &mut Cx<'_>) {
    const LIKELY: [i64; 12] = [400, 420, 440, 444, 500, 511, 444, 404, 440, 411, 422, 464];
    let written = cx.bundle.written(cx.id);
    let Some(template) = crate::model::pod::PodTemplate::of(cx.object.group(), &cx.object.kind, written) else {
        return;
    };
    cx.root = written;
    let mut modes = Vec::new();
    for volume in template.spec.list("volumes") {
        for key in ["configMap", "secret", "downwardAPI", "projected"] {
            let Some(source) = volume.get(key) else { continue };
            let items = source.list("items").filter_map(|item| item.get("mode"));
            let more = source.list("sources").flat_map(View::fields).flat_map(|(_, source)| source.list("items"));
            let more = more.filter_map(|item| item.get("mode"));
            modes.extend(source.get("defaultMode").into_iter().chain(items).chain(more));
        }
    }
    for mode in modes {
        let text = mode.written();
        let number = mode.int().unwrap_or(0);
        // 420 and 511 are what 0644 and 0777 are in decimal, and so are meant.
        let meant = matches!(number, 420 | 511 | 256 | 292 | 288 | 384 | 416 | 438 | 448 | 488 | 493);
        if meant || text.starts_with('0') || !LIKELY.contains(&number) || text != number.to_string() {
            continue;
        }
        let message = format!("`{text}` is decimal, and as a mode it is 0{number:o}");
        cx.report(mode, message).help = Some(format!("write `0{text}`"));
    }
}

/// Two mounts at one path, or one over a folder that programs need.
pub(super) fn mount_shadow(cx: &mut Cx<'_>) {
    const FOLDERS: [&str; 8] = ["/", "/bin", "/etc", "/lib", "/lib64", "/sbin", "/usr", "/usr/bin"];
    let Some(template) = cx.template().filter(|template| !is_windows(template)) else { return };
    for container in containers(&template) {
        for mount in container.view.list("volumeMounts") {
            let Some(path) = mount.get("mountPath") else { continue };
            let text = path.str().unwrap_or_default().trim_end_matches('/');
            let text = if text.is_empty() { "/" } else { text };
            if FOLDERS.contains(&text) && mount.get("subPath").is_none() && mount.get("subPathExpr").is_none() {
                let message = format!("the volume hides all that the image of `{}` has in `{text}`", container.name());
                cx.report(path, message).help = Some("mount single files with subPath, or another folder".to_owned());
            }
        }
    }
}

/// The claims that the pods of an object mount, each with where it is named.
fn claims<'a>(cx: &Cx<'a>) -> Vec<(View<'a>, ObjectId)> {
    let volumes = cx.template().into_iter().flat_map(|template| template.spec.list("volumes"));
    let names = volumes.filter_map(|volume| volume.at(&["persistentVolumeClaim", "claimName"]));
    let found = names.filter_map(|name| match cx.index.find(cx.object, "PersistentVolumeClaim", name.str()?) {
        Existence::Found(id) => Some((name, id)),
        _ => None,
    });
    found.collect()
}

/// Pods on several nodes that share a volume which one node at a time may have.
pub(super) fn rwo_volume_shared(cx: &mut Cx<'_>) {
    if cx.object.kind == "StatefulSet" && replicas(&cx.object.kind, cx.root).is_none_or(|replicas| replicas < 2) {
        return;
    }
    let pods = replicas(&cx.object.kind, cx.root).unwrap_or(2);
    let rolling = cx.object.kind == "Deployment"
        && cx.root.at(&["spec", "strategy", "type"]).and_then(View::str) != Some("Recreate");
    let surges =
        rolling && cx.root.at(&["spec", "strategy", "rollingUpdate", "maxSurge"]).and_then(View::int) != Some(0);
    for (name, id) in claims(cx) {
        let modes: Vec<&str> = cx
            .bundle
            .full(id)
            .at(&["spec", "accessModes"])
            .into_iter()
            .flat_map(View::items)
            .filter_map(View::str)
            .collect();
        let single = match modes[..] {
            ["ReadWriteOnce"] => "one node",
            ["ReadWriteOncePod"] => "one pod",
            _ => continue,
        };
        let reason = if pods > 1 {
            format!("{pods} pods mount it")
        } else if surges && pods == 1 {
            "a rollout starts the new pod before the old one ends".to_owned()
        } else {
            continue;
        };
        let text = name.str().unwrap_or_default();
        let (file, span) = cx.place_in(id, "spec.accessModes");
        let message = format!("{single} at a time may have the claim `{text}`, and {reason}");
        let help = if pods > 1 {
            "use a StatefulSet with volumeClaimTemplates, or ReadWriteMany"
        } else {
            "set `strategy: {type: Recreate}`"
        };
        let diagnostic = cx.report(name, message);
        diagnostic.help = Some(help.to_owned());
        diagnostic.related.push(Related { file, span, message: "its access modes".to_owned() });
    }
}

/// A pod that is not root and a volume that belongs to root.
pub(super) fn fsgroup_missing(cx: &mut Cx<'_>) {
    let Some(template) = cx.template().filter(|template| !is_windows(template)) else { return };
    let context = template.spec.get("securityContext");
    if context.is_some_and(|context| context.get("fsGroup").is_some()) {
        return;
    }
    let is_user =
        |of: View<'_>| of.at(&["securityContext", "runAsUser"]).and_then(View::int).is_some_and(|user| user != 0);
    let not_root = is_user(template.spec) || template.containers().any(|container| is_user(container.view));
    let names: Vec<View<'_>> =
        template.spec.list("volumes").filter_map(|volume| volume.at(&["persistentVolumeClaim", "claimName"])).collect();
    let first = names.first().copied();
    let own = cx.root.at(&["spec", "volumeClaimTemplates"]).and_then(|list| list.items().next());
    if !not_root {
        return;
    }
    let message = "the pod is not root, and a new volume belongs to root: nothing sets fsGroup";
    let help = "set securityContext.fsGroup of the pod, so that the volume is given to that group";
    match (first, own) {
        (Some(name), _) => cx.report(name, message).help = Some(help.to_owned()),
        (None, Some(_)) => {
            cx.report_field("spec.volumeClaimTemplates".to_owned(), message).help = Some(help.to_owned())
        }
        (None, None) => {}
    }
}

pub(super) fn pv_hostpath(cx: &mut Cx<'_>) {
    if let Some(path) = cx.root.at(&["spec", "hostPath", "path"]) {
        let message = format!("the volume is `{}` of whatever node a pod runs on", path.str().unwrap_or_default());
        cx.report(path, message).help = Some("use `local` with a node affinity, or a storage class".to_owned());
    }
}

fn class_missing<'a>(cx: &mut Cx<'a>, kind: &str, name: Option<View<'a>>, effect: &str) {
    let Some(name) = name.filter(|name| name.str().is_some_and(|name| !name.is_empty())) else { return };
    let text = name.str().unwrap_or_default();
    // Classes are mostly the cluster's own: a known cluster says which there are, a set that brings some of them maybe.
    let is_closed = cx.index.live.knows(kind, "");
    let is_known = is_closed || !cx.index.of_kind(cx.object, kind).is_empty();
    if !is_known || cx.index.find_in(cx.object, kind, "", text) != Existence::Missing {
        return;
    }
    let names = cx.index.names_in(cx.object, kind, "");
    let help = match super::references::nearest(text, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add the {kind}, or name it under `assumeExists` in kplan.yaml"),
    };
    let diagnostic = cx.report(name, format!("{kind} `{text}` is not {}{effect}", cx.index.place()));
    diagnostic.help = Some(help);
    diagnostic.missing(is_closed);
}

pub(super) fn storage_class_missing(cx: &mut Cx<'_>) {
    const KEY: &[&str] = &["spec", "storageClassName"];
    if cx.object.kind == "StatefulSet" {
        let templates: Vec<View<'_>> =
            cx.root.get("spec").into_iter().flat_map(|spec| spec.list("volumeClaimTemplates")).collect();
        for claim in templates {
            class_missing(cx, "StorageClass", claim.at(KEY), ": the claims stay pending");
        }
        return;
    }
    // A volume of that class may be made by hand.
    let class = cx.root.at(KEY);
    let by_hand = cx
        .index
        .of_kind(cx.object, "PersistentVolume")
        .iter()
        .map(|id| cx.bundle.full(*id))
        .chain(cx.index.live.of_kind("PersistentVolume").iter().map(|live| live.root))
        .any(|volume| volume.at(KEY).and_then(View::str) == class.and_then(View::str));
    if !by_hand {
        class_missing(cx, "StorageClass", class, ": the claim stays pending");
    }
}

pub(super) fn ingress_class_missing(cx: &mut Cx<'_>) {
    class_missing(cx, "IngressClass", cx.root.at(&["spec", "ingressClassName"]), ": no controller serves this");
}

pub(super) fn priority_class_missing(cx: &mut Cx<'_>) {
    let name = cx.template().and_then(|template| template.spec.get("priorityClassName"));
    let own = name.and_then(View::str).is_some_and(|name| name.starts_with("system-"));
    if !own {
        class_missing(cx, "PriorityClass", name, ": no pod is created");
    }
}

pub(super) fn runtime_class_missing(cx: &mut Cx<'_>) {
    let name = cx.template().and_then(|template| template.spec.get("runtimeClassName"));
    class_missing(cx, "RuntimeClass", name, ": no pod is created");
}
