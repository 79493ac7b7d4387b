//! plan, apply, and a second plan that is empty.

use libtest_mimic::Failed;
use serde_json::Value;

use super::set::{self, Set};
use super::{Case, Done, verdict_of};
use crate::api::collection;
use crate::plane::Plane;
use crate::support::{self, Finding, Run, kplan};

/// Long enough for a volume to be bound.
const WAITS: [&str; 6] = ["--timeout", "12s", "--unschedulable-timeout", "8s", "--trouble-timeout", "2s"];
/// What no node takes stays so.
const SHORT: [&str; 6] = ["--timeout", "40s", "--unschedulable-timeout", "2s", "--trouble-timeout", "2s"];
/// Two want a port that the server gives to one.
const ONE_OF_TWO: &str = "nodeport-collision";

pub(super) fn run(plane: &Plane, case: &Case) -> super::Answer {
    let part = case.wanted();
    of_set(&Set::new(plane, &case.id, &[(part, set::files(case, part))])?, part)
}

/// A recorded object that the server took.
pub(super) fn run_row(plane: &Plane, number: usize, row: &Value) -> super::Answer {
    let file = ("object.yaml".to_owned(), row["object"].to_string());
    of_set(&Set::new(plane, &format!("applied-{number}"), &[("manifests", vec![file])])?, "manifests")
}

/// The whole way of new manifests.
pub(super) fn of_set(set: &Set<'_>, part: &str) -> super::Answer {
    let errors = errors(set, part)?;
    if errors.iter().any(rejects) {
        return verdict_of(refused(set, part)?, Done::Refused);
    }
    let mut wrong = lowered(set, part, &errors)?;
    if std::fs::read_to_string(set.folder.join("kplan.yaml")).is_ok_and(|config| config.contains(ONE_OF_TWO)) {
        return verdict_of(wrong, Done::Refused);
    }
    wrong.extend(made(set, part)?);
    wrong.extend(settled(set, part)?);
    verdict_of(wrong, Done::Works)
}

/// Whether a finding says that the server would refuse it, or that it cannot be read.
pub(super) fn rejects(finding: &Finding) -> bool {
    ["rejected", "unreadable"].contains(&finding.text("class"))
}

/// What `check` finds wrong.
pub(super) fn errors(set: &Set<'_>, part: &str) -> Result<Vec<Finding>, Failed> {
    let mut findings =
        kplan(&set.folder, &["check", part, "--output", "json", "--namespace", &set.namespace]).findings()?;
    findings.retain(|finding| finding.text("severity") == "error");
    Ok(findings)
}

/// What kplan finds broken stands against applying, though the server takes it; then it counts as a warning.
pub(super) fn lowered(set: &Set<'_>, part: &str, errors: &[Finding]) -> Result<Vec<String>, Failed> {
    // A pod without a node may get one while apply waits.
    if errors.iter().all(|finding| finding.text("class") == "pending") {
        return Ok(Vec::new());
    }
    let wrong = refused(set, part)?;
    let path = set.folder.join("kplan.yaml");
    let mut config = std::fs::read_to_string(&path).unwrap_or_else(|_| "rules:\n".to_owned());
    for finding in errors {
        let line = format!("  {}: warning\n", finding.text("rule"));
        if !config.contains(&line) {
            config.push_str(&line);
        }
    }
    std::fs::write(path, config)?;
    Ok(wrong)
}

/// `apply` declines, and says so; nothing is made.
pub(super) fn refused(set: &Set<'_>, part: &str) -> Result<Vec<String>, Failed> {
    let (run, mut wrong) = set.untouched(|| apply(set, part))?;
    if run.code != Some(1) || !run.stderr.contains("nothing was applied: ") {
        wrong.push(format!("apply is not refused: {}", run.shown()));
    }
    Ok(wrong)
}

fn has_claims(set: &Set<'_>, part: &str) -> bool {
    let names_claim = |(_, bytes): &(String, Vec<u8>)| String::from_utf8_lossy(bytes).contains("PersistentVolumeClaim");
    support::files(&set.folder.join(part)).iter().any(names_claim)
}

pub(super) fn apply(set: &Set<'_>, part: &str) -> Run {
    let waits = if has_claims(set, part) { WAITS } else { SHORT };
    set.kplan(&[&["apply", "--yes", "--output", "json", part], &waits[..]].concat())
}

/// What is planned for new manifests is all made.
fn made(set: &Set<'_>, part: &str) -> Result<Vec<String>, Failed> {
    let (plan, mut wrong) = set.untouched(|| set.kplan(&["plan", "--base", "cluster", "--output", "json", part]))?;
    let report = plan.report()?;
    wrong.extend(exit("plan", &plan, &report));
    let changes: Vec<&Value> = report["changes"].as_array().into_iter().flatten().collect();
    let others = changes.iter().filter(|change| change["action"] != "create");
    wrong.extend(others.map(|change| format!("not created: {change}")));
    wrong.extend(applied(set, part)?);
    let objects = set.objects()?;
    let title = |change: &Value| {
        let text = |key: &str| change["object"][key].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", text("kind"), text("name"))
    };
    // Whatever serves custom resources is new as well, and not looked at.
    let missing = changes.iter().map(|change| title(change)).filter(|title| !objects.contains_key(title));
    wrong.extend(missing.filter(|title| !title.starts_with("Thing/")).map(|title| format!("not there: {title}")));
    Ok(wrong)
}

