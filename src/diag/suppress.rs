//! Suppression: `# kplan: ignore[rule] reason` on or above a line, the annotation `kplan.dev/ignore`, and the config.
//!
//! A reason may start with `until 2026-12-31`, the last day on which it counts. In the annotation `rule@container` speaks
//! of one container, and `;` parts rules with different reasons.

use std::collections::{HashMap, HashSet};

use globset::{Glob, GlobMatcher};

use super::foreign::{self, Foreign};
use super::merge::is_on;
use super::{Class, Diagnostic, Finding, Rule};
use crate::config::{Ignore, Settings, end_of_day};
use crate::model::{Bundle, ObjectId, OriginKind, path};
use crate::source::{FileId, Source, Span};

/// What a comment starts with to suppress rules.
pub const MARK: &str = "kplan: ignore";

/// The annotation whose value names rules, with a reason behind a colon: `rule-a, rule-b@sidecar: reason; rule-c: …`.
const ANNOTATION: &str = "kplan.dev/ignore";

/// One place that suppresses.
#[derive(Debug)]
pub struct Suppression {
    pub file: FileId,
    pub span: Span,
    pub rules: Vec<String>,
    pub reason: String,
    /// By rule, the one container that it is about.
    containers: Vec<Option<String>>,
    /// The day behind `until`, and when it ends.
    until: Option<(String, u64)>,
    scope: Scope,
    used: Vec<bool>,
}

#[derive(Debug)]
enum Scope {
    /// Findings that start on this line.
    Line(u32),
    Object(ObjectId),
}

/// All suppressions of a run.
pub(super) struct Suppressions<'s> {
    places: Vec<Suppression>,
    config: Vec<ConfigIgnore<'s>>,
    foreign: Vec<Foreign>,
    settings: &'s Settings,
}

/// An entry of `ignore:` in kplan.yaml; a path also matches behind any folder.
struct ConfigIgnore<'s> {
    entry: &'s Ignore,
    path: Option<GlobMatcher>,
    object: Option<GlobMatcher>,
    used: bool,
}

