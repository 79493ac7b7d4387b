//! Rules on roles, and on who holds them.

use super::Cx;
use super::index::Existence;
use super::references::nearest;
use crate::diag::{Severity, Tier};
use crate::yaml::View;

/// One rule of a role, in a form that is asked.
struct Grant<'a> {
    view: View<'a>,
    groups: Vec<&'a str>,
    resources: Vec<&'a str>,
    verbs: Vec<&'a str>,
    /// Whether it holds for objects of any name.
    any_name: bool,
}

fn grants<'a>(cx: &Cx<'a>) -> Vec<Grant<'a>> {
    // A role that is put together from others has no rules of its own, and the server's own roles are not the user's.
    let is_default = cx.root.at(&["metadata", "labels", "kubernetes.io/bootstrapping"]).is_some();
    let rules = cx.root.list("rules").filter(|_| !is_default);
    let texts = |rule: View<'a>, key: &str| rule.list(key).filter_map(View::str).collect::<Vec<&str>>();
    rules
        .map(|view| Grant {
            view,
            groups: texts(view, "apiGroups"),
            resources: texts(view, "resources"),
            verbs: texts(view, "verbs"),
            any_name: view.get("resourceNames").is_none_or(View::is_empty),
        })
        .collect()
}

impl<'a> Grant<'a> {
    /// Whether it is about a resource, by its own name: what `*` grants is another rule's to say.
    fn is_about(&self, group: &str, resource: &str) -> bool {
        (self.groups.contains(&group) || self.groups.contains(&"*")) && self.resources.contains(&resource)
    }

    fn may(&self, verbs: &[&'static str]) -> Vec<&'static str> {
        let all = self.verbs.contains(&"*");
        verbs.iter().copied().filter(|verb| all || self.verbs.contains(verb)).collect()
    }

    /// The item of `resources` with this text.
    fn resource(&self, resource: &str) -> View<'a> {
        self.view.list("resources").find(|item| item.str() == Some(resource)).unwrap_or(self.view)
    }
}

/// Reports the first of some resources that a grant gives some verbs on.
fn granted(cx: &mut Cx<'_>, resources: &[(&str, &str)], verbs: &[&'static str], why: &str, help: &str) {
    for grant in grants(cx) {
        let verbs = grant.may(verbs);
        let found = resources.iter().find(|(group, resource)| grant.is_about(group, resource));
        if let Some((_, resource)) = found.filter(|_| !verbs.is_empty()) {
            let message = format!("{} on {resource} {why}", verbs.join(", "));
            cx.report(grant.resource(resource), message).help = Some(help.to_owned());
        }
    }
}

pub(super) fn rbac_wildcard(cx: &mut Cx<'_>) {
    for grant in grants(cx) {
        for key in ["verbs", "resources", "apiGroups"] {
            let Some(star) = grant.view.list(key).find(|item| item.str() == Some("*")) else { continue };
            let message = format!("`*` under {key} grants what there is and whatever is added later");
            cx.report(star, message).help = Some(format!("list the {key} that are needed"));
            // One cause, one finding: the first star of a rule says it.
            break;
        }
    }
}

pub(super) fn rbac_secrets_read(cx: &mut Cx<'_>) {
    for grant in grants(cx).into_iter().filter(|grant| grant.any_name && grant.is_about("", "secrets")) {
        let verbs = grant.may(&["get", "list", "watch"]);
        if !verbs.is_empty() {
            let message = format!("{} on secrets reads every Secret in reach", verbs.join(", "));
            let help = "name the Secrets under resourceNames, or mount them";
            cx.report(grant.resource("secrets"), message).help = Some(help.to_owned());
        }
    }
}

