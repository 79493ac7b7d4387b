//! `kplan rules`.

use std::io::{self, BufWriter, Write};

use serde_json::json;

use super::args::{RulesAction, RulesArgs};
use super::error::{CliError, Exit};
use super::{own_rules, rules_test};
use crate::diag::Rule;

/// Version of the JSON catalogue.
const SCHEMA: &str = "kplan.rules/v1";

pub(super) fn run(args: &RulesArgs) -> Result<Exit, CliError> {
    if let Some(RulesAction::Test(args)) = &args.action {
        return rules_test::run(args);
    }
    let table = own_rules::here()?.table;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.output == "json" {
        let rules: Vec<_> = table.iter().map(|rule| describe(rule)).collect();
        serde_json::to_writer_pretty(&mut out, &json!({"schema": SCHEMA, "rules": rules})).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&mut out, &table)?;
    }
    out.flush()?;
    Ok(Exit::Fine)
}

fn describe(rule: &Rule) -> serde_json::Value {
    json!({
        "id": rule.id,
        "group": rule.group,
        "class": rule.class.name(),
        "tier": rule.tier.name(),
        "severity": rule.severity.name(),
        "kinds": rule.kinds,
        "title": rule.title,
        "aliases": rule.aliases,
        "params": serde_json::from_str::<serde_json::Value>(rule.params).unwrap_or_default(),
    })
}

fn print(out: &mut dyn Write, rules: &[&Rule]) -> io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["RULE", "CLASS", "SEVERITY", "TIER", "TITLE"]);
    for rule in rules {
        table.add_row([rule.id, rule.class.name(), rule.severity.name(), rule.tier.name(), rule.title]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
