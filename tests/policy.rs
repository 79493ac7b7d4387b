//! Users' rules and ValidatingAdmissionPolicies: their fixtures, what a real API server answered, and broken ones.
//!
//! `fixtures/recorded/policies.jsonl` holds policies with the answer of Kubernetes 1.36.3 to `create --dry-run=server`.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{kplan, says};

fn own(name: &str) -> PathBuf {
    let home = support::folder(&format!("policy-{name}"));
    support::copy(&support::root().join("fixtures/policy/own"), &home);
    fs::create_dir_all(home.join(".git")).unwrap();
    home
}

#[test]
fn rules_of_ones_own_have_fixtures() {
    let home = own("rules");
    says(&kplan(&home, &["rules", "test"]), 0, &["6 passed, 0 failed"]);
    says(&kplan(&home, &["rules", "test", "rules"]), 0, &["6 passed, 0 failed"]);
    let fail = home.join("rules/team-label/fail.yaml");
    fs::write(&fail, fs::read_to_string(&fail).unwrap().replace("  labels:             #", "  labels: # no")).unwrap();
    fs::remove_file(home.join("rules/registry/pass.yaml")).unwrap();
    let words = [
        "FAILED team-label: fail.yaml",
        "found, and not marked",
        "registry/pass.yaml is missing",
        "4 passed, 2 failed",
    ];
    says(&kplan(&home, &["rules", "test"]), 1, &words);
}

#[test]
fn rules_of_ones_own_are_rules() {
    let home = own("check");
    let run = kplan(&home, &["check", ".", "--output", "concise"]);
    says(
        &run,
        1,
        &[
            "web.yaml:5:3: warning[team-label] nobody is responsible for web",
            "error[registry] web takes docker.io/web:1",
        ],
    );
    assert_eq!(run.stdout.lines().count(), 2, "{}", run.shown());
    says(&kplan(&home, &["explain", "registry"]), 0, &["An image comes from elsewhere"]);
    says(&kplan(&home, &["rules"]), 0, &["team-label"]);
    let text = fs::read_to_string(home.join("kplan.yaml")).unwrap();
    fs::write(home.join("kplan.yaml"), format!("{text}  team-label: off\n")).unwrap();
    let run = kplan(&home, &["check", ".", "--output", "concise"]);
    assert!(!run.stdout.contains("team-label"), "{}", run.shown());
}

#[test]
fn broken_rules_are_errors_with_a_place() {
    for (text, words) in [
        ("id: a\ntitle: b\ncel: {expression: object.x ==}\n", "rules/x.yaml:3:19: `expression` does not compile"),
        ("id: a\ntitle: b\ncel: {expression: objekt.x == 1}\n", "undeclared reference to 'objekt'"),
        ("id: a\ntitle: b\ncel: {expression: object.x}\n", "must evaluate to bool"),
        (
            "id: a\ntitel: b\ncel: {expression: 'true'}\n",
            "rules/x.yaml:2:1: unknown key `titel` (did you mean `title`?)",
        ),
        ("id: a\ntitle: b\n", "`cel` is missing"),
        ("id: A b\ntitle: b\ncel: {expression: 'true'}\n", "`A b` is no id"),
        ("id: a\ntitle: b\nclass: rejected\ncel: {expression: 'true'}\n", "write one of broken, risky, style"),
        ("id: api-removed\ntitle: b\ncel: {expression: 'true'}\n", "there is a rule `api-removed` already"),
        ("- a\n", "this is no rule"),
        ("a: b: c\n", "rules/x.yaml:1"),
    ] {
        let home = own("broken");
        fs::write(home.join("rules/x.yaml"), text).unwrap();
        says(&kplan(&home, &["check", "."]), 2, &[words]);
    }
    let home = own("no-folder");
    fs::write(home.join("kplan.yaml"), "ruleDirs: [nowhere]\n").unwrap();
    says(&kplan(&home, &["check", "."]), 2, &["cannot read nowhere", "ruleDirs"]);
}

#[test]
fn a_rule_that_does_not_end_is_a_finding() {
    let home = own("endless");
    let each = "object.data.all(a, object.data.all(b, object.data.all(c, object.data.all(d, a + b + c + d != ''))))";
    let rule = format!("id: endless\ntitle: b\nkinds: [ConfigMap]\ncel: {{expression: \"{each}\"}}\n");
    fs::write(home.join("rules/x.yaml"), rule).unwrap();
    let keys: String = (0..300).map(|number| format!("  k{number}: v\n")).collect();
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{keys}");
    fs::write(home.join("map.yaml"), map).unwrap();
    says(&kplan(&home, &["check", "."]), 1, &["policy-invalid", "100000 rounds"]);
}

#[test]
fn a_policy_that_does_not_compile_is_a_finding_or_an_error() {
    let home = own("policy");
    let policy = fs::read_to_string(home.join("rules/replica-limit.yaml")).unwrap();
    let broken = policy.replace("object.spec.replicas <= 5", "object.spec.replicas <=");
    fs::write(home.join("policy.yaml"), broken.replace("replica-limit", "other")).unwrap();
    says(&kplan(&home, &["check", "."]), 1, &["policy-invalid", "spec.validations[0].expression does not compile"]);
    fs::write(home.join("rules/replica-limit.yaml"), broken).unwrap();
    says(&kplan(&home, &["check", "."]), 2, &["rules/replica-limit.yaml:13", "does not compile"]);
}

