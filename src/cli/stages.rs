//! The stages of a run in their order; each command is a prefix of this line.

use std::collections::HashSet;

use super::args::PolicyArgs;
use super::cluster::{Cluster, Scope};
use super::diff::Read;
use super::error::{CliError, ErrorKind, Exit};
use super::focus::Focus;
use super::live::{self, LiveState};
use super::options::Options;
use super::progress::{self, Progress};
use super::{applyset, baseline, inventory, notes, output};
use crate::apply::Outcome;
use crate::cluster::{ApplySet, Missing};
use crate::config::Settings;
use crate::diag::{self, Class, Diagnostic, Finding};
use crate::diff::{Action, Change, Knowledge};
use crate::lint;
use crate::load::{self, Base, Loaded};
use crate::model::{Bundle, ParsedFile, Role, SetId, Version};
use crate::render::{self, Disk};
use crate::report::{Mask, Report, Summary};
use crate::schema::Schema;
use crate::simulate::{Placement, Verdict};
use crate::source::Source;
use crate::yaml;
use crate::{admission, defaults, parse, plan, policy, simulate, snapshot, validate};

/// Stack of a worker thread: manifests may nest as deeply as kubectl allows.
const WORKER_STACK: usize = 64 << 20;

/// What a run has found out so far.
pub(super) struct Run {
    pub options: Options,
    pub bundle: Bundle,
    focus: Focus,
    progress: Progress,
    /// What reading found; the same for every version.
    read: Vec<Diagnostic>,
    /// What judging found, by version.
    judged: Vec<(Version, Vec<Diagnostic>)>,
    placement: Option<Placement>,
    placement_note: String,
    /// The cluster that the command speaks to.
    pub(super) cluster: Option<Cluster>,
    /// The cluster around the set: that one, or a snapshot.
    live: Option<LiveState>,
    /// The base of a comparison, where a snapshot takes the place of the cluster around the set.
    state: Option<Bundle>,
    /// The other side of a diff, and what it is called.
    pub(super) base: Option<(Bundle, String)>,
    /// What could not be looked at.
    notes: Vec<String>,
    /// Rights that apply needs and the user does not have.
    pub(super) missing: Missing,
    pub(super) changes: Option<Vec<Change>>,
    /// The ApplySet that the objects become members of.
    pub(super) set: Option<ApplySet>,
}

/// Sets the threads up, and says that it begins.
fn begin(options: &Options) -> Progress {
    // This thread works too, instead of waiting for others to wake.
    let _ = rayon::ThreadPoolBuilder::new().stack_size(WORKER_STACK).use_current_thread().build_global();
    let mut progress = Progress::new(options.quiet);
    progress.stage("reading");
    progress
}

impl Run {
    /// load and parse; `cluster` is the one that the command speaks to.
    pub(super) fn read(mut options: Options, cluster: Option<Cluster>) -> Result<Run, CliError> {
        let progress = begin(&options);
        let focus = Focus::new(&mut options)?;
        let (loaded, mut read) = load::run(&options.paths, &options.settings)?;
        let (loaded, found) = render::run(loaded, &options.settings, &Disk::default())?;
        read.extend(found);
        let mut run = Run::new(options, cluster, progress, focus);
        run.read = read;
        run.parse(loaded)
    }

    /// The same for files that are read already.
    pub(super) fn of_files(mut options: Options, cluster: Option<Cluster>, loaded: Loaded) -> Result<Run, CliError> {
        let progress = begin(&options);
        let focus = Focus::new(&mut options)?;
        Run::new(options, cluster, progress, focus).parse(loaded)
    }

    fn new(options: Options, cluster: Option<Cluster>, progress: Progress, focus: Focus) -> Run {
        Run {
            options,
            bundle: Bundle::default(),
            focus,
            progress,
            read: Vec::new(),
            judged: Vec::new(),
            placement: None,
            placement_note: String::new(),
            cluster,
            live: None,
            state: None,
            base: None,
            notes: Vec::new(),
            missing: Missing::new(),
            changes: None,
            set: None,
        }
    }

