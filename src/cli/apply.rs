//! `kplan apply`: the plan, the question, then doing it.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::args::{ApplyArgs, Terms, WaitArgs};
use super::cluster::{self, Scope};
use super::error::{CliError, Exit};
use super::options::Options;
use super::output::Part;
use super::progress::Steps;
use super::stages::Run;
use crate::apply::{self, Limits, State, Step, World};
use crate::cluster::{self as api, Removal, Resources, Wanted};
use crate::diag::{Class, Finding};
use crate::diff::{self, Action, Change, OnConflict, Policy};
use crate::load::Base;
use crate::plan;
use crate::yaml::{self, View};

const COMMAND: &str = "apply";

pub(super) fn run(args: &ApplyArgs, terms: &Terms) -> Result<Exit, CliError> {
    let mut input = args.input.clone();
    // What is not rendered is not applied.
    input.require_render = true;
    let mut options = Options::new(&input, &args.report, &args.nodes, terms)?;
    if !args.yes && !io::stdin().is_terminal() {
        let help = "give --yes where nobody can answer; `kplan plan` shows what it would do";
        return Err(CliError::usage("apply asks before it changes anything, and there is no terminal", help));
    }
    let cluster = cluster::connect(&args.cluster, &mut options)?;
    let mut run = Run::read(options, Some(cluster))?;
    run.look(Scope::Surroundings)?;
    run.judge();
    run.place()?;
    run.compare(&Base::Cluster, &args.policy)?;
    let policy = cluster::policy(&args.policy, &run.options);
    run.plan();
    run.settle_changes();
    let findings = run.findings()?;
    let steps = steps(&run, &policy);
    let reason = refusal(&run, &findings);
    if reason.is_some() || steps.is_empty() {
        run.write(COMMAND, &findings, &[], Part::Whole)?;
        return Ok(reason.map_or(Exit::Fine, |reason| declined(terms, &reason)));
    }
    run.write(COMMAND, &findings, &[], Part::Question)?;
    if !args.yes && !confirmed(&run, &steps)? {
        run.write(COMMAND, &findings, &[], Part::Results)?;
        return Ok(declined(terms, "it was not confirmed"));
    }
    let outcomes = carry_out(&run, &steps, &policy, limits(&args.wait), terms);
    run.write(COMMAND, &findings, &outcomes, Part::Results)?;
    let all_done = outcomes.iter().all(|outcome| outcome.state == State::Done);
    Ok(if all_done { Exit::Fine } else { Exit::Incomplete })
}

fn declined(terms: &Terms, reason: &str) -> Exit {
    if !terms.quiet {
        super::progress::note(&[format!("nothing was applied: {reason}")]);
    }
    Exit::Negative
}

fn limits(args: &WaitArgs) -> Limits {
    Limits {
        wait: args.wait,
        each: args.timeout,
        total: args.total_timeout,
        trouble: args.trouble_timeout,
        unschedulable: args.unschedulable_timeout,
        load_balancer: args.wait_for_load_balancer,
    }
}

