//! Runs that end as they should: what is good and what is bad, by every command.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{Stage, Test, release, sarif, support};

pub const TESTS: [(&str, Test); 8] = [
    ("runner_is_githubs", crate::runner_is_githubs),
    ("good_set_with_the_real_archive", good),
    ("bad_set", bad),
    ("plan_against_git", against_git),
    ("simulate_with_nodes", simulate),
    ("severity_that_fails", severity),
    ("options_and_paths_arrive_whole", arguments),
    ("readme_example", readme),
];

fn good() -> Result<(), Failed> {
    let mut stage = Stage::new("good").with_bundle("tutorial", "deploy");
    let url = release("real", env!("CARGO_BIN_EXE_kplan").as_ref());
    stage.job.env.insert("KPLAN_RELEASES_URL".to_owned(), url);
    let done = stage.run(&[("command", "plan"), ("paths", "deploy")]);
    assert!(done.success, "{}", done.log);
    assert_eq!(done.ran, ["install", "run", "End as kplan did"]);
    let report = stage.report(&["plan", "deploy"]);
    let created = report["summary"]["changes"]["create"].to_string();
    for (name, value) in [("exit-code", "0"), ("errors", "0"), ("findings", "0"), ("changes", &created)] {
        assert_eq!(done.output(name), value, "{name}");
    }
    assert!(done.annotations("error").is_empty());
    assert!(done.summary.starts_with("## ✓ kplan plan deploy"), "{}", done.summary);
    assert!(done.log.contains("to create"), "{}", done.log);
    assert_eq!(sarif::results(&done, &stage.job.workspace)?.len(), 0);
    let json: Value = serde_json::from_str(&fs::read_to_string(done.output("json"))?)?;
    assert_eq!(json["summary"], report["summary"]);
    Ok(())
}

fn bad() -> Result<(), Failed> {
    let stage = Stage::new("bad").with_bundle("tutorial-broken", "deploy");
    let done = stage.run(&[("paths", "deploy")]);
    assert!(!done.success);
    assert_eq!(done.ran, ["install", "run", "End as kplan did"]);
    assert_eq!(stage.calls().len(), 1, "kplan runs once");
    let report = stage.report(&["check", "deploy"]);
    let count = |severity: &str| report["summary"]["findings"][severity].as_u64().unwrap() as usize;
    let (errors, warnings) = (count("error"), count("warning"));
    assert!(errors > 10 && warnings > 0, "{errors} {warnings}");
    assert_eq!(done.output("exit-code"), "1");
    assert_eq!(done.output("errors"), errors.to_string());
    assert_eq!(done.output("warnings"), warnings.to_string());
    assert_eq!(done.output("findings"), report["findings"].as_array().unwrap().len().to_string());
    assert_eq!(done.output("changes"), "");

    let shown = done.annotations("error");
    assert_eq!(shown.len(), 10);
    assert!(shown[9].text.starts_with(&format!("{} more", errors - 9)), "{:?}", shown[9]);
    assert_eq!(done.annotations("warning").len(), warnings.min(10));
    for annotation in &shown[..9] {
        let at = |finding: &&Value| {
            annotation.properties["file"] == finding["file"]
                && annotation.properties["line"].parse().ok() == finding["line"].as_u64()
                && annotation.text.starts_with(finding["message"].as_str().unwrap())
        };
        assert!(report["findings"].as_array().unwrap().iter().any(|finding| at(&finding)), "{annotation:?}");
    }
    assert_eq!(sarif::results(&done, &stage.job.workspace)?.len(), report["findings"].as_array().unwrap().len());
    assert!(done.summary.starts_with("## ✗ kplan check deploy"), "{}", done.summary);
    assert!(done.log.contains(&format!("{errors} errors (")), "{}", done.log);
    assert!(!done.log.contains(": error["), "what has no annotation stands in the log twice: {}", done.log);
    Ok(())
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        git.env_remove(name);
    }
    let identity = ["-c", "user.name=kplan", "-c", "user.email=kplan@example.com", "-c", "commit.gpgsign=false"];
    let output = git.args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Commits all that is there.
fn commit(folder: &Path) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "all"]);
}

fn against_git() -> Result<(), Failed> {
    let stage = Stage::new("git").with_bundle("tutorial", "deploy");
    let git = |arguments: &[&str]| git(&stage.job.workspace, arguments);
    commit(&stage.job.workspace);
    let with = [("command", "plan"), ("paths", "deploy"), ("base", "git:HEAD")];
    let same = stage.run(&with);
    assert_eq!((same.output("exit-code"), same.output("changes")), ("0", "0"), "{}", same.log);
    let file = stage.job.workspace.join("deploy/redis.yaml");
    let text = fs::read_to_string(&file)?;
    let changed = text.replacen("image: ", "image: registry.example/", 1);
    assert_ne!(text, changed);
    fs::write(&file, changed)?;
    let before = git(&["status", "--porcelain"]);
    let done = stage.run(&with);
    assert_eq!((done.output("exit-code"), done.output("changes")), ("0", "1"), "{}", done.log);
    assert!(done.summary.contains("registry") || done.summary.contains("image"), "{}", done.summary);
    assert_eq!(git(&["status", "--porcelain"]), before);
    let unknown = stage.run(&[("command", "diff"), ("paths", "deploy"), ("base", "git:mian")]);
    assert_eq!(unknown.output("exit-code"), "2");
    assert!(unknown.annotations("error")[0].text.contains("mian"));
    Ok(())
}

