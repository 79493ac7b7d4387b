//! Turns the rule catalogue (`rules/<group>/<id>.yaml`) into the table that the binary embeds and
//! the table that people read. Both are committed; `--check` says when they are out of date.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const TABLE: &str = "src/lint/catalog.rs";
const README: &str = "rules/README.md";
const COMMAND: &str = "cargo xtask catalogue";

/// The keys of a catalogue file. All of them are there, in this order, and no others.
const KEYS: [&str; 13] =
    ["id", "group", "class", "tier", "severity", "kinds", "title", "why", "fix", "since", "aliases", "params", "check"];

/// The groups in the order of the line they are found on, with what they hold.
const GROUPS: [(&str, &str); 16] = [
    ("yaml", "What is read: files, documents, keys"),
    ("schema", "Fields, types and names, judged by the schema of the kind"),
    ("api", "API versions, and what else the API server says"),
    ("workload", "Deployments, Jobs and the other things with a pod template"),
    ("security", "What containers may do, and what they take of their node"),
    ("secrets", "Secrets, and what is one although it stands elsewhere"),
    ("rbac", "Roles, and who holds them"),
    ("resources", "What containers request and may use"),
    ("images", "Images and when they are pulled"),
    ("probes", "Liveness, readiness and startup probes"),
    ("references", "Names of other objects"),
    ("networking", "Services and what stands in front of them"),
    ("storage", "Claims and volumes"),
    ("autoscaling", "HorizontalPodAutoscalers and their targets"),
    ("scheduling", "Pods and nodes"),
    ("config", "What was left out: suppressed or not rendered"),
];

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Class {
    Unreadable,
    Rejected,
    Pending,
    Broken,
    Risky,
    Style,
    Unjudged,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Tier {
    Default,
    Recommended,
    Strict,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Error,
    Warning,
    Info,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Check {
    Rust,
}

/// One catalogue file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    group: String,
    class: Class,
    tier: Tier,
    severity: Severity,
    kinds: Vec<String>,
    title: String,
    why: String,
    fix: String,
    since: String,
    aliases: Vec<String>,
    params: serde_yaml::Mapping,
    #[serde(rename = "check")]
    _check: Check,
}

/// Reads and checks the catalogue, then writes what is generated from it, or compares (`check`).
pub fn run(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the xtask folder has no parent")?;
    let entries = read(&root.join("rules"))?;
    let mut files = vec![(TABLE.to_owned(), table(&entries)), (README.to_owned(), readme(&entries))];
    files.extend(entries.iter().map(|entry| (format!("rules/{}/{}.md", entry.group, entry.id), page(entry))));
    for (name, text) in files {
        let path = root.join(&name);
        if check {
            compare(&name, &path, &text)?;
        } else {
            write(&path, &text)?;
        }
    }
    Ok(())
}

fn compare(name: &str, path: &Path, text: &str) -> Result<(), String> {
    match fs::read_to_string(path) {
        Ok(old) if old == text => Ok(()),
        Ok(_) => Err(format!("{name} differs from the catalogue in rules/; run `{COMMAND}`")),
        Err(e) => Err(format!("cannot read {name}: {e}; run `{COMMAND}`")),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    }
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// All entries by id. Every mistake in the catalogue is named, not only the first.
fn read(folder: &Path) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut mistakes = Vec::new();
    let mut seen: HashMap<String, String> = HashMap::new();
    for path in files(folder)? {
        let shown = shown(folder, &path);
        match entry(&path) {
            Ok(entry) => {
                mistakes.extend(judge(&entry, &path).into_iter().map(|m| format!("{shown}: {m}")));
                if let Some(first) = seen.insert(entry.id.clone(), shown.clone()) {
                    mistakes.push(format!("{shown}: id `{}` is also in {first}", entry.id));
                }
                entries.push(entry);
            }
            Err(mistake) => mistakes.push(format!("{shown}: {mistake}")),
        }
    }
    if entries.is_empty() && mistakes.is_empty() {
        return Err("rules/ holds no catalogue file".into());
    }
    if !mistakes.is_empty() {
        return Err(mistakes.join("\n"));
    }
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(entries)
}

/// The files of the catalogue: everything in a group's folder but the generated pages, each of
/// which has its rule. Beside the folders only the generated table is expected.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, String> {
        let listed = fs::read_dir(folder).and_then(|l| l.map(|e| e.map(|e| e.path())).collect());
        let mut paths: Vec<PathBuf> = listed.map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
        paths.sort();
        Ok(paths)
    };
    let mut found = Vec::new();
    for path in list(folder)? {
        if path.is_dir() {
            let (pages, rules): (Vec<_>, Vec<_>) =
                list(&path)?.into_iter().partition(|file| file.extension().is_some_and(|end| end == "md"));
            if let Some(page) = pages.iter().find(|page| !page.with_extension("yaml").is_file()) {
                return Err(format!("{}: the page of no rule", shown(folder, page)));
            }
            found.extend(rules);
        } else if !path.ends_with("README.md") {
            return Err(format!("{}: a rule belongs into its group's folder", shown(folder, &path)));
        }
    }
    Ok(found)
}

