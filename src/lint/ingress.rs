//! Rules on Ingresses.

use super::Cx;
use super::index::Existence;
use crate::diag::Related;
use crate::model::ObjectId;
use crate::yaml::View;

fn spec_list<'a>(cx: &Cx<'a>, key: &str) -> Vec<View<'a>> {
    cx.root.get("spec").into_iter().flat_map(|spec| spec.list(key)).collect()
}

fn annotation<'a>(root: View<'a>, key: &str) -> Option<View<'a>> {
    root.at(&["metadata", "annotations"])?.get(key)
}

/// Whether a controller ends TLS by itself: its annotation names a certificate.
fn has_own_tls(cx: &Cx<'_>) -> bool {
    const KEYS: [&str; 6] = [
        "alb.ingress.kubernetes.io/certificate-arn",
        "alb.ingress.kubernetes.io/listen-ports",
        "ingress.gcp.kubernetes.io/pre-shared-cert",
        "networking.gke.io/managed-certificates",
        "nginx.ingress.kubernetes.io/ssl-passthrough",
        "traefik.ingress.kubernetes.io/router.tls",
    ];
    KEYS.iter().any(|key| annotation(cx.root, key).is_some())
}

pub(super) fn ingress_no_tls(cx: &mut Cx<'_>) {
    if spec_list(cx, "tls").is_empty() && !spec_list(cx, "rules").is_empty() && !has_own_tls(cx) {
        let message = "what is served here goes over the network in the clear";
        cx.report_field("spec".to_owned(), message).help = Some("add spec.tls with the hosts and a Secret".to_owned());
    }
}

/// Whether the host of a certificate is one that is served: the same, or one below `*.`.
fn serves(rule: &str, host: &str) -> bool {
    let below = |wild: &str, name: &str| {
        wild.strip_prefix("*.").is_some_and(|domain| name.split_once('.').is_some_and(|(_, rest)| rest == domain))
    };
    rule == host || below(host, rule) || below(rule, host)
}

pub(super) fn ingress_tls_host_mismatch(cx: &mut Cx<'_>) {
    let rules = spec_list(cx, "rules");
    let hosts: Vec<&str> =
        rules.iter().filter_map(|rule| rule.get_str("host")).filter(|host| !host.is_empty()).collect();
    // A rule without host serves any.
    if hosts.len() < rules.len() || hosts.is_empty() {
        return;
    }
    for tls in spec_list(cx, "tls") {
        for host in tls.list("hosts") {
            let text = host.str().unwrap_or_default();
            if hosts.iter().any(|rule| serves(rule, text)) {
                continue;
            }
            let help = match super::references::nearest(text, &hosts) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the rules serve {}", hosts.join(", ")),
            };
            cx.report(host, format!("no rule serves `{text}`, for which TLS is set up")).help = Some(help);
        }
    }
}

pub(super) fn ingress_wildcard_host(cx: &mut Cx<'_>) {
    for rule in spec_list(cx, "rules") {
        let host = rule.get_str("host").unwrap_or_default();
        if host.is_empty() || host.starts_with('*') {
            let shown = if host.is_empty() { "a rule without host".to_owned() } else { format!("`{host}`") };
            let message = format!("{shown} takes requests for names that others may want to serve");
            let key = if host.is_empty() { "http" } else { "host" };
            cx.report_key(rule, key, message).help = Some("name the hosts that are served".to_owned());
        }
    }
}

/// A TLS Secret that is not there or holds something else: the controller serves its own certificate, which no client
/// trusts.
pub(super) fn ingress_tls_secret_missing(cx: &mut Cx<'_>) {
    const MAKERS: [&str; 5] = [
        "cert-manager.io/issuer",
        "cert-manager.io/cluster-issuer",
        "certmanager.k8s.io/cluster-issuer",
        "certmanager.k8s.io/issuer",
        "kubernetes.io/tls-acme",
    ];
    if MAKERS.iter().any(|key| annotation(cx.root, key).is_some()) {
        return;
    }
    for tls in spec_list(cx, "tls") {
        let Some(name) = tls.get("secretName") else { continue };
        let text = name.str().unwrap_or_default();
        if text.is_empty() || super::references::is_produced(cx, "Secret", text) {
            continue;
        }
        let message = match cx.index.find(cx.object, "Secret", text) {
            Existence::Missing => format!("Secret `{text}` with the certificate is not {}", cx.index.place()),
            Existence::Found(id) => {
                let holder = cx.bundle.full(id);
                let has = |key: &str| ["data", "stringData"].iter().any(|data| holder.at(&[data, key]).is_some());
                if has("tls.crt") && has("tls.key")
                    || holder.get("data").is_none() && holder.get("stringData").is_none()
                {
                    continue;
                }
                format!("Secret `{text}` has no tls.crt and tls.key, so it is no certificate")
            }
            _ => continue,
        };
        let help = "add it as `type: kubernetes.io/tls`, or let cert-manager make it";
        cx.report(name, message).help = Some(help.to_owned());
    }
}

