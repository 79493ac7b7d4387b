//! Whether NetworkPolicies of the set leave the ways open that its own Ingresses, Services and variables need.

use std::collections::BTreeSet;

use super::Cx;
use super::index::{Existence, Workload};
use crate::diag::Related;
use crate::model::ObjectId;
use crate::model::pod::{Labels, labels, map_selects, selector_selects};
use crate::yaml::View;

/// Kinds of policies beside NetworkPolicy, which may open what those close.
const OTHERS: [&str; 7] = [
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
    "CiliumClusterwideNetworkPolicy",
    "CiliumNetworkPolicy",
    "ClusterNetworkPolicy",
    "GlobalNetworkPolicy",
    "AuthorizationPolicy",
];

/// Words in names of programs that pass on what comes from outside.
const PROXIES: [&str; 12] = [
    "ambassador",
    "contour",
    "controller",
    "edge",
    "envoy",
    "gateway",
    "haproxy",
    "ingress",
    "kong",
    "nginx",
    "proxy",
    "traefik",
];

/// Who wants in.
enum Source<'a> {
    /// From outside of the cluster, through a controller in a namespace that is not known.
    Outside,
    Pod {
        namespace: &'a str,
        labels: &'a Labels<'a>,
    },
}

/// A port of a Service, at its pods.
struct Port<'a> {
    namespace: &'a str,
    number: i64,
    protocol: &'a str,
    /// How a container names it.
    names: BTreeSet<&'a str>,
}

/// A policy over a pod, in one direction.
#[derive(Clone, Copy)]
struct Policy<'a> {
    /// `None` for one of the cluster.
    id: Option<ObjectId>,
    root: View<'a>,
}

pub(super) fn networkpolicy_blocks_path(cx: &mut Cx<'_>) {
    if !has_policies(cx) {
        return;
    }
    match cx.object.kind.as_str() {
        "Ingress" => ingress(cx),
        "Service" => load_balancer(cx),
        _ => client(cx),
    }
}

/// Whether the set has policies, and of no other sort.
fn has_policies(cx: &Cx<'_>) -> bool {
    let of_kind = cx.index.of_kind(cx.object, "NetworkPolicy");
    !of_kind.is_empty()
        && of_kind.iter().all(|id| cx.bundle.object(*id).group() == "networking.k8s.io")
        && OTHERS.iter().all(|kind| cx.index.of_kind(cx.object, kind).is_empty())
        && !cx.index.is_open(cx.object, "NetworkPolicy")
}

/// The policies over pods with these labels in a direction, `Ingress` or `Egress`.
fn policies<'a>(cx: &Cx<'a>, namespace: &str, labels: &Labels<'_>, direction: &str) -> Vec<Policy<'a>> {
    let of_set = cx.index.of_kind(cx.object, "NetworkPolicy").iter();
    let of_set = of_set.map(|id| (Some(*id), cx.bundle.object(*id), cx.bundle.full(*id)));
    let live = cx.index.live.of_kind("NetworkPolicy").iter().map(|live| (None, live.object, live.root));
    let here = of_set.chain(live).filter(|(_, object, _)| object.namespace.as_deref() == Some(namespace));
    let about = here.filter(|(.., root)| {
        let spec = root.get("spec");
        let is_about = spec.is_some_and(|spec| spec.list("policyTypes").any(|type_| type_.str() == Some(direction)));
        is_about
            && spec.and_then(|spec| spec.get("podSelector")).is_none_or(|selector| selector_selects(selector, labels))
    });
    about.map(|(id, _, root)| Policy { id, root }).collect()
}

/// Whether a rule is for a port.
fn is_for(rule: View<'_>, port: &Port<'_>) -> bool {
    let Some(ports) = rule.get("ports").filter(|ports| !ports.is_empty()) else { return true };
    ports.items().any(|allowed| {
        let (first, last) = (allowed.get("port"), allowed.get_int("endPort"));
        let meant = match first.and_then(View::int) {
            Some(first) => first <= port.number && port.number <= last.unwrap_or(first),
            None => first.and_then(View::str).is_none_or(|name| port.names.contains(name)),
        };
        meant && allowed.get_str("protocol").unwrap_or("TCP") == port.protocol
    })
}

