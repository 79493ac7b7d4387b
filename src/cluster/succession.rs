//! The two requests of apply beside server-side apply itself: taking over what a predecessor applied, and deleting what
//! is made anew.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::dry_run::patch_request;
use super::{Client, ClusterError, Method, Request, ownership, status_of};
use crate::diff::Policy;

/// Pause between two looks at an object that goes.
const PAUSE: Duration = Duration::from_millis(200);
/// How often the record may change under our hands.
const TRIES: u32 = 5;

/// Versions of an object before and after its record was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inherited {
    pub before: String,
    pub after: String,
}

/// Makes the fields of predecessors, and of nobody what `clears` names, kplan's, in the object's record alone, and leaves
/// there no version that is `gone`; `None` where there is nothing to do any more.
///
/// # Errors
/// The server gives no answer, or refuses it; the object is as it was.
pub fn inherit(
    client: &Client<'_>,
    path: &str,
    policy: &Policy,
    gone: &dyn Fn(&str) -> bool,
    clears: &[String],
) -> Result<Option<Inherited>, ClusterError> {
    let help = "plan again to see what has changed";
    let version = |object: &Value| object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    for attempt in 1.. {
        let answer = client.send(&Request::get(path))?;
        if !answer.is_ok() {
            return Err(ClusterError::new(status_of(&answer).message, help));
        }
        let live: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let Some(record) = ownership::inherited(&live, policy, gone, clears) else { return Ok(None) };
        let set =
            |field: &str, value: Value| json!({"op": "replace", "path": format!("/metadata/{field}"), "value": value});
        // With the version, so that nobody's change meanwhile is lost.
        let patch = [set("managedFields", record), set("resourceVersion", version(&live).into())];
        let answer = client.send(&patch_request(path, &patch, false))?;
        if answer.is_ok() {
            let now: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            return Ok(Some(Inherited { before: version(&live), after: version(&now) }));
        }
        let status = status_of(&answer);
        if status.code != 409 || attempt == TRIES {
            return Err(ClusterError::new(status.message, help));
        }
    }
    Ok(None)
}

/// How an object goes that is made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Only this one: what somebody else made anew meanwhile stays.
    pub uid: String,
    /// `Foreground`, `Background` or `Orphan`: what becomes of the objects that it owns.
    pub propagation: &'static str,
}

/// Deletes an object and waits until it is gone.
///
/// # Errors
/// The server gives no answer or refuses it, or the object is not gone after `most`: finalizers hold it.
pub fn remove(
    client: &Client<'_>,
    path: &str,
    removal: &Removal,
    most: Duration,
    goes_on: &dyn Fn() -> bool,
) -> Result<(), ClusterError> {
    let help = "look at the object with `kubectl get --output yaml`; plan again once it is gone";
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": removal.uid},
        "propagationPolicy": removal.propagation});
    let body = options.to_string().into_bytes();
    let answer = client.send(&Request::with_body(Method::Delete, path.to_owned(), "application/json", body))?;
    if !answer.is_ok() && answer.status != 404 {
        return Err(ClusterError::new(status_of(&answer).message, help));
    }
    let since = Instant::now();
    loop {
        let answer = client.send(&Request::get(path))?;
        let object: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status == 404 || answer.is_ok() && object["metadata"]["uid"] != removal.uid.as_str() {
            return Ok(());
        }
        if since.elapsed() > most || !goes_on() {
            let holds = object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let holds: Vec<&str> = holds.collect();
            let message = match holds.is_empty() {
                true => format!("deleted to be made anew, but not gone after {} s", since.elapsed().as_secs()),
                false => format!("deleted to be made anew, but held by its finalizers: {}", holds.join(", ")),
            };
            return Err(ClusterError::new(message, help));
        }
        std::thread::sleep(PAUSE);
    }
}
