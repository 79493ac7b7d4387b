//! Points in time and lengths of time, read as Go reads them.
//!
//! Rules and texts: Go `time` (`Parse` with RFC3339, `ParseDuration`; Go 1.26), which is what
//! `metav1.Time` and `metav1.Duration` of Kubernetes 1.36 decode with.

#[cfg(test)]
mod tests;
mod zone;

pub use zone::check_zone;

/// Go's layouts, as its messages name them: RFC3339, and `RFC3339Micro` of apimachinery.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
const LAYOUT_MICRO: &str = "2006-01-02T15:04:05.000000Z07:00";

/// A point in time, counted from 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    pub seconds: i64,
    pub nanos: u32,
}

/// Seconds since 1970 as `2026-11-25T18:04:05Z`; the calendar is Howard Hinnant's `civil_from_days`.
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Reads `2006-01-02T15:04:05Z` or with an offset. Fractions of a second, a comma before them and
/// an hour of one digit pass, as they do at the API. The error is Go's text.
pub fn parse_rfc3339(text: &str) -> Result<Timestamp, String> {
    parse(text, LAYOUT)
}

/// Reads what a `metav1.MicroTime` takes: as [`parse_rfc3339`], but with exactly six digits of a second's fraction.
pub fn parse_rfc3339_micro(text: &str) -> Result<Timestamp, String> {
    parse(text, LAYOUT_MICRO)
}

fn parse(text: &str, layout: &'static str) -> Result<Timestamp, String> {
    let mut reader = Reader { text, rest: text, layout };
    let year = reader.year()?;
    reader.literal("-")?;
    let month = reader.number("01", true, 1..=12, "month")?;
    reader.literal("-")?;
    let day = reader.number("02", true, 0..=99, "day")?;
    reader.literal("T")?;
    let hour = reader.number("15", false, 0..=23, "hour")?;
    reader.literal(":")?;
    let minute = reader.number("04", true, 0..=59, "minute")?;
    reader.literal(":")?;
    let second = reader.number("05", true, 0..=59, "second")?;
    let nanos = if layout == LAYOUT_MICRO { reader.micros()? } else { reader.fraction() };
    let offset = reader.offset()?;
    if !reader.rest.is_empty() {
        return Err(reader.range(&format!("extra text: {}", quote(reader.rest))));
    }
    if day < 1 || day > days_in(year, month) {
        return Err(reader.range("day out of range"));
    }
    let clock = (hour * 60 + minute) * 60 + second;
    let seconds = days_from_civil(year, month, day) * 86_400 + clock - offset;
    Ok(Timestamp { seconds, nanos })
}

/// What is read of a point in time, with the whole text for the messages.
struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    layout: &'static str,
}

impl<'a> Reader<'a> {
    fn bad(&self, element: &str) -> String {
        let (text, rest) = (quote(self.text), quote(self.rest));
        format!("parsing time {text} as {}: cannot parse {rest} as {}", quote(self.layout), quote(element))
    }

    fn range(&self, what: &str) -> String {
        format!("parsing time {}: {what}", quote(self.text))
    }

    fn literal(&mut self, expected: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(expected).ok_or_else(|| self.bad(expected))?;
        Ok(())
    }

    fn year(&mut self) -> Result<i64, String> {
        match digits(self.rest, 4) {
            Some((year, rest)) => {
                self.rest = rest;
                Ok(year)
            }
            None => Err(self.bad("2006")),
        }
    }

    /// A number of two digits, or also of one where it is not `fixed`.
    fn number(
        &mut self,
        element: &str,
        fixed: bool,
        range: std::ops::RangeInclusive<i64>,
        name: &str,
    ) -> Result<i64, String> {
        let one = || if fixed { None } else { digits(self.rest, 1) };
        let (value, rest) = digits(self.rest, 2).or_else(one).ok_or_else(|| self.bad(element))?;
        if !range.contains(&value) {
            return Err(self.range(&format!("{name} out of range")));
        }
        self.rest = rest;
        Ok(value)
    }

