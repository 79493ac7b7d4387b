//! One case: a folder with an `expect.yaml`, and what each command is to say of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::placement::Simulated;
use crate::support::{self, Finding, Run, difference, files, kplan, lacking};

/// What does not hold, one line each; `Err` where kplan gave no report at all.
pub type Answer = Result<Vec<String>, String>;

/// One command's test of a case.
pub type Test = fn(&Case) -> Answer;

/// A case with what is expected of it.
pub struct Case {
    /// Its path below `fixtures/situations`.
    pub id: String,
    pub folder: PathBuf,
    pub expect: Expect,
}

/// `expect.yaml`, see `fixtures/README.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    check: Vec<Place>,
    #[serde(default)]
    recommended: Vec<Place>,
    #[serde(default)]
    strict: Vec<Place>,
    exit: BTreeMap<String, i32>,
    fix: Option<String>,
    #[serde(default)]
    server: Vec<Answered>,
    #[serde(default)]
    show: Vec<Shown>,
    simulate: Option<Simulated>,
    #[serde(default)]
    plan: Vec<Change>,
    #[serde(default)]
    findings: Vec<Place>,
}

/// Where a rule reports.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    file: String,
    line: u64,
    rule: String,
    code: Option<u64>,
    field: Option<String>,
}

/// The API server's answer to one object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    file: String,
    document: u64,
    verdict: String,
    code: Option<u64>,
    message: Option<String>,
    #[serde(default)]
    causes: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// A field of `kplan show --defaults`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    file: String,
    document: usize,
    field: String,
    value: Value,
}

/// A line of the plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    object: String,
    action: String,
    risk: Option<String>,
    restarts: Option<u64>,
    wave: Option<u64>,
}

/// Every case below `fixtures/situations`.
pub fn all() -> Vec<Case> {
    let root = support::root().join("fixtures/situations");
    let mut cases = Vec::new();
    for entry in walkdir::WalkDir::new(&root).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        if path.ends_with("expect.yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let expect = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let folder = path.parent().unwrap().to_owned();
            let id = folder.strip_prefix(&root).unwrap().display().to_string();
            cases.push(Case { id, folder, expect });
        }
    }
    cases
}

impl Case {
    pub fn is_about(&self, column: &str) -> bool {
        match column {
            "simulate" => self.expect.simulate.is_some(),
            "show" => !self.expect.show.is_empty(),
            "fix" => !self.is_update(),
            _ => true,
        }
    }

    /// Whether it is about a change from `old/` to `new/`.
    fn is_update(&self) -> bool {
        self.folder.join("old").is_dir()
    }

