//! The nodes that pods can land on: Node objects, or the short form of kplan.yaml.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::labels::{Labels, labels};
use super::pod::normalized_image;
use super::resources::{ResourceList, Resources, quantity, resource_list};
use super::schedulers::Schedulers;
use crate::config::{NodeShape, Settings, presets};
use crate::model::quantity::Quantity;
use crate::model::{Bundle, ObjectId};
use crate::source::{SourceText, Span};
use crate::yaml::{self, View};

/// Pods that a node takes when its short form does not say: the kubelet's default.
pub const DEFAULT_PODS: u32 = 110;
/// More nodes than this are a slip of the pen.
const MAX_COUNT: u32 = 100_000;
pub const HOSTNAME: &str = "kubernetes.io/hostname";
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// A node as the scheduler sees it.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: String,
    pub labels: Labels,
    pub taints: Vec<Taint>,
    /// Cordoned.
    pub unschedulable: bool,
    pub allocatable: Resources,
    /// Pods that fit at once.
    pub max_pods: i64,
    /// As the report shows it: canonical quantities.
    pub allocatable_display: BTreeMap<String, String>,
    /// Bytes by image name.
    pub images: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Taint {
    pub key: String,
    pub value: String,
    pub effect: String,
}

impl fmt::Display for Taint {
    /// `key=value:Effect`, as kubectl writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_str() {
            "" => write!(f, "{}:{}", self.key, self.effect),
            value => write!(f, "{}={value}:{}", self.key, self.effect),
        }
    }
}

impl Taint {
    /// Whether it keeps pods off: `NoSchedule` or `NoExecute`.
    pub fn repels(&self) -> bool {
        self.effect == "NoSchedule" || self.effect == "NoExecute"
    }
}

/// All nodes of a run, in the order given, and the cluster that they belong to.
#[derive(Clone, Debug, Default)]
pub struct Inventory<'a> {
    pub nodes: Vec<Node>,
    pub schedulers: Schedulers,
    /// What is live: the pods that run, storage, classes, budgets, Services, and the workloads that the set changes.
    pub live: Option<&'a Bundle>,
}

/// What is wrong with an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeError {
    /// Where, in the file that was read; `None` for nodes of the settings.
    pub span: Option<Span>,
    pub message: String,
}

impl NodeError {
    fn new(span: Option<Span>, message: impl Into<String>) -> NodeError {
        NodeError { span, message: message.into() }
    }
}

