//! Which resources the API server serves.

use std::collections::HashMap;

use serde_json::Value;

use super::{Client, ClusterError, Request, parallel, status_of};

/// Aggregated discovery (Kubernetes 1.26 and newer): everything in two requests, also while an APIService is dead.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// A resource with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub api_version: String,
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    pub namespaced: bool,
}

impl Resource {
    /// `apps`; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The path of the collection, in a namespace or over all of them.
    pub fn collection(&self, namespace: Option<&str>) -> String {
        let root = if self.api_version.contains('/') { "/apis" } else { "/api" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => {
                format!("{root}/{}/namespaces/{}/{}", self.api_version, escape(namespace), self.plural)
            }
            None => format!("{root}/{}/{}", self.api_version, self.plural),
        }
    }

    /// The path of one object.
    pub fn object(&self, namespace: Option<&str>, name: &str) -> String {
        format!("{}/{}", self.collection(namespace), escape(name))
    }
}

/// A path segment or query value: names of objects may hold `:` and, where the manifest is wrong, anything.
pub(super) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Everything that is served, by apiVersion and kind.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    by_kind: HashMap<(String, String), Resource>,
    /// Group versions whose APIService gives no answer, each with why.
    pub unavailable: HashMap<String, String>,
}

impl Resources {
    /// Asks what is served. A group that does not answer makes only its own kinds unknown.
    ///
    /// # Errors
    /// The server does not answer at all.
    pub fn discover(client: &Client<'_>) -> Result<Resources, ClusterError> {
        let aggregated = |path: &str| Request { accept: Some(AGGREGATED), ..Request::get(path) };
        let answers = parallel(&["/api", "/apis"], |path| client.send(&aggregated(path)));
        let mut found = Resources::default();
        for answer in answers {
            let answer = answer?;
            let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            if !answer.is_ok() || json["kind"] != "APIGroupDiscoveryList" {
                return Resources::group_by_group(client);
            }
            json["items"].as_array().into_iter().flatten().for_each(|group| found.add_group(group));
        }
        Ok(found)
    }

    fn add_group(&mut self, group: &Value) {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            let api_version = join(name, version["version"].as_str().unwrap_or_default());
            let resources = version["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
            if version["freshness"] == "Stale" && resources.is_empty() {
                let why = "its APIService gives no answer".to_owned();
                self.unavailable.insert(api_version.clone(), why);
            }
            for resource in resources {
                let namespaced = resource["scope"] == "Namespaced";
                self.add(&api_version, &resource["responseKind"]["kind"], &resource["resource"], namespaced);
            }
        }
    }

    fn add(&mut self, api_version: &str, kind: &Value, plural: &Value, namespaced: bool) {
        let (Some(kind), Some(plural)) = (kind.as_str(), plural.as_str()) else { return };
        let (api_version, kind, plural) = (api_version.to_owned(), kind.to_owned(), plural.to_owned());
        let resource = Resource { api_version: api_version.clone(), kind: kind.clone(), plural, namespaced };
        self.by_kind.entry((api_version, kind)).or_insert(resource);
    }

    /// The way of older servers: a request for each group version.
    fn group_by_group(client: &Client<'_>) -> Result<Resources, ClusterError> {
        let groups = client.send(&Request::get("/apis"))?;
        let groups: Value = serde_json::from_str(&groups.body).unwrap_or_default();
        let versions = groups["groups"].as_array().into_iter().flatten().flat_map(|group| {
            group["versions"].as_array().into_iter().flatten().filter_map(|version| version["groupVersion"].as_str())
        });
        let versions: Vec<&str> = std::iter::once("v1").chain(versions).collect();
        let path = |version: &str| format!("{}/{version}", if version == "v1" { "/api" } else { "/apis" });
        let answers = parallel(&versions, |version| client.send(&Request::get(path(version))));
        let mut found = Resources::default();
        for (version, answer) in versions.into_iter().zip(answers) {
            match answer {
                Ok(answer) if answer.is_ok() => found.add_list(version, &answer.body),
                Ok(answer) => drop(found.unavailable.insert(version.to_owned(), status_of(&answer).message)),
                Err(error) => drop(found.unavailable.insert(version.to_owned(), error.message)),
            }
        }
        Ok(found)
    }

    /// An `APIResourceList`; subresources stand in the same list.
    fn add_list(&mut self, version: &str, body: &str) {
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        for resource in json["resources"].as_array().into_iter().flatten() {
            if !resource["name"].as_str().unwrap_or_default().contains('/') {
                self.add(version, &resource["kind"], &resource["name"], resource["namespaced"] == true);
            }
        }
    }

    pub fn get(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        self.by_kind.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// A resource as kubectl names it: `deployments.apps`, `deployment`. Without a group any group's will do, the core's
    /// first.
    pub fn named(&self, text: &str) -> Option<&Resource> {
        let (name, group) = text.split_once('.').unwrap_or((text, ""));
        let fits = |resource: &&Resource| {
            (resource.plural == name || resource.kind.eq_ignore_ascii_case(name))
                && (group.is_empty() || resource.group() == group)
        };
        self.by_kind.values().filter(fits).min_by_key(|resource| (resource.group(), resource.api_version.as_str()))
    }

    /// A resource by `Deployment.apps`, in whichever version is served.
    pub fn of_group_kind(&self, text: &str) -> Option<&Resource> {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        let fits = |resource: &&Resource| resource.kind == kind && resource.group() == group;
        self.by_kind.values().filter(fits).min_by_key(|resource| resource.api_version.as_str())
    }
}

fn join(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
