//! The shape of the crate: which module knows which, and what a stage may not do.
//!
//! The table of modules is the one in ARCHITECTURE.md, so that what is read there is what is tested here.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 500;

/// What reads files, starts programs or prints; all else is pure.
const IMPURE: [&str; 10] = [
    "apply/run.rs",
    "apply/wait.rs",
    "cli/",
    "cluster.rs",
    "cluster/",
    "load.rs",
    "load/",
    "main.rs",
    "render.rs",
    "render/",
];

/// What a pure module may not name.
const EFFECTS: [&str; 10] = [
    "std::fs",
    "std::process",
    "TcpStream",
    "UdpSocket",
    "std::env",
    "println!",
    "eprintln!",
    "print!(",
    "SystemTime::now",
    "Instant::now",
];

/// A source file: its module directly below the crate, and its text without comments and tests.
struct File {
    path: PathBuf,
    module: String,
    code: String,
    lines: usize,
}

fn files() -> Vec<File> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let paths = walkdir::WalkDir::new(&source).sort_by_file_name().into_iter().map(|entry| entry.unwrap().into_path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.map(|path| file(&source, path)).collect()
}

fn file(source: &Path, path: PathBuf) -> File {
    let text = fs::read_to_string(&path).unwrap();
    let inner = path.strip_prefix(source).unwrap().to_owned();
    let first = inner.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    let is_test = path.file_stem().is_some_and(|stem| stem == "tests")
        || inner.components().any(|part| part.as_os_str() == "tests");
    let code = if is_test { "" } else { text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default() };
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    File {
        module: first.trim_end_matches(".rs").to_owned(),
        code: code.join("\n"),
        lines: text.lines().count(),
        path: inner,
    }
}

/// The modules that a file names behind `crate::`, groups in braces included.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, name) in code.match_indices("crate::") {
        let rest = &code[at + name.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_names(group)),
            None => found.extend(word(rest)),
        }
    }
    found
}

/// The first names in `a::b, c::{d, e}}`.
fn group_names(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, true, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !letter.is_whitespace() => {
                names.extend(word(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> Option<String> {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The table under `## Layers` in ARCHITECTURE.md: a module in backticks, then what it may import.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(path).unwrap();
    let section = text.split("\n## Layers\n").nth(1).expect("ARCHITECTURE.md has a section `## Layers`");
    let section = section.split("\n## ").next().unwrap_or_default();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<String>>();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let may: BTreeSet<String> = cells.get(1).map(|cell| quoted(cell)).unwrap_or_default().into_iter().collect();
        quoted(cells[0]).into_iter().map(move |module| (module, may.clone()))
    })
    .collect()
}

#[test]
fn modules_import_what_architecture_md_says() {
    let table = table();
    let mut wrong = Vec::new();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files().iter().filter(|file| file.module != "lib" && file.module != "main") {
        let Some(may) = table.get(&file.module) else {
            wrong.push(format!("{}: the module `{}` is not in the table", file.path.display(), file.module));
            continue;
        };
        for import in imports(&file.code).into_iter().filter(|import| *import != file.module) {
            if !may.contains(&import) {
                wrong.push(format!("{}: `{}` may not import `{import}`", file.path.display(), file.module));
            }
            used.entry(file.module.clone()).or_default().insert(import);
        }
    }
    for (module, may) in &table {
        let used = used.get(module).cloned().unwrap_or_default();
        wrong.extend(
            may.difference(&used)
                .map(|import| format!("`{module}` does not import `{import}`: take it out of the table")),
        );
    }
    assert!(wrong.is_empty(), "{}\n(the table is in ARCHITECTURE.md under `## Layers`)", wrong.join("\n"));
}

/// Each module imports only modules in rows above its own, so the arrows run one way.
#[test]
fn layers_run_one_way() {
    let table = table();
    fn reaches(table: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str, seen: &mut BTreeSet<String>) -> bool {
        let next = table.get(from).into_iter().flatten();
        next.into_iter().any(|module| module == to || (seen.insert(module.clone()) && reaches(table, module, to, seen)))
    }
    let circular: Vec<&String> =
        table.keys().filter(|module| reaches(&table, module, module, &mut BTreeSet::new())).collect();
    assert!(circular.is_empty(), "these modules import each other: {circular:?}");
}

#[test]
fn stages_do_no_io() {
    let mut wrong = Vec::new();
    let is_impure = |file: &File| IMPURE.iter().any(|home| file.path.to_string_lossy().starts_with(home));
    for file in files().iter().filter(|file| !is_impure(file)) {
        let named = EFFECTS.iter().filter(|effect| file.code.contains(**effect));
        wrong.extend(named.map(|effect| format!("{}: {effect}", file.path.display())));
    }
    assert!(wrong.is_empty(), "only {IMPURE:?} may do this:\n{}", wrong.join("\n"));
}

/// Crates that one place knows, so that they can be replaced there.
#[test]
fn crates_stay_where_they_belong() {
    let homes: [(&str, &[&str]); 8] = [
        ("miette", &["report/human"]),
        // The report's formats name their own flags.
        ("clap", &["cli/", "report/mod.rs"]),
        ("indicatif", &["cli/"]),
        ("jsonschema", &["config/"]),
        ("kube", &["cluster"]),
        ("kube_cel", &["policy/"]),
        ("schemars", &["config/"]),
        ("tokio", &["cluster/kube.rs"]),
    ];
    let mut wrong = Vec::new();
    for file in files() {
        let path = file.path.display().to_string();
        for (name, homes) in homes {
            let used = [format!("{name}::"), format!("use {name}::"), format!("use {name};")];
            let uses = used.iter().any(|text| file.code.contains(text));
            if uses && !homes.iter().any(|home| path.starts_with(home)) && path != "main.rs" {
                wrong.push(format!("{path}: {name} belongs into {homes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let generated = Path::new("lint/catalog.rs");
    let long: Vec<String> = files()
        .iter()
        .filter(|file| file.lines > MAX_LINES && file.path != generated)
        .map(|file| format!("{}: {} lines", file.path.display(), file.lines))
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::{\n    diag::{Rule, Tier},\n    model,\n};\nuse crate::source::Span;\nlet x = crate::yaml::read(y);";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["diag", "model", "source", "yaml"]);
}
