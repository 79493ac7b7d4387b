//! What kplan.yaml sets: parameters, custom workloads, overrides, tiers, stacks; what is told of fixes; the schema.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{kplan, says};

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    support::filled(&format!("settings-{name}"), files)
}

/// `file:line: severity[rule]` of what is found.
#[track_caller]
fn found(home: &Path, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["check", ".", "--output", "json"];
    all.extend(arguments);
    let findings = kplan(home, &all).findings().unwrap();
    findings.iter().map(support::Finding::short).collect()
}

/// A workload of any kind with its pod template under these lines.
fn workload(api_version: &str, kind: &str, way: &[&str], image: &str) -> String {
    let mut text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: web\n");
    let mut indent = String::new();
    for key in way {
        text.push_str(&format!("{indent}{key}:\n"));
        indent.push_str("  ");
    }
    for line in [
        "metadata:",
        "  labels: {app: web}",
        "spec:",
        "  containers:",
        "  - name: web",
        &format!("    image: {image}"),
        "    ports: [{name: http, containerPort: 80}]",
    ] {
        text.push_str(&format!("{indent}{line}\n"));
    }
    text
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector: {app: web}\n  ports:\n  \
                       - {port: 80, targetPort: http}\n";

const ON: &str = "rules: {image-tag-mutable: warning, schema-missing: off}\n";

/// Rules see the pods of custom resources that are known, and of those that kplan.yaml names, as those of Deployments:
/// the Service finds them, its port too, and the image is looked at.
#[test]
fn custom_workloads() {
    let known: [(&str, &str, &[&str]); 9] = [
        ("argoproj.io/v1alpha1", "Rollout", &["spec", "template"]),
        ("serving.knative.dev/v1", "Service", &["spec", "template"]),
        ("apps.kruise.io/v1alpha1", "CloneSet", &["spec", "template"]),
        ("apps.kruise.io/v1beta1", "StatefulSet", &["spec", "template"]),
        ("apps.kruise.io/v1alpha1", "DaemonSet", &["spec", "template"]),
        ("apps.openshift.io/v1", "DeploymentConfig", &["spec", "template"]),
        ("keda.sh/v1alpha1", "ScaledJob", &["spec", "jobTargetRef", "template"]),
        ("agones.dev/v1", "Fleet", &["spec", "template", "spec", "template"]),
        ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", &["spec", "leaderWorkerTemplate", "workerTemplate"]),
    ];
    let home = folder("workloads", &[("kplan.yaml", ON), ("service.yaml", SERVICE)]);
    for (api_version, kind, way) in known {
        let line = 4 + way.len() + 6;
        let mark = format!("web.yaml:{line}: warning[image-tag-mutable]");
        fs::write(home.join("web.yaml"), workload(api_version, kind, way, "registry.example.com/web")).unwrap();
        assert_eq!(found(&home, &[]), [mark], "{api_version} {kind}");
    }
    let own = workload("example.com/v1", "Website", &["spec", "pods", "template"], "registry.example.com/web");
    fs::write(home.join("web.yaml"), own).unwrap();
    assert_eq!(found(&home, &[]), ["service.yaml:6: warning[service-no-match]"]);
    let entry = "workloads:\n- {apiVersion: example.com/v2, kind: Website, template: spec.pods.template}\n";
    fs::write(home.join("kplan.yaml"), format!("{ON}{entry}")).unwrap();
    assert_eq!(found(&home, &[]), ["web.yaml:13: warning[image-tag-mutable]"]);
    let config = kplan(&home, &["config"]);
    says(&config, 0, &["\"template\": \"spec.pods.template\"", "\"workloads\": \"kplan.yaml:2\""]);
}

/// What a namespace enforces, warns of and audits where only kplan.yaml says it; labels come first.
#[test]
fn pod_security_of_namespaces() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: a, image: 'a/b:1'}\n";
    let home = folder("pod-security", &[("web.yaml", pod)]);
    let on = "rules: {psa-audit-violation: info, api-warning: warning, service-account-missing: off}\n";
    let with = |entries: &str| {
        fs::write(home.join("kplan.yaml"), format!("{on}podSecurity:\n{entries}")).unwrap();
        found(&home, &[])
    };
    assert_eq!(with("- {namespaces: [other], enforce: restricted}\n"), Vec::<String>::new());
    assert_eq!(with("- {namespaces: ['def*'], enforce: restricted}\n"), ["web.yaml:4: error[pod-security]"]);
    assert_eq!(with("- enforce: restricted\n- enforce: baseline\n"), Vec::<String>::new());
    assert_eq!(with("- {warn: restricted, warnVersion: v1.30}\n"), ["web.yaml:2: warning[api-warning]"]);
    assert_eq!(with("- audit: restricted\n"), ["web.yaml:4: info[psa-audit-violation]"]);
    let label = "pod-security.kubernetes.io/enforce: baseline";
    let own = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: default, labels: {{{label}}}}}\n");
    fs::write(home.join("own.yaml"), own).unwrap();
    assert_eq!(with("- enforce: restricted\n"), Vec::<String>::new());
    fs::remove_file(home.join("own.yaml")).unwrap();
    let config = kplan(&home, &["config"]);
    says(&config, 0, &["\"enforce\": \"restricted\"", "\"podSecurity\": \"kplan.yaml:2\""]);
}