    fn parse(mut self, loaded: Loaded) -> Result<Run, CliError> {
        self.live = live::find(&mut self.options)?;
        let known = self.live.as_ref().map(|live| &live.bundle);
        let (bundle, found) = parse_all(loaded, &self.options.settings, self.cluster.as_ref(), known);
        self.bundle = bundle;
        self.read.extend(found);
        self.options.settings.config_file = add_config(&mut self.bundle, &self.options);
        self.check_input()?;
        Ok(self)
    }

    /// A run over nothing is an error, unless that is allowed.
    fn check_input(&self) -> Result<(), CliError> {
        let counts = &self.bundle.counts;
        let silent = self.read.iter().all(|diagnostic| diagnostic.rule == "suppression-stale");
        if counts.objects > 0 || counts.not_rendered > 0 || !silent || self.options.allow_empty {
            return Ok(());
        }
        let target = &self.options.target;
        let message = match counts.files {
            0 => format!("no manifests in {target}: no file ends in .yaml, .yml or .json"),
            1 => format!("no Kubernetes objects in {target} (1 file, without apiVersion and kind)"),
            files => format!("no Kubernetes objects in {target} ({files} files, none with apiVersion and kind)"),
        };
        let help = "name a file or directory with manifests; --allow-empty accepts that";
        Err(CliError::new(ErrorKind::NoInput, message, help))
    }

    /// default, admit, validate, lint: for each version, the newest last.
    pub(super) fn judge(&mut self) {
        for version in self.options.versions.clone() {
            self.progress.stage("judging");
            self.options.settings.kube_version = version;
            let Some(schema) = Schema::of(version) else { continue };
            defaults::run(&mut self.bundle, schema);
            let live = self.live.as_ref().map(|live| &live.bundle);
            admission::run(&mut self.bundle, live);
            let (mut found, linted) = rayon::join(
                || validate::run(&self.bundle, live, schema),
                || lint::run(&self.bundle, live, &self.options.settings),
            );
            found.extend(linted);
            let own = &self.options.own;
            let told = policy::run(&self.bundle, live, Some(&own.policies), &own.rules, schema, &self.options.settings);
            found.extend(told);
            policy::settle(&mut found);
            self.judged.push((version, found));
        }
    }

    /// As for kubectl, `--namespace` is no filter: an object that names another namespace is a mistake.
    fn check_namespaces(&self) -> Result<(), CliError> {
        let asked = &self.options.settings.namespace;
        let others = |(id, object): &(crate::model::ObjectId, &crate::model::Object)| {
            let written = self.bundle.written(*id).at(&["metadata", "namespace"]).and_then(yaml::View::str);
            object.namespace.is_some() && written.is_some_and(|written| !written.is_empty() && written != asked)
        };
        let Some((_, object)) = self.bundle.iter().find(others).filter(|_| self.options.has_namespace) else {
            return Ok(());
        };
        let message = format!("--namespace is {asked}, but {} names another namespace", object.title());
        Err(CliError::usage(message, "leave --namespace away: each object then comes to the namespace that it names"))
    }

    /// Reads from the cluster, where there is one, what the set has there and what the command needs besides.
    pub(super) fn look(&mut self, scope: Scope) -> Result<(), CliError> {
        let Some(cluster) = &self.cluster else { return Ok(()) };
        self.progress.stage("reading the cluster");
        // A snapshot takes the place of the cluster around the set.
        let scope = if self.live.is_some() { Scope::Objects } else { scope };
        let read = cluster.read(&self.bundle, scope)?;
        self.notes.extend(notes::unread(&read.unread));
        let mut bundle = self.parse_live(read.loaded);
        snapshot::complete(&mut bundle, &read.unread, read.whole, &self.options.settings);
        let name = format!("context {}", cluster.connection.context);
        match scope {
            Scope::Objects => self.state = Some(bundle),
            Scope::Surroundings => self.live = Some(LiveState { bundle, name }),
        }
        Ok(())
    }

    /// simulate; without nodes there is no placement.
    pub(super) fn place(&mut self) -> Result<(), CliError> {
        self.progress.stage("placing pods");
        let Some((inventory, note)) = inventory::find(&self.options, &self.bundle, self.live.as_ref())? else {
            self.placement_note =
                "no nodes known, so no placement (--nodes FILE, --snapshot FILE, or `nodes:` in kplan.yaml)".to_owned();
            return Ok(());
        };
        let (placement, found) = simulate::run(&self.bundle, &inventory, &self.options.settings);
        self.placement = Some(placement);
        self.placement_note = format!("{note}{}", self.options.scheduler_text());
        self.add(found);
        Ok(())
    }