impl<'s> ConfigIgnore<'s> {
    fn new(entry: &'s Ignore) -> ConfigIgnore<'s> {
        let compile = |pattern: String| Glob::new(&pattern).ok().map(|glob| glob.compile_matcher());
        let path = (!entry.path.is_empty()).then(|| compile(format!("**/{}", entry.path))).flatten();
        let object = (!entry.object.is_empty()).then(|| compile(entry.object.clone())).flatten();
        ConfigIgnore { entry, path, object, used: false }
    }

    fn matches(&self, bundle: &Bundle, finding: &Finding) -> bool {
        let diagnostic = &finding.diagnostic;
        let title = diagnostic.object.map(|id| bundle.object(id).title()).unwrap_or_default();
        let container = || container_of(bundle, diagnostic);
        (self.entry.rule == diagnostic.rule || self.entry.rule == "*")
            && !self.entry.expired
            && (self.entry.container.is_empty() || container().as_deref() == Some(self.entry.container.as_str()))
            && !(finding.class == Class::Rejected && self.entry.reason.is_empty())
            && self.path.as_ref().is_none_or(|glob| glob.is_match(&bundle.sources.get(diagnostic.file).name))
            && self.object.as_ref().is_none_or(|glob| glob.is_match(&title))
    }
}

impl<'s> Suppressions<'s> {
    pub(super) fn read(bundle: &Bundle, settings: &'s Settings) -> Suppressions<'s> {
        let mut places = Vec::new();
        if !settings.no_ignores {
            let templates = templates(bundle);
            for (id, source) in bundle.sources.iter().filter(|(id, _)| !templates.contains(id)) {
                let comments = bundle.files.get(id.0 as usize).map_or(&[][..], |file| &file.comments);
                places.extend(comments.iter().filter_map(|span| comment(id, source, *span)));
            }
            places.extend(bundle.ids().flat_map(|id| annotation(bundle, id)));
        }
        let foreign = if settings.no_ignores { Vec::new() } else { foreign(bundle, settings) };
        Suppressions { places, config: settings.ignores.iter().map(ConfigIgnore::new).collect(), foreign, settings }
    }

    /// The reason why a finding does not count, if there is one; rejections can be ignored only in the config.
    pub(super) fn apply(&mut self, bundle: &Bundle, finding: &Finding) -> Option<String> {
        let diagnostic = &finding.diagnostic;
        let line = |(file, span): (FileId, Span)| (file, bundle.sources.get(file).line_column(span.start).line);
        let here = line((diagnostic.file, diagnostic.span));
        let rendered = diagnostic.rendered.map(line);
        let mut reason = None;
        for ignore in &mut self.config {
            if ignore.matches(bundle, finding) {
                ignore.used = true;
                reason.get_or_insert_with(|| ignore.entry.reason.clone());
            }
        }
        if finding.class == Class::Rejected || self.settings.locked.contains(diagnostic.rule) {
            return reason;
        }
        let container = container_of(bundle, diagnostic);
        for place in &mut self.places {
            let is_here = match place.scope {
                Scope::Line(at) => here == (place.file, at) || rendered == Some((place.file, at)),
                Scope::Object(id) => diagnostic.object == Some(id),
            };
            let mut rules = place.rules.iter().zip(&place.containers);
            let position = rules.position(|(rule, own)| {
                (rule == diagnostic.rule || rule == "*") && (own.is_none() || *own == container)
            });
            let counts = is_here && place.until.as_ref().is_none_or(|(_, end)| *end > self.settings.now);
            if let (true, Some(position)) = (counts, position) {
                place.used[position] = true;
                reason.get_or_insert_with(|| place.reason.clone());
            }
        }
        let mut foreign = self.foreign.iter().filter(|foreign| diagnostic.object == Some(foreign.object));
        reason.or_else(|| foreign.find(|foreign| foreign.covers(finding.rule)).map(|foreign| foreign.reason.clone()))
    }

    /// Suppressions that matched nothing, and those without a reason.
    pub(super) fn unused(
        &self,
        bundle: &Bundle,
        config: Option<FileId>,
        rules: &HashMap<&str, &'static Rule>,
    ) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for place in &self.places {
            // A template's comment may be of use in another of its renderings.
            let rendered = bundle.rendered.iter().any(|made| made.file == place.file);
            if let Some((day, _)) = place.until.as_ref().filter(|(_, end)| *end <= self.settings.now) {
                found.push(expired(place.file, place.span, &format!("this suppression ended on {day}")));
                continue;
            }
            for (rule, used) in place.rules.iter().zip(&place.used).filter(|_| !rendered) {
                let refused = rules.get(rule.as_str()).is_some_and(|rule| rule.class == Class::Rejected);
                if refused || self.settings.locked.contains(rule.as_str()) {
                    let message = match refused {
                        true => format!("`{rule}` is what the API server refuses, so it cannot be ignored here"),
                        false => format!("`{rule}` is locked in kplan.yaml, so it cannot be ignored here"),
                    };
                    let help = "mend what it finds, or ask for an entry under `ignore:` in kplan.yaml";
                    found.push(Diagnostic::new("suppression-stale", place.file, place.span, message).help(help));
                    continue;
                }
                found.extend(self.stale(rule, *used, place.file, place.span, rules));
            }
            if place.rules.is_empty() {
                let message = "this suppression names no rule";
                let help = "write `# kplan: ignore[rule] reason`";
                found.push(Diagnostic::new("suppression-stale", place.file, place.span, message).help(help));
            } else if place.reason.is_empty() {
                let message = "this suppression gives no reason";
                let help = "write the reason behind the rule's name";
                found.push(Diagnostic::new("suppression-reasonless", place.file, place.span, message).help(help));
            }
        }
        for ignore in &self.config {
            let Some(file) = config else { break };
            let span = bundle.sources.get(file).line_span(ignore.entry.line).unwrap_or_default();
            if ignore.entry.expired {
                found.push(expired(file, span, &format!("the ignore of `{}` has expired", ignore.entry.rule)));
                continue;
            }
            found.extend(self.stale(&ignore.entry.rule, ignore.used, file, span, rules));
            if ignore.entry.reason.is_empty() {
                let message = format!("the ignore of `{}` gives no reason", ignore.entry.rule);
                found.push(Diagnostic::new("suppression-reasonless", file, span, message).help("add `reason:`"));
            }
        }
        found
    }

