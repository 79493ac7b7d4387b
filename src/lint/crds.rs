//! Rules on CustomResourceDefinitions.

use super::Cx;
use crate::yaml::View;

/// What the API server refuses of a definition (apiextensions `validation.go` and `schema/validation.go`), as far as people
/// get it wrong by hand; the words are ours, for the server prints Go structures.
pub(super) fn crd_invalid(cx: &mut Cx<'_>) {
    let Some(spec) = cx.root.get("spec").filter(|_| cx.object.api_version == "apiextensions.k8s.io/v1") else { return };
    let text = |keys: &[&str]| spec.at(keys).and_then(View::str).unwrap_or_default();
    let (group, plural) = (text(&["group"]), text(&["names", "plural"]));
    if !group.is_empty() && !plural.is_empty() && cx.object.name != format!("{plural}.{group}") {
        let message = format!("the name is not `{plural}.{group}`, which plural and group make");
        let help = format!("name it `{plural}.{group}`");
        cx.report_field("metadata.name".to_owned(), message).help = Some(help);
    }
    if !group.is_empty() && !group.contains('.') {
        let message = format!("the group `{group}` is no domain with a dot in it");
        cx.report_field("spec.group".to_owned(), message).help = Some("use a domain of your own".to_owned());
    }
    versions(cx, spec);
}

fn versions<'a>(cx: &mut Cx<'a>, spec: View<'a>) {
    let all: Vec<View<'a>> = spec.list("versions").collect();
    let stored = all.iter().filter(|version| version.get_bool("storage")).count();
    if stored != 1 && !all.is_empty() {
        let message = format!("{stored} versions have `storage: true`, and one must");
        let help = "set it at the version that objects are stored in, and nowhere else";
        cx.report_field("spec.versions".to_owned(), message).help = Some(help.to_owned());
    }
    for (index, version) in all.iter().enumerate() {
        let name = version.get_str("name").unwrap_or_default();
        if all[..index].iter().any(|other| other.get_str("name") == Some(name)) {
            let message = format!("there is a version `{name}` before");
            cx.report(*version, message).help = Some("give each version a name of its own".to_owned());
        }
        match version.at(&["schema", "openAPIV3Schema"]) {
            None => {
                let message = format!("version `{name}` has no schema");
                cx.report_key(*version, "schema", message).help = Some("add schema.openAPIV3Schema".to_owned());
            }
            Some(schema) => typed(cx, schema),
        }
    }
}

/// A structural schema has a type at each place.
fn typed<'a>(cx: &mut Cx<'a>, schema: View<'a>) {
    let is_free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    let is_typed = schema.get_str("type").is_some_and(|name| !name.is_empty());
    if schema.is_map() && !is_typed && !is_free.iter().any(|key| schema.get_bool(key)) {
        cx.report(schema, "the schema gives no type for this").help = Some("add `type:`".to_owned());
    }
    schema.map("properties").for_each(|(_, inner)| typed(cx, inner));
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_map()) {
            typed(cx, inner);
        }
    }
}
