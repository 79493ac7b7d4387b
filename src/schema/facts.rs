//! The facts of a Kubernetes version: its kinds, types and fields, read from `schemas/*.facts`.
//!
//! The file is embedded; one pass over its lines finds kinds and types, and a type's fields are read when they are
//! first asked for. `cargo xtask schemas` writes the file and describes its lines.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use foldhash::fast::FixedState;

use super::suggest;
use super::types::{Field, Shape, Type, TypeId, Word};
use crate::model::Version;

/// Every version that is built in.
static VERSIONS: [(Version, &str, OnceLock<Schema>); 1] =
    [(Version::new(1, 36), include_str!("../../schemas/kubernetes-1.36.facts"), OnceLock::new())];

/// The kinds and types of one Kubernetes version.
#[derive(Debug)]
pub struct Schema {
    pub version: Version,
    /// Served, by apiVersion and kind.
    kinds: Vec<Kind>,
    /// Where each stands among them.
    places: HashMap<(&'static str, &'static str), usize, FixedState>,
    /// The lines on kinds, and those removed or switched off by apiVersion and kind, read when first asked for.
    head: &'static str,
    lives: OnceLock<Vec<Life>>,
    /// The groups of both.
    groups: OnceLock<HashSet<&'static str, FixedState>>,
    /// By id.
    types: Vec<Slot>,
}

/// A type, read when it is first asked for.
#[derive(Debug)]
struct Slot {
    id: &'static str,
    go: &'static str,
    body: &'static str,
    read: OnceLock<Box<Type>>,
}

/// A kind that the API server serves.
#[derive(Clone, Debug)]
pub struct Kind {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub type_id: TypeId,
    /// Name of the resource in URLs and rights: `deployments`.
    pub plural: &'static str,
    pub namespaced: bool,
    /// Set where the API server warns that the version is deprecated.
    pub deprecated: Option<Life>,
}

/// When an API version came and went (the lifecycle markers of k8s.io/api).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub introduced: Option<Version>,
    pub deprecated: Option<Version>,
    pub removed: Option<Version>,
    /// apiVersion and kind to use instead.
    pub replacement: Option<(&'static str, &'static str)>,
}

