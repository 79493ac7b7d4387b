//! Views of pods inside workloads: where the template stands, its containers, what it refers to.

use std::collections::BTreeMap;

use crate::yaml::View;

/// Labels or annotations as plain text.
pub type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// A pod, or the template that a workload makes pods from.
#[derive(Clone, Copy, Debug)]
pub struct PodTemplate<'a> {
    /// The object's own metadata for a Pod, the template's otherwise.
    pub metadata: Option<View<'a>>,
    /// The pod spec.
    pub spec: View<'a>,
    /// Path of the pod spec in the object.
    pub path: &'static str,
}

/// Which list of the pod spec a container stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerRole {
    Main,
    /// Runs to its end before the main containers start.
    Init,
    /// An init container with `restartPolicy: Always`.
    Sidecar,
    Ephemeral,
}

/// A container with its role.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    pub role: ContainerRole,
    pub view: View<'a>,
}

/// Where the objects of a kind hold their pod template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplatePlace {
    /// Keys to the template; none for a Pod, which is its own.
    keys: &'static [&'static str],
    /// Path of the pod spec.
    path: &'static str,
}

/// A kind of custom resources whose pods come from a template, by `workloads:` of kplan.yaml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomWorkload {
    pub group: String,
    pub kind: String,
    pub place: TemplatePlace,
}

impl TemplatePlace {
    /// Of the kinds of Kubernetes, and of custom resources that many have: Agones, Argo Rollouts, KEDA, Knative,
    /// LeaderWorkerSet, OpenKruise, OpenShift.
    pub fn of(group: &str, kind: &str) -> Option<TemplatePlace> {
        let (keys, path): (&'static [&'static str], &'static str) = match (group, kind) {
            ("", "Pod") => (&[], "spec"),
            ("", "PodTemplate") => (&["template"], "template.spec"),
            ("batch", "CronJob") => {
                (&["spec", "jobTemplate", "spec", "template"], "spec.jobTemplate.spec.template.spec")
            }
            ("", "ReplicationController")
            | ("apps" | "extensions", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
            | ("batch", "Job")
            | ("argoproj.io", "Rollout")
            | ("serving.knative.dev", "Service" | "Configuration")
            | ("apps.kruise.io", "CloneSet" | "StatefulSet" | "DaemonSet" | "BroadcastJob")
            | ("apps.openshift.io", "DeploymentConfig")
            | ("agones.dev", "GameServer") => (&["spec", "template"], "spec.template.spec"),
            ("agones.dev", "Fleet" | "GameServerSet") => {
                (&["spec", "template", "spec", "template"], "spec.template.spec.template.spec")
            }
            ("apps.kruise.io", "AdvancedCronJob") => (
                &["spec", "template", "jobTemplate", "spec", "template"],
                "spec.template.jobTemplate.spec.template.spec",
            ),
            ("keda.sh", "ScaledJob") => (&["spec", "jobTargetRef", "template"], "spec.jobTargetRef.template.spec"),
            ("leaderworkerset.x-k8s.io", "LeaderWorkerSet") => {
                (&["spec", "leaderWorkerTemplate", "workerTemplate"], "spec.leaderWorkerTemplate.workerTemplate.spec")
            }
            _ => return None,
        };
        Some(TemplatePlace { keys, path })
    }

    /// At a path that a configuration names, `spec.template`; it lives as long as the process, as the kinds above do.
    pub fn at(path: &str) -> TemplatePlace {
        let path: &'static str = Box::leak(format!("{path}.spec").into_boxed_str());
        let mut keys: Vec<&'static str> = path.split('.').collect();
        keys.pop();
        TemplatePlace { keys: Vec::leak(keys), path }
    }

    /// Path of the template.
    pub fn path(&self) -> &'static str {
        self.path.strip_suffix(".spec").unwrap_or_default()
    }

    /// The template in an object; `None` where it is missing.
    pub fn template<'a>(&self, root: View<'a>) -> Option<PodTemplate<'a>> {
        let template = root.at(self.keys)?;
        let spec = template.get("spec").filter(|spec| spec.is_map())?;
        Some(PodTemplate { metadata: template.get("metadata"), spec, path: self.path })
    }
}

