//! What admission makes of objects, as far as the set itself and the cluster around it decide.
//!
//! A plugin is a file under its name. The API server asks first those that change an object, then its own validation
//! (422), then those that judge, each group in the order of `pkg/kubeapiserver/options/plugins.go` (Kubernetes 1.36).
//! Not made: the volume with the token of a pod's account, and what a quota knows of device classes.

pub mod default_ingress_class;
pub mod default_storage_class;
mod default_toleration_seconds;
pub mod limit_ranger;
pub mod pod_security;
mod pod_security_checks;
pub mod priority;
pub mod resource_quota;
mod resources;
mod runtime_class;
mod service_account;
mod usage;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::model::{Bundle, Object, ObjectId, PodSecurityDefault};
use crate::yaml::{NodeId, Tree, View};
use default_storage_class::Newest;
use limit_ranger::LimitRanges;
use pod_security::Policy;
pub use pod_security_checks::DEFAULT_CAPABILITIES;
use priority::PriorityClasses;
use resource_quota::Quotas;
pub use resources::of_pod;
use runtime_class::RuntimeClasses;
use service_account::ServiceAccounts;
pub use usage::Charge;

/// An admission plugin that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    LimitRanger,
    ServiceAccount,
    PodSecurity,
    Priority,
    RuntimeClass,
    ResourceQuota,
}

/// The answer 403, without the object's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub plugin: Plugin,
    pub message: String,
    /// It rests on an object that is not among those that are known: a cluster may have it.
    pub is_absence: bool,
}

impl Refusal {
    fn new(plugin: Plugin, message: String) -> Refusal {
        Refusal { plugin, message, is_absence: false }
    }
}

/// A copy of an object as the plugins that change objects leave it, up to the one that refuses it.
#[derive(Debug)]
pub struct Admitted {
    tree: Tree,
    root: NodeId,
    pub refused: Option<Refusal>,
}

impl Admitted {
    pub fn view(&self) -> View<'_> {
        self.tree.view(self.root)
    }
}

/// What holds in one namespace.
#[derive(Clone, Debug, Default)]
pub struct Namespace<'b> {
    pub limits: LimitRanges<'b>,
    pub policy: Policy,
    pub quotas: Quotas,
    accounts: ServiceAccounts<'b>,
}

/// What admission goes by.
#[derive(Clone, Debug, Default)]
pub struct Admission<'b> {
    namespaces: BTreeMap<&'b str, Namespace<'b>>,
    priorities: PriorityClasses<'b>,
    runtimes: RuntimeClasses<'b>,
    storage: Newest<'b>,
    ingress: Newest<'b>,
    pod_security: &'b [PodSecurityDefault],
    /// A live cluster was read, so that a class which is not known is not there.
    is_complete: bool,
}

/// Fills in what rules see of each object: [`Object::admitted`].
pub fn run(bundle: &mut Bundle, live: Option<&Bundle>) {
    let admission = Admission::of(bundle, live);
    let ids: Vec<ObjectId> = bundle.ids().collect();
    let admitted = |id: &ObjectId| admission.seen(bundle.object(*id), bundle.full(*id));
    let admitted: Vec<Option<Box<(Tree, NodeId)>>> = ids.par_iter().map(admitted).collect();
    for (object, admitted) in bundle.objects.iter_mut().zip(admitted) {
        object.admitted = admitted;
    }
}