pub(super) fn rbac_pod_create(cx: &mut Cx<'_>) {
    const MAKERS: [(&str, &str); 6] = [
        ("apps", "deployments"),
        ("apps", "daemonsets"),
        ("apps", "statefulsets"),
        ("apps", "replicasets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
    ];
    let why = "starts pods with any ServiceAccount of the namespace";
    for grant in grants(cx) {
        let maker = MAKERS.iter().find(|(group, resource)| grant.is_about(group, resource));
        let created = grant.may(&["create"]);
        let (resource, verbs) = match maker {
            _ if grant.is_about("", "pods") && !created.is_empty() => ("pods", created),
            // Who changes a template makes the pods that follow.
            Some((_, resource)) => (*resource, grant.may(&["create", "update", "patch"])),
            None => continue,
        };
        if !verbs.is_empty() {
            let message = format!("{} on {resource} {why}", verbs.join(", "));
            cx.report(grant.resource(resource), message).help = Some("grant it only to what deploys".to_owned());
        }
    }
}

pub(super) fn rbac_pod_exec(cx: &mut Cx<'_>) {
    const WAYS: [(&str, &str); 3] = [("", "pods/exec"), ("", "pods/attach"), ("", "pods/portforward")];
    let why = "reaches into every pod in reach, whatever it runs as";
    granted(cx, &WAYS, &["create", "get"], why, "grant it to people, for the time that they need it");
}

pub(super) fn rbac_escalation(cx: &mut Cx<'_>) {
    const RBAC: &str = "rbac.authorization.k8s.io";
    const OBJECTS: [&str; 4] = ["roles", "clusterroles", "rolebindings", "clusterrolebindings"];
    for grant in grants(cx) {
        let imitated = ["users", "groups", "serviceaccounts"]
            .into_iter()
            .find(|who| grant.is_about("", who) && grant.verbs.contains(&"impersonate") && grant.any_name);
        let object = OBJECTS.into_iter().find(|object| grant.is_about(RBAC, object));
        let raised = grant.may(&["escalate", "bind"]);
        let edited = grant.may(&["create", "update", "patch"]);
        let (place, message, is_held) = match (imitated, object) {
            (Some(who), _) => (who, format!("impersonate on {who} is to be anyone"), false),
            (None, Some(object)) if !raised.is_empty() => {
                (object, format!("{} on {object} is to take any right", raised.join(", ")), false)
            }
            (None, Some(object)) if !edited.is_empty() && grant.any_name => {
                let verbs = edited.join(", ");
                (object, format!("{verbs} on {object} is to hand out every right that it has itself"), true)
            }
            _ => continue,
        };
        let diagnostic = cx.report(grant.resource(place), message);
        diagnostic.help = Some("remove the verb, or name single objects under resourceNames".to_owned());
        // The API server lets nobody grant more than they have, so this is no more than a note.
        if is_held {
            (diagnostic.severity, diagnostic.tier) = (Some(Severity::Info), Some(Tier::Strict));
        }
    }
}

pub(super) fn rbac_nodes_proxy(cx: &mut Cx<'_>) {
    let why = "is the kubelet's API: it runs commands in every pod of every node";
    granted(
        cx,
        &[("", "nodes/proxy")],
        &["get", "create", "update", "patch", "delete"],
        why,
        "grant nodes/metrics, nodes/stats or nodes/log instead",
    );
}

pub(super) fn rbac_webhooks(cx: &mut Cx<'_>) {
    const GROUP: &str = "admissionregistration.k8s.io";
    let kinds = [(GROUP, "mutatingwebhookconfigurations"), (GROUP, "validatingwebhookconfigurations")];
    let why = "reads and changes what anyone sends to the API server";
    for grant in grants(cx).into_iter().filter(|grant| grant.any_name) {
        let verbs = grant.may(&["create", "update", "patch"]);
        if let Some((_, kind)) = kinds.iter().find(|(group, kind)| grant.is_about(group, kind) && !verbs.is_empty()) {
            let message = format!("{} on {kind} {why}", verbs.join(", "));
            let help = "name its own configurations under resourceNames";
            cx.report(grant.resource(kind), message).help = Some(help.to_owned());
        }
    }
}

pub(super) fn rbac_csr_approve(cx: &mut Cx<'_>) {
    const GROUP: &str = "certificates.k8s.io";
    let why = "issues certificates for any user and group";
    let kinds = [(GROUP, "certificatesigningrequests/approval")];
    granted(cx, &kinds, &["update", "patch"], why, "grant it to the approver alone");
    for grant in grants(cx).iter().filter(|grant| grant.is_about(GROUP, "signers") && grant.any_name) {
        if !grant.may(&["approve", "sign"]).is_empty() {
            let message = format!("approve or sign for every signer {why}");
            let help = "name the signers under resourceNames";
            cx.report(grant.resource("signers"), message).help = Some(help.to_owned());
        }
    }
}

pub(super) fn rbac_token_or_pv_create(cx: &mut Cx<'_>) {
    for grant in grants(cx).into_iter().filter(|grant| grant.any_name && !grant.may(&["create"]).is_empty()) {
        let (resource, message) = if grant.is_about("", "serviceaccounts/token") {
            ("serviceaccounts/token", "create on serviceaccounts/token is to be any ServiceAccount in reach")
        } else if grant.is_about("", "persistentvolumes") {
            ("persistentvolumes", "create on persistentvolumes mounts any path of any node, past Pod Security")
        } else {
            continue;
        };
        cx.report(grant.resource(resource), message).help =
            Some("grant it to the one controller that needs it".to_owned());
    }
}

/// The subjects of a binding.
fn subjects<'a>(cx: &Cx<'a>) -> Vec<View<'a>> {
    cx.root.list("subjects").collect()
}

/// Whether a binding is one of those that every cluster has.
fn is_servers_own(cx: &Cx<'_>) -> bool {
    cx.object.name.starts_with("system:")
        || cx.root.at(&["metadata", "labels", "kubernetes.io/bootstrapping"]).is_some()
}

