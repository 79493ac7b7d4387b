//! Changes that let someone in: rights, network policies, exposed services.

use std::collections::BTreeSet;

use super::state::Item;
use super::verdict::Verdict;
use crate::diff::{Change, Risk};
use crate::yaml::View;

/// How an update changes who may do or reach what.
pub(super) fn update(change: &Change, old: Item<'_>, new: Item<'_>) -> Verdict {
    match new.object.kind.as_str() {
        "Role" | "ClusterRole" => rules(old.view, new.view),
        "RoleBinding" | "ClusterRoleBinding" => subjects(old.view, new.view),
        "NetworkPolicy" => policy(old.view, new.view),
        "Service" => service(change, old.view, new.view),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => hooks(Some(old.view), new.view),
        "CustomResourceDefinition" => versions(old.view, new.view),
        _ => Verdict::default(),
    }
}

/// What a new object opens.
pub(super) fn create(new: Item<'_>) -> Verdict {
    let role = new.view.at(&["roleRef", "name"]).and_then(View::str);
    match new.object.kind.as_str() {
        "RoleBinding" | "ClusterRoleBinding" if role == Some("cluster-admin") => {
            Verdict::new(Risk::Widens, "gives its subjects every right (cluster-admin)")
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => hooks(None, new.view),
        _ => Verdict::default(),
    }
}

/// What the removal of an object opens.
pub(super) fn delete(old: Item<'_>) -> Option<Verdict> {
    let text = "opens the traffic that it held back from the pods it selects";
    (old.object.kind == "NetworkPolicy").then(|| Verdict::new(Risk::Widens, text))
}

/// One right: verb, API group and resource with its name, or a URL.
type Right<'a> = [&'a str; 4];

fn rights<'a>(role: View<'a>) -> Vec<Right<'a>> {
    fn texts<'a>(rule: View<'a>, key: &str) -> Vec<&'a str> {
        rule.list(key).filter_map(View::str).collect()
    }
    let mut all = Vec::new();
    for rule in role.list("rules") {
        let mut names = texts(rule, "resourceNames");
        if names.is_empty() {
            names.push("*");
        }
        for verb in texts(rule, "verbs") {
            all.extend(texts(rule, "nonResourceURLs").into_iter().map(|url| [verb, "url", url, "*"]));
            for group in texts(rule, "apiGroups") {
                for resource in texts(rule, "resources") {
                    all.extend(names.iter().map(|name| [verb, group, resource, name]));
                }
            }
        }
    }
    all
}

fn covers(have: &Right<'_>, want: &Right<'_>) -> bool {
    have.iter().zip(want).all(|(have, want)| *have == "*" || have == want)
}

fn rules(old: View<'_>, new: View<'_>) -> Verdict {
    let have = rights(old);
    let added = rights(new).iter().filter(|right| !have.iter().any(|have| covers(have, right))).map(shown).collect();
    let added: BTreeSet<String> = added;
    let selectors = old.at(&["aggregationRule"]).map(View::to_json) != new.at(&["aggregationRule"]).map(View::to_json);
    let mut verdict = Verdict::default();
    if !added.is_empty() || selectors {
        let text =
            if added.is_empty() { "aggregates other roles".to_owned() } else { format!("adds {}", listed(&added)) };
        verdict.add(Verdict::new(Risk::Widens, text));
    }
    let now = rights(new);
    let gone = have.iter().filter(|right| !now.iter().any(|now| covers(now, right))).map(shown);
    let gone: BTreeSet<String> = gone.collect();
    if !gone.is_empty() && !selectors {
        verdict.add(Verdict::new(Risk::Disruptive, format!("takes away {}", listed(&gone))));
    }
    verdict
}

/// `get pods`, `get secrets/token`.
fn shown(right: &Right<'_>) -> String {
    let [verb, _, resource, name] = right;
    if *name == "*" { format!("{verb} {resource}") } else { format!("{verb} {resource}/{name}") }
}

/// Webhooks that must answer before the server takes what they are about.
fn hooks(old: Option<View<'_>>, new: View<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let before: Vec<String> = old.into_iter().flat_map(|old| old.list("webhooks")).map(View::to_json).collect();
    for hook in new.list("webhooks").filter(|hook| !before.contains(&hook.to_json())) {
        if hook.get_str("failurePolicy").unwrap_or("Fail") != "Fail" {
            continue;
        }
        let resources = hook.list("rules").flat_map(|rule| rule.list("resources")).filter_map(View::str);
        let resources: BTreeSet<String> = resources.map(str::to_owned).collect();
        let service = hook.at(&["clientConfig", "service"]);
        let part = |key| service.and_then(|service| service.get_str(key)).unwrap_or_default();
        let name = match service {
            Some(_) => format!("Service {}/{}", part("namespace"), part("name")),
            None => "its URL".to_owned(),
        };
        let text = format!("{} are refused while {name} gives no answer (failurePolicy Fail)", listed(&resources));
        verdict.add(Verdict::new(Risk::Disruptive, text));
    }
    verdict
}

