//! What a judge says of an object, and how two answers compare.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A judge's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// HTTP status; 0 where the object is accepted.
    pub(crate) code: u64,
    pub(crate) message: String,
    pub(crate) causes: Vec<Cause>,
    pub(crate) warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cause {
    pub(crate) field: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// In what two answers agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) verdict: bool,
    /// Field and reason of every cause.
    pub(crate) causes: bool,
    /// The whole message, up to the order in which Go walks maps.
    pub(crate) message: bool,
    pub(crate) warnings: bool,
}

impl Agreement {
    pub(crate) fn is_full(self) -> bool {
        self.verdict && self.causes && self.message && self.warnings
    }
}

impl Answer {
    pub(crate) fn is_accepted(&self) -> bool {
        self.code == 0
    }

    /// An answer of the API server: a `metav1.Status` where the code says so, and the `Warning` headers.
    pub(crate) fn of_server(code: u64, body: &Value, warnings: Vec<String>) -> Self {
        if code < 300 {
            return Self { warnings, ..Self::default() };
        }
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let causes = body["details"]["causes"].as_array().cloned().unwrap_or_default();
        let cause = |cause: &Value| Cause {
            field: text(cause, "field"),
            reason: text(cause, "reason"),
            message: text(cause, "message"),
        };
        let causes = if code == 422 { causes.iter().map(cause).collect() } else { Vec::new() };
        Self { code, message: text(body, "message"), causes, warnings: Vec::new() }
    }

    /// Compares with the answer of the server. Warnings count only where both accept.
    pub(crate) fn agrees(&self, server: &Self) -> Agreement {
        let verdict = self.code == server.code;
        if server.is_accepted() || self.is_accepted() {
            let warnings = !verdict || self.warnings == server.warnings;
            return Agreement { verdict, causes: verdict, message: verdict, warnings };
        }
        let places = |answer: &Self| {
            let mut places: Vec<(String, String)> =
                answer.causes.iter().map(|cause| (cause.field.clone(), cause.reason.clone())).collect();
            places.sort();
            places
        };
        Agreement {
            verdict,
            causes: verdict && places(self) == places(server),
            message: verdict && self.said() == server.said(),
            warnings: true,
        }
    }

    /// Leaves out the letters that end a name that was generated.
    pub(crate) fn without_generated(&mut self, prefix: &str) {
        let texts = self.causes.iter_mut().map(|cause| &mut cause.message).chain(&mut self.warnings);
        for text in texts.chain([&mut self.message]) {
            let plain = |rest: &str| {
                let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                if name.len() == 5 && rest[5..].starts_with('"') { rest[5..].to_owned() } else { rest.to_owned() }
            };
            let mut parts = text.split(prefix);
            let first = parts.next().unwrap_or_default().to_owned();
            *text = parts.fold(first, |text, rest| text + prefix + &plain(rest));
        }
    }

    /// The message, its parts in order; uids that the server makes up are left out.
    fn said(&self) -> (String, Vec<String>) {
        if self.causes.is_empty() {
            return (self.message.clone(), Vec::new());
        }
        let head = self.message.split_once(" is invalid").map_or(self.message.as_str(), |(head, _)| head);
        let mut parts: Vec<String> =
            self.causes.iter().map(|cause| without_uids(&format!("{}: {}", cause.field, cause.message))).collect();
        parts.sort();
        (head.to_owned(), parts)
    }

    /// What this answer has and the other lacks, as templates.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<String> {
        let mut rest: BTreeMap<String, usize> = BTreeMap::new();
        for line in other.lines() {
            *rest.entry(line).or_default() += 1;
        }
        let is_new = |line: &String| match rest.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        let mut lines: Vec<String> = self.lines().into_iter().filter(is_new).map(|line| template(&line)).collect();
        lines.sort();
        lines.dedup();
        lines
    }

    /// One line for each thing said.
    pub(crate) fn lines(&self) -> Vec<String> {
        let warnings = self.warnings.iter().map(|warning| format!("Warning: {warning}"));
        if self.is_accepted() {
            return warnings.collect();
        }
        if self.causes.is_empty() {
            return vec![format!("{} {}", self.code, self.message)];
        }
        let line = |cause: &Cause| without_uids(&format!("{}: {}", cause.field, cause.message));
        self.causes.iter().map(line).collect()
    }

    /// As a row of `fixtures/validate`.
    pub(crate) fn row(&self) -> Value {
        let cause = |cause: &Cause| json!({ "field": cause.field, "reason": cause.reason, "message": cause.message });
        if self.is_accepted() {
            return json!({ "verdict": "accepted", "warnings": self.warnings });
        }
        let causes: Vec<Value> = self.causes.iter().map(cause).collect();
        json!({ "verdict": "rejected", "code": self.code, "message": self.message, "causes": causes })
    }
}

/// The uid of a Job in its generated labels and selector.
fn without_uids(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split("controller-uid").enumerate() {
        if index == 0 {
            out.push_str(part);
            continue;
        }
        out.push_str("controller-uid");
        let start = part.find(|c: char| c.is_ascii_hexdigit()).filter(|start| *start < 6).unwrap_or(part.len());
        let rest = &part[start..];
        let end = rest.find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(rest.len());
        out.push_str(&part[..start]);
        out.push_str(if end == 36 { "…" } else { &rest[..end] });
        out.push_str(&rest[end..]);
    }
    out
}

/// A message with its values, indices and numbers taken out, to tell kinds of messages apart.
pub(crate) fn template(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(char) = rest.chars().next() {
        match char {
            '"' => {
                let end = closing_quote(rest);
                out.push_str("\"…\"");
                rest = &rest[end..];
            }
            '{' | '[' if rest.starts_with("{\"") || rest.starts_with("[{") || rest.starts_with("[\"") => {
                out.push_str("{…}");
                return out + tail_of_json(rest);
            }
            '0'..='9' => {
                out.push('N');
                rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            }
            _ => {
                out.push(char);
                rest = &rest[char.len_utf8()..];
            }
        }
    }
    out
}

/// Behind the quote that closes the one at the start.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What follows a JSON value: the reason.
fn tail_of_json(text: &str) -> &str {
    text.rfind("}: ").or_else(|| text.rfind("]: ")).map_or("", |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_keep_words_and_drop_values() {
        let line = r#"spec.containers[3].ports[0].name: Invalid value: "a\"b": must be no more than 15 characters"#;
        let wanted = r#"spec.containers[N].ports[N].name: Invalid value: "…": must be no more than N characters"#;
        assert_eq!(template(line), wanted);
    }

    #[test]
    fn made_up_uids_are_equal() {
        let uid = r#"{"batch.kubernetes.io/controller-uid":"0a57d9e4-1c1e-4a0a-9a52-6f3c1d2e4b5a"}"#;
        assert_eq!(without_uids(uid), r#"{"batch.kubernetes.io/controller-uid":"…"}"#);
    }

    #[test]
    fn order_of_causes_does_not_matter() {
        let cause = |field: &str| Cause { field: field.into(), reason: "r".into(), message: "m".into() };
        let one = Answer { code: 422, causes: vec![cause("a"), cause("b")], ..Answer::default() };
        let two = Answer { code: 422, causes: vec![cause("b"), cause("a")], ..Answer::default() };
        assert!(one.agrees(&two).is_full());
        assert!(!one.agrees(&Answer::default()).verdict);
    }
}
