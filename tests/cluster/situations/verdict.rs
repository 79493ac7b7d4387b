//! What `check` says without a cluster, and what the server answers to the same objects.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::set::{self, Set};
use super::{Case, Done, verdict_of};
use crate::api::{Answer, Api, collection};
use crate::plane::Plane;
use crate::proxy::{Fault, Proxy, Request};
use crate::support::{self, Finding, kplan};

/// The server's answers to every file of the case as kubectl sends them.
pub(super) fn of_case(plane: &Plane, case: &Case) -> super::Answer {
    let mut wrong = Vec::new();
    let mut refused = false;
    for part in case.parts() {
        let files: Vec<_> = set::files(case, part).into_iter().map(|(name, text)| (name, in_one(&text))).collect();
        let set = Set::dry(plane, &format!("verdict-{}-{part}", case.id), &[(part, files)])?;
        let lines = of_part(&set, part, &mut refused)?;
        wrong.extend(lines.into_iter().map(|line| format!("{part}: {line}")));
    }
    verdict_of(wrong, if refused { Done::Refused } else { Done::Works })
}

/// Takes the making of namespaces out of manifests: objects for them are asked about in one that is there.
fn in_one(text: &str) -> String {
    let is_namespace = |document: &&str| document.lines().any(|line| line.trim() == "kind: Namespace");
    text.split("\n---\n").filter(|document| !is_namespace(document)).collect::<Vec<_>>().join("\n---\n")
}

fn of_part(set: &Set<'_>, part: &str, refused: &mut bool) -> Result<Vec<String>, Failed> {
    let asked = ask(set, part)?;
    let run = kplan(&set.folder, &["check", part, "--output", "json", "--namespace", &set.namespace]);
    // A folder of which nothing is left.
    if run.code == Some(3) {
        return Ok(Vec::new());
    }
    let findings = run.findings()?;
    let mut wrong = unreadable(&asked.unread, &findings);
    let mut of_object: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    let in_unread = |finding: &&Finding| asked.unread.iter().any(|file| finding.text("file").ends_with(file.as_str()));
    for finding in findings.iter().filter(|finding| finding.text("class") == "rejected" && !in_unread(finding)) {
        let object = &finding.0["object"];
        let title =
            format!("{}/{}", object["kind"].as_str().unwrap_or_default(), object["name"].as_str().unwrap_or_default());
        of_object.entry(title).or_default().push(&finding.0);
    }
    *refused |= !of_object.is_empty() || !asked.unread.is_empty();
    let defines = asked.answers.iter().any(|(title, _)| title.starts_with("CustomResourceDefinition/"));
    for (title, answer) in &asked.answers {
        // The kind comes with the set.
        if defines && answer["reason"] == "NoKindMatch" {
            continue;
        }
        let findings = of_object.remove(title).unwrap_or_default();
        let taken = answer["message"].as_str().is_some_and(|message| message.contains("port is already allocated"));
        // Which of two objects has the port is not said of one alone: class broken.
        if !taken {
            wrong.extend(support::server_differs(answer, &findings).into_iter().map(|line| format!("{title}: {line}")));
        }
    }
    wrong.extend(of_object.keys().map(|title| format!("{title}: rejected, but the server was not asked about it")));
    Ok(wrong)
}

/// What the server and kubectl said.
struct Asked {
    /// By `Kind/name`, in the form of the recorded rows.
    answers: Vec<(String, Value)>,
    /// Files that kubectl could not read; what of them it sent is judged all the same.
    unread: Vec<String>,
}

static PROXY: OnceLock<Result<Proxy, String>> = OnceLock::new();

