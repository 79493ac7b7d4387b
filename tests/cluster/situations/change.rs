//! From `old/` to `new/`: what was planned is what then is different on the cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use super::set::{self, Set};
use super::{Case, Done, cycle, fields, verdict_of};
use crate::api::Objects;
use crate::plane::Plane;

pub(super) fn run(plane: &Plane, case: &Case) -> super::Answer {
    let parts = ["old", "new"].map(|part| (part, set::files(case, part)));
    let set = Set::new(plane, &case.id, &parts)?;
    // What is gone from the API cannot be there to change.
    let errors = cycle::errors(&set, "old")?;
    if errors.iter().any(cycle::rejects) {
        let mut wrong = cycle::refused(&set, "old")?;
        return match cycle::of_set(&set, "new") {
            Ok(_) => verdict_of(wrong, Done::Refused),
            Err(error) => {
                wrong.push(error.message().unwrap_or_default().to_owned());
                verdict_of(wrong, Done::Refused)
            }
        };
    }
    let mut wrong = cycle::lowered(&set, "old", &errors)?;
    wrong.extend(cycle::applied(&set, "old")?);
    let (plan, touched) = set.untouched(|| set.kplan(&["plan", "--base", "cluster", "--output", "json", "new"]))?;
    wrong.extend(touched);
    let report = plan.report()?;
    let changes: Vec<Value> = report["changes"].as_array().cloned().unwrap_or_default();
    let before = set.objects()?;
    let of_action = |action: &str| changes.iter().filter(|change| change["action"] == action).collect::<Vec<_>>();
    let anew = of_action("replace");
    // Carried out only where the kind is named.
    let is_blocked = |change: &&Value| change["why"].as_str().is_some_and(|why| why.contains("--allow-replace"));
    let replaced = anew.iter().any(is_blocked);
    let found = report["findings"].as_array().into_iter().flatten();
    let rejected = found.filter(|finding| finding["class"] == "rejected");
    let rejected = rejected.into_iter().any(|found| !anew.iter().any(|change| change["object"] == found["object"]));
    if replaced || rejected {
        let run = cycle::apply(&set, "new");
        let reason = if replaced { "can only be made anew" } else { "stand" };
        if run.code != Some(1) || !run.stderr.contains(reason) {
            wrong.push(format!("apply is not refused: {}", run.shown()));
        }
        wrong.extend(compare(&[], &before, &set.objects()?));
        return verdict_of(wrong, Done::Refused);
    }
    if plan.code != Some(0) && anew.is_empty() {
        wrong.extend(cycle::lowered(&set, "new", &cycle::errors(&set, "new")?)?);
    }
    wrong.extend(cycle::applied(&set, "new")?);
    wrong.extend(compare(&changes, &before, &set.objects()?));
    wrong.extend(restarts(&set, &changes, &before)?);
    wrong.extend(cycle::settled(&set, "new")?);
    verdict_of(wrong, Done::Works)
}

/// Each object of the set before and after: what differs is what was planned.
fn compare(changes: &[Value], before: &Objects, after: &Objects) -> Vec<String> {
    let mut wrong = Vec::new();
    let titles: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for title in titles {
        // What controllers make follows from the rest.
        let change = changes.iter().find(|change| {
            let text = |key: &str| change["object"][key].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", text("kind"), text("name")) == *title
        });
        let object = before.get(title).or(after.get(title)).unwrap_or(&Value::Null);
        if change.is_none() && object["metadata"]["ownerReferences"].is_array() {
            continue;
        }
        let action = change.map_or("unchanged", |change| change["action"].as_str().unwrap_or_default());
        let lines = match (action, before.get(title), after.get(title)) {
            ("create", None, Some(_)) => Vec::new(),
            ("create", ..) => vec!["is not made".to_owned()],
            // Field by field it is compared in `come_true`.
            ("replace", Some(old), Some(new)) if old["metadata"]["uid"] == new["metadata"]["uid"] => {
                vec!["is not made anew".to_owned()]
            }
            ("replace", Some(_), Some(_)) => Vec::new(),
            (_, Some(old), Some(new)) => {
                fields::compare(change.map_or(&Value::Null, |change| &change["fields"]), old, new)
            }
            (_, old, _) => vec![format!("{action}, but {}", if old.is_some() { "gone" } else { "new" })],
        };
        wrong.extend(lines.into_iter().map(|line| format!("{title}: {line}")));
    }
    wrong
}

/// As many pods were replaced as the plan said: gone are those and the ones that a lower scale takes.
fn restarts(set: &Set<'_>, changes: &[Value], before: &Objects) -> Result<Vec<String>, Failed> {
    let planned: u64 = changes.iter().filter_map(|change| change["restarts"].as_u64()).sum();
    let id = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let old: BTreeSet<String> =
        before.iter().filter(|(title, _)| title.starts_with("Pod/")).map(|(_, pod)| id(pod)).collect();
    let mut replaced = 0;
    // Pods that end take a moment.
    for _ in 0..50 {
        let mut now = set.api.pods(&set.namespace)?;
        now.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let kept = now.iter().filter(|pod| old.contains(&id(pod))).count();
        replaced = (old.len() - kept).saturating_sub(old.len().saturating_sub(now.len())) as u64;
        if replaced == planned {
            return Ok(Vec::new());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(vec![format!("{planned} restarts planned, {replaced} pods replaced")])
}
