//! The state of a cluster as one file: what `kplan snapshot` writes, and what `--snapshot` and `--base snapshot:` read.
//!
//! ```text
//! {"apiVersion":"v1","kind":"List","metadata":{"annotations":{"kplan.dev/snapshot":"v1",…}},"items":[
//! {"apiVersion":"v1","kind":"ConfigMap",…},
//! …
//! ]}
//! ```

mod kinds;
mod parts;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Settings;
use crate::defaults;
use crate::diag::Diagnostic;
use crate::load::{self, Input};
use crate::model::{Bundle, Full, Live, ObjectId, Role};
use crate::parse;
use crate::schema::Schema;
use crate::source::Span;
use crate::yaml::View;

pub use kinds::{EVERYWHERE, NEARBY, REFERRED, REST};
pub use parts::read_parts;
pub use write::{document, strip};

/// The version of the form, under `kplan.dev/snapshot`.
pub const VERSION: &str = "v1";
/// On a Secret whose values were taken out.
pub const VALUES: &str = "kplan.dev/values";
const SNAPSHOT: &str = "kplan.dev/snapshot";
const KUBE_VERSION: &str = "kplan.dev/kube-version";
const TAKEN: &str = "kplan.dev/taken";
const CONTEXT: &str = "kplan.dev/context";
const OBJECTS: &str = "kplan.dev/objects";
const UNREAD: &str = "kplan.dev/unread";

/// Where and when a snapshot was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// `v1.36.3`
    pub kube_version: String,
    /// RFC 3339, UTC.
    pub taken: String,
    /// Context of the kubeconfig.
    pub context: String,
    /// What could not be read, in order.
    pub unread: Vec<Unread>,
}

/// Objects of a kind that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Unread {
    pub kind: String,
    /// The server's message.
    pub why: String,
}

/// A cluster as it was.
#[derive(Debug)]
pub struct Snapshot {
    /// With defaults; [`Bundle::live`] is set.
    pub bundle: Bundle,
    pub about: About,
}

/// Why a file is no snapshot that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError {
    /// What is wrong, with the place where there is one.
    pub message: String,
    pub help: String,
}

impl SnapshotError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> SnapshotError {
        SnapshotError { message: message.into(), help: help.into() }
    }

    fn broken(name: &str, what: &str) -> SnapshotError {
        SnapshotError::new(
            format!("{name} is broken: {what}"),
            "take the snapshot again; the file may have been cut off",
        )
    }
}

/// Reads a snapshot from its text; `name` is the file's.
///
/// # Errors
/// The text is no YAML or JSON, no snapshot, one of another version, or not whole.
pub fn read(name: &str, text: impl Into<Vec<u8>>, settings: &Settings) -> Result<Snapshot, SnapshotError> {
    let (mut bundle, diagnostics) = parse_text(name, text.into(), settings);
    let about = check(name, &bundle, &diagnostics)?;
    complete(&mut bundle, &about.unread, kinds::held(), settings);
    Ok(Snapshot { bundle, about })
}

/// Holds what was parsed against the form.
fn check(name: &str, bundle: &Bundle, diagnostics: &[Diagnostic]) -> Result<About, SnapshotError> {
    let place = |span: Span| {
        let at = bundle.sources.iter().next().map(|(_, source)| source.line_column(span.start));
        at.map_or_else(|| name.to_owned(), |at| format!("{name}:{}:{}", at.line, at.column))
    };
    let documents = || bundle.files.iter().flat_map(|file| file.documents.iter().map(move |document| (file, document)));
    if let Some(error) = documents().find_map(|(_, document)| document.error.as_ref()) {
        return Err(SnapshotError::broken(&place(error.span), &error.message));
    }
    let roots: Vec<View<'_>> =
        documents().filter_map(|(file, document)| Some(file.tree.view(document.root?))).collect();
    let root = match roots[..] {
        [root] => root,
        [] => return Err(no_snapshot(name, "it is empty")),
        _ => return Err(no_snapshot(name, &format!("it has {} documents, a snapshot is one", roots.len()))),
    };
    let items = root.get("items").filter(|items| items.is_seq());
    let about = about(name, root, items.map(View::len))?;
    match diagnostics.first() {
        Some(found) => Err(SnapshotError::broken(&place(found.span), &found.message)),
        None => Ok(about),
    }
}

