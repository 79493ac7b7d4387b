//! Rules on what Secrets and ConfigMaps hold.

use std::collections::BTreeSet;

use super::Cx;
use crate::model::path;
use crate::yaml::{View, base64};

/// The decoded value of a key of a Secret, with where it stands.
fn secret_value<'a>(root: View<'a>, key: &str) -> Option<(View<'a>, Vec<u8>)> {
    let plain = root.get("stringData").and_then(|data| data.get(key)).map(|value| (value, text_bytes(value)));
    let encoded = || {
        let value = root.get("data")?.get(key)?;
        Some((value, base64::decode(value.str()?.as_bytes()).ok()?))
    };
    plain.or_else(encoded)
}

fn text_bytes(value: View<'_>) -> Vec<u8> {
    value.str().unwrap_or_default().as_bytes().to_vec()
}

/// `echo secret | base64`: the line end is part of the secret, and the login fails.
pub(super) fn secret_trailing_newline(cx: &mut Cx<'_>) {
    let Some(data) = cx.root.get("data") else { return };
    let plain = cx.bundle.written(cx.id).get("stringData");
    for (key, value) in data.fields().collect::<Vec<_>>() {
        let Some(bytes) = value.str().and_then(|text| base64::decode(text.as_bytes()).ok()) else { continue };
        // What stands in stringData is not encoded by hand, and may be base64 to its reader.
        let is_plain = plain.is_some_and(|plain| plain.get(key).is_some());
        if is_encoded(&bytes) && !is_plain {
            let message = format!("the value of `{key}` is base64 twice: what pods get is base64 still");
            cx.report(value, message).help = Some("encode the plain value, once".to_owned());
            continue;
        }
        let Some((last, before)) = bytes.split_last() else { continue };
        // A file ends in a line end rightly; a single line under such a name is a value.
        let is_line = *last == b'\n' && !before.is_empty() && !before.contains(&b'\n') && !key.contains('.');
        if !is_line {
            continue;
        }
        let message = format!("the value of `{key}` ends in a line end, which becomes part of the secret");
        if is_plain {
            let mut field = "stringData".to_owned();
            path::push_key(&mut field, key);
            cx.report_field(field, message).help = Some("write it on the line of its key, or behind `|-`".to_owned());
        } else {
            cx.report(value, message).help = Some("encode it without: `printf %s VALUE | base64`".to_owned());
        }
    }
}

/// Whether a value that was decoded is base64 itself, of text: chance and other values hardly give readable letters.
fn is_encoded(bytes: &[u8]) -> bool {
    let trimmed = bytes.trim_ascii_end();
    let is_text = |inner: &[u8]| {
        let trimmed = inner.trim_ascii_end();
        trimmed.len() >= 3 && trimmed.iter().all(|byte| matches!(byte, b' '..=b'~'))
    };
    (trimmed.ends_with(b"=") || trimmed.len() >= 12) && base64::decode(trimmed).is_ok_and(|inner| is_text(&inner))
}

/// Keys that a type of Secret needs, beyond what the API server looks at: what they hold.
pub(super) fn secret_type_keys(cx: &mut Cx<'_>) {
    if cx.root.get_str("type") != Some("kubernetes.io/tls") {
        return;
    }
    for (key, what) in [("tls.crt", "CERTIFICATE"), ("tls.key", "PRIVATE KEY")] {
        let Some((value, bytes)) = secret_value(cx.root, key).filter(|(_, bytes)| !bytes.is_empty()) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let trimmed = text.trim();
        // A text that stands for one that is filled in later.
        let is_placeholder = trimmed.len() < 40 || trimmed.contains("{{") || trimmed.contains("${");
        if is_placeholder || (text.contains("-----BEGIN ") && text.contains(what)) {
            continue;
        }
        let message = format!("`{key}` holds no PEM block with a {what}, so no server can use it");
        cx.report(value, message).help = Some("put the PEM text in, encoded once".to_owned());
    }
}

/// Client-side apply keeps the whole object in an annotation, and annotations end at 256 KiB.
pub(super) fn object_too_big(cx: &mut Cx<'_>) {
    const ANNOTATIONS: usize = 256 << 10;
    let written = cx.bundle.written(cx.id);
    let span = written.span();
    if ((span.end - span.start) as usize) < ANNOTATIONS / 2 {
        return;
    }
    let size = written.to_json().len();
    if size > ANNOTATIONS {
        let message = format!(
            "the object has {} KiB: `kubectl apply` keeps it in an annotation, which ends at 256 KiB",
            size >> 10
        );
        let help = "use `kubectl apply --server-side`, or split it";
        cx.report_field("metadata.name".to_owned(), message).help = Some(help.to_owned());
    }
}

/// What secrets that a service issues look like: a beginning, and how many letters follow.
const TOKENS: [(&str, usize, &str); 20] = [
    ("ghp_", 36, "a GitHub token"),
    ("gho_", 36, "a GitHub token"),
    ("ghr_", 36, "a GitHub token"),
    ("ghs_", 36, "a GitHub token"),
    ("ghu_", 36, "a GitHub token"),
    ("github_pat_", 22, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 24, "a Slack token"),
    ("xoxp-", 24, "a Slack token"),
    ("sk_live_", 24, "a Stripe key"),
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("AIza", 35, "a Google API key"),
    ("npm_", 36, "an npm token"),
    ("NRAK-", 27, "a New Relic key"),
    ("dop_v1_", 64, "a DigitalOcean token"),
    ("hf_", 34, "a Hugging Face token"),
    ("hvb.", 90, "a Vault token"),
    ("hvs.", 90, "a Vault token"),
    ("atlasv1.", 60, "a Terraform Cloud token"),
];