fn deployment(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: {replicas}\n  selector:\n    \
         matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      containers:\n      \
         - name: web\n        image: registry.example.com/web\n        ports: [{{name: http, containerPort: 80}}]\n"
    )
}

/// A parameter changes what its rule finds; a rule that finds nothing without one is on when it is given, and only then.
#[test]
fn parameters_are_in_force() {
    let web = deployment("web", 2);
    let home = folder("params", &[("kplan.yaml", ""), ("service.yaml", SERVICE), ("web.yaml", &web)]);
    let check = |config: &str| {
        fs::write(home.join("kplan.yaml"), config).unwrap();
        found(&home, &[])
    };
    assert!(check("rules: {replicas-single: warning}\n").is_empty());
    let three = "rules: {replicas-single: {severity: warning, params: {min: 3}}}\n";
    assert_eq!(check(three), ["web.yaml:6: warning[replicas-single]"]);
    says(&kplan(&home, &["config"]), 0, &["\"replicas-single\": {\n      \"min\": 3", "\"image-tag-mutable\": {"]);
    // Not in the tier, and a parameter with a default does not switch it on.
    assert!(check("rules: {replicas-single: {params: {min: 3}}}\n").is_empty());
    let labels = "rules: {required-labels: {params: {labels: {team: '.*'}, kinds: [Deployment]}}}\n";
    assert_eq!(check(labels), ["web.yaml:3: warning[required-labels]"]);
    assert!(check(&labels.replace("{params", "{severity: off, params")).is_empty());
    fs::write(home.join("kplan.yaml"), "rules: {required-labels: warning}\n").unwrap();
    says(
        &kplan(&home, &["check", "."]),
        2,
        &["kplan.yaml:1:9", "finds nothing without a parameter", "`params:` with labels"],
    );
    assert!(
        check("").is_empty()
            && !found(&home, &["--tier", "strict"]).iter().any(|line| line.contains("required-labels"))
    );
    says(&kplan(&home, &["explain", "replicas-single"]), 0, &["param     min: ", "(default 2)"]);
    says(&kplan(&home, &["explain", "required-labels"]), 0, &["param     labels: ", "(not set)"]);
}

/// Parameters of a rule of one's own are judged as those of the catalogue.
#[test]
fn parameters_of_rules_of_ones_own_are_judged() {
    let rule = "id: own\ntitle: t\nparams:\n  allowed: {type: array, items: {type: string}, default: [a]}\n  plain: 3\n\
                cel: {expression: 'params.plain > 0'}\n";
    let home = folder("own-params", &[("rules/own.yaml", rule), ("web.yaml", &deployment("web", 2))]);
    for (params, words) in [
        ("{allowed: b}", &["kplan.yaml:2:", "`b` is not allowed here", "write a list"][..]),
        ("{alowed: [b]}", &["unknown key `alowed`", "did you mean `allowed`?"]),
    ] {
        fs::write(home.join("kplan.yaml"), format!("ruleDirs: [rules]\nrules: {{own: {{params: {params}}}}}\n"))
            .unwrap();
        says(&kplan(&home, &["check", "."]), 2, words);
    }
    let good = "ruleDirs: [rules]\nrules: {own: {params: {allowed: [b], plain: 0}}}\n";
    fs::write(home.join("kplan.yaml"), good).unwrap();
    assert_eq!(found(&home, &[]).iter().filter(|line| line.contains("[own]")).count(), 1);
    let broken = rule.replace("type: array", "type: lots");
    fs::write(home.join("rules/own.yaml"), broken).unwrap();
    says(&kplan(&home, &["check", "."]), 2, &["the parameters of `own` cannot be judged"]);
}

/// The last override that says something of a path counts, its tier too; elsewhere the rest of the file does.
#[test]
fn overrides_by_path() {
    let web = deployment("web", 1);
    let files = [("prod/web.yaml", web.as_str()), ("prod/service.yaml", SERVICE), ("dev/web.yaml", &web)];
    let home = folder("overrides", &files);
    let tags = |config: &str| {
        fs::write(home.join("kplan.yaml"), config).unwrap();
        let all = found(&home, &[]).into_iter();
        all.filter(|line| line.contains("image-tag-mutable") || line.contains("replicas-single")).collect::<Vec<_>>()
    };
    let off = "rules: {image-tag-mutable: 'off'}\n";
    assert!(tags(off).is_empty());
    let prod =
        format!("{off}overrides:\n- {{paths: ['prod/**'], rules: {{image-tag-mutable: error}}, tier: strict}}\n");
    let both = ["prod/web.yaml:6: info[replicas-single]", "prod/web.yaml:15: error[image-tag-mutable]"];
    assert_eq!(tags(&prod), both);
    let later = format!("{prod}- {{paths: ['**/web.yaml'], tier: default}}\n");
    assert_eq!(tags(&later), both[1..]);
    let last = format!("{later}- {{paths: ['prod/**'], rules: {{image-tag-mutable: warning}}}}\n");
    assert_eq!(tags(&last), ["prod/web.yaml:15: warning[image-tag-mutable]"]);
}

