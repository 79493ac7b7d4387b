//! The formats of names, keys and numbers, with the API's own explanations.
//!
//! Each check gives the list of complaints, empty when all is well, in the API's order and words.
//! Lengths are counted in bytes. Rules and texts: apimachinery `pkg/util/validation/validation.go`,
//! `pkg/api/validate/content/*.go` and `pkg/api/validation/generic.go` (Kubernetes 1.36).

mod domain;
mod ip;
#[cfg(test)]
mod tests;

pub use domain::{
    NameError, is_domain_prefixed_key, is_domain_prefixed_path, is_fully_qualified_domain_name, is_fully_qualified_name,
};
pub use ip::{
    Cidr, is_valid_cidr, is_valid_cidr_for_legacy_field, is_valid_interface_address, is_valid_ip,
    is_valid_ip_for_legacy_field, parse_cidr_sloppy, parse_ip_sloppy, warnings_for_cidr, warnings_for_ip,
};

/// Longest DNS label, label value and name part of a label key.
const LABEL_LENGTH: usize = 63;
/// Longest DNS subdomain and configuration key.
const SUBDOMAIN_LENGTH: usize = 253;

const LABEL_FMT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FMT: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_KEY_FMT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// `must be no more than N characters`
pub fn max_len_error(length: usize) -> String {
    format!("must be no more than {length} characters")
}

/// `must be between LOW and HIGH, inclusive`
pub fn inclusive_range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// `must be no more than N bytes`, as the checks of `validate/content` say.
pub fn max_bytes_error(length: usize) -> String {
    format!("must be no more than {length} bytes")
}

/// An explanation that ends in examples and the expression the API checks with.
pub fn regex_error(message: &str, expression: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{expression}')");
    }
    let examples: Vec<_> = examples.iter().map(|example| format!("'{example}', ")).collect();
    let examples = examples.join(" or ");
    format!("{message} (e.g. {examples}regex used for validation is '{expression}')")
}

/// Complains about the length first, then about the form.
fn sized(value: &str, most: usize, form: Option<String>) -> Vec<String> {
    let length = (value.len() > most).then(|| max_len_error(most));
    length.into_iter().chain(form).collect()
}

/// As [`sized`], in the newer words.
fn sized_bytes(value: &str, most: usize, form: Option<String>) -> Vec<String> {
    let length = (value.len() > most).then(|| max_bytes_error(most));
    length.into_iter().chain(form).collect()
}

/// A part made of `inner` bytes that starts and ends with an `edge` byte.
fn framed(part: &[u8], edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let ends = part.first().zip(part.last());
    ends.is_some_and(|(&first, &last)| edge(first) && edge(last)) && part.iter().all(|&b| inner(b))
}

