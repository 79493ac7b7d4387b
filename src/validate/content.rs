//! Checks of single strings and numbers; each gives the messages of what is wrong.
//!
//! Rules and texts: apimachinery `pkg/util/validation/validation.go` and `pkg/api/validate/content` (Kubernetes 1.36).

/// What is wrong with a value; empty when nothing is.
pub type Messages = Vec<String>;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// `head (middle* tail)?`: the shape of all names.
fn framed(text: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match bytes {
        [] => false,
        [one] => edge(*one),
        [first, middle @ .., last] => edge(*first) && edge(*last) && middle.iter().all(|byte| inner(*byte)),
    }
}

fn matches_label(text: &str) -> bool {
    framed(text, lower, |byte| lower(byte) || byte == b'-')
}

fn matches_subdomain(text: &str) -> bool {
    text.split('.').all(matches_label)
}

fn matches_label_key(text: &str) -> bool {
    framed(text, |byte| byte.is_ascii_alphanumeric(), |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn max_characters(max: usize) -> String {
    format!("must be no more than {max} characters")
}

fn max_bytes(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

/// `RegexError`.
pub fn regex_error(message: &str, regex: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{regex}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}

fn check(value: &str, max: usize, ok: bool, text: impl Fn() -> String) -> Messages {
    let mut messages = Vec::new();
    if value.len() > max {
        messages.push(max_characters(max));
    }
    if !ok {
        messages.push(text());
    }
    messages
}

/// `IsDNS1123Label`.
pub fn is_dns1123_label(value: &str) -> Messages {
    check(value, 63, matches_label(value), || {
        if matches_subdomain(value) {
            return "must not contain dots".to_owned();
        }
        regex_error(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            LABEL,
            &["my-name", "123-abc"],
        )
    })
}

/// `IsDNS1123Subdomain`.
pub fn is_dns1123_subdomain(value: &str) -> Messages {
    check(value, 253, matches_subdomain(value), subdomain_error)
}

fn subdomain_error() -> String {
    regex_error(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        SUBDOMAIN,
        &["example.com"],
    )
}

/// `IsDNS1123SubdomainWithUnderscore`.
pub fn is_dns1123_subdomain_with_underscore(value: &str) -> Messages {
    let part = |text: &str| {
        framed(text.strip_prefix('_').unwrap_or(text), lower, |byte| lower(byte) || b"-_".contains(&byte))
    };
    check(value, 253, value.split('.').all(part), || {
        regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
            r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
            &["example.com"],
        )
    })
}

/// `IsWildcardDNS1123Subdomain`.
pub fn is_wildcard_dns1123_subdomain(value: &str) -> Messages {
    check(value, 253, value.strip_prefix("*.").is_some_and(matches_subdomain), || {
        regex_error(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &format!(r"\*\.{SUBDOMAIN}"),
            &["*.example.com"],
        )
    })
}

/// `IsLabelKey`, also called `IsQualifiedName`.
pub fn is_qualified_name(value: &str) -> Messages {
    let what = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let shape = regex_error(what, LABEL_KEY, &["MyName", "my.name", "123-abc"]);
    let mut messages = Vec::new();
    let parts: Vec<&str> = value.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                messages.push("prefix part must be non-empty".to_owned());
            } else {
                messages.extend(content_subdomain(prefix).iter().map(|message| format!("prefix part {message}")));
            }
            *name
        }
        _ => {
            return vec![format!(
                "a valid label key {shape} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        messages.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        messages.push(format!("name part {}", max_bytes(63)));
    }
    if !matches_label_key(name) {
        messages.push(format!("name part {shape}"));
    }
    messages
}

/// `IsDNS1123Subdomain` of `content`, which counts bytes where the older one says characters.
fn content_subdomain(value: &str) -> Messages {
    let mut messages = Vec::new();
    if value.len() > 253 {
        messages.push(max_bytes(253));
    }
    if !matches_subdomain(value) {
        messages.push(subdomain_error());
    }
    messages
}

/// `IsLabelValue`.
pub fn is_valid_label_value(value: &str) -> Messages {
    let mut messages = Vec::new();
    if value.len() > 63 {
        messages.push(max_bytes(63));
    }
    if !value.is_empty() && !matches_label_key(value) {
        messages.push(regex_error(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            &format!("({LABEL_KEY})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    messages
}

/// `IsPathSegmentName`.
pub fn is_path_segment_name(name: &str) -> Messages {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    let bad = ["/", "%"].iter().filter(|part| name.contains(**part));
    bad.map(|part| format!("may not contain '{part}'")).collect()
}

/// `IsDecimalInteger`.
pub fn is_decimal_integer(value: &str) -> Messages {
    if value.is_empty() {
        return vec!["must be non-empty".to_owned()];
    }
    let digits = value.strip_prefix('-').unwrap_or(value);
    let canonical = value == "0" || (!digits.starts_with('0') && !digits.is_empty());
    if canonical && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    vec!["must be a valid decimal integer in canonical form".to_owned()]
}

/// `InclusiveRangeError`.
pub fn inclusive_range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// `IsInRange`.
pub fn is_in_range(value: i64, low: i64, high: i64) -> Messages {
    if (low..=high).contains(&value) { Vec::new() } else { vec![inclusive_range_error(low, high)] }
}

/// `IsValidPortNum`.
pub fn is_valid_port_num(port: i64) -> Messages {
    is_in_range(port, 1, 65535)
}

/// `IsValidUserID` and `IsValidGroupID`.
pub fn is_valid_id(id: i64) -> Messages {
    is_in_range(id, 0, i64::from(i32::MAX))
}

/// `IsValidPortName`.
pub fn is_valid_port_name(port: &str) -> Messages {
    let rules = [
        (port.len() > 15, "must be no more than 15 characters"),
        (
            port.is_empty() || !port.bytes().all(|byte| lower(byte) || byte == b'-'),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (!port.bytes().any(|byte| byte.is_ascii_lowercase()), "must contain at least one letter (a-z)"),
        (port.contains("--"), "must not contain consecutive hyphens"),
        (port.starts_with('-') || port.ends_with('-'), "must not begin or end with a hyphen"),
    ];
    rules.iter().filter(|(broken, _)| *broken).map(|(_, text)| (*text).to_owned()).collect()
}

/// `IsValidPercent`.
pub fn is_valid_percent(percent: &str) -> Messages {
    let number = percent.strip_suffix('%').unwrap_or("");
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    vec![regex_error(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

/// `IsHTTPHeaderName`.
pub fn is_http_header_name(value: &str) -> Messages {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Vec::new();
    }
    vec![regex_error(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// `IsRelaxedEnvVarName`.
pub fn is_relaxed_env_var_name(value: &str) -> Messages {
    if value.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    if value.chars().all(|char| (' '..='~').contains(&char) && char != '=') {
        return Vec::new();
    }
    let text = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    vec![text.to_owned()]
}

/// `IsConfigMapKey`.
pub fn is_config_map_key(value: &str) -> Messages {
    let ok = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let mut messages = check(value, 253, ok, || {
        regex_error(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        )
    });
    match value {
        "." | ".." => messages.push(format!("must not be '{value}'")),
        _ if value.starts_with("..") => messages.push("must not start with '..'".to_owned()),
        _ => {}
    }
    messages
}

/// What a name of a kind must be. Names with generateName are checked without their trailing dash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    Subdomain,
    Label,
    PathSegment,
}

/// `ValidateNameFunc` (apimachinery `pkg/api/validation/generic.go`).
pub fn name_messages(rule: NameRule, name: &str, prefix: bool) -> Messages {
    let masked = if prefix && rule != NameRule::PathSegment { mask_trailing_dash(name) } else { name.to_owned() };
    match rule {
        NameRule::Subdomain => is_dns1123_subdomain(&masked),
        NameRule::Label => is_dns1123_label(&masked),
        NameRule::PathSegment => is_path_segment_name(&masked),
    }
}

fn mask_trailing_dash(name: &str) -> String {
    match name.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let mut masked = rest.to_owned();
            masked.pop();
            masked.push('a');
            masked
        }
        _ => name.to_owned(),
    }
}
