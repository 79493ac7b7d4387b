//! The one merge at the end: class, severity, tiers, suppression, fingerprints, order.

use std::collections::{HashMap, HashSet};

use super::origin;
use super::suppress::Suppressions;
use globset::{Glob, GlobMatcher};

use super::{Class, Diagnostic, Rule, Severity, Tier};
use crate::config::{Override, Settings};
use crate::model::{Bundle, Role};

/// A diagnostic with all that the run decides about it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: &'static Rule,
    pub class: Class,
    pub severity: Severity,
    /// Set when several Kubernetes versions are checked in one run.
    pub kube_version: Option<String>,
    /// The same for the same finding in the next run, wherever its line moved.
    pub fingerprint: String,
    pub diagnostic: Diagnostic,
    /// Why it does not count: the reason of the suppression.
    pub suppressed: Option<String>,
}

/// Decides about every diagnostic. Rules beyond the tier and rules that are off give no finding.
pub fn merge(
    rules: &[&'static Rule],
    bundle: &Bundle,
    diagnostics: Vec<Diagnostic>,
    settings: &Settings,
) -> Vec<Finding> {
    let by_id: HashMap<&str, &'static Rule> = rules.iter().map(|rule| (rule.id, *rule)).collect();
    let overrides = Overrides::new(settings);
    let mut findings: Vec<Finding> = Vec::new();
    for diagnostic in origin::relocate(bundle, diagnostics) {
        findings
            .extend(by_id.get(diagnostic.rule).and_then(|rule| decide(rule, bundle, diagnostic, settings, &overrides)));
    }
    silence_dependents(bundle, &mut findings);
    let mut suppressions = Suppressions::read(bundle, settings);
    for finding in &mut findings {
        finding.suppressed = suppressions.apply(bundle, finding);
    }
    let unused = suppressions.unused(bundle, settings.config_file, &by_id);
    for diagnostic in origin::relocate(bundle, unused) {
        findings
            .extend(by_id.get(diagnostic.rule).and_then(|rule| decide(rule, bundle, diagnostic, settings, &overrides)));
    }
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    findings.dedup_by(|a, b| order(a) == order(b) && a.diagnostic.object == b.diagnostic.object);
    number_fingerprints(bundle, &mut findings);
    findings
}

fn order(finding: &Finding) -> (u32, u32, u32, &str, &str, Option<&str>) {
    let diagnostic = &finding.diagnostic;
    let Diagnostic { file, span, rule, message, field, .. } = diagnostic;
    (file.0, span.start, span.end, rule, message, field.as_deref())
}

/// Whether findings of a rule may be reported at all: somewhere it is not off, and not beyond the tier.
pub fn is_on(rule: &Rule, settings: &Settings) -> bool {
    let somewhere = settings.overrides.iter().any(|entry| match entry.rules.get(rule.id) {
        Some(severity) => severity.is_some(),
        None => entry.tier.is_some_and(|tier| rule.tier <= tier),
    });
    somewhere
        || match settings.rules.get(rule.id) {
            Some(None) => rule.class == Class::Rejected,
            Some(Some(_)) => true,
            None => rule.tier <= settings.tier,
        }
}

/// What kplan.yaml says for some paths.
struct Overrides<'s>(Vec<(Vec<GlobMatcher>, &'s Override)>);

impl<'s> Overrides<'s> {
    fn new(settings: &'s Settings) -> Overrides<'s> {
        let compile = |pattern: &String| Glob::new(&format!("**/{pattern}")).ok().map(|glob| glob.compile_matcher());
        let all = settings.overrides.iter();
        Overrides(all.map(|entry| (entry.paths.iter().filter_map(compile).collect(), entry)).collect())
    }

    /// Severity and tier for a rule in a file; the last entry that says something wins.
    fn of(&self, rule: &str, path: &str) -> (Option<Option<Severity>>, Option<Tier>) {
        let here = self.0.iter().filter(|(globs, _)| globs.iter().any(|glob| glob.is_match(path)));
        let here: Vec<&Override> = here.map(|(_, entry)| *entry).collect();
        let severity = here.iter().rev().find_map(|entry| entry.rules.get(rule)).copied();
        (severity, here.iter().rev().find_map(|entry| entry.tier))
    }
}

fn decide(
    rule: &'static Rule,
    bundle: &Bundle,
    diagnostic: Diagnostic,
    settings: &Settings,
    overrides: &Overrides<'_>,
) -> Option<Finding> {
    let least = diagnostic.tier.unwrap_or(rule.tier).max(rule.tier);
    let own = diagnostic.severity.unwrap_or(rule.severity).min(rule.severity);
    let (here, tier) = match overrides.0.is_empty() {
        true => (None, None),
        false => overrides.of(rule.id, &bundle.sources.get(diagnostic.file).name),
    };
    let configured = here.as_ref().or_else(|| settings.rules.get(rule.id));
    let mut severity = match configured {
        Some(None) if rule.class != Class::Rejected => return None,
        Some(Some(severity)) => *severity,
        _ if least > tier.unwrap_or(settings.tier) => return None,
        _ => own,
    };
    let mut class = rule.class;
    let unrendered = bundle.files.get(diagnostic.file.0 as usize).is_some_and(|file| file.role == Role::Unrendered);
    if class == Class::Rejected && unrendered {
        class = Class::Risky;
        severity = severity.min(Severity::Warning);
    }
    let fingerprint = String::new();
    Some(Finding { rule, class, severity, kube_version: None, fingerprint, diagnostic, suppressed: None })
}

/// What yields to another rule is silent where that rule reports in the same set.
fn silence_dependents(bundle: &Bundle, findings: &mut Vec<Finding>) {
    let set = |finding: &Finding| match finding.diagnostic.object {
        // A finding of a rendered object stands in a file of another set.
        Some(id) => Some(bundle.object(id).set),
        None => bundle.file_sets.get(finding.diagnostic.file.0 as usize).copied(),
    };
    let said: HashSet<_> = findings.iter().map(|finding| (finding.rule.id, set(finding))).collect();
    findings.retain(|finding| {
        let place = set(finding);
        !finding.diagnostic.yields_to.iter().any(|rule| said.contains(&(*rule, place)))
    });
}

/// Rule, object and field make a fingerprint; equal ones are told apart by their order.
fn number_fingerprints(bundle: &Bundle, findings: &mut [Finding]) {
    let mut seen: HashMap<u64, u32> = HashMap::new();
    for finding in findings {
        let diagnostic = &finding.diagnostic;
        let place = match diagnostic.object {
            Some(id) => {
                let object = bundle.object(id);
                format!("{}/{}", object.group(), object.title())
            }
            None => format!("{}#{}", bundle.sources.get(diagnostic.file).name, diagnostic.document.unwrap_or(0)),
        };
        let field = diagnostic.field.as_deref().unwrap_or(&diagnostic.message);
        let hash = fnv1a(&[diagnostic.rule, &place, field]);
        let count = seen.entry(hash).or_default();
        *count += 1;
        finding.fingerprint = match count {
            1 => format!("{hash:016x}"),
            count => format!("{hash:016x}-{count}"),
        };
    }
}

/// FNV-1a: stable over versions of Rust, which fingerprints in a baseline need.
fn fnv1a(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
