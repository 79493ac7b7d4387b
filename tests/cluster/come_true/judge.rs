//! Makes the changes of a seed, and holds the plan against what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::Picked;
use super::made;
use super::set::By;
use crate::api::{Api, collection};
use crate::plane::Plane;
use crate::situations::{fields, make_namespace, unique};
use crate::support::{self, Run};

/// What is wrong, with the change that it belongs to.
pub type Wrong = Vec<(Option<usize>, String)>;

/// Objects by `Kind namespace/name`.
type Objects = BTreeMap<String, Value>;

/// Values of Secrets that the changes make, plain and as base64: no output has them.
const SECRETS: [&str; 6] =
    ["first-value", "second-value", "third-value", "Zmlyc3QtdmFsdW", "c2Vjb25kLXZhbHVl", "dGhpcmQtdmFsdW"];

/// What kplan.yaml says of others' fields.
const CONFIG: &str = "conflicts:\n- {kind: ConfigMap, path: data.*, manager: keda*, action: leave}\n";
const TAKE_OVER: [&str; 2] = ["--take-over", "helm"];

const CONTEXT: [&str; 2] = ["--context", "kplan-test"];

/// What runs pods, and what counts them.
const RUNNING: [(&str, &str); 8] = [
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
];

/// The namespace and the folder of a seed; what was made goes away with it.
pub struct Set<'a> {
    plane: &'a Plane,
    api: Api,
    pub namespace: String,
    folder: PathBuf,
}

impl<'a> Set<'a> {
    pub fn new(plane: &'a Plane, seed: u64) -> Result<Self, Failed> {
        let namespace = unique(&format!("come-true-{seed}"));
        let api = Api::new(plane)?;
        make_namespace(&api, &namespace)?;
        let folder = support::folder(&namespace);
        Ok(Self { plane, api, namespace, folder })
    }

    fn kplan(&self, arguments: &[&str]) -> Run {
        let run = self.plane.kplan(&self.folder, &[arguments, &CONTEXT, &["--output", "json"]].concat());
        for secret in SECRETS {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{arguments:?} shows {secret}");
        }
        run
    }

    /// Waits until controllers are done.
    fn quiet(&self) -> Result<Vec<String>, Failed> {
        let read = || -> Result<Vec<String>, Failed> {
            let objects = self.api.everything(&self.namespace, &RUNNING)?;
            let shown =
                |(title, object): (&String, &Value)| format!("{title} {}", object["metadata"]["resourceVersion"]);
            Ok(objects.iter().map(shown).collect())
        };
        let mut before = read()?;
        let mut same = 0;
        for _ in 0..60 {
            std::thread::sleep(Duration::from_millis(250));
            let now = read()?;
            same = if now == before { same + 1 } else { 0 };
            if same == 4 {
                break;
            }
            before = now;
        }
        Ok(before)
    }

    /// The objects of a plan, as the cluster holds them.
    fn objects(&self, changes: &[Value]) -> Result<Objects, Failed> {
        let mut found = Objects::new();
        for change in changes {
            let answer = self.api.get(&path(&change["object"]))?;
            if answer.is_ok() {
                found.insert(title(&change["object"]), answer.json);
            }
        }
        Ok(found)
    }

    /// Ready endpoints by Service.
    fn endpoints(&self) -> Result<BTreeMap<String, usize>, Failed> {
        let slices = self.api.items(&collection("discovery.k8s.io/v1", "EndpointSlice", Some(&self.namespace)))?;
        let mut found = BTreeMap::new();
        for slice in slices {
            let Some(service) = slice["metadata"]["labels"]["kubernetes.io/service-name"].as_str() else { continue };
            let endpoints = slice["endpoints"].as_array().into_iter().flatten();
            let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count();
            *found.entry(service.to_owned()).or_default() += ready;
        }
        Ok(found)
    }

    /// uids of the pods of the changes, by the change.
    fn pods(&self, picked: &[Picked]) -> Result<Vec<BTreeSet<String>>, Failed> {
        let mut found = vec![BTreeSet::new(); picked.len()];
        for pod in self.api.pods(&self.namespace)? {
            let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
            let ends = !pod["metadata"]["deletionTimestamp"].is_null();
            if let Some(index) = owner(picked, &text("name")).filter(|_| !ends) {
                found[index].insert(text("uid"));
            }
        }
        Ok(found)
    }

