//! `situations-1.36.jsonl`: what a kube-apiserver 1.36.3 said of each object, held against `kplan check`.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::{self, kplan, verdict};

/// One test a row.
pub fn trials() -> Vec<Trial> {
    let folder = support::folder("situations-recorded");
    let rows = support::recorded("situations-1.36").into_iter().enumerate();
    rows.map(|(number, row)| {
        let (folder, name) = (folder.clone(), row["name"].as_str().unwrap().to_owned());
        Trial::test(format!("recorded::{}", name.replace(' ', "-")), move || {
            let file = format!("{number}.json");
            std::fs::write(folder.join(&file), row["object"].to_string()).unwrap();
            let findings = kplan(&folder, &["check", "--output", "json", &file]).findings()?;
            let findings: Vec<&Value> = findings.iter().map(|finding| &finding.0).collect();
            verdict(support::server_differs(&row, &findings))
        })
    })
    .collect()
}
