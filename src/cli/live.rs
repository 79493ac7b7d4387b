//! The state of a cluster that a run looks at beside the manifests.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::error::{CliError, ErrorKind, io_text};
use super::options::Options;
use super::progress;
use crate::load::Base;
use crate::model::Bundle;
use crate::snapshot::{self, Snapshot};

/// A cluster's objects, and what people call it.
pub(super) struct LiveState {
    pub bundle: Bundle,
    /// `snapshot cluster.json`
    pub name: String,
}

/// The snapshot that a run compares with is its cluster, where no other is named.
pub(super) fn take_base(options: &mut Options, base: &Base) {
    if let Base::Snapshot(file) = base {
        options.snapshot.get_or_insert_with(|| PathBuf::from(file));
    }
}

/// What `--snapshot` names; what it lacks is said on stderr.
pub(super) fn find(options: &mut Options) -> Result<Option<LiveState>, CliError> {
    let Some(file) = options.snapshot.clone() else { return Ok(None) };
    let snapshot = read(&file, options)?;
    options.take_cluster_version(&snapshot.about.kube_version, &file.display().to_string());
    if !options.quiet {
        let unread = snapshot.about.unread.iter();
        let lines = unread.map(|unread| format!("{} has no {}: {}", file.display(), unread.kind, unread.why));
        progress::note(&lines.collect::<Vec<_>>());
    }
    Ok(Some(LiveState { bundle: snapshot.bundle, name: format!("snapshot {}", file.display()) }))
}

/// Reads a snapshot.
pub(super) fn read(file: &Path, options: &Options) -> Result<Snapshot, CliError> {
    let name = file.display().to_string();
    // A pipe is opened once only: what it holds would be lost.
    let parts = file.is_file().then(|| File::open(file).ok()).flatten();
    if let Some(snapshot) =
        parts.and_then(|parts| snapshot::read_parts(&name, BufReader::new(parts), &options.settings))
    {
        return Ok(snapshot);
    }
    let text = std::fs::read_to_string(file).map_err(|error| {
        CliError::usage(format!("cannot read {name}: {}", io_text(&error)), "name a file that `kplan snapshot` wrote")
    })?;
    snapshot::read(&name, text, &options.settings)
        .map_err(|error| CliError::new(ErrorKind::Config, error.message, error.help))
}
