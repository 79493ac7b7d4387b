//! Events of one chunk → nodes: anchors, aliases, merges, tags, and go-yaml's limits.

use std::borrow::Cow;
use std::collections::HashMap;

use super::builder::{Builder, MAX_DEPTH, ScalarNode, complete_key_error};
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
/// kubectl counts `lines_before` more lines.
pub(super) fn compose(tree: &mut Tree, text: &str, base: usize, lines_before: u64) -> Composed {
    let mut patched = Cow::Borrowed(text);
    loop {
        let duplicates = tree.duplicates.len();
        let out = compose_once(tree, &patched, base, lines_before, matches!(patched, Cow::Owned(_)));
        // The scanner keeps to libyaml, which does not know the escape `\'` that kubectl takes: put something of its
        // length in its place.
        let Some(at) = unknown_escape(&out, base).filter(|at| patched[*at..].starts_with("\\'")) else { return out };
        patched.to_mut().replace_range(at..at + 2, STAND_IN);
        tree.duplicates.truncate(duplicates);
    }
}

/// Stands for `\'` while the text is scanned; two bytes, and hardly ever in a manifest.
const STAND_IN: &str = "\u{7ff}";

fn unknown_escape(out: &Composed, base: usize) -> Option<usize> {
    let error = out.error.as_ref().filter(|error| error.message.ends_with("found unknown escape character"))?;
    Some(error.span.start as usize - base)
}

