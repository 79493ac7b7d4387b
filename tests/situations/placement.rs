//! What `simulate` is to say: who lands where, who waits and with which sentence.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `simulate` in `expect.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulated {
    /// Scheduled pods by the name of their owner.
    scheduled: BTreeMap<String, usize>,
    /// Where these are, where only this is possible.
    #[serde(default)]
    on: BTreeMap<String, BTreeMap<String, usize>>,
    pending: Vec<Pending>,
    #[serde(default)]
    remedies: Vec<String>,
    #[serde(default)]
    rollouts: Vec<Rollout>,
    maximum: Option<Maximum>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    owner: String,
    pods: usize,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rollout {
    owner: String,
    fits: bool,
    peak_pods: Option<u64>,
    lowest_ready: Option<u64>,
    message: Option<String>,
}

/// What the most replicas that an autoscaler may set would give.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Maximum {
    owner: String,
    replicas: u64,
    scheduled: u64,
    pending: u64,
}

impl Simulated {
    /// Holds a report of `simulate` against it.
    pub fn compare(&self, report: &Value) -> Vec<String> {
        let placement = &report["placement"];
        let pods: Vec<&Value> = list(placement, "pods").collect();
        let mut wrong = self.scheduled(&pods);
        wrong.extend(self.pending(&pods));
        wrong.extend(self.rollouts(placement));
        for remedy in &self.remedies {
            if !list(placement, "remedies").any(|entry| text(entry, "change").contains(remedy)) {
                wrong.push(format!("no remedy says {remedy:?}: {}", placement["remedies"]));
            }
        }
        wrong.extend(self.maximum.as_ref().and_then(|maximum| maximum.compare(report)));
        wrong
    }

    fn scheduled(&self, pods: &[&Value]) -> Vec<String> {
        let mut by_owner: BTreeMap<String, usize> = BTreeMap::new();
        let mut on: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for pod in pods.iter().filter(|pod| pod["verdict"] == "scheduled") {
            let owner = text(pod, "owner").rsplit('/').next().unwrap_or_default().to_owned();
            *on.entry(owner.clone()).or_default().entry(text(pod, "node").to_owned()).or_default() += 1;
            *by_owner.entry(owner).or_default() += 1;
        }
        let mut wrong = Vec::new();
        if by_owner != self.scheduled {
            wrong.push(format!("scheduled are {by_owner:?}, not {:?}", self.scheduled));
        }
        for (owner, nodes) in &self.on {
            if on.get(owner) != Some(nodes) {
                wrong.push(format!("{owner} is on {:?}, not {nodes:?}", on.get(owner)));
            }
        }
        wrong
    }

    fn pending(&self, pods: &[&Value]) -> Vec<String> {
        let pending: Vec<&&Value> = pods.iter().filter(|pod| pod["verdict"] == "pending").collect();
        let mut wrong = Vec::new();
        for expected in &self.pending {
            let of_owner: Vec<_> = pending.iter().filter(|pod| text(pod, "owner") == expected.owner).collect();
            if of_owner.len() != expected.pods {
                wrong.push(format!("{} pods of {} are pending, not {}", of_owner.len(), expected.owner, expected.pods));
            }
            let others = of_owner.iter().filter(|pod| text(pod, "message") != expected.message);
            wrong.extend(
                others.map(|pod| format!("{}: {}\n    not {}", text(pod, "name"), pod["message"], expected.message)),
            );
        }
        let expected: usize = self.pending.iter().map(|entry| entry.pods).sum();
        if pending.len() != expected {
            wrong.push(format!("{} pods are pending, not {expected}", pending.len()));
        }
        wrong
    }

    fn rollouts(&self, placement: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        for expected in &self.rollouts {
            let Some(rollout) = list(placement, "rollouts").find(|entry| text(entry, "owner") == expected.owner) else {
                wrong.push(format!("no rollout of {}", expected.owner));
                continue;
            };
            let number = |key: &str| rollout[key].as_u64();
            let holds = rollout["fits"] == expected.fits
                && (expected.peak_pods.is_none() || number("peakPods") == expected.peak_pods)
                && (expected.lowest_ready.is_none() || number("lowestReady") == expected.lowest_ready)
                && rollout["stalls"]["message"].as_str() == expected.message.as_deref();
            if !holds {
                wrong.push(format!("the rollout is {rollout}"));
            }
        }
        wrong
    }
}

impl Maximum {
    /// What does not fit is a warning at the workload; nothing is said where all fits.
    fn compare(&self, report: &Value) -> Option<String> {
        let (kind, name) = self.owner.split_once('/').unwrap_or_default();
        let of_owner = |finding: &&Value| {
            finding["rule"] == "pod-unschedulable"
                && finding["severity"] == "warning"
                && finding["object"]["kind"] == kind
                && finding["object"]["name"] == name
        };
        let said = list(report, "findings").find(of_owner).map(|finding| text(finding, "message"));
        let numbers = format!("{} of {} ", self.pending, self.replicas);
        let holds = self.scheduled + self.pending == self.replicas
            && if self.pending == 0 { said.is_none() } else { said.is_some_and(|said| said.starts_with(&numbers)) };
        (!holds).then(|| format!("of the maximum is said: {said:?}, expected {numbers}"))
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
