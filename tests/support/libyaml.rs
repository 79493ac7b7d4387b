//! libyaml's events, as the judge of our own.

use std::borrow::Cow;
use std::ffi::CStr;
use std::mem::MaybeUninit;

use kplan::source::Span;
use kplan::yaml::events::{Event, EventKind, Properties, ScanError, Style};
use libyaml_rs as sys;

/// What libyaml's reader takes at a time.
pub const WINDOW: usize = 16_384;

/// Every event of a text, and why there are no more.
pub fn events(text: &str) -> (Vec<Event<'static>>, Option<ScanError>) {
    let mut events = Vec::new();
    let mut parser = Box::new(MaybeUninit::<sys::yaml_parser_t>::uninit());
    let parser = parser.as_mut_ptr();
    // SAFETY: the parser is initialised before any use, stays at one address, and the text outlives it; a successful
    // parse fills the event, which is deleted once.
    unsafe {
        assert!(sys::yaml_parser_initialize(parser).ok);
        sys::yaml_parser_set_encoding(parser, sys::YAML_UTF8_ENCODING);
        sys::yaml_parser_set_input_string(parser, text.as_ptr(), text.len() as u64);
        let error = loop {
            let mut raw = MaybeUninit::<sys::yaml_event_t>::uninit();
            if sys::yaml_parser_parse(parser, raw.as_mut_ptr()).fail {
                break Some(scan_error(&*parser));
            }
            let mut raw = raw.assume_init();
            let event = event(&raw);
            sys::yaml_event_delete(&raw mut raw);
            let is_last = event.kind == EventKind::StreamEnd;
            events.push(event);
            if is_last {
                break None;
            }
        };
        sys::yaml_parser_delete(parser);
        (events, error)
    }
}

/// # Safety
/// `text` is null or a zero-terminated string.
unsafe fn c_str(text: *const u8) -> Option<Cow<'static, str>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the caller's word.
    unsafe { CStr::from_ptr(text.cast()).to_str().ok().map(|text| Cow::Owned(text.to_owned())) }
}

/// # Safety
/// The event was filled by libyaml.
unsafe fn event(raw: &sys::yaml_event_t) -> Event<'static> {
    // SAFETY: the union member read is the one that the type names.
    unsafe {
        let mut event = Event {
            kind: EventKind::StreamEnd,
            span: Span::new(raw.start_mark.index as usize, raw.end_mark.index as usize),
            value: Cow::Borrowed(""),
            plain_implicit: false,
            properties: None,
        };
        // Whether the node has an anchor or a tag, and what they are.
        let mut properties = Properties::default();
        let mut has_any = false;
        match raw.type_ {
            sys::YAML_STREAM_START_EVENT => event.kind = EventKind::StreamStart,
            sys::YAML_DOCUMENT_START_EVENT => event.kind = EventKind::DocumentStart,
            sys::YAML_DOCUMENT_END_EVENT => event.kind = EventKind::DocumentEnd,
            sys::YAML_SEQUENCE_END_EVENT => event.kind = EventKind::SequenceEnd,
            sys::YAML_MAPPING_END_EVENT => event.kind = EventKind::MappingEnd,
            sys::YAML_ALIAS_EVENT => {
                event.kind = EventKind::Alias;
                properties.anchor = c_str(raw.data.alias.anchor);
                has_any = true;
            }
            sys::YAML_SEQUENCE_START_EVENT => {
                event.kind = EventKind::SequenceStart;
                properties.anchor = c_str(raw.data.sequence_start.anchor);
                has_any = properties.anchor.is_some() || !raw.data.sequence_start.tag.is_null();
            }
            sys::YAML_MAPPING_START_EVENT => {
                event.kind = EventKind::MappingStart;
                properties.anchor = c_str(raw.data.mapping_start.anchor);
                has_any = properties.anchor.is_some() || !raw.data.mapping_start.tag.is_null();
            }
            sys::YAML_SCALAR_EVENT => {
                let scalar = &raw.data.scalar;
                event.kind = EventKind::Scalar(match scalar.style {
                    sys::YAML_PLAIN_SCALAR_STYLE => Style::Plain,
                    sys::YAML_SINGLE_QUOTED_SCALAR_STYLE => Style::SingleQuoted,
                    sys::YAML_DOUBLE_QUOTED_SCALAR_STYLE => Style::DoubleQuoted,
                    _ => Style::Block,
                });
                let bytes = std::slice::from_raw_parts(scalar.value, scalar.length as usize);
                event.value = Cow::Owned(String::from_utf8(bytes.to_vec()).unwrap());
                properties.anchor = c_str(scalar.anchor);
                properties.tag = c_str(scalar.tag);
                has_any = properties.anchor.is_some() || !scalar.tag.is_null();
                event.plain_implicit = scalar.plain_implicit;
            }
            _ => {}
        }
        event.properties = has_any.then(|| Box::new(properties));
        event
    }
}

/// # Safety
/// The parser has just failed.
unsafe fn scan_error(parser: &sys::yaml_parser_t) -> ScanError {
    // SAFETY: `problem` is null or a static string.
    let problem = unsafe { c_str(parser.problem.cast()) };
    let is_reader = parser.error == sys::YAML_READER_ERROR;
    let offset = if is_reader { parser.problem_offset } else { parser.problem_mark.index };
    ScanError {
        problem: problem.unwrap().into_owned(),
        offset: offset as usize,
        problem_line: if is_reader { 0 } else { parser.problem_mark.line },
        context_line: if is_reader { 0 } else { parser.context_mark.line },
        in_scanner: parser.error == sys::YAML_SCANNER_ERROR,
    }
}
