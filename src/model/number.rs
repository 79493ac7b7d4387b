//! Numbers as Go reads and prints them, which is what the API and kubectl show.
//!
//! Rules: Go `strconv`, and `encoding/json` for numbers in JSON (Go 1.26, as of Kubernetes 1.36).

use std::fmt;

/// Why a text is not a number. Its display is Go's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    Syntax,
    Range,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NumberError::Syntax => "invalid syntax",
            NumberError::Range => "value out of range",
        })
    }
}

impl std::error::Error for NumberError {}

/// A signed number, as `ParseInt(text, base, 64)`. Base 0 takes the base from the prefix: `0x`,
/// `0o`, `0b` or just `0` for octal. With
/// base 0 underscores may stand between digits.
pub fn parse_int(text: &str, base: u32) -> Result<i64, NumberError> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let value = parse_uint(digits, base)?;
    let limit = 1_u64 << 63;
    match (negative, value) {
        (false, value) if value < limit => Ok(value.cast_signed()),
        (true, value) if value <= limit => Ok(value.cast_signed().wrapping_neg()),
        _ => Err(NumberError::Range),
    }
}

/// A number without sign, as `ParseUint(text, base, 64)`; bases as in [`parse_int`].
pub fn parse_uint(text: &str, base: u32) -> Result<u64, NumberError> {
    if text.is_empty() {
        return Err(NumberError::Syntax);
    }
    if base == 0 && text.contains('_') {
        let plain: String = text.chars().filter(|&c| c != '_').collect();
        let value = parse_uint(&plain, 0)?;
        return if underscores_separate(text) { Ok(value) } else { Err(NumberError::Syntax) };
    }
    let (base, digits) = if base == 0 { prefixed(text) } else { (base.clamp(2, 36), text) };
    let mut value = 0_u64;
    for c in digits.chars() {
        let digit = c.to_digit(base).ok_or(NumberError::Syntax)?;
        let next = value.checked_mul(u64::from(base)).and_then(|v| v.checked_add(u64::from(digit)));
        value = next.ok_or(NumberError::Range)?;
    }
    Ok(value)
}

/// Whether each underscore stands between digits, of which the prefix of a base is one.
fn underscores_separate(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let prefix = match text.as_bytes() {
        [b'0', letter, ..] if b"bBoOxX".contains(letter) => 2,
        _ => 0,
    };
    let hex = prefix == 2 && text[1..].starts_with(['x', 'X']);
    let (mut after_digit, mut after_underscore) = (prefix == 2, false);
    for byte in text.bytes().skip(prefix) {
        if byte == b'_' && !after_digit {
            return false;
        }
        let digit = byte.is_ascii_digit() || (hex && byte.is_ascii_hexdigit());
        if after_underscore && !digit {
            return false;
        }
        (after_digit, after_underscore) = (digit, byte == b'_');
    }
    !after_underscore
}

fn prefixed(text: &str) -> (u32, &str) {
    let Some(rest) = text.strip_prefix('0') else {
        return (10, text);
    };
    let base = match rest.bytes().next() {
        Some(b'b' | b'B') => 2,
        Some(b'o' | b'O') => 8,
        Some(b'x' | b'X') => 16,
        _ => return (8, rest),
    };
    if rest.len() > 1 { (base, &rest[1..]) } else { (8, rest) }
}

/// A text in double quotes, as `strconv.Quote` and `%q` print it. Which letters beyond ASCII count
/// as printable is taken from Rust's tables; they differ from Go's in a few rare scripts.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            _ if printable(c) => out.push(c),
            '\u{80}'..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Letters beyond ASCII that print as themselves. A combining mark is escaped only where it stands
/// first, so it is looked at behind a letter.
fn printable(c: char) -> bool {
    let pair = format!("a{c}");
    pair.escape_debug().to_string() == pair
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let cases = [
            ("0777", Ok(511)),
            ("00012", Ok(10)),
            ("0", Ok(0)),
            ("+0x1F", Ok(31)),
            ("-0b11", Ok(-3)),
            ("0O17", Ok(15)),
            ("08", Err(NumberError::Syntax)),
            ("0x", Err(NumberError::Syntax)),
            ("0o8", Err(NumberError::Syntax)),
            ("", Err(NumberError::Syntax)),
            ("+", Err(NumberError::Syntax)),
            ("--1", Err(NumberError::Syntax)),
            ("1_0", Ok(10)),
            ("0x_F", Ok(15)),
            ("1__0", Err(NumberError::Syntax)),
            ("_1", Err(NumberError::Syntax)),
            ("1_", Err(NumberError::Syntax)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(NumberError::Range)),
            ("-9223372036854775809", Err(NumberError::Range)),
            ("99999999999999999999x", Err(NumberError::Range)),
        ];
        for (text, value) in cases {
            assert_eq!(parse_int(text, 0), value, "{text}");
        }
        assert_eq!(parse_uint("18446744073709551615", 0), Ok(u64::MAX));
        assert_eq!(parse_uint("+1", 0), Err(NumberError::Syntax));
        assert_eq!(parse_int("010", 10), Ok(10));
    }

    #[test]
    fn quotes() {
        assert_eq!(quote("a\"b\\c\n\u{1}é\u{7f}"), r#""a\"b\\c\n\x01é\x7f""#);
        assert_eq!(quote("\u{a0}\u{200b}\u{ad}"), r#""\u00a0\u200b\u00ad""#);
        assert_eq!(quote("\u{301}日"), "\"\u{301}日\"");
    }
}