/// Versions of a custom kind that are served no more.
fn versions(old: View<'_>, new: View<'_>) -> Verdict {
    let served = |view: View<'_>| -> BTreeSet<String> {
        let versions = view.get("spec").into_iter().flat_map(|spec| spec.list("versions"));
        let served = versions.filter(|version| version.get_bool("served"));
        served.filter_map(|version| version.get_str("name")).map(str::to_owned).collect()
    };
    let gone: BTreeSet<String> = served(old).difference(&served(new)).cloned().collect();
    if gone.is_empty() {
        return Verdict::default();
    }
    Verdict::new(Risk::Disruptive, format!("{} served no more: clients that ask for it find nothing", listed(&gone)))
}

fn subjects(old: View<'_>, new: View<'_>) -> Verdict {
    let name = |subject: View<'_>| {
        let text = |key| subject.get_str(key).unwrap_or_default();
        let place = if text("namespace").is_empty() { String::new() } else { format!("{}/", text("namespace")) };
        format!("{} {place}{}", text("kind"), text("name"))
    };
    let have: BTreeSet<String> = old.list("subjects").map(name).collect();
    let added: BTreeSet<String> = new.list("subjects").map(name).filter(|subject| !have.contains(subject)).collect();
    let now: BTreeSet<String> = new.list("subjects").map(name).collect();
    let gone: BTreeSet<String> = have.difference(&now).cloned().collect();
    let role = new.at(&["roleRef", "name"]).and_then(View::str).unwrap_or_default();
    let mut verdict = Verdict::default();
    if !added.is_empty() {
        verdict.add(Verdict::new(Risk::Widens, format!("gives {role} to {}", listed(&added))));
    }
    if !gone.is_empty() {
        verdict.add(Verdict::new(Risk::Disruptive, format!("takes {role} from {}", listed(&gone))));
    }
    verdict
}

/// At most three, and how many more.
fn listed(items: &BTreeSet<String>) -> String {
    let mut text = items.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > 3 {
        text.push_str(&format!(" and {} more", items.len() - 3));
    }
    text
}

/// New rules, and directions that are not isolated any more, let more traffic through; so may another selection.
fn policy(old: View<'_>, new: View<'_>) -> Verdict {
    let spec = |view: View<'_>, key: &str| -> BTreeSet<String> {
        view.get("spec").into_iter().flat_map(|spec| spec.list(key)).map(View::to_json).collect()
    };
    let grown = ["ingress", "egress"].iter().any(|key| !spec(new, key).is_subset(&spec(old, key)));
    let freed = !spec(old, "policyTypes").is_subset(&spec(new, "policyTypes"));
    let selector = |view: View<'_>| view.at(&["spec", "podSelector"]).map(View::to_json);
    if grown || freed {
        Verdict::new(Risk::Widens, "lets through traffic that was held back")
    } else if selector(old) != selector(new) {
        Verdict::new(Risk::Widens, "selects other pods; those it leaves are open")
    } else {
        Verdict::default()
    }
}

fn service(change: &Change, old: View<'_>, new: View<'_>) -> Verdict {
    let kind = |view: View<'_>| view.at(&["spec", "type"]).and_then(View::str).unwrap_or("ClusterIP").to_owned();
    let (before, after) = (kind(old), kind(new));
    let rank = |kind: &str| match kind {
        "NodePort" => 1,
        "LoadBalancer" => 2,
        _ => 0,
    };
    let mut verdict = Verdict::default();
    if before != after {
        let text = format!("type {before} → {after}");
        verdict.add(match (rank(&before), rank(&after)) {
            (low, high) if high > low => Verdict::new(Risk::Widens, format!("{text}: reachable from outside")),
            (low, high) if high < low => Verdict::new(Risk::Disruptive, format!("{text}: not reachable as before")),
            _ => Verdict::new(Risk::Disruptive, format!("{text}: the name leads elsewhere")),
        });
    }
    let touches = |part: &str| change.fields.iter().any(|field| field.path.starts_with(part));
    if touches("spec.externalIPs") && new.at(&["spec", "externalIPs"]).is_some() {
        verdict.add(Verdict::new(Risk::Widens, "answers on more addresses"));
    }
    if touches("spec.loadBalancerSourceRanges") {
        verdict.add(Verdict::new(Risk::Widens, "other clients may connect"));
    }
    if before == after && touches("spec.ports") {
        let gone = change.fields.iter().any(|field| field.path.starts_with("spec.ports") && field.before.is_some());
        verdict.add(if gone {
            Verdict::new(Risk::Disruptive, "clients of the old ports lose them")
        } else {
            Verdict::safe("more ports")
        });
    }
    verdict
}
