//! The situations kplan exists for, each through every command that it is about, as a table; then the API server's
//! recorded answers to the same mistakes, and the tutorial bundles.
//!
//! `cargo test --test situations -- removed-api` runs one situation. Fixtures: `fixtures/README.md`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

mod bundles;
mod case;
mod placement;
mod recorded;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use case::Case;
use libtest_mimic::{Arguments, Trial};

/// The columns of the table, with the test behind each.
const COLUMNS: [(&str, case::Test); 5] = [
    ("check", Case::check),
    ("fix", Case::fix),
    ("simulate", Case::simulate),
    ("plan", Case::plan),
    ("show", Case::show),
];

/// The result of each case and column that ran.
type Table = Arc<Mutex<BTreeMap<String, BTreeMap<&'static str, bool>>>>;

fn main() {
    let arguments = Arguments::from_args();
    let table = Table::default();
    let mut trials = Vec::new();
    for case in case::all() {
        let case = Arc::new(case);
        for (column, test) in COLUMNS {
            if case.is_about(column) {
                trials.push(trial(&case, column, test, &table));
            }
        }
    }
    trials.extend(recorded::trials());
    trials.extend(bundles::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    print(&table.lock().unwrap());
    conclusion.exit();
}

fn trial(case: &Arc<Case>, column: &'static str, test: case::Test, table: &Table) -> Trial {
    let (case, table) = (case.clone(), table.clone());
    Trial::test(format!("{}::{column}", case.id), move || {
        let result = test(&case).map_err(libtest_mimic::Failed::from).and_then(support::verdict);
        table.lock().unwrap().entry(case.id.clone()).or_default().insert(column, result.is_ok());
        result
    })
}

/// One line a situation, then the sums.
fn print(table: &BTreeMap<String, BTreeMap<&'static str, bool>>) {
    if table.is_empty() {
        return;
    }
    let header: String = COLUMNS.iter().map(|(column, _)| format!("{column:<10}")).collect();
    println!("{:<36}{header}", "situation");
    let mut sums = BTreeMap::new();
    for (id, row) in table {
        let cell = |column| match row.get(column) {
            Some(true) => "works",
            Some(false) => "FAILS",
            None => "-",
        };
        for (column, works) in row {
            let (good, all) = sums.entry(*column).or_insert((0, 0));
            *good += usize::from(*works);
            *all += 1;
        }
        let cells: String = COLUMNS.iter().map(|(column, _)| format!("{:<10}", cell(column))).collect();
        println!("{id:<36}{cells}");
    }
    let sums: Vec<String> = sums.iter().map(|(column, (good, all))| format!("{column}: {good} of {all}")).collect();
    println!("situations: {}\n", sums.join(", "));
}
