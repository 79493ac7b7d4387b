//! Sources → bundle: documents, lists, objects. Parsing never fails; what is wrong is a diagnostic.

mod skim;

use rayon::prelude::*;

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::load::Loaded;
use crate::model::pod::TemplatePlace;
use crate::model::{Bundle, Counts, CustomKind, Full, Object, ObjectId, ParsedFile, Role, SetId, path};
use crate::source::{FileId, Source, SourceText, Span};
use crate::yaml::{self, NodeId, ReadError, View};

/// Whether a kind is namespaced; `None` where nothing is known of it.
pub type Scope<'a> = dyn Fn(&str, &str) -> Option<bool> + Sync + 'a;

/// Reads every source and finds its objects.
pub fn run(loaded: Loaded, settings: &Settings, scope: &Scope<'_>) -> (Bundle, Vec<Diagnostic>) {
    let files: Vec<(FileId, &Source)> = loaded.sources.iter().collect();
    let parsed = files.par_iter().map(|(id, source)| parse_file(*id, source, loaded.roles[id.0 as usize])).collect();
    gather(loaded, parsed, settings, scope)
}

/// Reads the state of a cluster from texts that come one after the other, and keeps none of them; `None` where one is
/// missing.
pub fn state(
    name: &str,
    texts: impl Iterator<Item = Option<String>> + Send,
    settings: &Settings,
    scope: &Scope<'_>,
) -> Option<(Bundle, Vec<Diagnostic>)> {
    let read = |(index, text): (usize, Option<String>)| {
        let mut source = Source::new(name, text?);
        let mut parsed = parse_file(FileId(index as u32), &source, Role::State);
        parsed.file.tree.let_go();
        source.text = SourceText::default();
        Some((index, source, parsed))
    };
    let mut parts = texts.enumerate().par_bridge().map(read).collect::<Option<Vec<_>>>()?;
    parts.sort_by_key(|(index, _, _)| *index);
    let (mut loaded, mut all) = (Loaded::default(), Vec::with_capacity(parts.len()));
    for (_, source, parsed) in parts {
        loaded.sources.add(source);
        loaded.sets.push(SetId(0));
        loaded.roles.push(Role::State);
        loaded.explicit.push(true);
        all.push(parsed);
    }
    Some(gather(loaded, all, settings, scope))
}

/// Puts together what was read of each source.
fn gather(loaded: Loaded, parsed: Vec<Parsed>, settings: &Settings, scope: &Scope<'_>) -> (Bundle, Vec<Diagnostic>) {
    let Loaded { sources, sets, unrendered, rendered, not_rendered, namespaces, .. } = loaded;
    let custom_kinds: Vec<CustomKind> = parsed.iter().flat_map(custom_kinds).collect();
    let scope = |api_version: &str, kind: &str| {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let custom = custom_kinds.iter().find(|custom| custom.group == group && custom.kind == kind);
        custom.map(|custom| custom.namespaced).or_else(|| scope(api_version, kind))
    };
    let mut counts = Counts { files: sources.len() - rendered.len(), ..Counts::default() };
    counts.not_rendered = not_rendered;
    let mut bundle = Bundle { unrendered_sets: unrendered, rendered, ..Bundle::default() };
    bundle.pod_security.clone_from(&settings.pod_security);
    bundle.files.reserve_exact(parsed.len());
    bundle.objects.reserve_exact(parsed.iter().map(|parsed| parsed.objects.len()).sum());
    let mut diagnostics = Vec::new();
    for (index, parsed) in parsed.into_iter().enumerate() {
        let file = FileId(index as u32);
        counts.skipped += parsed.skipped;
        let first = bundle.objects.len() as u32;
        for found in parsed.objects {
            let namespace = namespaces.get(&file).unwrap_or(&settings.namespace);
            let mut object = object(&parsed.file, &found, (file, sets[index]), namespace, &scope);
            object.template_at = template_place(&object, settings);
            bundle.objects.push(object);
        }
        let ids = (first..bundle.objects.len() as u32).map(ObjectId);
        diagnostics.extend(parsed.diagnostics);
        diagnostics.extend(duplicate_keys(&parsed.file, file, ids, &bundle.objects));
        bundle.files.push(parsed.file);
    }
    counts.objects = bundle.objects.len();
    bundle.file_sets = sets;
    bundle.counts = counts;
    bundle.sources = sources;
    bundle.custom_kinds = custom_kinds;
    (bundle, diagnostics)
}