impl<'a> PodTemplate<'a> {
    pub fn labels(&self) -> Labels<'a> {
        labels(self.metadata.and_then(|metadata| metadata.get("labels")))
    }

    /// All containers: init, main, ephemeral, in the order the kubelet sees them.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let list = |key, role| self.spec.list(key).filter(|c| c.is_map()).map(move |view| Container { role, view });
        list("initContainers", ContainerRole::Init)
            .map(|container| match container.view.get_str("restartPolicy") {
                Some("Always") => Container { role: ContainerRole::Sidecar, ..container },
                _ => container,
            })
            .chain(list("containers", ContainerRole::Main))
            .chain(list("ephemeralContainers", ContainerRole::Ephemeral))
    }
}

/// A map of strings; entries of other types are left out.
pub fn labels(view: Option<View<'_>>) -> Labels<'_> {
    let fields = view.into_iter().flat_map(View::fields);
    fields.filter_map(|(key, value)| Some((key, value.str()?))).collect()
}

/// A reference from a pod to an object in its namespace.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// `ConfigMap`, `Secret`, `PersistentVolumeClaim`, `ServiceAccount`.
    pub kind: &'static str,
    /// The node that holds the name.
    pub name: View<'a>,
    /// The nodes of keys that are read, each with whether it must exist.
    pub key: Option<View<'a>>,
    pub optional: bool,
}

impl<'a> PodTemplate<'a> {
    /// ConfigMaps and Secrets that containers and volumes read; a key stands in a reference of its own.
    pub fn config_references(&self) -> Vec<Reference<'a>> {
        let mut found = Vec::new();
        for container in self.containers() {
            for env in container.view.list("env") {
                let Some(source) = env.get("valueFrom") else { continue };
                add(&mut found, source.get("configMapKeyRef"), "ConfigMap", "name");
                add(&mut found, source.get("secretKeyRef"), "Secret", "name");
            }
            for env_from in container.view.list("envFrom") {
                add(&mut found, env_from.get("configMapRef"), "ConfigMap", "name");
                add(&mut found, env_from.get("secretRef"), "Secret", "name");
            }
        }
        for volume in self.spec.list("volumes") {
            add(&mut found, volume.get("configMap"), "ConfigMap", "name");
            add(&mut found, volume.get("secret"), "Secret", "secretName");
            for source in volume.get("projected").into_iter().flat_map(|projected| projected.list("sources")) {
                add(&mut found, source.get("configMap"), "ConfigMap", "name");
                add(&mut found, source.get("secret"), "Secret", "name");
            }
        }
        found
    }
}

fn add<'a>(found: &mut Vec<Reference<'a>>, source: Option<View<'a>>, kind: &'static str, name_key: &str) {
    let Some(source) = source else { return };
    let Some(name) = source.get(name_key).filter(|name| name.str().is_some_and(|name| !name.is_empty())) else {
        return;
    };
    let optional = source.get_bool("optional");
    let items = source.list("items").filter_map(|item| item.get("key"));
    let keys: Vec<View<'a>> = source.get("key").into_iter().chain(items).collect();
    found.push(Reference { kind, name, key: None, optional });
    found.extend(keys.into_iter().map(|key| Reference { kind, name, key: Some(key), optional }));
}

/// Whether a plain selector (a map of labels) selects these labels; an empty one selects nothing.
pub fn map_selects(selector: View<'_>, labels: &Labels<'_>) -> bool {
    !selector.is_empty()
        && selector.fields().all(|(key, value)| value.str().is_some_and(|value| labels.get(key) == Some(&value)))
}

/// Whether a `LabelSelector` selects these labels; an empty one selects everything.
pub fn selector_selects(selector: View<'_>, labels: &Labels<'_>) -> bool {
    let by_label = selector.get("matchLabels").is_none_or(|map| map.is_empty() || map_selects(map, labels));
    by_label && selector.list("matchExpressions").all(|expression| expression_holds(expression, labels))
}

fn expression_holds(expression: View<'_>, labels: &Labels<'_>) -> bool {
    let value = expression.get_str("key").and_then(|key| labels.get(key));
    let listed = || value.is_some_and(|value| expression.list("values").any(|item| item.str() == Some(value)));
    match expression.get_str("operator") {
        Some("In") => listed(),
        Some("NotIn") => !listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}
