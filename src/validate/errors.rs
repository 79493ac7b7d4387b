//! What is wrong with an object, in the words of `field.Error`.
//!
//! Texts: apimachinery `pkg/util/validation/field/errors.go`; the whole message: `pkg/api/errors/errors.go`,
//! `NewInvalid` (Kubernetes 1.36).

use std::fmt::Write;

use super::obj::Obj;
use crate::diag::Cause;
use crate::model::path::Path;
use crate::yaml::write_json_string;

/// A value as Go prints it in a message.
#[derive(Clone, Debug)]
pub enum Shown<'a> {
    /// A Go `string`: quoted as `%q` does.
    Str(&'a str),
    /// A named string type or a pointer to a string: quoted as JSON with HTML escapes.
    Typed(&'a str),
    Int(i64),
    Bool(bool),
    /// Anything else, already as JSON.
    Json(String),
    /// Not shown.
    Omit,
}

impl<'a> From<&'a str> for Shown<'a> {
    fn from(text: &'a str) -> Shown<'a> {
        Shown::Str(text)
    }
}

impl From<i64> for Shown<'_> {
    fn from(value: i64) -> Self {
        Shown::Int(value)
    }
}

impl From<bool> for Shown<'_> {
    fn from(value: bool) -> Self {
        Shown::Bool(value)
    }
}

impl From<Obj<'_>> for Shown<'_> {
    fn from(value: Obj<'_>) -> Self {
        Shown::Json(value.json())
    }
}

impl Shown<'_> {
    fn append(&self, out: &mut String) {
        match self {
            Shown::Str(text) => {
                out.push_str(": ");
                quote_to(out, text);
            }
            Shown::Typed(text) => {
                out.push_str(": ");
                out.push_str(&json_string(text));
            }
            Shown::Int(value) => {
                let _ = write!(out, ": {value}");
            }
            Shown::Bool(value) => {
                let _ = write!(out, ": {value}");
            }
            Shown::Json(json) => {
                out.push_str(": ");
                out.push_str(json);
            }
            Shown::Omit => {}
        }
    }
}

/// Go's `%q`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_to(&mut out, text);
    out
}

fn quote_to(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\u{0}'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", char as u32);
            }
            '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", char as u32);
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// A JSON string as Go's `json.Marshal` writes it, `<`, `>` and `&` escaped.
pub fn json_string(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 2);
    write_json_string(&mut plain, text);
    html_escape(&plain)
}

/// The HTML escapes of Go's `json.Marshal`.
pub fn html_escape(json: &str) -> String {
    if !json.contains(['<', '>', '&']) {
        return json.to_owned();
    }
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// `field.ErrorList`: what was found so far, in order.
#[derive(Debug, Default)]
pub struct Errors {
    causes: Vec<Cause>,
}

impl Errors {
    pub fn new() -> Errors {
        Errors::default()
    }

    pub fn len(&self) -> usize {
        self.causes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.causes.is_empty()
    }

    pub fn into_causes(self) -> Vec<Cause> {
        self.causes
    }

    /// Appends another list.
    pub fn extend(&mut self, other: Errors) {
        self.causes.extend(other.causes);
    }

    /// Keeps the causes that satisfy a condition.
    pub fn retain(&mut self, keep: impl FnMut(&Cause) -> bool) {
        self.causes.retain(keep);
    }

    fn push(&mut self, path: &Path, reason: &'static str, text: &str, value: &Shown, detail: &str) {
        let mut message = text.to_owned();
        value.append(&mut message);
        if !detail.is_empty() {
            message.push_str(": ");
            message.push_str(detail);
        }
        // `NewPath("")` prints as nothing, and a missing path as `<nil>`.
        self.causes.push(Cause { field: path.to_string(), reason, message });
    }

    pub fn required(&mut self, path: &Path, detail: &str) {
        self.push(path, "FieldValueRequired", "Required value", &Shown::Omit, detail);
    }

    pub fn forbidden(&mut self, path: &Path, detail: &str) {
        self.push(path, "FieldValueForbidden", "Forbidden", &Shown::Omit, detail);
    }

    pub fn invalid<'a>(&mut self, path: &Path, value: impl Into<Shown<'a>>, detail: &str) {
        self.push(path, "FieldValueInvalid", "Invalid value", &value.into(), detail);
    }

    /// One cause for each message, all about the same value.
    pub fn invalid_each(&mut self, path: &Path, value: &str, details: &[String]) {
        for detail in details {
            self.invalid(path, value, detail);
        }
    }

    pub fn type_invalid<'a>(&mut self, path: &Path, value: impl Into<Shown<'a>>, detail: &str) {
        self.push(path, "FieldValueTypeInvalid", "Invalid value", &value.into(), detail);
    }

    pub fn not_supported<'a>(&mut self, path: &Path, value: impl Into<Shown<'a>>, supported: &[&str]) {
        let quoted: Vec<String> = supported.iter().map(|value| quote(value)).collect();
        let detail = if quoted.is_empty() { String::new() } else { format!("supported values: {}", quoted.join(", ")) };
        self.push(path, "FieldValueNotSupported", "Unsupported value", &value.into(), &detail);
    }

    pub fn duplicate<'a>(&mut self, path: &Path, value: impl Into<Shown<'a>>) {
        self.push(path, "FieldValueDuplicate", "Duplicate value", &value.into(), "");
    }

    /// A duplicate with a reason, where upstream sets `Detail` by hand.
    pub fn duplicate_detail<'a>(&mut self, path: &Path, value: impl Into<Shown<'a>>, detail: &str) {
        self.push(path, "FieldValueDuplicate", "Duplicate value", &value.into(), detail);
    }

    pub fn not_found<'a>(&mut self, path: &Path, value: impl Into<Shown<'a>>, detail: &str) {
        self.push(path, "FieldValueNotFound", "Not found", &value.into(), detail);
    }

    /// `max` in bytes.
    pub fn too_long(&mut self, path: &Path, max: usize) {
        let unit = if max == 1 { "byte" } else { "bytes" };
        self.push(path, "FieldValueTooLong", "Too long", &Shown::Omit, &format!("may not be more than {max} {unit}"));
    }

    pub fn too_many(&mut self, path: &Path, actual: usize, max: usize) {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {unit}");
        self.push(path, "FieldValueTooMany", "Too many", &Shown::Int(actual as i64), &detail);
    }

    pub fn internal(&mut self, path: &Path, detail: &str) {
        self.push(path, "InternalError", "Internal error", &Shown::Omit, detail);
    }
}

/// The whole message of the answer 422: `Deployment.apps "web" is invalid: [a: …, b: …]`. Equal messages stand once,
/// a single one without brackets.
pub fn status_message(kind: &str, group: &str, name: &str, causes: &[Cause]) -> String {
    let mut lines: Vec<String> = Vec::with_capacity(causes.len());
    for cause in causes {
        let line = format!("{}: {}", cause.field, cause.message);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let dot = if group.is_empty() { "" } else { "." };
    let head = format!("{kind}{dot}{group} {} is invalid", quote(name));
    match lines.as_slice() {
        [] => head,
        [line] => format!("{head}: {line}"),
        _ => format!("{head}: [{}]", lines.join(", ")),
    }
}
