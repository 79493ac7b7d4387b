//! `action.yml`, run as GitHub would: its steps in order, on good, bad and odd repositories. kplan comes to it as a
//! release, packed by the step of `release.yml` that packs releases.
//!
//! `KPLAN_ZIZMOR` and `KPLAN_ACTIONLINT` name the linters; without them and without those in the PATH the tests with
//! them are counted as not run. `cargo xtask test` installs them.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod expression;
mod github;
mod installs;
mod linters;
mod log;
mod odd;
mod release;
mod runs;
mod sarif;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use github::{Done, Job};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

type Test = fn() -> Result<(), Failed>;

fn main() {
    let arguments = Arguments::from_args();
    let tests: Vec<(&str, Test)> = [&installs::TESTS[..], &runs::TESTS, &odd::TESTS].concat();
    let trials = tests.into_iter().map(|(name, test)| Trial::test(format!("action::{name}"), test));
    libtest_mimic::run(&arguments, trials.chain(linters::trials()).collect()).exit();
}

/// A job in folders with spaces in their names; its kplan notes how it is called and runs that of these tests.
pub struct Stage {
    pub job: Job,
    action: Value,
    calls: PathBuf,
}

impl Stage {
    pub fn new(name: &str) -> Stage {
        let home = support::folder(&format!("action {name}"));
        let (workspace, temp, calls) = (home.join("work space"), home.join("temp folder"), home.join("calls"));
        fs::create_dir_all(&workspace).unwrap();
        fs::create_dir_all(&temp).unwrap();
        // What is checked out is a repository, from whose root files are named.
        runs::git(&workspace, &["init", "--quiet"]);
        fs::write(&calls, "").unwrap();
        let env = [("KPLAN_RELEASES_URL", releases()), ("KPLAN_CALLS", calls.display().to_string())];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let job = Job { workspace, temp, os: "Linux", arch: "X64", env, matrix: Value::Null };
        Stage { job, action: github::read(&support::root().join("action.yml")).unwrap(), calls }
    }

    /// A folder of `fixtures/bundles` as a folder of the repository.
    pub fn with_bundle(self, bundle: &str, folder: &str) -> Stage {
        support::copy(&support::root().join("fixtures/bundles").join(bundle), &self.job.workspace.join(folder));
        self
    }

    pub fn with_file(self, name: &str, text: &str) -> Stage {
        let path = self.job.workspace.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// `uses: kplan-dev/kplan` with these inputs.
    pub fn run(&self, with: &[(&str, &str)]) -> Done {
        self.job.uses(&self.action, &support::root(), with).unwrap()
    }

    /// How kplan was called so far, each time with all its arguments.
    pub fn calls(&self) -> Vec<Vec<String>> {
        let text = fs::read_to_string(&self.calls).unwrap();
        let calls = text.split_terminator("\0\0").map(|call| call.split('\0').map(str::to_owned).collect());
        calls.collect()
    }

    /// The report of kplan itself on the same repository.
    pub fn report(&self, arguments: &[&str]) -> Value {
        let (command, paths) = arguments.split_at(1);
        support::kplan(&self.job.workspace, &[command, &["--output", "json"], paths].concat()).report().unwrap()
    }
}

impl Done {
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("no such output", String::as_str)
    }

    /// The annotations of this kind; any other command than an annotation is a failure.
    pub fn annotations(&self, kind: &str) -> Vec<log::Command> {
        let (found, rest): (Vec<_>, Vec<_>) =
            log::commands(&self.log).into_iter().partition(|command| command.name == kind);
        let other = rest.iter().find(|command| !["error", "warning", "notice"].contains(&command.name.as_str()));
        assert!(other.is_none(), "{other:?}");
        found
    }
}

/// Where the release of this version is served whose kplan is a script that notes its arguments.
fn releases() -> String {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| release("noting", &noting_kplan())).clone()
}

