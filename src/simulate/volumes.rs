//! PersistentVolumes, claims and classes, and which claim is bound to which volume.

use std::collections::{BTreeMap, BTreeSet};

use super::filters::volume_binding::claims;
use super::in_tree::{self, InTree};
use super::labels::{Labels, NodeTerm, Operator, Requirement, Selector, labels, node_terms};
use super::nodes::Node;
use super::pod::Pod;
use super::resources::quantity;
use crate::model::quantity::Quantity;
use crate::yaml::View;

/// Storage objects of the set, with the bindings made so far.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    /// By `namespace/name`.
    pub claims: BTreeMap<String, Claim>,
    /// By name.
    pub volumes: BTreeMap<String, PersistentVolume>,
    pub classes: BTreeMap<String, StorageClass>,
    /// CSI drivers that track capacity.
    pub capacity_drivers: BTreeSet<String>,
    pub capacities: Vec<Capacity>,
    /// Volumes that a driver can attach to a node, by node and driver.
    pub limits: BTreeMap<String, BTreeMap<String, i64>>,
    /// Plugins that drivers have taken over, by node.
    pub migrated: BTreeMap<String, BTreeSet<String>>,
    /// The class of claims that name none.
    pub default_class: Option<String>,
    /// The classes and volumes are all that a cluster has.
    pub complete: bool,
}

#[derive(Clone, Debug)]
pub struct Claim {
    pub name: String,
    pub namespace: String,
    pub class: String,
    pub request: Quantity,
    pub access_modes: Vec<String>,
    pub block: bool,
    pub attributes_class: String,
    pub selector: Option<Selector>,
    /// `spec.volumeName`.
    pub volume: String,
    /// The volume controller has finished binding it.
    pub bound: bool,
    pub lost: bool,
    pub deleting: bool,
    /// Annotation `volume.kubernetes.io/selected-node`: provisioning is under way there.
    pub selected_node: Option<String>,
    /// The cluster has it, and nobody has bound it yet.
    pub pending: bool,
}

#[derive(Clone, Debug)]
pub struct PersistentVolume {
    pub name: String,
    pub labels: Labels,
    pub class: String,
    pub capacity: Quantity,
    pub access_modes: Vec<String>,
    pub block: bool,
    pub attributes_class: String,
    /// `namespace/name` of the claim that it is reserved for.
    pub claim: Option<String>,
    /// No controller has given it another phase than Available.
    pub available: bool,
    pub deleting: bool,
    pub node_terms: Option<Vec<NodeTerm>>,
    /// CSI driver and volume handle.
    pub csi: Option<(String, String)>,
    pub in_tree: Option<InTree>,
}

#[derive(Clone, Debug)]
pub struct StorageClass {
    pub provisioner: String,
    /// `WaitForFirstConsumer`.
    pub waits: bool,
    /// Any term; none means everywhere.
    pub topologies: Vec<Vec<Requirement>>,
}

#[derive(Clone, Debug)]
pub struct Capacity {
    pub class: String,
    pub topology: Option<Selector>,
    /// `maximumVolumeSize`, else `capacity`; bytes.
    pub limit: Option<i64>,
}

impl Claim {
    /// The claim as a manifest has it, with what the cluster has made of it so far.
    fn with(self, new: Claim) -> Claim {
        let class = if new.class == UNSET { self.class } else { new.class };
        Claim {
            class,
            volume: self.volume,
            bound: self.bound,
            lost: self.lost,
            deleting: self.deleting,
            selected_node: self.selected_node,
            pending: self.pending,
            ..new
        }
    }
}

impl PersistentVolume {
    /// A free volume that has what a claim asks for, reachable from everywhere.
    fn as_asked(name: String, claim: &Claim) -> PersistentVolume {
        PersistentVolume {
            name,
            labels: Labels::new(),
            class: claim.class.clone(),
            capacity: claim.request.clone(),
            access_modes: claim.access_modes.clone(),
            block: claim.block,
            attributes_class: claim.attributes_class.clone(),
            claim: None,
            available: true,
            deleting: false,
            node_terms: None,
            csi: None,
            in_tree: None,
        }
    }

    /// Whether pods on that node can use it (`CheckNodeAffinity`).
    pub fn reaches(&self, node: &Labels) -> bool {
        self.node_terms.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches("", node)))
    }
}

impl Volumes {
    /// A set without any volume and any StorageClass leaves it to the cluster's classes whether a claim is served;
    /// the sentence says so for the first such claim of a pod.
    pub fn unknown_class(&self, pod: &Pod) -> Option<String> {
        if self.complete || !self.volumes.is_empty() || !self.classes.is_empty() {
            return None;
        }
        let claims = claims(pod, true).filter_map(|name| self.claims.get(&format!("{}/{name}", pod.namespace)));
        let claim = claims.into_iter().find(|claim| !claim.bound)?;
        let class =
            if claim.class.is_empty() { "the default class".to_owned() } else { format!("the class {}", claim.class) };
        Some(format!("{class} of the cluster decides whether the claim {} is served", claim.name))
    }

