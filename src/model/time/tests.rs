use super::*;
use serde_json::Value;

/// Every row of `fixtures/model/time.jsonl`: recorded answers of Go's `time`.
#[test]
fn recorded_answers() {
    for line in include_str!("../../../fixtures/model/time.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let input = row["in"].as_str().unwrap();
        match parse_rfc3339(input) {
            Ok(at) => {
                assert_eq!(row["seconds"], at.seconds, "{input:?}");
                assert_eq!(row["nanos"], at.nanos, "{input:?}");
            }
            Err(error) => assert_eq!(row["time_err"], error, "{input:?}"),
        }
        match parse_duration(input) {
            Ok(length) => assert_eq!(row["duration"], length, "{input:?}"),
            Err(error) => assert_eq!(row["duration_err"], error, "{input:?}"),
        }
    }
}

#[test]
fn dates_and_days() {
    assert_eq!(days_from_civil(1970, 1, 1), 0);
    assert_eq!(days_from_civil(2000, 2, 29), 11_016);
    for days in (-1_000_000..1_000_000).step_by(997) {
        let (year, month, day) = civil_from_days(days);
        assert_eq!(days_from_civil(year, month, day), days);
    }
}

#[test]
fn points_in_time_are_written_as_they_are_read() {
    for text in ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2026-11-25T18:04:05Z", "2100-03-01T00:00:00Z"] {
        let seconds = u64::try_from(parse_rfc3339(text).unwrap().seconds).unwrap();
        assert_eq!(rfc3339(seconds), text);
    }
}
