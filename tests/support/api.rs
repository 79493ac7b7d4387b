//! Asking the API server itself, with the administrator's rights: what kubectl does not show of an answer, and what
//! would take a process each time.
// Test programs use a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::plane::Plane;
use crate::proxy::{Chunked, Request, pass, read_head};

/// Kinds that tests make in namespaces, and those that controllers make of them.
pub const KINDS: [(&str, &str); 19] = [
    ("v1", "ConfigMap"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
];

/// Objects by `Kind/name`.
pub type Objects = BTreeMap<String, Value>;

/// The way to a cluster.
pub struct Api {
    address: String,
}

/// The server's answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub json: Value,
}

impl Answer {
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The object that was asked for.
    pub fn ok(self) -> Result<Value, Failed> {
        if self.is_ok() { Ok(self.json) } else { Err(format!("{}: {}", self.status, self.json["message"]).into()) }
    }
}

impl Api {
    pub fn new(plane: &Plane) -> Result<Self, Failed> {
        Ok(Self { address: plane.plain()?.to_owned() })
    }

    /// Sends a request that a proxy noted, once more.
    pub fn repeat(&self, request: &Request) -> Result<Answer, Failed> {
        let mut bytes = Vec::new();
        pass(&self.address, request, |_| (), &mut bytes)?;
        let mut reader = BufReader::new(bytes.as_slice());
        let (first, headers) = read_head(&mut reader)?.ok_or("no answer")?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        let mut body = Vec::new();
        if headers.iter().any(|(name, _)| name == "transfer-encoding") {
            Chunked::new(&mut reader).read_to_end(&mut body)?;
        } else {
            reader.read_to_end(&mut body)?;
        }
        // Some errors are plain text.
        let json = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        Ok(Answer { status, json })
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Failed> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        self.repeat(&Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![header("host", &self.address), header("content-type", "application/json")],
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            at: Duration::ZERO,
            status: None,
        })
    }

    pub fn get(&self, path: &str) -> Result<Answer, Failed> {
        self.send("GET", path, None)
    }

    pub fn post(&self, path: &str, object: &Value) -> Result<Answer, Failed> {
        self.send("POST", path, Some(object))
    }

    pub fn delete(&self, path: &str) -> Result<Answer, Failed> {
        self.send("DELETE", path, None)
    }

    /// The items of a list; none where the path does not exist.
    pub fn items(&self, path: &str) -> Result<Vec<Value>, Failed> {
        let mut answer = self.get(path)?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        match answer.json["items"].take() {
            Value::Array(items) if answer.is_ok() => Ok(items),
            _ => Err(format!("{path}: {} {}", answer.status, answer.json).into()),
        }
    }

    pub fn pods(&self, namespace: &str) -> Result<Vec<Value>, Failed> {
        self.items(&format!("/api/v1/namespaces/{namespace}/pods"))
    }

    /// Everything of some kinds in a namespace, and the namespace itself.
    pub fn everything(&self, namespace: &str, kinds: &[(&str, &str)]) -> Result<Objects, Failed> {
        let mut found = Objects::new();
        for (api_version, kind) in kinds.iter().copied() {
            for mut item in self.items(&collection(api_version, kind, Some(namespace)))? {
                item["apiVersion"] = json!(api_version);
                item["kind"] = json!(kind);
                found.insert(title(&item), item);
            }
        }
        let own = self.get(&format!("/api/v1/namespaces/{namespace}"))?;
        if own.is_ok() {
            found.insert(title(&own.json), own.json);
        }
        Ok(found)
    }
}

/// `Kind/name` of an object.
pub fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The path of all objects of a kind.
pub fn collection(api_version: &str, kind: &str, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    let namespace = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let kind = kind.to_lowercase();
    let plural = match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    };
    format!("{root}/{api_version}{namespace}/{plural}")
}
