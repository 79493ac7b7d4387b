//! `--fix`: applies the edits of findings and writes the files; whatever cannot be edited safely is left alone and named.

use std::sync::Arc;

use crate::diag::Finding;
use crate::model::Bundle;
use crate::source::{FileId, Span};
use crate::yaml::{self, edit};

/// A file with its new text.
#[derive(Debug, PartialEq, Eq)]
pub struct FixedFile {
    pub file: FileId,
    pub text: String,
    pub edits: usize,
}

/// The new text of every file that has fixes; `unsafe_too` takes also those that change a meaning.
/// The second list names files whose result would not read back.
pub fn apply(bundle: &Bundle, findings: &[Finding], unsafe_too: bool) -> (Vec<FixedFile>, Vec<FileId>) {
    let mut fixed = Vec::new();
    let mut refused = Vec::new();
    for (file, source) in bundle.sources.iter() {
        let mine = findings.iter().filter(|finding| finding.diagnostic.file == file && finding.suppressed.is_none());
        let fixes = mine.filter_map(|finding| finding.diagnostic.fix.as_ref()).filter(|fix| fix.safe || unsafe_too);
        let edits: Vec<(Span, &str)> = fixes.flat_map(|fix| &fix.edits).map(|e| (e.span, e.text.as_str())).collect();
        if edits.is_empty() {
            continue;
        }
        let (text, count) = edit::apply(&source.text, &edits);
        if source.invalid.is_empty() && broken(&text) <= broken(&source.text) {
            fixed.push(FixedFile { file, text, edits: count });
        } else {
            refused.push(file);
        }
    }
    (fixed, refused)
}

/// How many documents of a text cannot be read.
fn broken(text: &str) -> usize {
    yaml::read(&Arc::from(text)).documents.iter().filter(|document| document.error.is_some()).count()
}
