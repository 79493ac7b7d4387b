//! Our events and errors against libyaml's, on recorded inputs, on fixtures changed at random and on made-up YAML.
//!
//! `KPLAN_YAML_EVENTS` asks for more inputs.
#![allow(unsafe_code, clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/libyaml.rs"]
mod libyaml;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use kplan::yaml::events::{Event, EventKind, Parser, ScanError};

/// Inputs of each kind of chance.
const INPUTS: usize = 4000;

/// Pieces of lines that mean something to a scanner.
const PIECES: [&str; 96] = [
    " ",
    "  ",
    "    ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "- ",
    "-",
    "-\n",
    "? ",
    "?",
    ": ",
    ":",
    ":\n",
    "# c\n",
    " # é\n",
    "#",
    "a",
    "b c",
    "name: x\n",
    "key:\n",
    "é",
    "日本",
    "1",
    "null",
    "~",
    "'",
    "''",
    "\"",
    "\\",
    "\\\n",
    "\\n",
    "\\x41",
    "\\u00e9",
    "\\U0001F600",
    "\\ud800",
    "\\/",
    "\\'",
    "\\ ",
    "'a b'",
    "\"a\\tb\"",
    "'a\n b'",
    "\"a\n\n  b\"",
    "\"a \\\n  b\"",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ",",
    "[a, b]",
    "{a: b}",
    "[a: b]",
    "{a, b: }",
    "|\n",
    ">\n",
    "|-\n",
    ">+\n",
    "|2\n",
    "|1-\n",
    ">-3 # c\n",
    "|0\n",
    "&a ",
    "&a",
    "*a",
    "*a ",
    "*a :",
    "!",
    "! ",
    "!!str ",
    "!x ",
    "!x!y ",
    "!<tag:x> ",
    "!<a%20b> ",
    "!a%C3%A9 ",
    "!%00 ",
    "!%C0%80 ",
    "<<: *a\n",
    "---\n",
    "--- ",
    "---",
    "...\n",
    "...",
    "%YAML 1.1\n",
    "%YAML 1.2 # c\n",
    "%TAG !x! tag:x,\n",
    "%TAG ! !y\n",
    "%FOO\n",
    "@",
    "`",
];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

fn ours(text: &str) -> (Vec<Event<'_>>, Option<ScanError>) {
    let mut parser = Parser::with_window(text, 0, text.len(), libyaml::WINDOW);
    let mut events = Vec::new();
    loop {
        match parser.next() {
            Err(error) => return (events, Some(error)),
            Ok(event) => {
                let is_last = event.kind == EventKind::StreamEnd;
                events.push(event);
                if is_last {
                    return (events, None);
                }
            }
        }
    }
}

/// What differs, if anything.
fn difference(text: &str) -> Option<String> {
    let (ours, our_error) = std::panic::catch_unwind(|| ours(text)).unwrap_or_else(|_| panic!("{text:?}"));
    let (theirs, their_error) = libyaml::events(text);
    let at = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs).unwrap_or(ours.len().min(theirs.len()));
    let same = ours.len() == theirs.len() && at == ours.len() && our_error == their_error;
    (!same).then(|| {
        format!(
            "{text:?}\n  event {at}: {:?} {our_error:?}\n  libyaml: {:?} {their_error:?}",
            ours.get(at),
            theirs.get(at)
        )
    })
}

fn compare(what: &str, texts: impl Iterator<Item = String>) {
    let (mut count, mut wrong, mut differing) = (0, Vec::new(), 0);
    for text in texts {
        count += 1;
        if let Some(difference) = difference(&text) {
            differing += 1;
            if wrong.len() < 20 {
                wrong.push(difference);
            }
        }
    }
    println!("{what}: {} of {count} agree", count - differing);
    assert!(wrong.is_empty(), "{what}: {differing} of {count} differ\n{}", wrong.join("\n"));
    assert!(count > 0, "{what}: nothing to compare");
}

fn inputs() -> usize {
    std::env::var("KPLAN_YAML_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(INPUTS)
}

fn files(folder: PathBuf, endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            found.extend(String::from_utf8(fs::read(path).unwrap()).ok());
        }
    }
    found
}

fn fixtures() -> Vec<String> {
    files(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &["yaml", "yml"])
}