/// Whether a selector of namespaces selects one; one whose labels are not known may be.
fn selects_namespace(cx: &Cx<'_>, selector: View<'_>, namespace: &str) -> bool {
    const NAME: &str = "kubernetes.io/metadata.name";
    let root = match cx.index.find_in(cx.object, "Namespace", "", namespace) {
        Existence::Found(id) => cx.bundle.full(id),
        Existence::Live(root) => root,
        _ => {
            let own = Labels::from([(NAME, namespace)]);
            let mut keys = selector.map("matchLabels").map(|(key, _)| key);
            let by_name = keys.all(|key| key == NAME) && selector.list("matchExpressions").len() == 0;
            return !by_name || selector_selects(selector, &own);
        }
    };
    let mut own = labels(root.at(&["metadata", "labels"]));
    own.insert(NAME, namespace);
    selector_selects(selector, &own)
}

/// Whether a peer of a rule is a pod of a namespace.
fn is_pod(cx: &Cx<'_>, peer: View<'_>, own: &str, (namespace, labels): (&str, &Labels<'_>)) -> bool {
    let in_place = match peer.get("namespaceSelector") {
        Some(selector) => selects_namespace(cx, selector, namespace),
        None => namespace == own,
    };
    in_place && peer.get("podSelector").is_none_or(|selector| selector_selects(selector, labels))
}

/// Whether a peer may be what comes from outside: an address, a controller in another namespace, or one in this namespace
/// that looks like it or is not seen.
fn may_be_outside(cx: &Cx<'_>, peer: View<'_>, own: &str) -> bool {
    let Some(selector) = peer.get("podSelector").filter(|_| peer.get("namespaceSelector").is_none()) else {
        return true;
    };
    let selected = |workload: &&Workload<'_>| selector_selects(selector, &workload.labels);
    let mut selected = cx.index.workloads_in(cx.object, own).iter().filter(selected).peekable();
    let looks_like_it = |workload: &Workload<'_>| {
        let images = workload.template.containers().filter_map(|container| container.view.get_str("image"));
        let names = images.chain([cx.bundle.object(workload.id).name.as_str()]);
        names.into_iter().any(|name| PROXIES.iter().any(|word| name.contains(word)))
    };
    selected.peek().is_none() || selected.any(looks_like_it)
}

/// The first of the policies over a pod, where none of them lets a source in on a port.
fn closed_in<'a>(cx: &Cx<'a>, target: &Workload<'_>, port: &Port<'_>, source: &Source<'_>) -> Option<Policy<'a>> {
    let all = policies(cx, port.namespace, &target.labels, "Ingress");
    let lets_in = |peer: View<'_>| {
        peer.get("ipBlock").is_some()
            || match source {
                Source::Outside => may_be_outside(cx, peer, port.namespace),
                Source::Pod { namespace, labels } => is_pod(cx, peer, port.namespace, (*namespace, *labels)),
            }
    };
    let opens = |rule: View<'_>| {
        let from = rule.get("from").filter(|from| !from.is_empty());
        is_for(rule, port) && from.is_none_or(|from| from.items().any(&lets_in))
    };
    let open = all.iter().any(|policy| policy.root.get("spec").is_some_and(|spec| spec.list("ingress").any(&opens)));
    all.first().copied().filter(|_| !open)
}

/// The first of the policies over a client, where none of them lets it out to pods on a port.
fn closed_out<'a>(
    cx: &Cx<'a>,
    (namespace, labels): (&str, &Labels<'_>),
    target: &Workload<'_>,
    port: &Port<'_>,
) -> Option<Policy<'a>> {
    let all = policies(cx, namespace, labels, "Egress");
    let lets_out =
        |peer: View<'_>| peer.get("ipBlock").is_some() || is_pod(cx, peer, namespace, (port.namespace, &target.labels));
    let opens = |rule: View<'_>| {
        let to = rule.get("to").filter(|to| !to.is_empty());
        is_for(rule, port) && to.is_none_or(|to| to.items().any(&lets_out))
    };
    let open = all.iter().any(|policy| policy.root.get("spec").is_some_and(|spec| spec.list("egress").any(&opens)));
    all.first().copied().filter(|_| !open)
}