/// A program packed as the release for Linux on x86_64; gives its URL.
pub fn release(name: &str, program: &Path) -> String {
    let folder = support::folder(&format!("action release {name}"));
    let rows = release::targets().unwrap();
    let row = rows.iter().find(|row| row["target"] == "x86_64-unknown-linux-gnu").unwrap();
    release::pack(&folder.join(concat!("v", env!("CARGO_PKG_VERSION"))), program, row).unwrap();
    release::serve(folder)
}

/// A kplan that appends its arguments to `$KPLAN_CALLS`, with NUL between and two at the end.
pub fn noting_kplan() -> PathBuf {
    static SCRIPT: OnceLock<PathBuf> = OnceLock::new();
    let write = || {
        let path = support::folder("action noting").join("kplan");
        let text = format!(
            "#!/usr/bin/env bash\nif [[ $1 != --version ]]; then\n  printf '%s\\0' \"$@\" >>\"$KPLAN_CALLS\"\n  \
             printf '\\0' >>\"$KPLAN_CALLS\"\nfi\nexec '{}' \"$@\"\n",
            env!("CARGO_BIN_EXE_kplan")
        );
        script(&path, &text);
        path
    };
    SCRIPT.get_or_init(write).clone()
}

/// Writes an executable script.
pub fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// The runner of these tests itself, on steps made for it.
pub fn runner_is_githubs() -> Result<(), Failed> {
    let job = Stage::new("runner").job;
    let step = |id: &str, extra: Value, run: &str| {
        let mut step = json!({"id": id, "shell": "bash", "run": run});
        step.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        step
    };
    let action = |steps: Vec<Value>| {
        json!({"inputs": {"word": {"default": "hello"}}, "outputs": {"said": {"value": "${{ steps.a.outputs.said }}!"}},
               "runs": {"using": "composite", "steps": steps}})
    };
    let set = "printf 'said<<E\\n%s\\n%s\\nE\\n' \"$WORD\" two >>\"$GITHUB_OUTPUT\"; echo N=1 >>\"$GITHUB_ENV\"; \
               echo /a/b >>\"$GITHUB_PATH\"";
    let steps = vec![
        step("a", json!({"env": {"WORD": "${{ inputs.word }}"}}), set),
        step("b", json!({"continue-on-error": true}), "[[ $N == 1 && $PATH == /a/b:* ]]; false | true; echo unseen"),
        step("c", json!({}), "echo \"$GITHUB_ACTION_PATH\"; exit 3"),
        step("d", json!({}), "echo unseen"),
        step("e", json!({"if": "${{ always() }}"}), "echo seen >>\"$GITHUB_STEP_SUMMARY\""),
    ];
    let done = job.uses(&action(steps), Path::new("/x y"), &[])?;
    assert!(!done.success);
    assert_eq!(done.ran, ["a", "b", "c", "e"]);
    assert_eq!((done.log.as_str(), done.summary.as_str(), done.output("said")), ("/x y\n", "seen\n", "hello\ntwo!"));

    let wrong = [
        step("a", json!({}), "echo ${{ inputs.unknown }}"),
        step("a", json!({}), "echo ${{ hashFiles('x') }}"),
        step("a", json!({}), "echo ${{ steps.later.outputs.x }}"),
        step("a", json!({"if": "inputs.word == 'hello'"}), "true"),
        step("a", json!({"timeout-minutes": 1}), "true"),
        json!({"id": "a", "run": "true"}),
        json!({"id": "a", "uses": "actions/checkout@v6"}),
    ];
    for step in wrong {
        let shown = step.to_string();
        assert!(job.uses(&action(vec![step]), Path::new("/"), &[]).is_err(), "{shown}");
    }
    assert!(job.uses(&action(Vec::new()), Path::new("/"), &[("wrod", "")]).is_err());
    let forged =
        log::commands("x ##[add-mask]a\n  ::add-mask::b\n::stop-commands::w\n::error::no\n::w::\n::error a=b::c");
    let names: Vec<&str> = forged.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(names, ["add-mask", "add-mask", "error"]);
    Ok(())
}

/// The PATH with a folder before all others, as a variable of a job.
pub fn path_with(folder: &Path) -> BTreeMap<String, String> {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    BTreeMap::from([("PATH".to_owned(), path)])
}