/// A policy that reads who sends the request is judged where the answer does not hang on that, and named where it does.
#[test]
fn what_only_the_server_knows_is_said() {
    let home = support::folder("policy-unknown");
    let policy = |name: &str, expression: &str| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name}, "spec": {"validations": [{"expression": expression}], "matchConstraints":
                {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}}})
    };
    let binding = |name: &str| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}})
    };
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let judged = |expression: &str| {
        let items = [policy("team", expression), binding("team"), map("good"), map("bad")];
        fs::write(home.join("set.json"), json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
            .unwrap();
        kplan(&home, &["check", "set.json", "--output", "concise"])
    };
    let run = judged("object.metadata.name == 'good' || request.userInfo.username == 'admin'");
    says(&run, 0, &["info[policy-unjudged]", "'team' cannot be judged for ConfigMap default/bad", "request.userInfo"]);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.shown());
    let authorizer = "authorizer.group('').resource('pods').namespace('default').check('create').allowed()";
    says(&judged(authorizer), 0, &["cannot be judged for 2 objects: it rests on authorizer"]);
    let run = judged(&format!("object.metadata.name == 'good' && {authorizer}"));
    says(&run, 1, &["policy-denied", "cannot be judged for ConfigMap default/good"]);
    let run = judged(&format!("true || {authorizer}"));
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.shown());
}

/// Policies, bindings and parameters that only the cluster has count, and what its snapshot does not hold is said.
#[test]
fn policies_of_a_snapshot_count() {
    let home = support::folder("policy-snapshot");
    let api = "admissionregistration.k8s.io/v1";
    let rules =
        json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]);
    let policy = |param: Value| {
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "prefix"}, "spec": {
            "paramKind": param, "matchConstraints": {"resourceRules": rules},
            "validations": [{"expression": "object.metadata.name.startsWith(params.data.prefix)", "message": "no prefix"}]}})
    };
    let binding = json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "all"},
        "spec": {"policyName": "prefix", "validationActions": ["Deny"],
            "paramRef": {"name": "names", "namespace": "default", "parameterNotFoundAction": "Deny"}}});
    let map = |name: &str, prefix: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": {"prefix": prefix}})
    };
    let check = |set: &[Value], live: &[Value]| {
        let notes = json!({"kplan.dev/snapshot": "v1", "kplan.dev/unread": "[]"});
        let list = |items: &[Value], notes: Value| {
            json!({"apiVersion": "v1", "kind": "List", "metadata": {"annotations": notes}, "items": items}).to_string()
        };
        fs::write(home.join("set.json"), list(set, json!({}))).unwrap();
        fs::write(home.join("live.json"), list(live, notes)).unwrap();
        kplan(&home, &["check", "set.json", "--snapshot", "live.json", "--output", "concise"])
    };
    let param = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    let live = [policy(param.clone()), binding.clone(), map("names", "a-")];
    says(
        &check(&[map("b-1", "")], &live),
        1,
        &["policy-denied", "'prefix' with binding 'all' denied request: no prefix"],
    );
    says(&check(&[map("a-1", "")], &live), 0, &[]);
    // The set replaces the parameters, brings the binding, or has none of them.
    says(&check(&[map("b-1", ""), map("names", "")], &live), 0, &[]);
    says(&check(&[map("b-1", ""), binding.clone()], &[live[0].clone(), live[2].clone()]), 1, &["no prefix"]);
    says(&check(&[map("b-1", "")], &[live[0].clone(), live[2].clone()]), 0, &[]);
    says(&check(&[map("b-1", "")], &live[..2]), 1, &["no params found"]);
    let custom = policy(json!({"apiVersion": "example.com/v1", "kind": "Names"}));
    says(&check(&[map("b-1", "")], &[custom, binding]), 0, &["policy-unjudged", "a Names, which were not read"]);
}

/// Verdict and words of every recorded answer; where only the words differ and that is known, the row says so.
#[test]
fn policies_say_what_the_server_says() {
    let home = support::folder("policy-recorded");
    let mut wrong = Vec::new();
    let rows = support::recorded("policies");
    assert!(rows.len() > 50);
    for (number, row) in rows.iter().enumerate() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}});
        let mut answers = row["answers"].as_array().unwrap().iter();
        for answer in answers.by_ref() {
            let items = [&row["policy"], &row["binding"], &row["params"], &namespace, &answer["object"]];
            let items: Vec<&Value> = items.into_iter().filter(|item| !item.is_null()).collect();
            let set = json!({"apiVersion": "v1", "kind": "List", "items": items});
            fs::write(home.join("set.json"), set.to_string()).unwrap();
            let run = kplan(&home, &["check", "set.json", "--output", "json"]);
            let findings = run.findings().unwrap();
            let of = |rule: &str| -> Vec<String> {
                // The server ends with the first validation that fails; those after it have no words of the server.
                let of_rule = findings.iter().filter(|f| f.text("rule") == rule);
                let said = of_rule.filter(|f| rule != "policy-denied" || !f.0["server"].is_null());
                said.map(|f| f.text("message").to_owned()).collect()
            };
            let texts = |key: &str| -> Vec<String> {
                answer[key].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
            };
            let (denied, warned) = (of("policy-denied"), of("policy-warning"));
            let same = if row["words"] == false {
                denied.is_empty() == texts("denied").is_empty()
            } else {
                denied == texts("denied")
            };
            if !same || warned != texts("warned") {
                wrong.push(format!("row {number}: server {answer}\n  kplan {denied:?} {warned:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
