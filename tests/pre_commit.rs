//! kplan as a pre-commit hook, on a git repository made for it.
//!
//! `KPLAN_PRE_COMMIT` names the program; without it and without one in the PATH the tests are counted as not run.
//! `cargo xtask test` installs it.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Failed, Trial};

const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  mode: \"1\"\n";
const BAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  mode: 1\n";
const READER: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: reader\nspec:\n  containers:\n    - name: reader\n      \
                      image: nginx:1.27\n      envFrom:\n        - configMapRef:\n            name: settings\n";

/// A test with the program pre-commit.
type Test = fn(&Path) -> Result<(), Failed>;

fn main() {
    let arguments = Arguments::from_args();
    let program = support::program("KPLAN_PRE_COMMIT", "pre-commit");
    let tests: [(&str, Test); 2] = [("manifest_is_valid", manifest), ("good_bad_and_deleting_commits", commits)];
    let trials = tests.map(|(name, test)| {
        let found = program.clone();
        let trial = Trial::test(format!("pre_commit::{name}"), move || test(&found.unwrap()));
        if program.is_some() { trial } else { trial.with_kind("needs pre-commit").with_ignored_flag(true) }
    });
    libtest_mimic::run(&arguments, trials.into()).exit();
}

fn manifest(program: &Path) -> Result<(), Failed> {
    let mut command = git_free(program, &support::root());
    expect(&output(command.args(["validate-manifest", ".pre-commit-hooks.yaml"])), true, "")
}

/// `try-repo` with the hook that runs the kplan of these tests, on the files that each commit touches.
fn commits(program: &Path) -> Result<(), Failed> {
    let home = support::folder("pre-commit");
    let hooks = home.join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    fs::copy(support::root().join(".pre-commit-hooks.yaml"), hooks.join(".pre-commit-hooks.yaml")).unwrap();
    commit(&hooks, "hooks")?;
    let work = home.join("work");
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join("note.md"), "not for kplan\n").unwrap();
    commit(&work, "start")?;

    let hook = |from: &str| {
        let mut command = git_free(program, &work);
        let binary = Path::new(env!("CARGO_BIN_EXE_kplan")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(binary.to_owned()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(paths).unwrap()).env("PRE_COMMIT_HOME", home.join("cache"));
        command.args(["try-repo", "../hooks", "kplan-system", "--verbose"]);
        command.args(["--from-ref", from, "--to-ref", "HEAD"]);
        output(&mut command)
    };
    fs::write(work.join("settings.yaml"), GOOD).unwrap();
    fs::write(work.join("reader.yaml"), READER).unwrap();
    commit(&work, "good")?;
    expect(&hook("HEAD~1"), true, "Passed")?;
    fs::write(work.join("settings.yaml"), BAD).unwrap();
    commit(&work, "bad")?;
    expect(&hook("HEAD~1"), false, "settings.yaml:6")?;
    fs::remove_file(work.join("settings.yaml")).unwrap();
    commit(&work, "delete what another file needs")?;
    expect(&hook("HEAD~1"), false, "configmap-missing")?;
    fs::remove_file(work.join("reader.yaml")).unwrap();
    commit(&work, "delete the rest")?;
    expect(&hook("HEAD~1"), true, "Passed")
}

/// A command without the variables that git sets for its own hooks.
fn git_free(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        command.env_remove(name);
    }
    command
}

fn commit(folder: &Path, message: &str) -> Result<(), Failed> {
    let identity = ["-c", "user.name=kplan", "-c", "user.email=kplan@example.com", "-c", "commit.gpgsign=false"];
    for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", message]] {
        let mut git = git_free(Path::new("git"), folder);
        expect(&output(git.args(identity).args(arguments)), true, "")?;
    }
    Ok(())
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn expect(output: &Output, success: bool, text: &str) -> Result<(), Failed> {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() == success && said.contains(text) && !said.contains("panicked") {
        return Ok(());
    }
    Err(format!("expected success: {success}, and {text:?} in:\n{said}").into())
}
