//! The situations kplan exists for, on a real cluster: what it says without one, and what it does with one, held against
//! the server, the scheduler and kubectl. A table counts them.
//!
//! `cargo test --test cluster -- situations::removed-api` runs one situation. The columns:
//! - `verdict`: findings of `check` and the server's answers to what kubectl sends of the same files;
//! - `apply`: plan, apply, and a second plan that is empty, for kubectl too; nothing is touched by plan and diff;
//! - `change`: the same from `old/` to `new/`; fields and restarts are those that were planned;
//! - `sentence`: what `simulate` says of the pods on a cluster with the nodes of the case, and the scheduler.

mod change;
mod cycle;
pub mod fields;
mod sentence;
mod set;
pub use set::{make_namespace, unique};
mod verdict;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Failed, Trial};

use crate::plane::{Needs, Plane, trial};
use crate::support;

/// What became of a test that did not fail.
pub enum Done {
    Works,
    /// Refused, by kplan as by the server.
    Refused,
}

type Answer = Result<Done, Failed>;
type Test = fn(&Plane, &Case) -> Answer;

/// The columns of the table, with the test behind each.
const COLUMNS: [(&str, Test); 4] =
    [("verdict", verdict::of_case), ("apply", cycle::run), ("change", change::run), ("sentence", sentence::run)];

/// A folder of `fixtures/situations` or `fixtures/plan`.
pub struct Case {
    pub id: String,
    pub folder: PathBuf,
}

impl Case {
    /// Whether it is about a change from `old/` to `new/`.
    fn is_update(&self) -> bool {
        self.has("old")
    }

    fn files(&self, part: &str) -> impl Iterator<Item = PathBuf> {
        let files =
            walkdir::WalkDir::new(self.folder.join(part)).into_iter().flatten().map(walkdir::DirEntry::into_path);
        files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
    }

    fn has(&self, part: &str) -> bool {
        self.files(part).next().is_some()
    }

    /// A set has one namespace; what moves between two is judged by `tests/plan_cases.rs`.
    fn is_of_one_namespace(&self) -> bool {
        let mut files = self.files("old").chain(self.files("new"));
        files.all(|path| set::is_of_one_namespace(&std::fs::read_to_string(path).unwrap()))
    }

    /// The folder with the manifests that are wanted.
    fn wanted(&self) -> &'static str {
        if self.folder.join("new").is_dir() { "new" } else { "manifests" }
    }

    /// The folders with manifests.
    fn parts(&self) -> impl Iterator<Item = &'static str> {
        ["manifests", "old", "new", "fixed"].into_iter().filter(|part| self.has(part))
    }

    fn is_about(&self, column: &str) -> bool {
        match column {
            "apply" => !self.is_update(),
            "change" => self.is_update() && self.is_of_one_namespace(),
            "sentence" => self.folder.join("nodes.yaml").is_file() && !self.is_update(),
            _ => true,
        }
    }
}

fn cases() -> Vec<Case> {
    let root = support::root().join("fixtures");
    let mut cases = Vec::new();
    for group in ["situations", "plan"] {
        for entry in walkdir::WalkDir::new(root.join(group)).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            if path.ends_with("expect.yaml") || path.ends_with("expect.json") {
                let folder = path.parent().unwrap().to_owned();
                let id = folder.strip_prefix(root.join(group)).unwrap().display().to_string();
                let id = if group == "plan" { format!("plan/{id}") } else { id };
                cases.push(Case { id, folder });
            }
        }
    }
    cases
}

/// The result of each case and column that ran.
static TABLE: Mutex<BTreeMap<String, BTreeMap<&'static str, &'static str>>> = Mutex::new(BTreeMap::new());

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases() {
        let case = Arc::new(case);
        for (column, test) in COLUMNS {
            if case.is_about(column) {
                let (id, case) = (case.id.clone(), case.clone());
                trials.push(entry(id, column, move |plane| test(plane, &case)));
            }
        }
    }
    for (number, row) in support::recorded("situations-1.36").into_iter().enumerate() {
        let row = Arc::new(row);
        let id = format!("recorded/{}", row["name"].as_str().unwrap().replace(' ', "-"));
        let same = row.clone();
        trials.push(entry(id.clone(), "verdict", move |plane| verdict::of_row(plane, number, &same)));
        if row["verdict"] == "accepted" {
            trials.push(entry(id, "apply", move |plane| cycle::run_row(plane, number, &row)));
        }
    }
    trials
}

fn entry(id: String, column: &'static str, test: impl FnOnce(&Plane) -> Answer + Send + 'static) -> Trial {
    // Placement needs a cluster without other nodes, failures the pods of KWOK.
    trial(&format!("situations::{id}::{column}"), Needs::Own, move |plane| {
        let result = test(plane);
        let cell = match &result {
            Ok(Done::Works) => "works",
            Ok(Done::Refused) => "refused",
            Err(_) => "FAILS",
        };
        TABLE.lock().unwrap().entry(id).or_default().insert(column, cell);
        result.map(drop)
    })
}

/// A failure with all its lines, or success when there are none.
fn verdict_of(wrong: Vec<String>, done: Done) -> Answer {
    support::verdict(wrong).map(|()| done)
}

/// Prints the table, one line a situation, then the sums; ends what the tests started.
#[allow(clippy::print_stdout)]
pub fn end() {
    sentence::stop();
    let table = TABLE.lock().unwrap();
    if table.is_empty() {
        return;
    }
    let header: String = COLUMNS.iter().map(|(column, _)| format!("{column:<10}")).collect();
    println!("{:<44}{header}", "situation");
    let mut sums: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (id, row) in &*table {
        let cell = |column| row.get(column).copied().unwrap_or("-");
        for (column, result) in row {
            *sums.entry(column).or_default().entry(result).or_default() += 1;
        }
        let cells: String = COLUMNS.iter().map(|(column, _)| format!("{:<10}", cell(column))).collect();
        println!("{id:<44}{cells}");
    }
    for (column, counts) in sums {
        let counts: Vec<String> = counts.iter().map(|(result, count)| format!("{count} {result}")).collect();
        println!("{column}: {}", counts.join(", "));
    }
}