    /// Takes in an object of a storage kind; other kinds are left alone.
    pub fn read(&mut self, kind: &str, name: &str, namespace: &str, view: View<'_>) {
        match kind {
            "PersistentVolumeClaim" => {
                let key = format!("{namespace}/{name}");
                let mut new = claim(name, namespace, view);
                if let Some(known) = self.claims.remove(&key).filter(|_| new.volume.is_empty()) {
                    new = known.with(new);
                }
                self.claims.insert(key, new);
            }
            "PersistentVolume" => {
                let mut new = volume(name, view);
                if let Some(known) = self.volumes.remove(name).filter(|_| view.get("status").is_none()) {
                    new.claim = new.claim.or(known.claim);
                    (new.available, new.deleting) = (known.available, known.deleting);
                }
                self.volumes.insert(name.to_owned(), new);
            }
            "StorageClass" => {
                self.classes.insert(name.to_owned(), class(view));
            }
            "CSIDriver" if view.get("spec").is_some_and(|spec| spec.get_bool("storageCapacity")) => {
                self.capacity_drivers.insert(name.to_owned());
            }
            "CSIStorageCapacity" => self.capacities.push(capacity(view)),
            "CSINode" => {
                let drivers = view.get("spec").into_iter().flat_map(|spec| spec.list("drivers"));
                let counts = drivers.filter_map(|driver| {
                    let count = driver.at(&["allocatable", "count"])?.int()?;
                    Some((driver.get_str("name")?.to_owned(), count))
                });
                self.limits.insert(name.to_owned(), counts.collect());
                let annotations = view.at(&["metadata", "annotations"]);
                let migrated = annotations.and_then(|all| all.get_str("storage.alpha.kubernetes.io/migrated-plugins"));
                let names = migrated.unwrap_or_default().split(',').map(str::to_owned);
                self.migrated.insert(name.to_owned(), names.collect());
            }
            _ => {}
        }
    }

    /// Adds claims that controllers create; one that is there already stays.
    pub fn add_claims(&mut self, claims: Vec<Claim>) {
        for claim in claims {
            self.claims.entry(format!("{}/{}", claim.namespace, claim.name)).or_insert(claim);
        }
    }

    /// What the controllers do before any pod is scheduled: claims without a class get the default one, and claims that need
    /// not wait for a pod are bound to volumes of the set. On a cluster new ones get a volume of their class's provisioner;
    /// one that still waits there tells that the provisioner does not serve it.
    pub fn settle(&mut self) {
        let keys: Vec<String> = self.claims.keys().cloned().collect();
        for key in &keys {
            if let Some(claim) = self.claims.get_mut(key).filter(|claim| claim.class == UNSET) {
                claim.class = self.default_class.clone().unwrap_or_default();
            }
        }
        for key in keys {
            self.bind_statically(&key);
            self.provision_at_once(&key);
        }
    }

    fn provision_at_once(&mut self, key: &str) {
        let open = |claim: &&Claim| !claim.bound && !claim.lost && !claim.pending && claim.volume.is_empty();
        let Some(claim) = self.claims.get(key).filter(open).filter(|claim| self.complete && claim.selector.is_none())
        else {
            return;
        };
        let Some(class) = self.classes.get(&claim.class).filter(|class| !class.waits && class.topologies.is_empty())
        else {
            return;
        };
        if class.provisioner.is_empty() || class.provisioner == NO_PROVISIONER {
            return;
        }
        self.make_volume(key, None);
    }

    /// The volume controller's part (`syncUnboundClaim`): an immediate claim takes the volume it names, or
    /// the smallest that fits.
    fn bind_statically(&mut self, key: &str) {
        let Some(claim) = self.claims.get(key).filter(|claim| !claim.bound && !claim.lost) else {
            return;
        };
        let chosen = if claim.volume.is_empty() {
            let waits = self.classes.get(&claim.class).is_some_and(|class| class.waits);
            self.find(claim, None, &BTreeSet::new(), waits)
        } else {
            let named = self.volumes.get(&claim.volume);
            let free = named.filter(|volume| volume.claim.as_deref().is_none_or(|other| other == key));
            free.map(|volume| volume.name.clone())
        };
        if let Some(volume) = chosen {
            self.bind(key, &volume);
        }
    }

    /// Joins a claim and a volume.
    pub fn bind(&mut self, key: &str, volume: &str) {
        if let (Some(claim), Some(found)) = (self.claims.get_mut(key), self.volumes.get_mut(volume)) {
            claim.volume = volume.to_owned();
            claim.bound = true;
            found.claim = Some(key.to_owned());
            found.available = false;
        }
    }

