//! The valid objects that cases start from.

use kplan::source::SourceText;
use kplan::yaml;
use serde_json::Value;

const CLUSTER: &str = include_str!("../bases/cluster.yaml");
const OTHERS: &str = include_str!("../bases/others.yaml");
const PODS: &str = include_str!("../bases/pods.yaml");
const WORKLOADS: &str = include_str!("../bases/workloads.yaml");

/// What has to exist before anything is asked.
pub(crate) fn cluster() -> Vec<Value> {
    documents(CLUSTER)
}

/// Every base object.
pub(crate) fn all() -> Vec<Value> {
    let specs = documents(PODS);
    let mut bases = documents(OTHERS);
    for workload in documents(WORKLOADS) {
        bases.extend(specs.iter().filter_map(|spec| filled(&workload, spec)));
    }
    bases
}

/// The objects of a stream, as kubectl reads it.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let file = yaml::read(&SourceText::from(text));
    let roots = file.documents.iter().filter_map(|document| document.root);
    roots.filter_map(|root| serde_json::from_str(&file.tree.view(root).to_json()).ok()).collect()
}

/// A workload with a pod spec in its place; nothing where the two do not go together.
fn filled(workload: &Value, spec: &Value) -> Option<Value> {
    let kind = workload["kind"].as_str()?;
    let place = match kind {
        "Pod" => "/spec",
        "PodTemplate" => "/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    };
    let mut spec = spec.clone();
    let fields = spec.as_object_mut()?;
    if matches!(kind, "Job" | "CronJob") {
        fields.insert("restartPolicy".to_owned(), "Never".into());
    } else if !matches!(kind, "Pod" | "PodTemplate") {
        fields.remove("activeDeadlineSeconds");
    }
    let mut object = workload.clone();
    *object.pointer_mut(place)? = spec;
    Some(object)
}