impl<'a> Inventory<'a> {
    /// The nodes of a cluster with all that is live there.
    pub fn of_cluster(live: &'a Bundle) -> Result<Inventory<'a>, NodeError> {
        let views = live.iter().filter(|(_, object)| is_node(&object.api_version, &object.kind));
        let nodes = views.map(|(id, _)| node(live.full(id))).collect::<Result<Vec<_>, _>>()?;
        Ok(Inventory { nodes, live: Some(live), ..Inventory::default() })
    }

    /// Takes in what the Node objects of a set change of nodes that are there: labels, taints, a cordon.
    pub fn change(&mut self, bundle: &Bundle) {
        for (id, object) in bundle.iter().filter(|(_, object)| is_node(&object.api_version, &object.kind)) {
            let Some(known) = self.nodes.iter_mut().find(|node| node.name == object.name) else { continue };
            let written = bundle.written(id);
            known.labels.extend(labels(written.at(&["metadata", "labels"])));
            let spec = written.get("spec");
            if let Some(taints) = spec.filter(|spec| spec.get("taints").is_some()) {
                known.taints = taints.list("taints").map(taint).collect();
            }
            if let Some(spec) = spec.filter(|spec| spec.get("unschedulable").is_some()) {
                known.unschedulable = spec.get_bool("unschedulable");
            }
        }
    }

    /// How many live pods run on nodes that are not here, so that they hold nothing.
    pub fn elsewhere(&self) -> usize {
        let names: BTreeSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let node = |live: &'a Bundle, id: ObjectId| live.full(id).at(&["spec", "nodeName"]).and_then(View::str);
        let pods = self.live.into_iter().flat_map(|live| live.iter().map(move |(id, object)| (live, id, object)));
        let pods = pods.filter(|(_, _, object)| object.kind == "Pod" && object.group().is_empty());
        let nodes = pods.filter_map(|(live, id, _)| node(live, id));
        nodes.filter(|name| !name.is_empty() && !names.contains(name)).count()
    }
}

impl Inventory<'_> {
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The Node objects of a set. Nodes that cannot be read are left out: validation reports them.
    pub fn from_bundle(bundle: &Bundle) -> Inventory<'static> {
        let views = bundle.iter().filter(|(_, object)| is_node(&object.api_version, &object.kind));
        let ids: Vec<ObjectId> = views.map(|(id, _)| id).collect();
        let mut seen = BTreeSet::new();
        let nodes = ids.into_iter().filter_map(|id| node(bundle.full(id)).ok());
        Inventory { nodes: nodes.filter(|node| seen.insert(node.name.clone())).collect(), ..Inventory::default() }
    }

    /// The nodes of `nodes:` in kplan.yaml. Errors name the node and the value that is wrong.
    pub fn from_settings(settings: &Settings) -> Result<Inventory<'static>, Vec<NodeError>> {
        let (mut inventory, mut errors) = (Inventory::default(), Vec::new());
        for shape in &settings.nodes {
            if inventory.nodes.len() > MAX_COUNT as usize {
                break;
            }
            match from_shape(shape) {
                Ok(nodes) => inventory.nodes.extend(nodes),
                Err(message) => errors.push(NodeError::new(None, message)),
            }
        }
        inventory.check_names(&mut errors);
        if errors.is_empty() { Ok(inventory) } else { Err(errors) }
    }

    /// The nodes of a file for `--nodes`: documents with Node objects or Lists of them, or the short form
    /// under a top-level `nodes:`.
    pub fn from_text(text: &SourceText) -> Result<Inventory<'static>, Vec<NodeError>> {
        let file = yaml::read(text);
        let (mut inventory, mut errors) = (Inventory::default(), Vec::new());
        for document in &file.documents {
            if let Some(error) = &document.error {
                errors.push(NodeError::new(Some(error.span), error.message.clone()));
            }
            if let Some(root) = document.root {
                inventory.read(file.tree.view(root), &mut errors);
            }
        }
        inventory.check_names(&mut errors);
        if inventory.is_empty() && errors.is_empty() {
            errors.push(NodeError::new(None, "no nodes: give Node objects, a List of them, or `nodes:`"));
        }
        if errors.is_empty() { Ok(inventory) } else { Err(errors) }
    }

    fn read(&mut self, view: View<'_>, errors: &mut Vec<NodeError>) {
        if is_node(view.get_str("apiVersion").unwrap_or(""), view.get_str("kind").unwrap_or("")) {
            match node(view) {
                Ok(node) => self.nodes.push(node),
                Err(error) => errors.push(error),
            }
        } else if view.get("items").is_some() {
            view.list("items").for_each(|item| self.read(item, errors));
        } else if view.get("kind").is_none() && view.get("nodes").is_some() {
            for entry in view.list("nodes") {
                if self.nodes.len() > MAX_COUNT as usize {
                    return;
                }
                match shape(entry)
                    .and_then(|shape| from_shape(&shape).map_err(|e| NodeError::new(Some(entry.span()), e)))
                {
                    Ok(nodes) => self.nodes.extend(nodes),
                    Err(error) => errors.push(error),
                }
            }
        }
        // Other objects may stand in the same file, as in the output of `kubectl get nodes,pods`.
    }

    fn check_names(&self, errors: &mut Vec<NodeError>) {
        if self.nodes.len() > MAX_COUNT as usize {
            errors.push(NodeError::new(None, format!("there are more than {MAX_COUNT} nodes")));
            return;
        }
        let mut seen = BTreeSet::new();
        for node in &self.nodes {
            if !seen.insert(node.name.as_str()) {
                errors.push(NodeError::new(None, format!("node `{}` is given twice; names must differ", node.name)));
            }
        }
    }
}

