//! `kplan rules`.

use std::io::{self, BufWriter, Write};

use serde_json::json;

use super::args::RulesArgs;
use super::error::{CliError, Exit};
use crate::diag::Rule;
use crate::lint::catalog::RULES;

/// Version of the JSON catalogue.
const SCHEMA: &str = "kplan.rules/v1";

pub(super) fn run(args: &RulesArgs) -> Result<Exit, CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    if args.output == "json" {
        let rules: Vec<_> = RULES.iter().map(describe).collect();
        serde_json::to_writer_pretty(&mut out, &json!({"schema": SCHEMA, "rules": rules})).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        table(&mut out)?;
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

fn table(out: &mut dyn Write) -> io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["RULE", "CLASS", "SEVERITY", "TIER", "TITLE"]);
    for rule in RULES {
        table.add_row([rule.id, rule.class.name(), rule.severity.name(), rule.tier.name(), rule.title]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
