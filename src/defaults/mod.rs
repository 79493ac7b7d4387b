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

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use rayon::prelude::*;

use crate::model::{Bundle, Full, Object, ObjectId};
use crate::schema::{Kind, Lookup, Schema, Shape, Type};
use crate::yaml::{NodeId, Tree, Value, View};

use decoded::Empties;
use draft::{Draft, Literal};

/// Fills in the defaults of every object whose kind is known; objects of a removed version get those of its successor.
pub fn run(bundle: &mut Bundle, schema: &Schema) {
    some(bundle, schema, &|_, _| true);
}

/// The same for those objects that are wanted; the others stay as they are written.
pub fn some(bundle: &mut Bundle, schema: &Schema, wanted: &(dyn Fn(&Object, View<'_>) -> bool + Sync)) {
    let ids: Vec<ObjectId> = bundle.ids().collect();
    let full: Vec<Full> = ids
        .par_iter()
        .map(|id| {
            let object = bundle.object(*id);
            let written = bundle.written(*id);
            let kind = schema.stands_for(&object.api_version, &object.kind);
            kind.filter(|_| wanted(object, written)).map_or(Full::Unknown, |kind| full(schema, written, kind))
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

fn full(schema: &Schema, written: View<'_>, kind: &Kind) -> Full {
    in_room(schema, written, kind, Empties::Keep, |tree, root| {
        let unchanged = is_copy(tree.view(root), written);
        if unchanged { Full::AsWritten } else { Full::Made(Box::new((tree.clone(), root))) }
    })
}

/// Whether one is the other to the letter, in the order of its keys too.
fn is_copy(one: View<'_>, other: View<'_>) -> bool {
    match (one.value(), other.value()) {
        (Value::Map(_), Value::Map(_)) => {
            let mut fields = one.fields().zip(other.fields());
            one.len() == other.len()
                && fields.all(|((key, one), (other_key, other))| key == other_key && is_copy(one, other))
        }
        (Value::Seq(_), Value::Seq(_)) => {
            one.len() == other.len() && one.items().zip(other.items()).all(|(one, other)| is_copy(one, other))
        }
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => false,
        _ => one.same(other),
    }
}

thread_local! {
    /// The room in which objects are filled in; what is kept of each is a copy that holds no more than it needs.
    static ROOM: RefCell<Tree> = RefCell::default();
}

fn filled(schema: &Schema, object: View<'_>, kind: &Kind, empties: Empties) -> (Tree, NodeId) {
    in_room(schema, object, kind, empties, |tree, root| (tree.clone(), root))
}

/// Fills an object in and gives what `keep` makes of it.
fn in_room<T>(
    schema: &Schema,
    object: View<'_>,
    kind: &Kind,
    empties: Empties,
    keep: impl FnOnce(&Tree, NodeId) -> T,
) -> T {
    let type_ = schema.type_(kind.type_id);
    let (tree, root) = decoded::copy(schema, type_, object, empties, ROOM.take());
    let mut draft = Draft { tree };
    fill(schema, type_, &mut draft, root, 0);
    match kind.kind {
        "StatefulSet" => apps::claim_templates(&mut draft, root),
        "PersistentVolumeClaim" => core::data_source(&mut draft, root),
        _ => {}
    }
    let kept = keep(&draft.tree, root);
    ROOM.set(draft.tree);
    kept
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
    decoded::copy(schema, schema.type_(kind.type_id), object, Empties::Drop, Tree::default())
}

/// Fills in the defaults of a struct, then those of its fields: the order of the server, where a parent may decide
/// what its children get.
fn fill(schema: &Schema, type_: &Type, draft: &mut Draft, node: NodeId, depth: usize) {
    if depth > decoded::MAX_DEPTH {
        return;
    }
    if let Some(own) = OWN.get(type_.id.strip_prefix("io.k8s.api.").unwrap_or(&type_.id)) {
        own.fill(draft, node);
    }
    for field in type_.at(&type_.defaulted) {
        if let Some(default) = field.default.as_deref() {
            table::declared(draft, node, field, default);
        }
    }
    // What is filled in further down adds nothing to this map.
    for place in 0..draft.view(node).entry_slice().len() {
        let entry = draft.view(node).entry_slice()[place];
        let child = draft.view(entry.value);
        if (child.is_map() || child.is_seq())
            && let Some(field) =
                type_.field(draft.tree.str(entry.key)).filter(|field| field.shape.struct_id().is_some())
        {
            descend(schema, &field.shape, draft, entry.value, depth + 1);
        }
    }
}

fn descend(schema: &Schema, shape: &Shape, draft: &mut Draft, node: NodeId, depth: usize) {
    match shape {
        Shape::Struct(id) if draft.tree.view(node).is_map() => fill(schema, schema.type_(*id), draft, node, depth),
        Shape::List(inner) | Shape::Map(inner) => {
            for place in 0..draft.view(node).len() {
                let view = draft.view(node);
                let child = if view.is_seq() { view.item_ids()[place] } else { view.entry_slice()[place].value };
                descend(schema, inner, draft, child, depth);
            }
        }
        _ => {}
    }
}

/// Defaults that a table of literals cannot say.
type Rule = fn(&mut Draft, NodeId);

/// What is filled in whenever something of a type is there.
#[derive(Clone, Copy)]
struct Own {
    literals: &'static [(&'static str, Literal<'static>)],
    rule: Option<Rule>,
}

/// By type, without `io.k8s.api.` in front.
static OWN: LazyLock<HashMap<&'static str, Own, FixedState>> = LazyLock::new(|| {
    let literals = table::TABLE.iter().map(|(name, literals)| (*name, Own { literals, rule: None }));
    let mut own: HashMap<&'static str, Own, FixedState> = literals.collect();
    let groups =
        [core::RULES, pod::RULES, apps::RULES, batch::RULES, networking::RULES, autoscaling::RULES, resource::RULES];
    for (name, rule) in groups.into_iter().flatten() {
        own.entry(name).or_insert(Own { literals: &[], rule: None }).rule = Some(*rule);
    }
    own
});

impl Own {
    /// Fills in the literals, then what the rule says.
    fn fill(self, draft: &mut Draft, node: NodeId) {
        for (field, value) in self.literals {
            draft.default(node, field, *value);
        }
        if let Some(rule) = self.rule {
            rule(draft, node);
        }
    }
}