fn is_node(api_version: &str, kind: &str) -> bool {
    kind == "Node" && api_version == "v1"
}

/// Reads a Node object; the capacity stands in for a missing allocatable.
fn node(view: View<'_>) -> Result<Node, NodeError> {
    let Some(name) = view.at(&["metadata", "name"]).and_then(View::str).filter(|name| !name.is_empty()) else {
        return Err(NodeError::new(Some(view.span()), "a node has no metadata.name"));
    };
    let status = view.get("status");
    let amounts = status.and_then(|status| status.get("allocatable").or_else(|| status.get("capacity")));
    for (resource, value) in amounts.into_iter().flat_map(View::fields) {
        if let Err(what) = check_quantity(quantity(value).as_ref()) {
            let text = value.str().map_or_else(|| value.to_json(), str::to_owned);
            return Err(NodeError::new(Some(value.span()), format!("node `{name}`: {resource} `{text}` {what}")));
        }
    }
    let list = resource_list(amounts);
    let spec = view.get("spec");
    let taints = spec.map(|spec| spec.list("taints").map(taint).collect()).unwrap_or_default();
    let mut images = BTreeMap::new();
    for image in status.into_iter().flat_map(|status| status.list("images")) {
        let size = image.get_int("sizeBytes").unwrap_or(0);
        for name in image.list("names").filter_map(View::str) {
            // Of a name that is there twice the first size counts.
            images.entry(normalized_image(name)).or_insert(size);
        }
    }
    Ok(Node {
        name: name.to_owned(),
        labels: labels(view.at(&["metadata", "labels"])),
        taints,
        unschedulable: spec.is_some_and(|spec| spec.get_bool("unschedulable")),
        max_pods: list.get("pods").map_or(0, Quantity::value),
        allocatable: Resources::from_list(&list),
        allocatable_display: list.iter().map(|(name, quantity)| (name.clone(), quantity.canonical())).collect(),
        images,
    })
}

fn check_quantity(quantity: Option<&Quantity>) -> Result<(), &'static str> {
    match quantity {
        None => Err("is no quantity; write 4, 500m or 8Gi"),
        Some(quantity) if quantity.sign() < 0 => Err("is negative"),
        Some(_) => Ok(()),
    }
}

fn taint(view: View<'_>) -> Taint {
    let text = |key: &str| view.get_str(key).unwrap_or("").to_owned();
    Taint { key: text("key"), value: text("value"), effect: text("effect") }
}

/// Reads an entry of the short form from a file for `--nodes`.
fn shape(view: View<'_>) -> Result<NodeShape, NodeError> {
    const KEYS: [&str; 9] = ["name", "preset", "count", "cpu", "memory", "pods", "labels", "taints", "zone"];
    if let Some((key, span, _)) = view.entries().find(|(key, _, _)| !KEYS.contains(key)) {
        let message = format!("`{key}` is no field of a node's short form; it has {}", KEYS.join(", "));
        return Err(NodeError::new(Some(span), message));
    }
    let count = |key: &str, default: u32| match view.get(key) {
        None => Ok(default),
        Some(value) => value.int().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
            NodeError::new(Some(value.span()), format!("{key} `{}` is no positive number", value.written()))
        }),
    };
    let text = |key: &str| view.get(key).map(|value| value.str().map_or_else(|| value.to_json(), str::to_owned));
    let mut shape = NodeShape {
        name: text("name").unwrap_or_default(),
        count: count("count", 1)?,
        cpu: text("cpu").unwrap_or_default(),
        memory: text("memory").unwrap_or_default(),
        pods: count("pods", DEFAULT_PODS)?,
        labels: labels(view.get("labels")),
        taints: view.list("taints").filter_map(View::str).map(str::to_owned).collect(),
        zone: text("zone"),
    };
    if let Some(preset) = view.get("preset") {
        let pods = view.get("pods").map(|_| shape.pods);
        let Some(known) = presets::find(preset.str().unwrap_or(preset.written())) else {
            let known = presets::names().collect::<Vec<_>>().join(", ");
            let message = format!("preset `{}` is none of {known}", preset.written());
            return Err(NodeError::new(Some(preset.span()), message));
        };
        known.fill(&mut shape, pods);
    }
    Ok(shape)
}

