//! The API server's side: asking it over connections that stay open.

use kplan::schema::{Kind, Schema};
use kplan::source::SourceText;
use kplan::yaml;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::TlsConfig;

use crate::answer::Answer;
use crate::generate::kind_of;

/// The namespace of objects that name none.
pub(crate) const NAMESPACE: &str = "oracle";

const DRY_RUN: &str = "dryRun=All&fieldValidation=Strict";
const REAL: &str = "fieldValidation=Strict";

/// A server and the right to ask it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) agent: Agent,
}

pub(crate) struct Reply {
    pub(crate) code: u64,
    pub(crate) body: Value,
    warnings: Vec<String>,
}

impl Server {
    /// The certificate of a server made for tests is signed by itself and not looked at.
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let tls = TlsConfig::builder().disable_verification(true).build();
        let config = Agent::config_builder().tls_config(tls).http_status_as_error(false).build();
        Self { url: url.to_owned(), token: token.to_owned(), agent: config.new_agent() }
    }

    /// Sends a request with a body of JSON, or without one.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Result<Reply, String> {
        self.send_as(method, path, body, "application/json")
    }

    /// Merges a patch into an object.
    pub(crate) fn patch(&self, path: &str, patch: &Value) -> Result<Reply, String> {
        self.send_as("PATCH", path, &patch.to_string(), "application/merge-patch+json")
    }

    fn send_as(&self, method: &str, path: &str, body: &str, content: &str) -> Result<Reply, String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", content)
            .body(body.to_owned())
            .map_err(|error| error.to_string())?;
        let mut response = self.agent.run(request).map_err(|error| format!("{method} {path}: {error}"))?;
        let headers = response.headers().get_all("Warning").into_iter();
        let warnings = headers.filter_map(|value| warning(std::str::from_utf8(value.as_bytes()).ok()?)).collect();
        let code = u64::from(response.status().as_u16());
        let text = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        Ok(Reply { code, body: serde_json::from_str(&text).unwrap_or(Value::Null), warnings })
    }

    /// What the server says of creating an object.
    pub(crate) fn create(&self, schema: &Schema, object: &Value) -> Result<Answer, String> {
        let kind = kind_of(schema, object).ok_or("not a served kind")?;
        let path = collection(kind, object);
        let text = sent(object);
        let reply = self.send("POST", &format!("{path}?{DRY_RUN}"), &text)?;
        let answer = Answer::of_server(reply.code, &reply.body, reply.warnings);
        // Node ports are given out only where a Service is really made.
        if !(answer.is_accepted() && kind.kind == "Service" && asks_for_ports(object)) {
            return Ok(answer);
        }
        let reply = self.send("POST", &format!("{path}?{REAL}"), &text)?;
        if reply.code < 300 {
            let name = reply.body["metadata"]["name"].as_str().unwrap_or_default();
            self.send("DELETE", &format!("{path}/{name}"), "")?;
        }
        Ok(Answer::of_server(reply.code, &reply.body, reply.warnings))
    }

    /// Stores an object for good; one that is there already stays.
    pub(crate) fn store(&self, schema: &Schema, object: &Value) -> Result<Value, String> {
        let kind = kind_of(schema, object).ok_or("not a served kind")?;
        let path = collection(kind, object);
        let reply = self.send("POST", &format!("{path}?{REAL}"), &object.to_string())?;
        match reply.code {
            409 => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                Ok(self.send("GET", &format!("{path}/{name}"), "")?.body)
            }
            ..300 => Ok(reply.body),
            _ => Err(format!("{} {path}: {}", reply.code, reply.body["message"])),
        }
    }

    /// Makes an object; what is stored stays.
    pub(crate) fn make(&self, schema: &Schema, object: &Value) -> Result<(Answer, Value), String> {
        let kind = kind_of(schema, object).ok_or("not a served kind")?;
        let reply = self.send("POST", &format!("{}?{REAL}", collection(kind, object)), &sent(object))?;
        Ok((Answer::of_server(reply.code, &reply.body, reply.warnings), reply.body))
    }

    /// Writes the status of a stored object.
    pub(crate) fn set_status(&self, schema: &Schema, stored: &Value, status: Value) -> Result<(), String> {
        let kind = kind_of(schema, stored).ok_or("not a served kind")?;
        let mut object = stored.clone();
        object["status"] = status;
        let name = stored["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{}/{name}/status", collection(kind, stored));
        let reply = self.send("PUT", &path, &object.to_string())?;
        if reply.code < 300 { Ok(()) } else { Err(format!("{} {path}: {}", reply.code, reply.body["message"])) }
    }

    /// What the server says of replacing a stored object.
    pub(crate) fn update(&self, schema: &Schema, stored: &Value, object: &Value) -> Result<Answer, String> {
        let kind = kind_of(schema, object).ok_or("not a served kind")?;
        let name = stored["metadata"]["name"].as_str().unwrap_or_default();
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        let path = format!("{}/{name}?{DRY_RUN}", collection(kind, stored));
        let reply = self.send("PUT", &path, &sent(&object))?;
        Ok(Answer::of_server(reply.code, &reply.body, reply.warnings))
    }

    /// Deletes what was stored.
    pub(crate) fn delete(&self, schema: &Schema, stored: &Value) -> Result<(), String> {
        let kind = kind_of(schema, stored).ok_or("not a served kind")?;
        let name = stored["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{}/{name}?gracePeriodSeconds=0&propagationPolicy=Background", collection(kind, stored));
        self.send("DELETE", &path, "").map(|_| ())
    }
}

/// The path of a kind's objects in the namespace that kubectl would ask.
pub(crate) fn collection(kind: &Kind, object: &Value) -> String {
    let version = kind.api_version;
    let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    if !kind.namespaced {
        return format!("{root}/{}", kind.plural);
    }
    let namespace = object["metadata"]["namespace"].as_str().filter(|namespace| !namespace.is_empty());
    format!("{root}/namespaces/{}/{}", encoded(namespace.unwrap_or(NAMESPACE)), kind.plural)
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn asks_for_ports(object: &Value) -> bool {
    let ports = object["spec"]["ports"].as_array();
    ports.into_iter().flatten().any(|port| port["nodePort"].as_i64().is_some_and(|port| port != 0))
        || object["spec"]["healthCheckNodePort"].as_i64().is_some_and(|port| port != 0)
}

/// An object as kubectl sends it: keys in order (the server's decoder meets its first error in that order), numbers as
/// Go writes them.
pub(crate) fn sent(object: &Value) -> String {
    let file = yaml::read_unsplit(&SourceText::from(object.to_string()));
    let root = file.documents.first().and_then(|document| document.root);
    root.map_or_else(|| object.to_string(), |root| file.tree.view(root).to_json())
}

/// The text of a `Warning` header: `299 - "text"`.
fn warning(header: &str) -> Option<String> {
    let text = header.strip_prefix("299 - \"")?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(if char == '\\' { chars.next()? } else { char });
    }
    Some(out)
}