fn parse_text(name: &str, text: Vec<u8>, settings: &Settings) -> (Bundle, Vec<Diagnostic>) {
    let input = Input { name: name.to_owned(), content: Ok(text), path: 0, explicit: true };
    let (mut loaded, mut diagnostics) = load::assemble(vec![input], settings);
    loaded.roles.fill(Role::State);
    let (bundle, found) = parse::run(loaded, settings, &scope(settings));
    diagnostics.extend(found);
    (bundle, diagnostics)
}

/// Whether a kind is namespaced, by what is built in.
fn scope(settings: &Settings) -> impl Fn(&str, &str) -> Option<bool> + Sync + use<> {
    let schema = Schema::of(settings.kube_version);
    move |api_version: &str, kind: &str| {
        schema.and_then(|schema| schema.stands_for(api_version, kind)).map(|kind| kind.namespaced)
    }
}

/// Makes objects that were read from a cluster its state: with defaults and their status, with the kinds of which all
/// were asked for ([`Live::whole`]), and with what could not be read.
pub fn complete(
    bundle: &mut Bundle,
    unread: &[Unread],
    whole: BTreeMap<String, BTreeSet<String>>,
    settings: &Settings,
) {
    if let Some(schema) = Schema::of(settings.kube_version) {
        // Of what a controller makes in thousands, the server has filled in all there is.
        defaults::some(bundle, schema, &|object, view| object.kind != "Pod" || !is_owned(view));
    }
    for id in bundle.ids() {
        keep_status(bundle, id);
    }
    bundle.live = Some(Live { unread: unread.iter().map(|unread| unread.kind.clone()).collect(), whole });
}

fn is_owned(view: View<'_>) -> bool {
    let mut owners = view.get("metadata").into_iter().flat_map(|metadata| metadata.list("ownerReferences"));
    view.get("status").is_some() && owners.any(|owner| owner.get_bool("controller"))
}

/// Defaults are those of objects that are sent, which have no status; what is live has one.
fn keep_status(bundle: &mut Bundle, id: ObjectId) {
    let mut full = std::mem::take(&mut bundle.objects[id.0 as usize].full);
    if let (Full::Made(made), Some(status)) = (&mut full, bundle.written(id).get("status")) {
        let status = made.0.copy(status.tree, status.id);
        made.0.insert(made.1, "status", status);
    }
    bundle.objects[id.0 as usize].full = full;
}

fn no_snapshot(name: &str, why: &str) -> SnapshotError {
    SnapshotError::new(
        format!("{name} is no snapshot: {why}"),
        "a snapshot is what `kplan snapshot` writes; nodes alone are given with --nodes, manifests with --base dir:PATH",
    )
}

/// Reads the annotations of the list and holds the number of its items against them.
fn about(name: &str, root: View<'_>, items: Option<usize>) -> Result<About, SnapshotError> {
    let annotations = root.at(&["metadata", "annotations"]);
    let text = |key: &str| annotations.and_then(|map| map.get_str(key)).unwrap_or_default().to_owned();
    match text(SNAPSHOT).as_str() {
        "" => return Err(no_snapshot(name, &format!("it has no annotation {SNAPSHOT}"))),
        VERSION => {}
        other => {
            let message = format!("{name} is a snapshot of version `{other}`, and this kplan reads {VERSION}");
            return Err(SnapshotError::new(
                message,
                "take it again with this kplan, or read it with the one that wrote it",
            ));
        }
    }
    let Some(found) = items else {
        return Err(SnapshotError::broken(name, "it has no `items`"));
    };
    let written = text(OBJECTS);
    if !written.is_empty() && written != found.to_string() {
        return Err(SnapshotError::broken(
            name,
            &format!("it had {written} objects when it was written, and has {found}"),
        ));
    }
    let unread = match text(UNREAD).as_str() {
        "" => Vec::new(),
        json => serde_json::from_str(json)
            .map_err(|error| SnapshotError::broken(name, &format!("annotation {UNREAD}: {error}")))?,
    };
    Ok(About { kube_version: text(KUBE_VERSION), taken: text(TAKEN), context: text(CONTEXT), unread })
}

#[cfg(test)]
mod tests;
