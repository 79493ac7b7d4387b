//! Which nodes pods are placed on: `--nodes`, else those of the cluster, else `nodes:` of kplan.yaml, else the Node
//! objects of the set.

use std::path::Path;

use super::error::{CliError, ErrorKind, io_text};
use super::live::LiveState;
use super::options::Options;
use crate::model::Bundle;
use crate::simulate::schedulers::{self, Schedulers};
use crate::simulate::{Inventory, NodeError};
use crate::source::{Source, SourceText};

/// The first inventory that is there, with the scheduler's configuration, and where it comes from; `None` where no nodes
/// are known.
///
/// Where the state of a cluster is known, what runs there is part of it: also on nodes that a file gives.
pub(super) fn find<'a>(
    options: &Options,
    bundle: &Bundle,
    live: Option<&'a LiveState>,
) -> Result<Option<(Inventory<'a>, String)>, CliError> {
    let schedulers = schedulers(options)?;
    let found = nodes(options, bundle, live)?;
    Ok(found.map(|(inventory, note)| (Inventory { schedulers, ..inventory }, note)))
}

/// What `--scheduler-config` names.
fn schedulers(options: &Options) -> Result<Schedulers, CliError> {
    let Some(file) = &options.scheduler_config else { return Ok(Schedulers::default()) };
    let name = file.display().to_string();
    let help = "--scheduler-config takes the file that kube-scheduler is started with (--config)";
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::usage(format!("cannot read {name}: {}", io_text(&error)), help))?;
    let text = SourceText::from(text);
    schedulers::read(&text).map_err(|errors| {
        let lines = lines(&name, &Source::new(name.clone(), text.clone()), &errors);
        CliError::new(ErrorKind::Config, lines.join("\nerror: "), help)
    })
}

fn nodes<'a>(
    options: &Options,
    bundle: &Bundle,
    live: Option<&'a LiveState>,
) -> Result<Option<(Inventory<'a>, String)>, CliError> {
    let cluster = live.map(|live| &live.bundle);
    if let Some(file) = &options.nodes {
        let inventory = Inventory { live: cluster, ..read(file)? };
        let pods = inventory.elsewhere();
        let lost = if pods > 0 { format!("; {pods} pods of {} run on other nodes", name(live)) } else { String::new() };
        let note = format!("nodes: {} ({}{lost})", file.display(), inventory.nodes.len());
        return Ok(Some((inventory, note)));
    }
    if let Some(cluster) = cluster {
        let mut inventory = Inventory::of_cluster(cluster).map_err(|error| {
            let help = "take the snapshot again, or give the nodes with --nodes FILE";
            CliError::new(ErrorKind::Config, format!("{}: {}", name(live), error.message), help)
        })?;
        inventory.change(bundle);
        if !inventory.is_empty() {
            let note = format!("nodes: {} ({})", name(live), inventory.nodes.len());
            return Ok(Some((inventory, note)));
        }
    }
    if !options.settings.nodes.is_empty() {
        let name = options.config.as_ref().map_or("kplan.yaml", |config| config.name.as_str());
        let inventory = Inventory::from_settings(&options.settings)
            .map_err(|errors| node_error(name, &Source::new(name, ""), &errors))?;
        let note = format!("nodes: {name} ({})", inventory.nodes.len());
        return Ok(Some((Inventory { live: cluster, ..inventory }, note)));
    }
    let inventory = Inventory { live: cluster, ..Inventory::from_bundle(bundle) };
    let note = format!("nodes: in the manifests ({})", inventory.nodes.len());
    Ok((!inventory.is_empty()).then_some((inventory, note)))
}

fn name(live: Option<&LiveState>) -> &str {
    live.map_or("the cluster", |live| live.name.as_str())
}

fn read(file: &Path) -> Result<Inventory<'static>, CliError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let help = "--nodes takes a file with Node objects, or with `nodes:` as in kplan.yaml";
        CliError::usage(format!("cannot read {name}: {}", io_text(&error)), help)
    })?;
    let text = SourceText::from(text);
    Inventory::from_text(&text).map_err(|errors| node_error(&name, &Source::new(name.clone(), text.clone()), &errors))
}

/// All that is wrong with the nodes, each with its place.
fn node_error(name: &str, source: &Source, errors: &[NodeError]) -> CliError {
    let help = "a node has a name, cpu and memory: `kubectl get nodes -o yaml` gives them all";
    CliError::new(ErrorKind::Config, lines(name, source, errors).join("\nerror: "), help)
}

/// Each error with its place.
fn lines(name: &str, source: &Source, errors: &[NodeError]) -> Vec<String> {
    errors
        .iter()
        .map(|error| match error.span {
            Some(span) => {
                let place = source.line_column(span.start);
                format!("{name}:{}:{}: {}", place.line, place.column, error.message)
            }
            None => format!("{name}: {}", error.message),
        })
        .collect()
}