    /// The diff of kubectl: which objects differ, by name.
    fn kubectl_diff(&self, picked: &[Picked], eligible: &[usize]) -> Result<BTreeSet<String>, String> {
        let files: Vec<String> = eligible
            .iter()
            .map(|index| format!("--filename={}/new/{}.yaml", self.folder.display(), picked[*index].name))
            .collect();
        if files.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut arguments = vec!["diff", "--server-side", "--field-manager=kplan", "--force-conflicts"];
        arguments.extend(files.iter().map(String::as_str));
        let run = self.plane.kubectl(&arguments);
        if !matches!(run.code, Some(0 | 1)) || run.code == Some(1) && run.stdout.is_empty() {
            return Err(format!("kubectl diff: {}", run.shown()));
        }
        let mut differ = BTreeSet::new();
        let mut name = String::new();
        for line in run.stdout.lines() {
            if let Some(header) = line.strip_prefix("diff ") {
                // GROUP.VERSION.KIND.NAMESPACE.NAME, and names may have dots.
                let mut parts = header.rsplit('/').next().unwrap_or_default().split('.').collect::<Vec<_>>();
                let kind = parts.iter().position(|part| part.starts_with(char::is_uppercase)).unwrap_or(0);
                name = parts.split_off((kind + 2).min(parts.len())).join(".");
            }
            let counts = line.starts_with(['-', '+']) && !line.starts_with("---") && !line.starts_with("+++");
            if counts && !line[1..].trim_start().starts_with("generation:") {
                differ.insert(name.clone());
            }
        }
        Ok(differ)
    }
}

impl Drop for Set<'_> {
    fn drop(&mut self) {
        let end = self.namespace.rsplit('-').next().unwrap_or_default().to_owned();
        self.api.delete(&format!("/api/v1/namespaces/{}", self.namespace)).ok();
        for (version, kind) in [
            ("v1", "Namespace"),
            ("v1", "PersistentVolume"),
            ("storage.k8s.io/v1", "StorageClass"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        ] {
            for object in self.api.items(&collection(version, kind, None)).unwrap_or_default() {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                if name.contains(&end) && name != self.namespace {
                    self.api.delete(&format!("{}/{name}", collection(version, kind, None))).ok();
                }
            }
        }
    }
}

fn path(object: &Value) -> String {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    format!("{}/{}", collection(text("apiVersion"), text("kind"), object["namespace"].as_str()), text("name"))
}

fn title(object: &Value) -> String {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    format!("{} {}/{}", text("kind"), text("namespace"), text("name"))
}

/// The change that an object belongs to.
fn owner(picked: &[Picked], name: &str) -> Option<usize> {
    picked.iter().position(|picked| name.contains(&picked.name))
}

fn owner_of(picked: &[Picked], change: &Value) -> Option<usize> {
    owner(picked, change["object"]["name"].as_str().unwrap_or_default())
}

/// Writes the manifests, one file a change.
fn write(folder: PathBuf, picked: &[Picked], objects: impl Fn(&Picked) -> &[Value]) -> Result<bool, Failed> {
    std::fs::create_dir_all(&folder)?;
    let mut any = false;
    for picked in picked {
        let texts: Vec<String> = objects(picked).iter().map(|object| format!("{object}\n")).collect();
        any |= !texts.is_empty();
        std::fs::write(folder.join(format!("{}.yaml", picked.name)), texts.join("---\n"))?;
    }
    Ok(any)
}

