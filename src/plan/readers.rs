//! Who reads a ConfigMap or Secret, and what becomes of the readers when it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::state::{Item, State, Workload};
use crate::yaml::View;

/// How an object is read: `env`, `envFrom`, `volume`, `subPath`, `pull`, `tls`.
type Ways = BTreeSet<&'static str>;

/// Everything that reads a ConfigMap or Secret, by its kind, namespace and name: titles (`Deployment/web`) and ways.
#[derive(Default)]
pub(super) struct Readers {
    by_object: HashMap<(&'static str, String, String), BTreeMap<String, Ways>>,
}

impl Readers {
    pub(super) fn new(state: &State<'_>) -> Readers {
        let mut readers = Readers::default();
        for workload in state.all_workloads() {
            readers.workload(workload);
        }
        for ingress in state.of_kind("Ingress") {
            for tls in ingress.view.get("spec").into_iter().flat_map(|spec| spec.list("tls")) {
                readers.add("Secret", &ingress, tls.get_str("secretName"), "tls");
            }
        }
        readers
    }

    fn add(&mut self, kind: &'static str, reader: &Item<'_>, name: Option<&str>, way: &'static str) {
        if let Some(name) = name {
            let key = (kind, reader.namespace().to_owned(), name.to_owned());
            self.by_object.entry(key).or_default().entry(reader.title()).or_default().insert(way);
        }
    }

    fn workload(&mut self, workload: &Workload<'_>) {
        let spec = workload.template.spec;
        for secret in spec.list("imagePullSecrets") {
            self.add("Secret", &workload.item, secret.get_str("name"), "pull");
        }
        for container in workload.template.containers().map(|container| container.view) {
            for env in container.list("env").filter_map(|env| env.get("valueFrom")) {
                self.either(workload, env, ["configMapKeyRef", "secretKeyRef"], "env");
            }
            for source in container.list("envFrom") {
                self.either(workload, source, ["configMapRef", "secretRef"], "envFrom");
            }
            for mount in container.list("volumeMounts") {
                let name = mount.get_str("name");
                let whole = mount.get("subPath").or_else(|| mount.get("subPathExpr")).is_none();
                for volume in spec.list("volumes").filter(|volume| name.is_some() && volume.get_str("name") == name) {
                    self.volume(workload, volume, if whole { "volume" } else { "subPath" });
                }
            }
        }
    }

    fn either(&mut self, workload: &Workload<'_>, source: View<'_>, keys: [&str; 2], way: &'static str) {
        for (kind, key) in ["ConfigMap", "Secret"].into_iter().zip(keys) {
            self.add(kind, &workload.item, source.get(key).and_then(|source| source.get_str("name")), way);
        }
    }

    fn volume(&mut self, workload: &Workload<'_>, volume: View<'_>, way: &'static str) {
        let text = |keys: [&str; 2]| volume.at(&keys).and_then(View::str);
        self.add("ConfigMap", &workload.item, text(["configMap", "name"]), way);
        self.add("Secret", &workload.item, text(["secret", "secretName"]), way);
        for source in volume.get("projected").into_iter().flat_map(|projected| projected.list("sources")) {
            self.either(workload, source, ["configMap", "secret"], way);
        }
    }

    /// One sentence on the readers of a ConfigMap or Secret. `restarts` tells whether a workload restarts anyway.
    pub(super) fn sentence(
        &self,
        (kind, namespace, name): (&'static str, &str, &str),
        restarts: &dyn Fn(&str) -> bool,
    ) -> String {
        let Some(found) = self.by_object.get(&(kind, namespace.to_owned(), name.to_owned())) else {
            return "nothing in the set reads it".to_owned();
        };
        let named = found.iter().map(|(title, ways)| {
            let ways: Vec<&str> = ways.iter().copied().collect();
            format!("{title} ({})", ways.join(", "))
        });
        let (restarting, others): (Vec<_>, Vec<_>) = found.iter().partition(|(title, _)| restarts(title));
        let ways: Ways = others.iter().flat_map(|(_, ways)| *ways).copied().collect();
        let restarting: Vec<&str> = restarting.iter().map(|(title, _)| title.as_str()).collect();
        let effect = if others.is_empty() { "restarts in this plan".to_owned() } else { effect(&ways, &restarting) };
        format!("read by {}: {effect}", named.collect::<Vec<_>>().join(", "))
    }
}

/// What becomes of readers that do not restart, beside those that do.
fn effect(ways: &Ways, restarting: &[&str]) -> String {
    if ways.iter().all(|way| *way == "tls" || *way == "pull") {
        return "taken up without a restart".to_owned();
    }
    let frozen = ways.iter().any(|way| ["env", "envFrom", "subPath"].contains(way));
    let some = format!("in this plan restarts only {}", restarting.join(" and "));
    let mut parts = vec![if restarting.is_empty() { "no pod restarts by itself" } else { some.as_str() }];
    if frozen && restarting.is_empty() {
        parts.push("variables and subPath files stay as they are until it does");
    } else if frozen {
        parts.push("the others keep their variables and subPath files until they do");
    }
    if ways.contains("volume") {
        parts.push("mounted files follow within about a minute");
    }
    parts.join(", ")
}
