//! `dryRun=All`: what the API server would make of each object, without a write.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::payload::{Replicas, payload};
use super::status::Status;
use super::{
    Client, ClusterError, Method, Request, Resource, Resources, Response, ownership, parallel, settled, status_of,
};
use crate::diag::Cause;
use crate::diff::{Anew, Answer, Conflict, Fidelity, ObjectRef, OnConflict, Policy, Refusal, is_immutability};
use crate::model::{Bundle, Key, ObjectId};
use crate::yaml::{self, NodeId, Tree, View};

/// The namespace for dry runs of objects whose own namespace does not exist yet.
const STAND_IN: &str = "default";
const APPLY: &str = "application/apply-patch+yaml";
const JSON_PATCH: &str = "application/json-patch+json";
/// What every request of kplan asks for; unknown fields are refused, not dropped.
const OPTIONS: &str = "fieldManager=kplan&fieldValidation=Strict";

/// What is to be asked.
pub struct Ask<'a> {
    pub bundle: &'a Bundle,
    pub resources: &'a Resources,
    /// What the cluster holds of the set.
    pub live: &'a Bundle,
    /// Namespaces that the set makes, with whether the cluster is known to lack them.
    pub own_namespaces: HashMap<String, bool>,
    /// Where the replicas are not those that are written.
    pub replicas: HashMap<ObjectId, Replicas>,
    pub policy: &'a Policy,
}

/// Asks for every object of the set whose answer the server's own record does not give already; eight requests at a
/// time, none of which writes.
///
/// # Errors
/// The server gives no answer any more.
pub fn ask(client: &Client<'_>, ask: &Ask<'_>) -> Result<HashMap<ObjectId, Answer>, ClusterError> {
    let ids: Vec<ObjectId> = ask.bundle.ids().collect();
    let live: HashMap<Key, ObjectId> = ask.live.iter().map(|(id, object)| (object.key(), id)).collect();
    let answers = parallel(&ids, |id| {
        let live = live.get(&ask.bundle.object(*id).key()).map(|id| ask.live.written(*id));
        one(client, ask, *id, live)
    });
    ids.into_iter().zip(answers).map(|(id, answer)| Ok((id, answer?))).collect()
}

fn one(client: &Client<'_>, ask: &Ask<'_>, id: ObjectId, live: Option<View<'_>>) -> Result<Answer, ClusterError> {
    let object = ask.bundle.object(id);
    let Some(resource) = ask.resources.get(&object.api_version, &object.kind) else {
        return Ok(unserved(ask, id));
    };
    let mut json = payload(ask.bundle, id, ask.replicas.get(&id).copied().unwrap_or_default());
    let namespace = object.namespace.as_deref();
    if ask.bundle.written(id).at(&["metadata", "name"]).is_none() {
        let request = create_request(&resource.collection(namespace), &json, true);
        return Ok(answer(Fidelity::Server, &client.send(&request)?));
    }
    let live = live.map(View::to_json);
    let record: Option<Value> = live.as_deref().and_then(|live| serde_json::from_str(live).ok());
    let inherits: Vec<String> =
        record.iter().flat_map(|live| ownership::predecessors(live, ask.policy)).map(str::to_owned).collect();
    if let (Some(live), Some(record)) = (&live, &record)
        && inherits.is_empty()
        && settled::is_settled(&json, record)
    {
        return Ok(Answer { stored: read(live), ..Answer::new(Fidelity::Server) });
    }
    let is_known = record.as_ref().is_some_and(ownership::has_own);
    let own = namespace.and_then(|namespace| ask.own_namespaces.get(namespace));
    if own == Some(&true) {
        return stand_in(client, resource, &object.name, &mut json);
    }
    let asked =
        Asked { client, resource, namespace, name: &object.name, path: resource.object(namespace, &object.name) };
    let (response, conflicts) = asked.apply(&mut json, &object.kind, ask.policy)?;
    let status = status_of(&response);
    if own.is_some() && response.status == 404 && status.message.starts_with("namespaces ") {
        return stand_in(client, resource, &object.name, &mut json);
    }
    let response = match record.filter(|_| response.is_ok() && !inherits.is_empty()) {
        Some(record) => asked.inherit(response, &record, ask.policy)?,
        None => response,
    };
    let mut answer = answer(Fidelity::Server, &response);
    if answer.refusal.as_ref().is_some_and(can_be_new) {
        answer.anew = Some(asked.create(&json)?);
    }
    Ok(Answer { conflicts, inherits, is_known, ..answer })
}

/// An object that the server is asked about.
struct Asked<'a> {
    client: &'a Client<'a>,
    resource: &'a Resource,
    namespace: Option<&'a str>,
    name: &'a str,
    path: String,
}

