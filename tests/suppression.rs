//! Suppression: where it counts, for how long, and what is reported of it; baselines; other tools' annotations.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;

use support::{kplan, says};

/// Two containers without a tag, in a Deployment with these annotations.
fn manifest(annotations: &str, comment: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {{{annotations}}}\nspec:\n  selector:\n    \
         matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      containers:\n      \
         - name: one\n        image: nginx{comment}\n      - name: two\n        image: nginx\n"
    )
}

fn home(name: &str, config: &str, annotations: &str, comment: &str) -> PathBuf {
    let home = support::folder(&format!("suppression-{name}"));
    fs::create_dir_all(home.join(".git")).unwrap();
    fs::write(home.join("kplan.yaml"), config).unwrap();
    fs::write(home.join("web.yaml"), manifest(annotations, comment)).unwrap();
    home
}

/// `line: rule` of what counts.
fn found(home: &std::path::Path, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["check", ".", "--output", "concise"];
    all.extend(arguments);
    let run = kplan(home, &all);
    assert!(run.code.is_some_and(|code| code < 2), "{}", run.shown());
    let place = |line: &str| {
        let mut parts = line.split(':');
        let (file, number) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let rule = line.split(['[', ']']).nth(1).unwrap_or_default();
        format!("{file}:{number} {rule}")
    };
    run.stdout.lines().map(place).collect()
}

const ON: &str = "rules: {image-tag-mutable: warning, suppression-reasonless: info}\n";
const BOTH: [&str; 2] = ["web.yaml:15 image-tag-mutable", "web.yaml:17 image-tag-mutable"];

#[test]
fn a_line_a_container_an_object_and_a_path() {
    let check = |name: &str, config: &str, annotations: &str, comment: &str| {
        found(&home(name, config, annotations, comment), &[])
    };
    assert_eq!(check("none", ON, "", ""), BOTH);
    assert_eq!(check("line", ON, "", " # kplan: ignore[image-tag-mutable] late"), BOTH[1..]);
    assert_eq!(check("container", ON, "kplan.dev/ignore: 'image-tag-mutable@two: late'", ""), BOTH[..1]);
    assert!(check("object", ON, "kplan.dev/ignore: 'image-tag-mutable: late'", "").is_empty());
    let ignore = |entry: &str| format!("{ON}ignore:\n- {{rule: image-tag-mutable, reason: late, {entry}}}\n");
    assert_eq!(check("config-container", &ignore("container: one"), "", ""), BOTH[1..]);
    assert!(check("config-object", &ignore("object: Deployment */web"), "", "").is_empty());
    assert!(check("config-path", &ignore("path: web.yaml"), "", "").is_empty());
    let elsewhere = check("config-elsewhere", &ignore("path: other.yaml"), "", "");
    assert_eq!(elsewhere, ["kplan.yaml:3 suppression-stale", BOTH[0], BOTH[1]]);
    let two = "kplan.dev/ignore: 'image-tag-mutable@one: late; image-tag-mutable@two: later'";
    assert!(check("two", ON, two, "").is_empty());
    assert_eq!(found(&home("no-ignores", ON, two, ""), &["--no-ignores"]), BOTH);
}

#[test]
fn what_ended_gives_no_reason_or_is_not_used_is_told() {
    let stale = |name: &str, config: &str, annotations: &str, comment: &str| {
        found(&home(name, config, annotations, comment), &[])
    };
    let past = " # kplan: ignore[image-tag-mutable] until 2020-01-31 late";
    assert_eq!(
        stale("past", ON, "", past),
        ["web.yaml:15 image-tag-mutable", "web.yaml:15 suppression-stale", BOTH[1]]
    );
    let future = " # kplan: ignore[image-tag-mutable] until 2999-01-31 late";
    assert_eq!(stale("future", ON, "", future), BOTH[1..]);
    let bare = " # kplan: ignore[image-tag-mutable] until 2999-01-31";
    assert_eq!(stale("bare", ON, "", bare), ["web.yaml:15 suppression-reasonless", BOTH[1]]);
    let in_config = "ignore:\n- {rule: image-tag-mutable, reason: late, expires: 2020-01-31}\n";
    assert_eq!(stale("config-past", &format!("{ON}{in_config}"), "", "")[0], "kplan.yaml:3 suppression-stale");
    let reasonless = format!("{ON}ignore:\n- rule: image-tag-mutable\n");
    assert_eq!(stale("config-bare", &reasonless, "", ""), ["kplan.yaml:3 suppression-reasonless"]);
    let nameless = " # kplan: ignore image-tag-mutable";
    assert_eq!(stale("nameless", ON, "", nameless)[1], "web.yaml:15 suppression-stale");
    let refused = " # kplan: ignore[api-invalid] late";
    assert_eq!(stale("refused", ON, "", refused)[1], "web.yaml:15 suppression-stale");
    let off = " # kplan: ignore[run-as-root] no such rule runs in this tier";
    assert_eq!(stale("off", ON, "", off), BOTH);
    let unused = " # kplan: ignore[hpa-target-missing] late";
    assert_eq!(stale("unused", ON, "", unused)[1], "web.yaml:15 suppression-stale");
}

