//! Whether Go's `time.Parse` reads a time, and what it says when it does not (Go 1.26, package time, format.go).

/// A layout of apimachinery `pkg/apis/meta/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Rfc3339,
    Rfc3339Micro,
}

impl Layout {
    fn text(self) -> &'static str {
        match self {
            Layout::Rfc3339 => "2006-01-02T15:04:05Z07:00",
            Layout::Rfc3339Micro => "2006-01-02T15:04:05.000000Z07:00",
        }
    }

    /// The text in front of each element, and the element.
    fn elements(self) -> &'static [(&'static str, &'static str)] {
        const PLAIN: [(&str, &str); 7] =
            [("", "2006"), ("-", "01"), ("-", "02"), ("T", "15"), (":", "04"), (":", "05"), ("", "Z07:00")];
        const MICRO: [(&str, &str); 8] = [
            ("", "2006"),
            ("-", "01"),
            ("-", "02"),
            ("T", "15"),
            (":", "04"),
            (":", "05"),
            ("", ".000000"),
            ("", "Z07:00"),
        ];
        match self {
            Layout::Rfc3339 => &PLAIN,
            Layout::Rfc3339Micro => &MICRO,
        }
    }
}

/// Why an element cannot be read.
enum Bad {
    Shape,
    Range(&'static str),
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    year: u32,
    month: u32,
    day: u32,
}

/// Reads a time; the error is Go's.
pub(super) fn parse(layout: Layout, text: &str) -> Result<(), String> {
    let cannot = |rest: &[u8], element: &str| {
        let (whole, layout) = (quote(text.as_bytes()), quote(layout.text().as_bytes()));
        let (rest, element) = (quote(rest), quote(element.as_bytes()));
        format!("parsing time {whole} as {layout}: cannot parse {rest} as {element}")
    };
    let says = |message: &str| format!("parsing time {}: {message}", quote(text.as_bytes()));
    let mut rest = text.as_bytes();
    let mut reading = Reading::default();
    for (before, element) in layout.elements() {
        rest = rest.strip_prefix(before.as_bytes()).ok_or_else(|| cannot(rest, before))?;
        rest = reading.element(layout, element, rest).map_err(|bad| match bad {
            Bad::Shape => cannot(rest, element),
            Bad::Range(what) => says(&format!("{what} out of range")),
        })?;
    }
    if !rest.is_empty() {
        return Err(says(&format!("extra text: {}", quote(rest))));
    }
    if reading.day < 1 || reading.day > days(reading.year, reading.month) {
        return Err(says("day out of range"));
    }
    Ok(())
}

impl Reading {
    /// Reads one element of the layout; gives what follows it.
    fn element<'t>(&mut self, layout: Layout, element: &str, text: &'t [u8]) -> Result<&'t [u8], Bad> {
        let limited = |limit, what| {
            let (value, rest) = number(text, element != "15")?;
            if value < limit { Ok(rest) } else { Err(Bad::Range(what)) }
        };
        match element {
            "2006" => {
                let (year, rest) = text.split_at_checked(4).ok_or(Bad::Shape)?;
                self.year = digits(year)?;
                Ok(rest)
            }
            "01" => {
                let (month, rest) = number(text, true)?;
                self.month = month;
                if (1..=12).contains(&month) { Ok(rest) } else { Err(Bad::Range("month")) }
            }
            "02" => {
                let (day, rest) = number(text, true)?;
                self.day = day;
                Ok(rest)
            }
            "15" => limited(24, "hour"),
            "04" => limited(60, "minute"),
            "05" => {
                limited(60, "second").map(|rest| if layout == Layout::Rfc3339 { skip_fraction(rest) } else { rest })
            }
            ".000000" => {
                let (fraction, rest) = text.split_at_checked(7).ok_or(Bad::Shape)?;
                if !matches!(fraction[0], b'.' | b',') {
                    return Err(Bad::Shape);
                }
                digits(&fraction[1..])?;
                Ok(rest)
            }
            _ => zone(text),
        }
    }
}

/// `Z`, or an offset such as `+01:00`.
fn zone(text: &[u8]) -> Result<&[u8], Bad> {
    if let Some(rest) = text.strip_prefix(b"Z") {
        return Ok(rest);
    }
    let (offset, rest) = text.split_at_checked(6).ok_or(Bad::Shape)?;
    if offset[3] != b':' {
        return Err(Bad::Shape);
    }
    let hour = number(&offset[1..3], true);
    let minute = if hour.is_ok() { number(&offset[4..6], true) } else { Ok((0, rest)) };
    // Go looks at the range before it looks at the shape.
    match (hour, minute) {
        (Ok((hour, _)), _) if hour > 24 => Err(Bad::Range("time zone offset hour")),
        (_, Ok((minute, _))) if minute > 60 => Err(Bad::Range("time zone offset minute")),
        (Ok(_), Ok(_)) if matches!(offset[0], b'+' | b'-') => Ok(rest),
        _ => Err(Bad::Shape),
    }
}

/// A fraction of a second that the layout does not name is accepted.
fn skip_fraction(text: &[u8]) -> &[u8] {
    match text {
        [b'.' | b',', digit, ..] if digit.is_ascii_digit() => {
            let digits = text[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            &text[1 + digits..]
        }
        _ => text,
    }
}

/// Two digits; one is enough where the width is not fixed.
fn number(text: &[u8], fixed: bool) -> Result<(u32, &[u8]), Bad> {
    match text {
        [a, b, rest @ ..] if a.is_ascii_digit() && b.is_ascii_digit() => {
            Ok((u32::from(a - b'0') * 10 + u32::from(b - b'0'), rest))
        }
        [a, rest @ ..] if a.is_ascii_digit() && !fixed => Ok((u32::from(a - b'0'), rest)),
        _ => Err(Bad::Shape),
    }
}

fn digits(text: &[u8]) -> Result<u32, Bad> {
    if !text.iter().all(u8::is_ascii_digit) {
        return Err(Bad::Shape);
    }
    Ok(text.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Go's own quoting in package time: what is not printable ASCII stands in hexadecimal.
fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' | 0x7f => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_go() {
        let plain = |text| parse(Layout::Rfc3339, text).err().unwrap_or_default();
        assert_eq!(plain("2026-01-02T03:04:05Z"), "");
        assert_eq!(plain("2026-01-02T3:04:05.123+01:00"), "");
        assert_eq!(
            plain("2026-01-02"),
            r#"parsing time "2026-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#
        );
        assert_eq!(plain("2026-13-02T03:04:05Z"), r#"parsing time "2026-13-02T03:04:05Z": month out of range"#);
        assert_eq!(plain("2026-02-30T03:04:05Z"), r#"parsing time "2026-02-30T03:04:05Z": day out of range"#);
        assert_eq!(plain("2026-01-02T03:04:05Zx"), r#"parsing time "2026-01-02T03:04:05Zx": extra text: "x""#);
        assert_eq!(parse(Layout::Rfc3339Micro, "2026-01-02T03:04:05.000001Z"), Ok(()));
        assert!(parse(Layout::Rfc3339Micro, "2026-01-02T03:04:05Z").is_err());
    }
}
