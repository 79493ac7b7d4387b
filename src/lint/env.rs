//! Rules on environment variables.

use std::collections::BTreeMap;

use super::Cx;
use super::index::Existence;
use super::pod::containers;
use crate::model::pod::ContainerRole;
use crate::yaml::View;

pub(super) fn env_duplicate(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        let mut seen: BTreeMap<&str, View<'_>> = BTreeMap::new();
        for variable in container.view.list("env") {
            let Some(name) = variable.get("name") else { continue };
            let text = name.str().unwrap_or_default();
            let Some(first) = seen.insert(text, variable) else { continue };
            // `PATH=$(PATH):more` builds on the first.
            let builds = variable.get_str("value").is_some_and(|value| value.contains(&format!("$({text})")));
            if builds {
                continue;
            }
            let same = if first.same(variable) { "with the same value" } else { "and replaces the first" };
            let message = format!("`{text}` of container `{}` is set a second time, {same}", container.name());
            cx.report(name, message).help = Some("remove one of the two".to_owned());
        }
    }
}

/// The names in `$(NAME)`; `$$(NAME)` is an escape.
fn names_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            rest = escaped;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|inner| inner.split_once(')')).map(|(name, _)| name);
        found.extend(name.filter(|name| !name.is_empty()));
        rest = after;
    }
    found
}

/// `$(NAME)` of a variable that comes later in the list: it stays as it is written. What nothing defines may be meant
/// for a shell or come from the image.
pub(super) fn env_ref_unresolved(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        let names: Vec<&str> = container.view.list("env").filter_map(|variable| variable.get_str("name")).collect();
        for (place, variable) in container.view.list("env").enumerate() {
            let Some(value) = variable.get("value") else { continue };
            for wanted in names_in(value.str().unwrap_or_default()) {
                let earlier = names[..place].contains(&wanted);
                let later = names[place + 1..].contains(&wanted);
                if earlier || !later || container.view.get("envFrom").is_some() {
                    continue;
                }
                let message = format!("`$({wanted})` stays as it is: `{wanted}` is defined further down");
                cx.report(value, message).help = Some(format!("move `{wanted}` above this variable"));
            }
        }
    }
}

/// Two sources that bring the same variable: the later one wins, unseen.
pub(super) fn envfrom_collision(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for source in container.view.list("envFrom") {
            let Some((kind, name)) = ["ConfigMap", "Secret"].into_iter().find_map(|kind| {
                let key = if kind == "Secret" { "secretRef" } else { "configMapRef" };
                Some((kind, source.at(&[key, "name"])?))
            }) else {
                continue;
            };
            let text = name.str().unwrap_or_default();
            let Existence::Found(id) = cx.index.find(cx.object, kind, text) else { continue };
            let holder = cx.bundle.full(id);
            let prefix = source.get_str("prefix").unwrap_or_default();
            let keys = ["data", "stringData"].into_iter().flat_map(|data| holder.map(data));
            let names: Vec<String> = keys.map(|(key, _)| format!("{prefix}{key}")).collect();
            let twice = names.iter().find_map(|key| Some((key, seen.get(key).filter(|first| *first != text)?)));
            if let Some((key, first)) = twice {
                let message = format!("`{key}` comes from {kind} `{text}` and from `{first}`, which loses");
                cx.report(name, message).help = Some("give one of the two a prefix, or remove the key".to_owned());
            }
            seen.extend(names.into_iter().map(|key| (key, text.to_owned())));
        }
    }
}

pub(super) fn env_secret_literal(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template) {
        for variable in container.view.list("env") {
            let (Some(name), Some(value)) = (variable.get_str("name"), variable.get("value")) else { continue };
            let text = value.str().unwrap_or_default();
            if !cx.params.has_end("names", name) || cx.params.has_like("except", name) || !is_literal(text) {
                continue;
            }
            let message = format!("the value of `{name}` stands in the manifest, for everyone who can read that");
            cx.report(value, message).help = Some("put it into a Secret, and use valueFrom.secretKeyRef".to_owned());
        }
    }
}

/// Whether a text is a secret itself: not empty, no switch, no path, no address, no reference to another variable.
fn is_literal(text: &str) -> bool {
    let is_switch = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "none" | "null");
    let leads = text.starts_with('/') || text.starts_with("./") || text.contains("$(") || text.contains("://");
    let is_placeholder = text.contains("${") || text.contains("{{") || (text.starts_with('<') && text.ends_with('>'));
    !text.is_empty() && !is_switch && !leads && !is_placeholder && text.parse::<i32>().is_err()
}

pub(super) fn env_from_secret(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in containers(&template).into_iter().filter(|container| container.role != ContainerRole::Ephemeral) {
        let single = container.view.list("env").filter_map(|variable| variable.at(&["valueFrom", "secretKeyRef"]));
        let whole = container.view.list("envFrom").filter_map(|source| source.get("secretRef"));
        if let Some(reference) = single.chain(whole).next() {
            let message = format!(
                "container `{}` has secrets in its environment, which crash reports and child processes see",
                container.name()
            );
            cx.report_key(reference, "name", message).help = Some("mount the Secret as a file".to_owned());
        }
    }
}
