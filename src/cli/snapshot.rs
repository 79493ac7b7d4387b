//! `kplan snapshot`: the state of a cluster as a file.

use std::io::{self, Write};

use super::args::{InputArgs, NodeArgs, ReportArgs, SnapshotArgs, Terms};
use super::cluster;
use super::error::{CliError, Exit};
use super::options::Options;
use super::{output, progress, stages};
use crate::model::time;
use crate::snapshot::{self, About};

pub(super) fn run(args: &SnapshotArgs, terms: &Terms) -> Result<Exit, CliError> {
    let mut options = Options::new(&InputArgs::default(), &ReportArgs::default(), &NodeArgs::default(), terms)?;
    let cluster = cluster::connect(&args.cluster, &mut options)?;
    let mut read = cluster.read_all()?;
    read.unread.sort();
    read.unread.dedup();
    let about = About {
        kube_version: cluster.version.clone(),
        taken: time::rfc3339(options.settings.now),
        context: cluster.connection.context.clone(),
        unread: read.unread,
    };
    let bundle = stages::parse_cluster(read.loaded, &options.settings, &cluster);
    let objects = bundle.ids().filter_map(|id| serde_json::from_str(&bundle.written(id).to_json()).ok()).collect();
    let text = snapshot::document(objects, &about);
    match &args.output {
        Some(file) => output::to_file(file, |out| out.write_all(text.as_bytes()))?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    if !terms.quiet {
        let unread = about.unread.iter().map(|unread| format!("cannot read any {}: {}", unread.kind, unread.why));
        let mut lines: Vec<String> = unread.collect();
        lines.push(format!("{} objects of {}", bundle.objects.len(), cluster.title()));
        progress::note(&lines);
    }
    Ok(Exit::Fine)
}
