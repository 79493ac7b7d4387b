//! The schedules of CronJobs: `*/5 8-18 * * mon-fri`, `@daily`, `@every 1h`.
//!
//! Rules and texts: robfig/cron v3 `ParseStandard`, asked as `pkg/util/parsers` of Kubernetes 1.36
//! does, which turns a panic of it into an error.

use super::intstr::atoi_error;
use super::number::{NumberError, parse_int};
use super::time::{check_zone, civil_from_days, days_from_civil, parse_duration};

#[cfg(test)]
mod tests;

/// Set beside the values of a field that a `*` stands in.
const STAR: u64 = 1 << 63;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When a CronJob runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The time zone that a `TZ=` or `CRON_TZ=` in front names.
    pub zone: Option<String>,
    pub times: Times,
}

/// The times of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// At minutes that fit all of the fields.
    Calendar(Fields),
    /// Again and again, after so many whole seconds.
    Every(u64),
}

/// The five fields, a bit for each value that fits; the top bit where a `*` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    pub minute: u64,
    pub hour: u64,
    pub day_of_month: u64,
    pub month: u64,
    pub day_of_week: u64,
}

/// What a field may hold.
struct Bounds {
    low: u64,
    high: u64,
    names: &'static [&'static str],
}

const MINUTE: Bounds = Bounds { low: 0, high: 59, names: &[] };
const HOUR: Bounds = Bounds { low: 0, high: 23, names: &[] };
const DAY_OF_MONTH: Bounds = Bounds { low: 1, high: 31, names: &[] };
const MONTH: Bounds = Bounds { low: 1, high: 12, names: &MONTHS };
const DAY_OF_WEEK: Bounds = Bounds { low: 0, high: 6, names: &DAYS };

/// Reads a schedule. The error is the API's text.
pub fn parse(text: &str) -> Result<Schedule, String> {
    if text.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let (zone, rest) = match text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
        None => (None, text),
        Some(after) => {
            let (zone, rest) = after
                .split_once(' ')
                .ok_or("invalid schedule format: runtime error: slice bounds out of range [:-1]")?;
            check_zone(zone).map_err(|why| format!("provided bad location {zone}: {why}"))?;
            (Some(zone.to_owned()), rest.trim())
        }
    };
    let times = if rest.starts_with('@') { descriptor(rest)? } else { fields(rest)? };
    Ok(Schedule { zone, times })
}

fn fields(text: &str) -> Result<Times, String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day_of_month, month, day_of_week] = parts[..] else {
        let (count, list) = (parts.len(), parts.join(" "));
        return Err(format!("expected exactly 5 fields, found {count}: [{list}]"));
    };
    Ok(Times::Calendar(Fields {
        minute: field(minute, &MINUTE)?,
        hour: field(hour, &HOUR)?,
        day_of_month: field(day_of_month, &DAY_OF_MONTH)?,
        month: field(month, &MONTH)?,
        day_of_week: field(day_of_week, &DAY_OF_WEEK)?,
    }))
}

fn descriptor(text: &str) -> Result<Times, String> {
    let all = |bounds: &Bounds| bits(bounds.low, bounds.high, 1) | STAR;
    let hourly = Fields {
        minute: 1,
        hour: all(&HOUR),
        day_of_month: all(&DAY_OF_MONTH),
        month: all(&MONTH),
        day_of_week: all(&DAY_OF_WEEK),
    };
    let daily = Fields { hour: 1, ..hourly };
    let monthly = Fields { day_of_month: 2, ..daily };
    Ok(Times::Calendar(match text {
        "@yearly" | "@annually" => Fields { month: 2, ..monthly },
        "@monthly" => monthly,
        "@weekly" => Fields { day_of_week: 1, ..daily },
        "@daily" | "@midnight" => daily,
        "@hourly" => hourly,
        _ => {
            let Some(length) = text.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let nanos = parse_duration(length).map_err(|error| format!("failed to parse duration {text}: {error}"))?;
            let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(0);
            return Ok(Times::Every(seconds.max(1)));
        }
    }))
}

