//! `oracle admission`: objects made in small worlds, one after the other, by the server and by kplan.
//!
//! Only creates are asked: quotas count what is really stored. The server has no controllers here, so the status of
//! quotas is written by this program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kplan::admission::{Admission, Admitted};
use kplan::config::Settings;
use kplan::load::{self, Input};
use kplan::model::{Bundle, Live, Object, ObjectId, Version};
use kplan::schema::Schema;
use kplan::{defaults, parse, validate};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, template};
use crate::options::Options;
use crate::ours;
use crate::run::write;
use crate::server::{Server, sent};
use crate::worlds::{OBJECTS, World, classes};

/// How long the server's caches may take to see what was made.
const SETTLES: Duration = Duration::from_millis(2500);
const THREADS: usize = 3;

/// What one judge said of one object, and what of it admission decides where it is stored.
#[derive(Clone, Debug)]
struct Said {
    answer: Answer,
    stored: Value,
}

/// An object that both were asked about.
struct Asked {
    row: Value,
    server: Said,
    ours: Said,
}

impl Asked {
    fn agrees(&self) -> (bool, bool, bool) {
        let agrees = sorted(&self.ours.answer).agrees(&sorted(&self.server.answer));
        let stored = !self.server.answer.is_accepted() || self.ours.stored == self.server.stored;
        (agrees.verdict, agrees.verdict && agrees.message, stored)
    }
}

/// Asks for `options.count` objects and prints how often both agree.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let schema = Schema::of(Version::DEFAULT).ok_or("no facts")?;
    let server = Server::new(&options.url, &options.token);
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let worlds = options.count.div_ceil(OBJECTS as u64);
    let mut asked = Vec::new();
    for with_default in [false, true] {
        let mut shared = Vec::new();
        for class in classes(true) {
            let wanted = with_default || class["globalDefault"] != true;
            if wanted {
                server.store(schema, &class).map(|_| shared.push(class))?
            } else {
                server.delete(schema, &class)?
            }
        }
        let numbers = (0..worlds).filter(|number| (number % 2 == 1) == with_default);
        let worlds: Vec<World> = numbers.map(|number| World::new(options.seed, number, stamp)).collect();
        for world in &worlds {
            prepare(&server, schema, world)?;
        }
        thread::sleep(SETTLES);
        asked.extend(ask_all(&server, schema, &shared, &worlds)?);
    }
    // Default classes would change what other runs store.
    for class in classes(true) {
        server.delete(schema, &class)?;
    }
    report(&asked, options)
}

fn prepare(server: &Server, schema: &Schema, world: &World) -> Result<(), String> {
    server.store(schema, &world.namespace)?;
    for rule in &world.rules {
        let stored = server.store(schema, rule)?;
        if rule["kind"] == "ResourceQuota" {
            server.set_status(schema, &stored, status(rule))?;
        }
    }
    Ok(())
}

/// The status of a quota of which nothing is used.
fn status(quota: &Value) -> Value {
    let hard = quota["spec"]["hard"].as_object().cloned().unwrap_or_default();
    let used: Map<String, Value> = hard.keys().map(|name| (name.clone(), "0".into())).collect();
    json!({ "hard": hard, "used": used })
}

fn ask_all(server: &Server, schema: &Schema, shared: &[Value], worlds: &[World]) -> Result<Vec<Asked>, String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<(), String> {
        while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let asked = ask(server, schema, shared, world)?;
            found.lock().map_err(|error| error.to_string())?.extend(asked);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
    })?;
    found.into_inner().map_err(|error| error.to_string())
}

fn ask(server: &Server, schema: &Schema, shared: &[Value], world: &World) -> Result<Vec<Asked>, String> {
    let mut set: Vec<Value> = shared.to_vec();
    set.push(world.namespace.clone());
    for rule in &world.rules {
        let mut rule = rule.clone();
        if rule["kind"] == "ResourceQuota" {
            rule["status"] = status(&rule);
        }
        set.push(rule);
    }
    let ours = judge(schema, &set, &world.objects);
    let mut asked = Vec::new();
    for (index, (object, ours)) in world.objects.iter().zip(ours).enumerate() {
        let (answer, body) = server.make(schema, object)?;
        let server = Said { answer, stored: decided(&body) };
        let mut row = row(&set, object, &server);
        row["before"] = world.objects[..index].into();
        asked.push(Asked { row, server, ours });
    }
    Ok(asked)
}

