//! The state of a cluster that a run looks at beside the manifests.

use std::path::Path;

use super::error::{CliError, ErrorKind, io_text};
use super::options::Options;
use super::progress;
use crate::model::Bundle;
use crate::snapshot::{self, Snapshot};

/// A cluster's objects, and what people call it.
pub(super) struct LiveState {
    pub bundle: Bundle,
    /// `snapshot cluster.json`
    pub name: String,
}

/// What `--snapshot` names.
pub(super) fn find(options: &Options) -> Result<Option<LiveState>, CliError> {
    let Some(file) = &options.snapshot else { return Ok(None) };
    let snapshot = read(file, options)?;
    Ok(Some(LiveState { bundle: snapshot.bundle, name: format!("snapshot {}", file.display()) }))
}

/// Reads a snapshot; what it lacks is said on stderr.
pub(super) fn read(file: &Path, options: &Options) -> Result<Snapshot, CliError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        CliError::usage(format!("cannot read {name}: {}", io_text(&error)), "name a file that `kplan snapshot` wrote")
    })?;
    let snapshot = snapshot::read(&name, &text, &options.settings)
        .map_err(|error| CliError::new(ErrorKind::Config, error.message, error.help))?;
    if !options.quiet {
        let unread =
            snapshot.about.unread.iter().map(|unread| format!("{name} has no {}: {}", unread.kind, unread.why));
        progress::note(&unread.collect::<Vec<_>>());
    }
    Ok(snapshot)
}
