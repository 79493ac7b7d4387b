//! The recorded answers of a real kube-scheduler, pod by pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::engine::{self, Answer};
use super::nodes::Inventory;
use super::preemption::Preemption;
use super::queue;
use super::state::{PlacedId, State};
use super::{Verdict, prepare};
use crate::config::Settings;
use crate::model::{Bundle, Object, ParsedFile, Role, SetId};
use crate::source::Source;
use crate::yaml;

/// A set with these objects, as they stand.
pub fn bundle(objects: &[Value]) -> Bundle {
    let mut bundle = Bundle::default();
    let text: Arc<str> = objects.iter().map(|object| format!("{object}\n")).collect::<String>().into();
    let file = yaml::read(&text);
    let id = bundle.sources.add(Source::new("test.json", text));
    for document in &file.documents {
        let Some(root) = document.root else { continue };
        let view = file.tree.view(root);
        let meta = |key: &str| view.at(&["metadata", key]).and_then(yaml::View::str).map(str::to_owned);
        let kind = view.get_str("kind").unwrap_or("").to_owned();
        let cluster_scoped = [
            "Node",
            "Namespace",
            "PriorityClass",
            "RuntimeClass",
            "PersistentVolume",
            "StorageClass",
            "CSINode",
            "CSIDriver",
        ];
        let namespace = meta("namespace").or_else(|| Some("default".to_owned()));
        bundle.objects.push(Object {
            file: id,
            document: document.index,
            set: SetId(0),
            root,
            api_version: view.get_str("apiVersion").unwrap_or("").to_owned(),
            name: meta("name").unwrap_or_default(),
            namespace: namespace.filter(|_| !cluster_scoped.contains(&kind.as_str())),
            kind,
            full: None,
        });
    }
    bundle.files.push(ParsedFile {
        tree: file.tree,
        documents: file.documents,
        comments: file.comments,
        role: Role::Manifest,
    });
    bundle
}

fn list<'a>(row: &'a Value, key: &str) -> &'a [Value] {
    row[key].as_array().map_or(&[], Vec::as_slice)
}

/// Plays a row, each pod on the recorded placements of those before it; gives what differs.
fn play(row: &Value) -> Vec<String> {
    let objects: Vec<Value> =
        ["nodes", "objects", "pods"].iter().flat_map(|key| list(row, key).iter().cloned()).collect();
    let bundle = bundle(&objects);
    let settings = Settings::default();
    let (mut state, expansion) = prepare(&bundle, &Inventory::from_bundle(&bundle), &settings);
    let mut places: BTreeMap<String, PlacedId> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (index, result) in list(row, "results").iter().enumerate() {
        let name = result["pod"].as_str().unwrap_or("");
        let Some(replica) = expansion.replicas.iter().find(|replica| replica.full_name() == name) else {
            // A pod that has ended takes no room and is not reported.
            if result["outcome"] != "bypassed" {
                wrong.push(format!("{name}: not expanded"));
            }
            continue;
        };
        for difference in compare(&mut state, replica, result) {
            wrong.push(format!("{name} ({index}): {difference}"));
        }
        settle(&mut state, replica, result, &mut places);
    }
    wrong
}

/// What kplan says of one pod, against the record.
fn compare(state: &mut State, replica: &super::expand::Replica, result: &Value) -> Vec<String> {
    let arrived = queue::arrive(replica);
    let recorded = result["outcome"].as_str().unwrap_or("");
    let text = |key: &str| result[key].as_str().map(str::to_owned);
    let mut out = Vec::new();
    let mut check = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            out.push(format!("{what}\n    kplan    {ours}\n    recorded {theirs}"));
        }
    };
    if arrived.verdict != Verdict::Pending {
        let ours = match arrived.verdict {
            Verdict::Rejected => "rejected",
            Verdict::Bypassed => "bypassed",
            Verdict::Gated => "gated",
            _ => "unknown",
        };
        check("verdict", ours.to_owned(), recorded.to_owned());
        if ours == "rejected" || ours == "gated" {
            check("message", arrived.message.unwrap_or_default(), text("message").unwrap_or_default());
        }
        return out;
    }
    let class = state.class(&replica.pod);
    let name = |node: &u32| state.nodes[*node as usize].name.clone();
    match engine::schedule(&mut state.clone(), class) {
        Answer::Scheduled { best, scores, .. } => {
            check("verdict", "scheduled".to_owned(), recorded.to_owned());
            let ours: Vec<String> = best.iter().map(name).collect();
            let theirs: Option<Vec<String>> = serde_json::from_value(result["best"].clone()).ok();
            match theirs {
                Some(mut theirs) => {
                    theirs.sort();
                    let mut ours = ours.clone();
                    ours.sort();
                    check("best", ours.join(" "), theirs.join(" "));
                }
                None => check(
                    "node among best",
                    format!("{}", ours.contains(&text("node").unwrap_or_default())),
                    "true".to_owned(),
                ),
            }
            let theirs: Option<BTreeMap<String, i64>> = serde_json::from_value(result["scores"].clone()).ok();
            if let Some(theirs) = theirs {
                let ours: BTreeMap<String, i64> = scores.iter().map(|(node, score)| (name(node), *score)).collect();
                check("scores", format!("{ours:?}"), format!("{theirs:?}"));
            }
        }
        Answer::Pending(why) => {
            let nominated = match &why.preemption {
                Preemption::Nominated { node, .. } => Some(name(node)),
                _ => None,
            };
            let preempts = recorded == "preempting" || recorded == "nominated" || recorded == "preempts";
            check(
                "verdict",
                "unschedulable".to_owned(),
                if preempts { "unschedulable".to_owned() } else { recorded.to_owned() },
            );
            check("message", why.message.clone(), text("message").unwrap_or_default());
            if let Some(theirs) = text("nominated_node") {
                check("nominated", nominated.unwrap_or_default(), theirs);
            }
        }
    }
    out
}

/// Does what the record says happened.
fn settle(
    state: &mut State,
    replica: &super::expand::Replica,
    result: &Value,
    places: &mut BTreeMap<String, PlacedId>,
) {
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
        let id = state.place(class, &Arc::from(name.as_str()), node, replica.started.unwrap_or(i64::MAX));
        places.insert(name, id);
    }
}

/// Plays a file; gives how many rows agree, of how many.
fn agreement(name: &str, text: &str) -> (usize, usize) {
    let rows: Vec<Value> =
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut agree = 0;
    for row in &rows {
        let wrong = play(row);
        if wrong.is_empty() {
            agree += 1;
        }
        for difference in wrong {
            println!("{}: {difference}", row["name"].as_str().unwrap_or("?"));
        }
    }
    println!("{name}: {agree} of {}", rows.len());
    (agree, rows.len())
}

#[test]
fn recorded_placements() {
    let (agree, all) = agreement("placement-1.36", include_str!("../../fixtures/recorded/placement-1.36.jsonl"));
    assert_eq!(agree, all);
}

/// Rows from elsewhere: `KPLAN_PLACEMENT=FILE cargo test --lib placements_of_a_file -- --nocapture`.
#[test]
fn placements_of_a_file() {
    if let Ok(path) = std::env::var("KPLAN_PLACEMENT") {
        let (agree, all) = agreement(&path, &std::fs::read_to_string(&path).unwrap());
        assert_eq!(agree, all);
    }
}
