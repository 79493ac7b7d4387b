//! `kplan explain`.

use std::io::{self, Write};

use super::args::ExplainArgs;
use super::error::{CliError, Exit};
use super::own_rules;
use crate::config;
use crate::report::rule_url;

pub(super) fn run(args: &ExplainArgs) -> Result<Exit, CliError> {
    let own = own_rules::here()?;
    let table = &own.table;
    let Some(rule) = table.iter().find(|rule| rule.id == args.id) else {
        // An id of another tool leads to the rule that stands for it.
        let same = table.iter().find(|rule| rule.aliases.iter().any(|alias| is_alias(alias, &args.id)));
        let help = same
            .map(|rule| format!("kplan calls it `{}`", rule.id))
            .or_else(|| config::suggest(&args.id, table.iter().map(|rule| rule.id)))
            .unwrap_or_else(|| "`kplan rules` lists all rules".to_owned());
        return Err(CliError::usage(format!("there is no rule `{}`", args.id), help));
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{}\n{}\n", rule.id, rule.title)?;
    writeln!(out, "{}\n", textwrap::fill(rule.why, 100))?;
    writeln!(out, "{}\n", textwrap::fill(&format!("Fix: {}", rule.fix), 100))?;
    writeln!(out, "group     {}", rule.group)?;
    writeln!(out, "class     {}", rule.class.name())?;
    writeln!(out, "severity  {}", rule.severity)?;
    writeln!(out, "tier      {}", rule.tier.name())?;
    writeln!(out, "kinds     {}", rule.kinds.join(", "))?;
    if !rule.since.is_empty() {
        writeln!(out, "since     {}", rule.since)?;
    }
    if !rule.aliases.is_empty() {
        writeln!(out, "also      {}", rule.aliases.join(", "))?;
    }
    for (name, schema) in rule.param_schemas() {
        let described = schema["description"].as_str().unwrap_or_default();
        let default = schema.get("default").map_or("not set".to_owned(), |default| format!("default {default}"));
        writeln!(out, "param     {name}: {described} ({default})")?;
    }
    if own.rules.iter().all(|own| own.rule.id != rule.id) {
        writeln!(out, "page      {}", rule_url(rule.group, rule.id))?;
    }
    Ok(Exit::Fine)
}

fn is_alias(alias: &str, id: &str) -> bool {
    alias == id || alias.split_once(':').is_some_and(|(_, name)| name == id)
}
