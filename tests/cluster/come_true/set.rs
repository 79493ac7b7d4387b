//! What a change is made of: the objects before, what others do meanwhile, the objects wanted then; and short hands to
//! write objects down.

use serde_json::{Value, json};

/// Who applied the old objects.
#[derive(Clone, Copy, Default)]
pub enum By {
    #[default]
    Kplan,
    /// `kubectl apply`, which owns its fields as updates.
    Kubectl,
    /// `kubectl apply --server-side`.
    KubectlServer,
    /// `kubectl create`.
    Created,
}

/// One change.
#[derive(Default)]
pub struct Made {
    pub by: By,
    pub old: Vec<Value>,
    pub new: Vec<Value>,
    /// What others do after the old objects are there: arguments of kubectl, and its standard input.
    pub meanwhile: Vec<(Vec<String>, String)>,
    /// Kinds that may be replaced.
    pub replace: Vec<&'static str>,
    /// The server may refuse what kubectl sends.
    pub beyond_kubectl: bool,
}

impl Made {
    /// From one set of objects to another, both kplan's.
    pub fn new(old: Vec<Value>, new: Vec<Value>) -> Made {
        Made { old, new, ..Made::default() }
    }

    /// One object becomes another.
    pub fn one(old: Value, new: Value) -> Made {
        Made::new(vec![old], vec![new])
    }

    /// One object, with some of its values changed.
    pub fn edit(old: Value, edits: &[(&str, Value)]) -> Made {
        let new = edited(&old, edits);
        Made::one(old, new)
    }

    pub fn by(mut self, by: By) -> Made {
        self.by = by;
        self
    }

    pub fn beyond_kubectl(mut self) -> Made {
        self.beyond_kubectl = true;
        self
    }

    pub fn replacing(mut self, kind: &'static str) -> Made {
        self.replace.push(kind);
        self
    }

    pub fn with(mut self, others: &[Value]) -> Made {
        self.old.extend(others.iter().cloned());
        self.new.extend(others.iter().cloned());
        self
    }

    pub fn then(mut self, arguments: &[&str], input: &Value) -> Made {
        let input = if input.is_null() { String::new() } else { input.to_string() };
        self.meanwhile.push((arguments.iter().map(|text| (*text).to_owned()).collect(), input));
        self
    }
}

/// The object with other values at JSON pointers; `null` removes.
pub fn edited(object: &Value, edits: &[(&str, Value)]) -> Value {
    let mut object = object.clone();
    for (pointer, value) in edits {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {pointer}"));
        match (parent, value) {
            (Value::Object(fields), Value::Null) => {
                fields.shift_remove(&key);
            }
            (Value::Object(fields), value) => {
                fields.insert(key, value.clone());
            }
            (Value::Array(items), Value::Null) => {
                items.remove(key.parse().unwrap());
            }
            (Value::Array(items), value) if key == "-" => items.push(value.clone()),
            (Value::Array(items), value) => items[key.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("nothing can be put at {pointer}"),
        }
    }
    object
}

/// What a change may choose: numbers by seed, and names of its own.
pub struct Gen {
    state: u64,
    /// Of the objects of this change; all their names begin so.
    pub name: String,
    pub namespace: String,
}

impl Gen {
    pub fn new(seed: u64, name: String, namespace: String) -> Gen {
        Gen { state: seed, name, namespace }
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of `low..=high`.
    pub fn number(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Two numbers that differ.
    pub fn two(&mut self, low: u64, high: u64) -> (u64, u64) {
        let first = self.number(low, high);
        let step = self.number(1, high - low);
        (first, low + (first - low + step) % (high - low + 1))
    }

    pub fn object(&self, version: &str, kind: &str, rest: Value) -> Value {
        self.named(version, kind, &self.name, rest)
    }

    /// An object without a namespace.
    pub fn shared(&self, version: &str, kind: &str, rest: Value) -> Value {
        let mut object = self.object(version, kind, rest);
        object["metadata"].as_object_mut().unwrap().shift_remove("namespace");
        object
    }

    pub fn named(&self, version: &str, kind: &str, name: &str, rest: Value) -> Value {
        let mut object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"app": self.name}}});
        for (key, value) in rest.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    }

    /// A pod's spec with one container.
    pub fn pod(&self, image: &str) -> Value {
        json!({"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]})
    }

    pub fn template(&self, image: &str) -> Value {
        json!({"metadata": {"labels": {"app": self.name}}, "spec": self.pod(image)})
    }

    pub fn deployment(&self, replicas: u64, image: &str) -> Value {
        let selector = json!({"matchLabels": {"app": self.name}});
        let spec = json!({"replicas": replicas, "selector": selector, "template": self.template(image)});
        self.object("apps/v1", "Deployment", json!({ "spec": spec }))
    }

    pub fn stateful_set(&self, replicas: u64, image: &str) -> Value {
        let mut set = self.deployment(replicas, image);
        set["kind"] = json!("StatefulSet");
        set["spec"]["serviceName"] = json!(self.name);
        set["spec"]["podManagementPolicy"] = json!("Parallel");
        set
    }

    pub fn job(&self, image: &str) -> Value {
        let mut template = self.template(image);
        template["spec"]["restartPolicy"] = json!("Never");
        self.object("batch/v1", "Job", json!({"spec": {"template": template}}))
    }

    pub fn service(&self, port: u64) -> Value {
        let ports = json!([{"name": "http", "port": port, "targetPort": 80}]);
        self.object("v1", "Service", json!({"spec": {"selector": {"app": self.name}, "ports": ports}}))
    }

    pub fn config_map(&self, data: Value) -> Value {
        self.object("v1", "ConfigMap", json!({ "data": data }))
    }

    pub fn secret(&self, strings: Value) -> Value {
        self.object("v1", "Secret", json!({ "stringData": strings }))
    }

    pub fn binding(&self, kind: &str, role: &str) -> Value {
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
        let subjects = json!([{"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}]);
        let rest = json!({"roleRef": reference, "subjects": subjects});
        match kind {
            "RoleBinding" => self.object(RBAC, kind, rest),
            _ => self.shared(RBAC, kind, rest),
        }
    }

    /// A definition of a kind of this change's own, and what it defines.
    pub fn definition(&self) -> (Value, Value) {
        let kind = format!("T{}", self.name.replace('-', ""));
        let plural = format!("{}s", kind.to_lowercase());
        let names = json!({"plural": plural, "singular": kind.to_lowercase(), "kind": kind});
        let size = json!({"type": "integer"});
        let color = json!({"type": "string", "default": "red"});
        let fixed = json!({"type": "string",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "field is immutable"}]});
        let spec = json!({"type": "object", "properties": {"size": size, "color": color, "fixed": fixed}});
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
        let spec = json!({"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]});
        let mut definition =
            self.shared("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({ "spec": spec }));
        definition["metadata"]["name"] = json!(format!("{plural}.example.com"));
        let thing = self.object("example.com/v1", &kind, json!({"spec": {"size": 1, "fixed": "a"}}));
        (definition, thing)
    }
}

pub const RBAC: &str = "rbac.authorization.k8s.io/v1";
