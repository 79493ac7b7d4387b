//! What `control-plane facts` prints: the Go types behind the kinds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// All kinds of a Kubernetes release, former ones too, and their types.
#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    pub(super) kinds: Vec<Kind>,
    /// By OpenAPI definition name.
    pub(super) types: BTreeMap<String, Type>,
}

/// A kind that the Go schemes know.
#[derive(Debug, Deserialize)]
pub(super) struct Kind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    #[serde(rename = "type")]
    pub(super) type_id: String,
    /// Whether it has `metadata`, as things that are stored have.
    pub(super) object: bool,
    #[serde(flatten)]
    pub(super) life: Life,
}

/// The releases in which a kind came, fell out of favour, and went.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Life {
    pub(super) introduced: Option<String>,
    pub(super) deprecated: Option<String>,
    pub(super) removed: Option<String>,
    pub(super) replacement: Option<String>,
}

/// A struct type.
#[derive(Debug, Deserialize)]
pub(super) struct Type {
    /// As a decoding error prints it: `v1.Container`.
    pub(super) go: String,
    #[serde(default)]
    pub(super) fields: Vec<Field>,
}

/// A JSON field of a struct, its own or an embedded struct's.
#[derive(Debug, Deserialize)]
pub(super) struct Field {
    pub(super) name: String,
    /// Without the pointer.
    pub(super) go: String,
    /// In the grammar of the written file, without the pointer.
    pub(super) shape: String,
    #[serde(default)]
    pub(super) pointer: bool,
    #[serde(default)]
    pub(super) embedded: Vec<String>,
}

impl Facts {
    /// Reads the file that `control-plane facts` wrote.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The type with an OpenAPI name; that it is unknown is an error.
    pub(super) fn type_of(&self, id: &str) -> Result<&Type, String> {
        self.types.get(id).ok_or_else(|| format!("the Go facts have no type {id}"))
    }

    /// The kind with an `apiVersion` and a `kind`.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.kinds.iter().find(|known| known.kind == kind && known.api_version() == api_version)
    }
}

impl Kind {
    /// As objects write it: `apps/v1`, or `v1` for the core group.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}
