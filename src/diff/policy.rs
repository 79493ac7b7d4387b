//! What may be done where others are concerned: fields that they own, and objects that can only be made anew.

use crate::model::is_like;

/// What becomes of a field that another manager owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Nothing is applied.
    #[default]
    Fail,
    /// The field is left as it is, and not sent.
    Leave,
    /// The field is taken.
    Force,
}

/// One entry of `conflicts:` in kplan.yaml; `*` in a text stands for any part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictRule {
    pub kind: String,
    /// The API server's path, keys of lists in brackets as it names them.
    pub path: String,
    pub manager: String,
    pub on: OnConflict,
}

/// What the command line and kplan.yaml say.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// For fields that no rule is about.
    pub on_conflict: OnConflict,
    /// The first that fits counts.
    pub rules: Vec<ConflictRule>,
    /// Managers whose fields become kplan's, as those of kubectl do.
    pub take_over: Vec<String>,
    /// Kinds that may be made anew, besides those that [`is_free`] names.
    pub allow_replace: Vec<String>,
}

/// What `kubectl` is called in the record of an object, and how it wrote it, where that came from a manifest.
const APPLIERS: [(&str, &str); 4] = [
    ("kubectl-client-side-apply", "Update"),
    ("kubectl", "Apply"),
    ("kubectl-create", "Update"),
    ("kubectl-replace", "Update"),
];

impl Policy {
    /// What becomes of a field of an object of this kind.
    pub fn on_conflict(&self, kind: &str, path: &str, manager: &str) -> OnConflict {
        let path = path.trim_start_matches('.');
        let fits = |rule: &&ConflictRule| {
            is_like(&rule.kind, kind) && is_like(&rule.path, path) && is_like(&rule.manager, manager)
        };
        if let Some(rule) = self.rules.iter().find(fits) {
            return rule.on;
        }
        if is_injected(kind, path) && !APPLIERS.iter().any(|(applier, _)| *applier == manager) {
            return OnConflict::Leave;
        }
        if self.takes_over(manager) { OnConflict::Force } else { self.on_conflict }
    }

    /// Whether a manager's fields are taken over: kubectl's own names stand for the people who now use kplan.
    pub fn takes_over(&self, manager: &str) -> bool {
        manager.starts_with("kubectl")
            || manager == "before-first-apply"
            || self.take_over.iter().any(|name| is_like(name, manager))
    }

    /// Whether everything that an entry of `managedFields` lists was applied by a manager that kplan succeeds, so that
    /// what is no longer written goes away. What people changed by hand (`kubectl edit`, `kubectl scale`) is not.
    pub fn succeeds(&self, manager: &str, operation: &str) -> bool {
        APPLIERS.contains(&(manager, operation)) || self.take_over.iter().any(|name| is_like(name, manager))
    }

    /// Whether an object of this kind may be deleted and created again.
    pub fn may_replace(&self, kind: &str) -> bool {
        is_free(kind) || self.allow_replace.iter().any(|name| name.eq_ignore_ascii_case(kind))
    }
}

/// Whether a field holds the certificate authority of a webhook or API: what else but a manifest fills it in is a CA
/// injector, and to take it back would cut the connection.
fn is_injected(kind: &str, path: &str) -> bool {
    path.ends_with("clientConfig.caBundle") || kind == "APIService" && path == "spec.caBundle"
}

/// Kinds that are made anew without being named: nothing that serves goes down, and nothing is lost. The pods of a
/// StatefulSet run on meanwhile.
fn is_free(kind: &str) -> bool {
    const FREE: [&str; 13] = [
        "CSIDriver",
        "ClusterRoleBinding",
        "ConfigMap",
        "EndpointSlice",
        "IngressClass",
        "Job",
        "PriorityClass",
        "ResourceQuota",
        "RoleBinding",
        "RuntimeClass",
        "Secret",
        "StatefulSet",
        "StorageClass",
    ];
    FREE.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rule = |kind: &str, path: &str, manager: &str, on| ConflictRule {
            kind: kind.to_owned(),
            path: path.to_owned(),
            manager: manager.to_owned(),
            on,
        };
        let policy = Policy {
            rules: vec![
                rule("Deployment", "spec.replicas", "keda*", OnConflict::Leave),
                rule("*", "metadata.*", "*", OnConflict::Force),
            ],
            take_over: vec!["helm".to_owned()],
            ..Policy::default()
        };
        let on = |kind, path, manager| policy.on_conflict(kind, path, manager);
        assert_eq!(on("Deployment", ".spec.replicas", "keda-operator"), OnConflict::Leave);
        assert_eq!(on("Deployment", ".spec.replicas", "other"), OnConflict::Fail);
        assert_eq!(on("Service", ".metadata.labels.a", "other"), OnConflict::Force);
        assert_eq!(on("Service", ".spec.type", "helm"), OnConflict::Force);
        assert_eq!(on("Service", ".spec.type", "kubectl-edit"), OnConflict::Force);
        // What a CA injector filled in is its own; what kubectl applied is the manifest's.
        let ca = ".webhooks[name=\"a.example.com\"].clientConfig.caBundle";
        assert_eq!(on("ValidatingWebhookConfiguration", ca, "cainjector"), OnConflict::Leave);
        assert_eq!(on("ValidatingWebhookConfiguration", ca, "kubectl-patch"), OnConflict::Leave);
        assert_eq!(on("ValidatingWebhookConfiguration", ca, "kubectl-client-side-apply"), OnConflict::Force);
        assert_eq!(on("Service", ".spec.caBundle", "other"), OnConflict::Fail);
        assert!(policy.succeeds("helm", "Update") && !policy.succeeds("kubectl-edit", "Update"));
    }
}