fn shown(folder: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = inner.iter().map(|p| p.to_string_lossy()).collect();
    format!("rules/{}", parts.join("/"))
}

fn entry(path: &Path) -> Result<Entry, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"))?;
    let keys: serde_yaml::Mapping = serde_yaml::from_str(&text).map_err(|e| e.to_string())?;
    let keys: Vec<&str> = keys.keys().filter_map(serde_yaml::Value::as_str).collect();
    let entry = serde_yaml::from_str(&text).map_err(|e| e.to_string())?;
    if keys != KEYS {
        return Err(format!("its keys have to be, in this order: {}", KEYS.join(", ")));
    }
    Ok(entry)
}

/// What is wrong with an entry that could be read.
fn judge(entry: &Entry, path: &Path) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut want = |holds: bool, sentence: String| {
        if !holds {
            mistakes.push(sentence);
        }
    };
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    let id = &entry.id;
    want(
        path.file_name().is_some_and(|name| *name == *format!("{id}.yaml")),
        format!("id `{id}` is not the file's name"),
    );
    want(*folder == *entry.group, format!("group `{}` is not the folder's name", entry.group));
    want(
        GROUPS.iter().any(|(name, _)| *name == entry.group),
        format!("group `{}` is not one of those that xtask knows", entry.group),
    );
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    want(id.chars().all(kebab), format!("id `{id}` is not in lower case with hyphens"));
    want(!entry.kinds.is_empty(), "kinds is empty; `any` stands for all".into());
    want(!entry.title.ends_with('.'), "title ends in a full stop".into());
    for (key, text) in [("title", &entry.title), ("why", &entry.why), ("fix", &entry.fix)] {
        want(!text.trim().is_empty(), format!("{key} is empty"));
        want(!text.contains('\n'), format!("{key} has a line break; fold it with `>-`"));
    }
    for (key, text) in [("why", &entry.why), ("fix", &entry.fix)] {
        want(text.ends_with('.'), format!("{key} does not end in a full stop"));
    }
    if entry.tier == Tier::Default {
        let hedges = [" may ", " might ", "consider "];
        let text = format!("{} {}", entry.title, entry.why).to_lowercase();
        want(
            !hedges.iter().any(|hedge| text.contains(hedge)),
            "a rule of the default tier is sure of what it says".into(),
        );
    }
    want(
        entry.since.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3,
        format!("since `{}` is not a version such as 0.1.0", entry.since),
    );
    for alias in &entry.aliases {
        want(
            alias.split_once(':').is_some_and(|(tool, id)| !tool.is_empty() && !id.is_empty()),
            format!("alias `{alias}` is not written tool:id"),
        );
    }
    for (name, schema) in &entry.params {
        let has = |key: &str| schema.get(key).is_some();
        want(
            has("type") && has("description"),
            format!("param `{}` has no type or description", name.as_str().unwrap_or_default()),
        );
    }
    mistakes
}

/// The Rust table, a rule a line. It is laid out here, so that no formatter is needed to compare it.
fn table(entries: &[Entry]) -> String {
    let mut text = format!(
        "//! Generated from `rules/` by `{COMMAND}`; edit the catalogue, not this file.\n\n\
         use crate::diag::{{Class, Rule, Severity, Tier}};\n\n\
         /// Every rule, sorted by id.\n\
         #[rustfmt::skip]\n\
         pub static RULES: &[Rule] = &[\n"
    );
    for e in entries {
        let _ = writeln!(
            text,
            "    Rule {{ id: {:?}, group: {:?}, class: Class::{:?}, tier: Tier::{:?}, \
             severity: Severity::{:?}, kinds: &{:?}, title: {:?}, why: {:?}, fix: {:?}, \
             since: {:?}, aliases: &{:?}, params: {:?} }},",
            e.id,
            e.group,
            e.class,
            e.tier,
            e.severity,
            e.kinds,
            e.title,
            e.why,
            e.fix,
            e.since,
            e.aliases,
            params(e)
        );
    }
    text.push_str("];\n");
    text
}