struct Parsed {
    file: ParsedFile,
    objects: Vec<Found>,
    skipped: usize,
    diagnostics: Vec<Diagnostic>,
}

/// An object in a document, with the kind that its list gives it.
struct Found {
    document: u32,
    root: NodeId,
    kind: String,
    api_version: String,
}

fn parse_file(id: FileId, source: &Source, role: Role) -> Parsed {
    let yaml::File { mut tree, mut documents, comments } = match role {
        Role::State => yaml::read_skimmed(&source.text, &mut skim::pods()),
        _ => yaml::read(&source.text),
    };
    let mut objects: Vec<Found> = Vec::new();
    let mut diagnostics = Vec::new();
    let mut skipped = 0;
    for document in &mut documents {
        let bad_byte = source.invalid.iter().find(|at| document.span.range().contains(&(**at as usize)));
        if let Some(at) = bad_byte {
            document.root = None;
            document.error.get_or_insert_with(|| not_utf8(*at));
        }
        if role == Role::NotJudged {
            skipped += 1;
            continue;
        }
        if let Some(error) = &document.error {
            diagnostics.push(unreadable(id, source, document, error));
        }
        let Some(root) = document.root else { continue };
        let found = objects.len();
        collect(tree.view(root), None, document.index, &mut objects, &mut |view, message: &str| {
            let span = view.entries().next().map_or(view.span(), |(_, key, _)| key);
            let mut diagnostic = Diagnostic::new("object-undecodable", id, span, message);
            diagnostic.document = Some(document.index);
            diagnostics.push(diagnostic.help("write apiVersion and kind at the top of the object"));
        });
        skipped += usize::from(objects.len() == found);
    }
    objects.iter().for_each(|found| complete(&mut tree, found));
    let file = ParsedFile { tree, documents, comments, role };
    Parsed { file, objects, skipped, diagnostics }
}

/// Items of a typed list (`kind: ServiceList`) have the kind of the list, as kubectl's decoder gives it to them.
fn complete(tree: &mut yaml::Tree, found: &Found) {
    let missing = |key: &str| tree.view(found.root).get(key).is_none();
    let texts = [("apiVersion", &found.api_version), ("kind", &found.kind)];
    for (key, text) in texts.into_iter().filter(|(key, _)| missing(key)).collect::<Vec<_>>() {
        let span = tree.view(found.root).span();
        let value = tree.push_str(span, text);
        tree.insert(found.root, key, value);
    }
}

fn not_utf8(at: u32) -> ReadError {
    ReadError { message: format!("not UTF-8 at byte {at}"), span: Span { start: at, end: at + 1 } }
}

