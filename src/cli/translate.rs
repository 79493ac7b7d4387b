//! `kplan init --from FILE`: settings of kube-linter, polaris and kube-score as a kplan.yaml; what has no counterpart is a
//! comment in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::error::{CliError, io_text};
use crate::diag::Rule;
use crate::lint::catalog::RULES;
use crate::yaml::edit::quoted;
use crate::yaml::{self, View};

/// What the file of the other tool says.
#[derive(Debug, Default)]
struct Translated {
    tool: &'static str,
    all: bool,
    /// Severity by kplan's rule.
    rules: BTreeMap<&'static str, &'static str>,
    /// Globs of files that are not read.
    paths: Vec<String>,
    /// Entries of `ignore:`, as the lines behind the dash.
    ignores: Vec<Vec<String>>,
    /// What kplan has nothing for.
    lost: Vec<String>,
}

/// The text of a kplan.yaml with the settings of another tool's file.
pub(super) fn translate(path: &Path) -> Result<String, CliError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::usage(format!("cannot read {shown}: {}", io_text(&error)), "name a configuration file")
    })?;
    let found = read(&text).ok_or_else(|| {
        let help = "name the configuration of kube-linter or polaris, or a script with kube-score's flags";
        CliError::usage(format!("{shown} is no configuration of kube-linter, polaris or kube-score"), help)
    })?;
    Ok(found.text(&shown.to_string()))
}

fn read(text: &str) -> Option<Translated> {
    if text.contains("kube-score") || text.contains("--ignore-test") || text.contains("--enable-optional-test") {
        return Some(kube_score(text));
    }
    let text: Arc<str> = Arc::from(text);
    let file = yaml::read(&text);
    let root = file.tree.view(file.documents.first()?.root?);
    let checks = root.get("checks").filter(|checks| checks.is_map());
    let grades = ["danger", "warning", "ignore", "error"];
    match checks {
        Some(checks) if checks.fields().any(|(_, value)| value.str().is_some_and(|text| grades.contains(&text))) => {
            Some(polaris(root, checks))
        }
        Some(checks) => Some(kube_linter(root, Some(checks))),
        None if root.get("customChecks").is_some() => Some(kube_linter(root, None)),
        None if root.get("exemptions").is_some() => Some(polaris(root, root)),
        None => None,
    }
}

/// The rules that stand for another tool's check.
fn rules_for(tool: &str, id: &str) -> Vec<&'static Rule> {
    let is_it = |alias: &&&str| alias.split_once(':').is_some_and(|(own, name)| own == tool && name == id);
    RULES.iter().filter(|rule| rule.aliases.iter().any(|alias| is_it(&alias))).collect()
}

impl Translated {
    fn new(tool: &'static str) -> Translated {
        Translated { tool, ..Translated::default() }
    }

    fn set(&mut self, id: &str, severity: &'static str) {
        let rules = rules_for(self.tool, id);
        if rules.is_empty() && severity != "off" {
            self.lost.push(format!("check {id}"));
        }
        for rule in rules {
            let own = if severity.is_empty() { rule.severity.name() } else { severity };
            self.rules.insert(rule.id, own);
        }
    }

    fn text(&self, from: &str) -> String {
        let mut out = format!("# Settings of kplan, from {from} of {}.\n\n", self.tool);
        let tier = if self.all { "strict" } else { "default" };
        let _ = writeln!(out, "tier: {tier}\ncompat: [{}]", self.tool);
        if !self.rules.is_empty() {
            out.push_str("rules:\n");
        }
        for (rule, severity) in &self.rules {
            let severity = if *severity == "off" { "off" } else { *severity };
            let _ = writeln!(out, "  {rule}: {severity}");
        }
        if !self.paths.is_empty() || !self.ignores.is_empty() {
            out.push_str("ignore:\n");
        }
        if !self.paths.is_empty() {
            let paths: Vec<String> = self.paths.iter().map(|path| quoted(path)).collect();
            let _ = writeln!(out, "- paths: [{}]", paths.join(", "));
        }
        for entry in &self.ignores {
            let _ = writeln!(out, "- {}", entry.join("\n  "));
        }
        if !self.lost.is_empty() {
            out.push_str("\n# Without a counterpart in kplan:\n");
        }
        for lost in &self.lost {
            let _ = writeln!(out, "# - {}", lost.replace('\n', " "));
        }
        out
    }
}

fn texts<'v>(view: View<'v>, key: &str) -> Vec<&'v str> {
    view.list(key).filter_map(View::str).collect()
}