    /// Whether pods were placed.
    pub(super) fn is_placed(&self) -> bool {
        self.placement.is_some()
    }

    /// diff against a base.
    pub(super) fn compare(&mut self, base: &Base, args: &PolicyArgs) -> Result<(), CliError> {
        self.progress.stage("comparing");
        let (bundle, name, knowledge) = match (base, &self.cluster) {
            (Base::Cluster, Some(cluster)) => {
                self.check_namespaces()?;
                let live = self.live.take().map(|live| live.bundle);
                let state = self.state.take().or(live).unwrap_or_default();
                let policy = super::cluster::policy(args, &self.options);
                self.set = cluster.apply_set(args, &self.options, (&self.bundle, &state), &policy)?;
                let knowledge = cluster.ask(&self.bundle, &state, self.set.as_ref(), policy)?;
                (state, cluster.title(), knowledge)
            }
            (base, _) => {
                applyset::refuse_without_cluster(args)?;
                let (bundle, name) = self.read_base(base)?;
                (bundle, name, Knowledge::default())
            }
        };
        let (mut changes, found) = crate::diff::run(&self.bundle, &bundle, &knowledge, &self.options.settings);
        self.notes.extend(notes::drift(&self.bundle, &knowledge));
        if let Some(cluster) = &self.cluster {
            self.notes.extend(cluster.stored_otherwise((&self.bundle, &bundle), &knowledge)?);
        }
        if let Some(set) = &self.set {
            changes.push(set.change.clone());
            self.notes.extend(applyset::notes(set));
        }
        if let (Base::Cluster, Some(cluster)) = (base, &self.cluster) {
            self.missing = cluster.missing(&self.bundle, &changes, &knowledge)?;
            self.notes.extend(notes::lacks(&self.missing));
        }
        self.changes = Some(changes);
        self.base = Some((bundle, name));
        self.add(self.not_known(found));
        Ok(())
    }

    fn read_base(&self, base: &Base) -> Result<(Bundle, String), CliError> {
        let (loaded, name) = match super::diff::read_base(base, &self.options)? {
            (Read::Snapshot(snapshot), name) => return Ok((snapshot.bundle, name)),
            (Read::Files(loaded), name) => (loaded, name),
        };
        let (mut bundle, problems) = parse_all(loaded, &self.options.settings, self.cluster.as_ref(), None);
        if !problems.is_empty() && !self.options.quiet {
            let line = format!("the base ({name}) has problems of its own: {} documents or files", problems.len());
            progress::note(&[line]);
        }
        if let Some(schema) = Schema::of(self.options.settings.kube_version) {
            defaults::run(&mut bundle, schema);
        }
        Ok((bundle, name))
    }

    /// What the server says and judging has found already is said once.
    fn not_known(&self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let Some((_, judged)) = self.judged.last() else { return found };
        let known: HashSet<_> =
            judged.iter().filter_map(|known| Some((known.object?, known.rule, &known.field))).collect();
        let refused: HashSet<_> =
            judged.iter().filter(|known| is_rejected(known.rule)).filter_map(|known| known.object).collect();
        let is_new = |found: &Diagnostic| {
            let Some(object) = found.object else { return true };
            match &found.server {
                Some(server) if server.causes.is_empty() => !refused.contains(&object),
                Some(_) => !known.contains(&(object, found.rule, &found.field)),
                None => !judged.iter().any(|known| known.object == found.object && is_same_warning(known, found)),
            }
        };
        found.into_iter().filter(is_new).collect()
    }

    /// plan: order, risk and consequences of the changes.
    pub(super) fn plan(&mut self) {
        self.progress.stage("planning");
        let (Some(changes), Some((base, _))) = (self.changes.take(), &self.base) else {
            return;
        };
        let settings = &self.options.settings;
        let (mut changes, found) = plan::run(changes, &self.bundle, base, self.placement.as_ref(), settings);
        self.set.iter().for_each(|set| applyset::put_first(&mut changes, set));
        self.changes = Some(changes);
        self.add(found);
    }

