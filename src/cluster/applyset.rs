//! ApplySets (KEP-3659; `pkg/cmd/apply/applyset.go` of kubectl): a parent object that says in which kinds and namespaces
//! members are, and a label on each member, so that whoever knows the parent finds what left the manifests.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::discovery::escape;
use super::dry_run::apply_as;
use super::{Client, ClusterError, Request, Resource, Resources, parallel, status_of};
use crate::diff::{
    Action, Change, Fidelity, FieldChange, OTHER_SET, ObjectRef, OnConflict, Op, OtherSet, PART_OF, Policy,
};
use crate::model::path::push_key;
use crate::model::{Bundle, Object};
use crate::yaml::{View, base64};

const ID: &str = "applyset.kubernetes.io/id";
const TOOLING: &str = "applyset.kubernetes.io/tooling";
const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// Deprecated form of [`KINDS`], by resource.
const RESOURCES: &str = "applyset.kubernetes.io/contains-group-resources";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// Label of a definition whose custom resources may be parents.
const PARENT_TYPE: &str = "applyset.kubernetes.io/is-parent-type";

/// Owner of what makes an object a parent, as kubectl's is `kubectl-applyset`.
pub const PARENT_MANAGER: &str = "kplan-applyset";
const TOOL: &str = "kplan";
/// kplan succeeds it: its sets stay its own, and both can go on.
const PREDECESSOR: &str = "kubectl";

/// Names of members are enough.
const NAMES: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// A set that is to be applied.
#[derive(Clone, Debug)]
pub struct ApplySet {
    pub parent: ObjectRef,
    /// Value of the label [`PART_OF`] of its members.
    pub id: String,
    /// The parent as it is before the first member is applied: it names all kinds and namespaces that it had and gets.
    pub payload: Value,
    /// What that changes.
    pub change: Change,
    /// Members that the set no longer has: a prune would delete them.
    pub left: Vec<ObjectRef>,
    /// Why members of some kind could not be listed.
    pub unread: Vec<String>,
}

/// What becomes of an object's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The label that is sent.
    pub label: String,
    /// The set that has the object now, where that is another one.
    pub other: Option<OtherSet>,
}

/// What is asked for: the parent as `kubectl apply --applyset` names it, `[RESOURCE[.GROUP]/]NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub parent: String,
    /// Where a namespaced parent is.
    pub namespace: Option<String>,
}

/// Looks at the parent and at its members, and says what becomes of the parent. Nothing is written.
///
/// `new_namespaces` are those that come with the set; `take_over` names tools whose sets become kplan's.
///
/// # Errors
/// There is no such kind of parent, the parent is another tool's or broken, or the server gives no answer.
pub fn apply_set(
    client: &Client<'_>,
    resources: &Resources,
    named: &Named,
    bundle: &Bundle,
    new_namespaces: &HashSet<String>,
    policy: &Policy,
) -> Result<ApplySet, ClusterError> {
    let (resource, name) = parent(resources, named)?;
    let namespace = named.namespace.clone().filter(|_| resource.namespaced);
    if resource.namespaced && namespace.is_none() {
        let message = format!("the ApplySet parent {} needs a namespace", named.parent);
        return Err(ClusterError::new(message, "give it with -n, or as `namespace` of `applySet` in kplan.yaml"));
    }
    may_be_parent(client, resource)?;
    let (api_version, kind) = (resource.api_version.clone(), resource.kind.clone());
    let parent = ObjectRef { api_version, kind, namespace, name };
    let id = id(&parent);
    let mut found = Parent { parent: &parent, id: &id, fidelity: Fidelity::Server, why: String::new() };
    let is_new = parent.namespace.as_ref().is_some_and(|namespace| new_namespaces.contains(namespace));
    let path = resource.object(parent.namespace.as_deref(), &parent.name);
    let live = if is_new { None } else { found.read(client, &path, is_builtin(resource))? };
    let tooling = found.tooling(live.as_ref(), policy)?;
    let held = found.contents(live.as_ref(), resources)?;
    let payload = payload(&parent, &id, tooling, &held, bundle);
    let fields = fields(live.as_ref(), &payload);
    if is_new {
        (found.fidelity, found.why) = (Fidelity::Approx, "its namespace is new".to_owned());
    } else if !fields.is_empty() && found.fidelity == Fidelity::Server {
        found.try_out(client, &path, &payload)?;
    }
    let (left, unread) = members(client, resources, &parent, &id, &held, bundle)?;
    let change = found.change(live.is_some(), fields);
    Ok(ApplySet { id, payload, change, left, unread, parent })
}

