//! Changes of workloads by seed, with nodes on which they get through or stall.

use serde_json::{Value, json};

const POOL: &str = "kplan.dev/pool";

/// One change, of one workload or of two at once.
pub struct Change {
    pub seed: u64,
    /// What is special about it.
    pub what: String,
    pub namespace: String,
    pub nodes: Vec<Value>,
    pub old: Vec<Value>,
    /// Versions that get stuck on the way, before the new ones.
    pub between: Vec<Value>,
    pub new: Vec<Value>,
    random: Random,
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of `low..=high`.
    fn number(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize].clone()
    }
}

impl Change {
    pub fn new(seed: u64) -> Change {
        let namespace = format!("rollout-{seed}");
        let empty = Vec::new();
        let mut change = Change {
            seed,
            what: String::new(),
            namespace,
            nodes: empty.clone(),
            old: empty.clone(),
            between: empty.clone(),
            new: empty,
            random: Random(seed),
        };
        let count = change.random.number(2, 4);
        for index in 0..count {
            let cpu = change.random.pick(&[500, 1000, 1000, 1500, 2000]);
            let node = change.node(index, cpu);
            change.nodes.push(node);
        }
        change.workload("a", seed % 3);
        if change.random.one_in(4) {
            let kind = change.random.number(0, 2);
            change.workload("b", kind);
        }
        if change.random.one_in(8) {
            let pods = change.random.number(3, 8);
            change.say(&format!("quota of {pods} pods"));
            let meta = json!({ "name": "pods", "namespace": change.namespace });
            let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta,
                "spec": { "hard": { "pods": pods.to_string() } } });
            change.old.insert(0, quota);
        }
        change
    }

    /// The kinds of its workloads.
    pub fn kinds(&self) -> Vec<&'static str> {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        kinds.into_iter().filter(|kind| self.new.iter().any(|object| object["kind"] == *kind)).collect()
    }

    fn say(&mut self, what: &str) {
        if !self.what.is_empty() {
            self.what.push_str(", ");
        }
        self.what.push_str(what);
    }

    fn node(&self, index: u64, cpu: u64) -> Value {
        let name = format!("{}-{index}", self.namespace);
        let room = json!({ "cpu": format!("{cpu}m"), "memory": "8Gi", "pods": "20" });
        json!({ "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": name, "labels": { POOL: self.namespace, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "at": index.to_string() } },
            "spec": { "taints": [{ "key": POOL, "value": self.namespace, "effect": "NoSchedule" }] },
            "status": { "capacity": room, "allocatable": room } })
    }

    /// A workload and its change.
    fn workload(&mut self, name: &str, kind: u64) {
        let cpu = self.random.pick(&[100, 200, 300, 400, 500]);
        let mut spec = json!({
            "nodeSelector": { POOL: self.namespace },
            "tolerations": [{ "key": POOL, "value": self.namespace, "effect": "NoSchedule" }],
            "containers": [{ "name": "main", "image": "web:1", "resources": { "requests": { "cpu": format!("{cpu}m") } } }],
        });
        if kind != 2 && self.random.one_in(4) {
            self.say("one a node");
            let term =
                json!({ "labelSelector": { "matchLabels": { "app": name } }, "topologyKey": "kubernetes.io/hostname" });
            spec["affinity"] =
                json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } });
        }
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        let mut old = json!({ "apiVersion": "apps/v1", "kind": (kinds[kind as usize]),
            "metadata": { "name": name, "namespace": self.namespace },
            "spec": { "selector": { "matchLabels": { "app": name } },
                "template": { "metadata": { "labels": { "app": name } }, "spec": spec } } });
        match kind {
            0 => self.deployment(&mut old["spec"]),
            1 => self.stateful_set(&mut old["spec"], name),
            _ => self.daemon_set(&mut old["spec"]),
        }
        if self.random.one_in(6) {
            old["spec"]["minReadySeconds"] = json!(self.random.number(1, 3));
        }
        let mut new = old.clone();
        self.change(&mut new["spec"], kind, cpu);
        if self.random.one_in(5) {
            self.say("broken before");
            old["spec"]["template"]["spec"]["containers"][0]["image"] = json!("unready:1");
        }
        if self.random.one_in(6) {
            let mut stuck = old.clone();
            let container = &mut stuck["spec"]["template"]["spec"]["containers"][0];
            if self.random.one_in(2) {
                container["image"] = json!("unready:2");
                self.say("after one that is never ready");
            } else {
                container["resources"]["requests"]["cpu"] = json!("9");
                self.say("after one that has no room");
            }
            self.between.push(stuck);
            if kind != 2 {
                new["spec"]["replicas"] = old["spec"]["replicas"].clone();
            }
        }
        self.old.push(old);
        self.new.push(new);
    }

    fn deployment(&mut self, spec: &mut Value) {
        spec["replicas"] = json!(self.random.number(1, 6));
        if self.random.one_in(6) {
            spec["strategy"] = json!({ "type": "Recreate" });
            return self.say("Recreate");
        }
        let amounts = [json!(0), json!(1), json!(2), json!("25%"), json!("50%"), json!("100%")];
        let (surge, mut unavailable) = (self.random.pick(&amounts), self.random.pick(&amounts));
        if surge == json!(0) && unavailable == json!(0) {
            unavailable = json!(1);
        }
        self.say(&format!("surge {surge} unavailable {unavailable}"));
        spec["strategy"] = json!({ "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } });
    }

    fn stateful_set(&mut self, spec: &mut Value, name: &str) {
        spec["replicas"] = json!(self.random.number(1, 4));
        spec["serviceName"] = json!(name);
        if self.random.one_in(3) {
            spec["podManagementPolicy"] = json!("Parallel");
            self.say("Parallel");
        }
        match self.random.number(0, 7) {
            0 => {
                spec["updateStrategy"] = json!({ "type": "OnDelete" });
                self.say("OnDelete");
            }
            1 | 2 => {
                let partition = self.random.number(1, 3);
                spec["updateStrategy"] = json!({ "rollingUpdate": { "partition": partition } });
                self.say(&format!("partition {partition}"));
            }
            _ => {}
        }
    }

    fn daemon_set(&mut self, spec: &mut Value) {
        let amounts = [json!(1), json!(2), json!("50%"), json!("100%")];
        let amount = self.random.pick(&amounts);
        match self.random.number(0, 7) {
            0 => {
                spec["updateStrategy"] = json!({ "type": "OnDelete" });
                self.say("OnDelete");
            }
            1..=3 => {
                spec["updateStrategy"] = json!({ "rollingUpdate": { "maxSurge": amount, "maxUnavailable": 0 } });
                self.say(&format!("surge {amount}"));
            }
            _ => {
                spec["updateStrategy"] = json!({ "rollingUpdate": { "maxUnavailable": amount } });
                self.say(&format!("unavailable {amount}"));
            }
        }
    }

    /// Another image, and mostly something that matters to placement.
    fn change(&mut self, spec: &mut Value, kind: u64, cpu: u64) {
        let pod = &mut spec["template"]["spec"];
        pod["containers"][0]["image"] = json!("web:2");
        match self.random.number(0, 9) {
            0..=3 => {
                let more = cpu + self.random.pick(&[100, 300, 700, 1200]);
                pod["containers"][0]["resources"]["requests"]["cpu"] = json!(format!("{more}m"));
                self.say(&format!("cpu {cpu}m to {more}m"));
            }
            4 => {
                pod["nodeSelector"]["at"] = json!(self.random.number(0, 1).to_string());
                self.say("one node");
            }
            5 => {
                pod["nodeSelector"]["at"] = json!("nowhere");
                self.say("no node");
            }
            _ => {}
        }
        if kind != 2 && self.random.one_in(4) {
            let replicas = self.random.number(1, 6);
            self.say(&format!("replicas {} to {replicas}", spec["replicas"]));
            spec["replicas"] = json!(replicas);
        }
    }
}
