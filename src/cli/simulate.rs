//! `kplan simulate`.

use super::args::{SimulateArgs, Terms};
use super::cluster::{self, Scope};
use super::error::{CliError, Exit};
use super::options::Options;
use super::stages::{self, Run};

pub(super) fn run(args: &SimulateArgs, terms: &Terms) -> Result<Exit, CliError> {
    let mut options = Options::new(&args.input, &args.report, &args.nodes, terms)?;
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
