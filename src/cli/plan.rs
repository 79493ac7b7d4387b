//! `kplan plan`.

use super::args::{PlanArgs, Terms};
use super::cluster::{self, Scope};
use super::diff::{self, finish};
use super::error::{CliError, Exit};
use super::live;
use super::options::Options;
use super::stages::Run;
use crate::load::Base;

pub(super) fn run(args: &PlanArgs, terms: &Terms) -> Result<Exit, CliError> {
    if args.out.is_some() {
        let help = "leave --out away; `--output json=FILE` keeps what the plan says";
        return Err(CliError::usage("--out: plans cannot be saved yet", help));
    }
    let mut input = args.compare.input.clone();
    // What is not rendered is not planned.
    input.require_render = true;
    let mut options = Options::new(&input, &args.compare.report, &args.nodes, terms)?;
    let base = diff::base(&args.compare, &options)?.unwrap_or(Base::Empty);
    live::take_base(&mut options, &base);
    let with_cluster = base == Base::Cluster || cluster::is_named(&args.compare.cluster, &options);
    let cluster = with_cluster.then(|| cluster::connect(&args.compare.cluster, &mut options)).transpose()?;
    let mut run = Run::read(options, cluster)?;
    run.look(Scope::Surroundings)?;
    run.judge();
    run.place()?;
    run.compare(&base, &args.compare.policy)?;
    run.plan();
    finish(run, "plan", args.compare.exit_code)
}
