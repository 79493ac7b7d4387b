//! Rules on workloads against each other.

use super::Cx;
use super::pod::containers;
use super::rollout::{has_service, replicas};
use crate::diag::Related;
use crate::model::pod::selector_selects;
use crate::yaml::View;

/// Controllers that adopt pods by their selector.
fn is_controller(kind: &str) -> bool {
    matches!(kind, "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
}

/// Two controllers of one namespace, each of which selects the other's pods.
pub(super) fn workload_selector_overlap(cx: &mut Cx<'_>) {
    if !is_controller(&cx.object.kind) {
        return;
    }
    let (Some(selector), Some(template)) = (selector(cx.root), cx.template()) else { return };
    let labels = template.labels();
    let likely = cx.index.with_label(cx.object, selector.get("matchLabels"));
    for other in likely.into_iter().filter(|other| other.id < cx.id) {
        let object = cx.bundle.object(other.id);
        if !is_controller(&object.kind) || object.key() == cx.object.key() {
            continue;
        }
        let Some(theirs) = self::selector(cx.bundle.full(other.id)) else { continue };
        if !selector_selects(selector, &other.labels) || !selector_selects(theirs, &labels) {
            continue;
        }
        let title = object.title();
        let (file, span) = cx.place_in(other.id, "spec.selector");
        let message = format!("this selector also selects the pods of {title}, and that one selects these");
        let diagnostic = cx.report_field("spec.selector".to_owned(), message);
        diagnostic.help =
            Some("add a label to one of the two selectors and to its pods that the other lacks".to_owned());
        diagnostic.related.push(Related { file, span, message: format!("the selector of {title}") });
        return;
    }
}

/// A selector that selects something; the API refuses an empty one.
fn selector(root: View<'_>) -> Option<View<'_>> {
    let selector = root.at(&["spec", "selector"])?;
    let is_empty = ["matchLabels", "matchExpressions"].iter().all(|key| selector.get(key).is_none_or(View::is_empty));
    (!is_empty).then_some(selector)
}

/// A hook of Helm or of Argo CD: it runs once and goes.
pub(super) fn is_hook(root: View<'_>) -> bool {
    let annotations = root.at(&["metadata", "annotations"]);
    annotations.is_some_and(|all| all.get("helm.sh/hook").is_some() || all.get("argocd.argoproj.io/hook").is_some())
}

pub(super) fn naked_pod(cx: &mut Cx<'_>) {
    if is_hook(cx.root) || cx.bundle.is_controlled(cx.id) {
        return;
    }
    // A pod that is to end is no service that should come back.
    if cx.root.at(&["spec", "restartPolicy"]).and_then(View::str).is_some_and(|policy| policy != "Always") {
        return;
    }
    let message = "nothing brings the pod back when its node is gone";
    let help = "put it into the template of a Deployment, StatefulSet or Job";
    cx.report_field("kind".to_owned(), message).help = Some(help.to_owned());
}

pub(super) fn replicas_zero(cx: &mut Cx<'_>) {
    let Some(replicas) = cx.bundle.written(cx.id).at(&["spec", "replicas"]) else { return };
    if replicas.int() == Some(0) {
        let help = "give it replicas, or take the workload out of the manifests";
        cx.report_field("spec.replicas".to_owned(), "the workload runs no pod").help = Some(help.to_owned());
    }
}

/// The autoscalers of the set that scale the object.
fn is_scaled(cx: &Cx<'_>) -> bool {
    cx.index.scalers(cx.object, &cx.object.name).iter().any(|id| {
        let root = cx.bundle.full(*id);
        // KEDA means a Deployment where it names no kind; a VPA changes no number.
        root.at(&["spec", "scaleTargetRef"])
            .is_some_and(|target| target.get_str("kind").is_none_or(|kind| kind == cx.object.kind))
    })
}

pub(super) fn replicas_single(cx: &mut Cx<'_>) {
    let least = cx.params.int("min").unwrap_or_default();
    let Some(pods) = replicas(&cx.object.kind, cx.root).filter(|pods| (1..least).contains(pods)) else { return };
    if is_scaled(cx) || !has_service(cx) {
        return;
    }
    let message = match pods {
        1 => "one pod serves all traffic: none does while it moves".to_owned(),
        pods => format!("{pods} pods serve all traffic, and kplan.yaml asks for {least}"),
    };
    cx.report_field("spec.replicas".to_owned(), message).help = Some(format!("run at least {least}"));
}

pub(super) fn no_pod_spreading(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let least = cx.params.int("minReplicas").unwrap_or_default();
    if replicas(&cx.object.kind, cx.root).is_none_or(|replicas| replicas < least) {
        return;
    }
    let labels = template.labels();
    let affinity = template.spec.at(&["affinity", "podAntiAffinity"]);
    let required = affinity.into_iter().flat_map(|a| a.list("requiredDuringSchedulingIgnoredDuringExecution"));
    let preferred = affinity.into_iter().flat_map(|a| a.list("preferredDuringSchedulingIgnoredDuringExecution"));
    let terms = required.chain(preferred.filter_map(|term| term.get("podAffinityTerm")));
    let mut terms = terms.chain(template.spec.list("topologySpreadConstraints"));
    let selects =
        |term: View<'_>| term.get("labelSelector").is_some_and(|selector| selector_selects(selector, &labels));
    if terms.any(selects) {
        return;
    }
    let message = "all pods may share one node: nothing asks for them to be spread";
    let help = "add a topologySpreadConstraint over kubernetes.io/hostname that selects the pods";
    cx.report_key(template.spec, "containers", message).help = Some(help.to_owned());
}

/// A constraint that selects other pods than those that it stands in: it spreads nothing.
pub(super) fn spread_selector_mismatch(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let labels = template.labels();
    let help = "select labels of this pod template";
    for constraint in template.spec.list("topologySpreadConstraints") {
        let Some(selector) = constraint.get("labelSelector") else { continue };
        if !selector_selects(selector, &labels) {
            let message = "the constraint selects pods without the labels of this one, so it does not spread them";
            cx.report_key(constraint, "labelSelector", message).help = Some(help.to_owned());
        }
    }
}

/// A selector cannot be changed: with a label that changes at each release in it, the next release is refused.
pub(super) fn selector_volatile_label(cx: &mut Cx<'_>) {
    let Some(selector) = cx.root.at(&["spec", "selector"]) else { return };
    for (key, value) in selector.map("matchLabels").collect::<Vec<_>>() {
        let text = value.str().unwrap_or_default();
        let is_plain =
            !matches!(key, "version" | "chart") || text.contains('.') && text.bytes().any(|b| b.is_ascii_digit());
        if cx.params.has_like("labels", key) && is_plain {
            let message = format!("`{key}: {text}` changes with releases, and a selector cannot be changed");
            let help = "select by labels that stay, such as app.kubernetes.io/name and app.kubernetes.io/instance";
            cx.report(value, message).help = Some(help.to_owned());
        }
    }
}

/// A name from which the names of pods are made, which are host names too.
pub(super) fn derived_name_too_long(cx: &mut Cx<'_>) {
    const LONGEST: usize = 63;
    // The hash of the revision becomes a label with the name before it.
    let (added, what) = match cx.object.kind.as_str() {
        "StatefulSet" => (11, "its label controller-revision-hash"),
        _ => return,
    };
    let length = cx.object.name.len() + added;
    if length > LONGEST {
        let message = format!("no pod is created: {what} has {length} characters, and a label may have {LONGEST}");
        let help = format!("use a name of at most {} characters", LONGEST - added);
        cx.report_field("metadata.name".to_owned(), message).help = Some(help);
    }
}

/// On its node's network a pod resolves names as the node does, unless it says otherwise.
pub(super) fn hostnetwork_dns_policy(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let policy = template.spec.get_str("dnsPolicy").unwrap_or("ClusterFirst");
    let Some(network) = template.spec.get("hostNetwork").filter(|network| network.bool() == Some(true)) else { return };
    if policy == "ClusterFirst" {
        let message = "on the node's network names of Services do not resolve, because dnsPolicy is ClusterFirst";
        cx.report(network, message).help = Some("set `dnsPolicy: ClusterFirstWithHostNet`".to_owned());
    }
}

/// The ports of the node that the pods of an object take.
fn host_ports(cx: &Cx<'_>, template: &crate::model::pod::PodTemplate<'_>) -> Vec<(i64, String)> {
    let _ = cx;
    let ports = containers(template).into_iter().flat_map(|container| container.view.list("ports"));
    let taken = ports.filter_map(|port| {
        let number = port.get_int("hostPort").filter(|number| *number != 0)?;
        Some((number, port.get_str("protocol").unwrap_or("TCP").to_owned()))
    });
    taken.collect()
}

/// Two DaemonSets that both run on every node and take one port of it.
pub(super) fn host_port_conflict(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let everywhere =
        |spec: View<'_>| spec.get("nodeSelector").is_none() && spec.at(&["affinity", "nodeAffinity"]).is_none();
    let mine = host_ports(cx, &template);
    if mine.is_empty() || !everywhere(template.spec) {
        return;
    }
    for other in cx.index.of_kind(cx.object, "DaemonSet").iter().copied().take_while(|other| *other != cx.id) {
        let object = cx.bundle.object(other);
        let theirs = object.template(cx.bundle.full(other));
        let Some(theirs) = theirs.filter(|theirs| everywhere(theirs.spec) && object.key() != cx.object.key()) else {
            continue;
        };
        let ports = host_ports(cx, &theirs);
        let Some((port, protocol)) = mine.iter().find(|port| ports.contains(port)) else { continue };
        let title = object.title();
        let (file, span) = cx.place_in(other, "metadata.name");
        let message =
            format!("port {port}/{protocol} of every node is taken by {title}: the pods of one of them stay pending");
        let diagnostic = cx.report_field("metadata.name".to_owned(), message);
        diagnostic.help = Some("use another hostPort, or choose different nodes".to_owned());
        diagnostic.related.push(Related { file, span, message: "the other DaemonSet".to_owned() });
        return;
    }
}

pub(super) fn system_namespace(cx: &mut Cx<'_>) {
    // What belongs to a cluster names itself so.
    const ADDONS: [&str; 3] = ["k8s-app", "kubernetes.io/cluster-service", "tier"];
    let metadata = cx.bundle.written(cx.id).get("metadata");
    let written = metadata.and_then(|metadata| metadata.get_str("namespace"));
    let labels = metadata.and_then(|metadata| metadata.get("labels"));
    let is_addon = labels.is_some_and(|labels| ADDONS.iter().any(|label| labels.get(label).is_some()));
    let is_guest = written == Some("kube-system") && cx.template().is_some() && !is_addon;
    if let Some(namespace) = written.filter(|namespace| is_guest || cx.params.has_like("namespaces", namespace)) {
        let message = format!("namespace {namespace} belongs to Kubernetes");
        cx.report_field("metadata.namespace".to_owned(), message).help = Some("use a namespace of your own".to_owned());
    }
}

pub(super) fn default_namespace(cx: &mut Cx<'_>) {
    let written = cx.bundle.written(cx.id).at(&["metadata", "namespace"]).and_then(View::str);
    if written == Some("default") {
        let message = "namespace default is written: rights, quotas and policies of it hold for everything there";
        cx.report_field("metadata.namespace".to_owned(), message).help = Some("use a namespace of your own".to_owned());
    }
}
