//! `kplan rules test`: each rule of the user's own against the fixtures beside it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::{Color, InputArgs, NodeArgs, ReportArgs, RulesTestArgs, Terms};
use super::error::{CliError, Exit};
use super::options::Options;
use super::own_rules;
use super::stages::Run;

/// Rules that policies report under.
const OF_POLICIES: [&str; 3] = ["policy-denied", "policy-warning", "policy-invalid"];

/// Runs the fixtures; prints a line for each, and what differs.
pub(super) fn run(args: &RulesTestArgs) -> Result<Exit, CliError> {
    let own = if args.folders.is_empty() { own_rules::here()? } else { own_rules::read(&args.folders)? };
    let mut cases: Vec<(String, PathBuf)> = Vec::new();
    for (rule, file) in own.rules.iter().zip(&own.files) {
        cases.push((rule.rule.id.to_owned(), file.with_file_name(rule.rule.id)));
    }
    for (_, object) in own.policies.iter().filter(|(_, object)| object.kind == "ValidatingAdmissionPolicy") {
        let file = Path::new(&own.policies.sources.get(object.file).name).to_owned();
        cases.push((object.name.clone(), file.with_file_name(&object.name)));
    }
    if cases.is_empty() {
        return Err(CliError::usage(
            "there are no rules to test",
            "name their folder, or set `ruleDirs:` in kplan.yaml",
        ));
    }
    let mut out = io::stdout().lock();
    let (mut passed, mut failed) = (0, 0);
    for (id, folder) in cases {
        for name in ["fail.yaml", "pass.yaml"] {
            let path = folder.join(name);
            let shown = format!("{id}: {name}");
            let lines = if path.is_file() { differences(&id, &path, args)? } else { missing(&path) };
            if lines.is_empty() {
                passed += 1;
                continue;
            }
            failed += 1;
            writeln!(out, "FAILED {shown}")?;
            for line in lines {
                writeln!(out, "  {line}")?;
            }
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if failed == 0 { Exit::Fine } else { Exit::Negative })
}

fn missing(path: &Path) -> Vec<String> {
    vec![format!("{} is missing: write what the rule has to find, or has to leave alone", path.display())]
}

/// What is marked and not found, and what is found and not marked.
fn differences(id: &str, path: &Path, args: &RulesTestArgs) -> Result<Vec<String>, CliError> {
    let input = InputArgs { paths: vec![path.to_string_lossy().into_owned()], ..InputArgs::default() };
    let report = ReportArgs { tier: Some("strict".to_owned()), ..ReportArgs::default() };
    let terms = Terms { color: Color::Never, verbose: 0, quiet: true };
    let mut options = Options::new(&input, &report, &NodeArgs::default(), &terms)?;
    if !args.folders.is_empty() {
        options.own = own_rules::read(&args.folders)?;
    }
    let mut run = Run::read(options, None)?;
    run.judge();
    let mut lines: BTreeMap<(u32, String), i32> = BTreeMap::new();
    for finding in run.findings()?.iter().filter(|finding| finding.suppressed.is_none()) {
        let source = run.bundle.sources.get(finding.diagnostic.file);
        let place = source.line_column(finding.diagnostic.span.start);
        if finding.rule.id == id || OF_POLICIES.contains(&finding.rule.id) {
            *lines.entry((place.line, format!("{}: {}", finding.severity, finding.rule.id))).or_default() += 1;
        }
    }
    for (_, source) in run.bundle.sources.iter().filter(|(_, source)| Path::new(&source.name) == path) {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(mark) = mark(line) {
                *lines.entry((number as u32 + 1, mark)).or_default() -= 1;
            }
        }
    }
    let differs = lines.into_iter().filter(|(_, count)| *count != 0).map(|((line, what), count)| {
        let why = if count > 0 { "found, and not marked" } else { "marked, and not found" };
        format!("{}:{line}: {what}: {why}", path.display())
    });
    Ok(differs.collect())
}

/// `warning: some-rule` behind the last `#` of a line.
fn mark(line: &str) -> Option<String> {
    let (_, comment) = line.rsplit_once('#')?;
    let (severity, rule) = comment.trim().split_once(": ")?;
    ["error", "warning", "info"].contains(&severity).then(|| format!("{severity}: {}", rule.trim()))
}
