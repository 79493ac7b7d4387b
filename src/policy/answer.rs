//! What policies are told of a request, and how the server words what they say.

use std::sync::Arc;

use kube_cel::cel::Value;

use super::cel;
use super::matching::Request;
use crate::diag::{Cause, Diagnostic, Server};
use crate::model::{Bundle, ObjectId, path};
use crate::yaml::View;

pub(super) fn reason(validation: View<'_>) -> &'static str {
    match validation.get_str("reason") {
        Some("Unauthorized") => "Unauthorized",
        Some("Forbidden") => "Forbidden",
        Some("RequestEntityTooLarge") => "RequestEntityTooLarge",
        _ => "Invalid",
    }
}

pub(super) fn server(request: &Request<'_>, message: &str, reason: &'static str) -> Server {
    let code = match reason {
        "Unauthorized" => 401,
        "Forbidden" => 403,
        "RequestEntityTooLarge" => 413,
        _ => 422,
    };
    let (object, resource) = (request.object, &request.resource);
    let group = if object.group().is_empty() { String::new() } else { format!(".{}", object.group()) };
    let message: Arc<str> = Arc::from(format!("{resource}{group} \"{}\" is forbidden: {message}", object.name));
    let cause = message.split_once(" is forbidden: ").map(|(_, cause)| cause.to_owned()).unwrap_or_default();
    let causes = vec![Cause { field: String::new(), reason: "", message: cause }];
    Server { code, reason, message, causes }
}

pub(super) fn diagnostic(
    bundle: &Bundle,
    id: ObjectId,
    rule: &'static str,
    field: &str,
    message: String,
) -> Diagnostic {
    let object = bundle.object(id);
    let span = match field {
        "" => path::place(bundle.written(id), "metadata.name"),
        field => path::place(bundle.written(id), field),
    };
    let mut found = Diagnostic::new(rule, object.file, span, message);
    found.object = Some(id);
    found.document = Some(object.document);
    found.field = (!field.is_empty()).then(|| field.to_owned());
    found
}

/// `request`: a create by somebody who is not known here.
pub(super) fn describe(request: &Request<'_>) -> Value {
    let object = request.object;
    let kind = || {
        cel::map(
            [("group", object.group()), ("version", object.version()), ("kind", object.kind.as_str())]
                .into_iter()
                .map(|(key, text)| (key, cel::text(text))),
        )
    };
    let resource = || {
        cel::map(
            [("group", object.group()), ("version", object.version()), ("resource", request.resource.as_str())]
                .into_iter()
                .map(|(key, text)| (key, cel::text(text))),
        )
    };
    let fields = [
        ("kind", kind()),
        ("requestKind", kind()),
        ("resource", resource()),
        ("requestResource", resource()),
        ("name", cel::text(&object.name)),
        ("namespace", cel::text(object.namespace.as_deref().unwrap_or_default())),
        ("operation", cel::text("CREATE")),
        ("dryRun", Value::Bool(false)),
    ];
    cel::map(fields.into_iter())
}