/// The class of an Ingress, by its field or by the older annotation.
fn class(root: View<'_>) -> &str {
    let old = || annotation(root, "kubernetes.io/ingress.class").and_then(View::str);
    root.at(&["spec", "ingressClassName"]).and_then(View::str).or_else(old).unwrap_or_default()
}

/// Host, path and kind of path of each route.
pub(super) fn routes(root: View<'_>) -> Vec<(String, String)> {
    let rules = root.get("spec").into_iter().flat_map(|spec| spec.list("rules")).enumerate();
    let paths = rules.flat_map(|(index, rule)| {
        let host = rule.get_str("host").unwrap_or_default();
        let paths = rule.get("http").into_iter().flat_map(|http| http.list("paths")).enumerate();
        paths.map(move |(place, path)| {
            let text = path.get_str("path").unwrap_or("/");
            let kind = path.get_str("pathType").unwrap_or_default();
            (format!("{host}{text} {kind}"), format!("spec.rules[{index}].http.paths[{place}]"))
        })
    });
    paths.collect()
}

pub(super) fn ingress_duplicate_route(cx: &mut Cx<'_>) {
    // Canaries and the minions of a master share their routes on purpose.
    let is_part = |root: View<'_>| {
        annotation(root, "nginx.ingress.kubernetes.io/canary").is_some()
            || annotation(root, "nginx.org/mergeable-ingress-type").is_some()
    };
    if is_part(cx.root) {
        return;
    }
    let mine = routes(cx.root);
    let mut told: Vec<ObjectId> = Vec::new();
    for (route, field) in mine {
        let rivals = cx.index.with_route(cx.object, &route).iter().copied().take_while(|id| *id != cx.id);
        let other = rivals.filter(|id| !told.contains(id)).find(|id| {
            let (object, root) = (cx.bundle.object(*id), cx.bundle.full(*id));
            object.key() != cx.object.key() && class(root) == class(cx.root) && !is_part(root)
        });
        let Some(other) = other else { continue };
        told.push(other);
        let object = cx.bundle.object(other);
        let theirs = routes(cx.bundle.full(other));
        let place = theirs.into_iter().find(|(same, _)| *same == route).map_or("spec".to_owned(), |(_, place)| place);
        let (shown, title) =
            (route.rsplit_once(' ').map_or(route.as_str(), |(shown, _)| shown).to_owned(), object.title());
        let (file, span) = cx.place_in(other, &format!("{place}.path"));
        let message = format!("{title} has the route {shown} too; which of the two gets a request is not said");
        let diagnostic = cx.report_field(format!("{field}.path"), message);
        diagnostic.help = Some("keep one of them, or change the host or path".to_owned());
        diagnostic.related.push(Related { file, span, message: "the same route".to_owned() });
    }
}

pub(super) fn ingress_class_ambiguous(cx: &mut Cx<'_>) {
    const KEY: &str = "ingressclass.kubernetes.io/is-default-class";
    let is_default = |root: View<'_>| annotation(root, KEY).and_then(View::str) == Some("true");
    if !is_default(cx.root) {
        return;
    }
    let mut others = cx.index.of_kind(cx.object, "IngressClass").iter().copied().take_while(|id| *id != cx.id);
    let Some(other) = others.find(|id| is_default(cx.bundle.full(*id)) && cx.bundle.object(*id).name != cx.object.name)
    else {
        return;
    };
    let message =
        format!("{} is the default already: an Ingress without class is refused then", cx.bundle.object(other).title());
    cx.report_field(format!("metadata.annotations[{KEY}]"), message).help = Some("keep one default".to_owned());
}

pub(super) fn ingress_nginx_snippet(cx: &mut Cx<'_>) {
    const ALLOWED: &str = "allow-snippet-annotations";
    if let Some(value) = cx.root.at(&["data", ALLOWED]).filter(|value| value.str() == Some("true")) {
        let message =
            "whoever may write an Ingress may write configuration of the controller, which reads every Secret";
        cx.report(value, message).help = Some("leave it out: snippets are off by default since 1.9".to_owned());
        return;
    }
    const SNIPPETS: [&str; 5] =
        ["configuration-snippet", "server-snippet", "auth-snippet", "modsecurity-snippet", "stream-snippet"];
    for snippet in SNIPPETS {
        let key = format!("nginx.ingress.kubernetes.io/{snippet}");
        if annotation(cx.root, &key).is_some() {
            let message =
                format!("`{snippet}` is configuration of the whole controller, with its rights on every Secret");
            let help = "use the annotation for what is wanted; snippets are off by default since 1.9 of the controller";
            cx.report_field(format!("metadata.annotations[{key}]"), message).help = Some(help.to_owned());
        }
    }
}

pub(super) fn ingress_nginx_retired(cx: &mut Cx<'_>) {
    let uses = cx.root.at(&["metadata", "annotations"]).into_iter().flat_map(View::fields);
    let first = uses.map(|(key, _)| key).find(|key| key.starts_with("nginx.ingress.kubernetes.io/"));
    if let Some(key) = first {
        let message = "ingress-nginx, which reads this annotation, has had no releases since March 2026";
        let help = "plan the move to Gateway API or to another controller";
        cx.report_field(format!("metadata.annotations[{key}]"), message).help = Some(help.to_owned());
    }
}
