//! `kplan plan`.

use super::args::{PlanArgs, Terms};
use super::diff::{self, finish};
use super::error::{CliError, Exit};
use super::live::{self, Scope};
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
    let with_cluster = base == Base::Cluster || live::is_named(&args.compare.cluster, &options);
    let live = with_cluster.then(|| live::connect(&args.compare.cluster, &mut options)).transpose()?;
    let mut run = Run::read(options, live)?;
    run.judge();
    run.look(Scope::Placement)?;
    run.place()?;
    run.compare(&base, args.compare.force_conflicts)?;
    run.plan();
    finish(run, "plan", args.compare.exit_code)
}