/// Why the plan is not carried out. Pods without a node are no reason: room may come while apply waits.
fn refusal(run: &Run, findings: &[Finding]) -> Option<String> {
    let (changes, _, _) = run.prepared()?;
    // That the update is refused is why the object is made anew.
    let anew = |finding: &Finding| {
        let is_new = |change: &Change| change.action == Action::Replace && change.desired == finding.diagnostic.object;
        let server = finding.diagnostic.server.as_ref();
        finding.diagnostic.object.is_some()
            && server.is_some_and(|server| !server.causes.is_empty() && server.causes.iter().all(diff::is_immutability))
            && changes.iter().any(is_new)
    };
    let counts = |finding: &&Finding| {
        finding.suppressed.is_none()
            && finding.class != Class::Pending
            && finding.severity >= run.options.settings.fail_on
            && !anew(finding)
    };
    let held = |is_going: bool| -> Vec<String> {
        let held = changes.iter().filter(|change| change.action == Action::Conflict && change.is_going == is_going);
        held.map(|change| change.object.title()).collect()
    };
    let (conflicts, going) = (held(false), held(true));
    if !going.is_empty() {
        let names = going.join(", ");
        return Some(format!(
            "{names} is being deleted; wait until it is gone, or see to what its finalizers wait for"
        ));
    }
    let blocked: Vec<&Change> = changes.iter().filter(|change| change.needs_leave).collect();
    let stopping = findings.iter().filter(counts).count();
    if !conflicts.is_empty() {
        let names = conflicts.join(", ");
        return Some(format!(
            "others own fields of {names}; leave the fields out, leave them to their owners with --conflicts leave, or take them with --force-conflicts"
        ));
    }
    if !blocked.is_empty() {
        let names: Vec<String> = blocked.iter().map(|change| change.object.title()).collect();
        let kinds: BTreeSet<&str> = blocked.iter().map(|change| change.object.kind.as_str()).collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(",");
        return Some(format!("{} can only be made anew, which --allow-replace {kinds} allows", names.join(", ")));
    }
    if !run.missing.is_empty() {
        let rights: Vec<String> = run.missing.keys().map(api::Right::text).collect();
        return Some(format!("you have no right to {}", rights.join(", to ")));
    }
    match stopping {
        0 => None,
        1 => Some("the finding above stands against it; mend it first".to_owned()),
        number => Some(format!("{number} findings stand against it; mend them first")),
    }
}

/// The changes that are carried out, in the order of their waves.
fn steps(run: &Run, policy: &Policy) -> Vec<Step> {
    let Some((changes, base, cluster)) = run.prepared() else { return Vec::new() };
    let replicas = cluster::replicas(&run.bundle, base);
    let claims = run.set.as_ref().map(|set| cluster.claims(set, (&run.bundle, base), policy)).unwrap_or_default();
    let gates = plan::gates(&run.bundle);
    let mut steps: Vec<Step> = changes.iter().filter_map(|change| parent_step(run, change)).collect();
    for change in changes {
        let (Action::Create | Action::Update | Action::Replace, Some(id)) = (change.action, change.desired) else {
            continue;
        };
        let replaced = change.base.filter(|_| change.action == Action::Replace).map(|id| base.written(id));
        let replicas = replicas.get(&id).copied().filter(|_| replaced.is_none()).unwrap_or_default();
        let mut payload = api::payload(&run.bundle, id, replicas);
        if let Some(claim) = claims.get(&id) {
            api::join(&mut payload, claim);
        }
        api::leave_out(&mut payload, &change.leaves);
        let live = change.base.filter(|_| change.action == Action::Update).map(|id| base.written(id));
        // Whoever changes or deletes the object meanwhile makes the server say so.
        for key in ["resourceVersion", "uid"] {
            if let Some(seen) = live.and_then(|live| live.at(&["metadata", key])).and_then(View::str) {
                payload["metadata"][key] = seen.into();
            }
        }
        steps.push(Step {
            object: change.object.clone(),
            action: change.action,
            wave: change.wave,
            removal: replaced.map(|live| removal(live, &payload)),
            payload,
            manager: api::MANAGER,
            force: policy.on_conflict == OnConflict::Force || change.takes_over,
            inherits: change.action == Action::Update && !change.inherits.is_empty(),
            clears: if change.action == Action::Update { change.clears.clone() } else { Vec::new() },
            gates: gates.contains(&id),
        });
    }
    steps.sort_by_key(|step| step.wave);
    steps
}

/// The parent of an ApplySet is applied as it was planned; whoever took its annotations, they are the set's.
fn parent_step(run: &Run, change: &Change) -> Option<Step> {
    let set = run.set.as_ref().filter(|set| change.desired.is_none() && change.object == set.parent)?;
    matches!(change.action, Action::Create | Action::Update).then(|| Step {
        object: change.object.clone(),
        action: change.action,
        wave: change.wave,
        removal: None,
        payload: set.payload.clone(),
        manager: api::PARENT_MANAGER,
        force: true,
        inherits: false,
        clears: Vec::new(),
        gates: false,
    })
}