/// No token is shorter.
const SHORTEST: usize = 20;

/// The kind of secret that a text holds, if it is one of those that can be told from their form.
fn token_in(text: &str) -> Option<&'static str> {
    if holds_private_key(text) {
        return Some("a private key");
    }
    let runs = text.split(|letter: char| !is_word(letter) && letter != '.').filter(|run| run.len() >= SHORTEST);
    let words = runs.flat_map(|run| {
        let starts = std::iter::once(0).chain(run.match_indices('.').map(|(dot, _)| dot + 1));
        starts.map(move |start| &run[start..])
    });
    words.filter(|_| !text.contains("EXAMPLE")).find_map(token_at)
}

/// The token that a run of letters and dots begins with.
fn token_at(text: &str) -> Option<&'static str> {
    if is_jwt(text) {
        return Some("a JSON Web Token");
    }
    TOKENS.iter().find_map(|(head, length, what)| {
        let after = text.strip_prefix(head)?;
        // What ends in `_` is followed by letters and digits only; a variable's name is not.
        let is_body = |letter: &char| is_word(*letter) && !(head.ends_with('_') && matches!(letter, '_' | '-'));
        let body: Vec<char> = after.chars().take_while(is_body).take(*length).collect();
        // Examples repeat a letter, real ones do not.
        let distinct: BTreeSet<char> = body.iter().copied().collect();
        (body.len() == *length && distinct.len() > 6).then_some(*what)
    })
}

/// A JSON Web Token (RFC 7519): a head and a body that begin as `{"` does in base64url, and a signature.
fn is_jwt(text: &str) -> bool {
    const LEAST: usize = 16;
    if !text.starts_with("eyJ") {
        return false;
    }
    let parts: Vec<&str> = text.split('.').take(3).collect();
    parts.len() == 3 && parts[1].starts_with("eyJ") && parts.iter().all(|part| part.len() >= LEAST)
}

/// A PEM block (RFC 7468) of a private key; the shortest, of Ed25519, has 64 letters.
fn holds_private_key(text: &str) -> bool {
    const LEAST: usize = 60;
    let Some((before, after)) = text.split_once("PRIVATE KEY-----") else { return false };
    let body = after.split("-----").next().unwrap_or_default();
    let letters: BTreeSet<char> = body.chars().filter(char::is_ascii_alphanumeric).collect();
    let length = body.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/')).count();
    // Examples repeat a letter, real ones do not.
    before.contains("-----BEGIN ") && length >= LEAST && letters.len() > 10
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

/// Tokens and private keys in any text of the object; in Secrets too, for they are in the repository then.
pub(super) fn secret_in_text(cx: &mut Cx<'_>) {
    let mut found = Vec::new();
    search(cx.bundle.written(cx.id), &mut found);
    cx.root = cx.bundle.written(cx.id);
    for (value, what) in found {
        let help = "withdraw it: whoever reads the repository has it; keep its successor in a secret store";
        cx.report(value, format!("the text holds {what}")).help = Some(help.to_owned());
    }
}

fn search<'a>(view: View<'a>, found: &mut Vec<(View<'a>, &'static str)>) {
    if let Some(what) = view.str().filter(|text| text.len() >= SHORTEST).and_then(token_in) {
        found.push((view, what));
    }
    view.fields().for_each(|(_, value)| search(value, found));
    view.items().for_each(|item| search(item, found));
}

/// Keys of a ConfigMap that are named as secrets are.
pub(super) fn configmap_sensitive(cx: &mut Cx<'_>) {
    let Some(data) = cx.root.get("data") else { return };
    for (key, value) in data.fields().collect::<Vec<_>>() {
        let plain = key.replace('-', "_");
        let text = value.str().unwrap_or_default();
        let leads = text.is_empty() || text.starts_with('/') || text.contains("${") || text.len() < 4;
        if cx.params.has_end("names", &plain) && !leads && !matches!(text, "true" | "false") {
            let message = format!("`{key}` of a ConfigMap is named as a secret, and is open to everyone who may read");
            cx.report(value, message).help = Some("put it into a Secret".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TOKENS, token_in};

    #[test]
    fn tokens_are_told_by_their_form() {
        const LETTERS: &str = "7Kq2Zr9Xw4Lm8Tn5Vb3Hd6Gs1Pc0JfRy";
        for (head, length, what) in TOKENS {
            let body: String = LETTERS.chars().cycle().take(length).collect();
            let before = if head == "atlasv1." { "a1b2c3d4e5f6g7." } else { "token=" };
            assert_eq!(token_in(&format!("{before}{head}{body} x")), Some(what), "{head}");
            let short = &body[1..];
            assert_eq!(token_in(&format!("{before}{head}{short}")), None, "{head} and too few letters");
            assert_eq!(token_in(&format!("{before}{head}{}", "x".repeat(length))), None, "an example of {head}");
        }
    }

    #[test]
    fn keys_are_found_and_names_and_halves_of_tokens_are_none() {
        let key = "MC4CAQAwBQYDK2VwBCIEIJ8aVvkq1mWnR3tYb5LxSgHc7dEo2ZuPfi0XwAj9Gh4K";
        let pem = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        assert_eq!(token_in(&pem(key)), Some("a private key"));
        assert_eq!(token_in(&pem("...")), None);
        assert_eq!(token_in("npm_config_fetch_retry_mintimeout_milliseconds_value"), None);
        assert_eq!(token_in("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0"), None);
    }
}