/// Lets kubectl send everything through a proxy, then sends it again to see the answers whole.
fn ask(set: &Set<'_>, part: &str) -> Result<Asked, Failed> {
    // One for all, since kubectl keeps what a server can do by its address.
    let proxy = PROXY.get_or_init(|| Proxy::start(set.plane, |_| Fault::Pass).map_err(|error| format!("{error:?}")));
    let proxy = proxy.as_ref().map_err(Clone::clone)?;
    let mut command = set.plane.kubectl_command(&["create", "--dry-run=server", "--validate=strict", "--recursive"]);
    command.arg("--filename").arg(set.folder.join(part)).args(["--namespace", &set.namespace]);
    command.args(["--field-manager", &set.name]).arg("--kubeconfig").arg(proxy.kubeconfig());
    let run = support::finish(command);
    let own = format!("fieldManager={}&", set.name);
    let requests = proxy.requests().into_iter().filter(|request| request.query.contains(&own));
    let mut answers = Vec::new();
    for request in requests {
        let object: Value = serde_json::from_slice(&request.body)?;
        answers.push((crate::api::title(&object), row(&create(&set.api, request, &object)?)));
    }
    let mut unread = Vec::new();
    for line in run.stderr.lines() {
        if let Some((kind, version)) =
            line.split_once("no matches for kind \"").and_then(|(_, rest)| rest.split_once("\" in version \""))
        {
            let name =
                line.split_once("resource mapping not found for name: \"").and_then(|(_, rest)| rest.split('"').next());
            let version = version.split('"').next().unwrap_or_default();
            answers.push((format!("{kind}/{}", name.unwrap_or_default()), no_match(kind, version)));
        } else if let Some((_, rest)) = line.split_once("error parsing ") {
            let path = rest.split(':').next().unwrap_or_default();
            unread.push(path.rsplit('/').next().unwrap_or_default().to_owned());
        }
    }
    Ok(Asked { answers, unread })
}

/// The dry run once more; a Service with ports of nodes for real, since a dry run does not look at their range.
fn create(api: &Api, mut request: Request, object: &Value) -> Result<Answer, Failed> {
    if object["kind"] == "Service" && object.to_string().contains("nodePort") {
        request.query = request.query.replace("dryRun=All", "");
    }
    api.repeat(&request)
}

/// In the form of the recorded rows.
fn row(answer: &Answer) -> Value {
    if answer.is_ok() {
        return json!({ "verdict": "accepted", "message": null });
    }
    let status = &answer.json;
    json!({
        "verdict": "rejected",
        "code": status["code"],
        "reason": status["reason"],
        "message": status["message"],
        "causes": status["details"]["causes"],
    })
}

/// Files that one of the two cannot read.
fn unreadable(of_kubectl: &[String], findings: &[Finding]) -> Vec<String> {
    let broken = findings.iter().filter(|finding| finding.text("rule") == "yaml-invalid");
    let mut broken: Vec<String> =
        broken.map(|finding| finding.text("file").rsplit('/').next().unwrap_or_default().to_owned()).collect();
    broken.dedup();
    let lines = support::difference(of_kubectl, &broken);
    lines.into_iter().map(|line| format!("unreadable: {line}")).collect()
}

/// A recorded object, sent as it is.
pub(super) fn of_row(plane: &Plane, number: usize, row_of: &Value) -> super::Answer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file = format!("row-{number}.json");
    let set = Set::dry(plane, "row", &[("manifests", vec![(file.clone(), row_of["object"].to_string())])])?;
    let object: Value = serde_json::from_str(&std::fs::read_to_string(set.folder.join("manifests").join(file))?)?;
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let namespace = (kind != "PersistentVolume").then_some(set.namespace.as_str());
    let ports = kind == "Service" && object.to_string().contains("nodePort");
    let dry_run = if ports { "" } else { "dryRun=All&" };
    let path = format!("{}?{dry_run}fieldValidation=Strict", collection(&version, &kind, namespace));
    let answer = set.api.post(&path, &object)?;
    let answer = if answer.json.is_object() { row(&answer) } else { no_match(&kind, &version) };
    let findings = kplan(&set.folder, &["check", "manifests", "--output", "json"]).findings()?;
    let findings: Vec<&Value> = findings.iter().map(|finding| &finding.0).collect();
    let done = if answer["verdict"] == "accepted" { Done::Works } else { Done::Refused };
    verdict_of(support::server_differs(&answer, &findings), done)
}

/// What kubectl says of a kind that is not served.
fn no_match(kind: &str, version: &str) -> Value {
    let message = format!("no matches for kind \"{kind}\" in version \"{version}\"");
    json!({ "verdict": "rejected", "code": 404, "reason": "NoKindMatch", "message": message })
}
