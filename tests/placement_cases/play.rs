//! A recorded row played again: each pod is judged on the recorded placements of those before it, since ties between
//! nodes are random. `cargo xtask oracle placement` judges with the same code.

use std::collections::BTreeMap;
use std::sync::Arc;

use kplan::config::Settings;
use kplan::load::{self, Input};
use kplan::model::{Bundle, Version};
use kplan::parse;
use kplan::schema::Schema;
use kplan::simulate::engine::{self, Answer, Unschedulable};
use kplan::simulate::expand::Replica;
use kplan::simulate::preemption::{NOT_STARTED, Preemption, deletes};
use kplan::simulate::schedulers::{self, Schedulers};
use kplan::simulate::state::{PlacedId, State};
use kplan::simulate::{Inventory, Verdict, prepare, queue};
use kplan::source::SourceText;
use serde_json::Value;

/// What kplan and the record say of a pod, where they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `namespace/name`.
    pub pod: String,
    /// `verdict`, `message`, `best`, `scores`, …
    pub what: &'static str,
    pub ours: String,
    pub theirs: String,
}

fn list<'a>(row: &'a Value, key: &str) -> &'a [Value] {
    row[key].as_array().map_or(&[], Vec::as_slice)
}

fn bundle(row: &Value, settings: &Settings) -> Option<Bundle> {
    // Only which kinds have namespaces is asked of it, for which every version will do.
    let schema = Schema::of(Version::DEFAULT)?;
    let objects = ["nodes", "objects", "pods"].iter().flat_map(|key| list(row, key));
    let input = |(index, object): (usize, &Value)| Input {
        name: format!("{index}.json"),
        content: Ok(object.to_string().into_bytes()),
        path: 0,
        explicit: true,
    };
    let (loaded, _) = load::assemble(objects.enumerate().map(input).collect(), settings);
    let scope = |version: &str, kind: &str| schema.served(version, kind).map(|kind| kind.namespaced);
    // As they stand: a server that stores new objects would take their status away.
    Some(parse::run(loaded, settings, &scope).0)
}

/// Plays a row; gives what differs.
pub fn play(row: &Value) -> Vec<Difference> {
    let version = row["kube_version"].as_str().and_then(|version| version.parse().ok());
    let settings = Settings { kube_version: version.unwrap_or(Version::DEFAULT), ..Settings::default() };
    let Some(bundle) = bundle(row, &settings) else { return Vec::new() };
    let config = row["scheduler_config"].as_str().map(|text| schedulers::read(&SourceText::from(text)));
    let schedulers = match config.unwrap_or_else(|| Ok(Schedulers::default())) {
        Ok(schedulers) => schedulers,
        Err(errors) => {
            let (pod, ours, theirs) = (String::new(), format!("{errors:?}"), "taken".to_owned());
            return vec![Difference { pod, what: "scheduler_config", ours, theirs }];
        }
    };
    let inventory = Inventory { schedulers, ..Inventory::from_bundle(&bundle) };
    let (mut state, expansion) = prepare(&bundle, &inventory, &settings);
    let mut places: BTreeMap<String, PlacedId> = BTreeMap::new();
    let mut wrong = Vec::new();
    for result in list(row, "results") {
        let name = result["pod"].as_str().unwrap_or("");
        let Some(replica) = expansion.replicas.iter().find(|replica| replica.full_name() == name) else {
            // A pod that has ended takes no room and is not reported.
            if result["outcome"] != "bypassed" {
                let (ours, theirs) = (String::new(), result["outcome"].to_string());
                wrong.push(Difference { pod: name.to_owned(), what: "expansion", ours, theirs });
            }
            continue;
        };
        let mut judge = Judge { pod: name, result, found: Vec::new() };
        judge.compare(&mut state, replica);
        wrong.append(&mut judge.found);
        settle(&mut state, replica, result, &mut places);
    }
    wrong
}

struct Judge<'a> {
    pod: &'a str,
    result: &'a Value,
    found: Vec<Difference>,
}

