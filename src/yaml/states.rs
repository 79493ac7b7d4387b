//! Tokens → events: libyaml's parser, which keeps a stack of what to expect next.

use std::borrow::Cow;

use super::events::{Event, EventKind, Properties, Style};
use super::scan::{Fault, Kind, Peeked, Scanner, Stage, TagText};
use crate::source::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StreamStart,
    /// The start of a document that needs no `---`, as it is the first.
    FirstDocument,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockEntry,
    /// An entry of a sequence that is no deeper than the key it belongs to.
    IndentlessEntry,
    BlockKey,
    BlockValue,
    FlowEntry {
        first: bool,
    },
    /// A map of one pair that stands in a flow sequence without brackets of its own.
    PairKey,
    PairValue,
    PairEnd,
    FlowKey {
        first: bool,
    },
    FlowValue {
        absent: bool,
    },
    End,
}

type Found<'t> = Result<Event<'t>, Box<Fault>>;

pub(super) struct States<'t> {
    scanner: Scanner<'t>,
    state: State,
    states: Vec<State>,
    /// Where the open collections started, for messages.
    starts: Vec<u32>,
    /// Handles of tags and what they stand for.
    handles: Vec<TagText<'t>>,
}

impl<'t> States<'t> {
    pub(super) fn new(text: &'t str, window: usize) -> States<'t> {
        States {
            scanner: Scanner::new(text, window),
            state: State::StreamStart,
            states: Vec::with_capacity(16),
            starts: Vec::with_capacity(16),
            handles: Vec::new(),
        }
    }

    /// 0-based line of a place.
    pub(super) fn line_of(&self, at: usize) -> u64 {
        self.scanner.line_of(at)
    }

    pub(super) fn next(&mut self) -> Found<'t> {
        let found = match self.state {
            State::StreamStart => self.stream_start(),
            State::FirstDocument => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockEntry => self.block_entry(),
            State::IndentlessEntry => self.indentless_entry(),
            State::BlockKey => self.block_key(),
            State::BlockValue => self.block_value(),
            State::FlowEntry { first } => self.flow_entry(first),
            State::PairKey => self.pair_key(),
            State::PairValue => self.pair_value(),
            State::PairEnd => self.pair_end(),
            State::FlowKey { first } => self.flow_key(first),
            State::FlowValue { absent } => self.flow_value(absent),
            State::End => Ok(event(EventKind::StreamEnd, 0, 0)),
        };
        if found.is_err() {
            self.state = State::End;
        }
        found
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// Steps over the token that was peeked; the one after it.
    fn step(&mut self) -> Result<Peeked, Box<Fault>> {
        self.scanner.take();
        self.scanner.peek()
    }

    /// A node, after which the parser goes on with `then`.
    fn node_then(&mut self, then: State, block: bool, indentless: bool) -> Found<'t> {
        self.states.push(then);
        self.node(block, indentless)
    }

    /// A node that is not written, after which the parser goes on with `then`.
    fn absent(&mut self, then: State, at: u32) -> Found<'t> {
        self.state = then;
        Ok(scalar(at, at))
    }

    /// The end of the innermost collection, whose last token was peeked.
    fn close(&mut self, kind: EventKind, token: Peeked) -> Found<'t> {
        self.pop();
        self.starts.pop();
        self.scanner.take();
        Ok(event(kind, token.start, token.end))
    }

    fn missing(&mut self, problem: &'static str, token: Peeked) -> Box<Fault> {
        Box::new(Fault {
            problem,
            at: token.start as usize,
            context: self.starts.pop().map(|at| at as usize),
            stage: Stage::Parser,
        })
    }
}

fn event<'t>(kind: EventKind, start: u32, end: u32) -> Event<'t> {
    let span = Span { start, end };
    Event { kind, span, value: Cow::Borrowed(""), plain_implicit: false, properties: None }
}

/// A plain scalar without text.
fn scalar<'t>(start: u32, end: u32) -> Event<'t> {
    Event { plain_implicit: true, ..event(EventKind::Scalar(Style::Plain), start, end) }
}

fn fault(problem: &'static str, token: Peeked) -> Box<Fault> {
    Box::new(Fault { problem, at: token.start as usize, context: None, stage: Stage::Parser })
}

/// Documents.
impl<'t> States<'t> {
    fn stream_start(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        self.scanner.take();
        self.state = State::FirstDocument;
        Ok(event(EventKind::StreamStart, token.start, token.start))
    }