/// Makes the old objects, as whoever applied them does.
fn prepare(set: &Set<'_>, picked: &[Picked]) -> Result<(), Failed> {
    let kplans = |picked: &Picked| matches!(picked.made.by, By::Kplan);
    let old = |picked: &'_ Picked| -> Vec<Value> { picked.made.old.clone() };
    let ours: Vec<Value> = picked.iter().filter(|picked| kplans(picked)).flat_map(old).collect();
    if !ours.is_empty() {
        std::fs::create_dir_all(set.folder.join("old"))?;
        let texts: Vec<String> = ours.iter().map(|object| format!("{object}\n")).collect();
        std::fs::write(set.folder.join("old/all.yaml"), texts.join("---\n"))?;
        let run = set.kplan(&["apply", "old", "--yes", "--timeout", "60s"]);
        if run.code != Some(0) {
            return Err(format!("the old objects: {}", run.shown()).into());
        }
    }
    for picked in picked {
        let arguments: &[&str] = match picked.made.by {
            By::Kplan => &[],
            By::Kubectl => &["apply", "--filename=-"],
            By::KubectlServer => &["apply", "--server-side", "--filename=-"],
            By::Created => &["create", "--filename=-"],
        };
        let list = json!({"apiVersion": "v1", "kind": "List", "items": picked.made.old});
        let first = (!arguments.is_empty()).then(|| set.plane.kubectl_stdin(arguments, &list.to_string()));
        set.quiet()?;
        let rest = picked.made.meanwhile.iter().map(|(arguments, input)| {
            let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
            all.extend(["--namespace", &set.namespace]);
            set.plane.kubectl_stdin(&all, input)
        });
        if let Some(run) = first.into_iter().chain(rest).find(|run| run.code != Some(0)) {
            return Err(format!("{}, {}: {}", picked.kind, picked.change, run.shown()).into());
        }
    }
    Ok(())
}

pub fn run(set: &Set<'_>, picked: &[Picked]) -> Result<Wrong, Failed> {
    prepare(set, picked)?;
    write(set.folder.join("new"), picked, |picked| &picked.made.new)?;
    std::fs::write(set.folder.join("kplan.yaml"), CONFIG)?;
    set.quiet()?;
    let kinds: BTreeSet<&str> = picked.iter().flat_map(|picked| &picked.made.replace).copied().collect();
    let kinds: Vec<String> = kinds.iter().flat_map(|kind| kind_names(kind, picked)).collect();
    let allow: Vec<&str> = kinds.iter().flat_map(|kind| ["--allow-replace", kind.as_str()]).collect();
    let plan = set.kplan(&[&["plan", "new", "--base", "cluster"], &TAKE_OVER[..], &allow[..]].concat());
    let report = plan.report()?;
    let changes: Vec<Value> = report["changes"].as_array().cloned().unwrap_or_default();
    let before = set.objects(&changes)?;
    let (pods, endpoints) = (set.pods(picked)?, set.endpoints()?);
    let mut wrong = Wrong::new();
    let eligible: Vec<usize> = (0..picked.len()).filter(|index| is_plain(picked, *index, &changes)).collect();
    match set.kubectl_diff(picked, &eligible) {
        Ok(differ) => wrong.extend(beside_kubectl(picked, &eligible, &changes, &differ)),
        Err(error) => wrong.push((None, error)),
    }
    if set.objects(&changes)?.iter().any(|(title, object)| differs(object, before.get(title))) {
        wrong.push((None, "plan or diff wrote something".to_owned()));
    }
    let apply = set.kplan(&[&["apply", "new", "--yes", "--timeout", "60s"], &TAKE_OVER[..], &allow[..]].concat());
    if apply.code != Some(0) {
        wrong.push((None, format!("plan {}\napply: {}", shown(&changes), apply.shown())));
        return Ok(wrong);
    }
    set.quiet()?;
    let after = set.objects(&changes)?;
    for change in &changes {
        let of = owner_of(picked, change);
        let title = title(&change["object"]);
        let lines = compare(change, before.get(&title), after.get(&title));
        wrong.extend(lines.into_iter().map(|line| (of, format!("{title}: {line}"))));
    }
    wrong.extend(restarts(picked, &changes, &pods, &set.pods(picked)?));
    wrong.extend(served(picked, &changes, &endpoints, &set.endpoints()?));
    wrong.extend(settled(set, picked)?);
    Ok(wrong)
}

/// Kinds as the manifests have them: that of a custom resource is its change's own.
fn kind_names(kind: &str, picked: &[Picked]) -> Vec<String> {
    if kind != "Custom" {
        return vec![kind.to_owned()];
    }
    let custom = picked.iter().filter(|picked| picked.made.replace.contains(&"Custom"));
    custom.map(|picked| format!("T{}", picked.name)).collect()
}

fn shown(changes: &[Value]) -> String {
    let one = |change: &Value| {
        format!(
            "{} {} {} {} {}",
            change["action"],
            title(&change["object"]),
            change["why"],
            change["restarts"],
            change["fields"]
        )
    };
    changes.iter().filter(|change| change["action"] != "unchanged").map(one).collect::<Vec<_>>().join("\n")
}

