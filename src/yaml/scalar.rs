//! How kubectl's reader (sigs.k8s.io/yaml over go.yaml.in/yaml/v2, `resolve.go`) understands scalars.

/// A scalar after resolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Only above `i64::MAX`.
    Uint(u64),
    Float(f64),
    /// The text itself.
    Str,
}

impl Scalar {
    /// go-yaml's short tag, for its messages.
    fn tag(self) -> &'static str {
        match self {
            Scalar::Null => "!!null",
            Scalar::Bool(_) => "!!bool",
            Scalar::Int(_) | Scalar::Uint(_) => "!!int",
            Scalar::Float(_) => "!!float",
            Scalar::Str => "!!str",
        }
    }
}

const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// Resolves a scalar that carries a tag; the error is go-yaml's.
pub fn resolve_tagged(tag: &str, text: &str) -> Result<Scalar, String> {
    let wanted = match tag.strip_prefix(TAG_PREFIX) {
        Some(name @ ("bool" | "int" | "float" | "null" | "timestamp")) => name,
        _ => return Ok(Scalar::Str),
    };
    let found = resolve(text);
    let fits = match wanted {
        "timestamp" => found == Scalar::Str && looks_like_timestamp(text),
        "float" => matches!(found, Scalar::Float(_) | Scalar::Int(_) | Scalar::Uint(_)),
        _ => found.tag() == format!("!!{wanted}"),
    };
    if !fits {
        let found = if looks_like_timestamp(text) { "!!timestamp" } else { found.tag() };
        return Err(format!("cannot decode {found} `{text}` as a !!{wanted}"));
    }
    Ok(match (wanted, found) {
        ("float", Scalar::Int(value)) => Scalar::Float(value as f64),
        ("float", Scalar::Uint(value)) => Scalar::Float(value as f64),
        _ => found,
    })
}

/// `2001-1-1` and longer: go-yaml reads a time, and kubectl keeps its text.
fn looks_like_timestamp(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text[digits..].split(['-', 'T', 't', ' ']);
    let two_digits = |part: Option<&str>| part.is_some_and(|p| matches!(p.parse::<u8>(), Ok(1..=31)));
    digits == 4 && rest.next() == Some("") && two_digits(rest.next()) && two_digits(rest.next())
}

/// Resolves a plain scalar without tag.
pub fn resolve(text: &str) -> Scalar {
    // Most scalars are names, which begin with none of these.
    let first = text.as_bytes().first().copied().unwrap_or(b'~');
    if !matches!(
        first,
        b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' | b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O'
    ) {
        return Scalar::Str;
    }
    if let Some(word) = resolve_word(text) {
        return word;
    }
    match text.as_bytes().first() {
        Some(b'.') => go_parse_float(text).map_or(Scalar::Str, Scalar::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => resolve_number(text),
        _ => Scalar::Str,
    }
}

fn resolve_word(text: &str) -> Option<Scalar> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn resolve_number(text: &str) -> Scalar {
    if !text.starts_with(['0', '+', '-', '_'])
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(value) = text.parse()
    {
        return Scalar::Int(value);
    }
    let plain: String = text.chars().filter(|char| *char != '_').collect();
    let (negative, digits) = match plain.as_bytes().first() {
        Some(b'-') => (true, &plain[1..]),
        Some(b'+') => (false, &plain[1..]),
        _ => (false, plain.as_str()),
    };
    if let Some(magnitude) = parse_base_zero(digits) {
        let signed = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
        if let Ok(value) = i64::try_from(signed) {
            return Scalar::Int(value);
        }
        // ParseUint takes no sign.
        if digits.len() == plain.len() {
            return Scalar::Uint(magnitude);
        }
    }
    if is_yaml_float(&plain)
        && let Some(value) = go_parse_float(&plain)
    {
        return Scalar::Float(value);
    }
    Scalar::Str
}

/// Go's `ParseUint(text, 0, 64)` on text without sign and underscores.
fn parse_base_zero(text: &str) -> Option<u64> {
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &text[2..]),
        Some("0o") => (8, &text[2..]),
        Some("0b") => (2, &text[2..]),
        _ if text.len() > 1 && text.starts_with('0') => (8, &text[1..]),
        _ => (10, text),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_yaml_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    exponent_ok && mantissa_ok
}

/// Go's ParseFloat on decimal text: `_` only between digits, out of range is an error.
fn go_parse_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        if *byte == b'_' && !(digit(at.checked_sub(1)) && digit(Some(at + 1))) {
            return None;
        }
    }
    let plain = text.replace('_', "");
    let value: f64 = if is_yaml_float(&plain) { plain.parse().ok()? } else { return None };
    value.is_finite().then_some(value)
}

/// A float as Go's encoding/json prints it: `1`, `1.5`, `1e+21`, `1e-7`.
pub fn json_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        return match text.split_once("e-") {
            Some(_) => text,
            None => text.replace('e', "e+"),
        };
    }
    format!("{value}")
}

/// A float used as a map key, as sigs.k8s.io/yaml prints it: through float32 and Go's `%g`.
pub fn key_float(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go's shortest 'g' form switches to exponents below -4 and from 6 on.
    if (-4..6).contains(&exponent) || value == 0.0 {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
