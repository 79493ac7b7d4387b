//! Domain names and what is written behind them; these checks may name a part of the value.
//!
//! Rules and texts: apimachinery `pkg/util/validation/validation.go` (Kubernetes 1.36).

use super::{alnum, is_dns1123_label, is_dns1123_subdomain, is_qualified_name, regex_error};

/// A complaint of a check that sees the field as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The value is missing (`Required value`).
    Required,
    /// The value, or the part of it named here, is wrong (`Invalid value`).
    Invalid { value: String, detail: String },
}

/// A domain name of two or more labels; a final dot is allowed.
pub fn is_fully_qualified_domain_name(name: &str) -> Vec<NameError> {
    if name.is_empty() {
        return vec![NameError::Required];
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let errors = is_dns1123_subdomain(name);
    if !errors.is_empty() {
        return vec![invalid(name, errors.join(","))];
    }
    if !name.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        return vec![invalid(name, detail.to_owned())];
    }
    let wrong = name.split('.').map(|label| (label, is_dns1123_label(label)));
    let first = wrong.into_iter().find(|(_, errors)| !errors.is_empty());
    first.map(|(label, errors)| invalid(label, errors.join(","))).into_iter().collect()
}

/// A domain name of three or more labels, as older fields ask for.
pub fn is_fully_qualified_name(name: &str) -> Vec<NameError> {
    if name.is_empty() {
        return vec![NameError::Required];
    }
    let errors = is_dns1123_subdomain(name);
    if !errors.is_empty() {
        return vec![invalid(name, errors.join(","))];
    }
    if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        return vec![invalid(name, detail.to_owned())];
    }
    Vec::new()
}

/// A domain, `/` and a path: `acme.io/foo`.
pub fn is_domain_prefixed_path(value: &str) -> Vec<NameError> {
    if value.is_empty() {
        return vec![NameError::Required];
    }
    let (host, path) = match value.split_once('/') {
        Some((host, path)) if !host.is_empty() && !path.is_empty() => (host, path),
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            return vec![invalid(value, detail.to_owned())];
        }
    };
    let errors = is_dns1123_subdomain(host);
    let mut errors: Vec<_> = errors.into_iter().map(|error| invalid(host, error)).collect();
    if !path.bytes().all(|b| alnum(b) || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        let expression = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
        errors.push(invalid(path, regex_error("Invalid path", expression, &[])));
    }
    errors
}

/// A label key that has a domain: `acme.io/foo`.
pub fn is_domain_prefixed_key(key: &str) -> Vec<NameError> {
    if key.is_empty() {
        return vec![NameError::Required];
    }
    let errors = is_qualified_name(key);
    if errors.is_empty() && !key.contains('/') {
        let detail = "must be a domain-prefixed key (such as \"acme.io/foo\")";
        return vec![invalid(key, detail.to_owned())];
    }
    errors.into_iter().map(|error| invalid(key, error)).collect()
}

fn invalid(value: &str, detail: String) -> NameError {
    NameError::Invalid { value: value.to_owned(), detail }
}
