//! A run: the cluster made ready, every case asked, the findings printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use kplan::model::Version;
use kplan::schema::Schema;
use serde_json::{Value, json};

use crate::generate::{Case, Generator, names_of};
use crate::options::Options;
use crate::server::Server;
use crate::shrink::shrink;
use crate::{Asked, Judges, bases, folder, report};

/// Connections that ask at the same time.
const THREADS: usize = 4;

/// Runs what the options ask for and prints what came out.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let schema = Schema::of(Version::DEFAULT).ok_or("no facts")?;
    let server = Server::new(&options.url, &options.token);
    for object in bases::cluster() {
        server.store(schema, &object)?;
    }
    let mut judges = Judges { schema, server, stored: Vec::new() };
    let asked = if options.folders.is_empty() {
        generated(&mut judges, options)?
    } else {
        let cases = folder::cases(&judges.server, schema, &options.folders)?;
        ask_all(&judges, cases.len() as u64, |number| cases.get(usize::try_from(number).ok()?).cloned())
    };
    print!("{}", report::tables(&asked));
    show_templates(&asked, options)?;
    let shown = show_differences(&judges, &asked, options);
    for stored in judges.stored.iter().flatten() {
        judges.server.delete(judges.schema, stored)?;
    }
    shown
}

fn generated(judges: &mut Judges<'_>, options: &Options) -> Result<Vec<Asked>, String> {
    let is_asked = |base: &Value| options.kind.as_deref().is_none_or(|kind| names_of(base).1 == kind);
    let bases: Vec<Value> = bases::all().into_iter().filter(is_asked).collect();
    let generator = Generator::new(judges.schema, bases, options.seed, options.updates);
    println!("seed {}: {} objects of {} kinds", options.seed, options.count, generator.kinds());
    if options.updates > 0 {
        let olds = (0..generator.bases.len()).map(|index| generator.old(index));
        let (server, schema) = (&judges.server, judges.schema);
        judges.stored = olds
            .map(|old| {
                let old = old?;
                let stored = server.store(schema, &old);
                stored.inspect_err(|problem| println!("not stored, so no updates of it: {problem}")).ok()
            })
            .collect();
    }
    let asked = ask_all(judges, options.count, |number| generator.case(number));
    Ok(asked)
}

/// Asks every case over several connections; the answers are in the order of the cases.
fn ask_all(judges: &Judges<'_>, count: u64, case: impl Fn(u64) -> Option<Case> + Sync) -> Vec<Asked> {
    let next = AtomicU64::new(0);
    let found = Mutex::new(Vec::new());
    let failed = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let Some(case) = case(number) else { continue };
                    match judges.ask(&case) {
                        Ok(asked) => found.lock().into_iter().for_each(|mut found| found.push((number, asked.clone()))),
                        Err(problem) => failed.lock().into_iter().for_each(|mut failed| {
                            failed.insert(problem.clone());
                        }),
                    }
                }
            });
        }
    });
    for problem in failed.into_inner().unwrap_or_default() {
        println!("not asked: {problem}");
    }
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, asked)| asked).collect()
}

fn show_templates(asked: &[Asked], options: &Options) -> Result<(), String> {
    let Some(path) = &options.templates else { return Ok(()) };
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut known: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let unseen = report::unseen(asked, &known);
    println!("\n{} templates of messages were never seen before:", unseen.len());
    for template in &unseen {
        println!("  {template}");
    }
    known.extend(unseen);
    let lines: Vec<String> = known.into_iter().collect();
    write(path, &(lines.join("\n") + "\n"))
}

fn show_differences(judges: &Judges<'_>, asked: &[Asked], options: &Options) -> Result<(), String> {
    let differences = report::differences(asked);
    println!("\n{} kinds of differences", differences.len());
    let mut rows = Vec::new();
    for (count, example) in differences.into_iter().take(options.show) {
        let shrunk = options
            .shrink
            .then(|| shrink(judges, &example.case, &example.signature()))
            .and_then(|case| judges.ask(&case).ok());
        let example = shrunk.as_ref().unwrap_or(example);
        let (server, ours) = example.signature();
        println!("\n{count} × {}", example.case.name);
        for (judge, lines, answer) in [("server", server, &example.server), ("kplan", ours, &example.ours)] {
            if lines.is_empty() && !example.server.is_accepted() && !example.ours.is_accepted() {
                println!("  {judge}: {}", answer.message);
            } else if lines.is_empty() {
                println!("  {judge}: {}", if answer.is_accepted() { "accepts" } else { "refuses" });
            }
            for line in answer.lines().iter().filter(|line| lines.contains(&crate::answer::template(line))) {
                println!("  {judge}: {line}");
            }
        }
        if options.shrink {
            println!("  {}", example.case.object);
        }
        rows.push(row(example));
    }
    match &options.record {
        Some(path) => write(path, &rows.concat()),
        None => Ok(()),
    }
}

/// A case as a line of `fixtures/validate`.
fn row(asked: &Asked) -> String {
    let mut row = json!({ "name": asked.case.name });
    match &asked.case.old {
        None => row["object"] = asked.case.object.clone(),
        Some((_, old)) => {
            row["old"] = old.clone();
            row["new"] = asked.case.object.clone();
        }
    }
    let answer = asked.server.row();
    for (key, value) in answer.as_object().into_iter().flatten() {
        row[key] = value.clone();
    }
    format!("{row}\n")
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
