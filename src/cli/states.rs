//! `kplan diff --of`: the state of a cluster, live or as a snapshot, held against something else. Nothing is judged, and no
//! server is asked what would come of it.

use super::cluster::Cluster;
use super::diff::{self, Read};
use super::error::{CliError, ErrorKind};
use super::options::Options;
use super::stages::Run;
use crate::diff::{Change, Knowledge};
use crate::load::Base;
use crate::model::Bundle;
use crate::{defaults, schema::Schema, snapshot};

impl Run {
    /// A run over the state of a cluster.
    pub(super) fn of_state(mut options: Options, cluster: Option<Cluster>, of: &Base) -> Result<Run, CliError> {
        options.allow_empty = true;
        let mut run = Run::of_files(options, cluster, crate::load::Loaded::default())?;
        run.bundle = run.state_of(of)?.0;
        Ok(run)
    }

    /// diff of that state against a base. Against files only the objects of these are looked at.
    pub(super) fn compare_state(&mut self, base: &Base) -> Result<(), CliError> {
        let (base, name) = self.state_of(base)?;
        let settings = &self.options.settings;
        let knowledge = Knowledge::default();
        let changes = if base.live.is_some() || base.objects.is_empty() {
            crate::diff::run(&self.bundle, &base, &knowledge, settings).0
        } else {
            let there = crate::diff::run(&base, &self.bundle, &knowledge, settings).0;
            there.into_iter().filter(|change| change.desired.is_some()).map(Change::reversed).collect()
        };
        self.changes = Some(changes);
        self.base = Some((base, name));
        Ok(())
    }

    /// All objects of one side with their defaults, and what it is called.
    fn state_of(&self, side: &Base) -> Result<(Bundle, String), CliError> {
        let settings = &self.options.settings;
        let (mut bundle, name) = match (side, &self.cluster) {
            (Base::Cluster, Some(cluster)) => {
                let read = cluster.read_all()?;
                let mut bundle = self.parse_live(read.loaded);
                snapshot::complete(&mut bundle, &read.unread, read.whole, settings);
                return Ok((bundle, cluster.title()));
            }
            _ => match diff::read_base(side, &self.options)? {
                (Read::Snapshot(snapshot), name) => return Ok((snapshot.bundle, name)),
                (Read::Files(loaded), name) => (self.parse_live(loaded), name),
            },
        };
        let Some(schema) = Schema::of(settings.kube_version) else {
            let message = format!("Kubernetes {} is not known", settings.kube_version);
            return Err(CliError::new(ErrorKind::Config, message, "name another with --kube-version"));
        };
        defaults::run(&mut bundle, schema);
        Ok((bundle, name))
    }
}