fn kube_linter(root: View<'_>, checks: Option<View<'_>>) -> Translated {
    let mut found = Translated::new("kube-linter");
    if let Some(checks) = checks {
        found.all = checks.get_bool("addAllBuiltIn");
        for id in texts(checks, "include") {
            found.set(id, "");
        }
        for id in texts(checks, "exclude") {
            found.set(id, "off");
        }
        if checks.get_bool("doNotAutoAddDefaults") {
            found.lost.push("doNotAutoAddDefaults: kplan's default tier runs beside what is included".to_owned());
        }
        found.paths =
            texts(checks, "ignorePaths").into_iter().map(|path| path.trim_start_matches("./").to_owned()).collect();
    }
    for custom in root.list("customChecks") {
        let name = custom.get_str("name").unwrap_or("?");
        found.lost.push(format!("customChecks {name}: write it as a rule of your own (`ruleDirs:`)"));
    }
    found
}

fn polaris(root: View<'_>, checks: View<'_>) -> Translated {
    let mut found = Translated::new("polaris");
    for (id, grade) in checks.fields().filter_map(|(id, value)| Some((id, value.str()?))) {
        match grade {
            "danger" | "error" => found.set(id, "error"),
            "warning" => found.set(id, "warning"),
            "ignore" => found.set(id, "off"),
            _ => {}
        }
    }
    for exemption in root.list("exemptions") {
        let namespace = exemption.get_str("namespace").unwrap_or("*");
        let controllers = texts(exemption, "controllerNames");
        let controllers = if controllers.is_empty() { vec!["*"] } else { controllers };
        let containers = texts(exemption, "containerNames");
        let containers = if containers.is_empty() { vec![""] } else { containers };
        for id in texts(exemption, "rules") {
            let rules = rules_for("polaris", id);
            if rules.is_empty() {
                found.lost.push(format!("the exemption from {id}"));
            }
            for (rule, controller, container) in rules.iter().flat_map(|rule| {
                let containers = &containers;
                controllers.iter().flat_map(move |name| containers.iter().map(move |own| (rule, *name, *own)))
            }) {
                // polaris takes the start of a name.
                let mut entry = vec![format!("rule: {}", rule.id), format!("object: \"* {namespace}/{controller}*\"")];
                if !container.is_empty() {
                    entry.push(format!("container: {}", quoted(container)));
                }
                entry.push("reason: exempted in the configuration of polaris".to_owned());
                found.ignores.push(entry);
            }
        }
    }
    for (name, _) in root.map("customChecks") {
        found.lost.push(format!("customChecks {name}: write it as a rule of your own (`ruleDirs:`)"));
    }
    found
}

fn kube_score(text: &str) -> Translated {
    let mut found = Translated::new("kube-score");
    let words: Vec<&str> =
        text.split([' ', '=', '\n', '\t', '\\', '"', '\'']).filter(|word| !word.is_empty()).collect();
    for pair in words.windows(2) {
        match pair[0] {
            "--ignore-test" => found.set(pair[1], "off"),
            "--enable-optional-test" => found.set(pair[1], ""),
            "--ignore-container-cpu-limit" => found.set("container-resources", "off"),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result is a kplan.yaml that kplan takes.
    fn translated(text: &str) -> String {
        let text = read(text).unwrap().text("x");
        let rules: Vec<&Rule> = RULES.iter().collect();
        crate::config::parse("kplan.yaml", &text, Path::new(""), &rules)
            .unwrap_or_else(|error| panic!("{text}{error}"));
        text
    }

    #[test]
    fn other_tools_settings_are_translated() {
        let linter = "checks:\n  addAllBuiltIn: true\n  exclude: [latest-tag]\n  include: [no-such]\n  ignorePaths: [./vendor/**]\n\
            customChecks:\n- {name: own, template: x}\n";
        let text = translated(linter);
        for line in [
            "tier: strict",
            "image-tag-mutable: off",
            "- paths: [\"vendor/**\"]",
            "# - check no-such",
            "# - customChecks own",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let polaris = "checks:\n  tagNotSpecified: danger\nexemptions:\n- namespace: kube-system\n  controllerNames: [dns]\n\
            \x20 containerNames: [side]\n  rules: [tagNotSpecified, nothing]\n";
        let text = translated(polaris);
        for line in [
            "image-tag-mutable: error",
            "object: \"* kube-system/dns*\"",
            "container: side",
            "the exemption from nothing",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let score = translated("kube-score score --ignore-test container-image-tag *.yaml\n");
        assert!(score.contains("image-tag-mutable: off"), "{score}");
        assert!(read("a: 1\n").is_none() && read("").is_none());
    }
}