/// Whether kubectl can compare: nothing is made anew, and nothing comes that the server does not know yet.
fn is_plain(picked: &[Picked], index: usize, changes: &[Value]) -> bool {
    let own = changes.iter().filter(|change| owner_of(picked, change) == Some(index));
    let is_alone = picked[index].made.beyond_kubectl || picked[index].change.starts_with("new, with");
    own.clone().all(|change| change["action"] != "replace") && !is_alone
}

/// Where kplan says that something changes, kubectl sees it too; but for fields that go away, which it may not see.
fn beside_kubectl(picked: &[Picked], eligible: &[usize], changes: &[Value], differ: &BTreeSet<String>) -> Wrong {
    let mut wrong = Wrong::new();
    for change in changes {
        let Some(of) = owner_of(picked, change).filter(|of| eligible.contains(of)) else { continue };
        let name = change["object"]["name"].as_str().unwrap_or_default();
        // Objects of one name count together.
        let same = |other: &&Value| other["object"]["name"] == name;
        let changed = changes.iter().filter(same).any(|change| change["action"] != "unchanged");
        let fields = changes.iter().filter(same).flat_map(|change| change["fields"].as_array().into_iter().flatten());
        let only_removals = fields.clone().count() > 0 && fields.clone().all(|field| field["op"] == "remove");
        if !changed && differ.contains(name) {
            wrong.push((Some(of), format!("{name} differs for kubectl, not for kplan")));
        }
        // A field that goes away has its default then.
        let hidden = !matches!(picked[of].made.by, By::Kplan) && fields.clone().any(|field| field["op"] == "remove");
        if changed && !differ.contains(name) && !only_removals && !hidden {
            wrong.push((Some(of), format!("{name} differs for kplan, not for kubectl: {}", change["fields"])));
        }
    }
    wrong
}

/// Whether somebody wrote the object.
fn differs(now: &Value, before: Option<&Value>) -> bool {
    let spec = |object: &Value| {
        let managers = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        managers
            .into_iter()
            .filter(|entry| entry["manager"] == "kplan" || entry["manager"] == "kubectl")
            .collect::<Vec<_>>()
    };
    before.is_none_or(|before| spec(now) != spec(before))
}

/// What the server makes anew for an object that is created.
const MADE_ANEW: [&str; 16] = [
    // Of the node that a pod comes to.
    "/metadata/labels/topology.kubernetes.io~1zone",
    "/spec/containers/0/volumeMounts",
    "/metadata/uid",
    "/metadata/creationTimestamp",
    "/metadata/finalizers",
    "/metadata/annotations/pv.kubernetes.io~1bind-completed",
    "/metadata/annotations/pv.kubernetes.io~1bound-by-controller",
    "/metadata/annotations/volume.kubernetes.io~1storage-provisioner",
    "/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner",
    "/spec/clusterIP",
    "/spec/clusterIPs",
    "/spec/volumeName",
    "/spec/nodeName",
    "/spec/volumes",
    "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid",
    "/spec/template/metadata/labels",
];

/// The object without what nobody wrote as a field: the notes of kubectl and of the controller, and the type and state of a claim in a template.
fn plain(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(notes) = object["metadata"]["annotations"].as_object_mut() {
        notes.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        notes.shift_remove("deployment.kubernetes.io/revision");
        if notes.is_empty() {
            object["metadata"].as_object_mut().unwrap().shift_remove("annotations");
        }
    }
    for claim in object["spec"]["volumeClaimTemplates"].as_array_mut().into_iter().flatten() {
        ["apiVersion", "kind", "status"].iter().for_each(|key| drop(claim.as_object_mut().unwrap().shift_remove(*key)));
    }
    object
}

fn compare(change: &Value, before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let (before, after) = (before.map(plain), after.map(plain));
    let (before, after) = (before.as_ref(), after.as_ref());
    match (change["action"].as_str().unwrap_or_default(), before, after) {
        ("create", None, Some(new)) => made::compare(change, new),
        ("replace", Some(old), Some(new)) => {
            let (mut was, mut is) = (old.clone(), new.clone());
            let mut wrong = Vec::new();
            if was["metadata"]["uid"] == is["metadata"]["uid"] {
                wrong.push("is not made anew".to_owned());
            }
            // Addresses are planned where the manifest has them.
            for pointer in MADE_ANEW.iter().filter(|pointer| !is_planned(change, pointer)) {
                for object in [&mut was, &mut is] {
                    if let Some(value) = object.pointer_mut(pointer) {
                        *value = Value::Null;
                    }
                }
            }
            wrong.extend(fields::compare(&change["fields"], &was, &is));
            wrong
        }
        ("update" | "unchanged", Some(old), Some(new)) => fields::compare(&change["fields"], old, new),
        (action, old, new) => vec![format!("{action}, but it was {} and is {}", old.is_some(), new.is_some())],
    }
}

