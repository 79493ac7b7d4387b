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

/// A decimal number, as `ParseFloat(text, 64)`: `1`, `.5`, `1e3`, `Inf`, `nan`, with underscores
/// between digits only. Numbers in hexadecimal are refused: YAML never gets as far as those.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    let plain: String = text.chars().filter(|&c| c != '_').collect();
    let signed = plain.starts_with(['+', '-']);
    if !underscores_separate(text) || (signed && plain.contains(['n', 'N']) && !plain.contains(['i', 'I'])) {
        return Err(NumberError::Syntax);
    }
    let value: f64 = plain.parse().map_err(|_| NumberError::Syntax)?;
    let spelled = plain.contains(['i', 'I']);
    if value.is_infinite() && !spelled { Err(NumberError::Range) } else { Ok(value) }
}

/// A number as `encoding/json` prints it. `Err` holds the name of a value that JSON cannot have:
/// `+Inf`, `-Inf` or `NaN`, for the message `json: unsupported value: …`.
pub fn json_f64(value: f64) -> Result<String, &'static str> {
    if !value.is_finite() {
        return Err(unprintable(value));
    }
    let size = value.abs();
    let text = shortest(value);
    Ok(if size == 0.0 || (1e-6..1e21).contains(&size) {
        general(&text, -7, 21)
    } else if size >= 1.0 {
        text.replace('e', "e+")
    } else {
        text
    })
}

/// The fewest digits that read back as the number, as `d.ddde±x`. Halfway between two such, Go takes
/// the even digit and Rust the larger, so the digits are asked for again with their count known.
fn shortest<T: fmt::LowerExp + std::str::FromStr + PartialEq>(value: T) -> String {
    let text = format!("{value:e}");
    let count = text.bytes().take_while(|&b| b != b'e').filter(u8::is_ascii_digit).count();
    let even = format!("{value:.*e}", count.saturating_sub(1));
    if even.parse().is_ok_and(|same: T| same == value) { even } else { text }
}

fn unprintable(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

/// A number as `FormatFloat(value, 'g', -1, 32)` prints it: cut to 32 bits, with an exponent below
/// `1e-4` and from `1e+06` on. Infinite values and NaN print in YAML's way, since keys of YAML maps
/// are what this is for (sigs.k8s.io/yaml).
pub fn yaml_key_f32(value: f64) -> String {
    let short = value as f32;
    if !short.is_finite() {
        let name = match unprintable(f64::from(short)) {
            "NaN" => ".nan",
            "+Inf" => ".inf",
            _ => "-.inf",
        };
        return name.to_owned();
    }
    general(&shortest(short), -4, 6)
}

/// A number as `FormatFloat(value, 'g', -1, 64)` prints it.
pub fn general_f64(value: f64) -> String {
    if value.is_finite() { general(&shortest(value), -4, 6) } else { unprintable(value).to_owned() }
}

/// Rewrites `d.ddde±x` in Go's `%g`: plain while the exponent is in `low..limit`.
fn general(scientific: &str, low: i32, limit: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < low || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = exponent + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if point <= 0 {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else if point >= length {
        format!("{sign}{digits}{}", zeros(point - length))
    } else {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
        format!("{sign}{whole}.{fraction}")
    }
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
    fn json_numbers() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (1.5, "1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (9.9e-7, "9.9e-7"),
            (1e-10, "1e-10"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (666_905_959_627_563.0 + 0.25, "666905959627563.2"),
            (666_905_959_627_563.0 + 0.75, "666905959627563.8"),
        ];
        for (value, text) in cases {
            assert_eq!(json_f64(value), Ok(text.to_owned()));
        }
        assert_eq!(json_f64(f64::INFINITY), Err("+Inf"));
        assert_eq!(json_f64(f64::NEG_INFINITY), Err("-Inf"));
        assert_eq!(json_f64(f64::NAN), Err("NaN"));
    }

    #[test]
    fn yaml_keys() {
        let cases = [
            (2.141_592_653_589_793, "2.1415927"),
            (685_230.15, "685230.1"),
            (1e100, ".inf"),
            (-1e100, "-.inf"),
            (f64::NAN, ".nan"),
            (1e6, "1e+06"),
            (123_456.0, "123456"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.0, "-0"),
            (-12.5, "-12.5"),
            (1e-50, "0"),
        ];
        for (value, text) in cases {
            assert_eq!(yaml_key_f32(value), text);
        }
    }

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
    fn floats() {
        assert_eq!(parse_float(".5_0"), Ok(0.5));
        assert_eq!(parse_float("1e3"), Ok(1000.0));
        assert_eq!(parse_float("1."), Ok(1.0));
        assert_eq!(parse_float("1e400"), Err(NumberError::Range));
        for text in ["", ".", "1e", "_1", "1_", "1__0", "._5", "1_e3", "0x1p-2", "abc"] {
            assert_eq!(parse_float(text), Err(NumberError::Syntax), "{text}");
        }
    }

    #[test]
    fn quotes() {
        assert_eq!(quote("a\"b\\c\n\u{1}é\u{7f}"), r#""a\"b\\c\n\x01é\x7f""#);
        assert_eq!(quote("\u{a0}\u{200b}\u{ad}"), r#""\u00a0\u200b\u00ad""#);
        assert_eq!(quote("\u{301}日"), "\"\u{301}日\"");
    }
}
