//! A pod as the scheduler sees it, compiled from a (defaulted) pod spec. Replicas share one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::in_tree::{self, InTree};
use super::labels::{Labels, NodeTerm, Operator, Requirement, Selector, labels, node_terms};
use super::requests::{Requests, pod_requests};
use super::schedulers::{DEFAULT, Profile};
use crate::yaml::View;

/// Everything that the scheduler reads of a pod; equal pods get equal answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pod {
    pub namespace: String,
    pub labels: Labels,
    pub requests: Requests,
    pub node_name: Option<String>,
    pub node_selector: Vec<(String, String)>,
    /// Required node affinity: any term; `Some` and empty matches no node.
    pub required_nodes: Option<Vec<NodeTerm>>,
    /// Preferred node affinity with weights.
    pub preferred_nodes: Vec<(i64, NodeTerm)>,
    pub tolerations: Vec<Toleration>,
    pub ports: Vec<HostPort>,
    pub volumes: Vec<Volume>,
    pub spread: Vec<Spread>,
    pub affinity: Vec<PodTerm>,
    pub anti_affinity: Vec<PodTerm>,
    /// Preferred affinity with weights, and preferred anti-affinity with negative ones.
    pub preferred_pods: Vec<(i64, PodTerm)>,
    /// Of containers and init containers, then of image volumes.
    pub images: Vec<String>,
    pub containers: usize,
    pub priority: i32,
    /// `preemptionPolicy: Never`.
    pub never_preempts: bool,
    pub gates: Vec<String>,
    pub scheduler: String,
    /// The profile of that scheduler, where it is not the standard one.
    pub profile: Option<Arc<Profile>>,
    /// Names of `resourceClaims`: dynamic resource allocation is not modelled.
    pub resource_claims: bool,
    pub terminating: bool,
    /// Selector of its owner and Services, for the scheduler's default spreading.
    pub default_spread: Selector,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// Empty tolerates every key.
    pub key: String,
    /// `Exists`; else the value must be equal.
    pub exists: bool,
    pub value: String,
    /// Empty tolerates every effect.
    pub effect: String,
    /// `tolerationSeconds`: how long a pod that runs stays under a taint of effect NoExecute; for ever without.
    pub seconds: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    pub ip: String,
    pub protocol: String,
    pub port: i64,
}

/// A volume that the scheduler looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Volume {
    Claim {
        name: String,
        /// A generic ephemeral volume, whose claim is named after the pod.
        ephemeral: bool,
    },
    /// GCE disk, EBS volume or iSCSI target by name; two mounts conflict unless both are `read_only`.
    Disk {
        kind: &'static str,
        id: String,
        read_only: bool,
    },
    /// A volume of a plugin that a CSI driver has taken over; it counts against the driver's limit.
    Attached(InTree),
    Rbd {
        monitors: BTreeSet<String>,
        pool: String,
        image: String,
        read_only: bool,
    },
}

/// A topology spread constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spread {
    pub max_skew: i64,
    pub key: String,
    /// `DoNotSchedule`.
    pub hard: bool,
    /// `None` matches no pod.
    pub selector: Option<Selector>,
    pub min_domains: usize,
    pub honor_affinity: bool,
    pub honor_taints: bool,
}

/// A pod affinity or anti-affinity term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodTerm {
    pub key: String,
    /// `None` matches no pod.
    pub selector: Option<Selector>,
    pub namespaces: BTreeSet<String>,
    /// `None` selects no namespace.
    pub namespace_selector: Option<Selector>,
}

impl Pod {
    /// Compiles a spec. `metadata` is that of the pod or of its template; `status` that of a running pod.
    /// Priority, admission and the default spreading are filled in by `expand`.
    pub fn compile(namespace: &str, metadata: Option<View<'_>>, spec: View<'_>, status: Option<View<'_>>) -> Pod {
        let labels = labels(metadata.and_then(|metadata| metadata.get("labels")));
        Pod::with_labels(namespace, labels, metadata, spec, status)
    }