/// Puts the label of a set on what is sent.
pub fn join(payload: &mut Value, claim: &Claim) {
    let metadata = &mut payload["metadata"];
    if !metadata["labels"].is_object() {
        metadata["labels"] = json!({});
    }
    metadata["labels"][PART_OF] = claim.label.clone().into();
}

/// What becomes of the membership of an object of this kind that is in `other`: it stays there where the policy says so.
pub fn claim(id: &str, kind: &str, other: Option<OtherSet>, policy: &Policy) -> Claim {
    let stays = other.as_ref().filter(|other| policy.on_conflict(kind, OTHER_SET, &other.id) == OnConflict::Leave);
    Claim { label: stays.map_or(id, |other| other.id.as_str()).to_owned(), other }
}

/// The set whose members have a label of this value: its parent is looked for among Secrets and ConfigMaps.
pub fn other_set(client: &Client<'_>, id: &str) -> OtherSet {
    let title = [("secrets", "Secret"), ("configmaps", "ConfigMap")].into_iter().find_map(|(plural, kind)| {
        let path = format!("/api/v1/{plural}?labelSelector={}%3D{}", escape(ID), escape(id));
        let answer = client.send(&Request { accept: Some(NAMES), ..Request::get(path) }).ok()?;
        let list: Value = serde_json::from_str(&answer.body).ok()?;
        let found = &list["items"][0]["metadata"];
        Some(format!("{kind} {}/{}", found["namespace"].as_str()?, found["name"].as_str()?))
    });
    OtherSet { id: id.to_owned(), title: title.unwrap_or_else(|| id.to_owned()) }
}

/// The set that an object is a member of.
pub fn member_of(object: View<'_>) -> Option<&str> {
    object.at(&["metadata", "labels", PART_OF]).and_then(View::str).filter(|id| !id.is_empty())
}

/// `applyset-BASE64(SHA-256(NAME.NAMESPACE.KIND.GROUP))-v1`.
fn id(parent: &ObjectRef) -> String {
    let group = parent.api_version.split_once('/').map_or("", |(group, _)| group);
    let text = [&parent.name, parent.namespace.as_deref().unwrap_or_default(), &parent.kind, group].join(".");
    let code = base64::encode(&Sha256::digest(text.as_bytes()));
    let code = code.trim_end_matches('=').replace('+', "-").replace('/', "_");
    format!("applyset-{code}-v1")
}

fn parent<'a>(resources: &'a Resources, named: &Named) -> Result<(&'a Resource, String), ClusterError> {
    let help = "write it as NAME (of a Secret), configmap/NAME, or RESOURCE.GROUP/NAME";
    let (resource, name) = named.parent.split_once('/').unwrap_or(("secrets", &named.parent));
    if name.is_empty() || name.contains('/') {
        return Err(ClusterError::new(format!("the ApplySet parent `{}` has no name", named.parent), help));
    }
    let found = resources.named(resource);
    let missing = || ClusterError::new(format!("the server does not have a resource type \"{resource}\""), help);
    Ok((found.ok_or_else(missing)?, name.to_owned()))
}

fn is_builtin(resource: &Resource) -> bool {
    resource.api_version == "v1" && ["Secret", "ConfigMap"].contains(&resource.kind.as_str())
}

/// Secrets and ConfigMaps are parents; custom resources where their definition says so.
fn may_be_parent(client: &Client<'_>, resource: &Resource) -> Result<(), ClusterError> {
    if is_builtin(resource) {
        return Ok(());
    }
    let path =
        format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{}.{}", resource.plural, resource.group());
    let answer = client.send(&Request::get(path))?;
    let definition: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if answer.is_ok() && !definition["metadata"]["labels"][PARENT_TYPE].is_null() {
        return Ok(());
    }
    let message = format!("a {} cannot be the parent of an ApplySet", resource.kind);
    let help = format!("take a Secret or a ConfigMap, or give its definition the label {PARENT_TYPE}");
    Err(ClusterError::new(message, help))
}

/// What a live parent says that it contains.
#[derive(Debug, Default)]
struct Contents {
    /// `Deployment.apps`, `ConfigMap`.
    kinds: BTreeSet<String>,
    namespaces: BTreeSet<String>,
}

struct Parent<'a> {
    parent: &'a ObjectRef,
    id: &'a str,
    fidelity: Fidelity,
    why: String,
}

