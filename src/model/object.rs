//! One API object of a manifest, and the set that a run looks at.

use std::collections::{BTreeMap, BTreeSet};

use super::is_like;
use super::pod::{PodTemplate, TemplatePlace};
use crate::source::{FileId, Sources, Span};
use crate::yaml::{self, NodeId, Tree, View};

/// Index of an [`Object`] in [`Bundle::objects`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// Index of a set: references resolve within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub u32);

/// What makes an object the same object: two with one key are duplicates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub group: String,
    pub kind: String,
    /// Empty when cluster-scoped.
    pub namespace: String,
    pub name: String,
}

/// An object as a manifest writes it, and as the cluster would see it.
#[derive(Debug)]
pub struct Object {
    pub file: FileId,
    /// 0-based document in the file.
    pub document: u32,
    pub set: SetId,
    /// Root in the file's tree; for items of a list the item.
    pub root: NodeId,
    pub api_version: String,
    pub kind: String,
    /// `metadata.name`, else `generateName` with its dash, else empty.
    pub name: String,
    /// The effective namespace; `None` when the kind is cluster-scoped.
    pub namespace: Option<String>,
    /// The object with defaults filled in.
    pub full: Full,
    /// The same with what admission adds to it, or to the pods of its template; `None` where that is nothing which the
    /// set decides.
    pub admitted: Option<Box<(Tree, NodeId)>>,
    /// Where it holds its pod template, of a workload.
    pub template_at: Option<TemplatePlace>,
}

/// What filling in defaults made of an object.
#[derive(Debug, Default)]
pub enum Full {
    /// It does not decode, or its kind is unknown.
    #[default]
    Unknown,
    /// There was nothing to fill in.
    AsWritten,
    Made(Box<(Tree, NodeId)>),
}

impl Full {
    /// Whether the object is known as the cluster would see it.
    pub fn is_known(&self) -> bool {
        !matches!(self, Full::Unknown)
    }
}

impl Object {
    /// The pod template in a view of the object; `None` for other kinds and where it is missing.
    pub fn template<'a>(&self, root: View<'a>) -> Option<PodTemplate<'a>> {
        self.template_at?.template(root)
    }

    /// API group; empty for the core group.
    pub fn group(&self) -> &str {
        memchr::memchr(b'/', self.api_version.as_bytes()).map_or("", |end| &self.api_version[..end])
    }

    /// Version within the group: `v1` of `apps/v1`.
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&self.api_version, |(_, version)| version)
    }

    pub fn key(&self) -> Key {
        Key {
            group: self.group().to_owned(),
            kind: self.kind.clone(),
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone(),
        }
    }

    /// `Deployment default/web`, as kubectl names it.
    pub fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

/// How a file takes part in the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Judged as it stands.
    #[default]
    Manifest,
    /// Resource of a kustomization or chart that was not rendered: rejections are only risky.
    Unrendered,
    /// Of the state of a cluster. Of the pods that controllers made only what is asked of them is read.
    State,
    /// Patch, generator, component, values or template: counted, never judged.
    NotJudged,
}

/// A source after reading.
#[derive(Debug)]
pub struct ParsedFile {
    pub tree: Tree,
    pub documents: Vec<yaml::Document>,
    /// Places of all comments.
    pub comments: Vec<Span>,
    pub role: Role,
}

/// A kind that a CustomResourceDefinition of the run defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomKind {
    pub group: String,
    pub kind: String,
    pub namespaced: bool,
    /// Names of the versions that are served.
    pub versions: Vec<String>,
}

/// What was looked at and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub files: usize,
    pub objects: usize,
    /// Objects whose kind has no known schema.
    pub unjudged: usize,
    /// Kustomizations and charts that were not rendered.
    pub not_rendered: usize,
    /// Client-side kinds and documents without apiVersion and kind.
    pub skipped: usize,
}

/// What is known of a bundle that was read from a cluster, or from a snapshot of one. Its objects have what the server
/// and its controllers write, and an object that only it has is nobody's to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Kinds whose objects could not be read: any of them may exist.
    pub unread: Vec<String>,
    /// Kinds of which all objects were asked for, each with the namespaces where; none for everywhere.
    pub whole: BTreeMap<String, BTreeSet<String>>,
}