/// The nodes of one entry: `name` for one, `name-1` … `name-N` for several; a count or `pods` of zero that
/// was not written means 1 and 110.
fn from_shape(shape: &NodeShape) -> Result<Vec<Node>, String> {
    let name = shape.name.as_str();
    if name.is_empty() {
        return Err("a node of the short form has no `name`".to_owned());
    }
    if shape.count == 0 || shape.count > MAX_COUNT {
        return Err(format!("node `{name}`: count {} is not between 1 and {MAX_COUNT}", shape.count));
    }
    let mut list = ResourceList::new();
    for (resource, text) in [("cpu", &shape.cpu), ("memory", &shape.memory)] {
        let quantity = Quantity::parse_json(text).ok();
        match check_quantity(quantity.as_ref()) {
            _ if text.is_empty() => {
                return Err(format!("node `{name}` has no {resource}; write for example `{resource}: 4`"));
            }
            Err(what) => return Err(format!("node `{name}`: {resource} `{text}` {what}")),
            Ok(()) if quantity.as_ref().is_none_or(Quantity::is_zero) => {
                return Err(format!("node `{name}`: {resource} `{text}` is zero; nothing would fit"));
            }
            Ok(()) => list.extend(quantity.map(|quantity| (resource.to_owned(), quantity.stored()))),
        }
    }
    if shape.pods == 0 {
        return Err(format!("node `{name}`: pods 0 would keep every pod off; leave it out for {DEFAULT_PODS}"));
    }
    list.insert("pods".to_owned(), Quantity::from_i64(i64::from(shape.pods)));
    let taints = shape.taints.iter().map(|text| parse_taint(text).map_err(|what| format!("node `{name}`: {what}")));
    let taints: Vec<Taint> = taints.collect::<Result<_, _>>()?;
    let one = |node_name: String| {
        let mut labels = shape.labels.clone();
        labels.entry(HOSTNAME.to_owned()).or_insert_with(|| node_name.clone());
        if let Some(zone) = &shape.zone {
            labels.insert(ZONE.to_owned(), zone.clone());
        }
        Node {
            name: node_name,
            labels,
            taints: taints.clone(),
            unschedulable: false,
            allocatable: Resources::from_list(&list),
            max_pods: i64::from(shape.pods),
            allocatable_display: list.iter().map(|(name, quantity)| (name.clone(), quantity.canonical())).collect(),
            images: BTreeMap::new(),
        }
    };
    Ok(match shape.count {
        1 => vec![one(name.to_owned())],
        count => (1..=count).map(|index| one(format!("{name}-{index}"))).collect(),
    })
}

/// Reads `key=value:Effect` or `key:Effect`.
pub fn parse_taint(text: &str) -> Result<Taint, String> {
    let (left, effect) =
        text.rsplit_once(':').ok_or_else(|| format!("taint `{text}` has no effect; write key=value:NoSchedule"))?;
    if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
        return Err(format!("taint `{text}`: `{effect}` is none of NoSchedule, PreferNoSchedule, NoExecute"));
    }
    let (key, value) = left.split_once('=').unwrap_or((left, ""));
    if key.is_empty() {
        return Err(format!("taint `{text}` has no key"));
    }
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
}