/// The pods behind a Service, those on the network of their node apart, which no policy is for.
fn targets<'s, 'a>(cx: &Cx<'a>, namespace: &'s str, service: View<'_>) -> Vec<&'s Workload<'a>>
where
    'a: 's,
{
    let Some(selector) = service.at(&["spec", "selector"]) else { return Vec::new() };
    let all = cx.index.workloads_in(cx.object, namespace).iter();
    let selected: Vec<&Workload<'_>> = all.filter(|workload| map_selects(selector, &workload.labels)).collect();
    match selected.iter().any(|workload| workload.template.spec.get_bool("hostNetwork")) {
        true => Vec::new(),
        false => selected,
    }
}

/// A port of a Service at one of its pods; `None` where that is not known.
fn at_pod<'a>(namespace: &'a str, port: View<'a>, target: &Workload<'a>) -> Option<Port<'a>> {
    let aimed = port.get("targetPort").or_else(|| port.get("port"))?;
    let protocol = port.get_str("protocol").unwrap_or("TCP");
    let declared: Vec<View<'_>> =
        target.template.containers().flat_map(|container| container.view.list("ports")).collect();
    let number = match aimed.int() {
        Some(number) => number,
        None => declared.iter().find(|port| port.get_str("name") == aimed.str())?.get_int("containerPort")?,
    };
    let same = declared.into_iter().filter(|port| port.get_int("containerPort") == Some(number));
    Some(Port { namespace, number, protocol, names: same.filter_map(|port| port.get_str("name")).collect() })
}

/// The policy that closes a port of a Service to a source, at every pod behind it.
fn closes<'a>(
    cx: &Cx<'a>,
    namespace: &str,
    service: View<'a>,
    port: View<'a>,
    source: &Source<'_>,
) -> Option<Policy<'a>> {
    let mut found = None;
    for target in targets(cx, namespace, service) {
        let port = at_pod(namespace, port, target)?;
        let closed = closed_in(cx, target, &port, source).or_else(|| match source {
            Source::Pod { namespace, labels } => closed_out(cx, (*namespace, *labels), target, &port),
            Source::Outside => None,
        });
        found = found.or(Some(closed?));
    }
    found
}

/// Services behind an Ingress whose pods let nothing in that comes from elsewhere.
fn ingress(cx: &mut Cx<'_>) {
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let Some(spec) = cx.root.get("spec") else { return };
    let paths = spec.list("rules").filter_map(|rule| rule.get("http")).flat_map(|http| http.list("paths"));
    let backends = paths.filter_map(|path| path.get("backend")).chain(spec.get("defaultBackend"));
    for service in backends.filter_map(|backend| backend.get("service")).collect::<Vec<_>>() {
        let Some(name) = service.get("name") else { continue };
        let Existence::Found(id) = cx.index.find(cx.object, "Service", name.str().unwrap_or_default()) else {
            continue;
        };
        let root = cx.bundle.full(id);
        let wanted = service.get("port");
        let is_meant = |port: &View<'_>| {
            wanted.is_some_and(|wanted| match wanted.get_int("number") {
                Some(number) => port.get_int("port") == Some(number),
                None => port.get_str("name") == wanted.get_str("name"),
            })
        };
        let Some(port) = root.get("spec").and_then(|spec| spec.list("ports").find(is_meant)) else { continue };
        if let Some(policy) = closes(cx, &namespace, root, port, &Source::Outside) {
            let text = name.str().unwrap_or_default();
            let message = format!("what comes in here is not let through to the pods of Service `{text}`");
            let help = "add a rule whose `from` has the controller's namespace (namespaceSelector)";
            told(cx, name, message, policy, help);
        }
    }
}

