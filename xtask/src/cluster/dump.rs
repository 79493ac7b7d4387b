//! Saving what the running cluster says of itself, for `cargo xtask schemas`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::build::CONTROL_PLANE;
use super::files::Files;
use super::flag;
use super::process::output;
use crate::Outcome;

/// Writes `facts.json`, `version.json`, `discovery/` and `openapi/`.
pub(super) fn write(home: &Path, directory: &Path) -> Outcome {
    let server = Server { kubeconfig: flag("kubeconfig", &Files::new(home).kubeconfig) };
    for folder in ["discovery", "openapi"] {
        let folder = directory.join(folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let facts = output(Command::new(CONTROL_PLANE).arg("facts"))?;
    save(&directory.join("facts.json"), &facts)?;
    save(&directory.join("version.json"), &server.get("/version")?)?;
    let openapi = server.read("/openapi/v3")?;
    for (path, document) in openapi["paths"].as_object().into_iter().flatten() {
        let url = document["serverRelativeURL"].as_str().unwrap_or_default();
        let file = directory.join("openapi").join(file_name(path));
        save(&file, &server.get(url)?)?;
    }
    for path in resource_lists(&server)? {
        let file = directory.join("discovery").join(file_name(&path));
        save(&file, &server.get(&path)?)?;
    }
    Ok(())
}

struct Server {
    kubeconfig: String,
}

impl Server {
    fn get(&self, path: &str) -> Result<String, String> {
        let arguments = ["kubectl", &self.kubeconfig, "get", "--raw", path];
        output(Command::new(CONTROL_PLANE).args(arguments))
    }

    fn read(&self, path: &str) -> Result<Value, String> {
        serde_json::from_str(&self.get(path)?).map_err(|error| format!("{path}: {error}"))
    }
}

/// The paths of the discovery documents, one for each group version.
fn resource_lists(server: &Server) -> Result<Vec<String>, String> {
    let groups = server.read("/apis")?;
    let mut paths = vec!["/api/v1".to_owned()];
    for group in groups["groups"].as_array().into_iter().flatten() {
        for version in group["versions"].as_array().into_iter().flatten() {
            let name = version["groupVersion"].as_str().unwrap_or_default();
            paths.push(format!("/apis/{name}"));
        }
    }
    Ok(paths)
}

fn file_name(path: &str) -> String {
    format!("{}.json", path.trim_matches('/').replace('/', "__"))
}

fn save(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
