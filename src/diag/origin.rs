//! From rendered text back to what a person wrote: the manifest, the patch, the kustomization or the line of a template.

use std::collections::HashMap;

use super::{Diagnostic, Edit, Related, template};
use crate::model::path::{self, Step};
use crate::model::{Bundle, Origin, OriginKind, Rendering, Role};
use crate::source::{FileId, Span};
use crate::yaml::{Document, View};

/// Leads every place in a rendered source to its origin; what several renderings share is said once.
pub(super) fn relocate(bundle: &Bundle, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if bundle.rendered.is_empty() {
        return diagnostics;
    }
    let by_file: HashMap<FileId, &Rendering> = bundle.rendered.iter().map(|made| (made.file, made)).collect();
    let mut known: HashMap<(FileId, Span, &'static str), Vec<Known>> = HashMap::new();
    let mut out: Vec<Diagnostic> = Vec::with_capacity(diagnostics.len());
    for mut diagnostic in diagnostics {
        for related in &mut diagnostic.related {
            if let Some(made) = by_file.get(&related.file) {
                let found = origin_of(bundle, made, related.span, None);
                (related.file, related.span) = (found.file, found.span);
            }
        }
        let Some(made) = by_file.get(&diagnostic.file) else {
            out.push(diagnostic);
            continue;
        };
        let (from, is_written) = move_to_origin(bundle, made, &mut diagnostic);
        let said = known.entry((diagnostic.file, diagnostic.span, diagnostic.rule)).or_default();
        // Names may differ between renderings of one manifest; two findings of one rendering are two.
        let same =
            |known: &&Known| known.made != made.file && (is_written || out[known.at].message == diagnostic.message);
        if let Some(first) = said.iter().find(same) {
            out[first.at].related.push(from);
            continue;
        }
        said.push(Known { at: out.len(), made: made.file });
        diagnostic.related.push(from);
        out.push(diagnostic);
    }
    out
}

/// A finding that is said already, and the rendering it came from.
struct Known {
    at: usize,
    made: FileId,
}

/// A place in what was written.
#[derive(Debug)]
struct Place<'b> {
    file: FileId,
    span: Span,
    document: Option<u32>,
    /// The very value that was rendered, where it stands there as it is.
    value: Option<(View<'b>, View<'b>)>,
    /// It is a line of a template that no value goes into.
    is_literal: bool,
}

impl Place<'_> {
    fn new(file: FileId, span: Span, document: Option<u32>) -> Self {
        Place { file, span, document, value: None, is_literal: false }
    }
}

/// Moves a finding; says where it was rendered, and whether the very value stands in what was written.
fn move_to_origin(bundle: &Bundle, made: &Rendering, diagnostic: &mut Diagnostic) -> (Related, bool) {
    let found = origin_of(bundle, made, diagnostic.span, diagnostic.field.as_deref());
    let had_fix = diagnostic.fix.is_some();
    diagnostic.fix = diagnostic.fix.take().and_then(|mut fix| {
        let (rendered, written) = found.value?;
        match fix.edits.as_mut_slice() {
            [edit] if edit.span == rendered.span() => *edit = Edit { span: written.span(), text: edit.text.clone() },
            // What else would be edited stands elsewhere.
            _ => return None,
        }
        Some(fix)
    });
    diagnostic.is_fix_lost = had_fix && diagnostic.fix.is_none();
    diagnostic.rendered = Some((diagnostic.file, diagnostic.span));
    diagnostic.file = found.file;
    diagnostic.span = found.span;
    diagnostic.document = found.document;
    let message = format!("rendered from {}", made.label);
    let is_written = match found.value {
        Some((rendered, written)) => rendered.same(written),
        None => found.is_literal,
    };
    (Related { file: made.root, span: Span::default(), message }, is_written)
}

fn origin_of<'b>(bundle: &'b Bundle, made: &Rendering, span: Span, field: Option<&str>) -> Place<'b> {
    let nowhere = Place::new(made.root, Span::default(), None);
    let rendered = bundle.file(made.file);
    let document = rendered.documents.iter().find(|document| document.span.contains(span));
    let Some((document, root)) = document.and_then(|document| Some((document, document.root?))) else {
        return nowhere;
    };
    let root = rendered.tree.view(root);
    let origin = made.origins.get(document.index as usize).copied().unwrap_or_default();
    let field = field.map(str::to_owned).or_else(|| path_at(root, span.start)).unwrap_or_default();
    match origin {
        Origin { file: Some(file), kind: OriginKind::Template } => {
            let text = &bundle.sources.get(file).text;
            let span = template::place(text, root, &field);
            let line = text[span.range().start..].lines().next().unwrap_or_default();
            Place { is_literal: !line.contains("{{"), ..Place::new(file, span, None) }
        }
        Origin { file: Some(file), kind: OriginKind::Generator } => {
            let span = generator(bundle, file, root).unwrap_or_default();
            Place::new(file, span, Some(0))
        }
        Origin { file: Some(file), kind: OriginKind::Manifest } => written(bundle, made, file, root, &field),
        Origin { file: None, .. } => nowhere,
    }
}