impl Asked<'_> {
    /// The dry run of an apply, and the conflicts that it met; fields that are left to their owners are taken out of
    /// `json`, and of others it is asked what would come of taking them.
    fn apply(&self, json: &mut Value, kind: &str, policy: &Policy) -> Result<(Response, Vec<Conflict>), ClusterError> {
        let response = self.client.send(&apply_request(&self.path, json, false, true))?;
        let status = status_of(&response);
        if !status.is_field_conflict() {
            return Ok((response, Vec::new()));
        }
        let found = conflicts(&status);
        for conflict in &found {
            if policy.on_conflict(kind, &conflict.field, &conflict.manager) == OnConflict::Leave {
                ownership::leave_out(json, &conflict.field);
            }
        }
        Ok((self.client.send(&apply_request(&self.path, json, true, true))?, found))
    }

    /// What the object becomes once the fields of predecessors are kplan's: those that nobody writes go away, and the
    /// server fills in and judges what is left.
    fn inherit(&self, response: Response, live: &Value, policy: &Policy) -> Result<Response, ClusterError> {
        let mut stored: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let before = stored.clone();
        if !ownership::remove_inherited(&mut stored, live, policy) {
            return Ok(response);
        }
        let top = |object: &Value| object.as_object().cloned().unwrap_or_default();
        let removed = top(&before).into_iter().filter(|(key, _)| stored.get(key).is_none());
        let removed = removed.map(|(key, _)| json!({"op": "remove", "path": format!("/{key}")}));
        let kept =
            top(&stored).into_iter().filter(|(key, _)| !["apiVersion", "kind", "status"].contains(&key.as_str()));
        let kept = kept.map(|(key, value)| json!({"op": "add", "path": format!("/{key}"), "value": value}));
        let live = top(live);
        let patch: Vec<Value> =
            kept.chain(removed.filter(|op| live.contains_key(&op["path"].as_str().unwrap_or_default()[1..]))).collect();
        let asked = self.client.send(&patch_request(&self.path, &patch, true))?;
        Ok(Response { warnings: response.warnings, ..asked })
    }

    /// Asks for a new object like this one: under another name, since the old one is still there; where that is refused,
    /// under its own, which a valid object is refused for one reason only.
    fn create(&self, json: &Value) -> Result<Anew, ClusterError> {
        let collection = self.resource.collection(self.namespace);
        let mut other = json.clone();
        let stand_in = stand_in_name(self.name);
        other["metadata"]["name"] = stand_in.clone().into();
        let response = self.client.send(&create_request(&collection, &other, true))?;
        if response.is_ok() {
            let mut stored: Value = serde_json::from_str(&response.body).unwrap_or_default();
            stored["metadata"]["name"] = self.name.into();
            return Ok(Anew::Taken(read(&stored.to_string())));
        }
        let again = self.client.send(&create_request(&collection, json, true))?;
        let status = status_of(&again);
        if again.is_ok() || status.reason == "AlreadyExists" {
            return Ok(Anew::Taken(None));
        }
        Ok(Anew::Refused(status.message))
    }
}

/// Whether an update is refused only for what cannot be changed.
fn can_be_new(refusal: &Refusal) -> bool {
    refusal.code == 422 && !refusal.causes.is_empty() && refusal.causes.iter().all(is_immutability)
}

/// A JSON patch as kplan.
pub(super) fn patch_request(path: &str, operations: &[Value], dry_run: bool) -> Request {
    let dry_run = if dry_run { "dryRun=All&" } else { "" };
    let body = Value::from(operations.to_vec()).to_string().into_bytes();
    Request::with_body(Method::Patch, format!("{path}?{dry_run}{OPTIONS}"), JSON_PATCH, body)
}

/// Server-side apply as kplan.
pub fn apply_request(path: &str, json: &Value, force: bool, dry_run: bool) -> Request {
    let dry_run = if dry_run { "dryRun=All&" } else { "" };
    let path = format!("{path}?{dry_run}{OPTIONS}&force={force}");
    Request::with_body(Method::Patch, path, APPLY, json.to_string().into_bytes())
}

/// The live object and what apply would make of it, both as JSON, as they are now; `None` where it is gone.
///
/// # Errors
/// The server gives no answer, or refuses the dry run.
pub fn dry_run_again(
    client: &Client<'_>,
    resources: &Resources,
    object: &ObjectRef,
    payload: &Value,
    force: bool,
) -> Result<Option<(String, String)>, ClusterError> {
    let help = "plan again to see what has changed";
    let Some(resource) = resources.get(&object.api_version, &object.kind) else { return Ok(None) };
    let path = resource.object(object.namespace.as_deref(), &object.name);
    let live = client.send(&Request::get(path.clone()))?;
    if !live.is_ok() {
        return if live.status == 404 { Ok(None) } else { Err(ClusterError::new(status_of(&live).message, help)) };
    }
    let mut payload = payload.clone();
    if let Some(metadata) = payload["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
        metadata.remove("uid");
    }
    let stored = client.send(&apply_request(&path, &payload, force, true))?;
    if !stored.is_ok() {
        return Err(ClusterError::new(status_of(&stored).message, help));
    }
    Ok(Some((live.body, stored.body)))
}

/// Creation of an object that the server names.
pub fn create_request(collection: &str, json: &Value, dry_run: bool) -> Request {
    let dry_run = if dry_run { "dryRun=All&" } else { "" };
    let path = format!("{collection}?{dry_run}{OPTIONS}");
    Request::with_body(Method::Post, path, "application/json", json.to_string().into_bytes())
}

