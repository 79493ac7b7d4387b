//! `kplan plan`.

use super::args::{PlanArgs, Terms};
use super::diff::finish;
use super::error::{CliError, Exit};
use super::options::Options;
use super::stages::Run;

pub(super) fn run(args: &PlanArgs, terms: &Terms) -> Result<Exit, CliError> {
    if args.out.is_some() {
        let help = "leave --out away; `--output json=FILE` keeps what the plan says";
        return Err(CliError::usage("--out: plans cannot be saved yet", help));
    }
    let mut input = args.compare.input.clone();
    // What is not rendered is not planned.
    input.require_render = true;
    let options = Options::new(&input, &args.compare.report, &args.nodes, terms)?;
    let mut run = Run::read(options)?;
    run.judge();
    run.place()?;
    run.compare(args.compare.base.as_deref().unwrap_or("empty"))?;
    run.plan();
    finish(run, "plan", args.compare.exit_code)
}
