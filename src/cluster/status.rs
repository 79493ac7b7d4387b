//! `metav1.Status`: what the API server says of a request that it refuses.

use serde_json::Value;

use super::Response;

/// An answer that is no object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub code: u16,
    /// `Invalid`, `Conflict`, …; empty where the server gives none.
    pub reason: String,
    pub message: String,
    pub causes: Vec<StatusCause>,
    /// The answer is about an object, not about a path that is not served.
    pub names_object: bool,
}

/// One of `details.causes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusCause {
    pub reason: String,
    pub message: String,
    pub field: String,
}

impl Status {
    /// Whether RBAC, not admission, forbids the request (`pkg/endpoints/handlers/responsewriters/errors.go`).
    pub fn is_missing_right(&self) -> bool {
        self.code == 403 && self.message.contains(" is forbidden: User ") && self.message.contains(" cannot ")
    }

    /// Whether other managers own fields that the request sets.
    pub fn is_field_conflict(&self) -> bool {
        self.code == 409 && self.causes.iter().any(|cause| cause.reason == "FieldManagerConflict")
    }
}

/// Reads the status of an answer; what is no JSON stands as its message.
pub fn status_of(response: &Response) -> Status {
    let Ok(json) = serde_json::from_str::<Value>(&response.body) else {
        let message = response.body.lines().next().unwrap_or_default().trim().to_owned();
        return Status { code: response.status, message, ..Status::default() };
    };
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let causes = json["details"]["causes"].as_array().into_iter().flatten().map(|cause| StatusCause {
        reason: text(cause, "reason"),
        message: text(cause, "message"),
        field: text(cause, "field"),
    });
    Status {
        code: response.status,
        reason: text(&json, "reason"),
        message: text(&json, "message"),
        causes: causes.collect(),
        names_object: json["details"]["name"].as_str().is_some_and(|name| !name.is_empty()),
    }
}
