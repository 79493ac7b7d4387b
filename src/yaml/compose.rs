//! Events of one chunk → nodes: anchors, aliases, merges, tags, and go-yaml's limits.

use std::collections::HashMap;

use super::builder::{Builder, ScalarNode, complete_key_error};
use super::events::{Event, EventKind, Parser, ScanError, Style};
use super::scalar::{self, Scalar};
use super::tree::{NodeId, Tree, Value};
use crate::source::Span;

/// Why a document cannot be read, in the reader's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    pub message: String,
    pub span: Span,
}

/// What composing a chunk gave beside the nodes.
#[derive(Default)]
pub(super) struct Composed {
    pub root: Option<NodeId>,
    pub error: Option<ReadError>,
    /// Places of all scalars, in order; block scalars without their header line.
    pub scalars: Vec<Span>,
}

/// Composes the first document of `text`, whose spans start at `base`.
pub(super) fn compose(tree: &mut Tree, text: &str, base: usize) -> Composed {
    let limit = tree.source().len().min(base + text.len());
    let mut composer = Composer {
        builder: Builder::new(tree),
        parser: Parser::new(text, base, limit),
        anchors: HashMap::new(),
        open: Vec::new(),
        aliased: false,
        out: Composed::default(),
    };
    let chunk = Span::new(base, limit);
    if has_other_version(text) {
        let message = "yaml: found incompatible YAML document".to_owned();
        composer.out.error = Some(ReadError { message, span: Span::new(base, base) });
    } else if let Err(error) = composer.document(chunk) {
        composer.out.error = Some(error);
    } else {
        composer.out.root = composer.builder.root();
    }
    let Composer { aliased, mut out, .. } = composer;
    if let (true, Some(root)) = (aliased, out.root)
        && let Err(message) = check_aliasing(tree, root)
    {
        out.error = Some(ReadError { message, span: tree.node(root).span });
        out.root = None;
    }
    out
}

struct Composer<'t, 's> {
    builder: Builder<'t>,
    parser: Parser<'s>,
    /// `None` while the anchored node is still open.
    anchors: HashMap<String, Option<NodeId>>,
    /// Anchors of the open containers.
    open: Vec<Option<String>>,
    aliased: bool,
    out: Composed,
}

impl Composer<'_, '_> {
    fn next(&mut self, chunk: Span) -> Result<Event, ReadError> {
        self.parser.next().map_err(|error| scan_error(&error, chunk))
    }

    /// Pulls events up to the end of the first document; what follows it kubectl never looks at.
    fn document(&mut self, chunk: Span) -> Result<(), ReadError> {
        loop {
            let event = self.next(chunk)?;
            let span = event.span;
            let fail = |message: String| ReadError { message, span };
            match event.kind {
                EventKind::StreamStart => {}
                EventKind::StreamEnd | EventKind::DocumentEnd => return Ok(()),
                EventKind::DocumentStart => {}
                EventKind::Alias => self.alias(&event).map_err(fail)?,
                EventKind::Scalar(style) => self.scalar(&event, style, chunk)?,
                EventKind::SequenceStart | EventKind::MappingStart => {
                    let anchor = event.anchor().map(str::to_owned);
                    if let Some(anchor) = &anchor {
                        self.anchors.insert(anchor.clone(), None);
                    }
                    self.open.push(anchor);
                    let is_map = event.kind == EventKind::MappingStart;
                    self.builder.open(is_map, span.start).map_err(fail)?;
                }
                EventKind::SequenceEnd | EventKind::MappingEnd => {
                    let end = trimmed_end(self.builder.tree, span);
                    let id = self.builder.close(end).map_err(|message| fail(self.empty_key(span, chunk, message)))?;
                    if let Some(Some(anchor)) = self.open.pop() {
                        self.anchors.insert(anchor, Some(id));
                    }
                }
            }
        }
    }

