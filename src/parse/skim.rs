//! What is read of a pod that a controller made: a cluster has them in thousands, each a copy of a template that is read.

/// Of a container: what it runs and how the kubelet watches over it.
const CONTAINER: [&str; 13] = [
    "args",
    "command",
    "env",
    "envFrom",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "securityContext",
    "startupProbe",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "volumeMounts",
];

/// Of the status of a container.
const STATUS: [&str; 5] = ["allocatedResourcesStatus", "containerID", "imageID", "user", "volumeMounts"];

/// Passes over what no stage asks of the pods of controllers in a list. A pod is known as one by its
/// `ownerReferences`, which an API server writes before the rest.
pub(super) fn pods() -> impl FnMut(&[&str], &str) -> bool {
    let (mut is_owned, mut all_pods) = (false, false);
    move |keys, value| match keys {
        ["kind"] => {
            all_pods = value.starts_with("\"PodList\"");
            false
        }
        ["items", "metadata"] => {
            is_owned = false;
            false
        }
        ["items", "metadata", "ownerReferences", "controller"] => {
            is_owned = value.starts_with("true");
            false
        }
        _ if !is_owned => false,
        ["items", "metadata", "managedFields"] => all_pods,
        ["items", "spec", "containers" | "initContainers", key] => CONTAINER.contains(key),
        ["items", "status", "containerStatuses" | "initContainerStatuses", key] => STATUS.contains(key),
        _ => false,
    }
}