/// As a line of `fixtures/admission`.
fn row(set: &[Value], object: &Value, server: &Said) -> Value {
    let part = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    let name = format!("{} {}", part("namespace"), part("name"));
    let mut row = json!({ "name": name, "set": set, "object": object });
    for (key, value) in server.answer.row().as_object().into_iter().flatten() {
        row[key] = value.clone();
    }
    if server.answer.is_accepted() {
        row["stored"] = server.stored.clone();
    }
    row
}

/// Go walks maps in random order: several problems in an order of their own.
fn sorted(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    if let Some((head, rest)) = answer.message.split_once(" is forbidden: [") {
        let mut parts: Vec<&str> = rest.trim_end_matches(']').split(", ").collect();
        parts.sort_unstable();
        answer.message = format!("{head} is forbidden: [{}]", parts.join(", "));
    }
    answer
}

/// What of a stored object admission decides.
fn decided(object: &Value) -> Value {
    let spec = &object["spec"];
    let mut found = Map::new();
    let mut keys = vec!["tolerations", "priority", "priorityClassName", "preemptionPolicy", "overhead", "nodeSelector"];
    match object["kind"].as_str() {
        Some("Pod") => {
            for list in ["containers", "initContainers"] {
                let each = spec[list].as_array().into_iter().flatten();
                let resources: Vec<Value> = each.map(|container| filled(&container["resources"])).collect();
                found.insert(list.to_owned(), resources.into());
            }
        }
        Some("PersistentVolumeClaim") => keys = vec!["storageClassName"],
        _ => keys.clear(),
    }
    for key in keys.into_iter().filter(|key| !spec[*key].is_null()) {
        found.insert(key.to_owned(), spec[key].clone());
    }
    Value::Object(found)
}

/// Lists of resources without those that are empty.
fn filled(resources: &Value) -> Value {
    let mut resources = resources.as_object().cloned().unwrap_or_default();
    resources.retain(|_, list| list.as_object().is_none_or(|list| !list.is_empty()));
    Value::Object(resources)
}

/// A set of objects as kplan reads it.
fn read(schema: &Schema, objects: &[Value]) -> Bundle {
    let settings = Settings::default();
    let input = |(index, object): (usize, &Value)| Input {
        name: format!("{index}.json"),
        content: Ok(sent(object).into_bytes()),
        path: 0,
        explicit: true,
    };
    let (loaded, _) = load::assemble(objects.iter().enumerate().map(input).collect(), &settings);
    let scope = |version: &str, kind: &str| schema.served(version, kind).map(|kind| kind.namespaced);
    let (mut bundle, _) = parse::run(loaded, &settings, &scope);
    defaults::run(&mut bundle, schema);
    bundle
}

/// What kplan says of objects that are made where a set is, in order.
fn judge(schema: &Schema, set: &[Value], objects: &[Value]) -> Vec<Said> {
    let (bundle, mut live) = (read(schema, objects), read(schema, set));
    let whole = ["PriorityClass", "RuntimeClass"].map(|kind| (kind.to_owned(), BTreeSet::new())).into();
    live.live = Some(Live { whole, ..Live::default() });
    let found = validate::run(&bundle, Some(&live), schema);
    let admission = Admission::of(&bundle, Some(&live));
    let said = |(id, object): (ObjectId, &Object)| {
        let own: Vec<_> = found.iter().filter(|found| found.object == Some(id)).cloned().collect();
        let admitted = admission.mutate(object, bundle.full(id));
        let full = admitted.as_ref().map_or_else(|| bundle.full(id), Admitted::view);
        let stored = serde_json::from_str(&full.to_json()).unwrap_or(Value::Null);
        let mut answer = ours::of_server(&own);
        if answer.is_accepted() {
            let warnings = own.iter().filter(|found| found.rule == "api-warning");
            answer.warnings = warnings.map(|found| found.message.clone()).collect();
        }
        Said { answer, stored: decided(&stored) }
    };
    bundle.iter().map(said).collect()
}