impl Judge<'_> {
    fn text(&self, key: &str) -> String {
        self.result[key].as_str().unwrap_or("").to_owned()
    }

    fn check(&mut self, what: &'static str, ours: String, theirs: String) {
        if ours != theirs {
            self.found.push(Difference { pod: self.pod.to_owned(), what, ours, theirs });
        }
    }

    fn compare(&mut self, state: &mut State, replica: &Replica) {
        let arrived = queue::arrive(replica);
        if arrived.verdict != Verdict::Pending {
            return self.compare_arrival(&arrived);
        }
        let class = state.class(&replica.pod);
        match engine::schedule(&mut state.clone(), class) {
            Answer::Scheduled { best, .. } => {
                let scores = engine::scores(&mut state.clone(), class);
                self.compare_nodes(state, &best.iter().collect::<Vec<_>>(), &scores);
            }
            Answer::Pending(why) => self.compare_pending(state, &why),
        }
    }

    /// A pod that the scheduler never sees.
    fn compare_arrival(&mut self, arrived: &queue::Outcome) {
        let ours = match arrived.verdict {
            Verdict::Rejected => "rejected",
            Verdict::Bypassed => "bypassed",
            Verdict::Gated => "gated",
            _ => "unknown",
        };
        self.check("verdict", ours.to_owned(), self.text("outcome"));
        if ours == "rejected" || ours == "gated" {
            self.check("message", arrived.message.clone().unwrap_or_default(), self.text("message"));
        }
    }

    fn compare_nodes(&mut self, state: &State, best: &[u32], scores: &[(u32, i64)]) {
        let name = |node: &u32| state.nodes[*node as usize].name.clone();
        self.check("verdict", "scheduled".to_owned(), self.text("outcome"));
        let mut ours: Vec<String> = best.iter().map(name).collect();
        ours.sort();
        match serde_json::from_value::<Vec<String>>(self.result["best"].clone()) {
            Ok(mut theirs) => {
                theirs.sort();
                self.check("best", ours.join(" "), theirs.join(" "));
            }
            Err(_) if ours.contains(&self.text("node")) => {}
            Err(_) => self.check("node", ours.join(" "), self.text("node")),
        }
        if let Ok(theirs) = serde_json::from_value::<BTreeMap<String, i64>>(self.result["scores"].clone()) {
            let ours: BTreeMap<String, i64> = scores.iter().map(|(node, score)| (name(node), *score)).collect();
            self.check("scores", format!("{ours:?}"), format!("{theirs:?}"));
        }
    }

    fn compare_pending(&mut self, state: &State, why: &Unschedulable) {
        let name = |node: &u32| state.nodes[*node as usize].name.clone();
        let preempts = ["preempting", "nominated", "preempts"].contains(&self.text("outcome").as_str());
        let theirs = if preempts { "unschedulable".to_owned() } else { self.text("outcome") };
        self.check("verdict", "unschedulable".to_owned(), theirs);
        self.check("message", why.message.clone(), self.text("message"));
        let theirs = self.text("nominated_node");
        let Preemption::Nominated { node, victims, ties } = &why.preemption else {
            return self.check("nominated", String::new(), theirs);
        };
        if !ties.iter().map(name).any(|tie| tie == theirs) {
            self.check("nominated", ties.iter().map(name).collect::<Vec<_>>().join(" "), theirs);
        } else if name(node) == theirs {
            let placed = victims.iter().map(|id| &state.placed[id.0 as usize]);
            let evicted = placed.filter(|placed| deletes(state.pod(placed.class), state.cluster.version()));
            let mut ours: Vec<&str> = evicted.map(|placed| &*placed.name).collect();
            ours.sort_unstable();
            let theirs: Vec<&str> = list(self.result, "victims").iter().filter_map(Value::as_str).collect();
            self.check("victims", ours.join(" "), theirs.join(" "));
        }
    }
}

/// Does what the record says happened.
fn settle(state: &mut State, replica: &Replica, result: &Value, places: &mut BTreeMap<String, PlacedId>) {
    for victim in list(result, "victims").iter().filter_map(Value::as_str) {
        if let Some(id) = places.remove(victim) {
            state.remove(id);
        }
    }
    let node = result["settled_node"].as_str().or(result["node"].as_str()).and_then(|name| state.node(name));
    if let Some(node) = node {
        let class = state.class(&replica.pod);
        engine::bind_volumes(state, class, node);
        let name = replica.full_name();
        let id = state.place(class, &Arc::from(name.as_str()), node, replica.started.unwrap_or(NOT_STARTED));
        places.insert(name, id);
    }
}