impl<'b> Admission<'b> {
    /// That of a set, with what a live cluster has besides.
    pub fn of(bundle: &'b Bundle, live: Option<&'b Bundle>) -> Admission<'b> {
        let mut admission = Admission::default();
        let read = live.and_then(|live| live.live.as_ref());
        let unread = |kind: &&str| read.is_none_or(|read| !read.knows(kind, ""));
        admission.is_complete = !["PriorityClass", "RuntimeClass"].iter().any(unread);
        admission.read_defaults(bundle);
        for (bundle, is_live) in live.map(|live| (live, true)).into_iter().chain([(bundle, false)]) {
            for (id, object) in bundle.iter() {
                admission.read(object, bundle.full(id), bundle.written(id), is_live);
            }
        }
        admission
    }

    /// The Pod Security levels that kplan.yaml gives to namespaces, before their labels are read.
    fn read_defaults(&mut self, bundle: &'b Bundle) {
        self.pod_security = &bundle.pod_security;
        if !self.pod_security.is_empty() {
            for (_, object) in bundle.iter() {
                let name = object.namespace.as_deref().unwrap_or("default");
                self.inside(name).policy = self.policy(name, None);
            }
        }
    }

    fn policy(&self, namespace: &str, labels: Option<View<'b>>) -> Policy {
        let here = || self.pod_security.iter().rev().filter(|entry| entry.holds_in(namespace));
        Policy::of(labels, |label| here().find_map(|entry| entry.labels.get(label)).map(String::as_str))
    }

    fn read(&mut self, object: &'b Object, full: View<'b>, written: View<'b>, is_live: bool) {
        let name = object.name.as_str();
        let namespace = object.namespace.as_deref().unwrap_or("default");
        match (object.group(), object.kind.as_str()) {
            ("", "LimitRange") => self.inside(namespace).limits.read(name, full),
            ("", "ResourceQuota") => self.inside(namespace).quotas.read(name, full, written),
            ("", "ServiceAccount") => self.inside(namespace).accounts.read(name, full),
            ("", "Namespace") => {
                self.inside(name).policy = self.policy(name, full.at(&["metadata", "labels"]));
            }
            ("scheduling.k8s.io", "PriorityClass") => self.priorities.read(name, full),
            ("node.k8s.io", "RuntimeClass") => self.runtimes.read(name, full),
            ("storage.k8s.io", "StorageClass") if default_storage_class::is_default(full) => {
                self.storage.read(name, full, is_live);
            }
            ("networking.k8s.io", "IngressClass") if default_ingress_class::is_default(full) => {
                self.ingress.read(name, full, is_live);
            }
            _ => {}
        }
    }

    fn inside(&mut self, namespace: &'b str) -> &mut Namespace<'b> {
        self.namespaces.entry(namespace).or_default()
    }

    /// What is known of a namespace.
    pub fn namespace(&self, name: &str) -> Option<&Namespace<'b>> {
        self.namespaces.get(name)
    }

    /// The namespaces that have quotas.
    pub fn quotas(&self) -> BTreeMap<&'b str, Quotas> {
        let with_quotas = self.namespaces.iter().filter(|(_, namespace)| !namespace.quotas.is_empty());
        with_quotas.map(|(name, namespace)| (*name, namespace.quotas.clone())).collect()
    }

    /// The object after the plugins that change it; `None` where none has anything to do.
    pub fn mutate(&self, object: &Object, full: View<'_>) -> Option<Admitted> {
        let namespace = object.namespace.as_deref().unwrap_or("default");
        match (object.group(), object.kind.as_str()) {
            ("", "Pod") => Some(self.pod(self.namespace(namespace), full, &["spec"])),
            ("", "PersistentVolumeClaim") => {
                let class = self.storage.name()?;
                Some(copied(full, |tree, root| default_storage_class::admit(tree, root, class)))
            }
            ("networking.k8s.io", "Ingress") => {
                let class = self.ingress.name()?;
                Some(copied(full, |tree, root| default_ingress_class::admit(tree, root, class)))
            }
            _ => None,
        }
    }

    /// A copy of a pod, a template or a spec after the plugins that change pods; `way` leads to the spec. Without a
    /// namespace that of a pod that runs already, of which only its priority and runtime class are looked up.
    pub fn pod(&self, namespace: Option<&Namespace<'_>>, from: View<'_>, way: &[&str]) -> Admitted {
        let mut admitted = copied(from, |_, _| {});
        let spec = admitted.view().at(way).filter(|spec| spec.is_map()).map(|spec| spec.id);
        if let Some(spec) = spec {
            admitted.refused = self.change_pod(namespace, &mut admitted.tree, spec).err();
            if let Some(refused) = &mut admitted.refused {
                refused.is_absence &= !self.is_complete;
            }
        }
        admitted
    }

    fn change_pod(&self, namespace: Option<&Namespace<'_>>, tree: &mut Tree, spec: NodeId) -> Result<(), Refusal> {
        if let Some(namespace) = namespace {
            namespace.limits.admit(tree, spec);
            namespace.accounts.admit(tree, spec)?;
        }
        self.priorities.admit(tree, spec)?;
        default_toleration_seconds::admit(tree, spec);
        self.runtimes.admit(tree, spec)
    }

    /// Why a pod is refused that is valid otherwise, but for quotas.
    pub fn refuses_pod(
        &self,
        namespace: Option<&Namespace<'_>>,
        metadata: Option<View<'_>>,
        spec: View<'_>,
    ) -> Option<Refusal> {
        let limits = || Some(Refusal::new(Plugin::LimitRanger, namespace?.limits.validate_pod(spec)?));
        let policy = || Some(Refusal::new(Plugin::PodSecurity, namespace?.policy.enforced(metadata, spec)?));
        let overhead = || Some(Refusal::new(Plugin::RuntimeClass, self.runtimes.validate(spec)?));
        limits().or_else(policy).or_else(overhead)
    }

    /// Why an object is refused that is valid otherwise, but for quotas. It has been through [`Admission::mutate`].
    pub fn refuses(&self, object: &Object, full: View<'_>) -> Option<Refusal> {
        let namespace = self.namespace(object.namespace.as_deref().unwrap_or("default"));
        let spec = full.get("spec");
        match (object.group(), object.kind.as_str()) {
            ("", "Pod") => self.refuses_pod(namespace, full.get("metadata"), spec?),
            ("", "PersistentVolumeClaim") => {
                Some(Refusal::new(Plugin::LimitRanger, namespace?.limits.validate_claim(spec?)?))
            }
            ("scheduling.k8s.io", "PriorityClass") => {
                Some(Refusal::new(Plugin::Priority, self.priorities.refuses_class(&object.name, full)?))
            }
            _ => None,
        }
    }

    /// The object as rules see it; `None` where what the set has changes nothing of it that they look at.
    fn seen(&self, object: &Object, full: View<'_>) -> Option<Box<(Tree, NodeId)>> {
        let admitted = match object.template(full) {
            Some(template) => {
                let namespace = self.namespace(object.namespace.as_deref().unwrap_or("default"));
                let keys: Vec<&str> = template.path.split('.').collect();
                self.changes(namespace, template.spec).then(|| self.pod(namespace, full, &keys))?
            }
            None => self.mutate(object, full).filter(|admitted| !admitted.view().same(full))?,
        };
        Some(Box::new((admitted.tree, admitted.root)))
    }

    /// Whether more is added to a pod than what every pod gets.
    fn changes(&self, namespace: Option<&Namespace<'_>>, spec: View<'_>) -> bool {
        namespace.is_some_and(|namespace| namespace.limits.has_defaults() || namespace.accounts.add_to(spec))
            || spec.get("runtimeClassName").is_some()
            || self.priorities.has_default()
    }
}

/// A copy of an object, changed.
fn copied(from: View<'_>, change: impl FnOnce(&mut Tree, NodeId)) -> Admitted {
    let mut tree = Tree::new(from.tree.source().clone());
    let root = tree.copy(from.tree, from.id);
    change(&mut tree, root);
    Admitted { tree, root, refused: None }
}

/// The map under a key, made where there is none.
fn child(tree: &mut Tree, map: NodeId, key: &str) -> NodeId {
    if let Some(found) = tree.view(map).get(key) {
        return found.id;
    }
    let made = tree.push_map(tree.node(map).span, &[]);
    tree.insert(map, key, made);
    made
}

/// Sets a string; what is added has the span of its parent.
fn set_str(tree: &mut Tree, map: NodeId, key: &str, text: &str) {
    let value = tree.push_str(tree.node(map).span, text);
    tree.insert(map, key, value);
}