    fn document_start(&mut self, first: bool) -> Found<'t> {
        let mut token = self.scanner.peek()?;
        while !first && token.kind == Kind::DocumentEnd {
            token = self.step()?;
        }
        let start = token.start;
        if token.kind == Kind::StreamEnd {
            self.scanner.take();
            self.state = State::End;
            return Ok(event(EventKind::StreamEnd, start, token.end));
        }
        let bare = first && !matches!(token.kind, Kind::Version(_) | Kind::TagDirective | Kind::DocumentStart);
        let token = self.directives()?;
        self.states.push(State::DocumentEnd);
        if bare {
            self.state = State::BlockNode;
            return Ok(event(EventKind::DocumentStart, start, start));
        }
        if token.kind != Kind::DocumentStart {
            return Err(fault("did not find expected <document start>", token));
        }
        self.scanner.take();
        self.state = State::DocumentContent;
        Ok(event(EventKind::DocumentStart, start, token.end))
    }

    /// Takes the directives; the token behind them.
    fn directives(&mut self) -> Result<Peeked, Box<Fault>> {
        let mut has_version = false;
        let mut token = self.scanner.peek()?;
        loop {
            match token.kind {
                Kind::Version(_) if has_version => return Err(fault("found duplicate %YAML directive", token)),
                Kind::Version(false) => return Err(fault("found incompatible YAML document", token)),
                Kind::Version(true) => has_version = true,
                Kind::TagDirective => {
                    let text = self.scanner.take_tag();
                    if self.handles.iter().any(|known| known.handle == text.handle) {
                        return Err(fault("found duplicate %TAG directive", token));
                    }
                    self.handles.push(text);
                }
                _ => break,
            }
            token = self.step()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if self.handles.iter().all(|known| known.handle != handle) {
                self.handles.push(TagText { handle, suffix: Cow::Borrowed(prefix), is_text: true });
            }
        }
        Ok(token)
    }

    fn document_content(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Version(_) | Kind::TagDirective | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd => {
                self.pop();
                Ok(scalar(token.start, token.start))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        let mut end = token.start;
        if token.kind == Kind::DocumentEnd {
            end = token.end;
            self.scanner.take();
        }
        self.handles.clear();
        self.state = State::DocumentStart;
        Ok(event(EventKind::DocumentEnd, token.start, end))
    }
}

/// Nodes.
impl<'t> States<'t> {
    fn node(&mut self, block: bool, indentless: bool) -> Found<'t> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Alias => {
                self.pop();
                let properties = Properties { anchor: Some(self.scanner.take()), tag: None };
                let properties = Some(Box::new(properties));
                Ok(Event { properties, ..event(EventKind::Alias, token.start, token.end) })
            }
            Kind::Anchor | Kind::Tag => self.node_with_properties(token, block, indentless),
            _ => match self.content(token, token.start, block, indentless, None) {
                Some(event) => Ok(event),
                None => Err(no_content(token, token.start)),
            },
        }
    }

    fn node_with_properties(&mut self, first: Peeked, block: bool, indentless: bool) -> Found<'t> {
        let (mut anchor, mut tag) = (None, None);
        let (mut token, mut end) = (first, first.end);
        loop {
            match token.kind {
                Kind::Anchor if anchor.is_none() => anchor = Some(self.scanner.take()),
                Kind::Tag if tag.is_none() => {
                    self.scanner.take();
                    tag = Some((token, self.scanner.take_tag()));
                }
                _ => break,
            }
            end = token.end;
            token = self.scanner.peek()?;
        }
        let undefined = |token| with_context(first.start, "found undefined tag handle", token);
        let tag = match tag {
            Some((token, text)) => Some(self.resolve(text).ok_or_else(|| undefined(token))?),
            None => None,
        };
        let found = self.content(token, first.start, block, indentless, tag.as_ref());
        let implicit = tag.as_ref().is_none_or(|tag| tag.is_text && tag.suffix.is_empty());
        let mut event = found.unwrap_or_else(|| {
            self.pop();
            Event { plain_implicit: implicit, ..scalar(first.start, end) }
        });
        let is_scalar = matches!(event.kind, EventKind::Scalar(_));
        let tag = tag.filter(|tag| tag.is_text && is_scalar).map(|tag| tag.suffix);
        event.properties = Some(Box::new(Properties { anchor, tag }));
        Ok(event)
    }

    /// The whole tag as the suffix; `None` where its handle stands for nothing.
    fn resolve(&self, tag: TagText<'t>) -> Option<TagText<'t>> {
        if tag.handle.is_empty() {
            return Some(tag);
        }
        let known = self.handles.iter().find(|known| known.handle == tag.handle)?;
        let suffix = Cow::Owned(format!("{}{}", known.suffix, tag.suffix));
        Some(TagText { handle: "", suffix, is_text: tag.is_text && known.is_text })
    }

    /// The event of a node's content; `None` where none begins with this token.
    fn content(
        &mut self,
        token: Peeked,
        start: u32,
        block: bool,
        indentless: bool,
        tag: Option<&TagText<'t>>,
    ) -> Option<Event<'t>> {
        let (kind, state) = match token.kind {
            Kind::Scalar(style) => {
                let plain_implicit = tag.map_or(style == Style::Plain, |tag| tag.is_text && tag.suffix == "!");
                self.pop();
                let value = self.scanner.take();
                return Some(Event { value, plain_implicit, ..event(EventKind::Scalar(style), start, token.end) });
            }
            Kind::BlockEntry if indentless => {
                self.state = State::IndentlessEntry;
                return Some(event(EventKind::SequenceStart, start, token.end));
            }
            Kind::BlockMappingStart if block => (EventKind::MappingStart, State::BlockKey),
            Kind::BlockSequenceStart if block => (EventKind::SequenceStart, State::BlockEntry),
            Kind::FlowMappingStart => (EventKind::MappingStart, State::FlowKey { first: true }),
            Kind::FlowSequenceStart => (EventKind::SequenceStart, State::FlowEntry { first: true }),
            _ => return None,
        };
        self.starts.push(token.start);
        self.scanner.take();
        self.state = state;
        Some(event(kind, start, token.end))
    }
}