    /// Makes the volume that a class provisions for a claim: reachable from the node it was made for, where the
    /// class has topologies, else from everywhere.
    pub fn provision(&mut self, key: &str, node: &Node) {
        let Some(claim) = self.claims.get(key) else {
            return;
        };
        let Some(class) = self.classes.get(&claim.class) else {
            return;
        };
        let keys = class.topologies.iter().flatten().map(|wanted| wanted.key.clone());
        let pins: Vec<Requirement> = keys
            .filter_map(|key| {
                let values = vec![node.labels.get(&key)?.clone()];
                Some(Requirement { key, operator: Operator::In, values })
            })
            .collect();
        let terms = (!pins.is_empty()).then(|| vec![NodeTerm { expressions: pins, fields: Vec::new(), broken: false }]);
        self.make_volume(key, terms);
    }

    fn make_volume(&mut self, key: &str, node_terms: Option<Vec<NodeTerm>>) {
        let Some(claim) = self.claims.get(key) else { return };
        let Some(class) = self.classes.get(&claim.class) else { return };
        let name = format!("pvc-{}-{}", claim.namespace, claim.name);
        let volume = PersistentVolume {
            node_terms,
            csi: Some((in_tree::driver(&class.provisioner).unwrap_or(&class.provisioner).to_owned(), key.to_owned())),
            ..PersistentVolume::as_asked(name.clone(), claim)
        };
        self.volumes.insert(name.clone(), volume);
        self.bind(key, &name);
    }

    /// Adds the volume that a claim asks for, to be bound to it.
    pub fn add_volume_for(&mut self, claim: &Claim) {
        let name = format!("for-{}-{}", claim.namespace, claim.name);
        let volume = PersistentVolume {
            claim: Some(format!("{}/{}", claim.namespace, claim.name)),
            ..PersistentVolume::as_asked(name.clone(), claim)
        };
        self.volumes.insert(name, volume);
    }

    /// The smallest volume that a claim can take, on a node or anywhere (`FindMatchingVolume` of
    /// component-helpers); a volume reserved for the claim comes first.
    pub fn find(&self, claim: &Claim, node: Option<&Labels>, taken: &BTreeSet<String>, waits: bool) -> Option<String> {
        let key = format!("{}/{}", claim.namespace, claim.name);
        let mut smallest: Option<&PersistentVolume> = None;
        for volume in self.volumes.values().filter(|volume| !taken.contains(&volume.name)) {
            let reserved = volume.claim.as_deref() == Some(key.as_str());
            let other = volume.claim.is_some() && !reserved;
            if other || volume.deleting || mismatch(claim, volume).is_some() {
                continue;
            }
            let here = node.is_none_or(|node| volume.reaches(node));
            if reserved {
                return here.then(|| volume.name.clone());
            }
            let fits = volume.available
                && volume.class == claim.class
                && here
                && claim.selector.as_ref().is_none_or(|selector| selector.matches(&volume.labels))
                && claim.access_modes.iter().all(|mode| volume.access_modes.contains(mode));
            if fits && !(waits && node.is_none()) && smallest.is_none_or(|known| known.capacity > volume.capacity) {
                smallest = Some(volume);
            }
        }
        smallest.map(|volume| volume.name.clone())
    }

    /// Why no volume of the set takes the claim, in a few words each.
    pub fn why_unbound(&self, claim: &Claim) -> Vec<String> {
        let mut out = Vec::new();
        for volume in self.volumes.values() {
            let reason = if let Some(other) = &volume.claim {
                format!("is taken by claim {other}")
            } else if volume.class != claim.class {
                format!("has class \"{}\", not \"{}\"", volume.class, claim.class)
            } else if let Some(reason) = mismatch(claim, volume) {
                reason
            } else if let Some(mode) = claim.access_modes.iter().find(|mode| !volume.access_modes.contains(mode)) {
                format!("does not offer {mode}")
            } else if claim.selector.as_ref().is_some_and(|selector| !selector.matches(&volume.labels)) {
                "does not match the claim's selector".to_owned()
            } else {
                continue;
            };
            out.push(format!("volume {} {reason}", volume.name));
        }
        out
    }
}

/// What no volume can make up for, whoever it is reserved for.
fn mismatch(claim: &Claim, volume: &PersistentVolume) -> Option<String> {
    if volume.capacity < claim.request {
        return Some(format!("has {}, the claim asks for {}", volume.capacity, claim.request));
    }
    if volume.block != claim.block {
        return Some("has another volumeMode".to_owned());
    }
    (volume.attributes_class != claim.attributes_class).then(|| "has another volumeAttributesClassName".to_owned())
}