/// The namespace comes with the set: asked for under another name where there is a namespace, which tells all but what
/// depends on the name.
fn stand_in(client: &Client<'_>, resource: &Resource, name: &str, json: &mut Value) -> Result<Answer, ClusterError> {
    let stand_in = stand_in_name(name);
    json["metadata"]["name"] = stand_in.clone().into();
    json["metadata"]["namespace"] = STAND_IN.into();
    let path = resource.object(Some(STAND_IN), &stand_in);
    let response = client.send(&apply_request(&path, json, false, true))?;
    let mut answer = answer(Fidelity::Dummy, &response);
    if answer.fidelity == Fidelity::Dummy {
        answer.note = "its namespace is new: tried in another".to_owned();
    }
    if let Some(refusal) = &mut answer.refusal {
        refusal.message = refusal.message.replace(&stand_in, name);
    }
    answer.stored = None;
    Ok(answer)
}

fn stand_in_name(name: &str) -> String {
    let name = format!("kplan-dry-run-{name}");
    name.get(..63.min(name.len())).unwrap_or(&name).trim_end_matches(['-', '.']).to_owned()
}

/// A kind that the server does not serve: new with the set, or unknown.
fn unserved(ask: &Ask<'_>, id: ObjectId) -> Answer {
    let object = ask.bundle.object(id);
    let mut answer = Answer::new(Fidelity::Approx);
    let defined = ask.bundle.custom_kinds.iter().any(|custom| {
        custom.group == object.group()
            && custom.kind == object.kind
            && custom.versions.iter().any(|version| version == object.version())
    });
    if defined {
        answer.note = "its CustomResourceDefinition is new".to_owned();
        return answer;
    }
    if let Some(why) = ask.resources.unavailable.get(&object.api_version) {
        answer.note = format!("the API {} cannot be asked: {why}", object.api_version);
    }
    let message = format!("no matches for kind \"{}\" in version \"{}\"", object.kind, object.api_version);
    answer.refusal = Some(Refusal { code: 404, reason: "NotFound", message, causes: Vec::new() });
    answer
}

fn answer(fidelity: Fidelity, response: &Response) -> Answer {
    let mut answer = Answer::new(fidelity);
    answer.warnings.clone_from(&response.warnings);
    if response.is_ok() {
        answer.stored = read(&response.body);
        return answer;
    }
    let status = status_of(response);
    if status.is_missing_right() {
        answer.fidelity = Fidelity::Approx;
        answer.note = format!("the server may not be asked: {}", status.message);
    } else if status.message.contains("does not support dry run") {
        answer.fidelity = Fidelity::Approx;
        answer.note = status.message;
    } else {
        answer.refusal = Some(refusal(status));
    }
    answer
}

fn read(json: &str) -> Option<(Tree, NodeId)> {
    let file = yaml::read(&Arc::from(json));
    let root = file.documents.first().and_then(|document| document.root)?;
    Some((file.tree, root))
}

fn refusal(status: Status) -> Refusal {
    let causes = status.causes.into_iter().map(|cause| Cause {
        field: cause.field,
        reason: known(&cause.reason),
        message: cause.message,
    });
    let causes = causes.collect();
    Refusal { code: status.code, reason: known(&status.reason), message: status.message, causes }
}

/// The conflicts that a 409 lists: `conflict with "kubectl-edit" using apps/v1`.
pub(super) fn conflicts(status: &Status) -> Vec<Conflict> {
    let causes = status.causes.iter().filter(|cause| cause.reason == "FieldManagerConflict");
    causes
        .map(|cause| {
            let named = cause.message.strip_prefix("conflict with ").unwrap_or(&cause.message);
            let manager = named.split('"').nth(1).unwrap_or(named).to_owned();
            Conflict { field: cause.field.clone(), manager, is_update: named.contains(" using ") }
        })
        .collect()
}

/// Reasons of `metav1.Status` and of its causes (`apimachinery/pkg/apis/meta/v1/types.go`, `util/validation/field`).
fn known(reason: &str) -> &'static str {
    const REASONS: [&str; 33] = [
        "AlreadyExists",
        "BadRequest",
        "Conflict",
        "Expired",
        "FieldManagerConflict",
        "FieldValueDuplicate",
        "FieldValueForbidden",
        "FieldValueInvalid",
        "FieldValueNotFound",
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
        "Forbidden",
        "Gone",
        "InternalError",
        "Invalid",
        "MethodNotAllowed",
        "NamespaceTerminating",
        "NotAcceptable",
        "NotFound",
        "RequestEntityTooLarge",
        "ResourceVersionTooLarge",
        "ServerTimeout",
        "ServiceUnavailable",
        "StoreReadError",
        "Timeout",
        "TooManyRequests",
        "Unauthorized",
        "UnexpectedServerResponse",
        "UnsupportedMediaType",
        "ResourceExpired",
    ];
    REASONS.into_iter().find(|known| *known == reason).unwrap_or("Unknown")
}
