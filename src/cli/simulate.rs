//! `kplan simulate`.

use super::args::{SimulateArgs, Terms};
use super::cluster::{self, Scope};
use super::error::{CliError, Exit};
use super::options::Options;
use super::stages::{self, Run};
use crate::model::Version;
use crate::schema::Schema;
use crate::simulate::schedulers::VERSIONS;

pub(super) fn run(args: &SimulateArgs, terms: &Terms) -> Result<Exit, CliError> {
    // Where pods land is known of more versions than the rules are, by which nothing is judged here.
    let asked = args.input.kube_version.as_deref().and_then(|version| version.parse::<Version>().ok());
    let other = asked.filter(|version| Schema::of(*version).is_none());
    if let Some(unknown) = other.filter(|version| !VERSIONS.contains(version)) {
        let message = format!("--kube-version: Kubernetes {unknown} is not known to this version of kplan");
        let known = VERSIONS.map(|version| version.to_string()).join(", ");
        return Err(CliError::usage(message, format!("known: {known}")));
    }
    let scheduler = other;
    let mut input = args.input.clone();
    input.kube_version = input.kube_version.filter(|_| scheduler.is_none());
    let mut options = Options::new(&input, &args.report, &args.nodes, terms)?;
    if scheduler.is_some() {
        (options.settings.scheduler, options.has_version) = (scheduler, true);
    }
    let named = cluster::is_named(&args.cluster, &options);
    let cluster = named.then(|| cluster::connect(&args.cluster, &mut options)).transpose()?;
    let mut run = Run::read(options, cluster)?;
    run.look(Scope::Surroundings)?;
    run.judge();
    run.place()?;
    if !run.is_placed() {
        let help = "give them with --nodes FILE, under `nodes:` in kplan.yaml, or as Node objects in the manifests";
        return Err(CliError::usage("simulate needs nodes, and none are known", help));
    }
    let mut findings = run.findings()?;
    stages::of_placement(&mut findings);
    run.report("simulate", &findings)
}
