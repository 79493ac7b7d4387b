//! `kplan check`.

use super::args::{CheckArgs, Terms};
use super::cluster::{self, Scope};
use super::error::{CliError, Exit};
use super::options::Options;
use super::stages::Run;
use super::{baseline, fix, progress};

/// A fix may bring up the next one; each round mends what it can.
const ROUNDS: usize = 10;

pub(super) fn run(args: &CheckArgs, terms: &Terms) -> Result<Exit, CliError> {
    let mut changed = 0;
    for _ in 0..ROUNDS {
        let run = judged(args, terms)?;
        let findings = run.findings()?;
        if let Some(path) = &args.write_baseline {
            let number = baseline::write(path, &findings)?;
            if !terms.quiet {
                progress::note(&[format!("wrote {number} findings to {}", path.display())]);
            }
            return Ok(Exit::Fine);
        }
        if !args.fix {
            return run.report("check", &findings);
        }
        let fixes = fix::collect(&run.bundle, &findings, args.with_unsafe);
        if !terms.quiet && (args.diff || fixes.is_empty()) {
            progress::note(&fix::left_alone(&run.bundle, &findings, &fixes, args.with_unsafe));
        }
        if args.diff {
            fix::print(&run.bundle, &fixes, run.options.settings.show_secrets)?;
            return Ok(if fixes.is_empty() { Exit::Fine } else { Exit::Negative });
        }
        if fixes.is_empty() {
            return run.report("check", &findings);
        }
        changed += fix::write(&run.bundle, &fixes)?;
        if !terms.quiet {
            progress::note(&[format!("fixed {changed} places")]);
        }
    }
    let run = judged(args, terms)?;
    let findings = run.findings()?;
    run.report("check", &findings)
}

fn judged(args: &CheckArgs, terms: &Terms) -> Result<Run, CliError> {
    let mut options = Options::new(&args.input, &args.report, &args.nodes, terms)?;
    if args.fix && options.paths.iter().any(|path| path == "-") {
        return Err(CliError::usage("--fix cannot write to standard input", "save it to a file and name that"));
    }
    let named = cluster::is_named(&args.cluster, &options);
    let cluster = named.then(|| cluster::connect(&args.cluster, &mut options)).transpose()?;
    let mut run = Run::read(options, cluster)?;
    run.look(Scope::Surroundings)?;
    run.judge();
    run.place()?;
    Ok(run)
}
