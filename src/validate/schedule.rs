//! Schedules and time zones of CronJobs; reading them is `model::cron` and `model::time`.
//!
//! `pkg/apis/batch/validation/validation.go` (Kubernetes 1.36).

use super::errors::{Errors, Shown};
use crate::model::path::Path;
use crate::model::{cron, time};

/// `validateScheduleFormat`; `allow` is whether the old schedule named a time zone.
pub(super) fn validate_schedule_format(errs: &mut Errors, text: &str, allow: bool, zone: Option<&str>, path: &Path) {
    if let Err(message) = cron::parse(text) {
        errs.invalid(path, text, &message);
    }
    if !text.contains("TZ") {
        return;
    }
    if !allow {
        errs.invalid(path, text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    } else if zone.is_some() {
        errs.invalid(path, text, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
    }
}

/// `validateTimeZone`.
pub(super) fn validate_time_zone(errs: &mut Errors, zone: Option<&str>, path: &Path) {
    let Some(zone) = zone else {
        return;
    };
    let shown = || Shown::Typed(zone);
    if zone.is_empty() {
        errs.invalid(path, shown(), "timeZone must be nil or non-empty string");
        return;
    }
    let odd = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
        [".", ".."].contains(&part)
            || part.starts_with('-')
            || !(1..=14).contains(&part.len())
            || !part.bytes().all(known)
    };
    if zone.split('/').any(odd) {
        errs.invalid(path, shown(), &format!("unknown time zone {zone}"));
        return;
    }
    if zone.eq_ignore_ascii_case("Local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errs.invalid(path, shown(), detail);
    }
    if let Err(message) = time::check_zone(zone) {
        errs.invalid(path, shown(), &message);
    }
}