fn compose_once(tree: &mut Tree, text: &str, base: usize, lines_before: u64, patched: bool) -> Composed {
    let limit = tree.source().len().min(base + text.len());
    let mut composer = Composer {
        builder: Builder::new(tree),
        parser: Parser::new(text, base, limit),
        anchors: HashMap::new(),
        open: Vec::new(),
        aliased: false,
        lines_before,
        decoding: None,
        patched,
        out: Composed::default(),
    };
    let chunk = Span::new(base, limit);
    if opens_too_much(text) {
        let message = format!("yaml: exceeded max depth of {MAX_DEPTH}");
        composer.out.error = Some(ReadError { message, span: Span::new(base, base) });
    } else if has_other_version(text) {
        let message = "yaml: found incompatible YAML document".to_owned();
        composer.out.error = Some(ReadError { message, span: Span::new(base, base) });
    } else if let Err(error) = composer.document(chunk) {
        composer.out.error = Some(error);
    } else if let Some(error) = composer.decoding.take() {
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
    lines_before: u64,
    /// What go-yaml finds only when it decodes the parsed document: any syntax error further on comes first.
    decoding: Option<ReadError>,
    /// [`STAND_IN`] stands in the text where the source has something else.
    patched: bool,
    out: Composed,
}

impl<'s> Composer<'_, 's> {
    fn next(&mut self, chunk: Span) -> Result<Event<'s>, ReadError> {
        self.parser.next().map_err(|error| self.scan_error(&error, chunk))
    }

    /// Pulls events up to the end of the first document; what follows it kubectl never looks at.
    fn document(&mut self, chunk: Span) -> Result<(), ReadError> {
        loop {
            let event = self.next(chunk)?;
            if matches!(event.kind, EventKind::StreamEnd | EventKind::DocumentEnd) {
                return Ok(());
            }
            if self.decoding.is_none() {
                self.event(&event, chunk)?;
            }
        }
    }

    fn event(&mut self, event: &Event<'_>, chunk: Span) -> Result<(), ReadError> {
        let span = event.span;
        let decoded = match event.kind {
            EventKind::Alias => return self.alias(event),
            EventKind::Scalar(style) => return self.scalar(event, style, chunk),
            EventKind::SequenceStart | EventKind::MappingStart => {
                let anchor = event.anchor().map(str::to_owned);
                if let Some(anchor) = &anchor {
                    self.anchors.insert(anchor.clone(), None);
                }
                self.open.push(anchor);
                self.builder.open(event.kind == EventKind::MappingStart, span.start).map(|_| ())
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => {
                let end = trimmed_end(self.builder.tree, span);
                match self.builder.close(end) {
                    Ok(id) => {
                        if let Some(Some(anchor)) = self.open.pop() {
                            self.anchors.insert(anchor, Some(id));
                        }
                        Ok(())
                    }
                    Err(message) => Err(self.empty_key(span, chunk, message)),
                }
            }
            _ => Ok(()),
        };
        if let Err(message) = decoded {
            self.decoding = Some(ReadError { message, span });
        }
        Ok(())
    }

    /// Prefixes a message with its line as go-yaml does: the problem's, or its context's; none where both are 0.
    fn with_line(&self, problem: u64, context: u64, in_scanner: bool, message: &str) -> String {
        let line = match (problem + self.lines_before, context + self.lines_before) {
            (0, 0) => return format!("yaml: {message}"),
            (0, context) => context,
            (line, _) => line + u64::from(in_scanner),
        };
        format!("yaml: line {line}: {message}")
    }

    fn scan_error(&self, error: &ScanError, chunk: Span) -> ReadError {
        let is_reader = error.problem == "control characters are not allowed" || error.problem.contains("UTF-8");
        let problem = error.problem.replace("hexadecimal", "hexdecimal");
        let message = match is_reader {
            true => format!("yaml: {problem}"),
            false => self.with_line(error.problem_line, error.context_line, error.in_scanner, &problem),
        };
        let at = (chunk.start + error.offset as u32).min(chunk.end);
        ReadError { message, span: Span { start: at, end: at } }
    }

    fn written(&self, span: Span) -> &str {
        &self.builder.tree.source()[span.range()]
    }

    /// 0-based line of a place in the chunk.
    fn line_of(&self, at: u32, chunk: Span) -> u64 {
        self.builder.tree.source()[chunk.start as usize..at as usize].matches('\n').count() as u64
    }

    /// go-yaml v2 loses track of an empty flow collection that is a key and then misses the key.
    fn empty_key(&self, span: Span, chunk: Span, message: String) -> String {
        if message.ends_with("interface {}{}") {
            return self.with_line(self.line_of(span.start, chunk), 0, false, "did not find expected key");
        }
        message
    }

    fn alias(&mut self, event: &Event<'_>) -> Result<(), ReadError> {
        self.aliased = true;
        let name = event.anchor().unwrap_or_default();
        let span = event.span;
        let decoded = match self.anchors.get(name) {
            None => return Err(ReadError { message: format!("yaml: unknown anchor '{name}' referenced"), span }),
            Some(None) => Err(format!("yaml: anchor '{name}' value contains itself")),
            Some(Some(target)) => self.builder.alias(*target, span),
        };
        if let Err(message) = decoded {
            self.decoding = Some(ReadError { message, span });
        }
        Ok(())
    }

    fn scalar(&mut self, event: &Event<'_>, style: Style, chunk: Span) -> Result<(), ReadError> {
        let span = event.span;
        self.out.scalars.push(content_span(self.builder.tree.source(), span, style));
        let escapes = style == Style::DoubleQuoted && matches!(event.value, Cow::Owned(_));
        if let Some(at) = if escapes { slash_escape(self.written(span)) } else { None } {
            let line = self.line_of(span.start + at as u32, chunk);
            let message = self.with_line(line, self.line_of(span.start, chunk), true, "found unknown escape character");
            return Err(ReadError { message, span });
        }
        if style == Style::Plain && self.in_flow() && self.written(span).contains('?') {
            return Err(ReadError { message: self.question_mark(span, chunk), span });
        }
        if let Err(message) = self.decode_scalar(event, style, chunk)? {
            self.decoding = Some(ReadError { message, span });
        }
        Ok(())
    }

    /// The part of a scalar that go-yaml looks at only after the whole document is parsed.
    fn decode_scalar(&mut self, event: &Event<'_>, style: Style, chunk: Span) -> Result<Result<(), String>, ReadError> {
        let mut text = Cow::Borrowed(&*event.value);
        if self.patched
            && style == Style::DoubleQuoted
            && text.contains(STAND_IN)
            && !self.written(event.span).contains(STAND_IN)
        {
            text = text.replace(STAND_IN, "'").into();
        }
        let resolved = match event.tag() {
            None if event.plain_implicit && style == Style::Plain => scalar::resolve(&text),
            None => Scalar::Str,
            Some("tag:yaml.org,2002:binary") => match decode_binary(&text) {
                Ok(decoded) => {
                    text = decoded.into();
                    Scalar::Str
                }
                Err(message) => return Ok(Err(message)),
            },
            Some(tag) => match scalar::resolve_tagged(tag, &text) {
                Ok(resolved) => resolved,
                Err(error) => return Ok(Err(format!("yaml: {error}"))),
            },
        };
        let merges = &*text == "<<" && event.tag().is_none() && style == Style::Plain;
        let at = if matches!(text, Cow::Borrowed(_)) { place_of(event, style) } else { None };
        let node = ScalarNode { span: event.span, text: &text, resolved, at, merges };
        let id = match self.builder.scalar(&node) {
            Ok(id) => id,
            Err(message) => {
                let value = self.peek_value(chunk)?;
                return Ok(Err(complete_key_error(message, &value)));
            }
        };
        if let Some(anchor) = event.anchor() {
            let id = id.unwrap_or_else(|| self.anchored_key(&node));
            self.anchors.insert(anchor.to_owned(), Some(id));
        }
        Ok(Ok(()))
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
        let message = format!("did not find expected ',' or '{bracket}'");
        self.with_line(self.line_of(span.start, chunk), self.line_of(start, chunk), false, &message)
    }

    /// A node for an anchor that stands on a key, where the tree keeps no node.
    fn anchored_key(&mut self, node: &ScalarNode<'_>) -> NodeId {
        let tree = &mut *self.builder.tree;
        let text = tree.text_at(node.span, node.text);
        tree.push(node.span, Value::Str(text))
    }

    /// The value of a key that JSON cannot have, as Go prints it in the error.
    fn peek_value(&mut self, chunk: Span) -> Result<String, ReadError> {
        let event = self.next(chunk)?;
        Ok(match event.kind {
            EventKind::Scalar(Style::Plain) if event.tag().is_none() => match scalar::resolve(&event.value) {
                Scalar::Null => "<nil>".to_owned(),
                Scalar::Str => format!("{:?}", event.value),
                _ => event.value.into_owned(),
            },
            EventKind::Scalar(_) => format!("{:?}", event.value),
            _ => "interface {}(nil)".to_owned(),
        })
    }
}

