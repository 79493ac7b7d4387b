//! `kplan diff`, and reading the base that `plan` compares with too.

use std::path::Path;

use super::args::{CompareArgs, DiffArgs, NodeArgs, Terms};
use super::cluster::{self, Scope};
use super::error::{CliError, Exit};
use super::live;
use super::options::Options;
use super::progress;
use super::stages::Run;
use crate::load::{self, Base, Input, Loaded, RootKind, git_files, git_tree};
use crate::render::{self, Disk};
use crate::snapshot::Snapshot;

pub(super) fn run(args: &DiffArgs, terms: &Terms) -> Result<Exit, CliError> {
    let compare = &args.compare;
    let mut options = Options::new(&compare.input, &compare.report, &NodeArgs::default(), terms)?;
    let Some(base) = base(compare, &options)? else {
        let help = "give one: --base cluster, --base git:HEAD, --base dir:PATH, --base snapshot:FILE or --base empty";
        return Err(CliError::usage("diff needs a base, and none is given", help));
    };
    let of = args.of.as_deref().map(|text| parse(text, "--of")).transpose()?;
    if let Some(of) = &of {
        options.target = title(of, &options);
    }
    let of_state = matches!(of, Some(Base::Cluster | Base::Snapshot(_)));
    if !of_state {
        live::take_base(&mut options, &base);
    }
    let with_cluster = base == Base::Cluster || of == Some(Base::Cluster);
    let cluster = with_cluster.then(|| cluster::connect(&compare.cluster, &mut options)).transpose()?;
    let mut run = match of {
        Some(of) if of_state => {
            let mut run = Run::of_state(options, cluster, &of)?;
            run.compare_state(&base)?;
            return finish(run, "diff", compare.exit_code);
        }
        Some(Base::Empty) => {
            let help = "name what to compare: dir:PATH, git:REF, snapshot:FILE or cluster";
            return Err(CliError::usage("--of empty: there is nothing to compare", help));
        }
        Some(Base::Git(reference)) => {
            let loaded = read_git(&reference, &options)?;
            Run::of_files(options, cluster, loaded)?
        }
        Some(Base::Dir(path)) => {
            // The PATHs are those of the base.
            let paths = std::mem::replace(&mut options.paths, vec![path]);
            let mut run = Run::read(options, cluster)?;
            run.options.paths = paths;
            run
        }
        _ => Run::read(options, cluster)?,
    };
    run.look(Scope::Objects)?;
    run.judge();
    run.compare(&base, &compare.policy)?;
    finish(run, "diff", compare.exit_code)
}

/// What a side is called.
fn title(base: &Base, options: &Options) -> String {
    match base {
        Base::Empty => "empty base".to_owned(),
        Base::Cluster => "cluster".to_owned(),
        Base::Dir(path) => format!("directory {path}"),
        Base::Git(reference) => format!("git {reference} {}", options.paths.join(" ")),
        Base::Snapshot(file) => format!("snapshot {file}"),
    }
}

/// The base that is asked for: the cluster where one is named and nothing else is said.
pub(super) fn base(args: &CompareArgs, options: &Options) -> Result<Option<Base>, CliError> {
    match &args.base {
        None => Ok(cluster::is_named(&args.cluster, options).then_some(Base::Cluster)),
        Some(text) => parse(text, "--base").map(Some),
    }
}

fn parse(text: &str, flag: &str) -> Result<Base, CliError> {
    Base::parse(text, |path| Path::new(path).exists()).map_err(|message| {
        let message = message.replace("--base", flag);
        CliError::usage(message, "write cluster, empty, dir:PATH, git:REF or snapshot:FILE")
    })
}

/// Writes the report; with `--exit-code` changes are a negative answer.
pub(super) fn finish(run: Run, command: &'static str, exit_code: bool) -> Result<Exit, CliError> {
    let findings = run.findings()?;
    let changed = exit_code && run.has_changes();
    let exit = run.report(command, &findings)?;
    Ok(if changed { Exit::Negative } else { exit })
}

/// What a base holds before it is parsed, or after.
pub(super) enum Read {
    Files(Loaded),
    Snapshot(Box<Snapshot>),
}

/// The content of a base, and what it is called.
pub(super) fn read_base(base: &Base, options: &Options) -> Result<(Read, String), CliError> {
    match base {
        // The live state is read before, and the server is asked what comes of it.
        Base::Empty | Base::Cluster => Ok((Read::Files(Loaded::default()), title(&Base::Empty, options))),
        Base::Dir(path) => {
            let mut settings = options.settings.clone();
            settings.kustomization = settings.kustomization.map(|_| path.clone());
            let (loaded, _) = load::run(std::slice::from_ref(path), &settings)?;
            let (loaded, _) = render::run(loaded, &settings, &Disk::default())?;
            Ok((Read::Files(loaded), title(base, options)))
        }
        Base::Git(reference) => {
            let loaded = read_git(reference, options)?;
            Ok((Read::Files(loaded), format!("git {reference}")))
        }
        Base::Snapshot(file) => {
            let snapshot = live::read(Path::new(file), options)?;
            Ok((Read::Snapshot(Box::new(snapshot)), title(base, options)))
        }
    }
}

fn read_git(reference: &str, options: &Options) -> Result<Loaded, CliError> {
    if options.paths.iter().any(|path| path == "-") {
        let help = "name the files or directories that git knows";
        return Err(CliError::usage("standard input has no counterpart in git", help));
    }
    let found = git_files(Path::new("."), reference, &options.paths, &load::is_manifest_name)
        .map_err(|error| CliError::usage(error.to_string(), error.help()))?;
    if !options.quiet {
        let lines: Vec<String> =
            found.skipped.iter().map(|(name, what)| format!("{name} is {what}, not read")).collect();
        progress::note(&lines);
    }
    let inputs = found.files.into_iter().map(|(name, bytes)| {
        let inside = name.split_once(':').map_or(name.as_str(), |(_, path)| path).to_owned();
        let plain = |path: &str| path.trim_start_matches("./").trim_end_matches('/').to_owned();
        let path =
            options.paths.iter().position(|path| plain(path) == "." || Path::new(&inside).starts_with(plain(path)));
        let explicit = options.paths.iter().any(|path| plain(path) == inside);
        Input { name, content: Ok(bytes), path: path.unwrap_or(0), explicit }
    });
    let (loaded, _) = load::assemble(inputs.collect(), &options.settings);
    if loaded.roots.iter().all(|root| root.kind == RootKind::Stack) {
        return Ok(loaded);
    }
    // Renderers read files, so what they may need is laid out for them.
    let tree = git_tree(Path::new("."), reference).map_err(|error| CliError::usage(error.to_string(), error.help()))?;
    let disk = Disk { prefix: format!("{reference}:"), home: tree.home.clone() };
    Ok(render::run(loaded, &options.settings, &disk)?.0)
}