/// Whether a role of the set grants every verb on everything.
fn amounts_to_admin(cx: &Cx<'_>, name: &str) -> bool {
    let Some(kind) = cx.root.at(&["roleRef", "kind"]).and_then(View::str) else { return false };
    let own = cx.object.namespace.as_deref().unwrap_or_default();
    let namespace = if kind == "Role" { own } else { "" };
    let Existence::Found(id) = cx.index.find_in(cx.object, kind, namespace, name) else { return false };
    let all = |rule: View<'_>, key: &str| rule.list(key).any(|item| item.str() == Some("*"));
    let is_all = |rule: View<'_>| ["apiGroups", "resources", "verbs"].iter().all(|key| all(rule, key));
    cx.bundle.full(id).list("rules").any(|rule| is_all(rule) && rule.get("resourceNames").is_none_or(View::is_empty))
}

pub(super) fn cluster_admin_binding(cx: &mut Cx<'_>) {
    let Some(role) = cx.root.at(&["roleRef", "name"]) else { return };
    let masters = subjects(cx).iter().any(|subject| subject.get_str("name") == Some("system:masters"));
    let name = role.str().unwrap_or_default();
    if is_servers_own(cx) || masters || (name != "cluster-admin" && !amounts_to_admin(cx, name)) {
        return;
    }
    let reach = if cx.object.kind == "RoleBinding" { "in its namespace" } else { "in the whole cluster" };
    let message = format!("{name} may do anything {reach}");
    cx.report(role, message).help = Some("bind a role with the rights that are needed".to_owned());
}

pub(super) fn bind_anonymous(cx: &mut Cx<'_>) {
    // Two roles are public by intent: discovery, and the health of the server.
    let role = cx.root.at(&["roleRef", "name"]).and_then(View::str).unwrap_or_default();
    if is_servers_own(cx) || role == "system:public-info-viewer" {
        return;
    }
    for name in subjects(cx).into_iter().filter_map(|subject| subject.get("name")) {
        let text = name.str().unwrap_or_default();
        if matches!(text, "system:anonymous" | "system:unauthenticated") {
            let message = format!("`{text}` is whoever reaches the API server, without any login");
            cx.report(name, message).help = Some("name users, groups or ServiceAccounts".to_owned());
        }
    }
}

pub(super) fn bind_system_group(cx: &mut Cx<'_>) {
    if is_servers_own(cx) {
        return;
    }
    for name in subjects(cx).into_iter().filter_map(|subject| subject.get("name")) {
        let message = match name.str() {
            Some("system:masters") => {
                "`system:masters` passes every check already, and its rights cannot be taken away"
            }
            Some("system:authenticated") => "`system:authenticated` is every user and every pod of the cluster",
            _ => continue,
        };
        cx.report(name, message).help = Some("name users, groups or ServiceAccounts".to_owned());
    }
}

pub(super) fn bind_default_sa(cx: &mut Cx<'_>) {
    for subject in subjects(cx) {
        if subject.get_str("kind") != Some("ServiceAccount") || subject.get_str("name") != Some("default") {
            continue;
        }
        let message = "every pod of the namespace that names no ServiceAccount gets these rights";
        let help = "give the workload a ServiceAccount of its own";
        cx.report_key(subject, "name", message).help = Some(help.to_owned());
    }
}

/// Roles that every cluster has, besides those that begin with `system:`.
const BUILT_IN: [&str; 4] = ["cluster-admin", "admin", "edit", "view"];

pub(super) fn role_ref_missing(cx: &mut Cx<'_>) {
    let Some(reference) = cx.root.get("roleRef") else { return };
    let (Some(kind), Some(name)) = (reference.get_str("kind"), reference.get("name")) else { return };
    let text = name.str().unwrap_or_default();
    let own = cx.object.namespace.as_deref().unwrap_or_default();
    let built_in = match kind {
        "ClusterRole" => BUILT_IN.contains(&text),
        _ => own == "kube-system" && text == "extension-apiserver-authentication-reader",
    };
    let built_in = built_in || text.starts_with("system:");
    if text.is_empty() || built_in || !matches!(kind, "Role" | "ClusterRole") {
        return;
    }
    let namespace = if kind == "Role" { cx.object.namespace.clone().unwrap_or_default() } else { String::new() };
    if cx.index.find_in(cx.object, kind, &namespace, text) != Existence::Missing {
        return;
    }
    let names = cx.index.names_in(cx.object, kind, &namespace);
    let help = match nearest(text, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add the {kind}, or name it under `assumeExists` in kplan.yaml"),
    };
    cx.report(name, format!("{kind} `{text}` is not {}, so this grants nothing", cx.index.place())).help = Some(help);
}

