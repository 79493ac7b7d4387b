//! The fuzz targets on fixed inputs: manifests of the fixtures, changed at random in the same way each time.
//!
//! `cargo +nightly fuzz run TARGET` in `fuzz/` looks further.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Inputs a target; `KPLAN_FUZZ_INPUTS` asks for more.
const INPUTS: usize = 1500;

/// Pieces that mean something to a YAML reader, a quantity or a manifest.
const PIECES: [&str; 44] = [
    "---\n",
    "...\n",
    "\n",
    "  ",
    "\t",
    "- ",
    ": ",
    "? ",
    "#",
    " # c\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!str ",
    "!!binary ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    "null",
    "~",
    "yes",
    "0x1f",
    "0o7",
    "1_000",
    "1e3",
    "1Gi",
    "-5m",
    ".inf",
    "\u{feff}",
    "\r\n",
    "%YAML 1.1\n",
    "@",
    "`",
    "\u{0}",
    "é",
    "metadata:\n  name: a\n",
    "spec: []\n",
];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

/// Manifests that the fixtures have already.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules")];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                seeds.push(fs::read(path).unwrap());
            }
        }
    }
    seeds.extend(["1Gi", "-1.5e3", "0.1m", "12E", "1u", "+0", "1e-9"].map(|text| text.as_bytes().to_vec()));
    seeds
}

fn changed(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..random.below(6) {
        let at = random.below(data.len() + 1);
        match random.below(5) {
            0 => data.truncate(at),
            1 => {
                let end = (at + random.below(20)).min(data.len());
                data.drain(at..end);
            }
            2 if !data.is_empty() => {
                let at = at.min(data.len() - 1);
                data[at] = u8::try_from(random.below(256)).unwrap();
            }
            3 => {
                let end = (at + random.below(60)).min(data.len());
                let copy = data[at..end].to_vec();
                let to = random.below(data.len() + 1);
                data.splice(to..to, copy);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                data.splice(at..at, piece.bytes());
            }
        }
    }
    data
}

#[test]
fn targets_hold() {
    let seeds = seeds();
    let inputs = std::env::var("KPLAN_FUZZ_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(INPUTS);
    for (name, target) in targets::ALL {
        let mut random = Random(7);
        for number in 0..inputs {
            let seed = &seeds[random.below(seeds.len())];
            let mut data = changed(seed, &mut random);
            if name == "decode" {
                data.insert(0, u8::try_from(random.below(256)).unwrap());
            } else if matches!(name, "scalars" | "quantity") {
                data.truncate(1 + random.below(12));
            }
            let held = std::panic::catch_unwind(|| target(&data));
            assert!(held.is_ok(), "{name}, input {number}: {:?}", String::from_utf8_lossy(&data));
        }
    }
}
