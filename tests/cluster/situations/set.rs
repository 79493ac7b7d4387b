//! A case's manifests, made fit for a namespace of their own on a cluster that others use too.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::api::{Api, KINDS, Objects, collection, title};
use crate::plane::Plane;
use crate::support::{self, Run};

/// Namespaces that the cases name.
const NAMESPACES: [&str; 3] = ["meetbill", "other", "shop"];
/// Names of objects without a namespace, or a part of them, and of the class that claims of all namespaces take volumes of.
const SHARED: [&str; 4] = ["my-pv", "manual", "guard", "parts"];

/// Ports of nodes belong to the whole cluster: tests that name some take turns.
static PORTS: Mutex<()> = Mutex::new(());

/// A folder of a case, with its files.
pub type Part<'a> = (&'a str, Vec<(String, String)>);

fn texts<'a>(parts: &'a [Part<'_>]) -> impl Iterator<Item = &'a str> {
    parts.iter().flat_map(|(_, files)| files.iter().map(|(_, text)| text.as_str()))
}

/// A folder of manifests and the namespace they are for, which goes away with it.
pub struct Set<'a> {
    pub plane: &'a Plane,
    pub api: Api,
    pub namespace: String,
    /// No other set's.
    pub name: String,
    /// With the parts of the case as folders.
    pub folder: PathBuf,
    /// Kinds of objects in it, and those that controllers make of them.
    kinds: Vec<(&'static str, &'static str)>,
    /// Objects without a namespace that were made.
    shared: Mutex<Vec<String>>,
    _ports: Option<MutexGuard<'static, ()>>,
}

impl<'a> Set<'a> {
    /// Copies the parts; makes a namespace unless one of the files does.
    pub fn new(plane: &'a Plane, name: &str, parts: &[Part<'_>]) -> Result<Self, Failed> {
        let name = unique(name);
        let api = Api::new(plane)?;
        let makes = |text: &str| text.lines().any(|line| line.trim() == "kind: Namespace");
        if !texts(parts).any(makes) {
            make_namespace(&api, &name)?;
        }
        Self::write(plane, api, name.clone(), name, parts)
    }

    /// For what stores nothing: in a namespace for all.
    pub fn dry(plane: &'a Plane, name: &str, parts: &[Part<'_>]) -> Result<Self, Failed> {
        static ONE: OnceLock<String> = OnceLock::new();
        // Whether a port is free, only a real Service tells.
        if texts(parts).any(|text| text.contains("nodePort")) {
            return Self::new(plane, name, parts);
        }
        let api = Api::new(plane)?;
        let one = ONE.get_or_init(|| unique("dry"));
        let made = api.post("/api/v1/namespaces", &json!({ "metadata": { "name": one } }))?;
        if made.status != 409 {
            made.ok()?;
        }
        Self::write(plane, api, unique(name), one.clone(), parts)
    }

    fn write(plane: &'a Plane, api: Api, name: String, namespace: String, parts: &[Part<'_>]) -> Result<Self, Failed> {
        let ports = texts(parts).any(|text| text.contains("nodePort"));
        let ports = ports.then(|| PORTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let folder = support::folder(&format!("live-{name}"));
        for (part, files) in parts {
            for (file, text) in files {
                let path = folder.join(part).join(file);
                std::fs::create_dir_all(path.parent().unwrap())?;
                std::fs::write(path, rename(text, &namespace, name.rsplit('-').next().unwrap_or_default()))?;
            }
        }
        let made = |kind: &str| ["ConfigMap", "Pod", "ReplicaSet"].contains(&kind);
        let is_here = |kind: &str| made(kind) || texts(parts).any(|text| text.contains(kind));
        let kinds = KINDS.into_iter().filter(|(_, kind)| is_here(kind)).collect();
        Ok(Self { plane, api, namespace, name, folder, kinds, shared: Mutex::default(), _ports: ports })
    }

    /// kplan on the cluster, for this namespace.
    pub fn kplan(&self, command: &[&str]) -> Run {
        let run = self.plane.kplan(&self.folder, &[command, &["--namespace", &self.namespace]].concat());
        self.note_shared(&run);
        run
    }

    /// Objects without a namespace go away with the set too.
    fn note_shared(&self, run: &Run) {
        let Ok(report) = run.report() else { return };
        let text = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
        for change in report["changes"].as_array().into_iter().flatten() {
            let object = &change["object"];
            let (version, kind) = (text(object, "apiVersion"), text(object, "kind"));
            if object["namespace"].is_null() && kind != "Namespace" {
                let path = format!("{}/{}", collection(&version, &kind, None), text(object, "name"));
                let mut shared = self.shared.lock().unwrap();
                if !shared.contains(&path) {
                    shared.push(path);
                }
            }
        }
    }

    /// All that the set has on the cluster, and what controllers made of it.
    pub fn objects(&self) -> Result<Objects, Failed> {
        let mut objects = self.api.everything(&self.namespace, &self.kinds)?;
        for path in self.shared.lock().unwrap().iter() {
            let answer = self.api.get(path)?;
            if answer.is_ok() {
                objects.insert(title(&answer.json), answer.json);
            }
        }
        Ok(objects)
    }

    /// Runs what must not write; gives what it touched. The cluster's own writing meanwhile is told from kplan's by
    /// waiting for its end, and by trying again.
    pub fn untouched<T>(&self, mut run: impl FnMut() -> T) -> Result<(T, Vec<String>), Failed> {
        let mut tries = 0;
        loop {
            let before = self.quiet()?;
            let result = run();
            let wrong = support::difference(&before, &versions(&self.objects()?));
            tries += 1;
            if wrong.is_empty() || tries == 4 {
                let wrong = wrong.into_iter().map(|line| format!("plan touches {line}"));
                return Ok((result, wrong.collect()));
            }
        }
    }

    /// The versions of all objects, once controllers are done with them.
    fn quiet(&self) -> Result<Vec<String>, Failed> {
        let mut before = versions(&self.objects()?);
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(300));
            let now = versions(&self.objects()?);
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before)
    }

    /// kubectl's own comparison with the cluster: it finds nothing.
    pub fn kubectl_diff(&self, part: &str) -> Vec<String> {
        let folder = self.folder.join(part).display().to_string();
        let arguments = ["diff", "--server-side", "--field-manager=kplan", "--recursive", "--namespace"];
        let run = self.plane.kubectl(&[&arguments[..], &[&self.namespace, "--filename", &folder]].concat());
        // kplan leaves the replicas to an autoscaler that the set has.
        let autoscaled = self.kinds.iter().any(|(_, kind)| *kind == "HorizontalPodAutoscaler");
        let is_header = |line: &str| line.starts_with("---") || line.starts_with("+++");
        // An empty list that was not there counts the generation up and nothing else.
        let is_meant = |line: &str| match line.trim_start_matches(['-', '+', ' ']).split_once(':') {
            Some(("replicas", _)) => autoscaled,
            Some((name, _)) => name == "generation",
            None => false,
        };
        let differs = |line: &&str| line.starts_with(['-', '+']) && !is_header(line) && !is_meant(line);
        let same = run.code == Some(0) || run.code == Some(1) && run.stdout.lines().filter(differs).count() == 0;
        if same { Vec::new() } else { vec![format!("kubectl diff: {}", run.shown())] }
    }
}