impl Parent<'_> {
    fn error(&self, what: &str, help: impl Into<String>) -> ClusterError {
        ClusterError::new(format!("the ApplySet parent {} {what}", self.parent.title()), help)
    }

    /// The live parent; `None` where it has yet to be made, or may not be read.
    fn read(&mut self, client: &Client<'_>, path: &str, is_builtin: bool) -> Result<Option<Value>, ClusterError> {
        let answer = client.send(&Request::get(path))?;
        if answer.is_ok() {
            return Ok(serde_json::from_str(&answer.body).ok());
        }
        let status = status_of(&answer);
        if status.is_missing_right() {
            (self.fidelity, self.why) = (Fidelity::Approx, format!("it may not be read: {}", status.message));
            return Ok(None);
        }
        if answer.status != 404 {
            return Err(self.error(&format!("cannot be read: {}", status.message), "try again"));
        }
        if !is_builtin {
            return Err(self.error("is not there", "custom resources are not made as parents: create it first"));
        }
        Ok(None)
    }

    /// What the annotation of the tool is to be. Sets of kubectl stay kubectl's, those of others are not touched.
    fn tooling(&self, live: Option<&Value>, policy: &Policy) -> Result<String, ClusterError> {
        let own = format!("{TOOL}/v{}", env!("CARGO_PKG_VERSION"));
        let Some(metadata) = live.map(|live| &live["metadata"]) else { return Ok(own) };
        let Some(tooling) = metadata["annotations"][TOOLING].as_str() else {
            let what = format!("is there already, without the annotation {TOOLING}");
            return Err(self.error(&what, "choose another name: what is no parent yet is not made one"));
        };
        match metadata["labels"][ID].as_str() {
            Some(id) if id == self.id => {}
            id => {
                let what = format!("has {} as its label {ID}, not {}", id.unwrap_or("nothing"), self.id);
                return Err(self.error(&what, "the label names the object that it is on: was it copied?"));
            }
        }
        let tool = tooling.rsplit_once('/').map_or(tooling, |(tool, _)| tool);
        if tool == TOOL || policy.take_over.iter().any(|name| name == tool) {
            return Ok(own);
        }
        if tool == PREDECESSOR {
            return Ok(tooling.to_owned());
        }
        let help = format!("leave it to {tool}, choose another parent, or take it with --take-over {tool}");
        Err(self.error(&format!("is managed by {tooling}"), help))
    }

    fn contents(&self, live: Option<&Value>, resources: &Resources) -> Result<Contents, ClusterError> {
        let Some(live) = live else { return Ok(Contents::default()) };
        let list = |key: &str| -> Option<BTreeSet<String>> {
            let text = live["metadata"]["annotations"][key].as_str()?;
            Some(text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect())
        };
        let of_resources = || {
            let known = list(RESOURCES)?.into_iter().filter_map(|name| {
                let resource = resources.named(&name)?;
                Some(group_kind(resource.group(), &resource.kind))
            });
            Some(known.collect())
        };
        let Some(kinds) = list(KINDS).or_else(of_resources) else {
            let what = format!("lacks the annotation {KINDS}");
            return Err(self.error(&what, "give it one with the kinds of its members, as ConfigMap,Deployment.apps"));
        };
        let mut namespaces = list(NAMESPACES).unwrap_or_default();
        namespaces.extend(self.parent.namespace.clone());
        Ok(Contents { kinds, namespaces })
    }

    /// Whether the server takes the parent so.
    fn try_out(&mut self, client: &Client<'_>, path: &str, payload: &Value) -> Result<(), ClusterError> {
        let answer = client.send(&apply_as(PARENT_MANAGER, path, payload, true, true))?;
        let status = status_of(&answer);
        if answer.is_ok() {
            return Ok(());
        }
        if status.is_missing_right() || status.message.contains("does not support dry run") {
            (self.fidelity, self.why) = (Fidelity::Approx, status.message);
            return Ok(());
        }
        Err(self.error(&format!("is refused: {}", status.message), "mend what the server names"))
    }

    fn change(self, is_there: bool, fields: Vec<FieldChange>) -> Change {
        let action = match (is_there, fields.is_empty()) {
            (false, _) => Action::Create,
            (true, false) => Action::Update,
            (true, true) => Action::Unchanged,
        };
        let mut why = "parent of the ApplySet".to_owned();
        if !self.why.is_empty() {
            why = format!("{why}; {}", self.why);
        }
        Change { why, fidelity: self.fidelity, fields, ..Change::new(action, self.parent.clone()) }
    }
}