    fn add(&mut self, found: Vec<Diagnostic>) {
        if let Some((_, diagnostics)) = self.judged.last_mut() {
            diagnostics.extend(found);
        }
    }

    /// The one merge, then what the user asked to see of it.
    pub(super) fn findings(&self) -> Result<Vec<Finding>, CliError> {
        let mut settings = self.options.settings.clone();
        let mut findings = Vec::new();
        for (version, judged) in &self.judged {
            settings.kube_version = *version;
            let all = self.read.iter().chain(judged).cloned().collect();
            let mut merged = diag::merge(&self.options.own.table, &self.bundle, all, &settings);
            if self.judged.len() > 1 {
                merged.iter_mut().for_each(|finding| finding.kube_version = Some(version.to_string()));
            }
            findings.extend(merged);
        }
        // Stable: findings of one version keep the order of the merge.
        findings.sort_by_key(|finding| (finding.diagnostic.file, finding.diagnostic.span));
        findings.retain(|finding| self.focus.keeps(&self.bundle, &finding.diagnostic));
        if let Some(path) = &self.options.baseline {
            baseline::apply(path, &mut findings, self.options.quiet)?;
        }
        Ok(findings)
    }

    /// report: writes all outputs and gives the exit code.
    pub(super) fn report(mut self, command: &'static str, findings: &[Finding]) -> Result<Exit, CliError> {
        self.settle_changes();
        let negative = self.is_negative(command, findings);
        let written = self.write(command, findings, &[], output::Part::Whole);
        // The process ends now; to give back the trees one by one before would only take time.
        std::mem::forget(std::mem::take(&mut self.bundle));
        match written {
            Err(error) if error.kind != ErrorKind::BrokenPipe => Err(error),
            _ if negative => Ok(Exit::Negative),
            _ => Ok(Exit::Fine),
        }
    }

    /// Whether findings or pods without a node make the answer a negative one.
    pub(super) fn is_negative(&self, command: &'static str, findings: &[Finding]) -> bool {
        reaches(findings, &self.options.settings)
            || (command == "simulate" && self.placement.as_ref().is_some_and(has_homeless))
    }

    /// Leaves out changes that are not asked about: outside of the focus, and of what only the cluster has.
    pub(super) fn settle_changes(&mut self) {
        let Some(mut changes) = self.changes.take() else { return };
        let base = self.base.as_ref().map(|(bundle, _)| bundle).unwrap_or(&self.bundle);
        changes.retain(|change| change.action != Action::Keep || change.desired.is_some());
        changes.retain(|change| self.focus.keeps_change(&self.bundle, base, change));
        self.changes = Some(changes);
    }

    /// Writes the outputs, or a part of them; `applied` is what became of the changes.
    pub(super) fn write(
        &mut self,
        command: &'static str,
        findings: &[Finding],
        applied: &[Outcome],
        part: output::Part,
    ) -> Result<(), CliError> {
        self.progress.end();
        let changes = self.changes.as_deref();
        let mut mask = if self.options.settings.show_secrets { Mask::none() } else { Mask::new(&self.bundle) };
        if let Some((base, _)) = self.base.as_ref().filter(|_| !self.options.settings.show_secrets) {
            mask.add(base);
        }
        let report = Report {
            command,
            kube_version: self.options.version_text(),
            target: self.options.target.clone(),
            base: self.base.as_ref().map(|(_, name)| name.clone()),
            bundle: &self.bundle,
            findings,
            placement: self.placement.as_ref(),
            placement_note: self.placement_note.clone(),
            notes: &self.notes,
            changes,
            applied,
            summary: Summary::new(&self.bundle, findings, self.placement.as_ref(), changes),
            elapsed: self.progress.elapsed(),
            mask: &mask,
            root: output::root(&self.options.paths),
        };
        output::write(&self.options, &report, part)
    }

    /// The changes, the base that they are against, and the cluster.
    pub(super) fn prepared(&self) -> Option<(&[Change], &Bundle, &Cluster)> {
        let (base, _) = self.base.as_ref()?;
        Some((self.changes.as_deref()?, base, self.cluster.as_ref()?))
    }

