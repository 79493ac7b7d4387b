//! What the API server says of an update: which changes it refuses, and which of these a replacement would get through.
//!
//! Fields and texts: `pkg/apis/*/validation/validation.go` (`Validate*Update`) of Kubernetes 1.36, asked of a real one.
//! What upstream appends to some messages (a Go diff, the whole value) is left out.

use super::fields::same;
use super::place::Place;
use crate::diag::Cause;
use crate::model::quantity::Quantity;
use crate::yaml::{View, write_json_string};

/// A field that never changes: (group, kind, keys, the server's path).
type Frozen = (&'static str, &'static str, &'static [&'static str], &'static str);

const FROZEN: &[Frozen] = &[
    ("", "PersistentVolume", &["spec", "volumeMode"], "volumeMode"),
    ("", "PersistentVolume", &["spec", "nodeAffinity"], "nodeAffinity"),
    ("", "ResourceQuota", &["spec", "scopes"], "spec.scopes"),
    ("", "Secret", &["type"], "type"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "group"], "spec.group"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "names", "kind"], "spec.names.kind"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "names", "plural"], "spec.names.plural"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "scope"], "spec.scope"),
    ("apps", "DaemonSet", &["spec", "selector"], "spec.selector"),
    ("apps", "Deployment", &["spec", "selector"], "spec.selector"),
    ("apps", "ReplicaSet", &["spec", "selector"], "spec.selector"),
    ("batch", "Job", &["spec", "selector"], "spec.selector"),
    ("batch", "Job", &["spec", "completionMode"], "spec.completionMode"),
    ("batch", "Job", &["spec", "podFailurePolicy"], "spec.podFailurePolicy"),
    ("batch", "Job", &["spec", "backoffLimitPerIndex"], "spec.backoffLimitPerIndex"),
    ("batch", "Job", &["spec", "managedBy"], "spec.managedBy"),
    ("batch", "Job", &["spec", "successPolicy"], "spec.successPolicy"),
    ("discovery.k8s.io", "EndpointSlice", &["addressType"], "addressType"),
    ("networking.k8s.io", "IngressClass", &["spec", "controller"], "spec.controller"),
    ("node.k8s.io", "RuntimeClass", &["handler"], "handler"),
    ("scheduling.k8s.io", "PriorityClass", &["preemptionPolicy"], "preemptionPolicy"),
    ("storage.k8s.io", "CSIDriver", &["spec", "attachRequired"], "spec.attachedRequired"),
    ("storage.k8s.io", "StorageClass", &["parameters"], "parameters"),
    ("storage.k8s.io", "StorageClass", &["provisioner"], "provisioner"),
    ("storage.k8s.io", "StorageClass", &["reclaimPolicy"], "reclaimPolicy"),
    ("storage.k8s.io", "StorageClass", &["volumeBindingMode"], "volumeBindingMode"),
];

const STATEFUL_SET: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
     'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
