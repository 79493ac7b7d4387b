//! A custom resource with the defaults of its definition, as the API server fills them in
//! (`structural-schema/defaulting` of apiextensions-apiserver).

use crate::model::{Bundle, Object};
use crate::yaml::{NodeId, Tree, Value, View};

/// The schema of an object's version in a definition of the bundle.
pub(super) fn schema<'b>(bundle: &'b Bundle, object: &Object) -> Option<View<'b>> {
    let of = |text: Option<View<'_>>, wanted: &str| text.and_then(View::str) == Some(wanted);
    let is_its = |definition: &View<'_>| {
        of(definition.at(&["spec", "group"]), object.group())
            && of(definition.at(&["spec", "names", "kind"]), &object.kind)
    };
    let kinds = &bundle.custom_kinds;
    kinds.iter().find(|custom| custom.group == object.group() && custom.kind == object.kind)?;
    let definitions = bundle.iter().filter(|(_, other)| other.kind == "CustomResourceDefinition");
    let definition = definitions.map(|(id, _)| bundle.written(id)).find(is_its)?;
    let mut versions = definition.get("spec")?.list("versions");
    versions.find(|version| version.get_str("name") == Some(object.version()))?.at(&["schema", "openAPIV3Schema"])
}

/// Fills in what a map or list lacks; a parent before its children.
pub(super) fn fill(tree: &mut Tree, node: NodeId, schema: View<'_>) {
    match tree.node(node).value {
        Value::Map(_) => fill_map(tree, node, schema),
        Value::Seq(_) => {
            let items = schema.get("items");
            for item in tree.view(node).item_ids().to_vec() {
                items.into_iter().for_each(|schema| fill(tree, item, schema));
            }
        }
        _ => {}
    }
}

fn fill_map(tree: &mut Tree, node: NodeId, schema: View<'_>) {
    for (key, property) in schema.map("properties") {
        let Some(default) = property.get("default") else { continue };
        let there = tree.view(node).get(key);
        if there.is_none_or(|there| there.is_null() && !property.get_bool("nullable")) {
            let copy = tree.copy(default.tree, default.id);
            tree.insert(node, key, copy);
        }
    }
    let children: Vec<(String, NodeId)> =
        tree.view(node).fields().map(|(key, child)| (key.to_owned(), child.id)).collect();
    for (key, child) in children {
        let property = schema.get("properties").and_then(|properties| properties.get(&key));
        let others = schema.get("additionalProperties").filter(|others| others.is_map());
        property.or(others).into_iter().for_each(|schema| fill(tree, child, schema));
    }
}
