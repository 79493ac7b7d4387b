//! Kustomizations and charts through their real renderers: `fixtures/render/<case>/expected` lists what is found.
//!
//! `KPLAN_TEST_KUBECTL` and `KPLAN_TEST_HELM` name the programs; without them and without one in the PATH their tests are
//! counted as not run. `cargo xtask test` gives both.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{Run, difference, finish, verdict};

/// The renderers of this machine.
#[derive(Clone)]
struct Programs {
    kubectl: Option<PathBuf>,
    helm: Option<PathBuf>,
}

type Test = fn(&Programs) -> Result<(), Failed>;

/// A test that knows its fixture.
type Bound = Box<dyn Fn(&Programs) -> Result<(), Failed> + Send>;

fn main() {
    let arguments = Arguments::from_args();
    let programs = Programs {
        kubectl: support::program("KPLAN_TEST_KUBECTL", "kubectl"),
        helm: support::program("KPLAN_TEST_HELM", "helm"),
    };
    let mut trials = Vec::new();
    let mut add = |name: String, needs: &'static str, test: Bound| {
        let found = match needs {
            "kubectl" => programs.kubectl.is_some(),
            "helm" => programs.helm.is_some(),
            _ => true,
        };
        let own = programs.clone();
        let trial = Trial::test(format!("render::{name}"), move || test(&own));
        let kind = format!("needs {needs}");
        trials.push(if found { trial } else { trial.with_kind(kind).with_ignored_flag(true) });
    };
    for entry in fs::read_dir(support::root().join("fixtures/render")).unwrap() {
        let folder = entry.unwrap().path();
        let needs = if folder.join("Chart.yaml").is_file() { "helm" } else { "kubectl" };
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        add(format!("case::{name}"), needs, Box::new(move |programs| case(&folder, programs)));
    }
    let tests: [(&str, &str, Test); 8] = [
        ("every_command_renders", "kubectl", every_command),
        ("a_git_base_is_rendered", "kubectl", git_base),
        ("results_are_kept_by_content", "kubectl", kept),
        ("paths_are_right_from_any_folder", "kubectl", any_folder),
        ("a_fix_mends_the_manifest_behind", "kubectl", fix),
        ("comments_suppress_where_they_are_written", "helm", comments),
        ("a_renderer_that_hangs", "a shell", hangs),
        ("a_renderer_that_fails", "a shell", fails),
    ];
    for (name, needs, test) in tests {
        add(name.to_owned(), needs, Box::new(test));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn command(folder: &Path, programs: &Programs, arguments: &[&str]) -> Command {
    let mut command = support::command(folder, arguments);
    for (variable, program) in [("KPLAN_KUBECTL", &programs.kubectl), ("KPLAN_HELM", &programs.helm)] {
        command.env(variable, program.as_deref().unwrap_or(Path::new("")));
    }
    command
}

fn run(folder: &Path, programs: &Programs, arguments: &[&str]) -> Run {
    finish(command(folder, programs, arguments))
}

/// A copy of a fixture, below a folder that ends the search for a kplan.yaml.
fn copied(case: &str, name: &str) -> PathBuf {
    let home = support::folder(&format!("render-{name}"));
    support::copy(&support::root().join("fixtures/render").join(case), &home);
    home
}

fn case(folder: &Path, programs: &Programs) -> Result<(), Failed> {
    let run = run(folder, programs, &["check", ".", "--output", "json"]);
    let findings = run.findings()?;
    let found: Vec<String> = findings
        .iter()
        .map(|finding| {
            let related = finding.0["related"].as_array().into_iter().flatten();
            let from: Vec<&str> = related.filter_map(|related| related["message"].as_str()).collect();
            let from = from.into_iter().filter(|message| message.starts_with("rendered from"));
            format!("{} {}", finding.short(), from.collect::<Vec<_>>().join(", ")).trim_end().to_owned()
        })
        .collect();
    let expected = fs::read_to_string(folder.join("expected")).unwrap_or_default();
    let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
    verdict(difference(&expected, &found))
}

fn expect(run: &Run, code: i32, words: &[&str]) -> Result<(), Failed> {
    let said = format!("{}{}", run.stdout, run.stderr);
    let missing: Vec<&&str> = words.iter().filter(|word| !said.contains(**word)).collect();
    if run.code != Some(code) || !missing.is_empty() {
        return Err(format!("expected exit {code}; missing {missing:?}\n{}", run.shown()).into());
    }
    Ok(())
}

fn every_command(programs: &Programs) -> Result<(), Failed> {
    let home = copied("overlays", "commands");
    fs::write(home.join("nodes.yaml"), "nodes:\n- {name: a, cpu: 4, memory: 8Gi}\n").unwrap();
    let at = |arguments: &[&str]| run(&home, programs, arguments);
    expect(&at(&["show", "-k", "prod"]), 0, &["prod-web", "mode: prod", "namespace: prod"])?;
    expect(&at(&["check", "-k", "prod"]), 1, &["prod/bigger.yaml:11", "base/web.yaml:30"])?;
    expect(&at(&["simulate", "-k", "prod", "--nodes", "nodes.yaml"]), 0, &["prod-web"])?;
    expect(&at(&["diff", "-k", "prod", "--base", "dir:dev"]), 1, &["prod-web"])?;
    expect(&at(&["plan", "prod", "--base", "empty"]), 1, &["prod-web"])?;
    expect(&at(&["check", "-k", "."]), 2, &["-k .", "no kustomization.yaml"])
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=k", "-c", "user.email=k@example.com"]).args(arguments);
    let output = command.env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A base that only the reference has, so that it cannot be the work tree's that is rendered.
fn git_base(programs: &Programs) -> Result<(), Failed> {
    let home = copied("overlays", "git");
    git(&home, &["init", "-q", "-b", "main"]);
    git(&home, &["add", "-A"]);
    git(&home, &["commit", "-qm", "one"]);
    let web = home.join("base/web.yaml");
    let text = fs::read_to_string(&web).unwrap();
    expect(&run(&home, programs, &["diff", "prod", "--base", "git:HEAD"]), 1, &["Diff: 4 unchanged"])?;
    fs::write(&web, text.replace("nginx:1.27.0", "nginx:1.28.0")).unwrap();
    let changed = run(&home, programs, &["diff", "prod", "--base", "git:HEAD", "--output", "json"]);
    let report = changed.report()?;
    let changes = report["changes"].as_array().cloned().unwrap_or_default();
    let updated: Vec<&serde_json::Value> = changes.iter().filter(|change| change["action"] == "update").collect();
    let fields = updated.first().map(|change| change["fields"].to_string()).unwrap_or_default();
    if updated.len() != 1 || !fields.contains("nginx:1.27.0") || !fields.contains("nginx:1.28.0") {
        return Err(format!("expected one update of the image\n{}", changed.shown()).into());
    }
    Ok(())
}

fn kept(programs: &Programs) -> Result<(), Failed> {
    let home = copied("overlays", "cache");
    let cache = home.join("cache");
    let check = |expected: &str| {
        let mut command = command(&home, programs, &["check", "prod", "--output", "concise"]);
        expect(
            &finish({
                command.env("KPLAN_CACHE_DIR", &cache);
                command
            }),
            1,
            &[expected],
        )
    };
    let count = || fs::read_dir(cache.join("render")).unwrap().count();
    check("80000")?;
    check("80000")?;
    assert_eq!(count(), 1);
    let web = home.join("base/web.yaml");
    fs::write(&web, fs::read_to_string(&web).unwrap().replace("80000", "90000")).unwrap();
    check("90000")?;
    assert_eq!(count(), 2);
    Ok(())
}

fn any_folder(programs: &Programs) -> Result<(), Failed> {
    let home = copied("overlays", "paths");
    let absolute = home.join("prod");
    let absolute = absolute.to_str().unwrap();
    for (folder, path, expected) in [
        (home.clone(), ".", "\nbase/web.yaml:30:26".to_owned()),
        (home.join("prod"), ".", "\n../base/web.yaml:30:26".to_owned()),
        (home.join("base"), "../prod", "\n../base/web.yaml:30:26".to_owned()),
        (home.join("base"), absolute, format!("\n{}/base/web.yaml:30:26", home.display())),
    ] {
        let mut run = run(&folder, programs, &["check", path, "--output", "concise"]);
        run.stdout.insert(0, '\n');
        expect(&run, 1, &[&expected])?;
    }
    Ok(())
}

fn fix(programs: &Programs) -> Result<(), Failed> {
    let home = support::folder("render-fix");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  # kept\n  flag: True\n";
    fs::write(home.join("map.yaml"), map).unwrap();
    fs::write(home.join("kustomization.yaml"), "resources: [map.yaml]\nnamePrefix: x-\n").unwrap();
    expect(&run(&home, programs, &["check", "."]), 1, &["map.yaml"])?;
    expect(&run(&home, programs, &["check", "--fix", "."]), 0, &[])?;
    let fixed = fs::read_to_string(home.join("map.yaml")).unwrap();
    assert!(fixed.contains("  # kept\n  flag: \"True\"\n") || fixed.contains("flag: \"true\""), "{fixed}");
    Ok(())
}

fn comments(programs: &Programs) -> Result<(), Failed> {
    let home = copied("chart", "comments");
    let template = home.join("templates/web.yaml");
    let text = fs::read_to_string(&template).unwrap();
    let line = "    targetPort: web\n";
    fs::write(&template, text.replace(line, &format!("    # kplan: ignore[service-targetport-missing] late\n{line}")))
        .unwrap();
    let found = run(&home, programs, &["check", ".", "--output", "concise"]);
    assert!(!found.stdout.contains("targetport") && !found.stdout.contains("stale"), "{}", found.shown());
    Ok(())
}

/// A program of two lines in the place of kubectl.
fn script(home: &Path, text: &str) -> Programs {
    let path = home.join("renderer");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    let status = Command::new("chmod").arg("+x").arg(&path).status().unwrap();
    assert!(status.success());
    Programs { kubectl: Some(path), helm: None }
}

fn hangs(_: &Programs) -> Result<(), Failed> {
    let home = copied("overlays", "hangs");
    fs::write(home.join("kplan.yaml"), "renderTimeout: 0.3s\n").unwrap();
    let programs = script(&home, "exec /bin/sleep 60");
    let run = run(&home, &programs, &["check", "."]);
    assert!(run.time.as_secs() < 20, "{:?}", run.time);
    expect(&run, 1, &["render-failed", "did not end within 0.3 s", "base/web.yaml:30"])
}

fn fails(_: &Programs) -> Result<(), Failed> {
    let home = copied("overlays", "fails");
    let programs = script(&home, "echo 'error: no such thing' >&2; exit 1");
    expect(&run(&home, &programs, &["check", "."]), 1, &["render-failed", "no such thing", "base/web.yaml:30"])?;
    let programs = script(&home, "printf 'a: \\377\\n'");
    expect(&run(&home, &programs, &["check", "."]), 1, &["render-failed", "not UTF-8"])?;
    let programs = Programs { kubectl: Some(home.join("nowhere")), helm: None };
    expect(&run(&home, &programs, &["check", "."]), 1, &["render-failed", "cannot be started"])
}
