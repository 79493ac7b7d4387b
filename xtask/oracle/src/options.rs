//! What is asked of a run.

use std::path::PathBuf;

const USAGE: &str = "\
usage: cargo xtask oracle [admission] [OPTION...] [FOLDER...]
  admission       make objects in namespaces with limits, quotas and classes (takes --seed, --count, --show, --record)
  --seed N        seed of the generated objects (1)
  --count N       how many objects (2000)
  --updates N     so many of a hundred are updates (20)
  --kind KIND     only this kind
  --show N        differences to show (40)
  --shrink        make the cases shown as small as they go
  --record FILE   write the cases shown as rows of fixtures/validate
  --templates FILE
                  known templates of messages; new ones are shown and added
  FOLDER          judge the manifests of a folder instead";

/// The command line, resolved.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) seed: u64,
    pub(crate) count: u64,
    pub(crate) updates: usize,
    pub(crate) kind: Option<String>,
    pub(crate) show: usize,
    pub(crate) shrink: bool,
    pub(crate) record: Option<PathBuf>,
    pub(crate) templates: Option<PathBuf>,
    /// Whether admission is asked, with objects that are stored.
    pub(crate) admission: bool,
    pub(crate) folders: Vec<PathBuf>,
}

impl Options {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            url: String::new(),
            token: String::new(),
            seed: 1,
            count: 2000,
            updates: 20,
            kind: None,
            show: 40,
            shrink: false,
            record: None,
            templates: None,
            admission: false,
            folders: Vec::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--server" => options.url.clone_from(value()?),
                "--token" => options.token.clone_from(value()?),
                "--seed" => options.seed = number(value()?)?,
                "--count" => options.count = number(value()?)?,
                "--updates" => options.updates = number(value()?)?,
                "--kind" => options.kind = Some(value()?.clone()),
                "--show" => options.show = number(value()?)?,
                "--shrink" => options.shrink = true,
                "--record" => options.record = Some(value()?.into()),
                "--templates" => options.templates = Some(value()?.into()),
                "admission" => options.admission = true,
                option if option.starts_with('-') => return Err(format!("no such option: {option}\n{USAGE}")),
                folder => options.folders.push(folder.into()),
            }
        }
        if options.url.is_empty() {
            return Err(format!("no server: run `cargo xtask oracle`\n{USAGE}"));
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number\n{USAGE}"))
}