/// Which part of the server an answer comes from.
fn origin(answer: &Answer) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("violates PodSecurity", "PodSecurity"),
        ("quota: ", "ResourceQuota"),
        (" per Container is ", "LimitRanger"),
        (" per Pod is ", "LimitRanger"),
        (" per PersistentVolumeClaim is ", "LimitRanger"),
        ("priority admission controller", "Priority"),
        ("PriorityClass", "Priority"),
        ("untimeClass", "RuntimeClass"),
    ];
    if answer.is_accepted() {
        return "accepted".to_owned();
    }
    let known = WORDS.iter().find(|(words, _)| answer.code == 403 && answer.message.contains(words));
    known.map_or_else(|| answer.code.to_string(), |(_, name)| (*name).to_owned())
}

fn report(asked: &[Asked], options: &Options) -> Result<(), String> {
    let mut tallies: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    for one in asked {
        let (verdict, message, stored) = one.agrees();
        for name in [origin(&one.server.answer), "all".to_owned()] {
            let tally = tallies.entry(name).or_default();
            for (count, counts) in tally.iter_mut().zip([true, verdict, message, stored]) {
                *count += usize::from(counts);
            }
        }
    }
    println!("seed {}: {} objects made in worlds of {OBJECTS}", options.seed, asked.len());
    println!("{:<20}{:>8}{:>10}{:>10}{:>10}", "", "asked", "verdicts", "messages", "stored");
    for (name, [asked, verdicts, messages, stored]) in &tallies {
        println!("{name:<20}{asked:>8}{verdicts:>10}{messages:>10}{stored:>10}");
    }
    let mut groups: BTreeMap<(String, String), Vec<&Asked>> = BTreeMap::new();
    for one in asked.iter().filter(|one| one.agrees() != (true, true, true)) {
        groups.entry((template(&shown(&one.server)), template(&shown(&one.ours)))).or_default().push(one);
    }
    println!("\n{} kinds of differences", groups.len());
    for group in groups.values().take(options.show) {
        let Some(one) = group.iter().min_by_key(|one| one.row["set"].to_string().len()) else { continue };
        println!("\n{} × {}", group.len(), one.row["name"]);
        println!("  server: {}\n  kplan:  {}\n  {}", shown(&one.server), shown(&one.ours), one.row["object"]);
    }
    options.record.as_ref().map_or(Ok(()), |path| write(path, &rows(asked)))
}

/// The smallest case of each answer, those where the judges differ first among them, as lines of `fixtures/admission`.
fn rows(asked: &[Asked]) -> String {
    let mut smallest: BTreeMap<String, (bool, usize, Value)> = BTreeMap::new();
    for one in asked {
        let row = without_unused(&one.row);
        let rank = (one.agrees() == (true, true, true), row.to_string().len());
        let key =
            if one.server.answer.is_accepted() { keys(&one.server.stored) } else { template(&shown(&one.server)) };
        let known = smallest.entry(key).or_insert_with(|| (rank.0, rank.1, row.clone()));
        if rank < (known.0, known.1) {
            *known = (rank.0, rank.1, row);
        }
    }
    smallest.into_values().map(|(_, _, row)| format!("{row}\n")).collect()
}

/// Which fields admission decides.
fn keys(stored: &Value) -> String {
    stored.as_object().map_or_else(String::new, |fields| fields.keys().cloned().collect::<Vec<_>>().join(" "))
}

/// A row without the classes that it does not name, and without earlier objects where nothing counts them.
fn without_unused(row: &Value) -> Value {
    let mut row = row.clone();
    let said = row["object"].to_string() + &row["before"].to_string();
    let counted = row["set"].to_string().contains("ResourceQuota");
    if let Some(set) = row["set"].as_array_mut() {
        let named = |class: &Value| class["metadata"]["name"].as_str().is_some_and(|name| said.contains(name));
        let default = |class: &Value| class["globalDefault"] == true || class["metadata"]["name"] == "adm-standard";
        let kept = |rule: &Value| rule["kind"] == "Namespace" || !rule["metadata"]["namespace"].is_null();
        set.retain(|rule| kept(rule) || named(rule) || default(rule));
    }
    if !counted {
        row["before"] = json!([]);
    }
    row
}

fn shown(said: &Said) -> String {
    if said.answer.is_accepted() { format!("stores {}", said.stored) } else { said.answer.lines().join("; ") }
}
