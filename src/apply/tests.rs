//! Rows of `fixtures/apply`: objects of a real control plane, and what is to be said of them.

use super::{Progress, Rules, owned, status, troubles};
use crate::yaml::{self, View};

/// Runs a check on each row; it gives what was found as text, to be equal to the row's `expect`.
fn check(text: &str, found: impl Fn(View<'_>) -> Vec<String>) {
    let file = yaml::read(&text.into());
    let rows: Vec<View<'_>> = file.documents.iter().filter_map(|row| Some(file.tree.view(row.root?))).collect();
    assert_eq!(rows.len(), text.lines().count(), "every line is a row");
    let mut wrong = String::new();
    for row in rows {
        let found = found(row);
        let expected: Vec<&str> = row.list("expect").filter_map(View::str).collect();
        if found != expected {
            wrong += &format!("{}:\n  expected {expected:#?}\n  found {found:#?}\n", row.get_str("name").unwrap());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn views<'a>(row: View<'a>, key: &str) -> Vec<View<'a>> {
    row.list(key).collect()
}

#[test]
fn status_of_recorded_objects() {
    check(include_str!("../../fixtures/apply/status-1.36.jsonl"), |row| {
        let flag = |key| row.get("rules").is_some_and(|rules| rules.get_bool(key));
        let rules = Rules {
            wait_for_load_balancer: flag("wait_for_load_balancer"),
            gates: flag("gates"),
            binds_on_use: flag("binds_on_use"),
        };
        let status = status(row.get("object").unwrap(), &rules);
        let of_kstatus = match status.progress {
            Progress::Ready => "Current",
            Progress::Waiting => "InProgress",
            Progress::Failed => "Failed",
        };
        let agrees = row.get_str("kstatus") == Some(of_kstatus);
        assert_ne!(
            agrees,
            row.get("because").is_some(),
            "{:?}: differs from kstatus without reason",
            row.get_str("name")
        );
        vec![format!("{:?}: {}", status.progress, status.text)]
    });
}

#[test]
fn troubles_of_recorded_workloads() {
    check(include_str!("../../fixtures/apply/troubles-1.36.jsonl"), |row| {
        let workload = row.get("workload").unwrap();
        let owned = owned(workload, &views(row, "replicaSets"), &views(row, "pods"));
        let troubles = troubles(workload, &owned, &views(row, "events"));
        let line = |trouble: &super::Trouble| {
            let is_final = if trouble.is_final { ", final" } else { "" };
            format!("{:?} {}{is_final}: {}", trouble.kind, trouble.count, trouble.text)
        };
        troubles.iter().map(line).collect()
    });
}

/// Whatever is broken or missing in an object, the answer is a status and no panic.
#[test]
fn odd_objects_have_a_status() {
    let kinds =
        ["apps/v1 Deployment", "apps/v1 StatefulSet", "apps/v1 DaemonSet", "batch/v1 Job", "v1 Pod", "v1 Service"];
    let rest = [r#""status":null"#, r#""status":[]"#, r#""spec":3,"status":{"conditions":{},"replicas":"2"}"#];
    for (kind, rest) in kinds.iter().flat_map(|kind| rest.map(|rest| (kind, rest))) {
        let (version, kind) = kind.split_once(' ').unwrap();
        let text = format!(r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"ownerReferences":1}},{rest}}}"#);
        let file = yaml::read(&text.into());
        let object = file.tree.view(file.documents[0].root.unwrap());
        let status = status(object, &Rules { gates: true, ..Rules::default() });
        assert!(!status.text.is_empty());
        assert!(troubles(object, &owned(object, &[object], &[object]), &[object]).len() <= 1);
    }
}