fn is_planned(change: &Value, pointer: &str) -> bool {
    let path = pointer[1..].replace('/', ".");
    let fields = change["fields"].as_array().into_iter().flatten();
    fields.into_iter().any(|field| field["path"].as_str().is_some_and(|field| field.starts_with(&path)))
}

/// As many pods were replaced as the plan said.
fn restarts(picked: &[Picked], changes: &[Value], before: &[BTreeSet<String>], after: &[BTreeSet<String>]) -> Wrong {
    let mut wrong = Wrong::new();
    for (index, (old, now)) in before.iter().zip(after).enumerate() {
        let own = changes.iter().filter(|change| owner_of(picked, change) == Some(index));
        let planned: u64 = own.filter_map(|change| change["restarts"].as_u64()).sum();
        let kept = old.intersection(now).count();
        let replaced = (old.len() - kept).saturating_sub(old.len().saturating_sub(now.len())) as u64;
        if replaced != planned {
            wrong.push((Some(index), format!("{planned} restarts planned, {replaced} pods replaced")));
        }
    }
    wrong
}

/// As many endpoints are behind each Service as the plan said: `endpoints 2 → 3 + 1`; where it said nothing, as before.
fn served(
    picked: &[Picked],
    changes: &[Value],
    before: &BTreeMap<String, usize>,
    after: &BTreeMap<String, usize>,
) -> Wrong {
    let mut wrong = Wrong::new();
    for change in changes.iter().filter(|change| change["object"]["kind"] == "Service") {
        let name = change["object"]["name"].as_str().unwrap_or_default();
        let (was, is) = (before.get(name).copied().unwrap_or(0), after.get(name).copied().unwrap_or(0));
        let why = change["why"].as_str().unwrap_or_default();
        let part = why.split("endpoints ").nth(1).map(|rest| rest.split([';', '(']).next().unwrap_or_default());
        let sum = |text: &str| text.split('+').map(|number| number.trim().parse::<usize>().ok()).sum::<Option<usize>>();
        let (from, to) = match part.and_then(|part| part.split_once('→')) {
            Some((from, to)) => (sum(from), sum(to)),
            None => (Some(was), part.map_or(Some(was), sum)),
        };
        // Nobody looks at what is left of its slices.
        if why.contains("→ ExternalName") {
            continue;
        }
        let elsewhere = change["object"]["namespace"].as_str().is_some_and(|name| name.len() < 20);
        if !elsewhere && (from != Some(was) || to != Some(is)) {
            wrong.push((owner_of(picked, change), format!("Service {name}: {was} → {is} endpoints, planned {why:?}")));
        }
    }
    wrong
}

/// Nothing is left to do.
fn settled(set: &Set<'_>, picked: &[Picked]) -> Result<Wrong, Failed> {
    let plan = set.kplan(&[&["plan", "new", "--base", "cluster"], &TAKE_OVER[..]].concat());
    let report = plan.report()?;
    let mut wrong = Wrong::new();
    for change in report["changes"].as_array().into_iter().flatten() {
        if change["action"] != "unchanged" {
            let line = format!(
                "second plan: {} {} {} {}",
                change["action"],
                title(&change["object"]),
                change["why"],
                change["fields"]
            );
            wrong.push((owner_of(picked, change), line));
        }
    }
    let all: Vec<usize> = (0..picked.len()).collect();
    match set.kubectl_diff(picked, &all) {
        Ok(differ) => {
            // What belongs to a controller is left to it, though the manifest says otherwise.
            let left = ["autoscaled", "aggregation", "left to its owner"];
            let meant = |name: &&String| owner(picked, name).is_some_and(|of| left.contains(&picked[of].change));
            let left = differ.iter().filter(|name| !meant(name));
            wrong.extend(left.map(|name| (owner(picked, name), format!("{name} differs for kubectl after apply"))));
        }
        Err(error) => wrong.push((None, error)),
    }
    Ok(wrong)
}
