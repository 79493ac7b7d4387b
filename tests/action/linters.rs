//! zizmor and actionlint find nothing in action.yml and the workflows, and something where there is something.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::support;

type Lint = fn(&Path, &Path) -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let linters: [(&str, &str, Lint); 2] =
        [("zizmor", "KPLAN_ZIZMOR", zizmor), ("actionlint", "KPLAN_ACTIONLINT", actionlint)];
    let trials = linters.map(|(name, variable, lint)| {
        let found = support::program(variable, name);
        let program = found.clone();
        let test = move || {
            let program = program.unwrap();
            lint(&program, &support::root())?;
            let found = lint(&program, &broken(name)).is_err();
            if found { Ok(()) } else { Err(format!("{name} finds nothing where there is something").into()) }
        };
        let trial = Trial::test(format!("action::{name}"), test);
        if found.is_some() { trial } else { trial.with_kind(format!("needs {name}")).with_ignored_flag(true) }
    });
    trials.into()
}

fn zizmor(program: &Path, folder: &Path) -> Result<(), Failed> {
    let mut zizmor = Command::new(program);
    zizmor.args(["--offline", "--no-progress", "--persona=pedantic", "action.yml", ".github/workflows"]);
    passes(zizmor.current_dir(folder))
}

fn actionlint(program: &Path, folder: &Path) -> Result<(), Failed> {
    let workflows = fs::read_dir(folder.join(".github/workflows"))?;
    let files: Vec<PathBuf> = workflows.map(|entry| entry.unwrap().path()).collect();
    passes(Command::new(program).args(files).current_dir(folder))
}

fn passes(command: &mut Command) -> Result<(), Failed> {
    let output = command.output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(said.into()) }
}

/// A repository with one mistake for each of the two.
fn broken(name: &str) -> PathBuf {
    let folder = support::folder(&format!("action linted by {name}"));
    fs::create_dir_all(folder.join(".github/workflows")).unwrap();
    let action = "name: a\ndescription: b\ninputs: {c: {description: d}}\nruns:\n  using: composite\n  steps:\n    \
                  - shell: bash\n      run: echo ${{ inputs.c }}\n";
    fs::write(folder.join("action.yml"), action).unwrap();
    let workflow = "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      \
                    - run: echo ${{ steps.b.outputs.c }}\n";
    fs::write(folder.join(".github/workflows/w.yml"), workflow).unwrap();
    folder
}