/// Finds the objects of a document: itself, or the items of anything with a top-level `items`, nested lists too.
fn collect(
    view: View<'_>,
    list: Option<(&str, &str)>,
    document: u32,
    objects: &mut Vec<Found>,
    broken: &mut dyn FnMut(View<'_>, &str),
) {
    let text = |key: &str| view.get(key).map(|value| value.str().unwrap_or(""));
    let (api_version, kind) = match (text("apiVersion"), text("kind"), list) {
        (Some(api_version), Some(kind), _) => (api_version, kind),
        (api_version, kind, Some((list_version, list_kind))) if view.is_map() => {
            (api_version.unwrap_or(list_version), kind.unwrap_or(list_kind.strip_suffix("List").unwrap_or("")))
        }
        (None, None, None) => return,
        (Some(_), None, _) if view.get("version").is_some() && view.get("name").is_some() => return,
        (Some(_), None, _) => return broken(view, "`kind` is missing, so this is no Kubernetes object"),
        (None, Some(_), _) if list.is_none() => {
            return broken(view, "`apiVersion` is missing, so this is no Kubernetes object");
        }
        _ => return broken(view, "an item of a list is no object"),
    };
    if is_client_side(api_version, kind) {
        return;
    }
    if kind.is_empty() || api_version.is_empty() {
        return broken(view, "apiVersion and kind must be text that is not empty");
    }
    if let Some(items) = view.get("items").filter(|items| items.is_seq()) {
        for item in items.items() {
            collect(item, Some((api_version, kind)), document, objects, broken);
        }
        return;
    }
    let (kind, api_version) = (kind.to_owned(), api_version.to_owned());
    objects.push(Found { document, root: view.id, kind, api_version });
}

/// Kinds that a client reads and no API server knows: counted, not judged.
fn is_client_side(api_version: &str, kind: &str) -> bool {
    const GROUPS: [&str; 20] = [
        "apiserver.config.k8s.io",
        "audit.k8s.io",
        "client.authentication.k8s.io",
        "config.kubernetes.io",
        "controllermanager.config.k8s.io",
        "credentialprovider.kubelet.k8s.io",
        "ctlptl.dev",
        "eksctl.io",
        "k0sctl.k0sproject.io",
        "k3d.io",
        "kind.x-k8s.io",
        "kpt.dev",
        "kubeadm.k8s.io",
        "kubecontrollermanager.config.k8s.io",
        "kubelet.config.k8s.io",
        "kubeproxy.config.k8s.io",
        "kubescheduler.config.k8s.io",
        "kustomize.config.k8s.io",
        "kustomize.toolkit.local",
        "skaffold",
    ];
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    GROUPS.contains(&group) || (api_version == "v1" && kind == "Config")
}

/// What the CustomResourceDefinitions of a file define.
fn custom_kinds(parsed: &Parsed) -> Vec<CustomKind> {
    let definitions = parsed.objects.iter().filter(|found| found.kind == "CustomResourceDefinition");
    let define = |found: &Found| {
        let spec = parsed.file.tree.view(found.root).get("spec")?;
        let served = spec.list("versions").filter(|version| version.get_bool("served"));
        Some(CustomKind {
            group: spec.get_str("group")?.to_owned(),
            kind: spec.at(&["names", "kind"])?.str()?.to_owned(),
            namespaced: spec.get_str("scope") != Some("Cluster"),
            versions: served.filter_map(|version| version.get_str("name")).map(str::to_owned).collect(),
        })
    };
    definitions.filter_map(define).collect()
}

fn object(
    file: &ParsedFile,
    found: &Found,
    (id, set): (FileId, crate::model::SetId),
    default_namespace: &str,
    scope: &Scope<'_>,
) -> Object {
    let metadata = file.tree.view(found.root).get("metadata");
    let text = |key: &str| metadata.and_then(|metadata| metadata.get_str(key)).unwrap_or_default();
    let name = if text("name").is_empty() { text("generateName") } else { text("name") };
    let written = text("namespace");
    // Most unknown kinds are namespaced; those that are not mostly say so in their names.
    let likely = !written.is_empty() || !found.kind.starts_with("Cluster");
    let namespaced = scope(&found.api_version, &found.kind).unwrap_or(likely);
    let namespace = if written.is_empty() { default_namespace } else { written };
    Object {
        file: id,
        document: found.document,
        set,
        root: found.root,
        api_version: found.api_version.clone(),
        kind: found.kind.clone(),
        name: name.to_owned(),
        namespace: namespaced.then(|| namespace.to_owned()),
        full: Full::Unknown,
        admitted: None,
        template_at: None,
    }
}

fn template_place(object: &Object, settings: &Settings) -> Option<TemplatePlace> {
    let group = object.group();
    TemplatePlace::of(group, &object.kind).or_else(|| {
        let mut custom = settings.workloads.iter();
        custom.find(|own| own.group == group && own.kind == object.kind).map(|own| own.place)
    })
}

fn unreadable(id: FileId, source: &Source, document: &yaml::Document, error: &ReadError) -> Diagnostic {
    let reason = error.message.trim_start_matches("error converting YAML to JSON: ").trim_start_matches("yaml: ");
    // The reader counts lines from the start of the document; the place of the finding says it better.
    let reason = match reason.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((line, rest)) if line.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => reason,
    };
    let (rule, message) = match reason.strip_prefix("not UTF-8") {
        Some(rest) => ("file-unreadable", format!("the document is not UTF-8{rest}")),
        None => ("yaml-invalid", format!("the document cannot be read: {reason}")),
    };
    let mut diagnostic = Diagnostic::new(rule, id, error.span, message);
    diagnostic.document = Some(document.index);
    diagnostic.help(likely_cause(source, document.span, error))
}