const CLAIM: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
const VOLUME: &str = "spec.persistentvolumesource is immutable after creation";
const POD: &str = "pod updates may not change fields other than \
     `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
     `spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// The causes for which the API server refuses to make `old` into `new`; both are defaulted views.
pub(super) fn causes(group: &str, kind: &str, old: View<'_>, new: View<'_>, place: Place<'_>) -> Vec<Cause> {
    let pair = Pair { old: Some(old), new: Some(new), place };
    let mut found = Vec::new();
    match (group, kind) {
        ("", "ConfigMap" | "Secret") => immutable_data(pair, &mut found),
        ("", "PersistentVolume") => volume(pair, &mut found),
        ("", "PersistentVolumeClaim") => claim(pair, &mut found),
        ("", "Pod") => pod(pair, &mut found),
        ("", "Service") => service(pair, &mut found),
        ("batch", "Job") => job(pair, &mut found),
        ("apps", "StatefulSet") => stateful_set(pair, &mut found),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => role_ref(pair, &mut found),
        ("scheduling.k8s.io", "PriorityClass") if pair.at("value").differs() => {
            found.push(forbidden("value", "may not be changed in an update."));
        }
        _ => {}
    }
    for (_, _, keys, field) in FROZEN.iter().filter(|frozen| (frozen.0, frozen.1) == (group, kind)) {
        let pair = keys.iter().fold(pair, |pair, key| pair.at(key));
        if pair.differs() {
            found.push(invalid(field, &pair.new_json(), "field is immutable"));
        }
    }
    found
}

/// Whether a cause only says that a field cannot be changed, so that a new object may have it.
pub(super) fn is_immutability(cause: &Cause) -> bool {
    const PHRASES: [&str; 10] = [
        "field is immutable",
        "is immutable after creation",
        "may not change once set",
        "are forbidden",
        "pod updates may not",
        "cannot change roleRef",
        "may not be changed in an update",
        "is immutable when",
        "can only be modified in tandem with",
        "can not be modified except",
    ];
    PHRASES.iter().any(|phrase| cause.message.contains(phrase))
}

/// Whether a field of a spec that is refused as a whole may be the reason.
pub(super) fn is_frozen_in_spec(path: &str) -> bool {
    const FREE: [&str; 9] = [
        "spec.capacity",
        "spec.claimRef",
        "spec.minReadySeconds",
        "spec.ordinals",
        "spec.persistentVolumeClaimRetentionPolicy",
        "spec.replicas",
        "spec.revisionHistoryLimit",
        "spec.template",
        "spec.updateStrategy",
    ];
    path.starts_with("spec.") && !FREE.contains(&path)
}

/// The same field of both versions.
#[derive(Clone, Copy)]
struct Pair<'a> {
    old: Option<View<'a>>,
    new: Option<View<'a>>,
    place: Place<'a>,
}

impl<'a> Pair<'a> {
    fn at(self, key: &str) -> Pair<'a> {
        let get = |view: Option<View<'a>>| view.and_then(|view| view.get(key));
        Pair { old: get(self.old), new: get(self.new), place: self.place.child(key) }
    }

    fn differs(self) -> bool {
        let present = |view: Option<View<'a>>| view.filter(|view| !self.place.is_zero(*view));
        match (present(self.old), present(self.new)) {
            (None, None) => false,
            (Some(old), Some(new)) => !same(old, new, self.place),
            _ => true,
        }
    }

    /// Whether any key of the map differs that `free` does not name.
    fn differs_except(self, free: &[&str]) -> bool {
        let keys = [self.old, self.new].into_iter().flatten().flat_map(View::fields).map(|(key, _)| key);
        keys.filter(|key| !free.contains(key)).any(|key| self.at(key).differs())
    }

    fn new_json(self) -> String {
        self.new.map_or_else(|| "null".to_owned(), View::to_json)
    }
}

fn invalid(field: &str, value: &str, words: &str) -> Cause {
    let message = format!("Invalid value: {value}: {words}");
    Cause { field: field.to_owned(), reason: "FieldValueInvalid", message }
}

fn forbidden(field: &str, words: &str) -> Cause {
    Cause { field: field.to_owned(), reason: "FieldValueForbidden", message: format!("Forbidden: {words}") }
}

/// `ValidateConfigMapUpdate`, `ValidateSecretUpdate`.
fn immutable_data(pair: Pair<'_>, found: &mut Vec<Cause>) {
    const WORDS: &str = "field is immutable when `immutable` is set";
    if !pair.old.is_some_and(|old| old.get_bool("immutable")) {
        return;
    }
    if !pair.new.is_some_and(|new| new.get_bool("immutable")) {
        found.push(forbidden("immutable", WORDS));
    }
    for key in ["data", "binaryData"] {
        if pair.at(key).differs() {
            found.push(forbidden(key, WORDS));
        }
    }
}

fn volume(pair: Pair<'_>, found: &mut Vec<Cause>) {
    const REST: [&str; 9] = [
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    if pair.at("spec").differs_except(&REST) {
        found.push(forbidden("spec.persistentvolumesource", VOLUME));
    }
}

/// A claim is taken as bound: then it may grow.
fn claim(pair: Pair<'_>, found: &mut Vec<Cause>) {
    let spec = pair.at("spec");
    let resources = spec.at("resources");
    // A claim that names no volume gets one from the binder.
    let volume = spec.at("volumeName");
    let moved = volume.old.is_some() && volume.differs();
    if spec.differs_except(&["resources", "volumeAttributesClassName", "volumeName"])
        || resources.differs_except(&["requests"])
        || moved
    {
        found.push(forbidden("spec", CLAIM));
    }
    let storage = resources.at("requests").at("storage");
    let amount = |view: Option<View<'_>>| Quantity::parse_json(view?.str()?).ok();
    if let (Some(old), Some(new)) = (amount(storage.old), amount(storage.new))
        && new < old
    {
        let words = "field can not be less than status.capacity";
        found.push(forbidden("spec.resources.requests.storage", words));
    }
}

fn pod(pair: Pair<'_>, found: &mut Vec<Cause>) {
    let spec = pair.at("spec");
    let mut changed = spec.differs_except(&["containers", "initContainers", "activeDeadlineSeconds", "tolerations"]);
    for list in ["containers", "initContainers"] {
        let pair = spec.at(list);
        let items = |view: Option<View<'_>>| view.map_or(0, View::len);
        if items(pair.old) == items(pair.new) {
            changed |= items_differ(pair, "image");
        } else {
            found.push(forbidden(&format!("spec.{list}"), "pod updates may not add or remove containers"));
        }
    }
    let tolerations = spec.at("tolerations");
    let kept = |old: View<'_>| tolerations.new.is_some_and(|new| new.items().any(|new| tolerates_alike(old, new)));
    if tolerations.old.is_some_and(|old| !old.items().all(kept)) {
        let words = "existing toleration can not be modified except its tolerationSeconds";
        found.push(forbidden("spec.tolerations", words));
    }
    if changed && found.is_empty() {
        found.push(forbidden("spec", POD));
    }
}

fn tolerates_alike(old: View<'_>, new: View<'_>) -> bool {
    ["key", "operator", "value", "effect"].iter().all(|key| old.get_str(key) == new.get_str(key))
}

/// `ValidateJobSpecUpdate`: the template of a Job that never ran is free in its scheduling and its resources.
fn job(pair: Pair<'_>, found: &mut Vec<Cause>) {
    let spec = pair.at("spec");
    let (completions, template) = (spec.at("completions"), spec.at("template"));
    let number = |view: Option<View<'_>>, key: &str| view.and_then(|view| view.get_int(key));
    let indexed = spec.new.and_then(|new| new.get_str("completionMode")) == Some("Indexed");
    if completions.differs() && !indexed {
        found.push(invalid("spec.completions", &completions.new_json(), "field is immutable"));
    } else if completions.differs() && number(spec.new, "completions") != number(spec.new, "parallelism") {
        let words = "can only be modified in tandem with spec.parallelism";
        found.push(invalid("spec.completions", &completions.new_json(), words));
    }
    let suspended = spec.old.is_some_and(|old| old.get_bool("suspend"));
    if suspended && suspended_pod_differs(template.at("spec")) {
        found.push(invalid("spec.template.spec", &template.at("spec").new_json(), "field is immutable"));
    } else if !suspended && template.differs() {
        found.push(invalid("spec.template", &template.new_json(), "field is immutable"));
    }
}

fn suspended_pod_differs(pod: Pair<'_>) -> bool {
    const FREE: [&str; 6] =
        ["affinity", "containers", "initContainers", "nodeSelector", "schedulingGates", "tolerations"];
    pod.differs_except(&FREE)
        || pod.at("affinity").differs_except(&["nodeAffinity"])
        || ["containers", "initContainers"].iter().any(|list| items_differ(pod.at(list), "resources"))
}

/// Whether items of a list, taken in order, differ in more than one field.
fn items_differ(list: Pair<'_>, free: &str) -> bool {
    let items = |view: Option<View<'_>>| view.map_or(0, View::len);
    let (Some(old), Some(new)) = (list.old, list.new) else { return items(list.old) != items(list.new) };
    old.len() != new.len()
        || old
            .items()
            .zip(new.items())
            .any(|(old, new)| Pair { old: Some(old), new: Some(new), place: list.place.item() }.differs_except(&[free]))
}

fn service(pair: Pair<'_>, found: &mut Vec<Cause>) {
    let spec = pair.at("spec");
    let ip = spec.at("clusterIP");
    let text = |view: Option<View<'_>>| view.and_then(View::str).map(str::to_owned);
    let external = |view: Option<View<'_>>| view.and_then(|view| view.get_str("type")) == Some("ExternalName");
    let (old, new) = (text(ip.old), text(ip.new));
    // A Service that names no address has one all the same, which is not `None`.
    let moved = if old.is_some() { new.is_some() && old != new } else { new.as_deref() == Some("None") };
    if moved && !external(spec.old) && !external(spec.new) {
        let value = format!("[\"{}\"]", new.unwrap_or_default());
        found.push(invalid("spec.clusterIPs[0]", &value, "may not change once set"));
    }
    let class = spec.at("loadBalancerClass");
    if class.old.is_some() && class.new.is_some() && class.differs() {
        found.push(invalid("spec.loadBalancerClass", &class.new_json(), "may not change once set"));
    }
}

fn stateful_set(pair: Pair<'_>, found: &mut Vec<Cause>) {
    const FREE: [&str; 7] = [
        "minReadySeconds",
        "ordinals",
        "persistentVolumeClaimRetentionPolicy",
        "replicas",
        "revisionHistoryLimit",
        "template",
        "updateStrategy",
    ];
    if pair.at("spec").differs_except(&FREE) {
        found.push(forbidden("spec", STATEFUL_SET));
    }
}

fn role_ref(pair: Pair<'_>, found: &mut Vec<Cause>) {
    let role = pair.at("roleRef");
    if !role.differs() {
        return;
    }
    let mut value = String::from("{");
    for (name, key) in [("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")] {
        value.push_str(if value.len() > 1 { ",\"" } else { "\"" });
        value.push_str(name);
        value.push_str("\":");
        write_json_string(&mut value, role.new.and_then(|new| new.get_str(key)).unwrap_or_default());
    }
    value.push('}');
    found.push(invalid("roleRef", &value, "cannot change roleRef"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Version;
    use crate::schema::Schema;
    use serde_json::Value;
    use std::sync::Arc;

    /// Answers of a 1.36.3 kube-apiserver to server-side apply of `new` over `old`.
    const RECORDED: &str = include_str!("../../fixtures/plan/updates-1.36.jsonl");

    #[test]
    fn updates_are_refused_as_by_the_server() {
        let mut wrong = String::new();
        let mut rows = 0;
        for line in RECORDED.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            // What the new object says by itself is the business of validation.
            if row["causes"].to_string().contains("does not match template") {
                continue;
            }
            rows += 1;
            let read = |key: &str| crate::yaml::read(&Arc::from(row[key].to_string()));
            let (old, new) = (read("old"), read("new"));
            let schema = Schema::of(Version::DEFAULT).unwrap();
            let full = |file: &crate::yaml::File| {
                let view = file.tree.view(file.documents[0].root.unwrap());
                let (api, kind) = (view.get_str("apiVersion").unwrap(), view.get_str("kind").unwrap());
                crate::defaults::object(schema, view, schema.served(api, kind).unwrap())
            };
            let (old, new) = (full(&old), full(&new));
            let (old, new) = (old.0.view(old.1), new.0.view(new.1));
            let (api, kind) = (new.get_str("apiVersion").unwrap(), new.get_str("kind").unwrap());
            let group = api.split_once('/').map_or("", |(group, _)| group);
            let place = Place::of(Some(schema), api, kind);
            let mut wanted: Vec<(String, String)> = row["causes"].as_array().unwrap().iter().map(shown).collect();
            let mut found: Vec<(String, String)> = causes(group, kind, old, new, place)
                .into_iter()
                .map(|cause| (cause.field.clone(), cause.message.clone()))
                .map(
                    |(field, message)| {
                        if field.contains("template") { (field, short(&message)) } else { (field, message) }
                    },
                )
                .collect();
            wanted.sort();
            found.sort();
            if wanted != found {
                wrong.push_str(&format!("{}:\n  wanted {wanted:?}\n  found  {found:?}\n", row["name"]));
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        println!("{rows} recorded updates agree");
    }

    fn shown(cause: &Value) -> (String, String) {
        let text = |key: &str| cause[key].as_str().unwrap().to_owned();
        if text("field").contains("template") {
            (text("field"), short(&text("message")))
        } else {
            (text("field"), text("message"))
        }
    }

    /// Templates are shown as Go structs, which is left out.
    fn short(message: &str) -> String {
        message.rsplit(": ").next().unwrap().to_owned()
    }
}
