//! The names of container images: `nginx`, `ghcr.io/org/app:1.2@sha256:…`.
//!
//! Rules and texts: distribution/reference v0.6 `ParseNormalizedNamed`, opencontainers/go-digest, and
//! `pkg/util/parsers` and `pkg/apis/core/v1/defaults.go` of Kubernetes 1.36.

use std::fmt;

#[cfg(test)]
mod tests;

/// Where a name without registry comes from.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Longest repository.
const REPOSITORY_LENGTH: usize = 255;

/// An image's name in parts, with the defaults for names of Docker Hub filled in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Image {
    /// Host and port. Empty only where the host has letters that no host may have.
    pub registry: String,
    /// Path within the registry: `library/nginx`.
    pub repository: String,
    pub tag: Option<String>,
    /// Algorithm and value: `sha256:…`.
    pub digest: Option<String>,
}

impl Image {
    /// Reads a name. The error is the reason that the API's library gives.
    pub fn parse(text: &str) -> Result<Image, String> {
        if text.len() == 64 && text.bytes().all(lower_hex) {
            let why = "cannot specify 64-byte hexadecimal strings";
            return Err(format!("invalid repository name ({text}), {why}"));
        }
        let (registry, remainder) = split_registry(text);
        let remote = remainder.split(':').next().unwrap_or("");
        if has_capitals(remote) {
            let why = "must be lowercase";
            return Err(format!("invalid reference format: repository name ({remote}) {why}"));
        }
        let full = format!("{registry}/{remainder}");
        let Some(image) = split(&full) else {
            let lower = split(&full.to_lowercase()).is_some();
            let why = if lower { "repository name must be lowercase" } else { "invalid reference format" };
            return Err(why.to_owned());
        };
        if image.repository.len() > REPOSITORY_LENGTH {
            return Err("repository name must not be more than 255 characters".to_owned());
        }
        if let Some(digest) = &image.digest {
            check_digest(digest)?;
        }
        Ok(image)
    }

    /// Whether a text is the name of an image at all. The API does not check this: a pod with any
    /// other name is accepted and fails on its node (`InvalidImageName`).
    pub fn is_valid(text: &str) -> bool {
        Image::parse(text).is_ok()
    }

    /// Registry and repository.
    pub fn name(&self) -> String {
        if self.registry.is_empty() {
            return self.repository.clone();
        }
        format!("{}/{}", self.registry, self.repository)
    }

    /// The name as people write it: without Docker Hub's registry and its `library/`.
    pub fn familiar_name(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return self.name();
        }
        let official = self.repository.strip_prefix("library/").filter(|rest| !rest.contains('/'));
        official.unwrap_or(&self.repository).to_owned()
    }

    /// The tag that is pulled: `latest` where neither tag nor digest is given.
    pub fn pulled_tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, Some(_)) => None,
            (None, None) => Some("latest"),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// The `imagePullPolicy` that the API fills in: `Always` for the tag `latest`, given or implied. A
/// name that cannot be read gets `IfNotPresent`.
pub fn default_pull_policy(image: &str) -> &'static str {
    match Image::parse(image) {
        Ok(image) if image.pulled_tag() == Some("latest") => "Always",
        _ => "IfNotPresent",
    }
}

/// Whether a text is another one in lower case.
fn has_capitals(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_uppercase()) } else { text.to_lowercase() != text }
}

/// Registry and the rest, with defaults filled in.
fn split_registry(text: &str) -> (&str, String) {
    let Some((head, rest)) = text.split_once('/') else {
        return (DEFAULT_REGISTRY, format!("library/{text}"));
    };
    let (registry, remainder) = match head {
        "localhost" => (head, rest),
        "index.docker.io" => (DEFAULT_REGISTRY, rest),
        _ if head.contains(['.', ':']) || has_capitals(head) => (head, rest),
        _ => (DEFAULT_REGISTRY, text),
    };
    if registry == DEFAULT_REGISTRY && !remainder.contains('/') {
        return (registry, format!("library/{remainder}"));
    }
    (registry, remainder.to_owned())
}

/// The parts of a full name, if it has the shape of one.
fn split(text: &str) -> Option<Image> {
    let (text, digest) = match text.split_once('@') {
        Some((text, digest)) if digest_form(digest) => (text, Some(digest)),
        Some(_) => return None,
        None => (text, None),
    };
    let path = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text[path..].find(':') {
        Some(colon) => (&text[..path + colon], Some(&text[path + colon + 1..])),
        None => (text, None),
    };
    if !tag.is_none_or(tag_form) {
        return None;
    }
    let (registry, repository) = match name.split_once('/') {
        Some((host, path)) if host_form(host) && path_form(path) => (host, path),
        _ if path_form(name) => ("", name),
        _ => return None,
    };
    Some(Image {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
    })
}

fn lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn tag_form(tag: &str) -> bool {
    let inner = |b| word(b) || matches!(b, b'.' | b'-');
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(inner)
}

/// `algorithm:value`, the algorithm made of words with separators between them.
fn digest_form(digest: &str) -> bool {
    let Some((algorithm, value)) = digest.split_once(':') else {
        return false;
    };
    let part = |part: &str| {
        let letter = part.starts_with(|c: char| c.is_ascii_alphabetic());
        letter && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let hex = value.len() >= 32 && value.bytes().all(|b| b.is_ascii_hexdigit());
    hex && algorithm.split(['-', '_', '+', '.']).all(part)
}

fn check_digest(digest: &str) -> Result<(), String> {
    let (algorithm, value) = digest.split_once(':').unwrap_or((digest, ""));
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ if algorithm.bytes().any(|b| b.is_ascii_uppercase()) => 0,
        _ => return Err("unsupported digest algorithm".to_owned()),
    };
    if length != 0 && value.len() != length {
        return Err("invalid checksum digest length".to_owned());
    }
    if length == 0 || !value.bytes().all(lower_hex) {
        return Err("invalid checksum digest format".to_owned());
    }
    Ok(())
}

/// A host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port.
fn host_form(host: &str) -> bool {
    let (name, port) = match host.rfind(']') {
        Some(end) if host.starts_with('[') => host.split_at(end + 1),
        _ => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(digits) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    }
    name.split('.').all(|label| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    })
}

fn path_form(path: &str) -> bool {
    path.split('/').all(component_form)
}

/// Letters and digits, with one dot, one or two underscores or any dashes between them.
fn component_form(component: &str) -> bool {
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge);
    let mut separators = bytes.split(edge).filter(|separator| !separator.is_empty());
    ends && separators.all(|separator| matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-'))
}
