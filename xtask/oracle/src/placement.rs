//! `oracle placement`: random clusters through the real scheduler and through kplan, each pod judged on the recorded
//! placements of those before it.

mod controller;
mod generate;
mod pods;
mod scheduler;
mod volumes;

#[path = "../../../tests/placement_cases/play.rs"]
mod play;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use kplan::model::Version;
use kplan::schema::Schema;
use kplan::simulate::schedulers;
use serde_json::Value;

use crate::server::Server;
use play::Difference;
use scheduler::Scheduler;

const USAGE: &str = "\
usage: cargo xtask oracle placement [OPTION...]
  --seed N        seed of the random clusters (1)
  --count N       how many pods (1000)
  --first N       the first cluster of the seed (0)
  --kube-version V  the minor version of the scheduler (1.36; others as in tests/control-plane)
  --scheduler-config FILE  a KubeSchedulerConfiguration with profiles; pods name them at random
  --aim NAME      only clusters aimed at this plugin
  --show N        differences to show (20)
  --record FILE   write the clusters that differ as rows of fixtures/simulate
  --rows FILE     write every cluster";

struct Options {
    url: String,
    token: String,
    log: PathBuf,
    seed: u64,
    first: u64,
    count: usize,
    version: Version,
    config: Option<String>,
    aim: Option<String>,
    show: usize,
    record: Option<PathBuf>,
    rows: Option<PathBuf>,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let (url, token, log) = (String::new(), String::new(), PathBuf::new());
        let mut options = Self {
            url,
            token,
            log,
            seed: 1,
            first: 0,
            count: 1000,
            version: Version::DEFAULT,
            config: None,
            aim: None,
            show: 20,
            record: None,
            rows: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"))?;
            let number = || value.parse().map_err(|_| format!("{value} is not a number\n{USAGE}"));
            match argument.as_str() {
                "--server" => options.url.clone_from(value),
                "--token" => options.token.clone_from(value),
                "--log" => options.log = value.into(),
                "--seed" => options.seed = number()? as u64,
                "--first" => options.first = number()? as u64,
                "--count" => options.count = number()?,
                "--kube-version" => options.version = value.parse()?,
                "--scheduler-config" => {
                    let text = std::fs::read_to_string(value).map_err(|error| format!("{value}: {error}"))?;
                    options.config = Some(text);
                }
                "--aim" => options.aim = Some(value.clone()),
                "--show" => options.show = number()?,
                "--record" => options.record = Some(value.into()),
                "--rows" => options.rows = Some(value.into()),
                option => return Err(format!("no such option: {option}\n{USAGE}")),
            }
        }
        match &options.aim {
            Some(aim) if !generate::AIMS.contains(&aim.as_str()) => {
                Err(format!("no such aim: {aim}; there are: {}", generate::AIMS.join(", ")))
            }
            _ => Ok(options),
        }
    }
}

/// A row with what differs in it.
type Wrong = (Value, Vec<Difference>);

/// What came of the clusters aimed at one plugin.
#[derive(Debug, Default)]
struct Count {
    pods: usize,
    scheduled: usize,
    unschedulable: usize,
    preempting: usize,
    scored: usize,
    /// Pods with a difference, and the differences by kind.
    wrong: usize,
    kinds: BTreeMap<&'static str, usize>,
}

impl Count {
    fn add(&mut self, row: &Value, differences: &[Difference]) {
        for result in results(row) {
            match result["outcome"].as_str() {
                Some("bypassed") => continue,
                Some("scheduled") => self.scheduled += 1,
                Some("unschedulable") => self.unschedulable += 1,
                _ => {}
            }
            self.pods += 1;
            self.preempting += usize::from(result["nominated_node"].is_string());
            self.scored += usize::from(result["scores"].as_object().is_some_and(|scores| !scores.is_empty()));
        }
        self.wrong += differences.iter().map(|found| &found.pod).collect::<BTreeSet<_>>().len();
        for found in differences {
            *self.kinds.entry(found.what).or_default() += 1;
        }
    }
}

