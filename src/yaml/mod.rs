//! Manifests as kubectl reads them: stream splitting, YAML 1.1 scalars, merges, JSON, comments.
//!
//! Imports nothing else of the crate but [`crate::source::Span`], so that it can leave one day.

pub mod base64;
mod builder;
mod comments;
mod compose;
pub mod edit;
pub mod events;
mod json;
pub mod scalar;
mod scan;
mod split;
mod states;
mod tree;
mod view;

pub use compose::ReadError;
pub use json::Skim;
pub use tree::{Duplicate, Entry, Node, NodeId, Run, Text, Tree, Value};
pub use view::{View, write_json_string};

use crate::source::{SourceText, Span};

/// One document of a file: a chunk between separators, or one value of a JSON stream.
#[derive(Clone, Debug)]
pub struct Document {
    /// 0-based over the chunks of the file; a chunk of comments counts, a blank one does not.
    pub index: u32,
    pub span: Span,
    /// The root; `None` for an empty or unreadable document.
    pub root: Option<NodeId>,
    /// Why it cannot be read, or what is wrong with the separator that ends it.
    pub error: Option<ReadError>,
}

/// A file after reading. Reading never fails: what is wrong stands in the documents.
#[derive(Debug)]
pub struct File {
    pub tree: Tree,
    pub documents: Vec<Document>,
    /// From `#` to the end of the line, in order.
    pub comments: Vec<Span>,
}

/// Prefix of the reader's errors, as sigs.k8s.io/yaml adds it.
const CONVERTING: &str = "error converting YAML to JSON: ";

/// kubectl looks at this many bytes before it tries YAML where JSON failed, and gives up where there are fewer.
const SNIFF: usize = 4;

/// Reads every document of a file.
pub fn read(text: &SourceText) -> File {
    read_stream(text, None)
}

/// Reads every document of a file but for the members of JSON objects that `skim` passes over.
pub fn read_skimmed(text: &SourceText, skim: &mut Skim<'_>) -> File {
    read_stream(text, Some(skim))
}

fn read_stream<'f>(text: &SourceText, skim: Option<&'f mut Skim<'f>>) -> File {
    let mut file = File { tree: Tree::new(text.clone()), documents: Vec::new(), comments: Vec::new() };
    let start = json::skip_space(text, 0);
    let from = if text[start..].starts_with('{') { read_json_stream(&mut file, start, skim) } else { Some(0) };
    if let Some(from) = from {
        read_yaml_stream(&mut file, from);
    }
    file.tree.shrink();
    file
}

/// Reads the text as one YAML document, as sigs.k8s.io/yaml alone does, without kubectl's splitting of streams.
pub fn read_unsplit(text: &SourceText) -> File {
    let mut tree = Tree::new(text.clone());
    let span = Span::new(0, text.len());
    let composed = compose_chunk(&mut tree, &split::Chunk { span, lines_before: 0, bad_separator: None });
    let comments = comments::find(text, span, &composed.scalars);
    let documents = vec![Document { index: 0, span, root: composed.root, error: composed.error }];
    File { tree, documents, comments }
}

/// Reads JSON values; gives the offset from which the rest is YAML, which is where the first or second
/// value is no JSON.
fn read_json_stream<'f>(file: &mut File, start: usize, mut skim: Option<&'f mut Skim<'f>>) -> Option<usize> {
    let text = file.tree.source().clone();
    file.tree.reserve(text.len());
    let mut at = start;
    while at < text.len() {
        let index = file.documents.len() as u32;
        match json::read(&mut file.tree, &text, at, skim.as_deref_mut().map(|skim| skim as &mut Skim<'_>)) {
            Ok((root, end)) => {
                let span = Span::new(at, end);
                file.documents.push(Document { index, span, root: Some(root), error: None });
                at = json::skip_space(&text, end);
            }
            Err(_) if index <= 1 && text.len() - at >= SNIFF && yaml_reads(&text, at) => return Some(at),
            Err(error) => {
                let message = match index {
                    0 | 1 if error.message != "unexpected EOF" => {
                        format!("json: offset {}: {}", error.offset + 1, error.message)
                    }
                    _ => error.message,
                };
                let place = Span::new(error.offset, (error.offset + 1).min(text.len()));
                let error = Some(ReadError { message, span: place });
                let span = Span::new(at, text.len());
                file.documents.push(Document { index, span, root: None, error });
                return None;
            }
        }
    }
    None
}

/// Whether the first YAML document from `at` on can be read.
fn yaml_reads(text: &SourceText, at: usize) -> bool {
    let mut scratch = Tree::new(text.clone());
    split::chunks(text, at).first().is_some_and(|chunk| compose_chunk(&mut scratch, chunk).error.is_none())
}

fn read_yaml_stream(file: &mut File, from: usize) {
    let text = file.tree.source().clone();
    let first = file.documents.len();
    for (index, chunk) in split::chunks(&text, from).iter().enumerate() {
        let composed = compose_chunk(&mut file.tree, chunk);
        file.comments.extend(comments::find(&text, chunk.span, &composed.scalars));
        let separator = chunk
            .bad_separator
            .as_ref()
            .map(|(rest, span)| ReadError { message: format!("invalid Yaml document separator: {rest}"), span: *span });
        let content = composed
            .error
            .map(|error| ReadError { message: format!("{CONVERTING}{}", error.message), span: error.span });
        file.documents.push(Document {
            index: (first + index) as u32,
            span: chunk.span,
            root: composed.root.filter(|root| !file.tree.view(*root).is_null()),
            error: separator.or(content),
        });
    }
}

fn compose_chunk(tree: &mut Tree, chunk: &split::Chunk) -> compose::Composed {
    let source = tree.source().clone();
    let whole = &source[chunk.span.range()];
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let base = chunk.span.start as usize + whole.len() - text.len();
    // kubectl reads by lines and gives the last one its line end.
    if text.ends_with('\n') {
        return compose::compose(tree, text, base, chunk.lines_before);
    }
    compose::compose(tree, &format!("{text}\n"), base, chunk.lines_before)
}
