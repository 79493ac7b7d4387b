//! Diagnostics: what the stages report, and the one place where severity, class, suppression and order are decided.

mod foreign;
mod merge;
mod origin;
mod suppress;
mod template;

use std::sync::Arc;

pub use foreign::TOOLS;
pub use merge::{Finding, is_on, merge};
pub use suppress::{MARK, Suppression};

pub use crate::model::rule::{Class, Rule, Severity, Tier};

use crate::model::ObjectId;
use crate::source::{FileId, Span};

/// One cause in the API server's answer (`metav1.StatusCause`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub field: String,
    /// `FieldValueRequired`, `FieldValueInvalid`, …
    pub reason: &'static str,
    /// `Required value`, `Invalid value: "x": …`: the cause without its field.
    pub message: String,
}

/// What the API server would answer for an object, and the causes that one finding explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// HTTP status: 400, 404, 403 or 422.
    pub code: u16,
    /// `BadRequest`, `Invalid`, `NotFound`, …
    pub reason: &'static str,
    /// The whole message for the object.
    pub message: Arc<str>,
    pub causes: Vec<Cause>,
}

/// A second place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    pub file: FileId,
    pub span: Span,
    pub message: String,
}

/// Replaces the bytes `start..end` of the file on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

/// How a finding can be mended without a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Safe fixes change nothing but what the finding is about; `--fix` applies only those.
    pub safe: bool,
    pub edits: Vec<Edit>,
}

/// What a stage found. Severity and class come from the catalogue when findings are merged.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Id of the rule in the catalogue.
    pub rule: &'static str,
    /// What is wrong, with the value, without a full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    pub file: FileId,
    pub span: Span,
    /// 0-based document in the file.
    pub document: Option<u32>,
    pub object: Option<ObjectId>,
    /// The API server's path of the field.
    pub field: Option<String>,
    pub server: Option<Server>,
    pub related: Vec<Related>,
    pub fix: Option<Fix>,
    /// Rules that name the cause: where one of them reports in the same set, this is silent.
    pub yields_to: &'static [&'static str],
    /// The place in rendered text, where the finding was led from there to what a person wrote.
    pub rendered: Option<(FileId, Span)>,
    /// Grade of this case where the rule has several; never above the rule's own severity.
    pub severity: Option<Severity>,
    /// Tier of this case where the rule has several; never below the rule's own.
    pub tier: Option<Tier>,
}

impl Diagnostic {
    pub fn new(rule: &'static str, file: FileId, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            rule,
            message: message.into(),
            help: None,
            file,
            span,
            document: None,
            object: None,
            field: None,
            server: None,
            related: Vec::new(),
            fix: None,
            yields_to: &[],
            rendered: None,
            severity: None,
            tier: None,
        }
    }

    /// Grades that something is missing: certain where all that exists is known, else only likely, which is a warning
    /// from the tier recommended on.
    pub fn missing(&mut self, is_certain: bool) {
        self.severity = (!is_certain).then_some(Severity::Warning);
        self.tier = (!is_certain).then_some(Tier::Recommended);
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn fix(mut self, safe: bool, edits: Vec<Edit>) -> Diagnostic {
        self.fix = Some(Fix { safe, edits });
        self
    }

    #[must_use]
    pub fn related(mut self, file: FileId, span: Span, message: impl Into<String>) -> Diagnostic {
        self.related.push(Related { file, span, message: message.into() });
        self
    }
}
