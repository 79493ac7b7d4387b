//! `kplan config`: the settings as they are after `kplan.yaml` and defaults.

use std::io::{self, Write};

use serde_json::json;

use super::args::{Color, ConfigArgs, InputArgs, NodeArgs, ReportArgs, Terms};
use super::error::{CliError, Exit};
use super::options::Options;

pub(super) fn run(args: &ConfigArgs) -> Result<Exit, CliError> {
    let paths = vec![args.path.to_string_lossy().into_owned()];
    let input = InputArgs { paths, ..InputArgs::default() };
    let terms = Terms { color: Color::Never, verbose: 0, quiet: true };
    let options = Options::new(&input, &ReportArgs::default(), &NodeArgs::default(), &terms)?;
    let settings = &options.settings;
    let rules: serde_json::Map<String, serde_json::Value> = settings
        .rules
        .iter()
        .map(|(id, severity)| (id.clone(), json!(severity.map_or("off", |severity| severity.name()))))
        .collect();
    let nodes = settings.nodes.iter().map(|node| {
        json!({
            "name": node.name, "count": node.count, "cpu": node.cpu, "memory": node.memory, "pods": node.pods,
            "labels": node.labels, "taints": node.taints, "zone": node.zone,
        })
    });
    let ignores = settings.ignores.iter().map(
        |ignore| json!({"rule": ignore.rule, "path": ignore.path, "object": ignore.object, "reason": ignore.reason}),
    );
    let resolved = json!({
        "config": options.config.as_ref().map(|config| &config.name),
        "kubeVersion": options.version_text(),
        "tier": settings.tier.name(),
        "failOn": settings.fail_on.name(),
        "namespace": settings.namespace,
        "rules": rules,
        "ignore": {"paths": settings.ignore_paths, "findings": ignores.collect::<Vec<_>>()},
        "assumeExists": settings.assume_exists,
        "nodes": nodes.collect::<Vec<_>>(),
        "stacks": settings.stacks,
        "crdDirs": settings.crd_dirs,
    });
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &resolved).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Fine)
}
