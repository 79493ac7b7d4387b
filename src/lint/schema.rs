//! Rules on values that the API server takes and that mean something else than they seem to.

use super::Cx;

/// `value: ~` and `value:` are accepted and mean the empty text; defaults drop them, so the written object is read.
pub(super) fn env_value_null(cx: &mut Cx<'_>) {
    let written = cx.bundle.written(cx.id);
    let Some(template) = cx.object.template(written) else { return };
    cx.root = written;
    for container in template.containers() {
        for env in container.view.list("env") {
            let Some((_, value)) = env.entry("value") else { continue };
            if !value.is_null() || env.get("valueFrom").is_some() {
                continue;
            }
            let name = env.get_str("name").unwrap_or_default();
            let message = format!("`{name}` has the value null, which becomes the empty text");
            cx.report_key(env, "value", message).help = Some("write the value in quotes: `\"\"` for empty".to_owned());
        }
    }
}

/// `memory: 512m` is half a byte.
pub(super) fn memory_milli_unit(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers() {
        for (list, resource) in
            ["requests", "limits"].into_iter().flat_map(|l| [(l, "memory"), (l, "ephemeral-storage")])
        {
            let Some(value) = container.view.at(&["resources", list, resource]) else { continue };
            let text = value.str().unwrap_or_default();
            let Some(number) = text.strip_suffix('m') else { continue };
            let message = format!("`{resource}: {text}` is {number} thousandths of a byte");
            cx.report(value, message).help = Some(format!("write `{number}Mi` or `{number}M`"));
        }
    }
}