    /// The folder that is checked.
    fn manifests(&self) -> &'static str {
        if self.is_update() { "new" } else { "manifests" }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--output", "json"]);
        if self.folder.join("nodes.yaml").is_file() {
            arguments.extend(["--nodes", "nodes.yaml"]);
        }
        kplan(&self.folder, &arguments)
    }

    /// A line when the exit code is not the expected one.
    fn exit(&self, command: &str, otherwise: Option<i32>, run: &Run) -> Option<String> {
        let expected = self.expect.exit.get(command).copied().or(otherwise);
        let wrong = expected.is_some() && run.code != expected;
        wrong.then(|| format!("{command} exits with {:?} instead of {expected:?}", run.code))
    }

    fn place(&self, place: &Place) -> String {
        format!("{}/{}:{}: {}", self.manifests(), place.file, place.line, place.rule)
    }

    /// The findings of each tier, and the server's answers.
    pub fn check(&self) -> Answer {
        let mut wrong = Vec::new();
        let mut expected: Vec<String> = self.expect.check.iter().map(|place| self.place(place)).collect();
        for (tier, more) in
            [("default", &Vec::new()), ("recommended", &self.expect.recommended), ("strict", &self.expect.strict)]
        {
            expected.extend(more.iter().map(|place| self.place(place)));
            let run = self.run(&["check", self.manifests(), "--tier", tier]);
            let findings = run.findings()?;
            let actual: Vec<String> = findings.iter().map(Finding::place).collect();
            // What else the other tiers find is the business of their rules' own fixtures.
            let compare = if tier == "default" { difference } else { lacking };
            wrong.extend(compare(&expected, &actual).into_iter().map(|line| format!("{tier} {line}")));
            if tier == "default" {
                wrong.extend(self.exit("check", None, &run));
                wrong.extend(self.expect.server.iter().flat_map(|answer| self.server(answer, &findings)));
            }
        }
        Ok(wrong)
    }

    fn server(&self, answer: &Answered, findings: &[Finding]) -> Vec<String> {
        let file = format!("{}/{}", self.manifests(), answer.file);
        let rejections: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.text("file") == file && finding.0["document"] == answer.document)
            .filter(|finding| finding.text("class") == "rejected")
            .collect();
        let fields = |answer: &Value| answer["field"].as_str().unwrap_or_default().to_owned();
        let mut wrong = Vec::new();
        let mut causes = Vec::new();
        for server in rejections.iter().map(|finding| &finding.0["server"]).filter(|server| !server.is_null()) {
            causes.extend(server["causes"].as_array().into_iter().flatten().map(fields));
            if server["message"].as_str() != answer.message.as_deref() || server["code"].as_u64() != answer.code {
                wrong.push(format!("{file} {}: the server's answer is {server}", answer.document));
            }
        }
        let refused = !rejections.is_empty();
        if refused != (answer.verdict == "rejected") {
            wrong.push(format!("{file} {}: is not {}", answer.document, answer.verdict));
        }
        if answer.verdict == "rejected" && rejections.iter().all(|finding| finding.0["server"].is_null()) {
            wrong.push(format!("{file} {}: no finding has the server's answer", answer.document));
        }
        wrong.extend(difference(&answer.causes, &causes).into_iter().map(|line| format!("causes {line}")));
        // A warning is a finding of some tier, which the places above cover.
        debug_assert!(answer.warnings.iter().all(|warning| !warning.is_empty()));
        wrong
    }

    /// `--fix` makes the folder that is named, or changes nothing; a second run changes nothing.
    pub fn fix(&self) -> Answer {
        let copy = support::folder(&format!("situations-{}", self.id.replace('/', "-")));
        support::copy(&self.folder.join("manifests"), &copy.join("manifests"));
        let expected = files(&self.folder.join(self.expect.fix.as_deref().unwrap_or("manifests")));
        let mut wrong = Vec::new();
        for run in ["first", "second"] {
            let fix = kplan(&copy, &["check", "--fix", "manifests"]);
            let actual = files(&copy.join("manifests"));
            for ((name, expected), (_, actual)) in expected.iter().zip(&actual) {
                let lines =
                    |bytes: &[u8]| String::from_utf8_lossy(bytes).split('\n').map(str::to_owned).collect::<Vec<_>>();
                let lines = difference(&lines(expected), &lines(actual));
                wrong.extend(lines.into_iter().map(|line| format!("{run} run, {name}: {line}")));
            }
            if !matches!(fix.code, Some(0 | 1)) {
                wrong.push(format!("{run} run: {}", fix.shown()));
            }
        }
        Ok(wrong)
    }

    pub fn simulate(&self) -> Answer {
        let run = self.run(&["simulate", self.manifests()]);
        let report = run.report()?;
        let mut wrong: Vec<String> = self.exit("simulate", None, &run).into_iter().collect();
        if let Some(simulated) = &self.expect.simulate {
            wrong.extend(simulated.compare(&report));
        }
        Ok(wrong)
    }

    /// The changes from `old/` to `new/`; without `old/` everything is created.
    pub fn plan(&self) -> Answer {
        let base = if self.is_update() { "dir:old" } else { "empty" };
        let run = self.run(&["plan", self.manifests(), "--base", base]);
        let report = run.report()?;
        let changes: Vec<&Value> = report["changes"].as_array().into_iter().flatten().collect();
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(self.exit("plan", self.expect.exit.get("check").copied(), &run));
        if self.is_update() {
            wrong.extend(self.changes(&changes));
            wrong.extend(self.refusals(&run.findings()?));
        } else {
            let other = changes.iter().filter(|change| change["action"] != "create");
            wrong.extend(other.map(|change| format!("not created: {} {}", title(change), change["action"])));
        }
        Ok(wrong)
    }

    fn changes(&self, changes: &[&Value]) -> Vec<String> {
        let mut wrong = Vec::new();
        for expected in &self.expect.plan {
            let Some(change) = changes.iter().find(|change| title(change) == expected.object) else {
                wrong.push(format!("the plan lacks {}", expected.object));
                continue;
            };
            let mut compare = |key: &str, expected_value: Option<Value>| {
                if expected_value.as_ref().is_some_and(|value| *value != change[key]) {
                    let expected_value = expected_value.unwrap_or_default();
                    wrong.push(format!("{}: {key} is {}, not {expected_value}", expected.object, change[key]));
                }
            };
            compare("action", Some(expected.action.clone().into()));
            compare("risk", expected.risk.clone().map(Value::from));
            compare("restarts", expected.restarts.map(Value::from));
            compare("wave", expected.wave.map(Value::from));
        }
        let known = |change: &&Value| self.expect.plan.iter().any(|expected| expected.object == title(change));
        wrong.extend(changes.iter().filter(|change| !known(change)).map(|change| format!("also planned: {change}")));
        wrong
    }

    /// What the server says of the update itself.
    fn refusals(&self, findings: &[Finding]) -> Vec<String> {
        let places = self.expect.check.iter().chain(&self.expect.findings);
        let expected: Vec<String> = places.map(|place| self.place(place)).collect();
        let actual: Vec<String> = findings.iter().map(Finding::place).collect();
        let mut wrong = difference(&expected, &actual);
        for place in &self.expect.findings {
            let at = self.place(place);
            let Some(finding) = findings.iter().find(|finding| finding.place() == at) else { continue };
            if place.code.is_some() && finding.0["server"]["code"].as_u64() != place.code {
                wrong.push(format!("{at}: the server's answer is {}", finding.0["server"]));
            }
            if place.field.is_some() && finding.0["field"].as_str() != place.field.as_deref() {
                wrong.push(format!("{at}: the field is {}", finding.0["field"]));
            }
        }
        wrong
    }

    pub fn show(&self) -> Answer {
        let mut wrong = Vec::new();
        for expected in &self.expect.show {
            let file = format!("manifests/{}", expected.file);
            let run = kplan(&self.folder, &["show", &file, "--defaults", "--output", "json"]);
            let list: Value = serde_json::from_str(&run.stdout).map_err(|error| format!("{error}\n{}", run.shown()))?;
            let pointer =
                format!("/items/{}/{}", expected.document, expected.field.replace(['.', '['], "/").replace(']', ""));
            let actual = list.pointer(&pointer);
            if actual != Some(&expected.value) {
                wrong.push(format!("{file} {}: {actual:?}, not {}", expected.field, expected.value));
            }
        }
        Ok(wrong)
    }
}

/// `Deployment/web` of a change.
fn title(change: &Value) -> String {
    let text = |key: &str| change["object"][key].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("kind"), text("name"))
}