/// The path of the deepest value or key that holds an offset.
fn path_at(root: View<'_>, offset: u32) -> Option<String> {
    let holds = |span: Span| span.start <= offset && offset < span.end.max(span.start + 1);
    let mut path = String::new();
    let mut view = root;
    loop {
        let mut next = None;
        for (key, key_span, value) in view.entries() {
            if holds(key_span) {
                path::push_key(&mut path, key);
                return Some(path);
            }
            if holds(value.span()) {
                path::push_key(&mut path, key);
                next = Some(value);
            }
        }
        for (index, item) in view.items().enumerate().filter(|(_, item)| holds(item.span())) {
            path.push_str(&format!("[{index}]"));
            next = Some(item);
        }
        match next {
            Some(next) => view = next,
            None => return (!path.is_empty()).then_some(path),
        }
    }
}

/// The place in the manifest, in the patch that changed the value, or in the kustomization that did.
fn written<'b>(bundle: &'b Bundle, made: &Rendering, file: FileId, rendered: View<'b>, field: &str) -> Place<'b> {
    let Some((document, object)) = same_object(bundle, file, rendered) else {
        return Place::new(made.root, Span::default(), None);
    };
    let wanted = path::follow(rendered, field);
    let own = at(file, document, object, rendered, field);
    // Maps and lists may be put together from several files.
    let is_whole = wanted.view.is_map() || wanted.view.is_seq();
    let is_same = |place: &Place<'_>| place.value.is_some_and(|(_, found)| is_whole || found.same(wanted.view));
    if !wanted.whole || is_same(&own) {
        return own;
    }
    let name = object.at(&["metadata", "name"]).and_then(View::str).unwrap_or_default();
    // A patch with a target goes by that, whatever its own name is.
    for name in [Some(name), None] {
        for part in made.parts.iter().filter(|part| **part != file) {
            let patches = patches(bundle, *part, rendered, name);
            let mut places = patches.into_iter().map(|(document, patch)| at(*part, document, patch, rendered, field));
            if let Some(place) = places.find(is_same) {
                return place;
            }
        }
    }
    transformer(bundle, made, field).unwrap_or(own)
}

/// Documents of a part that are partial objects of the same kind and name; without a name those of files that are patches.
fn patches<'b>(
    bundle: &'b Bundle,
    part: FileId,
    rendered: View<'b>,
    name: Option<&str>,
) -> Vec<(&'b Document, View<'b>)> {
    let file = bundle.file(part);
    if name.is_none() && file.role != Role::NotJudged {
        return Vec::new();
    }
    let all = file.documents.iter().filter_map(|document| Some((document, file.tree.view(document.root?))));
    all.filter(|(_, view)| view.get_str("kind") == rendered.get_str("kind"))
        .filter(|(_, view)| name.is_none_or(|name| view.at(&["metadata", "name"]).and_then(View::str) == Some(name)))
        .collect()
}

/// The place of a field of the rendered object in an object as written.
fn at<'b>(file: FileId, document: &Document, object: View<'b>, rendered: View<'b>, field: &str) -> Place<'b> {
    let (field, whole) = translate(rendered, object, field);
    let found = path::follow(object, &field);
    let value = whole.and_then(|rendered| Some((rendered, found.whole.then_some(found.view)?)));
    Place { value, ..Place::new(file, path::place(object, &field), Some(document.index)) }
}

