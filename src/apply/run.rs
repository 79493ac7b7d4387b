//! Doing what the plan says: wave by wave, eight objects at a time, then waiting until the changed objects are ready.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::steps::{Event, Outcome, State, Step, World};
use super::wait;
use crate::cluster::{self, Resources, apply_as, create_request, parallel, status_of};
use crate::diff::ObjectRef;

/// How long a CustomResourceDefinition that is established may take to be served.
const SERVED: Duration = Duration::from_secs(30);
/// How long an object may keep changing under our hands.
const CHANGING: Duration = Duration::from_secs(15);
/// How long a new namespace may take to get its default ServiceAccount.
const ACCOUNT: Duration = Duration::from_secs(15);
/// Pause between two looks at what is served.
const PAUSE: Duration = Duration::from_millis(200);

/// Applies the steps; gives what became of each, in their order.
pub fn run(world: &World<'_>, mut resources: Resources, steps: &[Step]) -> Vec<Outcome> {
    let start = Instant::now();
    let mut outcomes: Vec<Outcome> = steps.iter().map(outcome).collect();
    let waves: BTreeSet<u32> = steps.iter().map(|step| step.wave).collect();
    for wave in waves {
        let mut ids: Vec<usize> = (0..steps.len()).filter(|id| steps[*id].wave == wave).collect();
        apply(world, &resources, steps, &ids, &mut outcomes);
        if stopped(world, &outcomes) {
            break;
        }
        ids.retain(|id| steps[*id].gates);
        wait::until_ready(world, &resources, steps, &ids, &mut outcomes, start);
        if stopped(world, &outcomes) {
            break;
        }
        if ids.iter().any(|id| steps[*id].object.kind == "CustomResourceDefinition") {
            resources = served(world, resources, steps, wave);
        }
    }
    // What was applied is followed even where something else failed: a rollout under way has its own result.
    let open = |outcome: &Outcome| outcome.is_applied && outcome.state == State::NotStarted;
    let applied: Vec<usize> = (0..steps.len()).filter(|id| open(&outcomes[*id])).collect();
    if world.limits.wait {
        wait::until_ready(world, &resources, steps, &applied, &mut outcomes, start);
    } else {
        applied.iter().for_each(|id| outcomes[*id].state = State::Done);
    }
    outcomes
}

fn outcome(step: &Step) -> Outcome {
    Outcome {
        object: step.object.clone(),
        action: step.action,
        state: State::NotStarted,
        message: String::new(),
        seconds: 0.0,
        is_applied: false,
        since: None,
    }
}

fn stopped(world: &World<'_>, outcomes: &[Outcome]) -> bool {
    world.is_interrupted() || outcomes.iter().any(|outcome| outcome.state == State::Failed)
}

/// Applies the objects of one wave. After a failure no further request begins.
fn apply(world: &World<'_>, resources: &Resources, steps: &[Step], ids: &[usize], outcomes: &mut [Outcome]) {
    let failed = AtomicBool::new(false);
    let results = parallel(ids, |id| {
        if world.is_interrupted() || failed.load(Ordering::Relaxed) {
            return None;
        }
        let since = Instant::now();
        let result = send(world, resources, &steps[*id]);
        match &result {
            Ok(_) => (world.tell)(Event::Applied(*id)),
            Err(message) => {
                failed.store(true, Ordering::Relaxed);
                (world.tell)(Event::Failed(*id, message));
            }
        }
        Some((since, result))
    });
    for (id, result) in ids.iter().zip(results) {
        let Some((since, result)) = result else { continue };
        let outcome = &mut outcomes[*id];
        outcome.since = Some(since);
        outcome.seconds = since.elapsed().as_secs_f64();
        match result {
            Ok(name) => {
                outcome.is_applied = true;
                outcome.object.name = name;
            }
            Err(message) => (outcome.state, outcome.message) = (State::Failed, message),
        }
    }
}

/// Applies one object; gives the name that it has, which the server makes where there is only a `generateName`.
fn send(world: &World<'_>, resources: &Resources, step: &Step) -> Result<String, String> {
    let ObjectRef { api_version, kind, namespace, name } = &step.object;
    let Some(resource) = resources.get(api_version, kind) else {
        return Err(format!("the API server does not serve {kind} in {api_version}"));
    };
    let mut payload = step.payload.clone();
    let since = Instant::now();
    let path = resource.object(namespace.as_deref(), name);
    let gone = |version: &str| resources.get(version, kind).is_none();
    make_way(world, step, &path, &gone, &mut payload)?;
    loop {
        let request = if payload["metadata"]["name"].is_string() {
            apply_as(step.manager, &path, &payload, step.force, false)
        } else {
            create_request(&resource.collection(namespace.as_deref()), &payload, false)
        };
        let response = world
            .client
            .send(&request)
            .map_err(|error| format!("{}; whether it was applied is not known: plan again to see", error.message))?;
        if response.is_ok() {
            let stored: Value = serde_json::from_str(&response.body).unwrap_or_default();
            return Ok(stored["metadata"]["name"].as_str().unwrap_or(name).to_owned());
        }
        let status = status_of(&response);
        if status.code == 409 && !status.is_field_conflict() && since.elapsed() < CHANGING {
            payload["metadata"]["resourceVersion"] = (world.recheck)(step)?.into();
            continue;
        }
        let message = status.message;
        // A new namespace gets its default ServiceAccount a moment after it is active, and pods are refused before.
        let early = response.status == 403 && message.contains("error looking up service account");
        if !early || since.elapsed() > ACCOUNT || world.is_interrupted() {
            return Err(message);
        }
        std::thread::sleep(PAUSE);
    }
}

/// What comes before the apply itself: predecessors' fields become kplan's, and what can only be made anew goes.
fn make_way(
    world: &World<'_>,
    step: &Step,
    path: &str,
    gone: &dyn Fn(&str) -> bool,
    payload: &mut Value,
) -> Result<(), String> {
    if let Some(removal) = &step.removal {
        let goes_on = || !world.is_interrupted();
        return cluster::remove(world.client, path, removal, world.limits.each, &goes_on)
            .map_err(|error| error.message);
    }
    if (step.inherits || !step.clears.is_empty())
        && let Some(inherited) =
            cluster::inherit(world.client, path, world.policy, gone, &step.clears).map_err(|error| error.message)?
        && payload["metadata"]["resourceVersion"] == inherited.before.as_str()
    {
        payload["metadata"]["resourceVersion"] = inherited.after.into();
    }
    Ok(())
}

/// What the server serves once the new definitions are established: it may take a moment longer.
fn served(world: &World<'_>, old: Resources, steps: &[Step], wave: u32) -> Resources {
    let since = Instant::now();
    let mut resources = old;
    while since.elapsed() < SERVED && !world.is_interrupted() {
        if let Ok(found) = Resources::discover(world.client) {
            resources = found;
        }
        let later = steps.iter().filter(|step| step.wave > wave);
        if later.map(|step| &step.object).all(|object| resources.get(&object.api_version, &object.kind).is_some()) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    resources
}
