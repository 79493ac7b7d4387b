//! Changes that let someone in: rights, network policies, exposed services.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::judges;
use super::state::{Item, State};
use super::verdict::{Verdict, plural};
use crate::diff::{Change, Risk};
use crate::model::pod::selector_selects;
use crate::yaml::View;

/// How an update changes who may do or reach what.
pub(super) fn update(change: &Change, old: Item<'_>, new: Item<'_>, before: &State<'_>) -> Verdict {
    match new.object.kind.as_str() {
        "Role" | "ClusterRole" => {
            let mut verdict = rules(old.view, new.view);
            verdict.add(aggregated(Some(old.view), new.view));
            verdict
        }
        "RoleBinding" | "ClusterRoleBinding" => subjects(old.view, new.view),
        "NetworkPolicy" => policy(old.view, new.view),
        "ValidatingAdmissionPolicy" => judges::policy(old.view, new.view),
        "ValidatingAdmissionPolicyBinding" => judges::binding(Some(old.view), new.view),
        "Service" => service(change, old.view, new.view),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => judges::webhooks(Some(old.view), new.view),
        "Namespace" => pod_security(old.view, new.view),
        "CustomResourceDefinition" => versions(old.view, new.view, before),
        _ => Verdict::default(),
    }
}

/// What a new object opens.
pub(super) fn create(new: Item<'_>, before: &State<'_>) -> Verdict {
    let role = new.view.at(&["roleRef", "name"]).and_then(View::str).unwrap_or_default();
    let everyone = new.view.list("subjects").filter_map(|subject| subject.get_str("name")).find(|name| is_crowd(name));
    match new.object.kind.as_str() {
        "RoleBinding" | "ClusterRoleBinding" if role == "cluster-admin" => {
            Verdict::new(Risk::Widens, "gives its subjects every right (cluster-admin)")
        }
        "RoleBinding" | "ClusterRoleBinding" => match everyone {
            Some(group) => Verdict::new(Risk::Widens, format!("gives {role} to everyone ({group})")),
            None => Verdict::default(),
        },
        "ClusterRole" => aggregated(None, new.view),
        "NetworkPolicy" => isolates(new, before),
        "ValidatingAdmissionPolicyBinding" => judges::binding(None, new.view),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => judges::webhooks(None, new.view),
        _ => Verdict::default(),
    }
}

/// What the removal of an object opens.
pub(super) fn delete(old: Item<'_>) -> Option<Verdict> {
    let text = match old.object.kind.as_str() {
        "NetworkPolicy" => "opens the traffic that it held back from the pods it selects",
        "ValidatingWebhookConfiguration" | "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => {
            "what it refused is let through"
        }
        _ => return None,
    };
    Some(Verdict::new(Risk::Widens, text))
}

/// Whom the removal of an object locks out.
pub(super) fn taken(old: Item<'_>) -> Option<String> {
    let role = old.view.at(&["roleRef", "name"]).and_then(View::str)?;
    let subjects: BTreeSet<String> = old.view.list("subjects").map(subject).collect();
    let is_binding = matches!(old.object.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") && !subjects.is_empty();
    is_binding.then(|| format!("takes {role} from {}", listed(&subjects)))
}

/// Users and groups that anyone is (`user.AllAuthenticated` and its like).
fn is_crowd(name: &str) -> bool {
    matches!(name, "system:anonymous" | "system:authenticated" | "system:unauthenticated" | "system:serviceaccounts")
}

/// The built-in roles that a label newly adds a ClusterRole's rules to.
fn aggregated(old: Option<View<'_>>, new: View<'_>) -> Verdict {
    const PREFIX: &str = "rbac.authorization.k8s.io/aggregate-to-";
    let roles = |view: View<'_>| -> BTreeSet<String> {
        let labels = view.at(&["metadata", "labels"]).into_iter().flat_map(View::fields);
        let set = labels.filter(|(_, value)| value.str() == Some("true"));
        set.filter_map(|(key, _)| Some(key.strip_prefix(PREFIX)?.to_owned())).collect()
    };
    let added: BTreeSet<String> = &roles(new) - &old.map(roles).unwrap_or_default();
    if added.is_empty() || new.list("rules").next().is_none() {
        return Verdict::default();
    }
    Verdict::new(Risk::Widens, format!("adds its rules to ClusterRole {}", listed(&added)))
}

/// Another enforced level of Pod Security.
fn pod_security(old: View<'_>, new: View<'_>) -> Verdict {
    let level = |view: View<'_>| {
        let labels = view.at(&["metadata", "labels"]);
        let level = labels.and_then(|labels| labels.get_str("pod-security.kubernetes.io/enforce"));
        ["privileged", "baseline", "restricted"].into_iter().position(|known| Some(known) == level).unwrap_or(0)
    };
    let name = |level: usize| ["privileged", "baseline", "restricted"].get(level).copied().unwrap_or_default();
    let (before, after) = (level(old), level(new));
    let text = format!("Pod Security {} → {}", name(before), name(after));
    match before.cmp(&after) {
        Ordering::Equal => Verdict::default(),
        Ordering::Greater => Verdict::new(Risk::Widens, format!("{text}: pods may do more")),
        Ordering::Less => {
            let more = "pods that run stay, new ones that ask for more are refused";
            Verdict::new(Risk::Disruptive, format!("{text}: {more}"))
        }
    }
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

