//! What the runner takes from the output of a step: workflow commands, until they are stopped.

use std::collections::BTreeMap;

/// A workflow command.
#[derive(Debug)]
pub struct Command {
    pub name: String,
    pub properties: BTreeMap<String, String>,
    pub text: String,
}

/// The commands that the runner knows (`ActionCommandManager` of actions/runner).
const KNOWN: [&str; 15] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "internal-set-repo-path",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "warning",
];

/// The commands of an output.
pub fn commands(output: &str) -> Vec<Command> {
    let mut found = Vec::new();
    let mut stopped_by: Option<String> = None;
    for line in output.lines() {
        let line = line.trim_start();
        if let Some(word) = &stopped_by {
            if line.trim_end() == format!("::{word}::") {
                stopped_by = None;
            }
        } else if let Some(word) = line.strip_prefix("::stop-commands::") {
            stopped_by = Some(word.to_owned());
        } else {
            found.extend(new_style(line).or_else(|| old_style(line)));
        }
    }
    found
}

/// `::name key=value,key=value::text` at the start of a line.
fn new_style(line: &str) -> Option<Command> {
    let (head, text) = line.strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let unescaped = |text: &str| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",");
        text.replace("%25", "%")
    };
    let properties = properties.split(',').filter_map(|pair| pair.split_once('='));
    let properties = properties.map(|(key, value)| (key.to_owned(), unescaped(value))).collect();
    KNOWN.contains(&name).then(|| Command { name: name.to_owned(), properties, text: unescaped(text) })
}

/// `##[name]text` anywhere.
fn old_style(line: &str) -> Option<Command> {
    let (head, text) = line.split_once("##[")?.1.split_once(']')?;
    let name = head.split(' ').next().unwrap_or_default();
    let command = || Command { name: name.to_owned(), properties: BTreeMap::new(), text: text.to_owned() };
    KNOWN.contains(&name).then(command)
}