/// Runs what the arguments ask for and prints what came out.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = Options::read(arguments)?;
    let schema = Schema::of(Version::DEFAULT).ok_or("no facts")?;
    let names = options.config.as_deref().map(profiles).transpose()?.unwrap_or_default();
    let server = Server::new(&options.url, &options.token);
    let (log, config) = (options.log.clone(), options.config.clone());
    let mut scheduler = Scheduler::new(server, schema, log, options.version, config);
    let common = generate::common();
    for object in &common {
        scheduler.store(object)?;
    }
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let (mut judged, mut number, mut flukes) = (0, options.first, 0);
    let (mut wrong, mut rows, mut unasked): (Vec<Wrong>, Vec<Value>, Vec<String>) = Default::default();
    while judged < options.count && unasked.len() < 100 {
        let case = generate::case(options.seed, number, options.aim.as_deref(), &names);
        number += 1;
        let (row, differences) = match asked(&mut scheduler, &case, &common) {
            // What the scheduler had not yet seen may decide; it is asked once more.
            Ok((_, differences)) if !differences.is_empty() => {
                let again = asked(&mut scheduler, &case, &common)?;
                flukes += usize::from(again.1.is_empty());
                again
            }
            Ok(asked) => asked,
            Err(problem) => {
                unasked.push(problem);
                continue;
            }
        };
        let count = counts.entry(case.aim).or_default();
        let before = count.pods;
        count.add(&row, &differences);
        judged += count.pods - before;
        if options.rows.is_some() {
            rows.push(row.clone());
        }
        if !differences.is_empty() {
            wrong.push((row, differences));
        }
    }
    println!("seed {}: {judged} pods in {} clusters", options.seed, number - options.first);
    println!("{flukes} clusters differed once and agreed when asked again; {} were not asked", unasked.len());
    unasked.iter().take(5).for_each(|problem| println!("  not asked: {problem}"));
    print_counts(&counts);
    print_differences(&wrong, options.show);
    let wrong: Vec<Value> = wrong.iter().map(|(row, differences)| shortened(row, differences)).collect();
    [(options.record, wrong), (options.rows, rows)].into_iter().try_for_each(|(path, rows)| write(path, &rows))
}

/// The names of a configuration's profiles, in order.
fn profiles(text: &str) -> Result<Vec<String>, String> {
    let known = schedulers::read(&text.into()).map_err(|errors| format!("{errors:?}"))?;
    let mut names: Vec<String> = known.named.into_keys().collect();
    names.sort();
    Ok(names)
}

fn asked(scheduler: &mut Scheduler<'_>, case: &generate::Case, common: &[Value]) -> Result<Wrong, String> {
    let row = scheduler.play(case, common)?;
    let differences = play::play(&row);
    Ok((row, differences))
}

/// One line a plugin, the worst first.
fn print_counts(counts: &BTreeMap<&str, Count>) {
    let mut lines: Vec<(&&str, &Count)> = counts.iter().collect();
    lines.sort_by_key(|(_, count)| (std::cmp::Reverse(count.wrong * 1_000_000 / count.pods.max(1)), count.pods));
    let name = "aimed at";
    println!("\n{name:36} pods  differ  scheduled  scored  unschedulable  preempting");
    let line = |name: &str, count: &Count| {
        let Count { pods, scheduled, unschedulable, preempting, scored, wrong, kinds } = count;
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        println!(
            "{name:34} {pods:6}  {wrong:6}  {scheduled:9}  {scored:6}  {unschedulable:13}  {preempting:10}  {}",
            kinds.join(", ")
        );
    };
    let mut all = Count::default();
    for (name, count) in lines {
        line(name, count);
        all.pods += count.pods;
        all.wrong += count.wrong;
        all.scheduled += count.scheduled;
        all.scored += count.scored;
        all.unschedulable += count.unschedulable;
        all.preempting += count.preempting;
    }
    line("all", &all);
}

fn print_differences(wrong: &[Wrong], show: usize) {
    for (row, differences) in wrong.iter().take(show) {
        println!("\n{}", row["name"].as_str().unwrap_or_default());
        for Difference { pod, what, ours, theirs } in differences {
            println!("  {pod}: {what}\n    scheduler {theirs}\n    kplan     {ours}");
        }
    }
}

fn results(row: &Value) -> impl Iterator<Item = &Value> {
    row["results"].as_array().into_iter().flatten()
}

/// A row up to its first pod that differs: what comes after it has no part in it.
fn shortened(row: &Value, differences: &[Difference]) -> Value {
    let first = differences.first().map_or("", |found| found.pod.as_str());
    let count = results(row).position(|result| result["pod"] == first).map_or(usize::MAX, |at| at + 1);
    let mut row = row.clone();
    for list in ["pods", "results"] {
        row[list].as_array_mut().into_iter().for_each(|list| list.truncate(count));
    }
    row
}

fn write(path: Option<PathBuf>, rows: &[Value]) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}
