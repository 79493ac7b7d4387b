//! What must hold for any input. The fuzzer calls these, and `tests/fuzz_short.rs` with a few thousand fixed inputs.

use kplan::source::SourceText;

use kplan::config::Settings;
use kplan::load::{self, Input};
use kplan::model::Version;
use kplan::model::quantity::Quantity;
use kplan::schema::{Schema, check};
use kplan::source::Span;
use kplan::yaml::{self, Value, View, edit, scalar};
use kplan::{defaults, diag::Diagnostic, lint, parse, validate};

/// What is called with an input.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 6] = [
    ("events", events),
    ("composer", composer),
    ("scalars", scalars),
    ("quantity", quantity),
    ("decode", decode),
    ("edit", edit),
];

fn text(data: &[u8]) -> SourceText {
    SourceText::from(String::from_utf8_lossy(data))
}

/// The events of one YAML document: reading ends, and every span lies in the text.
pub fn events(data: &[u8]) {
    let text = text(data);
    let file = yaml::read_unsplit(&text);
    for document in &file.documents {
        assert!(text.get(document.span.range()).is_some(), "a document outside of the text");
        assert!(document.root.is_some() || document.error.is_some() || is_blank(&text), "neither root nor error");
        if let Some(root) = document.root {
            spans(&text, file.tree.view(root));
        }
    }
    for comment in &file.comments {
        assert!(text.get(comment.range()).is_some_and(|comment| comment.starts_with('#')), "no comment");
    }
}

/// Whether a document has nothing in it; what that is, the reader says.
fn is_blank(text: &str) -> bool {
    text.split(['\n', '\r']).all(|line| {
        // At the start of any line a byte order mark counts as nothing.
        let line = line.trim_start_matches('\u{feff}').trim();
        line.is_empty() || line.starts_with(['#', '%']) || line == "---" || line == "..." || line.starts_with("--- #")
    })
}

fn spans(text: &str, view: View<'_>) {
    assert!(text.get(view.span().range()).is_some(), "a span outside of the text");
    for (_, key, value) in view.entries() {
        assert!(text.get(key.range()).is_some(), "a key outside of the text");
        spans(text, value);
    }
    for item in view.items() {
        spans(text, item);
    }
}

/// A stream of documents: what was read is written as JSON and reads back as the same.
pub fn composer(data: &[u8]) {
    let text = text(data);
    let file = yaml::read(&text);
    for root in file.documents.iter().filter_map(|document| document.root) {
        let view = file.tree.view(root);
        let json = view.to_json();
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "not JSON: {json}");
        let again = yaml::read_unsplit(&SourceText::from(json.as_str()));
        // kubectl's reader has limits of depth and size that JSON need not keep.
        if let Some(root) = again.documents.first().and_then(|document| document.root) {
            assert_eq!(again.tree.view(root).to_json(), json);
        }
    }
}

/// A plain scalar: it resolves, and what a string is written as reads back as that string.
pub fn scalars(data: &[u8]) {
    let text = text(data);
    let _ = scalar::resolve(&text);
    for tag in ["!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp", "!x"] {
        let _ = scalar::resolve_tagged(tag, &text);
    }
    let _ = yaml::base64::decode(data);
    assert_eq!(yaml::base64::decode(yaml::base64::encode(data).as_bytes()).as_deref(), Ok(data));
    // YAML has no way to write these.
    let unwritable = |char: char| char == '\u{feff}' || char == '\u{fffe}' || char == '\u{ffff}' || char == '\u{7f}';
    if text.chars().any(|char| unwritable(char) || char.is_control()) {
        return;
    }
    let written: SourceText = format!("key: {}\n", edit::quoted(&text)).into();
    let file = yaml::read_unsplit(&written);
    let root = file.documents.first().and_then(|document| document.root);
    let read = root.and_then(|root| file.tree.view(root).get("key"));
    assert_eq!(read.and_then(View::str), Some(&*text), "{}", &*written);
}

