//! Characters → tokens, by the rules of libyaml's scanner, which kubectl's reader is a port of.
//!
//! A token is a place in the text; its value is borrowed from there unless it escapes or folds.
//! What makes YAML's scanner more than a loop over characters is the simple key: `name: x` says only at the `:`
//! that a map and a key began before `name`. So a token that can start a key waits in the queue until it is decided.

mod block;
mod cursor;
mod fold;
mod plain;
mod quoted;
mod tag;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::mem;

use super::events::Style;
use cursor::Cursor;
pub(super) use tag::TagText;

/// A key without `?` is on one line and no longer than this many characters.
const LONGEST_KEY: usize = 1024;

/// Who found a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Reader,
    Scanner,
    Parser,
}

/// Why there are no more tokens or events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub problem: &'static str,
    pub at: usize,
    /// Where what was being read began.
    pub context: Option<usize>,
    pub stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    StreamStart,
    StreamEnd,
    /// `%YAML`, and whether it is a version that is known.
    Version(bool),
    /// `%TAG`; its parts are the scanner's next [`TagText`].
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    /// Its name is the text.
    Alias,
    /// Its name is the text.
    Anchor,
    /// Its parts are the scanner's next [`TagText`].
    Tag,
    Scalar(Style),
}

#[derive(Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
    pub text: Cow<'t, str>,
}

/// What the parser sees of a token before it takes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peeked {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
}

/// A token that a `:` behind it would make a key.
struct Candidate {
    flow_level: usize,
    /// Number of the token over the whole text.
    number: usize,
    at: usize,
    column: usize,
    /// Where the indentation allows nothing but a key.
    required: bool,
}