    /// As [`Pod::compile`], with labels that an owner has completed.
    pub fn with_labels(
        namespace: &str,
        labels: Labels,
        metadata: Option<View<'_>>,
        spec: View<'_>,
        status: Option<View<'_>>,
    ) -> Pod {
        let mut pod = Pod {
            namespace: namespace.to_owned(),
            requests: pod_requests(spec, status),
            node_name: spec.get_str("nodeName").filter(|name| !name.is_empty()).map(str::to_owned),
            node_selector: super::labels::labels(spec.get("nodeSelector")).into_iter().collect(),
            tolerations: spec.list("tolerations").map(Toleration::read).collect(),
            ports: host_ports(spec),
            volumes: spec.list("volumes").flat_map(volumes).collect(),
            spread: spec.list("topologySpreadConstraints").map(|view| spread(view, &labels)).collect(),
            images: images(spec),
            containers: spec.list("containers").len() + spec.list("initContainers").len(),
            never_preempts: spec.get_str("preemptionPolicy") == Some("Never"),
            gates: spec.list("schedulingGates").filter_map(|gate| gate.get_str("name")).map(str::to_owned).collect(),
            scheduler: spec.get_str("schedulerName").unwrap_or(DEFAULT).to_owned(),
            resource_claims: spec.list("resourceClaims").len() > 0,
            terminating: metadata.is_some_and(|metadata| metadata.get("deletionTimestamp").is_some()),
            labels,
            ..Pod::default()
        };
        if let Some(affinity) = spec.get("affinity") {
            pod.read_affinity(affinity);
        }
        pod
    }

    fn read_affinity(&mut self, affinity: View<'_>) {
        const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
        const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
        if let Some(node) = affinity.get("nodeAffinity") {
            self.required_nodes = node.get(REQUIRED).map(node_terms);
            for preferred in node.list(PREFERRED) {
                let weight = preferred.get_int("weight").unwrap_or(0);
                self.preferred_nodes.extend(preferred.get("preference").map(|view| (weight, NodeTerm::read(view))));
            }
        }
        for (kind, sign) in [("podAffinity", 1), ("podAntiAffinity", -1)] {
            let Some(view) = affinity.get(kind) else {
                continue;
            };
            let required: Vec<_> = view.list(REQUIRED).map(|term| self.pod_term(term)).collect();
            if sign > 0 {
                self.affinity = required
            } else {
                self.anti_affinity = required
            }
            for preferred in view.list(PREFERRED) {
                let weight = sign * preferred.get_int("weight").unwrap_or(0);
                let term = preferred.get("podAffinityTerm").map(|term| (weight, self.pod_term(term)));
                self.preferred_pods.extend(term);
            }
        }
    }

    /// The API server merges `matchLabelKeys` into the selector when the pod is created.
    fn pod_term(&self, view: View<'_>) -> PodTerm {
        let mut selector = view.get("labelSelector").and_then(Selector::read);
        let merged = [("matchLabelKeys", Operator::In), ("mismatchLabelKeys", Operator::NotIn)];
        for (field, operator) in merged {
            for key in view.list(field).filter_map(View::str) {
                if let (Some(selector), Some(value)) = (&mut selector, self.labels.get(key)) {
                    let wanted = Requirement { key: key.to_owned(), operator, values: vec![value.clone()] };
                    selector.requirements.push(wanted);
                }
            }
        }
        let mut namespaces: BTreeSet<String> =
            view.list("namespaces").filter_map(View::str).map(str::to_owned).collect();
        let namespace_selector = view.get("namespaceSelector").and_then(Selector::read);
        if namespaces.is_empty() && view.get("namespaceSelector").is_none() {
            namespaces.insert(self.namespace.clone());
        }
        PodTerm { key: view.get_str("topologyKey").unwrap_or("").to_owned(), selector, namespaces, namespace_selector }
    }