/// How the old object goes: the pods of a StatefulSet run on where the new one will select them too.
fn removal(live: View<'_>, payload: &Value) -> Removal {
    let selector = live.at(&["spec", "selector"]).map(View::to_json);
    let selector: Option<Value> = selector.and_then(|json| serde_json::from_str(&json).ok());
    let adopts = selector.as_ref() == Some(&payload["spec"]["selector"]);
    let propagation = match payload["kind"].as_str() {
        Some("StatefulSet") if adopts => "Orphan",
        Some("Job" | "StatefulSet" | "Deployment" | "DaemonSet" | "ReplicaSet" | "ReplicationController") => {
            "Foreground"
        }
        _ => "Background",
    };
    let uid = live.at(&["metadata", "uid"]).and_then(View::str).unwrap_or_default().to_owned();
    Removal { uid, propagation }
}

/// Asks on the terminal; only `y` and `yes` go on.
fn confirmed(run: &Run, steps: &[Step]) -> Result<bool, CliError> {
    let Some((changes, _, live)) = run.prepared() else { return Ok(false) };
    let restarts: u64 = changes.iter().map(|change| change.restarts).sum();
    let restarts = match restarts {
        0 => "Restarts no pod".to_owned(),
        1 => "Restarts 1 pod".to_owned(),
        number => format!("Restarts {number} pods"),
    };
    let number = steps.len();
    let changes = if number == 1 { "1 change".to_owned() } else { format!("{number} changes") };
    let mut err = io::stderr();
    let anew = match steps.iter().filter(|step| step.removal.is_some()).count() {
        0 => "deletes nothing".to_owned(),
        1 => "makes 1 object anew".to_owned(),
        number => format!("makes {number} objects anew"),
    };
    write!(err, "Apply {changes} to {}? {restarts}, {anew}. [y/N] ", live.title())?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Applies and waits; Ctrl-C stops before the next request, and what was done is told.
fn carry_out(run: &Run, steps: &[Step], policy: &Policy, limits: Limits, terms: &Terms) -> Vec<apply::Outcome> {
    let Some((_, _, cluster)) = run.prepared() else { return Vec::new() };
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    // Without a handler Ctrl-C ends the program at once, as anywhere else.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // A second one: whoever presses it does not want to wait for the report.
            std::process::abort();
        }
    });
    let shown = Steps::new(steps, terms.quiet);
    let client = cluster.client();
    let read = |resources: &Resources, wanted: &[Wanted]| {
        api::read(&cluster.client(), resources, wanted).map(|read| run.parse_live(read.loaded))
    };
    let world = World {
        client: &client,
        limits,
        policy,
        read: &read,
        recheck: &|step| recheck(run, step),
        interrupted: &interrupted,
        tell: &|event| shown.tell(event),
    };
    let outcomes = apply::run(&world, cluster.resources.clone(), steps);
    shown.end();
    outcomes
}

/// Asks again what would become of an object that has changed since the plan.
fn recheck(run: &Run, step: &Step) -> Result<String, String> {
    let changed = |what: &str| format!("it was {what} since the plan: plan again to see what that means");
    let (changes, base, cluster) = run.prepared().ok_or_else(|| changed("changed"))?;
    let change = changes.iter().find(|change| change.object == step.object).ok_or_else(|| changed("changed"))?;
    let again = api::dry_run_again(&cluster.client(), &cluster.resources, &step.object, &step.payload, step.force);
    let (live, stored) = again.map_err(|error| error.message)?.ok_or_else(|| changed("deleted"))?;
    let (live_file, stored_file) = (yaml::read(&live.into()), yaml::read(&stored.into()));
    let root = |file: &yaml::File| file.documents.first().and_then(|document| document.root);
    let (Some(live), Some(stored)) = (root(&live_file), root(&stored_file)) else { return Err(changed("changed")) };
    let views = (live_file.tree.view(live), stored_file.tree.view(stored));
    if !diff::is_same_change(change, (&run.bundle, base), views, &run.options.settings) {
        return Err(changed("changed"));
    }
    let version = views.0.at(&["metadata", "resourceVersion"]).and_then(View::str);
    version.map(str::to_owned).ok_or_else(|| changed("changed"))
}