pub(super) struct Scanner<'t> {
    cursor: Cursor<'t>,
    started: bool,
    /// The queue, behind those that the parser took already.
    tokens: Vec<Token<'t>>,
    head: usize,
    /// The first token of the queue is decided.
    settled: bool,
    /// Tokens that the parser took.
    taken: usize,
    tags: VecDeque<TagText<'t>>,
    /// Column of the innermost block collection; -1 outside of all.
    indent: isize,
    indents: Vec<isize>,
    flow_level: usize,
    /// At most one a flow level, the outermost first; so the first is always the oldest.
    candidates: VecDeque<Candidate>,
    key_allowed: bool,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, window: usize) -> Scanner<'t> {
        Scanner {
            cursor: Cursor::new(text, window),
            started: false,
            tokens: Vec::with_capacity(16),
            head: 0,
            settled: false,
            taken: 0,
            tags: VecDeque::new(),
            indent: -1,
            indents: Vec::with_capacity(16),
            flow_level: 0,
            candidates: VecDeque::new(),
            key_allowed: true,
        }
    }

    /// 0-based line of a place.
    pub(super) fn line_of(&self, at: usize) -> u64 {
        self.cursor.line_of(at)
    }

    /// The next token, which stays in the queue.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Peeked, Box<Fault>> {
        if !self.settled {
            self.settle()?;
        }
        Ok(match self.tokens.get(self.head) {
            Some(token) => Peeked { kind: token.kind, start: token.start, end: token.end },
            None => Peeked { kind: Kind::StreamEnd, start: 0, end: 0 },
        })
    }

    /// Takes the token that was peeked; its text.
    #[inline]
    pub(super) fn take(&mut self) -> Cow<'t, str> {
        self.settled = false;
        self.taken += 1;
        let text = self.tokens.get_mut(self.head).map_or(Cow::Borrowed(""), |token| mem::take(&mut token.text));
        self.head += 1;
        if self.head >= self.tokens.len() {
            self.tokens.clear();
            self.head = 0;
        }
        text
    }

    /// The parts of the tag or `%TAG` that was taken.
    pub(super) fn take_tag(&mut self) -> TagText<'t> {
        self.tags.pop_front().unwrap_or_default()
    }

    /// Reads on until no `:` can put another token in front of the first.
    fn settle(&mut self) -> Result<(), Box<Fault>> {
        loop {
            if self.head < self.tokens.len() {
                self.drop_stale_candidates()?;
                if self.candidates.front().is_none_or(|candidate| candidate.number != self.taken) {
                    self.settled = true;
                    return Ok(());
                }
            }
            self.fetch()?;
        }
    }

    /// Adds the next token to the queue, with the brackets that indentation puts before it.
    fn fetch(&mut self) -> Result<(), Box<Fault>> {
        self.cursor.reads_on(1)?;
        if !self.started {
            self.started = true;
            self.push(Kind::StreamStart, 0);
            return Ok(());
        }
        self.skip_to_token()?;
        self.drop_stale_candidates()?;
        if self.flow_level == 0 {
            let column = self.cursor.column() as isize;
            self.unroll(column);
        }
        self.cursor.reads_on(4)?;
        let fetched = self.fetch_token();
        self.cursor.unless_refused(fetched)
    }

    fn fetch_token(&mut self) -> Result<(), Box<Fault>> {
        let at = self.cursor.at;
        let in_flow = self.flow_level > 0;
        let byte = self.cursor.byte();
        match byte {
            0 => self.stream_end(),
            b'%' if at == self.cursor.line_start => self.directive(),
            b'-' | b'.' if self.cursor.is_document_indicator() => self.document_indicator(byte),
            b'[' => self.open_flow(Kind::FlowSequenceStart),
            b'{' => self.open_flow(Kind::FlowMappingStart),
            b']' => self.close_flow(Kind::FlowSequenceEnd),
            b'}' => self.close_flow(Kind::FlowMappingEnd),
            b',' => self.flow_entry(),
            b'-' if self.cursor.is_space_at(at + 1) => self.block_entry(),
            b'?' if in_flow || self.cursor.is_space_at(at + 1) => self.key(),
            b':' if in_flow || self.cursor.is_space_at(at + 1) => self.value(),
            b'*' => self.name(Kind::Alias),
            b'&' => self.name(Kind::Anchor),
            b'!' => self.tag(),
            b'|' | b'>' if !in_flow => self.block_scalar(),
            b'\'' | b'"' => self.quoted_scalar(),
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                Err(self.fault(at, "found character that cannot start any token"))
            }
            _ => self.plain_scalar(),
        }
    }

    fn skip_to_token(&mut self) -> Result<(), Box<Fault>> {
        let cursor = &mut self.cursor;
        loop {
            if cursor.byte() == 0xEF
                && cursor.at == cursor.line_start
                && cursor.text[cursor.at..].starts_with('\u{feff}')
            {
                cursor.at += '\u{feff}'.len_utf8();
            }
            let tabs_too = self.flow_level > 0 || !self.key_allowed;
            while cursor.byte() == b' ' || tabs_too && cursor.byte() == b'\t' {
                cursor.at += 1;
            }
            if cursor.byte() == b'#' {
                cursor.at = cursor.line_end(cursor.at);
            }
            if cursor.take_break().is_empty() {
                return cursor.reads_on(1);
            }
            self.key_allowed |= self.flow_level == 0;
        }
    }

    #[cold]
    pub(super) fn fault(&self, context: usize, problem: &'static str) -> Box<Fault> {
        Box::new(Fault { problem, at: self.cursor.at, context: Some(context), stage: Stage::Scanner })
    }

    fn push(&mut self, kind: Kind, width: usize) {
        let start = self.cursor.at;
        self.cursor.at += width;
        self.push_token(kind, start, self.cursor.at, Cow::Borrowed(""));
    }

    #[inline]
    fn push_token(&mut self, kind: Kind, start: usize, end: usize, text: Cow<'t, str>) {
        self.tokens.push(Token { kind, start: start as u32, end: end as u32, text });
    }

    /// Puts a token without text before the one of a number.
    fn insert(&mut self, number: usize, kind: Kind, at: usize) {
        let token = Token { kind, start: at as u32, end: at as u32, text: Cow::Borrowed("") };
        self.tokens.insert(self.head + number - self.taken, token);
    }

    /// Number that the next token gets.
    fn next_number(&self) -> usize {
        self.taken + self.tokens.len() - self.head
    }
}

/// Candidates for keys.
impl<'t> Scanner<'t> {
    /// Notes that a key may start here.
    fn may_be_key(&mut self) -> Result<(), Box<Fault>> {
        if let Some(candidate) = self.candidate()? {
            self.candidates.push_back(candidate);
        }
        Ok(())
    }

    /// The key that may start here; takes the place of one that may have started before.
    fn candidate(&mut self) -> Result<Option<Candidate>, Box<Fault>> {
        if !self.key_allowed {
            return Ok(None);
        }
        self.is_no_key()?;
        let block = self.flow_level == 0;
        let column = if block { self.cursor.column() } else { 0 };
        Ok(Some(Candidate {
            flow_level: self.flow_level,
            number: self.next_number(),
            at: self.cursor.at,
            column,
            required: block && self.indent == column as isize,
        }))
    }

    /// Adds a scalar, and notes before it that it may be a key. Where the `:` stands right behind it, which is what most
    /// of a manifest is made of, the key is decided here; its tokens are the same as by way of a candidate.
    fn push_scalar(
        &mut self,
        candidate: Option<Candidate>,
        style: Style,
        start: usize,
        end: usize,
        text: Cow<'t, str>,
    ) {
        let Some(candidate) = candidate else {
            return self.push_token(Kind::Scalar(style), start, end, text);
        };
        let at = self.cursor.at;
        let is_key = self.cursor.byte() == b':'
            && self.flow_level == 0
            && candidate.at >= self.cursor.line_start
            && self.cursor.is_space_at(at + 1)
            && self.cursor.forbidden.is_none()
            && !self.cursor.is_further_than(LONGEST_KEY, start);
        if !is_key {
            self.push_token(Kind::Scalar(style), start, end, text);
            self.candidates.push_back(candidate);
            return;
        }
        self.roll(candidate.column, candidate.number, Kind::BlockMappingStart, start);
        self.push_token(Kind::Key, start, start, Cow::Borrowed(""));
        self.push_token(Kind::Scalar(style), start, end, text);
        self.push(Kind::Value, 1);
    }