/// A plan without anything against it ends with 0, one with findings with 1: here they may only be pods without a node,
/// or that a quota refuses.
fn exit(command: &str, run: &Run, report: &Value) -> Option<String> {
    let errors = report["findings"].as_array().into_iter().flatten().filter(|finding| finding["severity"] == "error");
    let errors: Vec<&Value> = errors.collect();
    let pending = errors.iter().all(|finding| finding["class"] == "pending" || finding["rule"] == "quota-exceeded");
    let code = i32::from(!errors.is_empty());
    let messages: Vec<&Value> = errors.iter().map(|finding| &finding["message"]).collect();
    (run.code != Some(code) || !pending).then(|| format!("{command} exits with {:?}: {messages:?}", run.code))
}

/// Applies; where it is not completed, the cluster says the same of its pods.
pub(super) fn applied(set: &Set<'_>, part: &str) -> Result<Vec<String>, Failed> {
    let run = apply(set, part);
    let report = run.report()?;
    let waiting = waiting(set, part)?;
    match run.code {
        Some(0) if waiting.is_empty() => Ok(Vec::new()),
        Some(0) => Ok(vec![format!("applied, but not ready: {waiting:?}")]),
        Some(4) => {
            let outcomes = report["applied"].as_array().into_iter().flatten();
            let messages: Vec<&str> = outcomes
                .filter(|outcome| outcome["state"] == "failed")
                .filter_map(|outcome| outcome["message"].as_str())
                .collect();
            let refused = refused_pods(set)?;
            let mut sentences = waiting.iter().chain(&refused);
            let said = sentences.any(|sentence| messages.iter().any(|message| message.contains(sentence)));
            Ok(if said { Vec::new() } else { vec![format!("{messages:?}, but the cluster says {waiting:?}")] })
        }
        _ => Ok(vec![format!("apply: {}", run.shown())]),
    }
}

/// Why controllers could not make pods, in the server's words.
fn refused_pods(set: &Set<'_>) -> Result<Vec<String>, Failed> {
    let events = set.api.items(&collection("v1", "Event", Some(&set.namespace)))?;
    let refusals = events.iter().filter(|event| event["reason"] == "FailedCreate");
    let words = refusals.filter_map(|event| event["message"].as_str()?.split_once("is forbidden: "));
    Ok(words.map(|(_, words)| words.to_owned()).collect())
}

/// The scheduler's sentences of pods without a node, the names of other pods that are not ready, and claims without a
/// volume. A Job is done with when it has begun.
fn waiting(set: &Set<'_>, part: &str) -> Result<Vec<String>, Failed> {
    let mut found = Vec::new();
    for pod in set.api.pods(&set.namespace)? {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let of = |kind: &str| conditions.clone().find(|condition| condition["type"] == kind);
        let is = |kind: &str| of(kind).is_some_and(|condition| condition["status"] == "True");
        let ends = pod["metadata"]["deletionTimestamp"].is_string();
        if ends || is("Ready") || pod["metadata"]["ownerReferences"][0]["kind"] == "Job" {
            continue;
        }
        let sentence = of("PodScheduled").and_then(|condition| condition["message"].as_str());
        found.push(sentence.unwrap_or(pod["metadata"]["name"].as_str().unwrap_or_default()).to_owned());
    }
    if !has_claims(set, part) {
        return Ok(found);
    }
    let claims = set.api.items(&collection("v1", "PersistentVolumeClaim", Some(&set.namespace)))?;
    let unbound = claims.iter().filter(|claim| claim["status"]["phase"] == "Pending");
    found.extend(unbound.map(|_| "Pending, not bound".to_owned()));
    Ok(found)
}

/// Nothing is left to do, for kplan and for kubectl, and looking does not touch anything.
pub(super) fn settled(set: &Set<'_>, part: &str) -> Result<Vec<String>, Failed> {
    let commands = ["plan", "diff"];
    let (runs, mut wrong) = set.untouched(|| {
        commands.map(|command| set.kplan(&[command, "--base", "cluster", "--exit-code", "--output", "json", part]))
    })?;
    for (command, run) in commands.iter().zip(runs) {
        let report = run.report()?;
        let changes = report["changes"].as_array().into_iter().flatten();
        let changes: Vec<&Value> = changes.filter(|change| change["action"] != "unchanged").collect();
        let shown =
            changes.iter().map(|change| format!("{} {} {}", change["action"], change["object"], change["fields"]));
        wrong.extend(shown.map(|change| format!("{command} after apply: {change}")));
        if changes.is_empty() {
            wrong.extend(exit(command, &run, &report));
        }
    }
    wrong.extend(set.kubectl_diff(part));
    Ok(wrong)
}
