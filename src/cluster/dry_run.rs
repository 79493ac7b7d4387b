//! `dryRun=All`: what the API server would make of each object, without a write.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::payload::{Replicas, payload};
use super::status::Status;
use super::{
    Claim, Client, ClusterError, Method, Request, Resource, Resources, Response, join, ownership, parallel, settled,
    status_of, stored, switched, unions,
};
use crate::diag::Cause;
use crate::diff::{
    Anew, Answer, Conflict, Fidelity, OTHER_SET, ObjectRef, OnConflict, Policy, Refusal, is_immutability,
};
use crate::model::{Bundle, Key, ObjectId};
use crate::source::SourceText;
use crate::yaml::{self, NodeId, Tree, View};

/// The namespace for dry runs of objects whose own namespace does not exist yet.
const STAND_IN: &str = "default";
const APPLY: &str = "application/apply-patch+yaml";
const JSON_PATCH: &str = "application/json-patch+json";
/// Owner of the fields that kplan applies.
pub const MANAGER: &str = "kplan";

/// What the server says of an object whose record names a version that is not served any more.
pub(super) const GONE_VERSION: &str = "request to convert CR to an invalid group/version";

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
    /// What becomes of their membership, where they are applied as an ApplySet.
    pub claims: HashMap<ObjectId, Claim>,
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
    let live = live.map(View::to_json);
    let record: Option<Value> = live.as_deref().and_then(|live| serde_json::from_str(live).ok());
    let claim = ask.claims.get(&id);
    if let Some(claim) = claim {
        join(&mut json, claim);
    }
    let other_set = claim.and_then(|claim| claim.other.clone());
    let known = Answer { other_set, ..record.as_ref().map_or_else(unknown, |live| told(live, &json, ask.policy)) };
    let namespace = object.namespace.as_deref();
    if ask.bundle.written(id).at(&["metadata", "name"]).is_none() {
        let request = create_request(&resource.collection(namespace), &json, true);
        return Ok(answer(Fidelity::Server, &client.send(&request)?));
    }
    if let (Some(live), Some(record)) = (&live, &record)
        && known.inherits.is_empty()
        && settled::is_settled(&json, record)
    {
        return Ok(Answer { stored: read(live), ..known });
    }
    let own = namespace.and_then(|namespace| ask.own_namespaces.get(namespace));
    if own == Some(&true) {
        return stand_in(client, resource, &object.name, &mut json);
    }
    let asked =
        Asked { client, resource, namespace, name: &object.name, path: resource.object(namespace, &object.name) };
    let (response, mut conflicts) = asked.apply(&mut json, &object.kind, ask.policy)?;
    // Whose member it is, is asked of the label, whoever has set it.
    conflicts.retain(|conflict| known.other_set.is_none() || conflict.field != OTHER_SET);
    let status = status_of(&response);
    if own.is_some() && response.status == 404 && status.message.starts_with("namespaces ") {
        return stand_in(client, resource, &object.name, &mut json);
    }
    let gone = |version: &str| ask.resources.get(version, &object.kind).is_none();
    if let Some(live) = record.as_ref().filter(|_| status.message.contains(GONE_VERSION))
        && let Some(record) = ownership::inherited(live, ask.policy, &gone, &[])
    {
        return asked.amend(&json, live, record, known);
    }
    let (response, clears) = asked.clear(response, &json, record.as_ref(), ask.policy)?;
    let response = match record.filter(|_| response.is_ok() && !known.inherits.is_empty()) {
        Some(record) => asked.inherit(response, &record, ask.policy)?,
        None => response,
    };
    let mut answer = answer(Fidelity::Server, &response);
    if response.is_ok() {
        answer.changed = stored::otherwise(&json, &serde_json::from_str(&response.body).unwrap_or_default());
    }
    if answer.refusal.as_ref().is_some_and(can_be_new) {
        answer.anew = Some(asked.create(&json)?);
    }
    let Answer { inherits, is_known, other_set, going, by_hand, .. } = known;
    Ok(Answer { conflicts, inherits, clears, is_known, other_set, going, by_hand, ..answer })
}

fn unknown() -> Answer {
    Answer::new(Fidelity::Server)
}

/// What the live object tells without a question: whose it is, and whether it goes.
fn told(live: &Value, payload: &Value, policy: &Policy) -> Answer {
    let by_hand = ownership::by_hand(live, policy).into_iter();
    Answer {
        inherits: ownership::predecessors(live, policy).into_iter().map(str::to_owned).collect(),
        is_known: ownership::has_own(live),
        going: going(live),
        by_hand: by_hand.filter(|field| !ownership::leads(payload, &field.field)).collect(),
        ..unknown()
    }
}