/// The parameters as a JSON object of schemas.
fn params(entry: &Entry) -> String {
    serde_json::to_string(&entry.params).unwrap_or_default()
}

/// The page of a rule: what `kplan explain` prints, with links.
fn page(entry: &Entry) -> String {
    let lower = |word: String| word.to_lowercase();
    let (id, group) = (&entry.id, &entry.group);
    let mut text = format!(
        "<!-- Generated by `{COMMAND}` from {id}.yaml. -->\n# {id}\n\n{}\n\n{}\n\nFix: {}\n\n",
        entry.title, entry.why, entry.fix
    );
    let mut rows = vec![
        ("group", group.clone()),
        ("class", lower(format!("{:?}", entry.class))),
        ("severity", lower(format!("{:?}", entry.severity))),
        ("tier", lower(format!("{:?}", entry.tier))),
        ("kinds", entry.kinds.join(", ")),
        ("since", entry.since.clone()),
    ];
    if !entry.aliases.is_empty() {
        rows.push(("also", entry.aliases.join(", ")));
    }
    for (name, schema) in &entry.params {
        let default = schema.get("default").and_then(|value| serde_json::to_string(value).ok());
        let default = default.map_or("not set".to_owned(), |default| format!("default {default}"));
        let described = schema.get("description").and_then(serde_yaml::Value::as_str).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        rows.push(("param", format!("{name}: {described} ({default})")));
    }
    text.push_str("| | |\n|---|---|\n");
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {} |", value.replace('|', "\\|"));
    }
    let _ = write!(text, "\nExamples: [fixtures/rules/{id}](../../fixtures/rules/{id}).\n");
    text
}

/// The table for people, one section a group.
fn readme(entries: &[Entry]) -> String {
    let mut groups: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry(&entry.group).or_default().push(entry);
    }
    let mut text = format!(
        "<!-- Generated by `{COMMAND}`; edit the files in the folders, not this one. -->\n\
         # Rules\n\n\
         {} rules. `kplan explain ID` prints a rule with its reason and its remedy; \
         `kplan rules` lists them all.\n\n\
         Class is what the finding means: `unreadable` no object could be read, `rejected` the API \
         server refuses it, `pending` its pods find no node, `broken` it is accepted and cannot \
         work, `risky` and `style` it works, `unjudged` kplan could not look. Tier is when it is \
         reported: `default` always, `recommended` and `strict` where chosen.\n\n\
         A rule with parameters takes them from kplan.yaml, as \
         `rules: {{replicas-single: {{severity: error, params: {{min: 3}}}}}}`. Where a parameter has no default, the \
         rule finds nothing until it is given, and then is on whatever the tier.\n",
        entries.len()
    );
    for (group, holds) in GROUPS {
        let Some(members) = groups.get(group) else {
            continue;
        };
        let _ = write!(
            text,
            "\n## {group}\n\n{holds}.\n\n\
             | rule | what it reports | class | severity | tier | kinds |\n\
             |---|---|---|---|---|---|\n"
        );
        for e in members {
            let link = format!("[{0}]({group}/{0}.md)", e.id);
            let lower = |word: String| word.to_lowercase();
            let _ = writeln!(
                text,
                "| {link} | {} | {} | {} | {} | {} |",
                e.title.replace('|', "\\|"),
                lower(format!("{:?}", e.class)),
                lower(format!("{:?}", e.severity)),
                lower(format!("{:?}", e.tier)),
                e.kinds.join(", ")
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(change: impl FnOnce(&mut Entry)) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/yaml/yaml-invalid.yaml");
        let mut entry = entry(&path).unwrap();
        change(&mut entry);
        judge(&entry, &path)
    }

    #[test]
    fn what_is_committed_is_current() {
        run(true).unwrap();
    }

    #[test]
    fn a_good_entry_has_no_mistakes() {
        assert_eq!(mistakes(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn the_file_has_to_agree_with_its_place() {
        assert_eq!(mistakes(|e| e.id = "yaml-broken".into()), ["id `yaml-broken` is not the file's name"]);
        assert_eq!(mistakes(|e| e.group = "api".into()), ["group `api` is not the folder's name"]);
    }

    #[test]
    fn the_default_tier_does_not_hedge() {
        let found = mistakes(|e| e.why = "The pod might not start.".into());
        assert_eq!(found, ["a rule of the default tier is sure of what it says"]);
    }
}