    /// go-yaml v2 loses track of an empty flow collection that is a key and then misses the key.
    fn empty_key(&self, span: Span, chunk: Span, message: String) -> String {
        if message.ends_with("interface {}{}") {
            let before = &self.builder.tree.source()[chunk.start as usize..span.start as usize];
            return match before.matches('\n').count() {
                0 => "yaml: did not find expected key".to_owned(),
                line => format!("yaml: line {line}: did not find expected key"),
            };
        }
        message
    }

    fn alias(&mut self, event: &Event) -> Result<(), String> {
        self.aliased = true;
        let name = event.anchor().unwrap_or_default();
        match self.anchors.get(name) {
            None => Err(format!("yaml: unknown anchor '{name}' referenced")),
            Some(None) => Err(format!("yaml: anchor '{name}' value contains itself")),
            Some(Some(target)) => self.builder.alias(*target, event.span),
        }
    }

    fn scalar(&mut self, event: &Event, style: Style, chunk: Span) -> Result<(), ReadError> {
        let span = event.span;
        let fail = |message: String| ReadError { message, span };
        let source = self.builder.tree.source().clone();
        self.out.scalars.push(content_span(&source, span, style));
        if style == Style::DoubleQuoted && has_slash_escape(&source[span.range()]) {
            return Err(fail("yaml: found unknown escape character".to_owned()));
        }
        if style == Style::Plain && self.in_flow() && source[span.range()].contains('?') {
            return Err(fail(self.question_mark(span, chunk)));
        }
        let mut text = std::borrow::Cow::Borrowed(event.value());
        let resolved = match event.tag() {
            None if event.plain_implicit() && style == Style::Plain => scalar::resolve(&text),
            None => Scalar::Str,
            Some("tag:yaml.org,2002:binary") => {
                text = decode_binary(&text).map_err(fail)?.into();
                Scalar::Str
            }
            Some(tag) => scalar::resolve_tagged(tag, &text).map_err(|error| fail(format!("yaml: {error}")))?,
        };
        let merges = &*text == "<<" && event.tag().is_none() && style == Style::Plain;
        let node = ScalarNode { span, text: &text, resolved, merges };
        let id = match self.builder.scalar(&node) {
            Ok(id) => id,
            Err(message) => {
                let value = self.peek_value(chunk);
                return Err(fail(complete_key_error(message, &value)));
            }
        };
        if let Some(anchor) = event.anchor() {
            let id = id.unwrap_or_else(|| self.anchored_key(&node));
            self.anchors.insert(anchor.to_owned(), Some(id));
        }
        Ok(())
    }

    /// Whether the innermost open collection is written with brackets.
    fn in_flow(&self) -> bool {
        self.builder
            .innermost()
            .is_some_and(|start| self.builder.tree.source()[start as usize..].starts_with(['[', '{']))
    }

    /// go-yaml v2 ends a plain scalar in brackets at a `?`, and then misses the comma.
    fn question_mark(&self, span: Span, chunk: Span) -> String {
        let source = self.builder.tree.source();
        let start = self.builder.innermost().unwrap_or(span.start);
        let bracket = if source[start as usize..].starts_with('[') { ']' } else { '}' };
        let line_of = |at: u32| source[chunk.start as usize..at as usize].matches('\n').count();
        match (line_of(span.start), line_of(start)) {
            (0, 0) => format!("yaml: did not find expected ',' or '{bracket}'"),
            (0, line) | (line, _) => format!("yaml: line {line}: did not find expected ',' or '{bracket}'"),
        }
    }

    /// A node for an anchor that stands on a key, where the tree keeps no node.
    fn anchored_key(&mut self, node: &ScalarNode<'_>) -> NodeId {
        let tree = &mut *self.builder.tree;
        let text = tree.text_at(node.span, node.text);
        tree.push(node.span, Value::Str(text))
    }

