//! What the server, its admission and its controllers write into objects of a running cluster. No manifest has it, so
//! it is no difference where the new object does not have it either.

use super::fields::item_keys;
use super::place::Place;
use super::stored::Stored;
use crate::yaml::{NodeId, View};

/// By kind, or `*`: paths with `[]` for the items of a list; a key with a slash at its end stands for all that begin so.
const MADE: &[(&str, &[&str])] = &[
    (
        "*",
        &[
            "metadata.finalizers",
            "metadata.ownerReferences",
            "metadata.annotations/pv.kubernetes.io/",
            "metadata.annotations/volume.kubernetes.io/",
            "metadata.annotations/volume.beta.kubernetes.io/",
            "metadata.annotations/deployment.kubernetes.io/",
            "metadata.annotations/autoscaling.alpha.kubernetes.io/",
            // `kubectl rollout restart`: it stays as long as the manifest has another owner for its other fields.
            "spec.template.metadata.annotations/kubectl.kubernetes.io/restartedAt",
        ],
    ),
    ("Namespace", &["spec.finalizers", "metadata.labels/kubernetes.io/metadata.name"]),
    ("ServiceAccount", &["secrets"]),
    (
        "Service",
        &[
            "spec.clusterIP",
            "spec.clusterIPs",
            "spec.ipFamilies",
            "spec.ipFamilyPolicy",
            "spec.healthCheckNodePort",
            "spec.ports[].nodePort",
        ],
    ),
    ("PersistentVolumeClaim", &["spec.volumeName", "spec.storageClassName"]),
    ("PersistentVolume", &["spec.claimRef"]),
    (
        "Job",
        &[
            "spec.selector",
            "metadata.labels/controller-uid",
            "metadata.labels/job-name",
            "metadata.labels/batch.kubernetes.io/",
            "spec.template.metadata.labels/controller-uid",
            "spec.template.metadata.labels/job-name",
            "spec.template.metadata.labels/batch.kubernetes.io/",
        ],
    ),
    (
        "Pod",
        &[
            "spec.nodeName",
            "spec.priority",
            "spec.preemptionPolicy",
            "spec.serviceAccount",
            "spec.serviceAccountName",
            "spec.imagePullSecrets",
            // Those of its node.
            "metadata.labels/topology.kubernetes.io/",
        ],
    ),
    ("ValidatingWebhookConfiguration", &["webhooks[].clientConfig.caBundle"]),
    ("MutatingWebhookConfiguration", &["webhooks[].clientConfig.caBundle"]),
    ("CustomResourceDefinition", &["spec.conversion.webhook.clientConfig.caBundle"]),
    ("APIService", &["spec.caBundle"]),
];

/// A live object without what was made for it and `new`, with its defaults, does not have.
pub(super) fn without_made(live: View<'_>, new: View<'_>, kind: &str, place: Place<'_>) -> Stored {
    let mut stored = Stored::copy(live);
    let rules = MADE.iter().filter(|(of, _)| *of == "*" || *of == kind).flat_map(|(_, paths)| *paths).copied();
    let walk = Walk { rules: rules.collect(), is_pod: kind == "Pod" };
    let root = stored.view().id;
    walk.map(&mut stored, root, Some(new), place, "");
    // Rules of a role that aggregates others are the controller's.
    if kind == "ClusterRole" && new.get("aggregationRule").is_some_and(View::is_map) {
        stored.remove(root, "rules");
    }
    stored
}

struct Walk {
    rules: Vec<&'static str>,
    is_pod: bool,
}

impl Walk {
    fn is_made(&self, path: &str) -> bool {
        self.rules.iter().any(|rule| path == *rule || rule.ends_with('/') && path.starts_with(rule))
    }

    fn map(&self, stored: &mut Stored, node: NodeId, new: Option<View<'_>>, place: Place<'_>, path: &str) {
        let fields: Vec<(String, NodeId)> =
            stored.at(node).fields().map(|(key, value)| (key.to_owned(), value.id)).collect();
        // Keys of labels and annotations may have dots.
        let mark = match path {
            "" => "",
            path if path.ends_with("annotations") || path.ends_with("labels") => "/",
            _ => ".",
        };
        for (key, child) in fields {
            let path = format!("{path}{mark}{key}");
            let counterpart = new.and_then(|new| new.get(&key));
            if counterpart.is_none() && self.is_made(&path) {
                stored.remove(node, &key);
            } else if self.may_hold(&path) {
                self.value(stored, child, counterpart, place.child(&key), &path);
            }
        }
    }

    /// Whether anything below a path can be made.
    fn may_hold(&self, path: &str) -> bool {
        self.rules.iter().any(|rule| rule.starts_with(path)) || self.is_pod && path.starts_with("spec")
    }

    fn value(&self, stored: &mut Stored, node: NodeId, new: Option<View<'_>>, place: Place<'_>, path: &str) {
        let old = stored.at(node);
        if old.is_map() {
            return self.map(stored, node, new, place, path);
        }
        if !old.is_seq() {
            return;
        }
        let path = format!("{path}[]");
        let keys = item_keys(old, place).unwrap_or_default();
        let new_keys = new.and_then(|new| item_keys(new, place)).unwrap_or_default();
        let mut kept = Vec::new();
        for (index, item) in old.items().map(|item| item.id).collect::<Vec<_>>().into_iter().enumerate() {
            let key = keys.get(index);
            let at = new_keys.iter().position(|new| Some(new) == key);
            let counterpart = new.zip(at).and_then(|(new, at)| new.items().nth(at));
            if counterpart.is_none() && self.is_pod && is_injected(stored.at(item), &path) {
                continue;
            }
            self.value(stored, item, counterpart, place.item(), &path);
            kept.push(item);
        }
        stored.set_items(node, &kept);
    }
}

/// What admission adds to the lists of a pod: the token of its account, and how long it stays on a lost node.
fn is_injected(item: View<'_>, path: &str) -> bool {
    let text = |key: &str| item.get_str(key).unwrap_or_default();
    match path {
        "spec.volumes[]" => text("name").starts_with("kube-api-access-"),
        "spec.tolerations[]" => {
            ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].contains(&text("key"))
        }
        "spec.containers[].volumeMounts[]" | "spec.initContainers[].volumeMounts[]" => {
            text("mountPath") == "/var/run/secrets/kubernetes.io/serviceaccount"
        }
        _ => false,
    }
}
