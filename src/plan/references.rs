//! What an object needs to be there first, by name.

use super::state::Item;
use crate::yaml::View;

/// Something that must be applied before: kind, namespace (empty when cluster-scoped), name.
pub(super) type Need = (String, String, String);

/// Everything that an object names and that should be there before it.
pub(super) fn needs(item: &Item<'_>) -> Vec<Need> {
    let mut needs = Needs { namespace: item.namespace(), found: Vec::new() };
    let view = item.view;
    if let Some(template) = item.template() {
        needs.pod(template.spec);
        for reference in template.config_references() {
            needs.own(reference.kind, reference.name.str());
        }
    }
    match item.object.kind.as_str() {
        "StatefulSet" => needs.stateful_set(view),
        "PersistentVolumeClaim" => {
            needs.cluster("StorageClass", text(view, &["spec", "storageClassName"]));
            needs.cluster("PersistentVolume", text(view, &["spec", "volumeName"]));
        }
        "PersistentVolume" => needs.cluster("StorageClass", text(view, &["spec", "storageClassName"])),
        "RoleBinding" | "ClusterRoleBinding" => needs.binding(view),
        "Ingress" => needs.ingress(view),
        "HorizontalPodAutoscaler" => needs.target(view),
        // The token of an account is made only when the account is there.
        "Secret" if view.get_str("type") == Some("kubernetes.io/service-account-token") => {
            let account = text(view, &["metadata", "annotations", "kubernetes.io/service-account.name"]);
            needs.own("ServiceAccount", account);
        }
        "APIService" => needs.service(view.at(&["spec", "service"])),
        "ValidatingAdmissionPolicyBinding" => {
            needs.cluster("ValidatingAdmissionPolicy", text(view, &["spec", "policyName"]));
        }
        "MutatingAdmissionPolicyBinding" => {
            needs.cluster("MutatingAdmissionPolicy", text(view, &["spec", "policyName"]));
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            for hook in view.list("webhooks") {
                needs.service(hook.at(&["clientConfig", "service"]));
            }
        }
        _ => {}
    }
    needs.found.extend(depends_on(view));
    needs.found
}

struct Needs<'a> {
    namespace: &'a str,
    found: Vec<Need>,
}

fn text<'a>(view: View<'a>, keys: &[&str]) -> Option<&'a str> {
    view.at(keys).and_then(View::str)
}

impl Needs<'_> {
    fn add(&mut self, kind: &str, namespace: &str, name: Option<&str>) {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            self.found.push((kind.to_owned(), namespace.to_owned(), name.to_owned()));
        }
    }

    fn own(&mut self, kind: &str, name: Option<&str>) {
        self.add(kind, self.namespace, name);
    }

    fn cluster(&mut self, kind: &str, name: Option<&str>) {
        self.add(kind, "", name);
    }

    fn pod(&mut self, spec: View<'_>) {
        self.own("ServiceAccount", spec.get_str("serviceAccountName"));
        self.cluster("PriorityClass", spec.get_str("priorityClassName"));
        self.cluster("RuntimeClass", spec.get_str("runtimeClassName"));
        for secret in spec.list("imagePullSecrets") {
            self.own("Secret", secret.get_str("name"));
        }
        for volume in spec.list("volumes") {
            self.own("PersistentVolumeClaim", text(volume, &["persistentVolumeClaim", "claimName"]));
        }
        for claim in spec.list("resourceClaims") {
            self.own("ResourceClaim", claim.get_str("resourceClaimName"));
            self.own("ResourceClaimTemplate", claim.get_str("resourceClaimTemplateName"));
        }
    }

    fn stateful_set(&mut self, view: View<'_>) {
        self.own("Service", text(view, &["spec", "serviceName"]));
        for claim in view.get("spec").into_iter().flat_map(|spec| spec.list("volumeClaimTemplates")) {
            self.cluster("StorageClass", text(claim, &["spec", "storageClassName"]));
        }
    }

    fn binding(&mut self, view: View<'_>) {
        let name = text(view, &["roleRef", "name"]);
        match text(view, &["roleRef", "kind"]) {
            Some("Role") => self.own("Role", name),
            _ => self.cluster("ClusterRole", name),
        }
        for subject in view.list("subjects").filter(|subject| subject.get_str("kind") == Some("ServiceAccount")) {
            let namespace = subject.get_str("namespace").unwrap_or(self.namespace).to_owned();
            self.add("ServiceAccount", &namespace, subject.get_str("name"));
        }
    }

    fn ingress(&mut self, view: View<'_>) {
        let Some(spec) = view.get("spec") else { return };
        self.cluster("IngressClass", spec.get_str("ingressClassName"));
        self.own("Service", text(spec, &["defaultBackend", "service", "name"]));
        for path in spec.list("rules").flat_map(|rule| rule.get("http").into_iter().flat_map(|http| http.list("paths")))
        {
            self.own("Service", text(path, &["backend", "service", "name"]));
        }
        for tls in spec.list("tls") {
            self.own("Secret", tls.get_str("secretName"));
        }
    }

    fn target(&mut self, view: View<'_>) {
        if let Some(kind) = text(view, &["spec", "scaleTargetRef", "kind"]) {
            self.own(kind, text(view, &["spec", "scaleTargetRef", "name"]));
        }
    }

    fn service(&mut self, service: Option<View<'_>>) {
        if let Some(service) = service {
            self.add("Service", service.get_str("namespace").unwrap_or_default(), service.get_str("name"));
        }
    }
}

/// What the annotation `config.kubernetes.io/depends-on` (kpt, cli-utils) lists:
/// `GROUP/namespaces/NAMESPACE/KIND/NAME` or `GROUP/KIND/NAME`, with commas between them.
pub(super) fn depends_on(view: View<'_>) -> Vec<Need> {
    let list = text(view, &["metadata", "annotations", "config.kubernetes.io/depends-on"]).unwrap_or_default();
    let entry = |entry: &str| match entry.trim().split('/').collect::<Vec<_>>().as_slice() {
        [_, "namespaces", namespace, kind, name] => {
            Some(((*kind).to_owned(), (*namespace).to_owned(), (*name).to_owned()))
        }
        [_, kind, name] => Some(((*kind).to_owned(), String::new(), (*name).to_owned())),
        _ => None,
    };
    list.split(',').filter_map(entry).collect()
}