/// What the API server makes of an apiVersion and kind.
#[derive(Clone, Debug)]
pub enum Lookup<'s> {
    Known(&'s Kind),
    /// Was served by an older version.
    Gone(&'s Life),
    /// Exists, and is not served unless it is switched on.
    Off(&'s Life),
    /// Nothing of that kind in that version of the group.
    UnknownKind {
        /// Whether that very apiVersion is served.
        group_known: bool,
        /// Served versions of the group that have the kind: `apps/v1`.
        served: Vec<&'s str>,
    },
    /// A group that Kubernetes does not bring: a custom resource.
    UnknownGroup,
}

impl Schema {
    /// The facts of a version; `None` where none are built in.
    pub fn of(version: Version) -> Option<&'static Schema> {
        let (version, text, schema) = VERSIONS.iter().find(|(known, _, _)| *known == version)?;
        Some(schema.get_or_init(|| Schema::index(*version, text)))
    }

    /// The versions that [`Schema::of`] knows, oldest first.
    pub fn versions() -> impl Iterator<Item = Version> {
        VERSIONS.iter().map(|(version, _, _)| *version)
    }

    /// Finds kinds and types; fields are left for later.
    fn index(version: Version, text: &'static str) -> Schema {
        let (head, body) = text.split_at(text.find("\ntype ").map_or(text.len(), |at| at + 1));
        let (kinds, types) = (Vec::with_capacity(128), Vec::with_capacity(512));
        let mut schema = Schema {
            version,
            kinds,
            places: HashMap::default(),
            head,
            lives: OnceLock::new(),
            groups: OnceLock::new(),
            types,
        };
        schema.index_types(body);
        let mut old = Vec::new();
        for line in head.lines() {
            match line.split_once(' ') {
                Some(("kind", rest)) => schema.kinds.extend(kind_of(&schema, rest)),
                Some(("old", rest)) => old.extend(life_of(rest)),
                _ => {}
            }
        }
        for life in old {
            if let Some(kind) =
                schema.kinds.iter_mut().find(|k| (k.api_version, k.kind) == (life.api_version, life.kind))
            {
                kind.deprecated = Some(life);
            }
        }
        schema.kinds.sort_by_key(|kind| (kind.api_version, kind.kind));
        let names = schema.kinds.iter().map(|kind| (kind.api_version, kind.kind));
        schema.places = names.enumerate().map(|(at, name)| (name, at)).collect();
        schema
    }

    fn lives(&self) -> &[Life] {
        self.lives.get_or_init(|| {
            let lines = self.head.lines().filter_map(|line| line.split_once(' '));
            let lines = lines.filter(|(word, _)| matches!(*word, "gone" | "off"));
            let mut lives: Vec<Life> = lines.filter_map(|(_, rest)| life_of(rest)).collect();
            lives.sort_by_key(|life| (life.api_version, life.kind));
            lives
        })
    }

    fn groups(&self) -> &HashSet<&'static str, FixedState> {
        self.groups.get_or_init(|| {
            let versions = self.kinds.iter().map(|kind| kind.api_version);
            versions.chain(self.lives().iter().map(|life| life.api_version)).map(group_of).collect()
        })
    }

    /// From its line on each type takes the lines up to the next one's.
    fn index_types(&mut self, text: &'static str) {
        let ends = memchr::memmem::find_iter(text.as_bytes(), "\ntype ").chain([text.len()]);
        let mut start = 0;
        for end in ends {
            if let Some(lines) = text[start..end].trim_start_matches('\n').strip_prefix("type ") {
                let (head, body) = lines.split_once('\n').unwrap_or((lines, ""));
                let (id, go) = head.split_once(' ').unwrap_or((head, ""));
                self.types.push(Slot { id, go, body, read: OnceLock::new() });
            }
            start = end;
        }
        if !self.types.is_sorted_by_key(|slot| slot.id) {
            self.types.sort_by_key(|slot| slot.id);
        }
    }

    /// What the API server makes of an apiVersion and kind.
    pub fn kind(&self, api_version: &str, kind: &str) -> Lookup<'_> {
        if let Some(kind) = self.served(api_version, kind) {
            return Lookup::Known(kind);
        }
        let at = self.lives().binary_search_by_key(&(api_version, kind), |life| (life.api_version, life.kind));
        if let Some(life) = at.ok().and_then(|at| self.lives().get(at)) {
            let gone = life.removed.is_some_and(|removed| removed <= self.version) || life.replaced_by_served(self);
            return if gone { Lookup::Gone(life) } else { Lookup::Off(life) };
        }
        let group = group(api_version);
        if !self.groups().contains(group) {
            return Lookup::UnknownGroup;
        }
        let known = self.kinds.iter().filter(|k| group_of(k.api_version) == group);
        Lookup::UnknownKind {
            group_known: self.kinds.iter().any(|k| k.api_version == api_version),
            served: known.filter(|k| k.kind == kind).map(|k| k.api_version).collect(),
        }
    }

    /// A served kind.
    pub fn served(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.places.get(&(api_version, kind)).map(|at| &self.kinds[*at])
    }

    /// The kind to decode an object as: its own, or the served one that replaced a removed version.
    pub fn stands_for(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        match self.kind(api_version, kind) {
            Lookup::Known(kind) => Some(kind),
            Lookup::Gone(life) | Lookup::Off(life) => {
                let (api_version, kind) = life.replacement?;
                self.served(api_version, kind)
            }
            _ => None,
        }
    }

    /// All served kinds, by apiVersion and kind.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Served kinds of any group with a similar name, nearest first.
    pub fn similar_kinds(&self, kind: &str) -> Vec<&Kind> {
        let names = self.kinds.iter().map(|known| known.kind);
        let near = suggest::nearest(kind, names);
        near.into_iter().flat_map(|name| self.kinds.iter().filter(move |known| known.kind == name)).collect()
    }

    /// A type; reads its fields at the first call.
    pub fn type_(&self, id: TypeId) -> &Type {
        let slot = &self.types[id.0 as usize];
        slot.read.get_or_init(|| {
            let fields = slot.body.lines().filter_map(|line| Field::read(self, line)).collect();
            Box::new(Type::new(Word::Borrowed(slot.id), Word::Borrowed(slot.go), fields))
        })
    }

    /// The type of a name such as `io.k8s.api.core.v1.PodSpec`.
    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.types.binary_search_by_key(&name, |slot| slot.id).ok().map(|at| TypeId(at as u32))
    }

    /// The field that a path of names leads to, through lists and maps; names of map keys are not part of it.
    pub fn field_at(&self, from: TypeId, names: &[&str]) -> Option<&Field> {
        let (last, way) = names.split_last()?;
        let owner = way.iter().try_fold(from, |id, name| self.type_(id).field(name)?.shape.struct_id())?;
        self.type_(owner).field(last)
    }

    /// A shape as Go prints the type behind it; `go` is what the facts say where that is not obvious.
    pub fn go_type(&self, shape: &Shape, go: Option<&str>) -> String {
        if let Some(go) = go {
            return go.to_owned();
        }
        match shape {
            Shape::Struct(id) => self.types[id.0 as usize].go.to_owned(),
            Shape::List(item) => format!("[]{}", self.go_type(item, None)),
            Shape::Map(value) => format!("map[string]{}", self.go_type(value, None)),
            other => other.name().to_owned(),
        }
    }
}