/// A quantity: its canonical form is canonical, and means the same.
pub fn quantity(data: &[u8]) {
    let text = text(data);
    let _ = Quantity::parse_json(&text);
    let Ok(quantity) = Quantity::parse(&text) else { return };
    let _ = (quantity.value(), quantity.milli_value(), quantity.value_saturating(), quantity.milli_value_saturating());
    let canonical = quantity.canonical();
    let again = Quantity::parse(&canonical).unwrap_or_else(|error| panic!("{canonical}: {error}"));
    assert_eq!(again.canonical(), canonical);
    // Beyond E there is no suffix, and the canonical form of Kubernetes loses the exponent: 7000E is 7.
    let has_suffix = !matches!(quantity.value_saturating(), i64::MAX | i64::MIN);
    assert!(again == quantity || !has_suffix, "{} is {canonical}", &*text);
    let stored = quantity.stored();
    assert_eq!(stored.stored(), stored);
}

/// An object of any kind, chosen by the first byte: decoding, defaults, validation and warnings end.
pub fn decode(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let schema = Schema::of(Version::DEFAULT).expect("facts");
    let kind = &schema.kinds()[usize::from(*first) % schema.kinds().len()];
    let file = yaml::read_unsplit(&text(rest));
    let Some(root) = file.documents.first().and_then(|document| document.root) else { return };
    let object = file.tree.view(root);
    if !matches!(object.value(), Value::Map(_)) {
        return;
    }
    let decoded = check(schema, kind, object);
    let (tree, id) = defaults::received(schema, object, kind);
    if decoded.message.is_some() {
        return;
    }
    let full = tree.view(id);
    let group = kind.api_version.split_once('/').map_or("", |(group, _)| group);
    let found = validate::object(group, kind.kind, full);
    let _ = validate::status_message(kind.kind, group, "name", &found);
    let _ = validate::warnings(group, kind.kind, full);
    let unchanged = validate::update(group, kind.kind, full, full);
    assert!(unchanged.iter().all(|cause| !cause.message.contains("immutable")), "{unchanged:?}");
}

/// A file with its fixes applied: it is as long as the edits make it, and still reads.
pub fn edit(data: &[u8]) {
    let settings = Settings::default();
    let schema = Schema::of(settings.kube_version).expect("facts");
    let content = Ok(data.to_vec());
    let input = Input { name: "fuzz.yaml".to_owned(), content, path: 0, explicit: true };
    let (loaded, _) = load::assemble(vec![input], &settings);
    let scope = |version: &str, kind: &str| schema.served(version, kind).map(|kind| kind.namespaced);
    let (mut bundle, mut found) = parse::run(loaded, &settings, &scope);
    defaults::run(&mut bundle, schema);
    found.extend(validate::run(&bundle, None, schema));
    found.extend(lint::run(&bundle, None, &settings));
    let Some((_, source)) = bundle.sources.iter().next() else { return };
    let edits = safe_edits(&found);
    let (after, _) = edit::apply(&source.text, &edits);
    if edits.is_empty() {
        assert_eq!(*after, *source.text);
        return;
    }
    let broken =
        |text: &str| yaml::read(&SourceText::from(text)).documents.iter().filter(|d| d.error.is_some()).count();
    assert!(broken(&after) <= broken(&source.text), "an edit broke the file:\n{after}");
}

fn safe_edits(found: &[Diagnostic]) -> Vec<(Span, &str)> {
    let fixes = found.iter().filter_map(|diagnostic| diagnostic.fix.as_ref()).filter(|fix| fix.safe);
    let mut kept: Vec<(Span, &str)> = Vec::new();
    for fix in fixes {
        let overlaps = |span: Span| {
            kept.iter().any(|(other, _)| span.start < other.end && other.start < span.end || *other == span)
        };
        if !fix.edits.iter().any(|edit| overlaps(edit.span)) {
            kept.extend(fix.edits.iter().map(|edit| (edit.span, edit.text.as_str())));
        }
    }
    kept
}