/// Of classes whose volumes are made by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// Stands for a claim's class that is absent, which is not the same as empty.
const UNSET: &str = "\0";

/// Reads a claim, or the template of one, under a name.
pub fn claim(name: &str, namespace: &str, view: View<'_>) -> Claim {
    let spec = view.get("spec");
    let text = |key: &str| spec.and_then(|spec| spec.get_str(key)).unwrap_or("").to_owned();
    let annotation = |key: &str| view.at(&["metadata", "annotations"]).and_then(|map| map.get_str(key));
    let class = annotation("volume.beta.kubernetes.io/storage-class")
        .or_else(|| spec.and_then(|spec| spec.get_str("storageClassName")))
        .unwrap_or(UNSET);
    let request = spec.and_then(|spec| spec.at(&["resources", "requests", "storage"])).and_then(quantity);
    Claim {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        class: class.to_owned(),
        request: request.unwrap_or_else(|| Quantity::from_i64(0)),
        access_modes: strings(spec, "accessModes"),
        block: text("volumeMode") == "Block",
        attributes_class: text("volumeAttributesClassName"),
        selector: spec.and_then(|spec| spec.get("selector")).and_then(Selector::read),
        bound: !text("volumeName").is_empty() && annotation("pv.kubernetes.io/bind-completed").is_some(),
        volume: text("volumeName"),
        lost: view.at(&["status", "phase"]).and_then(View::str) == Some("Lost"),
        deleting: view.at(&["metadata", "deletionTimestamp"]).is_some(),
        selected_node: annotation("volume.kubernetes.io/selected-node").map(str::to_owned),
        // The default of a manifest is the same phase.
        pending: view.at(&["status", "phase"]).and_then(View::str) == Some("Pending")
            && view.at(&["metadata", "creationTimestamp"]).and_then(View::str).is_some(),
    }
}

fn volume(name: &str, view: View<'_>) -> PersistentVolume {
    let spec = view.get("spec");
    let text = |key: &str| spec.and_then(|spec| spec.get_str(key)).unwrap_or("").to_owned();
    let claim = spec
        .and_then(|spec| spec.get("claimRef"))
        .map(|claim| format!("{}/{}", claim.get_str("namespace").unwrap_or(""), claim.get_str("name").unwrap_or("")));
    let csi = spec.and_then(|spec| spec.get("csi")).map(|csi| {
        (csi.get_str("driver").unwrap_or("").to_owned(), csi.get_str("volumeHandle").unwrap_or("").to_owned())
    });
    let beta = view.at(&["metadata", "annotations"]);
    let beta = beta.and_then(|map| map.get_str("volume.beta.kubernetes.io/storage-class"));
    PersistentVolume {
        name: name.to_owned(),
        labels: labels(view.at(&["metadata", "labels"])),
        class: beta.map_or_else(|| text("storageClassName"), str::to_owned),
        capacity: spec
            .and_then(|spec| spec.at(&["capacity", "storage"]))
            .and_then(quantity)
            .unwrap_or_else(|| Quantity::from_i64(0)),
        access_modes: strings(spec, "accessModes"),
        block: text("volumeMode") == "Block",
        attributes_class: text("volumeAttributesClassName"),
        claim,
        available: view
            .at(&["status", "phase"])
            .and_then(View::str)
            .is_none_or(|phase| phase == "Available" || phase == "Pending"),
        deleting: view.at(&["metadata", "deletionTimestamp"]).is_some(),
        node_terms: spec.and_then(|spec| spec.at(&["nodeAffinity", "required"])).map(node_terms),
        csi,
        in_tree: spec.and_then(in_tree::volume),
    }
}

fn class(view: View<'_>) -> StorageClass {
    let topologies = view.list("allowedTopologies").map(|term| {
        term.list("matchLabelExpressions")
            .map(|expression| Requirement {
                key: expression.get_str("key").unwrap_or("").to_owned(),
                operator: Operator::In,
                values: expression.list("values").filter_map(View::str).map(str::to_owned).collect(),
            })
            .collect()
    });
    StorageClass {
        provisioner: view.get_str("provisioner").unwrap_or("").to_owned(),
        waits: view.get_str("volumeBindingMode") == Some("WaitForFirstConsumer"),
        topologies: topologies.collect(),
    }
}

fn capacity(view: View<'_>) -> Capacity {
    let limit = view.get("maximumVolumeSize").or_else(|| view.get("capacity"));
    Capacity {
        class: view.get_str("storageClassName").unwrap_or("").to_owned(),
        topology: view.get("nodeTopology").and_then(Selector::read),
        limit: limit.and_then(quantity).map(|quantity| quantity.value()),
    }
}

fn strings(view: Option<View<'_>>, key: &str) -> Vec<String> {
    view.into_iter().flat_map(|view| view.list(key)).filter_map(View::str).map(str::to_owned).collect()
}