    /// The value of a key that JSON cannot have, as Go prints it in the error.
    fn peek_value(&mut self, chunk: Span) -> String {
        match self.next(chunk) {
            Ok(event) if matches!(event.kind, EventKind::Scalar(_)) => format!("{:?}", event.value()),
            _ => "interface {}(nil)".to_owned(),
        }
    }
}

fn scan_error(error: &ScanError, chunk: Span) -> ReadError {
    let message = match error.line {
        Some(line) => format!("yaml: line {line}: {}", error.problem),
        None => format!("yaml: {}", error.problem),
    };
    let at = (chunk.start + error.offset as u32).min(chunk.end);
    ReadError { message, span: Span { start: at, end: at } }
}

/// A block collection ends where the next token starts; its span should end with its last line instead.
fn trimmed_end(tree: &Tree, span: Span) -> u32 {
    if span.end > span.start {
        return span.end;
    }
    let before = &tree.source()[..span.start as usize];
    let mut end = before.len();
    loop {
        let line_start = before[..end].rfind('\n').map_or(0, |at| at + 1);
        let line = before[line_start..end].trim();
        if line_start == 0 || !(line.is_empty() || line.starts_with('#')) {
            let kept = before[line_start..end].trim_end().len();
            return (line_start + kept) as u32;
        }
        end = line_start - 1;
    }
}

/// kubectl takes no `%YAML` directive but 1.1; libyaml also takes 1.2.
fn has_other_version(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let version = lines.next().and_then(|line| line.strip_prefix("%YAML "));
    version.is_some_and(|version| {
        let rest = version.trim_start().strip_prefix("1.1");
        rest.is_none_or(|rest| rest.starts_with(|char: char| char.is_ascii_digit()))
    })
}

/// The span without the header line of a block scalar, which may hold a comment.
fn content_span(source: &str, span: Span, style: Style) -> Span {
    let header = match style {
        Style::Block => source[span.range()].find('\n').unwrap_or(0),
        _ => 0,
    };
    Span { start: span.start + header as u32, end: span.end }
}

/// `\/` is no escape in kubectl's YAML, though libyaml takes it.
fn has_slash_escape(quoted: &str) -> bool {
    let mut bytes = quoted.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && bytes.next() == Some(b'/') {
            return true;
        }
    }
    false
}

fn decode_binary(text: &str) -> Result<String, String> {
    let bad = || "yaml: !!binary value contains invalid base64 data".to_owned();
    let bytes = super::base64::decode(text.as_bytes()).map_err(|_| bad())?;
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()).or_else(Ok)
}

/// go-yaml's guard against alias bombs: the share of decoding steps that aliases cause.
fn check_aliasing(tree: &Tree, root: NodeId) -> Result<(), String> {
    let mut seen = vec![false; tree.size().0];
    let (mut steps, mut aliased) = (1_u64, 0_u64);
    let mut stack = vec![(root, false)];
    while let Some((id, in_alias)) = stack.pop() {
        let again = std::mem::replace(&mut seen[id.0 as usize], true);
        let in_alias = in_alias || again;
        steps += 1;
        aliased += u64::from(in_alias);
        if aliased > 100 && steps > 1000 && aliased as f64 / steps as f64 > allowed_ratio(steps) {
            return Err("yaml: document contains excessive aliasing".to_owned());
        }
        match tree.node(id).value {
            Value::Seq(run) => stack.extend(tree.items(run).iter().rev().map(|item| (*item, in_alias))),
            Value::Map(run) => {
                let entries = tree.entries(run);
                steps += entries.len() as u64;
                aliased += if in_alias { entries.len() as u64 } else { 0 };
                stack.extend(entries.iter().rev().map(|entry| (entry.value, in_alias)));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Few steps may nearly all come from aliases, four million hardly any.
fn allowed_ratio(steps: u64) -> f64 {
    const LOW: u64 = 400_000;
    const HIGH: u64 = 4_000_000;
    match steps {
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ((steps - LOW) as f64 / (HIGH - LOW) as f64),
    }
}