impl Live {
    /// Whether an object that is not among those that were read does not exist.
    pub fn knows(&self, kind: &str, namespace: &str) -> bool {
        let places = self.whole.get(kind).filter(|_| self.unread.iter().all(|unread| unread != kind));
        places.is_some_and(|places| places.is_empty() || places.contains(namespace))
    }
}

/// A source that a renderer made, and what it was made of.
#[derive(Clone, Debug)]
pub struct Rendering {
    pub file: FileId,
    /// The kustomization or `Chart.yaml`.
    pub root: FileId,
    /// `charts/web with prod.yaml`: what was rendered, for people.
    pub label: String,
    /// By the index of its documents, where each comes from.
    pub origins: Vec<Origin>,
    /// Files of a kustomization in the order in which they lead to each other; none for a chart.
    pub parts: Vec<FileId>,
}

/// Where a rendered document comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// A manifest, a template, or the kustomization whose generator made it; `None` where the renderer names none.
    pub file: Option<FileId>,
    pub kind: OriginKind,
}

/// How the file of an origin is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginKind {
    #[default]
    Manifest,
    /// A kustomization that generates the object.
    Generator,
    /// A template of a chart, which is no YAML.
    Template,
}

/// Everything that a run read.
#[derive(Debug, Default)]
pub struct Bundle {
    pub sources: Sources,
    /// By [`FileId`], one for each source.
    pub files: Vec<ParsedFile>,
    /// By [`FileId`], the set of each file.
    pub file_sets: Vec<SetId>,
    pub objects: Vec<Object>,
    pub counts: Counts,
    /// What the CustomResourceDefinitions among the objects define.
    pub custom_kinds: Vec<CustomKind>,
    /// Kustomizations and charts that were not rendered: what they lack may be generated.
    pub unrendered_sets: Vec<SetId>,
    /// What was rendered.
    pub rendered: Vec<Rendering>,
    /// Set for the state of a cluster.
    pub live: Option<Live>,
    /// Pod Security levels of namespaces whose own labels do not say them; later ones win.
    pub pod_security: Vec<PodSecurityDefault>,
}

/// Pod Security levels that hold in some namespaces where nothing else does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSecurityDefault {
    /// Names, in which `*` stands for any part; none means all.
    pub namespaces: Vec<String>,
    /// By what follows `pod-security.kubernetes.io/` in the label: `enforce`, `warn-version`.
    pub labels: BTreeMap<&'static str, String>,
}

impl PodSecurityDefault {
    pub fn holds_in(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|name| is_like(name, namespace))
    }
}

impl Bundle {
    pub fn object(&self, id: ObjectId) -> &Object {
        &self.objects[id.0 as usize]
    }

    pub fn ids(&self) -> impl ExactSizeIterator<Item = ObjectId> + use<> {
        (0..self.objects.len() as u32).map(ObjectId)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ObjectId, &Object)> {
        self.objects.iter().enumerate().map(|(index, object)| (ObjectId(index as u32), object))
    }

    pub fn file(&self, id: FileId) -> &ParsedFile {
        &self.files[id.0 as usize]
    }

    /// Whether a controller made the object (`metadata.ownerReferences`): it comes and goes with its owner.
    pub fn is_controlled(&self, id: ObjectId) -> bool {
        let metadata = self.written(id).get("metadata");
        metadata
            .into_iter()
            .flat_map(|metadata| metadata.list("ownerReferences"))
            .any(|owner| owner.get_bool("controller"))
    }

    /// The object as written.
    pub fn written(&self, id: ObjectId) -> View<'_> {
        let object = self.object(id);
        self.file(object.file).tree.view(object.root)
    }

    /// The object as rules see it: with its defaults, and with what admission adds.
    pub fn admitted(&self, id: ObjectId) -> View<'_> {
        match &self.object(id).admitted {
            Some(admitted) => admitted.0.view(admitted.1),
            None => self.full(id),
        }
    }

    /// The object as the cluster would see it; as written where defaults are not known. Spans are those of the file.
    pub fn full(&self, id: ObjectId) -> View<'_> {
        match &self.object(id).full {
            Full::Made(made) => made.0.view(made.1),
            Full::AsWritten | Full::Unknown => self.written(id),
        }
    }
}
