//! A finding as every format shows it: places as lines and columns, secrets masked. Serialized, it is the JSON finding.

use serde::Serialize;

use super::Report;
use crate::diag::{Class, Diagnostic, Finding, Server};
use crate::diff::ObjectRef;
use crate::model::Object;
use crate::source::LineColumn;

/// One finding, ready to be shown; the order of the fields is the order of the JSON keys.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row<'a> {
    pub rule: &'static str,
    pub class: &'static str,
    pub severity: &'static str,
    pub message: String,
    /// What to do: that of the finding, else the rule's.
    pub help: String,
    pub url: String,
    pub fingerprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<&'a str>,
    pub file: &'a str,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    /// Absent but for class rejected; null where the server would reach the rejection only later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Option<ServerRow>>,
    pub related: Vec<RelatedRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<FixRow<'a>>,
    #[serde(skip)]
    pub finding: &'a Finding,
    /// `Deployment default/web`.
    #[serde(skip)]
    pub title: Option<String>,
    /// Whether the help is the finding's own.
    #[serde(skip)]
    pub own_help: bool,
}

/// The API server's answer.
#[derive(Clone, Debug, Serialize)]
pub struct ServerRow {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub causes: Vec<CauseRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct CauseRow {
    pub field: String,
    pub reason: &'static str,
    pub message: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct RelatedRow<'a> {
    pub file: &'a str,
    pub line: u32,
    pub column: u32,
    pub message: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct FixRow<'a> {
    pub safe: bool,
    pub edits: Vec<EditRow<'a>>,
}

/// Byte offsets in the file on disk.
#[derive(Clone, Debug, Serialize)]
pub struct EditRow<'a> {
    pub start: u32,
    pub end: u32,
    pub text: &'a str,
}

impl<'a> Row<'a> {
    /// Settles places and masks secrets.
    pub fn new(report: &Report<'a>, finding: &'a Finding) -> Row<'a> {
        let diagnostic = &finding.diagnostic;
        let bundle = report.bundle;
        let source = bundle.sources.get(diagnostic.file);
        let start = source.line_column(diagnostic.span.start);
        let end = source.line_column(diagnostic.span.end.max(diagnostic.span.start));
        let object = diagnostic.object.map(|id| bundle.object(id));
        let hide = |text: &str| report.mask.message(diagnostic, text).into_owned();
        let server = diagnostic.server.as_ref().map(|server| server_row(server, &hide));
        Row {
            rule: finding.rule.id,
            class: finding.class.name(),
            severity: finding.severity.name(),
            message: hide(&diagnostic.message),
            help: hide(diagnostic.help.as_deref().unwrap_or(finding.rule.fix)),
            url: rule_url(finding.rule.group, finding.rule.id),
            fingerprint: &finding.fingerprint,
            kube_version: finding.kube_version.as_deref(),
            file: &source.name,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            document: diagnostic.document,
            object: object.map(object_ref),
            field: diagnostic.field.as_deref(),
            server: (finding.class == Class::Rejected).then_some(server),
            related: related_rows(report, diagnostic),
            fix: fix_row(report, diagnostic),
            finding,
            title: object.map(Object::title),
            own_help: diagnostic.help.is_some(),
        }
    }

    /// Where it starts.
    pub fn start(&self) -> LineColumn {
        LineColumn { line: self.line, column: self.column }
    }

    /// The server's words about this finding: its causes where there are some, else the whole message.
    pub fn server_words(&self) -> Option<String> {
        let server = self.server.as_ref()?.as_ref()?;
        if server.causes.is_empty() {
            return Some(server.message.clone());
        }
        let causes = server.causes.iter().map(|cause| match cause.field.as_str() {
            "" => cause.message.clone(),
            field => format!("{field}: {}", cause.message),
        });
        Some(causes.collect::<Vec<_>>().join("; "))
    }
}

/// The page of a rule.
pub fn rule_url(group: &str, id: &str) -> String {
    format!("{}/blob/main/rules/{group}/{id}.md", env!("CARGO_PKG_REPOSITORY"))
}

/// Names an object as the report does.
pub fn object_ref(object: &Object) -> ObjectRef {
    ObjectRef {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}

fn server_row(server: &Server, hide: &dyn Fn(&str) -> String) -> ServerRow {
    let causes = server.causes.iter().map(|cause| CauseRow {
        field: cause.field.clone(),
        reason: cause.reason,
        message: hide(&cause.message),
    });
    ServerRow { code: server.code, reason: server.reason, message: hide(&server.message), causes: causes.collect() }
}

fn related_rows<'a>(report: &Report<'a>, diagnostic: &'a Diagnostic) -> Vec<RelatedRow<'a>> {
    let related = diagnostic.related.iter().map(|related| {
        let source = report.bundle.sources.get(related.file);
        let place = source.line_column(related.span.start);
        let message = report.mask.message(diagnostic, &related.message).into_owned();
        RelatedRow { file: &source.name, line: place.line, column: place.column, message }
    });
    related.collect()
}

/// A fix that would spell out a secret is left out: masked text must never be written back.
fn fix_row<'a>(report: &Report<'a>, diagnostic: &'a Diagnostic) -> Option<FixRow<'a>> {
    let fix = diagnostic.fix.as_ref()?;
    let secret = |edit: &crate::diag::Edit| {
        report.mask.touches(diagnostic.file, edit.span) || report.mask.message(diagnostic, &edit.text) != edit.text
    };
    if fix.edits.iter().any(secret) {
        return None;
    }
    let edits = fix.edits.iter().map(|edit| EditRow { start: edit.span.start, end: edit.span.end, text: &edit.text });
    Some(FixRow { safe: fix.safe, edits: edits.collect() })
}