/// What a reader's error usually comes from, as an instruction.
fn likely_cause(source: &Source, chunk: Span, error: &ReadError) -> String {
    let text = &source.text;
    let at = error.span.start as usize;
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or("");
    let message = &error.message;
    if let Some(key) = doubled_key(line) {
        return format!(
            "the key `{key}` stands twice on this line; write it once: `{}`",
            line.trim().replacen(&format!("{key}: "), "", 1)
        );
    }
    if text[chunk.range()].contains("{{") {
        return "this looks like a template; render it first (`helm template`), or exclude it in kplan.yaml under `ignore.paths`".to_owned();
    }
    if text[at..].starts_with('\t') || line.starts_with('\t') {
        return "indent with spaces; YAML takes no tabs there".to_owned();
    }
    let help = if message.contains("mapping values are not allowed") {
        "quote the value if it holds `: `, or correct the indentation of this line"
    } else if message.contains("cannot start any token") {
        "quote a value that starts with @, `, % or a tab"
    } else if message.contains("did not find expected key") || message.contains("expected ':'") {
        "correct the indentation of this line or of the one above it"
    } else if message.contains("invalid Yaml document separator") {
        "leave nothing but a comment behind `---` on its line"
    } else if message.contains("not UTF-8") {
        "save the file as UTF-8; kubectl would refuse it too"
    } else if message.contains("aliasing") || message.contains("max depth") {
        "write the document with fewer aliases and less nesting; kubectl would refuse it too"
    } else {
        "mend the YAML here; kubectl would refuse the document too"
    };
    help.to_owned()
}

/// `image: image: x` → `image`.
fn doubled_key(line: &str) -> Option<&str> {
    let mut parts = line.trim_start().trim_start_matches("- ").splitn(3, ": ");
    let (first, second) = (parts.next()?, parts.next()?);
    (first == second.trim() && parts.next().is_some()).then_some(first)
}

/// A key that stands twice in one map, with both places.
fn duplicate_keys(
    file: &ParsedFile,
    id: FileId,
    ids: impl Iterator<Item = ObjectId> + Clone,
    objects: &[Object],
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for duplicate in &file.tree.duplicates {
        let map = file.tree.view(duplicate.map);
        let key = file.tree.str(duplicate.key);
        for object in ids.clone() {
            let owner = &objects[object.0 as usize];
            let root = file.tree.view(owner.root);
            if !root.span().contains(duplicate.second) {
                continue;
            }
            let Some(field) = path::of_key(root, map, key) else { continue };
            let message = format!("`{key}` stands twice in one map; kubectl keeps only the last one");
            let mut diagnostic = Diagnostic::new("yaml-duplicate-key", id, duplicate.second, message)
                .help("remove one of the two")
                .related(id, duplicate.first, format!("`{key}` stands here first, and this value is lost"));
            diagnostic.object = Some(object);
            diagnostic.document = Some(owner.document);
            diagnostic.field = Some(field);
            diagnostics.push(diagnostic);
            break;
        }
    }
    diagnostics
}