    /// Billionths of a second, if a point or comma and a digit follow.
    fn fraction(&mut self) -> u32 {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else {
            return 0;
        };
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return 0;
        }
        let (fraction, rest) = after.split_at(count);
        self.rest = rest;
        let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
        padded.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    }

    /// Billionths of a second: a point or comma and six digits, which must be there.
    fn micros(&mut self) -> Result<u32, String> {
        let after = self.rest.strip_prefix(['.', ',']).and_then(|after| digits(after, 6));
        let (micros, rest) = after.ok_or_else(|| self.bad(".000000"))?;
        self.rest = rest;
        Ok(u32::try_from(micros).unwrap_or(0) * 1000)
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let bytes = self.rest.as_bytes();
        if bytes.len() < 6 || bytes[3] != b':' {
            return Err(self.bad("Z07:00"));
        }
        let pair = |at: usize| match (bytes[at], bytes[at + 1]) {
            (a @ b'0'..=b'9', b @ b'0'..=b'9') => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
            _ => None,
        };
        let hours = pair(1);
        let minutes = hours.and_then(|_| pair(4));
        if minutes.is_some_and(|minutes| minutes > 60) {
            return Err(self.range("time zone offset minute out of range"));
        }
        if hours.is_some_and(|hours| hours > 24) {
            return Err(self.range("time zone offset hour out of range"));
        }
        let sign = match bytes[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return Err(self.bad("Z07:00")),
        };
        let (Some(hours), Some(minutes)) = (hours, minutes) else {
            return Err(self.bad("Z07:00"));
        };
        self.rest = self.rest.get(6..).unwrap_or("");
        Ok(sign * (hours * 60 + minutes) * 60)
    }
}

/// A number of exactly `count` digits at the start, and what follows.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    let all = head.bytes().all(|b| b.is_ascii_digit());
    if all { Some((head.parse().ok()?, rest)) } else { None }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years that start in March put the leap day last.
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of the date so many days from 1970-01-01.
pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Reads a length of time like `1h30m` or `-1.5s` into billionths of a second. The error is Go's
/// text.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let fail = |what: &str| format!("time: {what} {}", quote(text));
    let invalid = || fail("invalid duration");
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let limit = 1_u64 << 63;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, fraction, after) = amount(rest).ok_or_else(invalid)?;
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        if name.is_empty() {
            return Err(fail("missing unit in duration"));
        }
        let unknown = || fail(&format!("unknown unit {} in duration", quote(name)));
        let unit = unit(name).ok_or_else(unknown)?;
        let part = whole.checked_mul(unit).filter(|&part| part <= limit).ok_or_else(invalid)?;
        let part = part + fraction.of(unit);
        // Both are at most 2^63 plus an hour, so the sum cannot wrap below the limit.
        total = total.checked_add(part).filter(|&sum| part <= limit && sum <= limit).ok_or_else(invalid)?;
        rest = after;
    }
    match i64::try_from(total) {
        Ok(total) if negative => Ok(-total),
        Ok(total) => Ok(total),
        Err(_) if negative => Ok(i64::MIN),
        Err(_) => Err(invalid()),
    }
}

/// Nanoseconds in a unit.
fn unit(name: &str) -> Option<u64> {
    match name {
        "ns" => Some(1),
        "us" | "µs" | "μs" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    }
}

/// What stands behind the point: `value / scale`.
struct Fraction {
    value: u64,
    scale: f64,
}

impl Fraction {
    /// That part of a unit, cut to whole billionths with the rounding of Go's arithmetic.
    fn of(&self, unit: u64) -> u64 {
        if self.value == 0 { 0 } else { (self.value as f64 * (unit as f64 / self.scale)) as u64 }
    }
}

/// The whole part, the fraction and what follows; `None` without a digit or beyond 63 bits.
fn amount(text: &str) -> Option<(u64, Fraction, &str)> {
    let count = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (head, mut rest) = text.split_at(count(text));
    let whole = if head.is_empty() { 0 } else { head.parse().ok()? };
    if whole > 1_u64 << 63 {
        return None;
    }
    let mut fraction = Fraction { value: 0, scale: 1.0 };
    let mut tail = "";
    if let Some(after) = rest.strip_prefix('.') {
        (tail, rest) = after.split_at(count(after));
    }
    if head.is_empty() && tail.is_empty() {
        return None;
    }
    for digit in tail.bytes().map(|b| u64::from(b - b'0')) {
        // Digits that no longer fit are dropped.
        let next = fraction.value.checked_mul(10).and_then(|value| value.checked_add(digit));
        let fits = fraction.value <= i64::MAX.unsigned_abs() / 10;
        match next.filter(|&next| fits && next <= 1 << 63) {
            Some(next) => fraction = Fraction { value: next, scale: fraction.scale * 10.0 },
            None => break,
        }
    }
    Some((whole, fraction, rest))
}

/// A text in double quotes as this part of Go prints it: all but plain ASCII as bytes.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'\x7f' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}
