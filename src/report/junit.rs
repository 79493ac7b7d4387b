//! JUnit XML: one test case per finding and one per object without findings. Only errors are failures.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::{Report, Row, concise};

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut suites: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
    let rows: Vec<Row<'_>> = report.rows().collect();
    let touched: BTreeSet<_> = rows.iter().filter_map(|row| row.finding.diagnostic.object).collect();
    let mut passed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (_, object) in report.bundle.iter().filter(|(id, _)| !touched.contains(id)) {
        let file = &report.bundle.sources.get(object.file).name;
        suites.entry(file).or_default();
        passed.entry(file).or_default().push(object.title());
    }
    for row in rows {
        suites.entry(row.file).or_default().push(row);
    }
    let tests: usize = passed.values().map(Vec::len).sum::<usize>() + suites.values().map(Vec::len).sum::<usize>();
    let failures = report.summary.findings.error;
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"kplan {}\" tests=\"{tests}\" failures=\"{failures}\">", report.command)?;
    for (file, rows) in &suites {
        let good = passed.get(file).map_or(&[][..], Vec::as_slice);
        suite(out, file, rows, good)?;
    }
    writeln!(out, "</testsuites>")
}

fn suite(out: &mut dyn Write, file: &str, rows: &[Row<'_>], passed: &[String]) -> io::Result<()> {
    let failures = rows.iter().filter(|row| row.severity == "error").count();
    let tests = rows.len() + passed.len();
    let file = escape(file);
    writeln!(out, "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\">")?;
    for title in passed {
        writeln!(out, "    <testcase classname=\"{file}\" name=\"{}\"/>", escape(title))?;
    }
    for row in rows {
        let title = row.title.clone().unwrap_or_else(|| row.file.to_owned());
        let name = escape(&format!("{} {title} {}:{}", row.rule, row.line, row.column));
        let server = row
            .server_words()
            .filter(|words| *words != row.message)
            .map(|words| format!("\nserver: {words}"))
            .unwrap_or_default();
        let text = escape(&format!("{}{server}\n{}", concise::line(row), row.help));
        writeln!(out, "    <testcase classname=\"{file}\" name=\"{name}\">")?;
        if row.severity == "error" {
            let message = escape(&concise::one_line(&row.message));
            writeln!(out, "      <failure type=\"{}\" message=\"{message}\">{text}</failure>", row.class)?;
        } else {
            writeln!(out, "      <system-out>{text}</system-out>")?;
        }
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>")
}

/// Nothing in the text is markup, in an element or in an attribute in double quotes; characters that XML 1.0 cannot hold
/// become a replacement character.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(char),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}