/// Versions of a custom kind that are served no more, and what is stored in them.
fn versions(old: View<'_>, new: View<'_>, before: &State<'_>) -> Verdict {
    let served = |view: View<'_>| -> BTreeSet<String> {
        let versions = view.get("spec").into_iter().flat_map(|spec| spec.list("versions"));
        let served = versions.filter(|version| version.get_bool("served"));
        served.filter_map(|version| version.get_str("name")).map(str::to_owned).collect()
    };
    let gone: BTreeSet<String> = served(old).difference(&served(new)).cloned().collect();
    if gone.is_empty() {
        return Verdict::default();
    }
    let text = format!("{} served no more: clients that ask for it find nothing", listed(&gone));
    let mut verdict = Verdict::new(Risk::Disruptive, text);
    let text = |keys: &[&str]| old.at(keys).and_then(View::str).unwrap_or_default();
    let (group, kind) = (text(&["spec", "group"]), text(&["spec", "names", "kind"]));
    let is_of_gone = |item: &Item<'_>| {
        let version = item.object.api_version.strip_prefix(group).and_then(|rest| rest.strip_prefix('/'));
        item.object.kind == kind && version.is_some_and(|version| gone.contains(version))
    };
    let count = before.items().filter(is_of_gone).count() as u64;
    if count > 0 {
        verdict.add(Verdict::safe(format!("used by {}", plural(count, "object"))));
    }
    verdict
}

/// `ServiceAccount shop/web`.
fn subject(subject: View<'_>) -> String {
    let text = |key| subject.get_str(key).unwrap_or_default();
    let place = if text("namespace").is_empty() { String::new() } else { format!("{}/", text("namespace")) };
    format!("{} {place}{}", text("kind"), text("name"))
}

fn subjects(old: View<'_>, new: View<'_>) -> Verdict {
    let have: BTreeSet<String> = old.list("subjects").map(subject).collect();
    let now: BTreeSet<String> = new.list("subjects").map(subject).collect();
    let added: BTreeSet<String> = now.difference(&have).cloned().collect();
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
pub(super) fn listed(items: &BTreeSet<String>) -> String {
    let mut text = items.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > 3 {
        text.push_str(&format!(" and {} more", items.len() - 3));
    }
    text
}

/// New rules, and directions that are not isolated any more, let more traffic through; so may another selection. Rules
/// that go, and directions that are isolated now, hold some back.
fn policy(old: View<'_>, new: View<'_>) -> Verdict {
    let spec = |view: View<'_>, key: &str| -> BTreeSet<String> {
        view.get("spec").into_iter().flat_map(|spec| spec.list(key)).map(View::to_json).collect()
    };
    let more = |a: View<'_>, b: View<'_>, key: &str| !spec(b, key).is_subset(&spec(a, key));
    let rules = |a: View<'_>, b: View<'_>| ["ingress", "egress"].iter().any(|key| more(a, b, key));
    let selector = |view: View<'_>| view.at(&["spec", "podSelector"]).map(View::to_json);
    let mut verdict = Verdict::default();
    if rules(old, new) || more(new, old, "policyTypes") {
        verdict.add(Verdict::new(Risk::Widens, "lets through traffic that was held back"));
    }
    if rules(new, old) || more(old, new, "policyTypes") {
        verdict.add(Verdict::new(Risk::Disruptive, "holds back traffic that it let through"));
    }
    if selector(old) != selector(new) {
        verdict.add(Verdict::new(Risk::Widens, "selects other pods; those it leaves are open"));
    }
    verdict
}

/// A new policy cuts off pods that none selected before.
fn isolates(new: Item<'_>, before: &State<'_>) -> Verdict {
    let of_namespace = before.of_kind("NetworkPolicy").filter(|other| other.namespace() == new.namespace());
    let others: Vec<View<'_>> = of_namespace.filter_map(|other| other.view.at(&["spec", "podSelector"])).collect();
    let Some(own) = new.view.at(&["spec", "podSelector"]) else { return Verdict::default() };
    let workloads = before.workloads(new.namespace()).iter().filter(|workload| workload.pods != Some(0));
    let open = workloads.filter(|workload| !others.iter().any(|other| selector_selects(*other, &workload.labels)));
    let cut = open.filter(|workload| selector_selects(own, &workload.labels));
    let cut: BTreeSet<String> = cut.map(|workload| workload.item.title()).collect();
    if cut.is_empty() {
        return Verdict::default();
    }
    let text = format!("only what it lets through passes to or from the pods of {} then", listed(&cut));
    Verdict::new(Risk::Disruptive, text)
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