/// The values of a list of ranges.
fn field(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let ranges = text.split(',').filter(|range| !range.is_empty());
    ranges.map(|text| range(text, bounds)).try_fold(0, |all, range| Ok(all | range?))
}

/// The values of `*`, `a`, `a-b`, each with or without `/step`.
fn range(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let star = matches!(ends[0], "*" | "?");
    let (low, mut high) = if star {
        (bounds.low, bounds.high)
    } else {
        let low = number_or_name(ends[0], bounds.names, bounds.low)?;
        match ends[..] {
            [_] => (low, low),
            [_, high] => (low, number_or_name(high, bounds.names, bounds.low)?),
            _ => return Err(format!("too many hyphens: {text}")),
        }
    };
    let step = match parts[..] {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            if ends.len() == 1 {
                high = bounds.high;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    if low < bounds.low {
        let least = bounds.low;
        return Err(format!("beginning of range ({low}) below minimum ({least}): {text}"));
    }
    if high > bounds.high {
        let most = bounds.high;
        return Err(format!("end of range ({high}) above maximum ({most}): {text}"));
    }
    if low > high {
        return Err(format!("beginning of range ({low}) beyond end of range ({high}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    let extra = if star && step == 1 { STAR } else { 0 };
    Ok(bits(low, high, step) | extra)
}

fn bits(low: u64, high: u64, step: u64) -> u64 {
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    (low..=high.min(62)).step_by(step.max(1)).fold(0, |all, bit| all | 1 << bit)
}

fn number_or_name(text: &str, names: &[&str], first: u64) -> Result<u64, String> {
    let lower = text.to_lowercase();
    match names.iter().position(|name| *name == lower) {
        Some(place) => Ok(first + place as u64),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, String> {
    let parsed: Result<i64, NumberError> = parse_int(text, 10);
    let fail = |error| format!("failed to parse int from {text}: {}", atoi_error(text, error));
    let value = parsed.map_err(fail)?;
    u64::try_from(value).map_err(|_| format!("negative number ({value}) not allowed: {text}"))
}

impl Schedule {
    /// The next time after `after`, both in seconds since 1970 and in the schedule's own time zone
    /// (seasonal changes of the clock are not known here). `None` if five years bring none, as for
    /// the 30th of February.
    pub fn next(&self, after: i64) -> Option<i64> {
        let fields = match self.times {
            Times::Every(seconds) => return after.checked_add_unsigned(seconds),
            Times::Calendar(fields) => fields,
        };
        let start = after.checked_add(60)?.div_euclid(60);
        let (first, minute) = (start.div_euclid(1_440), start.rem_euclid(1_440));
        let last = days_from_civil(civil_from_days(first).0 + 6, 1, 1);
        (first..last).filter(|&day| fields.fits_day(day)).find_map(|day| {
            let from = if day == first { minute } else { 0 };
            let minute = (from..1_440).find(|&minute| fields.fits_minute(minute))?;
            (day * 1_440 + minute).checked_mul(60)
        })
    }
}

impl Fields {
    fn fits_minute(&self, minute: i64) -> bool {
        self.hour >> (minute / 60) & 1 == 1 && self.minute >> (minute % 60) & 1 == 1
    }

    /// Both days must fit where one of them is a `*`, else one of them.
    fn fits_day(&self, days: i64) -> bool {
        let (_, month, day) = civil_from_days(days);
        let of_month = self.day_of_month >> day & 1 == 1;
        let of_week = self.day_of_week >> (days + 4).rem_euclid(7) & 1 == 1;
        let star = (self.day_of_month | self.day_of_week) & STAR != 0;
        let fits = if star { of_month && of_week } else { of_month || of_week };
        self.month >> month & 1 == 1 && fits
    }
}