pub(super) fn rbac_subject_missing(cx: &mut Cx<'_>) {
    for subject in subjects(cx) {
        let Some(name) = subject.get("name").filter(|_| subject.get_str("kind") == Some("ServiceAccount")) else {
            continue;
        };
        let text = name.str().unwrap_or_default();
        let own = cx.object.namespace.as_deref().unwrap_or_default();
        let namespace = subject.get_str("namespace").unwrap_or(own);
        let elsewhere = namespace != own && !cx.index.has_namespace(cx.object, namespace);
        if text.is_empty() || text == "default" || elsewhere {
            continue;
        }
        if cx.index.find_in(cx.object, "ServiceAccount", namespace, text) != Existence::Missing {
            continue;
        }
        let names = cx.index.names_in(cx.object, "ServiceAccount", namespace);
        let help = match nearest(text, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add the ServiceAccount to namespace {namespace}, or correct the subject"),
        };
        let message = format!("ServiceAccount `{text}` is not {}, so nobody gets these rights", cx.index.place());
        cx.report(name, message).help = Some(help);
    }
}

pub(super) fn sa_field_deprecated(cx: &mut Cx<'_>) {
    // Defaults fill in either field from the other; what is written counts.
    let written = cx.bundle.written(cx.id);
    let Some(template) = cx.object.template(written) else {
        return;
    };
    let old = template.spec.get("serviceAccount").filter(|_| template.spec.get("serviceAccountName").is_none());
    if old.is_some() {
        cx.root = written;
        let message = "`serviceAccount` is the old name of serviceAccountName";
        let help = "rename the key to serviceAccountName";
        let key = template.spec.key_span("serviceAccount");
        let diagnostic = cx.report_key(template.spec, "serviceAccount", message);
        diagnostic.help = Some(help.to_owned());
        if let Some(span) = key {
            let edit = crate::diag::Edit { span, text: "serviceAccountName".to_owned() };
            diagnostic.fix = Some(crate::diag::Fix { safe: true, edits: vec![edit] });
        }
    }
}

pub(super) fn sa_token_secret(cx: &mut Cx<'_>) {
    let type_ = cx.root.get("type").filter(|type_| type_.str() == Some("kubernetes.io/service-account-token"));
    if let Some(type_) = type_ {
        let message = "a token Secret holds a login that never ends";
        let help = "let pods use their projected token, and others ask for one (`kubectl create token`)";
        cx.report(type_, message).help = Some(help.to_owned());
    }
}

/// A pod that mounts the token of an account to which nothing in the set gives any right.
pub(super) fn automount_token(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let name = template.spec.get_str("serviceAccountName").unwrap_or("default");
    let account = match cx.index.find(cx.object, "ServiceAccount", name) {
        Existence::Found(id) => Some(cx.bundle.full(id)),
        Existence::Live(view) => Some(view),
        _ => None,
    };
    let set = |of: View<'_>| of.get("automountServiceAccountToken").and_then(View::bool);
    let mounts = set(template.spec).or(account.and_then(set)).unwrap_or(true);
    if !mounts || cx.index.has_rights(cx.object, name) {
        return;
    }
    let message = format!("the token of ServiceAccount `{name}` is mounted, and nothing in the set gives it any right");
    let help = "set `automountServiceAccountToken: false` in the pod";
    let key = if template.spec.get("serviceAccountName").is_some() { "serviceAccountName" } else { "containers" };
    cx.report_key(template.spec, key, message).help = Some(help.to_owned());
}

/// The token is switched off, and a binding of the set gives the account rights that only a token can use.
pub(super) fn sa_token_needed(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let name = template.spec.get_str("serviceAccountName").unwrap_or("default");
    let Some(switch) = template.spec.get("automountServiceAccountToken") else { return };
    let projected = template.spec.list("volumes").filter_map(|volume| volume.get("projected"));
    let brings_own =
        projected.flat_map(|projected| projected.list("sources")).any(|s| s.get("serviceAccountToken").is_some());
    if switch.bool() != Some(false) || brings_own || name == "default" || !cx.index.has_rights(cx.object, name) {
        return;
    }
    let message = format!("no token is mounted, though a binding gives ServiceAccount `{name}` rights");
    let help = "mount the token, or remove the binding";
    cx.report(switch, message).help = Some(help.to_owned());
}

pub(super) fn default_sa_used(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let name = template.spec.get("serviceAccountName").and_then(View::str).unwrap_or_default();
    let account = template.spec.get("automountServiceAccountToken").and_then(View::bool);
    if matches!(name, "" | "default") && account != Some(false) {
        let key = if name.is_empty() { "containers" } else { "serviceAccountName" };
        let message = "the pod runs as ServiceAccount `default`, with whatever the namespace grants that";
        let help = "give it a ServiceAccount of its own, or set `automountServiceAccountToken: false`";
        cx.report_key(template.spec, key, message).help = Some(help.to_owned());
    }
}