    /// What is wrong with naming a rule here, if anything; of a rule that did not run nobody knows what it would find.
    fn stale(
        &self,
        rule: &str,
        used: bool,
        file: FileId,
        span: Span,
        rules: &HashMap<&str, &'static Rule>,
    ) -> Option<Diagnostic> {
        let (message, help) = match rules.get(rule) {
            None if rule != "*" => (format!("`{rule}` is no rule of kplan"), "name a rule of `kplan rules`"),
            Some(known) if !is_on(known, self.settings) => return None,
            _ if used => return None,
            _ => (format!("nothing here is ignored by `{rule}`"), "remove the suppression"),
        };
        Some(Diagnostic::new("suppression-stale", file, span, message).help(help))
    }
}

fn expired(file: FileId, span: Span, message: &str) -> Diagnostic {
    let help = "mend what it hid, or write a later day and why";
    Diagnostic::new("suppression-stale", file, span, message).help(help)
}

/// What other tools are told to ignore, where they are named.
fn foreign(bundle: &Bundle, settings: &Settings) -> Vec<Foreign> {
    if settings.compat.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<Foreign> =
        bundle.ids().flat_map(|id| foreign::of_object(bundle, id, &settings.compat)).collect();
    if settings.compat.iter().any(|tool| tool == "trivy") {
        for (index, file) in bundle.files.iter().enumerate() {
            let id = FileId(index as u32);
            found.extend(file.comments.iter().filter_map(|span| foreign::of_comment(bundle, id, *span)));
        }
    }
    found
}

/// The name of the container that a finding is about, by its field.
fn container_of(bundle: &Bundle, diagnostic: &Diagnostic) -> Option<String> {
    let (id, field) = (diagnostic.object?, diagnostic.field.as_deref()?);
    let list = field.find("ontainers[")?;
    let end = list + field[list..].find(']')? + 1;
    let found = path::follow(bundle.full(id), &field[..end]);
    found.view.get_str("name").filter(|_| found.whole).map(str::to_owned)
}

/// Templates of charts: their comments count where they are rendered.
fn templates(bundle: &Bundle) -> HashSet<FileId> {
    let origins = bundle.rendered.iter().flat_map(|made| &made.origins);
    origins.filter(|origin| origin.kind == OriginKind::Template).filter_map(|origin| origin.file).collect()
}

/// Reads `# kplan: ignore[a, b] reason`; a comment alone on its line speaks of the next line that is no comment. One without
/// brackets names no rule.
fn comment(file: FileId, source: &Source, span: Span) -> Option<Suppression> {
    let text = source.text[span.range()].trim_start_matches('#').trim();
    let rest = text.strip_prefix(MARK)?;
    if rest.starts_with(|letter: char| letter != '[' && !letter.is_whitespace()) {
        return None;
    }
    let named = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (rules, reason) = named.unwrap_or(("", rest));
    let mut line = source.line_column(span.start).line;
    let before = &source.text[source.line_span(line)?.start as usize..span.start as usize];
    if before.trim().is_empty() {
        loop {
            line += 1;
            let text = source.text[source.line_span(line)?.range()].trim();
            if !text.is_empty() && !text.starts_with('#') {
                break;
            }
        }
    }
    Some(suppression(file, span, rules, reason, Scope::Line(line)))
}

fn annotation(bundle: &Bundle, id: ObjectId) -> Vec<Suppression> {
    let object = bundle.object(id);
    let root = bundle.written(id);
    let value = root.at(&["metadata", "annotations"]).and_then(|annotations| annotations.get_str(ANNOTATION));
    let Some(value) = value else { return Vec::new() };
    let span = path::place(root, &format!("metadata.annotations[{ANNOTATION}]"));
    let parts = value.split([';', '\n']).filter(|part| !part.trim().is_empty());
    let read = |part: &str| {
        let (rules, reason) = part.split_once(':').unwrap_or((part, ""));
        suppression(object.file, span, rules, reason, Scope::Object(id))
    };
    parts.map(read).collect()
}

fn suppression(file: FileId, span: Span, rules: &str, reason: &str, scope: Scope) -> Suppression {
    let named = rules.split(',').map(str::trim).filter(|rule| !rule.is_empty());
    let (rules, containers): (Vec<String>, Vec<Option<String>>) = named
        .map(|rule| match rule.split_once('@') {
            Some((rule, container)) => (rule.to_owned(), Some(container.to_owned())),
            None => (rule.to_owned(), None),
        })
        .unzip();
    let used = vec![false; rules.len()];
    let reason = reason.trim();
    let day = reason.strip_prefix("until ").map(|rest| rest.trim_start().split([' ', ',', ':']).next().unwrap_or(""));
    let until = day.and_then(|day| Some((day.to_owned(), end_of_day(day)?)));
    // Behind the day stands why.
    let why = match &until {
        Some((day, _)) => {
            reason.split_once(day.as_str()).map_or("", |(_, why)| why.trim_start_matches([' ', ',', ':']))
        }
        None => reason,
    };
    Suppression { file, span, rules, reason: why.to_owned(), containers, until, scope, used }
}
