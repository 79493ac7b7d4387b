//! `kplan config`: the settings as they are after `kplan.yaml` and defaults, and where each comes from.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::args::{Color, ConfigArgs, InputArgs, NodeArgs, ReportArgs, Terms};
use super::error::{CliError, Exit};
use super::options::Options;
use super::own_rules;
use crate::config::{self, Settings};
use crate::diag::{Severity, Tier};

/// Keys of kplan.yaml.
const KEYS: [&str; 19] = [
    "kubeVersion",
    "tier",
    "failOn",
    "rules",
    "overrides",
    "ignore",
    "assumeExists",
    "nodes",
    "stacks",
    "crdDirs",
    "ruleDirs",
    "compat",
    "workloads",
    "podSecurity",
    "charts",
    "renderTimeout",
    "contexts",
    "conflicts",
    "applySet",
];

pub(super) fn run(args: &ConfigArgs) -> Result<Exit, CliError> {
    if args.schema {
        let table = own_rules::here()?.table;
        return print(&config::schema(&table));
    }
    let paths = vec![args.path.to_string_lossy().into_owned()];
    let input = InputArgs { paths, ..InputArgs::default() };
    let terms = Terms { color: Color::Never, verbose: 0, quiet: true };
    let options = Options::new(&input, &ReportArgs::default(), &NodeArgs::default(), &terms)?;
    let settings = &options.settings;
    let own: Vec<String> = options.own.files.iter().map(|file| file.display().to_string()).collect();
    let resolved = json!({
        "config": options.config.as_ref().map(|config| &config.name),
        "kubeVersion": options.version_text(),
        "tier": settings.tier.name(),
        "failOn": settings.fail_on.name(),
        "namespace": settings.namespace,
        "rules": severities(&settings.rules),
        "params": params(&options),
        "locked": settings.locked.iter().collect::<Vec<_>>(),
        "overrides": overrides(settings),
        "ignore": {"paths": settings.ignore_paths, "findings": ignores(settings)},
        "compat": settings.compat,
        "ownRules": own,
        "assumeExists": settings.assume_exists,
        "nodes": nodes(settings),
        "stacks": settings.stacks,
        "crdDirs": settings.crd_dirs,
        "workloads": workloads(settings),
        "podSecurity": pod_security(settings),
        "charts": charts(settings),
        "renderTimeout": format!("{}s", settings.render_timeout.as_secs_f32()),
        "contexts": options.config.as_ref().map(|config| &config.contexts),
        "conflicts": conflicts(&options),
        "applySet": options.config.as_ref().and_then(|config| config.apply_set.as_ref()).map(|own| {
            json!({"parent": own.parent, "namespace": own.namespace})
        }),
        "from": origins(&options),
    });
    print(&resolved)
}

fn print(json: &Value) -> Result<Exit, CliError> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, json).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Fine)
}

/// Where each setting comes from: `kplan.yaml:3`, or `default`.
fn origins(options: &Options) -> BTreeMap<&'static str, String> {
    let from = |key: &str| {
        let config = options.config.as_ref()?;
        Some(format!("{}:{}", config.name, config.lines.get(key)?))
    };
    KEYS.into_iter().map(|key| (key, from(key).unwrap_or_else(|| "default".to_owned()))).collect()
}

/// The parameters of every rule that has some, as they are in force.
fn params(options: &Options) -> BTreeMap<&'static str, Value> {
    let rules = options.own.table.iter().filter(|rule| rule.params != "{}");
    let given = &options.settings.params;
    rules.map(|rule| (rule.id, Value::Object(rule.params_in_force(given.get(rule.id))))).collect()
}

fn severities(rules: &BTreeMap<String, Option<Severity>>) -> BTreeMap<&str, &'static str> {
    rules.iter().map(|(id, severity)| (id.as_str(), severity.map_or("off", Severity::name))).collect()
}

fn overrides(settings: &Settings) -> Vec<Value> {
    let all = settings.overrides.iter();
    all.map(
        |entry| json!({"paths": entry.paths, "rules": severities(&entry.rules), "tier": entry.tier.map(Tier::name)}),
    )
    .collect()
}

fn ignores(settings: &Settings) -> Vec<Value> {
    let all = settings.ignores.iter();
    all.map(|ignore| {
        json!({
            "rule": ignore.rule, "path": ignore.path, "object": ignore.object, "container": ignore.container,
            "reason": ignore.reason, "expired": ignore.expired,
        })
    })
    .collect()
}

fn nodes(settings: &Settings) -> Vec<Value> {
    let all = settings.nodes.iter();
    all.map(|node| {
        json!({
            "name": node.name, "count": node.count, "cpu": node.cpu, "memory": node.memory, "pods": node.pods,
            "labels": node.labels, "taints": node.taints, "zone": node.zone,
        })
    })
    .collect()
}

fn workloads(settings: &Settings) -> Vec<Value> {
    let all = settings.workloads.iter();
    all.map(|own| json!({"group": own.group, "kind": own.kind, "template": own.place.path()})).collect()
}

fn pod_security(settings: &Settings) -> Vec<Value> {
    let all = settings.pod_security.iter();
    all.map(|entry| json!({"namespaces": entry.namespaces, "labels": entry.labels})).collect()
}

fn conflicts(options: &Options) -> Vec<Value> {
    let all = options.config.iter().flat_map(|config| &config.conflicts);
    all.map(|own| json!({"kind": own.kind, "path": own.path, "manager": own.manager, "action": own.action})).collect()
}

fn charts(settings: &Settings) -> Vec<Value> {
    let all = settings.charts.iter();
    all.map(|run| {
        json!({
            "path": run.path, "release": run.release, "namespace": run.namespace, "values": run.values, "set": run.set,
        })
    })
    .collect()
}
