//! `kplan init`.

use std::io::{self, ErrorKind, Write};

use super::args::InitArgs;
use super::error::{CliError, Exit, io_text};
use super::translate;
use crate::config::FILE_NAME;
use crate::model::Version;

pub(super) fn run(args: &InitArgs) -> Result<Exit, CliError> {
    let text = match &args.from {
        Some(from) => translate::translate(from)?,
        None => text(),
    };
    let path = args.directory.join(FILE_NAME);
    let shown = path.display();
    let file = std::fs::File::options().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => CliError::usage(format!("{shown} exists already"), "edit it, or remove it first"),
        _ => CliError::usage(
            format!("cannot write {shown}: {}", io_text(&error)),
            "name a directory that exists and can be written",
        ),
    })?;
    file.write_all(text.as_bytes())?;
    writeln!(io::stdout(), "wrote {shown}")?;
    Ok(Exit::Fine)
}

fn text() -> String {
    format!(
        "# Settings of kplan for this folder and everything below it.
# yaml-language-server: $schema={}/raw/main/schemas/kplan.schema.json

kubeVersion: \"{}\"

# default: what cannot be applied, run or be reached, or loses data. recommended and strict report more.
tier: default

# The nodes that pods are placed on. `kubectl get nodes -o yaml > nodes.yaml` and --nodes nodes.yaml do as well.
# nodes:
# - name: worker
#   count: 3
#   cpu: 4
#   memory: 8Gi

# rules:
#   image-tag-mutable: error
#   required-labels: {{params: {{labels: {{team: \".*\"}}}}}}
# ignore:
# - rule: image-tag-mutable
#   object: Deployment default/web
#   reason: built on every commit
# assumeExists:
# - Secret default/pull-secret
",
        env!("CARGO_PKG_REPOSITORY"),
        Version::DEFAULT
    )
}
