//! Changes of what judges other objects: webhooks and ValidatingAdmissionPolicies that lock out, or let through what they
//! refused.

use std::collections::BTreeSet;

use super::access::listed;
use super::verdict::Verdict;
use crate::diff::Risk;
use crate::yaml::View;

/// Webhooks that must answer before the server takes what they are about, and those that hold nothing up any more.
pub(super) fn webhooks(old: Option<View<'_>>, new: View<'_>) -> Verdict {
    let mut verdict = old.map(|old| relaxed(old, new)).unwrap_or_default();
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
        let mut text = format!("{} are refused while {name} gives no answer (failurePolicy Fail)", listed(&resources));
        if service.is_some()
            && resources.iter().any(|name| ["pods", "*", "*/*", "pods/*"].contains(&name.as_str()))
            && is_everywhere(hook)
        {
            text.push_str(", those behind that Service too: once they are gone none comes back");
        }
        verdict.add(Verdict::new(Risk::Disruptive, text));
    }
    verdict
}

/// Whether a webhook is asked about the objects of every namespace.
fn is_everywhere(hook: View<'_>) -> bool {
    let narrows = |selector: View<'_>| {
        ["matchLabels", "matchExpressions"].iter().any(|key| selector.get(key).is_some_and(|part| !part.is_empty()))
    };
    let selectors = ["namespaceSelector", "objectSelector"].into_iter().filter_map(|key| hook.get(key));
    !selectors.into_iter().any(narrows) && hook.list("matchConditions").next().is_none()
}

/// Webhooks of a configuration that are gone, or no longer refuse what they cannot judge.
fn relaxed(old: View<'_>, new: View<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let fails = |hook: View<'_>| hook.get_str("failurePolicy").unwrap_or("Fail") == "Fail";
    let is_validating = old.get_str("kind") == Some("ValidatingWebhookConfiguration");
    for hook in old.list("webhooks") {
        let name = hook.get_str("name").unwrap_or_default();
        match new.list("webhooks").find(|now| now.get_str("name") == Some(name)) {
            None if is_validating => {
                verdict.add(Verdict::new(Risk::Widens, format!("what {name} refused is let through")));
            }
            Some(now) if is_validating && fails(hook) && !fails(now) => {
                let text = format!("while {name} gives no answer all is let through (failurePolicy Ignore)");
                verdict.add(Verdict::new(Risk::Widens, text));
            }
            _ => {}
        }
    }
    verdict
}

/// Expressions of a policy that are new refuse more, and those that are gone less.
pub(super) fn policy(old: View<'_>, new: View<'_>) -> Verdict {
    let spec = |view: View<'_>, key: &str| -> BTreeSet<String> {
        let items = view.get("spec").into_iter().flat_map(|spec| spec.list(key));
        items.filter_map(|item| item.get_str("expression")).map(str::to_owned).collect()
    };
    let about = |view: View<'_>| view.at(&["spec", "matchConstraints"]).map(View::to_json);
    let grows = |a: View<'_>, b: View<'_>, key: &str| !spec(b, key).is_subset(&spec(a, key));
    let mut verdict = Verdict::default();
    if grows(new, old, "validations") || grows(old, new, "matchConditions") {
        verdict.add(Verdict::new(Risk::Widens, "lets through what it refused"));
    }
    if grows(old, new, "validations") || grows(new, old, "matchConditions") {
        verdict.add(Verdict::new(Risk::Disruptive, "refuses what it let through"));
    }
    if about(old) != about(new) {
        verdict.add(Verdict::new(Risk::Disruptive, "is about other objects"));
    }
    verdict
}

/// A binding that refuses, or does so no more.
pub(super) fn binding(old: Option<View<'_>>, new: View<'_>) -> Verdict {
    let denies = |view: View<'_>| {
        let actions = view.get("spec").into_iter().flat_map(|spec| spec.list("validationActions"));
        actions.filter_map(View::str).any(|action| action == "Deny")
    };
    let part = |view: View<'_>, key: &str| view.at(&["spec", key]).map(View::to_json);
    let policy = new.at(&["spec", "policyName"]).and_then(View::str).unwrap_or_default();
    match (old.is_some_and(denies), denies(new)) {
        (false, true) => {
            Verdict::new(Risk::Disruptive, format!("what {policy} does not allow is refused from then on"))
        }
        (true, false) => Verdict::new(Risk::Widens, format!("what {policy} refused is let through")),
        (true, true) => {
            let keys = ["policyName", "matchResources", "paramRef"];
            let is_other = old.is_some_and(|old| keys.iter().any(|key| part(old, key) != part(new, key)));
            if is_other { Verdict::new(Risk::Disruptive, "refuses otherwise than before") } else { Verdict::default() }
        }
        (false, false) => Verdict::default(),
    }
}
