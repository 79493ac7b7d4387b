//! `cargo xtask schemas`: writes `schemas/kubernetes-VERSION.facts`, all that
//! kplan knows of one Kubernetes version's kinds and their fields.
//!
//! Three sources are joined. Discovery says which kinds are served and where;
//! the Go types (`control-plane facts`) say how a field decodes and what the
//! server calls it in an error; OpenAPI says what is required, the defaults,
//! the enums and how lists and maps merge.
//!
//! The file has one fact a line, so that a diff between two versions reads as
//! what changed:
//!
//! - `kind APIVERSION KIND TYPE PLURAL namespaced|cluster`
//! - `old`, `gone` and `off APIVERSION KIND [introduced=] [deprecated=]
//!   [removed=] [replacement=]`: served but deprecated, removed, and not
//!   served unless switched on
//! - `type TYPE GOTYPE`, then a line ` FIELD SHAPE [ATTRIBUTE...]` for each
//!   field; see [`fields`] for both

mod fields;
mod go;
mod kinds;
mod openapi;
mod removed;

use std::collections::BTreeSet;
use std::path::Path;

use crate::Outcome;

/// Reads the options and writes the file.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let [facts, openapi, version] = read_options(options)?;
    let go = go::Facts::read(Path::new(facts))?;
    let server = openapi::Server::read(Path::new(openapi))?;
    if !server.version.starts_with(&format!("{version}.")) {
        return Err(format!("{openapi} holds Kubernetes {}, not {version}", server.version));
    }
    let path = format!("schemas/kubernetes-{version}.facts");
    let text = write(&go, &server, version)?;
    std::fs::create_dir_all("schemas").map_err(|error| format!("schemas: {error}"))?;
    std::fs::write(&path, text).map_err(|error| format!("{path}: {error}"))
}

fn read_options<'a>(options: &[&'a str]) -> Result<[&'a str; 3], String> {
    let mut values = [None; 3];
    for pair in options.chunks(2) {
        let (slot, value) = match pair {
            ["--facts", value] => (0, value),
            ["--openapi", value] => (1, value),
            ["--version", value] => (2, value),
            _ => return Err(format!("schemas does not know {}", pair.join(" "))),
        };
        values[slot] = Some(*value);
    }
    match values {
        [Some(facts), Some(openapi), Some(version)] => Ok([facts, openapi, version]),
        _ => Err("schemas needs --facts, --openapi and --version".to_owned()),
    }
}

/// The whole text of the file.
fn write(go: &go::Facts, server: &openapi::Server, version: &str) -> Result<String, String> {
    let mut lines = vec![format!("# Kubernetes {}, written by `cargo xtask schemas`; do not edit", server.version)];
    let served = kinds::served(go, server)?;
    lines.extend(served.iter().map(kinds::Served::line));
    lines.extend(kinds::lifes(go, server, &served, version)?);
    let mut reached = BTreeSet::new();
    for kind in &served {
        reach(go, &kind.type_id, &mut reached)?;
    }
    for id in &reached {
        let described = go.type_of(id)?;
        lines.push(format!("type {id} {}", described.go));
        lines.extend(fields::lines(go, server, id, described)?);
    }
    Ok(lines.join("\n") + "\n")
}

/// Adds a type and all types that its fields lead to.
fn reach(go: &go::Facts, id: &str, reached: &mut BTreeSet<String>) -> Outcome {
    if !reached.insert(id.to_owned()) {
        return Ok(());
    }
    for field in &go.type_of(id)?.fields {
        if let Some((_, next)) = field.shape.split_once('&') {
            reach(go, next, reached)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
