//! `kplan init --from FILE`: settings of kube-linter, polaris and kube-score as a kplan.yaml; what has no counterpart is a
//! comment in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::error::{CliError, io_text};
use super::translate_params;
use crate::diag::Rule;
use crate::lint::catalog::RULES;
use crate::source::SourceText;
use crate::yaml::edit::quoted;
use crate::yaml::{self, View};

/// What the file of the other tool says.
#[derive(Debug, Default)]
struct Translated {
    tool: &'static str,
    all: bool,
    /// Severity by kplan's rule.
    rules: BTreeMap<&'static str, &'static str>,
    /// Parameters by kplan's rule and their name.
    params: BTreeMap<&'static str, BTreeMap<&'static str, Value>>,
    /// Ignore annotations of the tool do not count.
    no_annotations: bool,
    /// Lowest severity that fails, where it is not error.
    fail_on: Option<&'static str>,
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
    let text = SourceText::from(text);
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
            if own != "off" {
                let params = translate_params::built_in(self.tool, id).into_iter();
                params.for_each(|(rule, name, value)| self.give(rule, name, value));
            }
        }
    }

    /// Switches a rule on and gives it a parameter; lists and maps grow.
    fn give(&mut self, rule: &'static str, name: &'static str, value: Value) {
        let severity = RULES.iter().find(|own| own.id == rule).map_or("warning", |own| own.severity.name());
        self.rules.entry(rule).or_insert(severity);
        let params = self.params.entry(rule).or_default();
        match (params.get_mut(name), value) {
            (Some(Value::Array(old)), Value::Array(more)) => {
                let new: Vec<Value> = more.into_iter().filter(|value| !old.contains(value)).collect();
                old.extend(new);
            }
            (Some(Value::Object(old)), Value::Object(more)) => old.extend(more),
            (_, value) => {
                params.insert(name, value);
            }
        }
    }

    fn text(&self, from: &str) -> String {
        let mut out = format!("# Settings of kplan, from {from} of {}.\n\n", self.tool);
        let tier = if self.all { "strict" } else { "default" };
        let _ = writeln!(out, "tier: {tier}");
        if let Some(fail_on) = self.fail_on {
            let _ = writeln!(out, "failOn: {fail_on}");
        }
        if !self.no_annotations {
            let _ = writeln!(out, "compat: [{}]", self.tool);
        }
        if !self.rules.is_empty() {
            out.push_str("rules:\n");
        }
        for (rule, severity) in &self.rules {
            match self.params.get(rule).filter(|_| *severity != "off") {
                Some(params) => {
                    let params = serde_json::to_string(params).unwrap_or_default();
                    let _ = writeln!(out, "  {rule}: {{severity: {severity}, params: {params}}}");
                }
                None => {
                    let _ = writeln!(out, "  {rule}: {severity}");
                }
            }
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
        if custom.get_str("template") == Some("forbidden-service-types") {
            let types: Vec<&str> =
                custom.get("params").map(|params| texts(params, "forbiddenServiceTypes")).unwrap_or_default();
            for (type_, rule) in [("NodePort", "service-nodeport"), ("LoadBalancer", "service-loadbalancer")] {
                if types.contains(&type_) {
                    found.rules.insert(rule, "info");
                }
            }
            continue;
        }
        let params = translate_params::kube_linter(custom);
        if !params.is_empty() {
            params.into_iter().for_each(|(rule, name, value)| found.give(rule, name, value));
            continue;
        }
        // A template without parameters of its own is what the check of its name does.
        let template = custom.get_str("template").filter(|_| custom.get("params").is_none());
        if let Some(id) = template.filter(|id| !rules_for("kube-linter", id).is_empty()) {
            found.set(id, "");
            continue;
        }
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
    found.no_annotations = root.get_bool("disallowExemptions") || root.get_bool("disallowAnnotationExemptions");
    for (name, custom) in root.map("customChecks") {
        let params = translate_params::polaris(custom);
        if !params.is_empty() {
            params.into_iter().for_each(|(rule, name, value)| found.give(rule, name, value));
            continue;
        }
        found.lost.push(format!("customChecks {name}: write it as a rule of your own (`ruleDirs:`)"));
    }
    found
}

fn kube_score(text: &str) -> Translated {
    let mut found = Translated::new("kube-score");
    let words: Vec<&str> =
        text.split([' ', '=', '\n', '\t', '\\', '"', '\'']).filter(|word| !word.is_empty()).collect();
    for (place, word) in words.iter().enumerate() {
        let next = words.get(place + 1).copied().unwrap_or_default();
        match *word {
            "--ignore-container-cpu-limit" => {
                found.rules.insert("cpu-limit-missing", "off");
            }
            "--ignore-container-memory-limit" => {
                found.rules.insert("memory-limit-missing", "off");
            }
            "--exit-one-on-warning" => found.fail_on = Some("warning"),
            "--disable-ignore-checks-annotations" => found.no_annotations = true,
            "--min-replicas-deployment" | "--min-replicas-hpa" => {
                let rule = if word.ends_with("hpa") { "hpa-min-low" } else { "replicas-single" };
                match next.parse::<u32>() {
                    Ok(least) => found.give(rule, "min", least.max(1).into()),
                    Err(_) => found.lost.push(format!("{word} {next}")),
                }
            }
            _ => {}
        }
    }
    for pair in words.windows(2) {
        match pair[0] {
            "--ignore-test" => found.set(pair[1], "off"),
            "--enable-optional-test" => found.set(pair[1], ""),
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

    #[test]
    fn parameters_are_translated() {
        let templates = "customChecks:\n- {name: a, template: required-label, params: {key: team, value: '^a+$'}}\n\
            - {name: b, template: required-label, params: {key: env}, scope: {objectKinds: [Deployment]}}\n\
            - {name: c, template: minimum-replicas, params: {minReplicas: 4}}\n\
            - {name: d, template: disallowed-api-obj, params: {group: batch, kind: CronJob}}\n\
            - {name: e, template: host-mounts, params: {dirs: ['^/srv$', '^/var/.*$']}}\n\
            - {name: f, template: forbidden-service-types, params: {forbiddenServiceTypes: [NodePort]}}\n\
            checks: {include: [hpa-minimum-three-replicas, drop-net-raw-capability]}\n";
        let text = translated(templates);
        for line in [
            "required-labels: {severity: warning, params: {\"kinds\":[\"Deployment\"],\"labels\":{\"team\":\"a+\",\"env\":\".*\"}}}",
            "replicas-single: {severity: info, params: {\"min\":4}}",
            "kind-forbidden: {severity: warning, params: {\"kinds\":[\"batch/CronJob\"]}}",
            "hpa-min-low: {severity: info, params: {\"min\":3}}",
            "capability-not-dropped: {severity: info, params: {\"drop\":[\"NET_RAW\"]}}",
            "service-nodeport: info",
            "# - customChecks e: ",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let polaris = "checks: {tagNotSpecified: ignore}\ndisallowExemptions: true\ncustomChecks:\n  limits:\n    schema:\n      \
            properties:\n        resources:\n          properties:\n            limits:\n              properties:\n                \
            memory: {type: string, resourceMaximum: 6G}\n                cpu: {resourceMaximum: '2'}\n  \
            registry:\n    schema: {properties: {image: {type: string, pattern: '^quay.io/'}}}\n  other: {schema: {}}\n";
        let text = translated(polaris);
        for line in [
            "image-tag-mutable: off",
            "resource-cap: {severity: warning, params: {\"cpu\":\"2\",\"memory\":\"6G\"}}",
            "image-registry-not-allowed: {severity: warning, params: {\"allowed\":[\"quay.io\"]}}",
            "# - customChecks other: ",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("compat"), "{text}");
        let flags =
            "kube-score score --min-replicas-deployment 3 --ignore-container-memory-limit --exit-one-on-warning x\n";
        let text = translated(flags);
        for line in
            ["replicas-single: {severity: info, params: {\"min\":3}}", "memory-limit-missing: off", "failOn: warning"]
        {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
