//! Which nodes pods are placed on: `--nodes`, else those of the cluster, else `nodes:` of kplan.yaml, else the Node objects of the set.

use std::path::Path;
use std::sync::Arc;

use super::error::{CliError, ErrorKind, io_text};
use super::live::Live;
use super::options::Options;
use crate::model::Bundle;
use crate::simulate::{Inventory, NodeError};
use crate::source::Source;

/// The first inventory that is there, and where it comes from; `None` where no nodes are known.
pub(super) fn find(
    options: &Options,
    bundle: &Bundle,
    live: Option<(&Live, &Bundle)>,
) -> Result<Option<(Inventory, String)>, CliError> {
    if let Some(file) = &options.nodes {
        let inventory = read(file)?;
        let note = format!("nodes: {} ({})", file.display(), inventory.nodes.len());
        return Ok(Some((inventory, note)));
    }
    if let Some((live, state)) = live {
        let inventory = Inventory::from_bundle(state);
        let note = format!("nodes: context {} ({})", live.connection.context, inventory.nodes.len());
        return Ok((!inventory.is_empty()).then_some((inventory, note)));
    }
    if !options.settings.nodes.is_empty() {
        let name = options.config.as_ref().map_or("kplan.yaml", |config| config.name.as_str());
        let inventory = Inventory::from_settings(&options.settings)
            .map_err(|errors| node_error(name, &Source::new(name, ""), &errors))?;
        let note = format!("nodes: {name} ({})", inventory.nodes.len());
        return Ok(Some((inventory, note)));
    }
    let inventory = Inventory::from_bundle(bundle);
    let note = format!("nodes: in the manifests ({})", inventory.nodes.len());
    Ok((!inventory.is_empty()).then_some((inventory, note)))
}

fn read(file: &Path) -> Result<Inventory, CliError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let help = "--nodes takes a file with Node objects, or with `nodes:` as in kplan.yaml";
        CliError::usage(format!("cannot read {name}: {}", io_text(&error)), help)
    })?;
    let text: Arc<str> = Arc::from(text);
    Inventory::from_text(&text).map_err(|errors| node_error(&name, &Source::new(name.clone(), text.clone()), &errors))
}

/// All that is wrong with the nodes, each with its place.
fn node_error(name: &str, source: &Source, errors: &[NodeError]) -> CliError {
    let lines: Vec<String> = errors
        .iter()
        .map(|error| match error.span {
            Some(span) => {
                let place = source.line_column(span.start);
                format!("{name}:{}:{}: {}", place.line, place.column, error.message)
            }
            None => format!("{name}: {}", error.message),
        })
        .collect();
    let help = "a node has a name, cpu and memory: `kubectl get nodes -o yaml` gives them all";
    CliError::new(ErrorKind::Config, lines.join("\nerror: "), help)
}
