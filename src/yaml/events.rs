//! Events of one chunk of YAML, as libyaml gives them: kubectl's reader is a port of it.

use std::borrow::Cow;

use super::scan::{Fault, Stage};
use super::states::States;
use crate::source::Span;

/// The reader looks at this many bytes before it scans them, so a character that it does not allow comes before
/// any other problem in them.
const WINDOW: usize = 512;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

/// What the scanner saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias,
    Scalar(Style),
    SequenceStart,
    SequenceEnd,
    MappingStart,
    MappingEnd,
}

/// Why the scanner stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanError {
    pub problem: String,
    /// Byte offset of the problem in the chunk.
    pub offset: usize,
    /// 0-based lines of the problem and of its context.
    pub problem_line: u64,
    pub context_line: u64,
    /// The scanner reports before it steps to the next line, so go-yaml adds one.
    pub in_scanner: bool,
}

/// One event; what stands in the text as it is, is borrowed from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'text> {
    pub kind: EventKind,
    pub span: Span,
    /// The value of a scalar; empty for other events.
    pub value: Cow<'text, str>,
    /// Whether a scalar without tag resolves by its text.
    pub plain_implicit: bool,
    /// Hardly any node has them, so they stand apart.
    pub properties: Option<Box<Properties<'text>>>,
}

/// Anchor and tag of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties<'text> {
    /// The anchor that the node defines, or that an alias names.
    pub anchor: Option<Cow<'text, str>>,
    /// The resolved tag of a scalar (`tag:yaml.org,2002:str`).
    pub tag: Option<Cow<'text, str>>,
}

impl Event<'_> {
    pub fn anchor(&self) -> Option<&str> {
        self.properties.as_ref()?.anchor.as_deref()
    }

    pub fn tag(&self) -> Option<&str> {
        self.properties.as_ref()?.tag.as_deref()
    }
}

/// Reads the events of one chunk of text.
pub struct Parser<'text> {
    states: States<'text>,
    base: usize,
    limit: usize,
}

impl<'text> Parser<'text> {
    /// A parser whose spans start at `base` and end at `limit` at the latest.
    pub fn new(text: &'text str, base: usize, limit: usize) -> Parser<'text> {
        Parser::with_window(text, base, limit, WINDOW)
    }

    /// A parser that looks `window` bytes ahead for characters that are not allowed.
    pub fn with_window(text: &'text str, base: usize, limit: usize, window: usize) -> Parser<'text> {
        Parser { states: States::new(text, window), base, limit }
    }

    /// The next event, or why there is none; at the end of the stream ever again its end.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> Result<Event<'text>, ScanError> {
        match self.states.next() {
            Ok(mut event) => {
                let place = |at: u32| (self.base + at as usize).min(self.limit);
                event.span = Span::new(place(event.span.start), place(event.span.end));
                Ok(event)
            }
            Err(fault) => Err(self.scan_error(&fault)),
        }
    }

    fn scan_error(&self, fault: &Fault) -> ScanError {
        let line = |at| if fault.stage == Stage::Reader { 0 } else { self.states.line_of(at) };
        ScanError {
            problem: fault.problem.to_owned(),
            offset: fault.at,
            problem_line: line(fault.at),
            context_line: fault.context.map_or(0, line),
            in_scanner: fault.stage == Stage::Scanner,
        }
    }
}
