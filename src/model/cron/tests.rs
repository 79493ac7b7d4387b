use super::*;
use serde_json::{Value, json};

fn shown(schedule: &Schedule) -> Value {
    match schedule.times {
        Times::Every(seconds) => json!({ "every": seconds }),
        Times::Calendar(f) => {
            json!([f.minute, f.hour, f.day_of_month, f.month, f.day_of_week])
        }
    }
}

/// Every row of `fixtures/model/cron.jsonl`: recorded answers of robfig/cron v3.0.1, the next time
/// counted from `after`.
#[test]
fn recorded_answers() {
    for line in include_str!("../../../fixtures/model/cron.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let input = row["in"].as_str().unwrap();
        match parse(input) {
            Ok(schedule) => {
                assert_eq!(row["times"], shown(&schedule), "{input:?}");
                let after = row["after"].as_i64().unwrap();
                assert_eq!(row["next"], json!(schedule.next(after)), "{input:?} after {after}");
            }
            Err(error) => assert_eq!(row["err"], error, "{input:?}"),
        }
    }
}

#[test]
fn zones_are_kept_apart() {
    let zone = |text: &str| parse(text).unwrap().zone;
    assert_eq!(zone("CRON_TZ=Europe/Zurich 0 0 * * *").as_deref(), Some("Europe/Zurich"));
    assert_eq!(zone("0 0 * * *"), None);
}