impl Life {
    /// A version without a removal date whose replacement is served: dropped before such dates were kept.
    fn replaced_by_served(&self, schema: &Schema) -> bool {
        self.removed.is_none() && self.replacement.is_some_and(|(version, kind)| schema.served(version, kind).is_some())
    }
}

/// The group of an apiVersion; empty for the core group.
fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn group_of(api_version: &'static str) -> &'static str {
    group(api_version)
}

/// `APIVERSION KIND TYPE PLURAL namespaced|cluster`
fn kind_of(schema: &Schema, line: &'static str) -> Option<Kind> {
    let mut words = line.split(' ');
    let (api_version, kind) = (words.next()?, words.next()?);
    let type_id = schema.type_id(words.next()?)?;
    let plural = words.next()?;
    Some(Kind { api_version, kind, type_id, plural, namespaced: words.next() == Some("namespaced"), deprecated: None })
}

/// `APIVERSION KIND [introduced=] [deprecated=] [removed=] [replacement=]`
fn life_of(line: &'static str) -> Option<Life> {
    let mut words = line.split(' ');
    let mut life = Life { api_version: words.next()?, kind: words.next()?, ..Life::default() };
    for word in words {
        match word.split_once('=') {
            Some(("introduced", version)) => life.introduced = version.parse().ok(),
            Some(("deprecated", version)) => life.deprecated = version.parse().ok(),
            Some(("removed", version)) => life.removed = version.parse().ok(),
            Some(("replacement", kind)) => life.replacement = kind.rsplit_once('/'),
            _ => {}
        }
    }
    Some(life)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_and_refers_to_known_types() {
        let schema = Schema::of(Version::DEFAULT).unwrap();
        let mut fields = 0;
        for at in 0..schema.types.len() {
            let type_ = schema.type_(TypeId(at as u32));
            let lines = schema.types[at].body.lines().filter(|line| !line.is_empty()).count();
            assert_eq!(type_.fields.len(), lines, "{}", type_.id);
            assert!(type_.fields.is_sorted_by_key(|field| &field.name), "{}", type_.id);
            for field in &type_.fields {
                assert!(std::ptr::eq(type_.field(&field.name).unwrap(), field), "{}.{}", type_.id, field.name);
            }
            assert!(["", "nam", "namee", "specs"].iter().all(|name| type_.field(name).is_none()), "{}", type_.id);
            fields += lines;
        }
        assert!(schema.types.len() > 480 && fields > 2100, "{} types, {fields} fields", schema.types.len());
        assert_eq!(schema.kinds.len(), 68);
    }

    #[test]
    fn kinds_are_known_gone_off_or_not_ours() {
        let schema = Schema::of(Version::DEFAULT).unwrap();
        let Lookup::Known(kind) = schema.kind("apps/v1", "Deployment") else { panic!() };
        assert_eq!((kind.plural, kind.namespaced), ("deployments", true));
        let Lookup::Gone(life) = schema.kind("extensions/v1beta1", "Deployment") else { panic!() };
        assert_eq!(life.replacement, Some(("apps/v1", "Deployment")));
        assert!(matches!(schema.kind("node.k8s.io/v1alpha1", "RuntimeClass"), Lookup::Gone(_)));
        assert!(matches!(schema.kind("resource.k8s.io/v1beta1", "DeviceClass"), Lookup::Off(_)));
        let Lookup::UnknownKind { group_known: false, served } = schema.kind("apps/v2", "Deployment") else { panic!() };
        assert_eq!(served, ["apps/v1"]);
        assert!(matches!(schema.kind("v1", "Pods"), Lookup::UnknownKind { group_known: true, .. }));
        assert!(matches!(schema.kind("example.com/v1", "Deployment"), Lookup::UnknownGroup));
        assert_eq!(schema.similar_kinds("Deploymnet")[0].kind, "Deployment");
        assert_eq!(schema.stands_for("extensions/v1beta1", "Ingress").unwrap().api_version, "networking.k8s.io/v1");
    }

    #[test]
    fn attributes_are_read() {
        let schema = Schema::of(Version::DEFAULT).unwrap();
        let pod = schema.served("v1", "Pod").unwrap().type_id;
        let ports = schema.field_at(pod, &["spec", "containers", "ports"]).unwrap();
        assert_eq!(ports.list_keys(), ["containerPort", "protocol"]);
        let policy = schema.field_at(pod, &["spec", "containers", "imagePullPolicy"]).unwrap();
        assert_eq!(policy.allowed, ["Always", "IfNotPresent", "Never"]);
    }
}
