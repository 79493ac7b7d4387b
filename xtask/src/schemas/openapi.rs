//! What a running server says of itself: `version.json`, the discovery
//! documents in `discovery/` and the OpenAPI documents in `openapi/`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// One server's answers.
#[derive(Debug)]
pub(super) struct Server {
    /// `1.36.3`
    pub(super) version: String,
    pub(super) resources: Vec<Resource>,
    /// By definition name.
    pub(super) definitions: BTreeMap<String, Value>,
}

/// A resource or a subresource (`pods/eviction`) of a group version.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) api_version: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) namespaced: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceList {
    group_version: String,
    resources: Vec<ListedResource>,
}

#[derive(Deserialize)]
struct ListedResource {
    name: String,
    kind: String,
    namespaced: bool,
    group: Option<String>,
    version: Option<String>,
}

impl Server {
    /// Reads a directory that `cargo xtask cluster dump` wrote.
    pub(super) fn read(directory: &Path) -> Result<Self, String> {
        let version = read_json(&directory.join("version.json"))?["gitVersion"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches('v')
            .to_owned();
        let mut server = Self::new(version);
        for document in read_all(&directory.join("discovery"))? {
            server.add_resources(document)?;
        }
        for document in read_all(&directory.join("openapi"))? {
            server.add_definitions(&document);
        }
        Ok(server)
    }

    /// A server that serves nothing yet.
    pub(super) fn new(version: String) -> Self {
        Self { version, resources: Vec::new(), definitions: BTreeMap::new() }
    }

    /// Adds a discovery document; the index of groups has no resources.
    pub(super) fn add_resources(&mut self, document: Value) -> Result<(), String> {
        if document["kind"] != "APIResourceList" {
            return Ok(());
        }
        let list: ResourceList = serde_json::from_value(document).map_err(|error| format!("discovery: {error}"))?;
        for resource in list.resources {
            let api_version = match (resource.group.as_deref(), resource.version) {
                (Some("") | None, Some(version)) => version,
                (Some(group), Some(version)) => format!("{group}/{version}"),
                (_, None) => list.group_version.clone(),
            };
            self.resources.push(Resource {
                api_version,
                name: resource.name,
                kind: resource.kind,
                namespaced: resource.namespaced,
            });
        }
        Ok(())
    }

    /// Adds an OpenAPI document; the index of documents has no definitions.
    pub(super) fn add_definitions(&mut self, document: &Value) {
        if let Some(definitions) = document["components"]["schemas"].as_object() {
            for (name, definition) in definitions {
                self.definitions.insert(name.clone(), definition.clone());
            }
        }
    }
}

fn read_all(directory: &Path) -> Result<Vec<Value>, String> {
    let fail = |error| format!("{}: {error}", directory.display());
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        documents.push(read_json(&entry.map_err(fail)?.path())?);
    }
    Ok(documents)
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}