/// Why an object that is being deleted is still there.
fn going(live: &Value) -> Option<String> {
    let metadata = &live["metadata"];
    let since = metadata["deletionTimestamp"].as_str()?;
    let holds: Vec<&str> = metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let held = if holds.is_empty() { String::new() } else { format!(", held by its finalizers: {}", holds.join(", ")) };
    Some(format!("it is being deleted since {since}{held}"))
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

    /// Where an update is refused and old members of unions are left that nobody owns, or only predecessors, what comes of it
    /// without them, and the paths of the first: the server merges all but the new members, then fills in and judges the
    /// object with these.
    fn clear(
        &self,
        response: Response,
        json: &Value,
        live: Option<&Value>,
        policy: &Policy,
    ) -> Result<(Response, Vec<String>), ClusterError> {
        let Some(live) = live.filter(|_| response.status == 422) else { return Ok((response, Vec::new())) };
        let rests = unions::rests(live, json, policy);
        let causes: Vec<String> = status_of(&response).causes.into_iter().map(|cause| cause.field).collect();
        let mut plain = json.clone();
        rests.iter().for_each(|rest| rest.stay(&mut plain, live));
        let mut held = plain.clone();
        let inherits = !ownership::predecessors(live, policy).is_empty();
        if !(inherits && switched::hold_back(&mut held, live, &causes)) && rests.is_empty() {
            return Ok((response, Vec::new()));
        }
        let merged = self.client.send(&apply_request(&self.path, &held, true, true))?;
        if !merged.is_ok() {
            return Ok((merged, Vec::new()));
        }
        let before: Value = serde_json::from_str(&merged.body).unwrap_or_default();
        let mut stored = before.clone();
        ownership::remove_inherited(&mut stored, live, policy);
        switched::put_back(&mut stored, &plain, &held);
        rests.iter().for_each(|rest| rest.switch(&mut stored, json));
        let asked = self.put(&stored, &before, live)?;
        Ok((asked, rests.iter().map(unions::Rest::path).collect()))
    }

    /// What the object becomes once the fields of predecessors are kplan's: those that nobody writes go away, and the
    /// server fills in and judges what is left.
    fn inherit(&self, response: Response, live: &Value, policy: &Policy) -> Result<Response, ClusterError> {
        let mut stored: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let before = stored.clone();
        if !ownership::remove_inherited(&mut stored, live, policy) {
            return Ok(response);
        }
        let asked = self.put(&stored, &before, live)?;
        Ok(Response { warnings: response.warnings, ..asked })
    }

    /// The server cannot say what an apply would make of the object before its record is renewed: what comes of it then
    /// is computed, and the server fills in and judges that.
    fn amend(&self, json: &Value, live: &Value, record: Value, known: Answer) -> Result<Answer, ClusterError> {
        let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
        let inherits = entries.filter_map(|entry| entry["manager"].as_str().map(str::to_owned)).collect();
        let response = self.put(&ownership::amended(live, json, record), live, live)?;
        let mut answer = answer(Fidelity::Server, &response);
        if answer.refusal.is_none() {
            answer.fidelity = Fidelity::Approx;
            answer.note = "its record names a version of the API that is gone, and is renewed first".to_owned();
        }
        let Answer { is_known, other_set, going, by_hand, .. } = known;
        Ok(Answer { inherits, is_known, other_set, going, by_hand, ..answer })
    }

    /// The dry run of replacing an object by `stored`; `before` had what is removed of it. Controllers write meanwhile, so
    /// it is asked of whatever version of the object is there.
    fn put(&self, stored: &Value, before: &Value, live: &Value) -> Result<Response, ClusterError> {
        let mut patch = operations("", (stored, before, live), &["apiVersion", "kind", "metadata", "status"]);
        let metadata = (&stored["metadata"], &before["metadata"], &live["metadata"]);
        patch.extend(operations("/metadata", metadata, &["resourceVersion"]));
        self.client.send(&patch_request(&self.path, &patch, true))
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

/// A JSON patch that makes the fields of a map those of `stored`, and removes those that only `before` has, where they are
/// live; some keys are let be.
fn operations(at: &str, (stored, before, live): (&Value, &Value, &Value), let_be: &[&str]) -> Vec<Value> {
    let fields = |map: &'_ Value| map.as_object().cloned().unwrap_or_default();
    let touched = |key: &String| !let_be.contains(&key.as_str());
    let path = |key: &str| format!("{at}/{key}");
    let kept = fields(stored).into_iter().filter(|(key, _)| touched(key));
    let kept = kept.map(|(key, value)| json!({"op": "add", "path": path(&key), "value": value}));
    let gone = fields(before).into_iter().map(|(key, _)| key).filter(|key| touched(key));
    let gone = gone.filter(|key| stored.get(key).is_none() && live.get(key).is_some());
    kept.chain(gone.map(|key| json!({"op": "remove", "path": path(&key)}))).collect()
}

/// What every request that writes has in common; unknown fields are refused, not dropped.
fn options(manager: &str, dry_run: bool) -> String {
    format!("{}fieldManager={manager}&fieldValidation=Strict", if dry_run { "dryRun=All&" } else { "" })
}

/// A JSON patch as kplan.
pub(super) fn patch_request(path: &str, operations: &[Value], dry_run: bool) -> Request {
    let body = Value::from(operations.to_vec()).to_string().into_bytes();
    Request::with_body(Method::Patch, format!("{path}?{}", options(MANAGER, dry_run)), JSON_PATCH, body)
}

/// Server-side apply as kplan.
pub(super) fn apply_request(path: &str, json: &Value, force: bool, dry_run: bool) -> Request {
    apply_as(MANAGER, path, json, force, dry_run)
}

/// Server-side apply as some manager; unknown fields are refused.
pub fn apply_as(manager: &str, path: &str, json: &Value, force: bool, dry_run: bool) -> Request {
    let path = format!("{path}?{}&force={force}", options(manager, dry_run));
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
    let path = format!("{collection}?{}", options(MANAGER, dry_run));
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
    let file = yaml::read(&SourceText::from(json));
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