    /// The same pod under another value of a label, also where its own terms name that value.
    #[must_use]
    pub fn relabelled(&self, key: &str, value: &str) -> Pod {
        let mut pod = self.clone();
        pod.labels.insert(key.to_owned(), value.to_owned());
        let terms = pod.affinity.iter_mut().chain(&mut pod.anti_affinity);
        let terms = terms.chain(pod.preferred_pods.iter_mut().map(|(_, term)| term));
        let selectors =
            terms.map(|term| &mut term.selector).chain(pod.spread.iter_mut().map(|spread| &mut spread.selector));
        for requirement in selectors.flatten().flat_map(|selector| &mut selector.requirements) {
            if requirement.key == key {
                requirement.values = vec![value.to_owned()];
            }
        }
        pod
    }

    /// Whether it asks for neither cpu nor memory.
    pub fn is_best_effort(&self) -> bool {
        self.requests.actual.cpu == 0 && self.requests.actual.memory == 0
    }

    /// Whether other pods can meet it in an affinity term of its own.
    pub fn has_pod_terms(&self) -> bool {
        !(self.affinity.is_empty() && self.anti_affinity.is_empty() && self.preferred_pods.is_empty())
    }

    pub fn has_claims(&self) -> bool {
        self.volumes.iter().any(|volume| matches!(volume, Volume::Claim { .. }))
    }

    /// Whether it can run on one node only, by that node's name: the pods of a live DaemonSet, and static ones.
    pub fn names_its_node(&self) -> bool {
        let mut terms = self.required_nodes.iter().flatten().peekable();
        terms.peek().is_some() && terms.all(|term| !term.fields.is_empty())
    }

    /// Whether a node satisfies node selector and required node affinity.
    pub fn selects_node(&self, name: &str, node: &Labels) -> bool {
        self.node_selector.iter().all(|(key, value)| node.get(key) == Some(value))
            && self.required_nodes.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(name, node)))
    }
}

impl Toleration {
    pub fn read(view: View<'_>) -> Toleration {
        let text = |key: &str| view.get_str(key).unwrap_or("").to_owned();
        Toleration {
            key: text("key"),
            exists: view.get_str("operator") == Some("Exists"),
            value: text("value"),
            effect: text("effect"),
            seconds: view.get_int("tolerationSeconds"),
        }
    }

    /// A toleration of one key with `Exists`, as controllers add them.
    pub fn of(key: &str, effect: &str) -> Toleration {
        Toleration { key: key.to_owned(), exists: true, effect: effect.to_owned(), ..Toleration::default() }
    }

    /// `ToleratesTaint` of `k8s.io/api/core/v1`.
    pub fn tolerates(&self, key: &str, value: &str, effect: &str) -> bool {
        (self.effect.is_empty() || self.effect == effect)
            && (self.key.is_empty() || self.key == key)
            && (self.exists || self.value == value)
    }
}

impl PodTerm {
    fn selects(&self, pod: &Pod) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels))
    }

    /// Whether the term of a pod that already runs matches an incoming pod.
    pub fn matches(&self, pod: &Pod, namespace: &Labels) -> bool {
        let selected = || self.namespace_selector.as_ref().is_some_and(|selector| selector.matches(namespace));
        (self.namespaces.contains(&pod.namespace) || selected()) && self.selects(pod)
    }

    /// Whether the term of the incoming pod matches one that already runs. The scheduler resolves the
    /// namespace selector to names, but then also tries it on a namespace without labels, so that one made
    /// of NotIn and DoesNotExist reaches every namespace (`mergeAffinityTermNamespacesIfNotEmpty`, 1.34 to 1.36).
    pub fn matches_existing(&self, pod: &Pod, namespace: &Labels) -> bool {
        let selector = self.namespace_selector.as_ref();
        let unlabelled = || selector.is_some_and(|selector| selector.matches(&Labels::new()));
        let named = || selector.is_some_and(|selector| selector.matches(namespace));
        (self.namespaces.contains(&pod.namespace) || named() || unlabelled()) && self.selects(pod)
    }
}

