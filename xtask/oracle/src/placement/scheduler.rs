//! The scheduler's side: a cluster set up, pods given to it one by one, and what a kubelet and the volume controller
//! would do in between, since neither runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kplan::model::Version;
use kplan::schema::Schema;
use serde_json::{Value, json};

use super::controller;
use super::generate::Case;
use crate::generate::kind_of;
use crate::server::{Server, collection};

/// How long the scheduler may take for a pod.
const PATIENCE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(3);
/// Until the scheduler has seen everything that was created before the first pod.
const SEEN: Duration = Duration::from_millis(120);
/// Until the last of several evictions has been asked for.
const EVICTED: Duration = Duration::from_millis(60);

/// A control plane with a scheduler and its log.
pub(super) struct Scheduler<'s> {
    pub(super) server: Server,
    pub(super) schema: &'s Schema,
    log: PathBuf,
    version: Version,
    /// The file that it was started with.
    config: Option<String>,
    read_to: u64,
}

impl<'s> Scheduler<'s> {
    pub(super) fn new(
        server: Server,
        schema: &'s Schema,
        log: PathBuf,
        version: Version,
        config: Option<String>,
    ) -> Self {
        Self { server, schema, log, version, config, read_to: 0 }
    }

    /// Creates an object with its status; one that is there already stays.
    pub(super) fn store(&self, object: &Value) -> Result<(), String> {
        let kind = kind_of(self.schema, object).ok_or_else(|| format!("{} is not served", object["kind"]))?;
        let path = collection(kind, object);
        let reply = self.server.send("POST", &path, &object.to_string())?;
        match reply.code {
            409 => return Ok(()),
            ..300 => {}
            code => return Err(format!("{code} {path}: {}", reply.body["message"])),
        }
        if let (Some(status), true) = (object.get("status"), object["kind"] != "Node") {
            let path = format!("{path}/{}/status", name(object));
            let reply = self.server.patch(&path, &json!({ "status": status }))?;
            if reply.code >= 300 {
                return Err(format!("{} {path}: {}", reply.code, reply.body["message"]));
            }
        }
        Ok(())
    }

    /// Plays a case; gives the row that records it.
    pub(super) fn play(&mut self, case: &Case, common: &[Value]) -> Result<Value, String> {
        let played = self.try_play(case, common);
        self.wipe(case)?;
        played
    }

    fn try_play(&mut self, case: &Case, common: &[Value]) -> Result<Value, String> {
        for object in case.nodes.iter().chain(&case.objects) {
            self.store(object)?;
        }
        sleep(SEEN);
        let (mut pods, mut results) = (Vec::new(), Vec::new());
        for pod in &case.pods {
            if let Some(result) = self.ask(case, pod)? {
                pods.push(pod.clone());
                results.push(result);
            }
        }
        let objects: Vec<&Value> = common.iter().chain(&case.objects).collect();
        let version = self.version.to_string();
        let mut row = json!({"name": case.name, "category": case.aim, "kube_version": version, "nodes": case.nodes,
            "objects": objects, "pods": pods, "results": results});
        if let Some(config) = &self.config {
            row["scheduler_config"] = config.as_str().into();
        }
        Ok(row)
    }

    /// Gives a pod to the scheduler and waits for its answer; nothing where the server refuses the pod.
    fn ask(&mut self, case: &Case, pod: &Value) -> Result<Option<Value>, String> {
        let full = format!("{}/{}", namespace(pod), name(pod));
        let (collection, path) = (pods_of(namespace(pod)), path(pod));
        let mut sent = pod.clone();
        let metadata = sent["metadata"].as_object_mut();
        let terminates = metadata.is_some_and(|metadata| metadata.shift_remove("deletionTimestamp").is_some());
        let reply = self.server.send("POST", &collection, &sent.to_string())?;
        if reply.code >= 300 {
            return Err(format!("the server refuses {full} of {}: {}", case.name, reply.body["message"]));
        }
        if let Some(node) = pod["spec"]["nodeName"].as_str() {
            self.server.patch(&format!("{path}/status"), &json!({ "status": pod["status"] }))?;
            if terminates {
                self.server.send("DELETE", &path, "")?;
            }
            return Ok(Some(json!({"pod": full, "outcome": "bypassed", "node": node})));
        }
        let answer = self.wait(pod, &path, true)?;
        if let Some(node) = answer["spec"]["nodeName"].as_str() {
            let scores = self.scores(&full)?;
            return Ok(Some(placed(&full, node, scores)));
        }
        let condition = condition(&answer);
        let (reason, message) = (condition["reason"].clone(), condition["message"].clone());
        let outcome = if reason == "SchedulingGated" { "gated" } else { "unschedulable" };
        let mut result = json!({"pod": full, "outcome": outcome, "node": null, "message": message});
        if let Some(node) = answer["status"]["nominatedNodeName"].as_str() {
            result["nominated_node"] = node.into();
            let settled = self.preempt(pod, &path)?;
            result["victims"] = settled.0.into();
            result["settled_node"] = settled.1.map_or(Value::Null, Value::from);
        }
        if result["settled_node"].is_null() {
            self.kill(&path)?;
        }
        // What it logged of this pod is of no interest.
        self.scores(&full)?;
        Ok(Some(result))
    }