/// What server-side apply of the parent sends, as kubectl's does: only a prune makes it narrower.
fn payload(parent: &ObjectRef, id: &str, tooling: String, held: &Contents, bundle: &Bundle) -> Value {
    let (mut kinds, mut namespaces) = (held.kinds.clone(), held.namespaces.clone());
    for (_, object) in bundle.iter() {
        kinds.insert(group_kind(object.group(), &object.kind));
        namespaces.extend(object.namespace.clone());
    }
    namespaces.retain(|namespace| Some(namespace) != parent.namespace.as_ref());
    let join = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>().join(",");
    let mut metadata = json!({"name": parent.name, "labels": {ID: id}, "annotations": {
        TOOLING: tooling, KINDS: join(kinds), NAMESPACES: join(namespaces)}});
    if let Some(namespace) = &parent.namespace {
        metadata["namespace"] = namespace.clone().into();
    }
    json!({"apiVersion": parent.api_version, "kind": parent.kind, "metadata": metadata})
}

/// `Deployment.apps`, `ConfigMap`: `schema.GroupKind` as text.
fn group_kind(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

/// What of the parent's labels and annotations differs.
fn fields(live: Option<&Value>, payload: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    for map in ["annotations", "labels"] {
        for (key, after) in payload["metadata"][map].as_object().into_iter().flatten() {
            let before = live.map(|live| &live["metadata"][map][key.as_str()]).filter(|before| !before.is_null());
            if before == Some(after) {
                continue;
            }
            let mut path = format!("metadata.{map}");
            push_key(&mut path, key);
            let op = if before.is_some() { Op::Change } else { Op::Add };
            let (before, after) = (before.cloned(), Some(after.clone()));
            found.push(FieldChange { path, op, before, after, sensitive: false, owner: None });
        }
    }
    found
}

/// Members in the kinds and namespaces that the parent names which the set no longer has, and what could not be listed.
fn members(
    client: &Client<'_>,
    resources: &Resources,
    parent: &ObjectRef,
    id: &str,
    held: &Contents,
    bundle: &Bundle,
) -> Result<(Vec<ObjectRef>, Vec<String>), ClusterError> {
    let kinds = held.kinds.iter().filter_map(|kind| resources.of_group_kind(kind));
    let places: Vec<(&Resource, Option<&String>)> = kinds
        .flat_map(|resource| match resource.namespaced {
            true => held.namespaces.iter().map(|namespace| (resource, Some(namespace))).collect(),
            false => vec![(resource, None)],
        })
        .collect();
    let answers = parallel(&places, |(resource, namespace)| {
        let path = resource.collection(namespace.map(String::as_str));
        let path = format!("{path}?labelSelector={}%3D{id}", escape(PART_OF));
        client.send(&Request { accept: Some(NAMES), ..Request::get(path) })
    });
    let key = |object: &Object| (object.group().to_owned(), object.kind.clone(), object.namespace.clone());
    let wanted: HashSet<_> = bundle.iter().map(|(_, object)| (key(object), object.name.clone())).collect();
    let (mut left, mut unread) = (Vec::new(), Vec::new());
    for ((resource, namespace), answer) in places.iter().zip(answers) {
        let answer = answer?;
        if !answer.is_ok() {
            unread.push(format!("cannot list {}: {}", resource.plural, status_of(&answer).message));
            continue;
        }
        let list: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        for item in list["items"].as_array().into_iter().flatten() {
            let (api_version, kind) = (resource.api_version.clone(), resource.kind.clone());
            let name = item["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let namespace = namespace.map(ToOwned::to_owned);
            let member = ObjectRef { api_version, kind, namespace, name };
            let key =
                ((resource.group().to_owned(), member.kind.clone(), member.namespace.clone()), member.name.clone());
            if !wanted.contains(&key) && member != *parent {
                left.push(member);
            }
        }
    }
    Ok((left, unread))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids that kubectl 1.36.3 gives (`pkg/cmd/apply/apply_test.go`).
    #[test]
    fn the_id_is_kubectls() {
        let parent = |api_version: &str, kind: &str, namespace: Option<&str>| ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: "my-set".to_owned(),
        };
        let secret = id(&parent("v1", "Secret", Some("test")));
        assert_eq!(secret, "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1");
        let custom = id(&parent("company.com/v1", "ApplySet", None));
        assert_eq!(custom, "applyset-rhp1a-HVAVT_dFgyEygyA1BEB82HPp2o10UiFTpqtAs-v1");
    }
}