impl Drop for Set<'_> {
    fn drop(&mut self) {
        let mut paths = std::mem::take(&mut *self.shared.lock().unwrap());
        if self.name == self.namespace {
            // Emptied only: the cluster ends with the run, and a namespace's own end asks for every kind that there is.
            let inside = self.kinds.iter().map(|(version, kind)| collection(version, kind, Some(&self.namespace)));
            paths.extend(inside.map(|path| format!("{path}?propagationPolicy=Background")));
        }
        for path in paths {
            self.api.delete(&path).ok();
        }
    }
}

/// The files of a folder of a case.
pub fn files(case: &super::Case, part: &str) -> Vec<(String, String)> {
    let files = support::files(&case.folder.join(part)).into_iter();
    files
        .filter(|(name, _)| name.ends_with(".yaml"))
        .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
        .collect()
}

/// Each object with its version, and by whom it was written.
fn versions(objects: &Objects) -> Vec<String> {
    let shown = |(title, object): (&String, &Value)| format!("{title} {}", object["metadata"]["resourceVersion"]);
    objects.iter().map(shown).collect()
}

/// A name for a namespace, other in each run.
pub fn unique(name: &str) -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let plain: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let plain = plain.to_ascii_lowercase();
    let short = plain.get(..plain.len().min(40)).unwrap_or_default().trim_matches('-');
    format!("s-{short}-{:08x}", RandomState::new().hash_one(()) >> 32)
}

/// Makes a namespace in which pods can be created.
pub fn make_namespace(api: &Api, name: &str) -> Result<(), Failed> {
    api.post("/api/v1/namespaces", &json!({ "metadata": { "name": name } }))?.ok()?;
    for _ in 0..300 {
        if api.get(&format!("/api/v1/namespaces/{name}/serviceaccounts/default"))?.is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("namespace {name} has no service account").into())
}

/// Puts the namespace in the place of those that the manifests name, and makes names unique that all namespaces share.
fn rename(text: &str, namespace: &str, end: &str) -> String {
    let mut text = text.to_owned();
    for name in NAMESPACES {
        for key in ["namespace", "name"] {
            text = replace_word(&text, &format!("{key}: {name}"), &format!("{key}: {namespace}"));
        }
    }
    SHARED.iter().fold(text, |text, name| replace_word(&text, name, &format!("{name}-{end}")))
}

/// Whether a manifest is about the one namespace that a set has.
pub fn is_of_one_namespace(text: &str) -> bool {
    let mut named = text.split("namespace: ").skip(1).filter_map(|rest| rest.split([',', '}', '\n']).next());
    named.all(|name| NAMESPACES.contains(&name.trim()))
}

/// Replaces a text where no name goes on before or behind it.
fn replace_word(text: &str, from: &str, to: &str) -> String {
    let goes_on = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    let (mut result, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(from) {
        let whole = !goes_on(before.chars().next_back()) && !goes_on(after.chars().next());
        result.push_str(before);
        result.push_str(if whole { to } else { from });
        rest = after;
    }
    result + rest
}
