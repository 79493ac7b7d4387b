use super::*;
use serde_json::{Value, json};

/// Every row of `fixtures/model/image.jsonl`: recorded answers of distribution/reference v0.6.0.
#[test]
fn recorded_answers() {
    for line in include_str!("../../../fixtures/model/image.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let input = row["in"].as_str().unwrap();
        match Image::parse(input) {
            Ok(image) => {
                let text = |part: &Option<String>| part.clone().unwrap_or_default();
                let parts = json!([image.registry, image.repository, text(&image.tag), text(&image.digest)]);
                assert_eq!(row["parts"], parts, "{input:?}");
                assert_eq!(row["familiar"], image.familiar_name(), "{input:?}");
                assert_eq!(row["full"], image.to_string(), "{input:?}");
            }
            Err(error) => assert_eq!(row["err"], error, "{input:?}"),
        }
    }
}

#[test]
fn pull_policies() {
    let digest = format!("nginx@sha256:{}", "a".repeat(64));
    let latest = format!("nginx:latest@sha256:{}", "a".repeat(64));
    assert_eq!(default_pull_policy("nginx"), "Always");
    assert_eq!(default_pull_policy("nginx:latest"), "Always");
    assert_eq!(default_pull_policy("localhost:5000/nginx"), "Always");
    assert_eq!(default_pull_policy("nginx:1.27"), "IfNotPresent");
    assert_eq!(default_pull_policy(&digest), "IfNotPresent");
    assert_eq!(default_pull_policy(&latest), "Always");
    assert_eq!(default_pull_policy("Not An Image"), "IfNotPresent");
}