fn no_content(token: Peeked, start: u32) -> Box<Fault> {
    with_context(start, "did not find expected node content", token)
}

fn with_context(context: u32, problem: &'static str, token: Peeked) -> Box<Fault> {
    let mut fault = fault(problem, token);
    fault.context = Some(context as usize);
    fault
}

/// Block collections.
impl<'t> States<'t> {
    fn block_entry(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::BlockEntry => match self.step()?.kind {
                Kind::BlockEntry | Kind::BlockEnd => self.absent(State::BlockEntry, token.end),
                _ => self.node_then(State::BlockEntry, true, false),
            },
            Kind::BlockEnd => self.close(EventKind::SequenceEnd, token),
            _ => Err(self.missing("did not find expected '-' indicator", token)),
        }
    }

    fn indentless_entry(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        if token.kind != Kind::BlockEntry {
            self.pop();
            return Ok(event(EventKind::SequenceEnd, token.start, token.start));
        }
        match self.step()?.kind {
            Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => {
                self.absent(State::IndentlessEntry, token.end)
            }
            _ => self.node_then(State::IndentlessEntry, true, false),
        }
    }

    fn block_key(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Key => match self.step()?.kind {
                Kind::Key | Kind::Value | Kind::BlockEnd => self.absent(State::BlockValue, token.end),
                _ => self.node_then(State::BlockValue, true, true),
            },
            Kind::BlockEnd => self.close(EventKind::MappingEnd, token),
            _ => Err(self.missing("did not find expected key", token)),
        }
    }

    fn block_value(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        if token.kind != Kind::Value {
            return self.absent(State::BlockKey, token.start);
        }
        match self.step()?.kind {
            Kind::Key | Kind::Value | Kind::BlockEnd => self.absent(State::BlockKey, token.end),
            _ => self.node_then(State::BlockKey, true, true),
        }
    }
}

/// Flow collections.
impl<'t> States<'t> {
    fn flow_entry(&mut self, first: bool) -> Found<'t> {
        let mut token = self.scanner.peek()?;
        if !first && token.kind != Kind::FlowSequenceEnd {
            if token.kind != Kind::FlowEntry {
                return Err(self.missing("did not find expected ',' or ']'", token));
            }
            token = self.step()?;
        }
        match token.kind {
            Kind::FlowSequenceEnd => self.close(EventKind::SequenceEnd, token),
            Kind::Key => {
                self.scanner.take();
                self.state = State::PairKey;
                Ok(event(EventKind::MappingStart, token.start, token.end))
            }
            _ => self.node_then(State::FlowEntry { first: false }, false, false),
        }
    }

    fn pair_key(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd => {
                self.scanner.take();
                self.absent(State::PairValue, token.end)
            }
            _ => self.node_then(State::PairValue, false, false),
        }
    }

    fn pair_value(&mut self) -> Found<'t> {
        let mut token = self.scanner.peek()?;
        if token.kind == Kind::Value {
            token = self.step()?;
            if !matches!(token.kind, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                return self.node_then(State::PairEnd, false, false);
            }
        }
        self.absent(State::PairEnd, token.start)
    }

    fn pair_end(&mut self) -> Found<'t> {
        let token = self.scanner.peek()?;
        self.state = State::FlowEntry { first: false };
        Ok(event(EventKind::MappingEnd, token.start, token.start))
    }

    fn flow_key(&mut self, first: bool) -> Found<'t> {
        let mut token = self.scanner.peek()?;
        if !first && token.kind != Kind::FlowMappingEnd {
            if token.kind != Kind::FlowEntry {
                return Err(self.missing("did not find expected ',' or '}'", token));
            }
            token = self.step()?;
        }
        match token.kind {
            Kind::FlowMappingEnd => self.close(EventKind::MappingEnd, token),
            Kind::Key => {
                let token = self.step()?;
                match token.kind {
                    Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd => {
                        self.absent(State::FlowValue { absent: false }, token.start)
                    }
                    _ => self.node_then(State::FlowValue { absent: false }, false, false),
                }
            }
            _ => self.node_then(State::FlowValue { absent: true }, false, false),
        }
    }

    fn flow_value(&mut self, absent: bool) -> Found<'t> {
        let then = State::FlowKey { first: false };
        let mut token = self.scanner.peek()?;
        if !absent && token.kind == Kind::Value {
            token = self.step()?;
            if !matches!(token.kind, Kind::FlowEntry | Kind::FlowMappingEnd) {
                return self.node_then(then, false, false);
            }
        }
        self.absent(then, token.start)
    }
}
