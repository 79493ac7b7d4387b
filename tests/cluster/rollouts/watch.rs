//! The pods of a cluster while they come, get ready and go.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::plane::Plane;

/// Longer than any rollout of the tests.
const MOST: Duration = Duration::from_secs(240);

/// A watch of all pods; ends when dropped.
pub struct Watch {
    child: Child,
    log: Arc<Mutex<Log>>,
}

/// What was seen of one workload, by the label `app` of its pods.
#[derive(Clone, Default)]
pub struct Seen {
    /// Fewest pods that were ready and not about to go.
    pub lowest: usize,
    /// What the scheduler says of pods that wait, at last.
    pub messages: Vec<String>,
    /// Whether one of those is new.
    pub new_waits: bool,
    /// Whether pods went and others came.
    pub replaced: bool,
    came: bool,
    went: bool,
    /// Names of pods that are not ready at last.
    unready: Vec<String>,
}

impl Seen {
    /// How many pods from an ordinal on are not ready.
    pub fn unready_after(&self, ordinal: u64) -> usize {
        let after = |name: &&String| {
            name.rsplit('-').next().and_then(|at| at.parse::<u64>().ok()).is_some_and(|at| at >= ordinal)
        };
        self.unready.iter().filter(after).count()
    }
}

#[derive(Default)]
struct Log {
    pods: BTreeMap<(String, String), Value>,
    before: BTreeSet<String>,
    seen: BTreeMap<(String, String), Seen>,
    last: Option<Instant>,
}

impl Watch {
    pub fn start(plane: &Plane) -> Result<Watch, Failed> {
        let arguments = ["get", "pods", "--all-namespaces", "--watch", "--output-watch-events", "--output=json"];
        let mut child = plane.kubectl_command(&arguments).spawn()?;
        let stdout = child.stdout.take().ok_or("kubectl get --watch has no output")?;
        let log = Arc::new(Mutex::new(Log { last: Some(Instant::now()), ..Log::default() }));
        let theirs = log.clone();
        std::thread::spawn(move || {
            for event in serde_json::Deserializer::from_reader(std::io::BufReader::new(stdout)).into_iter::<Value>() {
                let Ok(event) = event else { return };
                theirs.lock().unwrap().take(&event);
            }
        });
        Ok(Watch { child, log })
    }

    /// Waits until no pod changes for so long.
    pub fn quiet(&self, time: Duration) -> Result<(), Failed> {
        let start = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let last = self.log.lock().unwrap().last.unwrap_or(start);
            if last.max(start).elapsed() > time {
                return Ok(());
            }
            if start.elapsed() > MOST {
                return Err(format!("pods still change after {} s", MOST.as_secs()).into());
            }
        }
    }

    /// Whether a pod changes in that time; if so, waits until none does.
    pub fn changes_within(&self, time: Duration) -> Result<bool, Failed> {
        let before = self.log.lock().unwrap().last;
        self.quiet(time)?;
        Ok(self.log.lock().unwrap().last != before)
    }

    /// Forgets what was seen so far, but for the pods that are there.
    pub fn start_over(&self) {
        let mut log = self.log.lock().unwrap();
        log.seen.clear();
        log.before = log.pods.values().map(|pod| pod["metadata"]["uid"].to_string()).collect();
        let owners: Vec<(String, String)> = log.pods.values().map(owner).collect();
        for owner in owners {
            let lowest = log.ready(&owner);
            log.seen.insert(owner, Seen { lowest, ..Seen::default() });
        }
    }

    /// What was seen since, with what is there now.
    pub fn seen(&self) -> BTreeMap<(String, String), Seen> {
        let log = self.log.lock().unwrap();
        let mut seen = log.seen.clone();
        for pod in log.pods.values() {
            let of = seen.entry(owner(pod)).or_default();
            if !is_ready(pod) {
                of.unready.push(pod["metadata"]["name"].as_str().unwrap_or_default().to_owned());
            }
            let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            let waits = |condition: &&Value| condition["type"] == "PodScheduled" && condition["status"] == "False";
            let messages = conditions.filter(waits).filter_map(|condition| condition["message"].as_str());
            let messages: Vec<String> = messages.map(str::to_owned).collect();
            of.new_waits |= !messages.is_empty() && !log.before.contains(&pod["metadata"]["uid"].to_string());
            of.messages.extend(messages);
        }
        for of in seen.values_mut() {
            of.messages.sort();
            of.messages.dedup();
        }
        seen
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Log {
    fn take(&mut self, event: &Value) {
        let pod = &event["object"];
        let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
        let (key, owner) = ((text("namespace"), text("name")), owner(pod));
        self.last = Some(Instant::now());
        let is_gone = event["type"] == "DELETED";
        let is_new = !self.pods.contains_key(&key);
        if is_gone {
            self.pods.remove(&key);
        } else {
            self.pods.insert(key, pod.clone());
        }
        let ready = self.ready(&owner);
        let seen = self.seen.entry(owner).or_default();
        seen.lowest = seen.lowest.min(ready);
        seen.came |= is_new && !is_gone;
        seen.went |= is_gone;
        seen.replaced = seen.came && seen.went;
    }

    fn ready(&self, of: &(String, String)) -> usize {
        self.pods.values().filter(|pod| owner(pod) == *of && is_ready(pod)).count()
    }
}

fn owner(pod: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["labels"]["app"]))
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