fn load_balancer(cx: &mut Cx<'_>) {
    let Some(type_) = cx.root.at(&["spec", "type"]).filter(|type_| type_.str() == Some("LoadBalancer")) else { return };
    let namespace = cx.object.namespace.clone().unwrap_or_default();
    let ports: Vec<View<'_>> = cx.root.get("spec").into_iter().flat_map(|spec| spec.list("ports")).collect();
    let root = cx.root;
    let closed = ports.into_iter().map(|port| closes(cx, &namespace, root, port, &Source::Outside));
    // One port may be meant for the inside alone.
    let Some(Some(policy)) = closed.reduce(|one, other| one.and(other)) else { return };
    let help = "add a rule without `from`, or with the addresses that may come in (ipBlock)";
    told(cx, type_, "what comes from outside is not let through to the pods".to_owned(), policy, help);
}

/// Variables that name a Service of the set which the policies keep the pod from.
fn client(cx: &mut Cx<'_>) {
    let Some(template) = cx.template().filter(|template| !template.spec.get_bool("hostNetwork")) else { return };
    let (own, namespace) = (template.labels(), cx.object.namespace.clone().unwrap_or_default());
    let mut seen: BTreeSet<(ObjectId, i64)> = BTreeSet::new();
    let containers = template.containers().flat_map(|container| container.view.list("env"));
    for value in containers.filter_map(|variable| variable.get("value")).collect::<Vec<_>>() {
        for (host, number) in addresses(value.str().unwrap_or_default()) {
            let Some((id, there)) = service(cx, host, &namespace) else { continue };
            let root = cx.bundle.full(id);
            let is_own = root.at(&["spec", "selector"]).is_some_and(|selector| map_selects(selector, &own));
            let mut ports = root.get("spec").into_iter().flat_map(|spec| spec.list("ports"));
            let Some(port) = ports.find(|port| port.get_int("port") == Some(number)).filter(|_| !is_own) else {
                continue;
            };
            if !seen.insert((id, number)) {
                continue;
            }
            let source = Source::Pod { namespace: &namespace, labels: &own };
            if let Some(policy) = closes(cx, there, root, port, &source) {
                let message = format!("the policies let nothing through from these pods to `{host}:{number}`");
                let help =
                    "let these pods out and in: `egress` of this side, `ingress` of the other, with the pods' port";
                told(cx, value, message, policy, help);
            }
        }
    }
}

/// The Service of the set that a name means, with its namespace.
fn service<'t>(cx: &Cx<'_>, host: &'t str, own: &'t str) -> Option<(ObjectId, &'t str)> {
    let (name, rest) = host.split_once('.').unwrap_or((host, ""));
    let namespace = rest.strip_suffix(".svc.cluster.local").or(rest.strip_suffix(".svc")).unwrap_or(rest);
    let namespace = if namespace.is_empty() { own } else { namespace };
    match cx.index.find_in(cx.object, "Service", namespace, name) {
        Existence::Found(id) => Some((id, namespace)),
        _ => None,
    }
}

/// Hosts with ports in a text: `http://web:80/path`, `a:1,b:2`.
fn addresses(text: &str) -> impl Iterator<Item = (&str, i64)> {
    let parts = text.split([',', ';', ' ', '=', '"']).filter(|part| part.contains(':'));
    parts.filter_map(|part| {
        let part = part.split_once("://").map_or(part, |(_, rest)| rest);
        let part = part.split(['/', '?']).next()?;
        let part = part.rsplit_once('@').map_or(part, |(_, rest)| rest);
        let (host, port) = part.rsplit_once(':')?;
        Some((host.trim_end_matches('.'), port.parse().ok()?))
    })
}

fn told<'a>(cx: &mut Cx<'a>, at: View<'a>, message: String, policy: Policy<'a>, help: &str) {
    let place = policy.id.map(|id| (cx.place_in(id, "spec.podSelector"), cx.bundle.object(id).title()));
    let diagnostic = cx.report(at, message);
    diagnostic.help = Some(help.to_owned());
    let related = place.map(|((file, span), title)| Related { file, span, message: format!("{title} closes it") });
    diagnostic.related.extend(related);
}
