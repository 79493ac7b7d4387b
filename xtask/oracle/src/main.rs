//! Compares kplan with a real API server over generated objects or folders of manifests.
//!
//! `cargo xtask oracle` starts a server and runs this program with its address; with `placement` it compares where pods
//! land with a real scheduler.

mod admission;
mod answer;
mod bases;
mod folder;
mod generate;
mod mutate;
mod options;
mod ours;
mod placement;
mod random;
mod report;
mod run;
mod server;
mod shrink;
mod values;
mod worlds;

use std::process::ExitCode;

use answer::{Agreement, Answer};
use generate::Case;
use kplan::schema::Schema;
use options::Options;
use serde_json::Value;
use server::Server;
use shrink::Signature;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "placement" => placement::run(rest),
        _ => Options::read(&arguments).and_then(|options| match options.admission {
            true => admission::run(&options),
            false => run::run(&options),
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// What an answer rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decides {
    /// The object alone (and the one it replaces).
    Object,
    /// What else is in the cluster: a class, a namespace or an object of the same name.
    Cluster,
}

/// Words of answers that come from how the cluster is set up, or from what else is in it.
const CLUSTER: [&str; 4] = [
    "provided port is already allocated",
    "not configured on this cluster",
    "cluster is not configured for dual-stack",
    "is not in the valid range. The range of valid IPs is",
];

/// A case and what both judges said.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) kind: String,
    pub(crate) case: Case,
    pub(crate) server: Answer,
    pub(crate) ours: Answer,
    pub(crate) agrees: Agreement,
    pub(crate) decides: Decides,
}

impl Asked {
    fn new(case: Case, mut server: Answer, mut ours: Answer) -> Self {
        let metadata = &case.object["metadata"];
        if let (Some(prefix), None | Some("")) = (metadata["generateName"].as_str(), metadata["name"].as_str()) {
            server.without_generated(prefix);
            ours.without_generated(prefix);
        }
        let agrees = ours.agrees(&server);
        let decides = match server.code {
            403 | 409 => Decides::Cluster,
            400..=422 | 500 if server.lines().iter().any(|line| CLUSTER.iter().any(|words| line.contains(words))) => {
                Decides::Cluster
            }
            404 if ours.code != 404 => Decides::Cluster,
            _ => Decides::Object,
        };
        let (api_version, kind) = generate::names_of(&case.object);
        let kind = format!("{api_version} {kind}");
        Self { kind, case, server, ours, agrees, decides }
    }

    pub(crate) fn signature(&self) -> Signature {
        (self.server.beyond(&self.ours), self.ours.beyond(&self.server))
    }

    /// The signature without paths, so that one cause in many places is one difference.
    fn pathless(&self) -> Signature {
        let strip = |lines: Vec<String>| lines.iter().map(|line| report::message_template(line)).collect();
        let (server, ours) = self.signature();
        (strip(server), strip(ours))
    }

    /// The reasons of the server's causes, or what its code stands for.
    fn reasons(&self) -> Vec<String> {
        if self.server.is_accepted() {
            return vec!["accepted".to_owned()];
        }
        if self.server.causes.is_empty() {
            return vec![self.server.code.to_string()];
        }
        let mut reasons: Vec<String> = self.server.causes.iter().map(|cause| cause.reason.clone()).collect();
        reasons.sort();
        reasons.dedup();
        reasons
    }
}

/// Both judges.
pub(crate) struct Judges<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) server: Server,
    /// The stored objects that updates replace, by the index of their base.
    pub(crate) stored: Vec<Option<Value>>,
}

impl Judges<'_> {
    /// Asks both.
    pub(crate) fn ask(&self, case: &Case) -> Result<Asked, String> {
        let (server, ours) = match &case.old {
            None => (self.server.create(self.schema, &case.object)?, ours::create(self.schema, &case.object)),
            Some((index, old)) => {
                let stored = self.stored.get(*index).and_then(Option::as_ref).ok_or("nothing stored")?;
                // What the server made up stays as it is, as it does where kubectl applies a manifest.
                let (mut old, mut new) = (old.clone(), case.object.clone());
                keep_generated(&mut new, &old, stored);
                let manifest = old.clone();
                keep_generated(&mut old, &manifest, stored);
                let server = self.server.update(self.schema, stored, &new)?;
                (server, ours::update(self.schema, &old, &new))
            }
        };
        Ok(Asked::new(case.clone(), server, ours))
    }
}

/// Gives a Job whose selector the server generates that selector, and its template the labels that go with it.
fn keep_generated(object: &mut Value, manifest: &Value, stored: &Value) {
    let is_generated = stored["kind"] == "Job" && manifest["spec"].get("selector").is_none();
    if !is_generated || object["spec"].get("selector").is_some() || !object["spec"]["template"].is_object() {
        return;
    }
    object["spec"]["selector"] = stored["spec"]["selector"].clone();
    let labels = &mut object["spec"]["template"]["metadata"]["labels"];
    for (key, value) in stored["spec"]["template"]["metadata"]["labels"].as_object().into_iter().flatten() {
        if key.contains("controller-uid") || key.contains("job-name") {
            labels[key] = value.clone();
        }
    }
}
