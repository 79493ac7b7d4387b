//! Rules on Jobs and CronJobs.

use super::Cx;
use super::workload::is_hook;
use crate::model::cron::{self, Times};
use crate::yaml::View;

/// The shortest time between runs that is looked for, so many runs ahead.
const RUNS: usize = 50;

/// A schedule that names no day of any calendar, or a deadline that each run misses.
pub(super) fn cronjob_never_fires(cx: &mut Cx<'_>) {
    let Some(at) = cx.root.at(&["spec", "schedule"]) else { return };
    let Some(schedule) = at.str().and_then(|text| cron::parse(text).ok()) else { return };
    let now = i64::try_from(cx.settings.now).unwrap_or(0);
    if matches!(schedule.times, Times::Calendar(_)) && schedule.next(now).is_none() {
        let message = format!("`{}` is a day that no year has, so the job never runs", at.str().unwrap_or_default());
        cx.report(at, message).help = Some("correct the day of the month or the month".to_owned());
        return;
    }
    let deadline = cx.root.at(&["spec", "startingDeadlineSeconds"]);
    // `syncCronJob` looks every ten seconds, and takes what is older than the deadline for missed.
    if let Some(deadline) = deadline.filter(|deadline| deadline.int().is_some_and(|seconds| (0..10).contains(&seconds)))
    {
        let message = format!(
            "the controller looks every 10 s, so a deadline of {} s lets runs pass by unstarted",
            deadline.written()
        );
        cx.report(deadline, message).help = Some("raise startingDeadlineSeconds to at least 10".to_owned());
    }
}

pub(super) fn cronjob_no_deadline(cx: &mut Cx<'_>) {
    if cx.root.at(&["spec", "startingDeadlineSeconds"]).is_none() {
        let message = "after a hundred missed runs no further one is started: there is no startingDeadlineSeconds";
        let help = "set startingDeadlineSeconds to how late a run may begin";
        cx.report_field("spec.schedule".to_owned(), message).help = Some(help.to_owned());
    }
}

pub(super) fn cronjob_concurrency_allow(cx: &mut Cx<'_>) {
    let policy = cx.root.at(&["spec", "concurrencyPolicy"]).and_then(View::str).unwrap_or("Allow");
    if policy == "Allow" {
        let message = "a run that takes longer than the schedule is joined by the next one";
        let help = "set `concurrencyPolicy: Forbid` or Replace, unless runs may overlap";
        let is_written = cx.bundle.written(cx.id).at(&["spec", "concurrencyPolicy"]).is_some();
        let field = if is_written { "spec.concurrencyPolicy" } else { "spec.schedule" };
        cx.report_field(field.to_owned(), message).help = Some(help.to_owned());
    }
}

pub(super) fn cronjob_suspended(cx: &mut Cx<'_>) {
    if let Some(value) = cx.root.at(&["spec", "suspend"]).filter(|value| value.bool() == Some(true)) {
        cx.report(value, "the job is suspended and never runs").help =
            Some("set it to false, or remove the job".to_owned());
    }
}

/// The number of runs of a schedule in a day, as far as it is looked ahead.
fn runs_a_day(schedule: &cron::Schedule, now: i64) -> usize {
    let mut at = now;
    let mut runs = 0;
    while let Some(next) = schedule.next(at).filter(|next| *next < now + 86_400 && runs < RUNS) {
        (at, runs) = (next, runs + 1);
    }
    runs
}

/// Jobs that stay for good; a time to live within a CronJob takes away what its history limits keep.
pub(super) fn job_ttl(cx: &mut Cx<'_>) {
    if cx.object.kind == "CronJob" {
        let Some(ttl) = cx.root.at(&["spec", "jobTemplate", "spec", "ttlSecondsAfterFinished"]) else { return };
        let kept = cx.bundle.written(cx.id).at(&["spec", "successfulJobsHistoryLimit"]).and_then(View::int);
        let Some(kept) = kept.filter(|kept| *kept > 1) else { return };
        let schedule = cx.root.at(&["spec", "schedule"]).and_then(View::str).and_then(|text| cron::parse(text).ok());
        let runs = schedule.map_or(1, |schedule| runs_a_day(&schedule, i64::try_from(cx.settings.now).unwrap_or(0)));
        let (Some(seconds), Ok(runs)) = (ttl.int(), i64::try_from(runs.max(1))) else { return };
        if seconds < (86_400 / runs).saturating_mul(kept - 1) {
            let message = format!("jobs go after {seconds} s, before there are the {kept} that the history keeps");
            cx.report(ttl, message).help = Some("remove one of the two".to_owned());
        }
        return;
    }
    if cx.root.at(&["spec", "ttlSecondsAfterFinished"]).is_none()
        && !is_hook(cx.root)
        && !cx.bundle.is_controlled(cx.id)
    {
        let message = "the job and its pods stay when it has finished: there is no ttlSecondsAfterFinished";
        cx.report_field("metadata.name".to_owned(), message).help = Some("set ttlSecondsAfterFinished".to_owned());
    }
}