fn simulate() -> Result<(), Failed> {
    let nodes = "apiVersion: v1\nkind: Node\nmetadata: {name: small}\nstatus:\n  \
                 allocatable: {cpu: 100m, memory: 100Mi, pods: \"10\"}\n";
    let stage = Stage::new("simulate").with_bundle("tutorial", "deploy").with_file("my nodes.yaml", nodes);
    let done = stage.run(&[("command", "simulate"), ("paths", "deploy"), ("nodes", "my nodes.yaml")]);
    assert_eq!(done.output("exit-code"), "1", "{}", done.log);
    assert!(!done.success && done.output("errors") != "0");
    assert!(done.summary.contains("Pods that find no node"), "{}", done.summary);
    assert!(!sarif::results(&done, &stage.job.workspace)?.is_empty());
    Ok(())
}

fn severity() -> Result<(), Failed> {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n  ports: \
                [{port: 80}]\n";
    let stage = Stage::new("severity").with_file("service.yaml", text);
    let done = stage.run(&[]);
    assert_eq!((done.success, done.output("exit-code"), done.output("errors")), (true, "0", "0"), "{}", done.log);
    assert_eq!((done.output("warnings"), done.annotations("warning").len()), ("1", 1));
    let strict = stage.run(&[("fail-on", "warning")]);
    assert_eq!((strict.success, strict.output("exit-code"), strict.output("warnings")), (false, "1", "1"));
    Ok(())
}

/// Spaces, several lines, absolute paths, and what looks like an option.
fn arguments() -> Result<(), Failed> {
    let stage = Stage::new("arguments")
        .with_bundle("tutorial-broken", "my app/é b")
        .with_file("-odd/one.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
        .with_file("two.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    let paths = format!("my app/é b\n\n-odd\n{}/two.yaml\n", stage.job.workspace.display());
    let options = "--tier recommended\n--namespace=my-space\n--crd-dir my app\n--no-ignores\n--selector=a in (b, c)\n";
    let with = [
        ("command", "plan"),
        ("paths", paths.as_str()),
        ("base", "dir:my app"),
        ("kube-version", "1.36"),
        ("fail-on", "warning"),
        ("nodes", "my nodes.yaml"),
        ("context", "dev"),
        ("args", options),
    ];
    stage.run(&with);
    let call = stage.calls().swap_remove(0);
    assert_eq!(call[0], "plan");
    let expected = [
        "--base=dir:my app",
        "--kube-version=1.36",
        "--fail-on=warning",
        "--nodes=my nodes.yaml",
        "--context=dev",
        "--tier",
        "recommended",
        "--namespace=my-space",
        "--crd-dir",
        "my app",
        "--no-ignores",
        "--selector=a in (b, c)",
        "--",
        "my app/é b",
        "-odd",
        "two.yaml",
    ];
    assert_eq!(call[call.len() - expected.len()..], expected);

    let done = stage.run(&[("paths", paths.as_str())]);
    let report = stage.report(&["check", "--", "my app/é b", "-odd", "two.yaml"]);
    assert_eq!(done.output("errors"), report["summary"]["findings"]["error"].to_string(), "{}", done.log);
    let files = support::files(&stage.job.workspace);
    assert_eq!(report["summary"]["files"], files.iter().filter(|(name, _)| !name.starts_with(".git/")).count());
    let results = sarif::results(&done, &stage.job.workspace)?;
    assert!(results.iter().any(|(file, _)| file.starts_with("my app/é b/")), "{results:?}");
    assert!(done.annotations("error")[0].properties["file"].starts_with("my app/é b/"));
    Ok(())
}

/// The workflow in README.md names what the action has, and its step runs.
fn readme() -> Result<(), Failed> {
    let readme = fs::read_to_string(support::root().join("README.md"))?;
    let block = readme.split("```yaml\n").find(|block| block.contains("uses: kplan-dev/kplan@")).unwrap();
    let job: Value = serde_yaml::from_str(block.split("```").next().unwrap())?;
    let steps = job["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["id"] == "kplan").unwrap();
    assert_eq!(step["uses"], concat!("kplan-dev/kplan@v", env!("CARGO_PKG_VERSION")));
    let stage = Stage::new("readme").with_bundle("tutorial", "deploy");
    let with = step["with"].as_object().unwrap();
    let with: Vec<(&str, &str)> = with.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    commit(&stage.job.workspace);
    let stage = stage.with_file("deploy/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n");
    commit(&stage.job.workspace);
    let done = stage.run(&with);
    assert_eq!((done.output("exit-code"), done.output("changes")), ("0", "1"), "{}", done.log);
    let outputs: Vec<&str> = block.split("steps.kplan.outputs.").skip(1).collect();
    assert!(!outputs.is_empty());
    for output in outputs {
        let name = output.split([' ', '}']).next().unwrap();
        assert!(done.outputs.contains_key(name), "{name}");
    }
    Ok(())
}