fn spread(view: View<'_>, labels: &Labels) -> Spread {
    let mut selector = view.get("labelSelector").and_then(Selector::read);
    for key in view.list("matchLabelKeys").filter_map(View::str) {
        if let (Some(selector), Some(value)) = (&mut selector, labels.get(key)) {
            selector.require(key, value);
        }
    }
    Spread {
        max_skew: view.get_int("maxSkew").unwrap_or(1),
        key: view.get_str("topologyKey").unwrap_or("").to_owned(),
        hard: view.get_str("whenUnsatisfiable") == Some("DoNotSchedule"),
        selector,
        min_domains: view.get_int("minDomains").and_then(|count| usize::try_from(count).ok()).unwrap_or(1),
        honor_affinity: view.get_str("nodeAffinityPolicy") != Some("Ignore"),
        honor_taints: view.get_str("nodeTaintsPolicy") == Some("Honor"),
    }
}

/// Ports on the node; with `hostNetwork` every container port is one (defaults.go `SetDefaults_Pod`).
fn host_ports(spec: View<'_>) -> Vec<HostPort> {
    let host_network = spec.get_bool("hostNetwork");
    let sidecars = spec.list("initContainers").filter(|init| init.get_str("restartPolicy") == Some("Always"));
    let mut out: Vec<HostPort> = Vec::new();
    for port in spec.list("containers").chain(sidecars).flat_map(|container| container.list("ports")) {
        let fallback = if host_network { port.get_int("containerPort") } else { None };
        let number = port.get_int("hostPort").filter(|number| *number > 0).or(fallback).unwrap_or(0);
        if number > 0 {
            let text = |key: &str, default: &str| {
                port.get_str(key).filter(|text| !text.is_empty()).unwrap_or(default).to_owned()
            };
            out.push(HostPort { ip: text("hostIP", "0.0.0.0"), protocol: text("protocol", "TCP"), port: number });
        }
    }
    out
}

/// What a volume is to the scheduler; one in the pod itself counts against the limit of a driver too.
fn volumes(view: View<'_>) -> impl Iterator<Item = Volume> {
    volume(view).into_iter().chain(in_tree::volume(view).map(Volume::Attached))
}

fn volume(view: View<'_>) -> Option<Volume> {
    if let Some(claim) = view.get("persistentVolumeClaim") {
        return Some(Volume::Claim { name: claim.get_str("claimName")?.to_owned(), ephemeral: false });
    }
    if view.get("ephemeral").is_some() {
        return Some(Volume::Claim { name: view.get_str("name")?.to_owned(), ephemeral: true });
    }
    // An EBS volume is never shared, not even read-only.
    let disks =
        [("gcePersistentDisk", "pdName", true), ("awsElasticBlockStore", "volumeID", false), ("iscsi", "iqn", true)];
    for (kind, id, shares) in disks {
        if let Some(disk) = view.get(kind) {
            let read_only = shares && disk.get_bool("readOnly");
            return Some(Volume::Disk { kind, id: disk.get_str(id).unwrap_or("").to_owned(), read_only });
        }
    }
    let rbd = view.get("rbd")?;
    Some(Volume::Rbd {
        monitors: rbd.list("monitors").filter_map(View::str).map(str::to_owned).collect(),
        pool: rbd.get_str("pool").unwrap_or("rbd").to_owned(),
        image: rbd.get_str("image").unwrap_or("").to_owned(),
        read_only: rbd.get_bool("readOnly"),
    })
}

/// Image names as nodes list them: a name without tag means `latest` (`normalizedImageName`).
fn images(spec: View<'_>) -> Vec<String> {
    let containers = spec.list("initContainers").chain(spec.list("containers"));
    let volumes = spec.list("volumes").filter_map(|volume| volume.at(&["image", "reference"]));
    let names = containers.filter_map(|container| container.get("image")).chain(volumes);
    names.filter_map(View::str).map(normalized_image).collect()
}

/// Adds `:latest` to a name that has no tag or digest.
pub fn normalized_image(name: &str) -> String {
    if name.rfind(':') <= name.rfind('/') { format!("{name}:latest") } else { name.to_owned() }
}