fn lower_alnum(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn label_form(part: &[u8]) -> bool {
    framed(part, lower_alnum, |b| lower_alnum(b) || b == b'-')
}

fn subdomain_form(value: &str) -> bool {
    value.as_bytes().split(|&b| b == b'.').all(label_form)
}

fn label_key_form(value: &str) -> bool {
    framed(value.as_bytes(), alnum, |b| alnum(b) || matches!(b, b'-' | b'_' | b'.'))
}

/// A DNS label of RFC 1123: `my-name`, at most 63 bytes.
pub fn is_dns1123_label(value: &str) -> Vec<String> {
    let form = if label_form(value.as_bytes()) {
        None
    } else if subdomain_form(value) {
        Some("must not contain dots".to_owned())
    } else {
        let message = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
                       characters or '-', and must start and end with an alphanumeric character";
        Some(regex_error(message, LABEL_FMT, &["my-name", "123-abc"]))
    };
    sized(value, LABEL_LENGTH, form)
}

/// A DNS subdomain of RFC 1123: `example.com`, at most 253 bytes.
pub fn is_dns1123_subdomain(value: &str) -> Vec<String> {
    sized(value, SUBDOMAIN_LENGTH, subdomain_complaint(value))
}

fn subdomain_complaint(value: &str) -> Option<String> {
    let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                   characters, '-' or '.', and must start and end with an alphanumeric character";
    (!subdomain_form(value)).then(|| regex_error(message, SUBDOMAIN_FMT, &["example.com"]))
}

/// A DNS subdomain that may have either case, as old CSI driver names do.
pub fn is_dns1123_subdomain_caseless(value: &str) -> Vec<String> {
    let form = (!subdomain_form(&value.to_ascii_lowercase())).then(|| {
        let message = "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or \
                       '.', and must start and end with an alphanumeric character";
        regex_error(message, SUBDOMAIN_FMT, &["Example.com"])
    });
    sized_bytes(value, SUBDOMAIN_LENGTH, form)
}

/// A DNS subdomain with `_` allowed, as in search paths of a pod's DNS settings.
pub fn is_dns1123_subdomain_with_underscore(value: &str) -> Vec<String> {
    let part = |part: &[u8]| {
        let body = part.strip_prefix(b"_").unwrap_or(part);
        framed(body, lower_alnum, |b| lower_alnum(b) || matches!(b, b'-' | b'_'))
    };
    let form = (!value.as_bytes().split(|&b| b == b'.').all(part)).then(|| {
        let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                       characters, '_', '-' or '.', and must start and end with an alphanumeric \
                       character";
        let label = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
        regex_error(message, &format!(r"{label}(\.{label})*"), &["example.com"])
    });
    sized(value, SUBDOMAIN_LENGTH, form)
}

/// A DNS label of RFC 1035, which starts with a letter: `abc-123`, at most 63 bytes.
pub fn is_dns1035_label(value: &str) -> Vec<String> {
    let valid = label_form(value.as_bytes()) && value.starts_with(|c: char| c.is_ascii_lowercase());
    let form = (!valid).then(|| {
        let message = "a DNS-1035 label must consist of lower case alphanumeric characters or \
                       '-', start with an alphabetic character, and end with an alphanumeric \
                       character";
        regex_error(message, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"])
    });
    sized(value, LABEL_LENGTH, form)
}

/// A subdomain whose first label is `*`: `*.example.com`.
pub fn is_wildcard_dns1123_subdomain(value: &str) -> Vec<String> {
    let form = (!value.strip_prefix("*.").is_some_and(subdomain_form)).then(|| {
        let message = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid \
                       DNS subdomain, which must consist of lower case alphanumeric characters, \
                       '-' or '.' and end with an alphanumeric character";
        regex_error(message, &format!(r"\*\.{SUBDOMAIN_FMT}"), &["*.example.com"])
    });
    sized(value, SUBDOMAIN_LENGTH, form)
}

/// A label or annotation key: an optional subdomain and `/`, then a name of at most 63 bytes.
pub fn is_qualified_name(value: &str) -> Vec<String> {
    let explain = || {
        let message = "must consist of alphanumeric characters, '-', '_' or '.', and must start \
                       and end with an alphanumeric character";
        regex_error(message, LABEL_KEY_FMT, &["MyName", "my.name", "123-abc"])
    };
    let (prefix, name) = match value.split_once('/') {
        Some((_, name)) if name.contains('/') => {
            let suffix = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {} {suffix}", explain())];
        }
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, value),
    };
    let mut errors = match prefix {
        None => Vec::new(),
        Some("") => vec!["prefix part must be non-empty".to_owned()],
        Some(prefix) => {
            let errors = sized_bytes(prefix, SUBDOMAIN_LENGTH, subdomain_complaint(prefix));
            errors.iter().map(|error| format!("prefix part {error}")).collect()
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_LENGTH {
        errors.push(format!("name part {}", max_bytes_error(LABEL_LENGTH)));
    }
    if !label_key_form(name) {
        errors.push(format!("name part {}", explain()));
    }
    errors
}

/// A label value: empty, or like the name of a label key.
pub fn is_valid_label_value(value: &str) -> Vec<String> {
    let form = (!value.is_empty() && !label_key_form(value)).then(|| {
        let message = "a valid label must be an empty string or consist of alphanumeric \
                       characters, '-', '_' or '.', and must start and end with an alphanumeric \
                       character";
        let expression = format!("({LABEL_KEY_FMT})?");
        regex_error(message, &expression, &["MyValue", "my_value", "12345"])
    });
    sized_bytes(value, LABEL_LENGTH, form)
}

/// A key of a ConfigMap or Secret.
pub fn is_config_map_key(value: &str) -> Vec<String> {
    let inner = |b| alnum(b) || matches!(b, b'-' | b'_' | b'.');
    let form = (value.is_empty() || !value.bytes().all(inner)).then(|| {
        let message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        regex_error(message, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"])
    });
    let mut errors = sized(value, SUBDOMAIN_LENGTH, form);
    errors.extend(parent_directory(value));
    errors
}

fn parent_directory(value: &str) -> Option<String> {
    match value {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ => value.starts_with("..").then(|| "must not start with '..'".to_owned()),
    }
}

/// An environment variable's name since Kubernetes 1.32 (`IsRelaxedEnvVarName`): any printable
/// ASCII but `=`.
pub fn is_env_var_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.is_empty() {
        errors.push("environment variable name must be non-empty".to_owned());
    }
    if !value.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=') {
        let message = "a valid environment variable name must consist only of printable ASCII \
                       characters other than '='";
        errors.push(message.to_owned());
    }
    errors
}

/// An environment variable's name before Kubernetes 1.32 (`IsEnvVarName`), still asked of the
/// prefix-less names that `envFrom` skips.
pub fn is_strict_env_var_name(value: &str) -> Vec<String> {
    let inner = |b| alnum(b) || matches!(b, b'-' | b'_' | b'.');
    let digit = value.starts_with(|c: char| c.is_ascii_digit());
    let mut errors = Vec::new();
    if value.is_empty() || digit || !value.bytes().all(inner) {
        let message = "a valid environment variable name must consist of alphabetic characters, \
                       digits, '_', '-', or '.', and must not start with a digit";
        let examples = ["my.env-name", "MY_ENV.NAME", "MyEnvName1"];
        errors.push(regex_error(message, "[-._a-zA-Z][-._a-zA-Z0-9]*", &examples));
    }
    errors.extend(parent_directory(value));
    errors
}

/// A port number, 1 to 65535.
pub fn is_valid_port_num(port: i64) -> Vec<String> {
    is_in_range(port, 1, 65535)
}

/// A number between `low` and `high`, both included.
pub fn is_in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    let outside = value < low || value > high;
    outside.then(|| inclusive_range_error(low, high)).into_iter().collect()
}

/// A Unix group number, 0 to 2^31-1.
pub fn is_valid_group_id(gid: i64) -> Vec<String> {
    is_in_range(gid, 0, i64::from(i32::MAX))
}

/// A Unix user number, 0 to 2^31-1.
pub fn is_valid_user_id(uid: i64) -> Vec<String> {
    is_in_range(uid, 0, i64::from(i32::MAX))
}

/// A port's name: at most 15 of `[-a-z0-9]` with a letter among them.
pub fn is_valid_port_name(port: &str) -> Vec<String> {
    let mut errors = sized(port, 15, None);
    let mut complain = |wrong: bool, message: &str| {
        if wrong {
            errors.push(message.to_owned());
        }
    };
    let charset = !port.is_empty() && port.bytes().all(|b| lower_alnum(b) || b == b'-');
    complain(!charset, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    let letter = port.bytes().any(|b| b.is_ascii_lowercase());
    complain(!letter, "must contain at least one letter (a-z)");
    complain(port.contains("--"), "must not contain consecutive hyphens");
    let edge = port.starts_with('-') || port.ends_with('-');
    complain(edge, "must not begin or end with a hyphen");
    errors
}

/// A percentage: digits and `%`.
pub fn is_valid_percent(percent: &str) -> Vec<String> {
    let digits = percent.strip_suffix('%').unwrap_or("");
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let message = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![regex_error(message, "[0-9]+%", &["1%", "93%"])]
}

/// The name of an HTTP header.
pub fn is_http_header_name(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|b| alnum(b) || b == b'-') {
        return Vec::new();
    }
    let message = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![regex_error(message, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// An identifier of the language C.
pub fn is_c_identifier(value: &str) -> Vec<String> {
    let start = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if start && value.bytes().all(|b| alnum(b) || b == b'_') {
        return Vec::new();
    }
    let message = "a valid C identifier must start with alphabetic character or '_', followed by \
                   a string of alphanumeric characters or '_'";
    vec![regex_error(message, "[A-Za-z_][A-Za-z0-9_]*", &["my_name", "MY_NAME", "MyName"])]
}

/// A whole number as a person writes it: no `+`, no leading zeros.
pub fn is_decimal_integer(value: &str) -> Vec<String> {
    if value.is_empty() {
        return vec!["must be non-empty".to_owned()];
    }
    let digits = value.strip_prefix('-').unwrap_or(value);
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if value == "0" || (plain && !digits.is_empty()) {
        return Vec::new();
    }
    vec!["must be a valid decimal integer in canonical form".to_owned()]
}

/// A name that can stand as one segment of a request path. Empty names pass, as in the API.
pub fn is_valid_path_segment_name(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    is_valid_path_segment_prefix(name)
}

/// A name that something is appended to before it stands as a segment of a request path.
pub fn is_valid_path_segment_prefix(name: &str) -> Vec<String> {
    let illegal = ['/', '%'].into_iter().filter(|&c| name.contains(c));
    illegal.map(|c| format!("may not contain '{c}'")).collect()
}

/// A name, or the part of one that is written before generated letters: a trailing `-` is allowed
/// there.
fn masked(name: &str, prefix: bool) -> String {
    match name.strip_suffix('-') {
        Some(stem) if prefix && !stem.is_empty() => {
            // The API cuts one byte before the dash; what remains of a longer letter stays wrong.
            let mut stem = stem.to_owned();
            let rest = stem.pop().map_or(0, |letter| letter.len_utf8() - 1);
            stem + &"_".repeat(rest) + "a"
        }
        _ => name.to_owned(),
    }
}

/// An object's name that is a DNS subdomain; `prefix` for `generateName`.
pub fn name_is_dns_subdomain(name: &str, prefix: bool) -> Vec<String> {
    is_dns1123_subdomain(&masked(name, prefix))
}

/// An object's name that is a DNS label; `prefix` for `generateName`.
pub fn name_is_dns_label(name: &str, prefix: bool) -> Vec<String> {
    is_dns1123_label(&masked(name, prefix))
}

/// An object's name that is a DNS label starting with a letter; `prefix` for `generateName`.
pub fn name_is_dns1035_label(name: &str, prefix: bool) -> Vec<String> {
    is_dns1035_label(&masked(name, prefix))
}

/// An object's name that is only a path segment; `prefix` for `generateName`.
pub fn name_is_path_segment(name: &str, prefix: bool) -> Vec<String> {
    if prefix { is_valid_path_segment_prefix(name) } else { is_valid_path_segment_name(name) }
}