    /// Waits until the pod has a node, or (`first`) an answer.
    fn wait(&self, pod: &Value, path: &str, first: bool) -> Result<Value, String> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let now = self.server.send("GET", path, "")?.body;
            let answered = first && condition(&now)["status"] == "False";
            if now["spec"]["nodeName"].is_string() || answered {
                return Ok(now);
            }
            controller::bind_claims(&self.server, pod)?;
            sleep(PAUSE);
        }
        Err(format!("{path}: no answer after {} s", PATIENCE.as_secs()))
    }

    /// Ends the pods that were evicted for another, as their kubelet would; gives their names, and where the other
    /// went.
    fn preempt(&self, pod: &Value, path: &str) -> Result<(Vec<String>, Option<String>), String> {
        let (mut victims, mut since) = (Vec::new(), Instant::now());
        let patience = |victims: &Vec<String>| if victims.is_empty() { 10 * EVICTED } else { EVICTED };
        while since.elapsed() < patience(&victims) {
            for victim in self.evicted()? {
                if !victims.contains(&victim) {
                    victims.push(victim);
                    since = Instant::now();
                }
            }
            sleep(PAUSE);
        }
        if victims.is_empty() {
            return Ok((victims, None));
        }
        let end = |victim: &String| victim.split_once('/').map(|(space, name)| format!("{}/{name}", pods_of(space)));
        for victim in victims.iter().filter_map(end) {
            self.kill(&victim)?;
        }
        let now = self.wait(pod, path, false)?;
        for late in self.evicted()?.into_iter().filter(|late| !victims.contains(late)).collect::<Vec<_>>() {
            end(&late).map_or(Ok(()), |path| self.kill(&path))?;
            victims.push(late);
        }
        victims.sort();
        Ok((victims, now["spec"]["nodeName"].as_str().map(str::to_owned)))
    }

    /// Pods that preemption has marked for its own.
    fn evicted(&self) -> Result<Vec<String>, String> {
        let pods = self.server.send("GET", "/api/v1/pods", "")?.body;
        let marked = |pod: &&Value| {
            let conditions = pod["status"]["conditions"].as_array();
            pod["metadata"].get("deletionTimestamp").is_some()
                && conditions.into_iter().flatten().any(|condition| condition["reason"] == "PreemptionByScheduler")
        };
        let pods = pods["items"].as_array().into_iter().flatten();
        Ok(pods.filter(marked).map(|pod| format!("{}/{}", namespace(pod), name(pod))).collect())
    }

    fn kill(&self, path: &str) -> Result<(), String> {
        self.server.send("DELETE", &format!("{path}?gracePeriodSeconds=0"), "").map(|_| ())
    }

    /// What the scheduler has logged since: the final score of each node for a pod.
    fn scores(&mut self, pod: &str) -> Result<BTreeMap<String, i64>, String> {
        let fail = |error: std::io::Error| format!("{}: {error}", self.log.display());
        let mut file = File::open(&self.log).map_err(fail)?;
        file.seek(SeekFrom::Start(self.read_to)).map_err(fail)?;
        let mut bytes = Vec::new();
        self.read_to += file.read_to_end(&mut bytes).map_err(fail)? as u64;
        let text = String::from_utf8_lossy(&bytes);
        let mut scores = BTreeMap::new();
        for line in text.lines().filter(|line| line.contains("Calculated node's final score for pod")) {
            let field = |name: &str| line.split_once(&format!(" {name}="))?.1.split_whitespace().next();
            let (Some(of), Some(node), Some(score)) = (field("pod"), field("node"), field("score")) else { continue };
            if of.trim_matches('"') == pod
                && let Ok(score) = score.parse()
            {
                scores.insert(node.trim_matches('"').to_owned(), score);
            }
        }
        Ok(scores)
    }

    /// Deletes everything of a case.
    fn wipe(&self, case: &Case) -> Result<(), String> {
        for space in ["default", "other"] {
            self.kill(&pods_of(space))?;
        }
        let mut paths: Vec<String> = Vec::new();
        for object in case.objects.iter().chain(&case.nodes) {
            let kind = kind_of(self.schema, object).ok_or("not a served kind")?;
            let path = collection(kind, object);
            if object["kind"] == "Service" {
                paths.push(format!("{path}/{}", name(object)));
            } else if !paths.contains(&path) {
                paths.push(path);
            }
        }
        // Volumes that were made for claims.
        paths.push("/api/v1/persistentvolumes".to_owned());
        for path in paths {
            self.server.send("DELETE", &path, "")?;
        }
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let left = self.server.send("GET", "/api/v1/pods", "")?.body;
            if left["items"].as_array().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            sleep(PAUSE);
        }
        Err("pods of a case do not go away".to_owned())
    }
}

fn placed(pod: &str, node: &str, scores: BTreeMap<String, i64>) -> Value {
    let mut result = json!({"pod": pod, "outcome": "scheduled", "node": node, "message": null});
    // Where only one node passes the filters nothing is scored.
    result["best"] = match scores.values().max() {
        Some(highest) => scores.iter().filter(|(_, score)| *score == highest).map(|(node, _)| node.as_str()).collect(),
        None => json!([node]),
    };
    result["scores"] = json!(scores);
    result
}

fn condition(pod: &Value) -> Value {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == "PodScheduled").cloned().unwrap_or_default()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or("default")
}

fn pods_of(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn path(pod: &Value) -> String {
    format!("{}/{}", pods_of(namespace(pod)), name(pod))
}