fn recorded() -> Vec<String> {
    let mut found = Vec::new();
    for name in ["yaml-scalars", "yaml-streams"] {
        let path = format!("{}/fixtures/recorded/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
        for line in fs::read_to_string(path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            found.push(row["in"].as_str().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn recorded_inputs() {
    compare("recorded", recorded().into_iter());
    compare("fixtures", fixtures().into_iter());
    if let Some(folder) = std::env::var_os("KPLAN_YAML_TEST_SUITE") {
        compare("YAML test suite", files(folder.into(), &["yaml"]).into_iter());
    }
}

/// A text with pieces put in, cut out, doubled and exchanged.
fn changed(seed: &str, random: &mut Random) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    // Much of a long text is of no use: what differs is near the change.
    if text.len() > 600 {
        let start = random.below(text.len() - 600);
        text = text[start..start + 600].to_vec();
    }
    for _ in 0..=random.below(6) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(20)).min(text.len());
        match random.below(6) {
            0 => text.truncate(at.max(40)),
            1 => drop(text.drain(at..end)),
            2 if at < text.len() => text[at] = char::from_u32(random.below(0x100) as u32).unwrap(),
            3 => {
                let copy = text[at..end].to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            _ => drop(text.splice(at..at, random.of(&PIECES).chars())),
        }
    }
    text.into_iter().collect()
}

#[test]
fn changed_inputs() {
    let seeds: Vec<String> = fixtures().into_iter().chain(recorded()).collect();
    let mut random = Random(11);
    compare(
        "changed",
        (0..inputs()).map(|_| {
            let seed = random.below(seeds.len());
            changed(&seeds[seed], &mut random)
        }),
    );
}

#[test]
fn pieces_in_any_order() {
    let mut random = Random(12);
    compare(
        "pieces",
        (0..inputs() * 4).map(|_| {
            let length = 1 + random.below(14);
            (0..length).map(|_| random.of(&PIECES)).collect()
        }),
    );
}

#[test]
fn made_up_documents() {
    let mut random = Random(13);
    compare(
        "made up",
        (0..inputs()).map(|_| {
            let mut out = String::new();
            out.push_str(random.of(&[
                "",
                "",
                "",
                "---\n",
                "%YAML 1.1\n---\n",
                "%TAG !e! tag:e,\n---\n",
                "\u{feff}",
                "# c\n",
            ]));
            block(&mut random, &mut out, 0, 0);
            out.push_str(random.of(&["", "", "...\n", "---\nb: 1\n"]));
            let ends = random.of(&["\n", "\n", "\n", "\r\n", "\r"]);
            let mut text = out.replace('\n', ends);
            if random.below(3) == 0 {
                text = changed(&text, &mut random);
            }
            text
        }),
    );
}

/// A block collection or scalar whose lines start at a column, most of the time.
fn block(random: &mut Random, out: &mut String, column: usize, depth: usize) {
    let is_map = random.below(3) > 0;
    for _ in 0..=random.below(3) {
        let odd = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2][random.below(10)];
        out.push_str(&" ".repeat(if random.below(2) == 0 { column + odd } else { column.saturating_sub(odd) }));
        if is_map {
            key(random, out, depth);
        } else {
            out.push_str(random.of(&["- ", "- ", "-   ", "-\t", "-\n", "- - ", "- ? "]));
        }
        properties(random, out);
        if depth < 4 && random.below(3) == 0 {
            out.push_str(random.of(&["\n", "\n", " # c\n", "\n\n", "\n# c\n"]));
            let deeper = column + [0, 1, 2, 2, 2, 4][random.below(6)];
            block(random, out, deeper, depth + 1);
        } else {
            value(random, out, column, depth);
        }
    }
}

fn key(random: &mut Random, out: &mut String, depth: usize) {
    if random.below(12) == 0 {
        out.push_str("? ");
        properties(random, out);
    }
    match random.below(12) {
        0 => out.push_str("\"k\\u00e9 y\""),
        1 => out.push_str("'k''y'"),
        2 => flow(random, out, depth + 2),
        3 => out.push_str("&k key"),
        4 => out.push_str("*k "),
        5 => out.push_str("a key: x"),
        6 => out.push_str("ключ"),
        _ => out.push_str(random.of(&["key", "name", "a.b/c", "key two", "- k", "x#y", "http://x"])),
    }
    out.push_str(random.of(&[": ", ": ", ": ", ":", " : ", ":\t", "\n: ", ""]));
}

fn properties(random: &mut Random, out: &mut String) {
    if random.below(8) == 0 {
        out.push_str(random.of(&[
            "&a ",
            "!!str ",
            "&a !!map ",
            "!e!x &b ",
            "!<v> ",
            "! ",
            "!y\n  ",
            "&c\n",
            "!!seq &d\n",
        ]));
    }
}

fn value(random: &mut Random, out: &mut String, column: usize, depth: usize) {
    let pad = " ".repeat(column + random.below(4));
    match random.below(12) {
        0 => {
            let _ = write!(out, "word\n{pad}more words\n\n{pad}last");
        }
        1 => {
            let _ = write!(out, "'it''s\n{pad}two\n\n{pad}lines '");
        }
        2 => {
            let _ = write!(out, "\"a\\\n{pad} b \\\"c\\\"\n\n{pad}\td\"");
        }
        3 | 4 => {
            out.push_str(random.of(&["|", ">", "|-", ">+", "|2", ">1-", "|+3", "| # c", ">-\t"]));
            for _ in 0..=random.below(5) {
                out.push('\n');
                out.push_str(&" ".repeat((column + random.below(5)).saturating_sub(random.below(2))));
                out.push_str(random.of(&["text", "", " more", "\ttab", "# no", "---", "é ü", "k: v", "text  "]));
            }
        }
        5 | 6 => flow(random, out, depth),
        7 => out.push_str("*a"),
        8 => {}
        _ => out.push_str(random.of(&[
            "x",
            "1",
            "a b  c",
            "'q'",
            "\"q\"",
            "a:b",
            "a #b",
            "a# b",
            "-1",
            "http://a/?b",
            "[]",
            "{}",
            "\"\"",
            "x\t",
        ])),
    }
    out.push_str(random.of(&["\n", "\n", "\n", "\n", " # c\n", "\n\n", " \n", "\t\n", "# c\n", "\n  # c\n"]));
}

fn flow(random: &mut Random, out: &mut String, depth: usize) {
    let is_map = random.below(2) == 0;
    out.push(if is_map { '{' } else { '[' });
    for _ in 0..random.below(4) {
        if is_map || random.below(4) == 0 {
            out.push_str(random.of(&["a", "'b'", "\"c\"", "? d", "e f", "*a ", "&x g", "", "? "]));
            out.push_str(random.of(&[": ", ": ", ":", " :", "", ":\n "]));
        }
        properties(random, out);
        if depth < 4 && random.below(3) == 0 {
            flow(random, out, depth + 1);
        } else {
            out.push_str(
                random.of(&["x", "y z", "'q'", "\"r\\n\"", "1", "", "*a", "-", "a\n  b", "http://x", "a:b", "# c\n"]),
            );
        }
        out.push_str(random.of(&[", ", ", ", ",", "\n,\n ", " # c\n, ", " ", ",\t"]));
    }
    out.push_str(random.of(&["", "", "", " ", "\n", "\n  "]));
    if random.below(20) > 0 {
        out.push(if is_map { '}' } else { ']' });
    }
}

#[test]
fn long_inputs() {
    let mut texts = Vec::new();
    for length in [1000, 1019, 1020, 1021, 1022, 1023, 1024, 1025, 1030] {
        let word = "k".repeat(length);
        texts.push(format!("{word}: v\n"));
        texts.push(format!("a: 1\n{word}: v\n"));
        texts.push(format!("a: [{word}: v, \"{word}\" : b]\n"));
        texts.push(format!("{{? {word}\n: v}}\n"));
        texts.push(format!("\"{word}\": v\n"));
    }
    let lines = "key: value\n".repeat(1489);
    for length in 0..8 {
        let start = format!("{lines}{}", "k".repeat(length));
        for rest in [": \u{1}", "\n- a: \u{7f}\n", "é\u{0}", "\"\u{fffe}\"", ": [a, b\u{9f}", ": x\n\u{1}"] {
            texts.push(format!("{start}{rest}"));
            texts.push(format!("{start}: x\nb: \"{}\n{rest}", "x y ".repeat(40)));
        }
    }
    texts.push(format!("{}{}", "[".repeat(2000), "]".repeat(2000)));
    texts.push("- ".repeat(2000));
    texts.push("? ".repeat(500));
    texts.push(format!("é: [{}]", "{a: 'b', \"c\": é}, ".repeat(2000)));
    compare("long", texts.into_iter());
}

/// Where kubectl's reader differs from libyaml, and ours goes with kubectl's: a key may be 1,024 characters long and
/// not bytes, and a character that is not allowed is seen 512 bytes ahead and not 16,384.
#[test]
fn named_differences() {
    let key = "é".repeat(600);
    assert!(difference(&format!("{key}: v\n")).is_some());
    assert!(difference(&format!("{}: v\n", "é".repeat(500))).is_none());
    let events = ours(&format!("{key}: v\n")).0.len();
    assert_eq!(events, ours("k: v\n").0.len());

    let text = format!("a: b: c\n{}\u{1}\n", "# comment\n".repeat(100));
    let first_error = |mut parser: Parser<'_>| loop {
        if let Err(error) = parser.next() {
            return error.problem;
        }
    };
    let near = first_error(Parser::new(&text, 0, text.len()));
    assert_eq!(near, "mapping values are not allowed in this context");
    let far = first_error(Parser::with_window(&text, 0, text.len(), libyaml::WINDOW));
    assert_eq!(far, "control characters are not allowed");
}
