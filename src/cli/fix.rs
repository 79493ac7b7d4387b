//! `--fix`: applies the edits of findings to the files; every other byte stays.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::error::{CliError, ErrorKind, io_text};
use crate::diag::{Edit, Finding};
use crate::model::Bundle;
use crate::report::{Mask, mask};
use crate::source::{FileId, Source, Span};
use crate::yaml::edit;

/// Edits by file.
pub(super) type Fixes<'f> = BTreeMap<FileId, Vec<&'f Edit>>;

/// The fixes of all findings that count; unsafe ones only when asked for. Of fixes that overlap the first one stays,
/// the other one comes in the next round.
pub(super) fn collect<'f>(bundle: &Bundle, findings: &'f [Finding], with_unsafe: bool) -> Fixes<'f> {
    let mut fixes: Fixes<'f> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.suppressed.is_none()) {
        let Some(fix) = &finding.diagnostic.fix else { continue };
        let file = finding.diagnostic.file;
        let known = fixes.get(&file).map_or(&[][..], Vec::as_slice);
        let clear = fix.edits.iter().all(|edit| !known.iter().any(|other| overlap(edit.span, other.span)));
        // Bytes that are no UTF-8 stand as others in the text, so such a file is left alone.
        let writable = bundle.sources.get(file).invalid.is_empty();
        if (fix.safe || with_unsafe) && clear && writable {
            fixes.entry(file).or_default().extend(&fix.edits);
        }
    }
    fixes
}

/// Files with fixes that are not among `fixes`, each with why.
pub(super) fn left_alone(bundle: &Bundle, findings: &[Finding], fixes: &Fixes<'_>, with_unsafe: bool) -> Vec<String> {
    let is_taken = |file: FileId, edit: &Edit| {
        fixes.get(&file).is_some_and(|taken| taken.iter().any(|other| std::ptr::eq(*other, edit)))
    };
    let mut reasons: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.suppressed.is_none()) {
        let diagnostic = &finding.diagnostic;
        let source = bundle.sources.get(diagnostic.file);
        let reason = match &diagnostic.fix {
            Some(fix) if fix.edits.iter().all(|edit| is_taken(diagnostic.file, edit)) => continue,
            Some(_) if !source.invalid.is_empty() => "it is not UTF-8 throughout",
            Some(fix) if !fix.safe && !with_unsafe => "mending it changes what the manifest means (--unsafe does it)",
            Some(_) => "two fixes meet at one place",
            None if diagnostic.is_fix_lost => "what would be mended was rendered, and has no place of its own there",
            None => continue,
        };
        *reasons.entry((source.name.as_str(), reason)).or_default() += 1;
    }
    let line = |((file, reason), number): ((&str, &str), usize)| {
        let places = if number == 1 { "place" } else { "places" };
        format!("left {number} {places} of {file} alone: {reason}")
    };
    reasons.into_iter().map(line).collect()
}

fn overlap(a: Span, b: Span) -> bool {
    a == b || (a.start < b.end && b.start < a.end)
}

/// Writes the files; gives the number of places changed.
pub(super) fn write(bundle: &Bundle, fixes: &Fixes<'_>) -> Result<usize, CliError> {
    let mut changed = 0;
    for (file, edits) in fixes {
        let source = bundle.sources.get(*file);
        let edits: Vec<(Span, &str)> = edits.iter().map(|edit| (edit.span, edit.text.as_str())).collect();
        let (text, applied) = edit::apply(&source.text, &edits);
        std::fs::write(&source.name, text).map_err(|error| {
            let message = format!("cannot write {}: {}", source.name, io_text(&error));
            CliError::new(ErrorKind::Usage, message, "make the file writable, or look at --fix --diff")
        })?;
        changed += applied;
    }
    Ok(changed)
}

/// Prints what would be written as a unified diff, with secrets masked.
pub(super) fn print(bundle: &Bundle, fixes: &Fixes<'_>, show_secrets: bool) -> Result<(), CliError> {
    let mask = if show_secrets { Mask::none() } else { Mask::new(bundle) };
    let mut out = io::stdout().lock();
    for (file, edits) in fixes {
        let source = bundle.sources.get(*file);
        let (before, after) = masked(source, edits, mask.places(*file));
        let (old, new) = (format!("a/{}", source.name), format!("b/{}", source.name));
        let diff = similar::TextDiff::from_lines(&before, &after);
        // Other objects may hold what a Secret does.
        write!(out, "{}", mask.text(&diff.unified_diff().header(&old, &new).to_string()))?;
    }
    Ok(out.flush()?)
}

/// The file before and after, without secrets; a secret that changes says so.
fn masked(source: &Source, edits: &[&Edit], secrets: &[Span]) -> (String, String) {
    let hidden: Vec<(Span, &str)> = secrets.iter().map(|span| (*span, mask::MASKED)).collect();
    let (before, _) = edit::apply(&source.text, &hidden);
    let mut changes: Vec<(Span, &str)> = Vec::new();
    for edit in edits {
        let secret = secrets.iter().any(|secret| overlap(*secret, edit.span));
        changes.push((edit.span, if secret { "*** (changed)" } else { &edit.text }));
    }
    let apart = hidden.iter().filter(|(span, _)| !edits.iter().any(|edit| overlap(*span, edit.span)));
    let apart: Vec<(Span, &str)> = apart.copied().collect();
    changes.extend(apart);
    let (after, _) = edit::apply(&source.text, &changes);
    (before, after)
}
