//! The safe face of libyaml: the one file of the crate with unsafe code.
//!
//! kubectl's reader is a port of libyaml, so its scanner decides what is YAML here too.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use yaml as sys;

use crate::source::Span;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

/// What the scanner saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
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
pub(super) struct ScanError {
    pub problem: String,
    /// Byte offset of the problem in the chunk.
    pub offset: usize,
    /// 0-based lines of the problem and of its context.
    pub problem_line: u64,
    pub context_line: u64,
    /// The scanner reports before it steps to the next line, so go-yaml adds one.
    pub in_scanner: bool,
}

/// One event; its text is freed when it goes out of scope.
pub(super) struct Event {
    raw: sys::yaml_event_t,
    pub kind: EventKind,
    pub span: Span,
}

impl Event {
    /// The value of a scalar; empty for other events.
    pub(super) fn value(&self) -> &str {
        if !matches!(self.kind, EventKind::Scalar(_)) {
            return "";
        }
        // SAFETY: libyaml gives `length` valid bytes, decoded from UTF-8, until the event is deleted.
        unsafe {
            let scalar = &self.raw.data.scalar;
            let bytes = std::slice::from_raw_parts(scalar.value, scalar.length as usize);
            std::str::from_utf8(bytes).unwrap_or("")
        }
    }

    /// The anchor that the node defines, or that an alias names.
    pub(super) fn anchor(&self) -> Option<&str> {
        // SAFETY: the union member read is the one that the event kind names.
        unsafe {
            match self.kind {
                EventKind::Alias => c_str(self.raw.data.alias.anchor),
                EventKind::Scalar(_) => c_str(self.raw.data.scalar.anchor),
                EventKind::SequenceStart => c_str(self.raw.data.sequence_start.anchor),
                EventKind::MappingStart => c_str(self.raw.data.mapping_start.anchor),
                _ => None,
            }
        }
    }

    /// The resolved tag of a scalar (`tag:yaml.org,2002:str`).
    pub(super) fn tag(&self) -> Option<&str> {
        // SAFETY: as for `anchor`.
        unsafe {
            match self.kind {
                EventKind::Scalar(_) => c_str(self.raw.data.scalar.tag),
                _ => None,
            }
        }
    }

    /// Whether a scalar without tag resolves by its text.
    pub(super) fn plain_implicit(&self) -> bool {
        // SAFETY: as for `anchor`.
        matches!(self.kind, EventKind::Scalar(_)) && unsafe { self.raw.data.scalar.plain_implicit }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event was filled by libyaml and is deleted once.
        unsafe { sys::yaml_event_delete(&raw mut self.raw) }
    }
}

/// # Safety
/// `text` is null or a zero-terminated string that outlives `'a`.
unsafe fn c_str<'a>(text: *const u8) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the caller's word.
    unsafe { std::ffi::CStr::from_ptr(text.cast()).to_str().ok() }
}

/// Reads the events of one chunk of text.
pub(super) struct Parser<'text> {
    raw: Box<MaybeUninit<sys::yaml_parser_t>>,
    base: usize,
    limit: usize,
    text: PhantomData<&'text str>,
}

impl<'text> Parser<'text> {
    /// A parser whose spans start at `base` and end at `limit` at the latest.
    pub(super) fn new(text: &'text str, base: usize, limit: usize) -> Parser<'text> {
        let mut raw = Box::new(MaybeUninit::uninit());
        // SAFETY: the parser is initialised before any use, stays at one address, and the text outlives it.
        unsafe {
            let parser = raw.as_mut_ptr();
            assert!(sys::yaml_parser_initialize(parser).ok, "libyaml: out of memory");
            sys::yaml_parser_set_encoding(parser, sys::YAML_UTF8_ENCODING);
            sys::yaml_parser_set_input_string(parser, text.as_ptr(), text.len() as u64);
        }
        Parser { raw, base, limit, text: PhantomData }
    }

    /// The next event, or why there is none.
    pub(super) fn next(&mut self) -> Result<Event, ScanError> {
        // SAFETY: the parser is initialised; a successful parse fills the event.
        unsafe {
            let parser = self.raw.as_mut_ptr();
            let mut event = MaybeUninit::<sys::yaml_event_t>::uninit();
            if sys::yaml_parser_parse(parser, event.as_mut_ptr()).fail {
                return Err(scan_error(&*parser));
            }
            let raw = event.assume_init();
            let place = |mark: &sys::yaml_mark_t| (self.base + mark.index as usize).min(self.limit);
            let (start, end) = (place(&raw.start_mark), place(&raw.end_mark));
            Ok(Event { kind: event_kind(&raw), span: Span::new(start, end), raw })
        }
    }
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, deleted once.
        unsafe { sys::yaml_parser_delete(self.raw.as_mut_ptr()) }
    }
}

fn event_kind(raw: &sys::yaml_event_t) -> EventKind {
    match raw.type_ {
        sys::YAML_STREAM_START_EVENT => EventKind::StreamStart,
        sys::YAML_DOCUMENT_START_EVENT => EventKind::DocumentStart,
        sys::YAML_DOCUMENT_END_EVENT => EventKind::DocumentEnd,
        sys::YAML_ALIAS_EVENT => EventKind::Alias,
        sys::YAML_SCALAR_EVENT => {
            // SAFETY: the event type names the union member.
            let style = unsafe { raw.data.scalar.style };
            EventKind::Scalar(match style {
                sys::YAML_PLAIN_SCALAR_STYLE => Style::Plain,
                sys::YAML_SINGLE_QUOTED_SCALAR_STYLE => Style::SingleQuoted,
                sys::YAML_DOUBLE_QUOTED_SCALAR_STYLE => Style::DoubleQuoted,
                _ => Style::Block,
            })
        }
        sys::YAML_SEQUENCE_START_EVENT => EventKind::SequenceStart,
        sys::YAML_SEQUENCE_END_EVENT => EventKind::SequenceEnd,
        sys::YAML_MAPPING_START_EVENT => EventKind::MappingStart,
        sys::YAML_MAPPING_END_EVENT => EventKind::MappingEnd,
        _ => EventKind::StreamEnd,
    }
}

/// What libyaml says of its failure.
///
/// # Safety
/// The parser has just failed.
unsafe fn scan_error(parser: &sys::yaml_parser_t) -> ScanError {
    // SAFETY: `problem` is null or a static string.
    let problem = unsafe { c_str(parser.problem.cast()) };
    let is_reader = parser.error == sys::YAML_READER_ERROR;
    let offset = if is_reader { parser.problem_offset } else { parser.problem_mark.index };
    ScanError {
        problem: problem.unwrap_or("unknown problem parsing YAML content").to_owned(),
        offset: offset as usize,
        problem_line: if is_reader { 0 } else { parser.problem_mark.line },
        context_line: if is_reader { 0 } else { parser.context_mark.line },
        in_scanner: parser.error == sys::YAML_SCANNER_ERROR,
    }
}