/// The object of a file that became the rendered one: prefixes, suffixes and namespaces may have changed its name.
fn same_object<'b>(bundle: &'b Bundle, file: FileId, rendered: View<'b>) -> Option<(&'b Document, View<'b>)> {
    let name = |view: View<'b>| view.at(&["metadata", "name"]).and_then(View::str).unwrap_or_default();
    let parsed = bundle.file(file);
    let roots = parsed.documents.iter().filter_map(|document| Some((document, parsed.tree.view(document.root?))));
    let objects = roots.flat_map(|(document, root)| {
        let items: Vec<View<'b>> = root.list("items").collect();
        let all = if items.is_empty() { vec![root] } else { items };
        all.into_iter().map(move |view| (document, view))
    });
    let alike = objects.filter(|(_, view)| view.get_str("kind") == rendered.get_str("kind"));
    let candidates: Vec<_> = alike.filter(|(_, view)| name(rendered).contains(name(*view))).collect();
    // The longest name is the nearest.
    candidates.into_iter().max_by_key(|(_, view)| name(*view).len())
}

/// Keys by which lists are merged, so that an item is the same item in another order.
const MERGE_KEYS: [&str; 5] = ["name", "mountPath", "containerPort", "port", "ip"];

/// A path of the rendered object in the object as written, and the rendered value where the whole path is there.
fn translate<'b>(rendered: View<'b>, written: View<'_>, field: &str) -> (String, Option<View<'b>>) {
    let (mut rendered, mut written, mut out) = (rendered, written, String::new());
    for step in path::parse(field) {
        match step {
            Step::Index(index) if rendered.is_seq() => {
                let Some(item) = rendered.items().nth(index) else { return (out, None) };
                let found = same_item(item, written, index);
                out.push_str(&format!("[{}]", found.unwrap_or(index)));
                let Some(next) = found.and_then(|found| written.items().nth(found)) else { return (out, None) };
                (rendered, written) = (item, next);
            }
            step => {
                let key = match step {
                    Step::Index(index) => index.to_string(),
                    Step::Field(name) | Step::Key(name) => name.to_owned(),
                };
                path::push_key(&mut out, &key);
                let (Some((_, item)), Some((_, next))) = (rendered.entry(&key), written.entry(&key)) else {
                    return (out, None);
                };
                (rendered, written) = (item, next);
            }
        }
    }
    (out, Some(rendered))
}

fn same_item(item: View<'_>, list: View<'_>, index: usize) -> Option<usize> {
    for key in MERGE_KEYS {
        if let Some((_, wanted)) = item.entry(key) {
            return list.items().position(|other| other.entry(key).is_some_and(|(_, found)| found.same(wanted)));
        }
    }
    let same = list.items().position(|other| other.same(item));
    same.or_else(|| (index < list.len()).then_some(index))
}

/// The entry of a kustomization's generator: the name it gives is the start of the rendered one's.
fn generator(bundle: &Bundle, file: FileId, rendered: View<'_>) -> Option<Span> {
    let parsed = bundle.file(file);
    let root = parsed.tree.view(parsed.documents.first()?.root?);
    let name = rendered.at(&["metadata", "name"])?.str()?;
    let key = if rendered.get_str("kind") == Some("Secret") { "secretGenerator" } else { "configMapGenerator" };
    let entries = root.list(key).filter_map(|entry| entry.get("name"));
    let found = entries.filter(|entry| entry.str().is_some_and(|own| name.contains(own)));
    found.max_by_key(|entry| entry.str().map_or(0, str::len)).map(View::span).or_else(|| root.key_span(key))
}

/// The key of the outermost kustomization that changes a field of this kind.
fn transformer<'b>(bundle: &'b Bundle, made: &Rendering, field: &str) -> Option<Place<'b>> {
    let keys: &[&str] = match field {
        "metadata.namespace" => &["namespace"],
        "metadata.name" => &["namePrefix", "nameSuffix"],
        "spec.replicas" => &["replicas", "patches", "patchesStrategicMerge", "patchesJson6902"],
        _ if field.ends_with(".image") => &["images", "patches", "patchesStrategicMerge", "patchesJson6902"],
        _ if field.contains("abels") || field.contains("selector") => &["labels", "commonLabels", "patches"],
        _ => &["patches", "patchesJson6902", "patchesStrategicMerge", "replacements", "transformers", "components"],
    };
    for part in &made.parts {
        let name = bundle.sources.get(*part).name.rsplit(['/', '\\']).next().unwrap_or_default();
        let parsed = bundle.file(*part);
        let Some(root) = parsed.documents.first().and_then(|document| document.root) else { continue };
        if !name.to_lowercase().starts_with("kustomization") {
            continue;
        }
        let root = parsed.tree.view(root);
        if let Some(span) = keys.iter().find_map(|key| root.key_span(key)) {
            return Some(Place::new(*part, span, Some(0)));
        }
    }
    None
}