    /// Objects of the cluster as one bundle.
    pub(super) fn parse_live(&self, loaded: Loaded) -> Bundle {
        parse_all(loaded, &self.options.settings, self.cluster.as_ref(), None).0
    }

    /// Whether anything would be changed.
    pub(super) fn has_changes(&self) -> bool {
        let changes = self.changes.iter().flatten();
        changes.into_iter().any(|change| !matches!(change.action, Action::Unchanged | Action::Keep))
    }
}

/// Whether a finding is at or over `--fail-on`.
fn reaches(findings: &[Finding], settings: &Settings) -> bool {
    findings.iter().any(|finding| finding.suppressed.is_none() && finding.severity >= settings.fail_on)
}

/// Whether a pod stays without a node.
fn has_homeless(placement: &Placement) -> bool {
    placement.pods.iter().any(|pod| {
        let verdict = pod.settled.as_ref().map_or(pod.verdict, |settled| settled.verdict);
        matches!(verdict, Verdict::Pending | Verdict::Rejected)
    })
}

/// What `simulate` reports: what it could not read, and the pods; whether the cluster takes an object is `check`'s.
pub(super) fn of_placement(findings: &mut Vec<Finding>) {
    findings.retain(|finding| matches!(finding.class, Class::Unreadable | Class::Pending));
}

/// A warning of the server that a finding has in its own words.
fn is_same_warning(known: &Diagnostic, found: &Diagnostic) -> bool {
    let text = found.message.trim_start_matches("the API server warns: ");
    found.rule == "api-warning" && known.message.contains(text)
}

fn is_rejected(id: &str) -> bool {
    lint::catalog::RULES.iter().any(|rule| rule.id == id && rule.class == Class::Rejected)
}

/// Objects of a cluster as one bundle.
pub(super) fn parse_cluster(loaded: Loaded, settings: &Settings, cluster: &Cluster) -> Bundle {
    parse_all(loaded, settings, Some(cluster), None).0
}

/// Custom resources are known by what the cluster serves, or by the definitions of the set and of a snapshot.
pub(super) fn parse_all(
    loaded: Loaded,
    settings: &Settings,
    cluster: Option<&Cluster>,
    live: Option<&Bundle>,
) -> (Bundle, Vec<Diagnostic>) {
    let schema = Schema::of(settings.kube_version);
    let scope = |api_version: &str, kind: &str| {
        let known = schema.and_then(|schema| schema.stands_for(api_version, kind)).map(|kind| kind.namespaced);
        known.or_else(|| cluster.and_then(|cluster| cluster.scope(api_version, kind))).or_else(|| {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            let mut custom = live.into_iter().flat_map(|live| &live.custom_kinds);
            custom.find(|custom| custom.group == group && custom.kind == kind).map(|custom| custom.namespaced)
        })
    };
    parse::run(loaded, settings, &scope)
}

/// Puts kplan.yaml among the sources, so that findings can point at it.
fn add_config(bundle: &mut Bundle, options: &Options) -> Option<crate::source::FileId> {
    let config = options.config.as_ref()?;
    let known = bundle.sources.iter().find(|(_, source)| source.name == config.name);
    if let Some((id, _)) = known {
        return Some(id);
    }
    let id = bundle.sources.add(Source::new(config.name.clone(), config.text.clone()));
    let yaml::File { tree, documents, comments } = yaml::read(&config.text);
    bundle.files.push(ParsedFile { tree, documents, comments, role: Role::NotJudged });
    bundle.file_sets.push(SetId(u32::MAX));
    Some(id)
}

impl Run {
    /// What reading found, one line each.
    pub(super) fn unreadable(&self) -> Vec<String> {
        let mask = Mask::new(&self.bundle);
        let lines = self.read.iter().filter(|found| is_unreadable(found.rule)).map(|found| {
            let source = self.bundle.sources.get(found.file);
            let place = source.line_column(found.span.start);
            format!("{}:{}:{}: {}", source.name, place.line, place.column, mask.message(found, &found.message))
        });
        lines.collect()
    }
}

fn is_unreadable(id: &str) -> bool {
    lint::catalog::RULES.iter().any(|rule| rule.id == id && rule.class == Class::Unreadable)
}