#[test]
fn locked_rules_and_overrides() {
    let locked = "rules: {image-tag-mutable: {severity: warning, locked: true}}\n";
    let comment = " # kplan: ignore[image-tag-mutable] late";
    let all = found(&home("locked", locked, "kplan.dev/ignore: 'image-tag-mutable: late'", comment), &[]);
    assert_eq!(all.iter().filter(|line| line.ends_with("image-tag-mutable")).count(), 2, "{all:?}");
    assert_eq!(all.iter().filter(|line| line.ends_with("suppression-stale")).count(), 2, "{all:?}");
    let by_config = format!("{locked}ignore:\n- {{rule: image-tag-mutable, reason: late}}\n");
    assert!(found(&home("locked-config", &by_config, "", ""), &[]).is_empty());
    let here = format!("{ON}overrides:\n- {{paths: [web.yaml], rules: {{image-tag-mutable: off}}}}\n");
    assert!(found(&home("override", &here, "", ""), &[]).is_empty());
    let elsewhere = format!("{ON}overrides:\n- {{paths: ['other/**'], rules: {{image-tag-mutable: off}}}}\n");
    assert_eq!(found(&home("override-elsewhere", &elsewhere, "", ""), &[]), BOTH);
}

#[test]
fn annotations_of_other_tools_count_where_they_are_named() {
    for (tool, annotation) in [
        ("kube-linter", "ignore-check.kube-linter.io/latest-tag: late"),
        ("kube-linter", "kube-linter.io/ignore-all: late"),
        ("kube-score", "kube-score/ignore: container-image-tag"),
        ("polaris", "polaris.fairwinds.com/tagNotSpecified-exempt: \"true\""),
        ("polaris", "polaris.fairwinds.com/exempt: \"true\""),
        ("datree", "datree.skip/CONTAINERS_MISSING_IMAGE_VALUE_VERSION: late"),
        ("checkov", "checkov.io/skip1: CKV_K8S_14=late"),
    ] {
        let named = format!("{ON}compat: [{tool}]\n");
        let home_named = home(&format!("compat-{tool}"), &named, annotation, "");
        assert!(found(&home_named, &[]).is_empty(), "{annotation}");
        assert_eq!(found(&home_named, &["--no-ignores"]), BOTH, "{annotation}");
        assert_eq!(found(&home(&format!("no-compat-{tool}"), ON, annotation, ""), &[]), BOTH, "{annotation}");
    }
}

#[test]
fn a_baseline_only_shrinks() {
    let home = home("baseline", ON, "", "");
    says(&kplan(&home, &["check", ".", "--write-baseline", "b.json"]), 0, &["wrote 2 findings"]);
    assert!(found(&home, &["--baseline", "b.json"]).is_empty());
    fs::write(home.join("web.yaml"), manifest("", ":1.27")).unwrap();
    says(&kplan(&home, &["check", ".", "--baseline", "b.json"]), 0, &["1 of the baseline b.json are no longer found"]);
    says(&kplan(&home, &["check", ".", "--write-baseline", "b.json"]), 0, &["wrote 1 findings"]);
    fs::write(home.join("web.yaml"), manifest("", "")).unwrap();
    let grown = kplan(&home, &["check", ".", "--write-baseline", "b.json"]);
    says(&grown, 1, &["may only shrink", "1 findings are not in it", "image-tag-mutable"]);
    let text = fs::read_to_string(home.join("b.json")).unwrap();
    fs::write(home.join("b.json"), text.replace("kplan.baseline/v1", "kplan.baseline/v9")).unwrap();
    says(&kplan(&home, &["check", ".", "--baseline", "b.json"]), 2, &["kplan.baseline/v9", "not kplan.baseline/v1"]);
    fs::write(home.join("b.json"), "{\"schema\":\"kplan.baseline/v9\",\"other\":1}").unwrap();
    says(&kplan(&home, &["check", ".", "--baseline", "b.json"]), 2, &["kplan.baseline/v9"]);
}
