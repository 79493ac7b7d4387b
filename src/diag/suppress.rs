//! Suppression: `# kplan: ignore[rule] reason` on or above a line, the annotation `kplan.dev/ignore`, and the config.

use std::collections::{HashMap, HashSet};

use globset::{Glob, GlobMatcher};

use super::{Class, Diagnostic, Finding, Rule};
use crate::config::{Ignore, Settings};
use crate::model::{Bundle, ObjectId, OriginKind, path};
use crate::source::{FileId, Source, Span};

/// What a comment starts with to suppress rules.
pub const MARK: &str = "kplan: ignore";

/// The annotation whose value names rules, with a reason behind a colon: `rule-a, rule-b: reason`.
const ANNOTATION: &str = "kplan.dev/ignore";

/// One place that suppresses.
#[derive(Debug)]
pub struct Suppression {
    pub file: FileId,
    pub span: Span,
    pub rules: Vec<String>,
    pub reason: String,
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
        (self.entry.rule == diagnostic.rule || self.entry.rule == "*")
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
            places.extend(bundle.ids().filter_map(|id| annotation(bundle, id)));
        }
        Suppressions { places, config: settings.ignores.iter().map(ConfigIgnore::new).collect() }
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
        for place in &mut self.places {
            let is_here = match place.scope {
                Scope::Line(at) => here == (place.file, at) || rendered == Some((place.file, at)),
                Scope::Object(id) => diagnostic.object == Some(id),
            };
            let position = place.rules.iter().position(|rule| rule == diagnostic.rule || rule == "*");
            if let (true, Some(position)) = (is_here && finding.class != Class::Rejected, position) {
                place.used[position] = true;
                reason.get_or_insert_with(|| place.reason.clone());
            }
        }
        reason
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
            for (rule, used) in place.rules.iter().zip(&place.used).filter(|_| !rendered) {
                found.extend(stale(rule, *used, place.file, place.span, rules));
            }
            if place.reason.is_empty() {
                let message = "this suppression gives no reason";
                let help = "write the reason behind the rule's name";
                found.push(Diagnostic::new("suppression-reasonless", place.file, place.span, message).help(help));
            }
        }
        for ignore in &self.config {
            let Some(file) = config else { break };
            let span = bundle.sources.get(file).line_span(ignore.entry.line).unwrap_or_default();
            found.extend(stale(&ignore.entry.rule, ignore.used, file, span, rules));
        }
        found
    }
}

/// Templates of charts: their comments count where they are rendered.
fn templates(bundle: &Bundle) -> HashSet<FileId> {
    let origins = bundle.rendered.iter().flat_map(|made| &made.origins);
    origins.filter(|origin| origin.kind == OriginKind::Template).filter_map(|origin| origin.file).collect()
}

fn stale(rule: &str, used: bool, file: FileId, span: Span, rules: &HashMap<&str, &'static Rule>) -> Option<Diagnostic> {
    let (message, help) = if !rules.contains_key(rule) && rule != "*" {
        (format!("`{rule}` is no rule of kplan"), "name a rule of `kplan rules`")
    } else if !used {
        (format!("nothing here is ignored by `{rule}`"), "remove the suppression")
    } else {
        return None;
    };
    Some(Diagnostic::new("suppression-stale", file, span, message).help(help))
}

/// Reads `# kplan: ignore[a, b] reason`; a comment alone on its line speaks of the next line that is no comment.
fn comment(file: FileId, source: &Source, span: Span) -> Option<Suppression> {
    let text = source.text[span.range()].trim_start_matches('#').trim();
    let rest = text.strip_prefix(MARK)?;
    let (rules, reason) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
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

fn annotation(bundle: &Bundle, id: ObjectId) -> Option<Suppression> {
    let object = bundle.object(id);
    let root = bundle.written(id);
    let value = root.at(&["metadata", "annotations"])?.get_str(ANNOTATION)?;
    let (rules, reason) = value.split_once(':').unwrap_or((value, ""));
    let span = path::place(root, &format!("metadata.annotations[{ANNOTATION}]"));
    Some(suppression(object.file, span, rules, reason, Scope::Object(id)))
}

fn suppression(file: FileId, span: Span, rules: &str, reason: &str, scope: Scope) -> Suppression {
    let rules: Vec<String> = rules.split(',').map(|rule| rule.trim().to_owned()).filter(|r| !r.is_empty()).collect();
    let used = vec![false; rules.len()];
    Suppression { file, span, rules, reason: reason.trim().to_owned(), scope, used }
}