    /// The candidate of this flow level, if there is one, is no key.
    fn is_no_key(&mut self) -> Result<(), Box<Fault>> {
        match self.candidates.back() {
            Some(last) if last.flow_level == self.flow_level => {
                if last.required {
                    return Err(self.fault(last.at, "could not find expected ':'"));
                }
                self.candidates.pop_back();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Drops candidates whose `:` would come too late.
    #[inline]
    fn drop_stale_candidates(&mut self) -> Result<(), Box<Fault>> {
        while let Some(first) = self.candidates.front() {
            if first.at >= self.cursor.line_start && !self.cursor.is_further_than(LONGEST_KEY, first.at) {
                break;
            }
            if first.required {
                return Err(self.fault(first.at, "could not find expected ':'"));
            }
            self.candidates.pop_front();
        }
        Ok(())
    }

    /// Opens a block collection at a column that lies deeper; `number` is the token it comes before.
    fn roll(&mut self, column: usize, number: usize, kind: Kind, at: usize) {
        if self.flow_level == 0 && self.indent < column as isize {
            self.indents.push(self.indent);
            self.indent = column as isize;
            self.insert(number, kind, at);
        }
    }

    /// Closes the block collections that lie deeper than a column.
    fn unroll(&mut self, column: isize) {
        while self.flow_level == 0 && self.indent > column {
            self.push(Kind::BlockEnd, 0);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }
}

/// Tokens of fixed width.
impl<'t> Scanner<'t> {
    fn stream_end(&mut self) -> Result<(), Box<Fault>> {
        if self.cursor.at != self.cursor.line_start {
            self.cursor.line_start = self.cursor.at;
            self.cursor.one_more_line = true;
        }
        self.unroll(-1);
        self.is_no_key()?;
        self.key_allowed = false;
        self.push(Kind::StreamEnd, 0);
        Ok(())
    }

    fn document_indicator(&mut self, byte: u8) -> Result<(), Box<Fault>> {
        self.unroll(-1);
        self.is_no_key()?;
        self.key_allowed = false;
        self.push(if byte == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd }, 3);
        Ok(())
    }

    fn open_flow(&mut self, kind: Kind) -> Result<(), Box<Fault>> {
        self.may_be_key()?;
        self.flow_level += 1;
        self.key_allowed = true;
        self.push(kind, 1);
        Ok(())
    }

    fn close_flow(&mut self, kind: Kind) -> Result<(), Box<Fault>> {
        self.is_no_key()?;
        self.flow_level = self.flow_level.saturating_sub(1);
        self.key_allowed = false;
        self.push(kind, 1);
        Ok(())
    }

    fn flow_entry(&mut self) -> Result<(), Box<Fault>> {
        self.is_no_key()?;
        self.key_allowed = true;
        self.push(Kind::FlowEntry, 1);
        Ok(())
    }

    /// Opens a collection for an indicator that stands for itself, where one may stand.
    fn indicator(&mut self, kind: Kind, problem: &'static str) -> Result<(), Box<Fault>> {
        if self.flow_level > 0 {
            return Ok(());
        }
        if !self.key_allowed {
            return Err(self.fault(self.cursor.at, problem));
        }
        let column = self.cursor.column();
        self.roll(column, self.next_number(), kind, self.cursor.at);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Box<Fault>> {
        self.indicator(Kind::BlockSequenceStart, "block sequence entries are not allowed in this context")?;
        self.is_no_key()?;
        self.key_allowed = true;
        self.push(Kind::BlockEntry, 1);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Box<Fault>> {
        self.indicator(Kind::BlockMappingStart, "mapping keys are not allowed in this context")?;
        self.is_no_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push(Kind::Key, 1);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Box<Fault>> {
        let here = self.candidates.back().is_some_and(|last| last.flow_level == self.flow_level);
        if let Some(key) = if here { self.candidates.pop_back() } else { None } {
            self.insert(key.number, Kind::Key, key.at);
            self.roll(key.column, key.number, Kind::BlockMappingStart, key.at);
            self.key_allowed = false;
        } else {
            self.indicator(Kind::BlockMappingStart, "mapping values are not allowed in this context")?;
            self.key_allowed = self.flow_level == 0;
        }
        self.push(Kind::Value, 1);
        Ok(())
    }
}
