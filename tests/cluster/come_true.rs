//! Plans that come true: changes made by seed, planned and applied on a real cluster. What was planned is what then is
//! there, field by field; as many pods are replaced as was said, as many endpoints are behind each Service; a second
//! plan is empty; and `kubectl diff` finds nothing exactly where kplan does. Agreement is counted by kind and change.
//!
//! Three changes a seed, in a namespace of their own. The ordinary run takes the first seeds;
//! `KPLAN_COME_TRUE=100 cargo test --test cluster -- come_true::` takes a hundred of them, which is all changes at least
//! once and 300 together; `KPLAN_COME_TRUE=17-17` takes one.

mod changes;
mod judge;
mod made;
mod news;
mod set;
mod switches;

use std::collections::BTreeMap;
use std::sync::Mutex;

use libtest_mimic::{Failed, Trial};

use crate::plane::{Needs, Plane, trial};
use crate::support;
use changes::{CHANGES, Change};
use news::NEWS;
use set::{Gen, Made};
use switches::SWITCHES;

/// How many seeds, or which: `N` or `FIRST-LAST`, counted from 1.
const VARIABLE: &str = "KPLAN_COME_TRUE";
/// Seeds of an ordinary run.
const ORDINARY: u64 = 8;
/// Changes of a seed.
const EACH: u64 = 3;

/// A change of the table with what makes it this time.
pub struct Picked {
    pub kind: &'static str,
    pub change: &'static str,
    /// What the names of its objects begin with.
    pub name: String,
    pub made: Made,
}

/// The changes of a seed: those of all seeds in turn go through the table with a stride that meets every one of them. A
/// seed means the same as long as the table has as many rows.
fn picked(seed: u64, namespace: &str) -> Vec<Picked> {
    const STRIDE: u64 = 37;
    let table: Vec<(&str, &str, Change)> = [CHANGES, SWITCHES, NEWS].concat();
    let end = namespace.rsplit('-').next().unwrap_or_default();
    let pick = |index: u64| {
        let number = (seed - 1) * EACH + index;
        let (kind, change, make) = table[(number * STRIDE) as usize % table.len()];
        let letter = char::from(b'a' + index as u8);
        let name = format!("{letter}{end}");
        let made = make(&mut Gen::new(number, name.clone(), namespace.to_owned()));
        Picked { kind, change, name, made }
    };
    (0..EACH).map(pick).collect()
}

pub fn trials() -> Vec<Trial> {
    let (first, last) = crate::seeds(VARIABLE, ORDINARY);
    let one = |seed: u64| trial(&format!("come_true::seed_{seed}"), Needs::Own, move |plane| run(plane, seed));
    (first..=last).map(one).collect()
}

/// By kind and change: how many came true, and how many there were.
type Table = BTreeMap<(&'static str, &'static str), (u32, u32)>;
static TABLE: Mutex<Table> = Mutex::new(BTreeMap::new());

fn run(plane: &Plane, seed: u64) -> Result<(), Failed> {
    let set = judge::Set::new(plane, seed)?;
    let picked = picked(seed, &set.namespace);
    let wrong = judge::run(&set, &picked)?;
    let mut lines = Vec::new();
    for (index, picked) in picked.iter().enumerate() {
        let own: Vec<&String> = wrong.iter().filter(|(of, _)| *of == Some(index)).map(|(_, line)| line).collect();
        let common = wrong.iter().any(|(of, _)| of.is_none());
        let mut table = TABLE.lock().unwrap();
        let (agree, all) = table.entry((picked.kind, picked.change)).or_default();
        *agree += u32::from(own.is_empty() && !common);
        *all += 1;
        lines.extend(own.iter().map(|line| format!("{}, {}: {line}", picked.kind, picked.change)));
    }
    lines.extend(wrong.iter().filter(|(of, _)| of.is_none()).map(|(_, line)| line.clone()));
    support::verdict(lines)
}

/// Prints the table.
#[allow(clippy::print_stdout)]
pub fn end() {
    let table = TABLE.lock().unwrap();
    if table.is_empty() {
        return;
    }
    println!("{:<34}{:<46}came true", "kind", "change");
    let (mut agree, mut all) = (0, 0);
    for ((kind, change), (of_these, number)) in &*table {
        println!("{kind:<34}{change:<46}{of_these} of {number}");
        agree += of_these;
        all += number;
    }
    println!("come true: {agree} of {all}");
}
