//! An object as the API server would store it: decoded, with every default filled in.
//!
//! Rules: `SetDefaults_*` in `pkg/apis/*/v1/defaults.go` of Kubernetes 1.36, the conversions to and from the internal
//! types that change values, and what the encoder leaves out. What the server makes up (uid, times, status, clusterIP,
//! generated selectors) is not made here, and admission is another stage.

mod apps;
mod autoscaling;
mod batch;
mod core;
mod decoded;
mod draft;
mod networking;
mod pod;
mod resource;
mod table;

use rayon::prelude::*;

use crate::model::{Bundle, Object, ObjectId};
use crate::schema::{Kind, Lookup, Schema, Shape, Type};
use crate::yaml::{NodeId, Tree, View};

use decoded::Empties;
use draft::Draft;

/// Fills in the defaults of every object whose kind is known; objects of a removed version get those of its successor.
pub fn run(bundle: &mut Bundle, schema: &Schema) {
    let ids: Vec<ObjectId> = bundle.ids().collect();
    let full: Vec<Option<(Tree, NodeId)>> = ids
        .par_iter()
        .map(|id| {
            let Object { api_version, kind, .. } = bundle.object(*id);
            Some(received(schema, bundle.written(*id), schema.stands_for(api_version, kind)?))
        })
        .collect();
    let unknown = |object: &&Object| matches!(schema.kind(&object.api_version, &object.kind), Lookup::UnknownGroup);
    bundle.counts.unjudged = bundle.objects.iter().filter(unknown).count();
    for (object, full) in bundle.objects.iter_mut().zip(full) {
        object.full = full;
    }
}

/// A copy of an object with its defaults; spans stay those of the file, and what is added has the span of its parent.
/// Fields that the type does not have are left out. The namespace is not filled in.
pub fn object(schema: &Schema, object: View<'_>, kind: &Kind) -> (Tree, NodeId) {
    filled(schema, object, kind, Empties::Drop)
}

/// The same as the API server validates it, before storing makes empty lists and maps absent.
pub fn received(schema: &Schema, object: View<'_>, kind: &Kind) -> (Tree, NodeId) {
    filled(schema, object, kind, Empties::Keep)
}

fn filled(schema: &Schema, object: View<'_>, kind: &Kind, empties: Empties) -> (Tree, NodeId) {
    let type_ = schema.type_(kind.type_id);
    let (tree, root) = decoded::copy(schema, type_, object, empties);
    let mut draft = Draft { tree };
    fill(schema, type_, &mut draft, root, 0);
    match kind.kind {
        "StatefulSet" => apps::claim_templates(&mut draft, root),
        "PersistentVolumeClaim" => core::data_source(&mut draft, root),
        _ => {}
    }
    draft.tree.shrink();
    (draft.tree, root)
}

/// Takes out of an object's metadata what only the server sets.
pub fn without_server_metadata(tree: &mut Tree, root: NodeId) {
    let Some(metadata) = tree.view(root).get("metadata").map(|view| view.id) else { return };
    for name in decoded::SERVER_METADATA {
        if tree.view(metadata).entry(name).is_some() {
            tree.remove(metadata, name);
        }
    }
}

/// A copy of an object as it decodes: quantities canonical, no defaults.
pub fn decoded(schema: &Schema, object: View<'_>, kind: &Kind) -> (Tree, NodeId) {
    decoded::copy(schema, schema.type_(kind.type_id), object, Empties::Drop)
}

/// Fills in the defaults of a struct, then those of its fields: the order of the server, where a parent may decide
/// what its children get.
fn fill(schema: &Schema, type_: &Type, draft: &mut Draft, node: NodeId, depth: usize) {
    if depth > decoded::MAX_DEPTH {
        return;
    }
    table::fill(&type_.id, draft, node);
    group_defaults(&type_.id, draft, node);
    for field in type_.at(&type_.defaulted) {
        if let Some(default) = field.default.as_deref() {
            table::declared(draft, node, field, default);
        }
    }
    // What is filled in further down adds nothing to this map.
    for place in 0..draft.view(node).len() {
        let Some((name, child)) = draft.view(node).fields().nth(place) else { continue };
        if (child.is_map() || child.is_seq())
            && let Some(field) = type_.field(name).filter(|field| field.shape.struct_id().is_some())
        {
            let child = child.id;
            descend(schema, &field.shape, draft, child, depth + 1);
        }
    }
}

fn descend(schema: &Schema, shape: &Shape, draft: &mut Draft, node: NodeId, depth: usize) {
    match shape {
        Shape::Struct(id) if draft.tree.view(node).is_map() => fill(schema, schema.type_(*id), draft, node, depth),
        Shape::List(inner) | Shape::Map(inner) => {
            for place in 0..draft.view(node).len() {
                let view = draft.view(node);
                let child = view.items().nth(place).or_else(|| Some(view.fields().nth(place)?.1));
                if let Some(child) = child.map(|child| child.id) {
                    descend(schema, inner, draft, child, depth);
                }
            }
        }
        _ => {}
    }
}

/// The defaults that a table cannot say.
fn group_defaults(type_id: &str, draft: &mut Draft, node: NodeId) {
    let Some((group, name)) = type_id.strip_prefix("io.k8s.api.").and_then(|id| id.split_once('.')) else {
        if type_id.ends_with(".CustomResourceDefinitionSpec") {
            core::custom_resource_definition(draft, node);
        }
        return;
    };
    match group {
        "core" => match name {
            "v1.Pod"
            | "v1.PodSpec"
            | "v1.Container"
            | "v1.EphemeralContainer"
            | "v1.Volume"
            | "v1.VolumeProjection" => {
                pod::fill(name, draft, node);
            }
            _ => core::fill(name, draft, node),
        },
        "apps" => apps::fill(name, draft, node),
        "batch" => batch::fill(name, draft, node),
        "networking" | "rbac" => networking::fill(name, draft, node),
        "autoscaling" => autoscaling::fill(name, draft, node),
        "resource" => resource::fill(name, draft, node),
        _ => {}
    }
}