/// The tier of the file counts unless the command line names another.
#[test]
fn tiers() {
    let home = folder("tiers", &[("web.yaml", &deployment("web", 1)), ("service.yaml", SERVICE)]);
    let rules = |config: &str, arguments: &[&str]| {
        fs::write(home.join("kplan.yaml"), config).unwrap();
        let all = found(&home, arguments);
        ["service-no-match", "image-tag-mutable", "replicas-single"]
            .map(|rule| all.iter().any(|line| line.contains(rule)))
    };
    assert_eq!(rules("", &[]), [false, false, false]);
    assert_eq!(rules("tier: recommended\n", &[]), [false, true, false]);
    assert_eq!(rules("tier: strict\n", &[]), [false, true, true]);
    assert_eq!(rules("tier: strict\n", &["--tier", "recommended"]), [false, true, false]);
    assert_eq!(rules("tier: default\n", &["--tier", "strict"]), [false, true, true]);
}

/// References do not cross stacks.
#[test]
fn stacks_are_sets() {
    let home = folder("stacks", &[("a/service.yaml", SERVICE), ("b/web.yaml", &deployment("web", 2))]);
    assert!(found(&home, &[]).is_empty());
    fs::write(home.join("kplan.yaml"), "stacks: [a, b]\n").unwrap();
    assert_eq!(found(&home, &[]), ["a/service.yaml:6: warning[service-no-match]"]);
    fs::write(home.join("kplan.yaml"), "stacks: [a, c]\n").unwrap();
    says(&kplan(&home, &["check", "."]), 2, &["kplan.yaml:1:13", "the folder `c` is not there"]);
}

/// What `--fix` does not mend is named with its reason, and what it mends is mended all the same.
#[test]
fn fixes_that_are_left_out_are_named() {
    let mut bad = b"apiVersion: apps/v1beta1\nkind: Deployment\nmetadata:\n  name: a # caf\xe9\n---\n".to_vec();
    let env = |name: &str| {
        let pod = "spec:\n  containers:\n  - name: web\n    image: registry.example.com/web:1\n    env:\n    - name: A\n      value: True\n";
        format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n{pod}")
    };
    bad.extend(env("b").bytes());
    let home = folder("fixes", &[("good.yaml", &env("a"))]);
    fs::write(home.join("bad.yaml"), &bad).unwrap();
    let run = kplan(&home, &["check", ".", "--fix"]);
    says(&run, 1, &["note: fixed 1 places", "note: left 1 place of bad.yaml alone: it is not UTF-8 throughout"]);
    assert!(fs::read_to_string(home.join("good.yaml")).unwrap().contains("value: \"True\""));
    assert_eq!(fs::read(home.join("bad.yaml")).unwrap(), bad);
    let preview = kplan(&home, &["check", ".", "--fix", "--diff"]);
    says(&preview, 0, &["left 1 place of bad.yaml alone"]);
}

/// Baselines that are none.
#[test]
fn baselines_that_are_none() {
    let home =
        folder("baselines", &[("web.yaml", &deployment("web", 2)), ("text.json", "no json"), ("list.json", "[]")]);
    for (file, words) in [
        ("nowhere.json", &["cannot use the baseline nowhere.json", "--write-baseline"][..]),
        ("text.json", &["cannot use the baseline text.json"]),
        ("list.json", &["cannot use the baseline list.json"]),
    ] {
        says(&kplan(&home, &["check", ".", "--baseline", file]), 2, words);
    }
}

/// `kplan config --schema` has every key that `kplan config` shows, and the rules with their parameters.
#[test]
fn the_schema_names_what_there_is() {
    let home = folder("schema", &[("web.yaml", &deployment("web", 2))]);
    let run = kplan(&home, &["config", "--schema"]);
    let schema: Value = serde_json::from_str(&run.stdout).unwrap();
    let config: Value = serde_json::from_str(&kplan(&home, &["config"]).stdout).unwrap();
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&schema["properties"]), keys(&config["from"]));
    let params = "/properties/rules/properties/replicas-single/then/properties/params/properties/min/minimum";
    assert_eq!(schema.pointer(params), Some(&Value::from(1)), "{}", run.shown());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong = serde_json::json!({"rules": {"replicas-single": {"params": {"min": 0}}}});
    assert!(!validator.is_valid(&wrong));
}
