//! `cargo xtask test`: everything that can be tested on this machine. What cannot run is named and counted; where `CI`
//! is set, it is an error if it only had to be installed.

mod needs;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use crate::{Outcome, cargo, catalogue};

/// What ran so far.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    failures: Vec<String>,
    /// The names of what did not run, with what it needs.
    left_out: Vec<String>,
}

/// Runs all tests; `options` go to the test programs as filters.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let start = Instant::now();
    let mut tally = Tally::default();
    tally.step("catalogue", catalogue::run(true));
    cargo_test(options, &mut tally)?;
    for name in &tally.left_out {
        println!("skipped: {name}");
    }
    for name in &tally.failures {
        println!("failed: {name}");
    }
    println!("in {:.0} s", start.elapsed().as_secs_f64());
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    match &tally {
        Tally { failed: 1.., .. } => Err("some tests fail".to_owned()),
        tally if ci && tally.lacks_what_installs() => Err("some tests could not run, and CI is set".to_owned()),
        _ => Ok(()),
    }
}

/// `cargo test` of the workspace. Its output is shown but for the tests that pass.
fn cargo_test(options: &[&str], tally: &mut Tally) -> Outcome {
    let mut command = cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if !options.is_empty() {
        command.arg("--").args(options);
    }
    for (variable, path) in needs::meet() {
        command.env(variable, path);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cargo test: {error}"))?;
    let stdout = child.stdout.take().ok_or("cargo test has no output")?;
    let failed_before = tally.failed;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|error| format!("cargo test: {error}"))?;
        if tally.read(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("cargo test: {error}"))?;
    if !status.success() && tally.failed == failed_before {
        tally.step("cargo test", Err("a test program did not build or did not end by itself".to_owned()));
    }
    Ok(())
}

/// What is left out by choice. Corpora of other projects are not ours to commit: their tests run where a variable names
/// a checkout. And whoever names another cluster leaves out what only ours can play.
const CHOICES: [&str; 4] = [
    "[needs KPLAN_CORPUS]",
    "[needs KPLAN_FIX_CORPORA]",
    "[needs KPLAN_YAML_TEST_SUITE]",
    "[needs no KPLAN_TEST_KUBECONFIG]",
];

impl Tally {
    /// Whether something did not run that needs no more than an installation.
    fn lacks_what_installs(&self) -> bool {
        self.left_out.iter().any(|name| !CHOICES.iter().any(|choice| name.starts_with(choice)))
    }

    /// Counts one check of our own.
    fn step(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(message) => {
                self.failed += 1;
                self.failures.push(format!("{name}: {message}"));
            }
        }
    }

    /// Reads one line of a test program's output; false where it need not be shown.
    fn read(&mut self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("test result: ") {
            return self.add(rest);
        }
        let Some(test) = line.strip_prefix("test ") else {
            return !line.trim().is_empty() && !line.starts_with("running ");
        };
        match test.split_once(" ... ") {
            Some((_, "ok")) => false,
            Some((name, "FAILED")) => {
                self.failures.push(name.trim().to_owned());
                true
            }
            Some((name, result)) if result.starts_with("ignored") => {
                self.left_out.push(format!("{}{}", name.trim(), result.trim_start_matches("ignored")));
                false
            }
            _ => true,
        }
    }

    /// Adds the sums of one test program, as in `ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, sums: &str) -> bool {
        let (_, sums) = sums.split_once(". ").unwrap_or_default();
        for part in sums.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let number: usize = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpora_are_a_choice_and_programs_are_not() {
        let after = |line| {
            let mut tally = Tally::default();
            tally.read(line);
            tally.lacks_what_installs()
        };
        assert!(!after("test [needs KPLAN_FIX_CORPORA] fixes::corpora_keep_their_meaning ... ignored"));
        assert!(after("test [needs pre-commit] hook ... ignored"));
        assert!(after("test slow ... ignored, takes an hour"));
    }

    #[test]
    fn the_output_of_test_programs_is_counted() {
        let mut tally = Tally::default();
        let lines = [
            ("running 4 tests", false),
            ("test yaml::reads ... ok", false),
            ("test [needs pre-commit] hook ... ignored", false),
            ("test slow ... ignored, takes an hour", false),
            ("test rule::x::fail                  ... FAILED", true),
            ("quantity: 34 of 34", true),
            ("", false),
            ("test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s", false),
            ("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.1s", false),
        ];
        for (line, shown) in lines {
            assert_eq!(tally.read(line), shown, "{line}");
        }
        let left_out = vec!["[needs pre-commit] hook".to_owned(), "slow, takes an hour".to_owned()];
        let failures = vec!["rule::x::fail".to_owned()];
        assert_eq!(tally, Tally { passed: 13, failed: 1, skipped: 2, failures, left_out });
    }
}
