//! `cargo xtask new-rule GROUP ID`: the files that every rule has, to be filled in.

use std::fs;
use std::path::Path;

use crate::Outcome;

/// Writes the catalogue file and the fixtures; files that exist are left alone and an error.
pub(crate) fn run(group: &str, id: &str) -> Outcome {
    if !Path::new("rules").join(group).is_dir() {
        return Err(format!("rules/{group} is no folder; a new group also needs a line in xtask/src/catalogue.rs"));
    }
    let files = [
        (format!("rules/{group}/{id}.yaml"), catalogue(group, id)),
        (format!("fixtures/rules/{id}/fail.yaml"), fixture(&format!("web # warning: {id}"))),
        (format!("fixtures/rules/{id}/pass.yaml"), fixture("web")),
    ];
    if let Some((path, _)) = files.iter().find(|(path, _)| Path::new(path).exists()) {
        return Err(format!("{path} exists already"));
    }
    for (path, text) in &files {
        let folder = Path::new(path).parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
        println!("{path}");
    }
    let function = id.replace('-', "_");
    println!(
        "next: `{function}` in src/lint/{group}.rs, its line in CHECKS of src/lint/mod.rs, `cargo xtask catalogue`,"
    );
    println!("      then `cargo test --test rules -- rule::{id}`; CONTRIBUTING.md has the steps");
    Ok(())
}

fn catalogue(group: &str, id: &str) -> String {
    format!(
        "id: {id}\ngroup: {group}\nclass: risky\ntier: recommended\nseverity: warning\nkinds: [workload]\n\
         title: What is wrong, without a full stop\nwhy: >-\n  What happens in the cluster.\n\
         fix: What to write instead.\nsince: {}\naliases: []\nparams: {{}}\ncheck: rust\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn fixture(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}