/// Where the value of a scalar stands in the source as it is; an anchor or a tag may stand before it.
fn place_of(event: &Event<'_>, style: Style) -> Option<u32> {
    let Cow::Borrowed(text) = &event.value else { return None };
    let quote = match style {
        Style::Plain => 0,
        Style::SingleQuoted | Style::DoubleQuoted => 1,
        Style::Block => return None,
    };
    Some(event.span.end - quote - text.len() as u32)
}

/// A block collection ends where the next token starts; its span should end with its last line instead.
fn trimmed_end(tree: &Tree, span: Span) -> u32 {
    if span.end > span.start {
        return span.end;
    }
    let mut before = &tree.source()[..span.start as usize];
    loop {
        before = before.trim_end();
        let line_start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |at| at + 1);
        if line_start == 0 || !before[line_start..].trim_start().starts_with('#') {
            return before.len() as u32;
        }
        before = &before[..line_start];
    }
}

/// A run of opening brackets beyond any depth.
fn opens_too_much(text: &str) -> bool {
    let mut run = 0;
    text.len() > MAX_DEPTH
        && text.bytes().any(|byte| {
            match byte {
                b'[' | b'{' => run += 1,
                b' ' | b'\n' | b'\r' | b'\t' => {}
                _ => run = 0,
            }
            run > MAX_DEPTH
        })
}

/// kubectl takes no `%YAML` directive but 1.1; the scanner, like libyaml, also takes 1.2.
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

/// Where `\/` stands, which is no escape in kubectl's YAML, though the scanner, like libyaml, takes it.
fn slash_escape(quoted: &str) -> Option<usize> {
    let mut bytes = quoted.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && bytes.next().is_some_and(|(_, next)| next == b'/') {
            return Some(at);
        }
    }
    None
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
