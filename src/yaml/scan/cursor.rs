//! Where the scanner stands in the text: bytes, line breaks, columns, and characters that YAML does not allow.

use super::{Fault, Stage};

/// The longest line break, in bytes: `\u{2028}` and `\u{2029}`.
const LONGEST_BREAK: usize = 3;

/// No scanner looks further ahead than this many characters: `\U` with eight digits.
const LOOKAHEAD: usize = 10;

/// A place in the text, with what the scanner needs to know of the line.
pub(super) struct Cursor<'t> {
    /// The text up to where the reader would refuse it.
    pub text: &'t str,
    pub at: usize,
    /// Where the current line starts.
    pub line_start: usize,
    /// Where a character stands that the reader refuses when it reads on beyond `text`.
    pub forbidden: Option<usize>,
    /// Each character is one byte, so that offsets are columns.
    ascii: bool,
    /// `\r`, NEL, LS or PS stand in the text.
    odd_breaks: bool,
    /// A place on the current line and its column.
    counted: (usize, usize),
    /// The end of the text counts as one more line, as the last one had no line end.
    pub one_more_line: bool,
}

impl<'t> Cursor<'t> {
    /// The reader takes `window` bytes at a time and refuses a character when it takes the bytes around it.
    pub(super) fn new(text: &'t str, window: usize) -> Cursor<'t> {
        let forbidden = forbidden(text);
        let text = forbidden.map_or(text, |at| &text[..window_start(text, at, window)]);
        let ascii = text.is_ascii();
        let odd_breaks = text.contains('\r') || !ascii && text.contains(['\u{85}', '\u{2028}', '\u{2029}']);
        Cursor { text, at: 0, line_start: 0, forbidden, ascii, odd_breaks, counted: (0, 0), one_more_line: false }
    }

    /// The byte at an offset of the text; 0, which never stands in a text, behind its end.
    #[inline]
    pub(super) fn byte_at(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.byte_at(self.at)
    }

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Length of the line break at an offset; 0 where there is none.
    #[inline]
    pub(super) fn break_at(&self, at: usize) -> usize {
        match self.byte_at(at) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.byte_at(at + 1) == b'\n'),
            0xC2 if self.byte_at(at + 1) == 0x85 => 2,
            0xE2 if self.byte_at(at + 1) == 0x80 && matches!(self.byte_at(at + 2), 0xA8 | 0xA9) => LONGEST_BREAK,
            _ => 0,
        }
    }

    /// Whether a blank, a line break or the end stands at an offset.
    #[inline]
    pub(super) fn is_space_at(&self, at: usize) -> bool {
        match self.byte_at(at) {
            0 | b' ' | b'\t' | b'\n' | b'\r' => true,
            0xC2 | 0xE2 => self.break_at(at) > 0,
            _ => false,
        }
    }

    #[inline]
    pub(super) fn is_blank(&self) -> bool {
        matches!(self.byte(), b' ' | b'\t')
    }

    /// Whether a line break or the end stands here.
    pub(super) fn is_line_end(&self) -> bool {
        self.is_end() || self.break_at(self.at) > 0
    }

    /// Where the line ends on which an offset stands.
    pub(super) fn line_end(&self, from: usize) -> usize {
        let bytes = &self.text.as_bytes()[from..];
        if !self.odd_breaks {
            return memchr::memchr(b'\n', bytes).map_or(self.text.len(), |step| from + step);
        }
        let mut at = from;
        while at < self.text.len() && self.break_at(at) == 0 {
            at += 1;
        }
        at
    }

    /// Whether a line break other than `\n` stands between two offsets.
    pub(super) fn has_break(&self, from: usize, to: usize) -> bool {
        self.odd_breaks && (from..to).any(|at| self.break_at(at) > 0)
    }

    /// Steps over a line break if one stands here; gives what it means in a value.
    pub(super) fn take_break(&mut self) -> &'static str {
        let width = self.break_at(self.at);
        if width == 0 {
            return "";
        }
        let meaning = match self.byte_at(self.at + 2) {
            0xA8 if width == LONGEST_BREAK => "\u{2028}",
            0xA9 if width == LONGEST_BREAK => "\u{2029}",
            _ => "\n",
        };
        self.at += width;
        self.line_start = self.at;
        meaning
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.at += 1;
        }
    }

    /// Characters between the start of the line and here.
    #[inline]
    pub(super) fn column(&mut self) -> usize {
        if self.ascii {
            return self.at - self.line_start;
        }
        let (at, column) = if self.counted.0 < self.line_start { (self.line_start, 0) } else { self.counted };
        let column = column + characters(&self.text.as_bytes()[at..self.at]);
        self.counted = (self.at, column);
        column
    }

    /// Whether `---` or `...` stands here at the start of a line and means itself.
    pub(super) fn is_document_indicator(&self) -> bool {
        self.at == self.line_start
            && matches!(self.byte(), b'-' | b'.')
            && matches!(self.text.as_bytes().get(self.at..self.at + 3), Some(b"---" | b"..."))
            && self.is_space_at(self.at + 3)
    }

    /// Whether more than `limit` characters lie between an earlier place and here.
    #[inline]
    pub(super) fn is_further_than(&self, limit: usize, from: usize) -> bool {
        self.at - from > limit && (self.ascii || characters(&self.text.as_bytes()[from..self.at]) > limit)
    }

    /// 0-based line of a place.
    pub(super) fn line_of(&self, place: usize) -> u64 {
        let (mut at, mut lines) = (0, u64::from(self.one_more_line && place >= self.text.len()));
        while at < place {
            let width = self.break_at(at);
            lines += u64::from(width > 0);
            at += width.max(1);
        }
        lines
    }

    /// Fails where the reader would have to read the forbidden character before the next `ahead` characters.
    #[inline]
    pub(super) fn reads_on(&self, ahead: usize) -> Result<(), Box<Fault>> {
        match self.forbidden {
            Some(at) if self.text[self.at..].chars().take(ahead).count() < ahead => Err(refused(at)),
            _ => Ok(()),
        }
    }

    /// What scanning a token gives, unless it came to where the reader fails first.
    pub(super) fn unless_refused<T>(&self, found: Result<T, Box<Fault>>) -> Result<T, Box<Fault>> {
        let ahead = if found.is_err() { LOOKAHEAD } else { 1 };
        match self.forbidden {
            Some(at) if self.text.len() - self.at < ahead => Err(refused(at)),
            _ => found,
        }
    }
}

fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

#[cold]
fn refused(at: usize) -> Box<Fault> {
    Box::new(Fault { problem: "control characters are not allowed", at, context: None, stage: Stage::Reader })
}

/// Where the window starts in which an offset lies; a window ends with a whole character.
fn window_start(text: &str, offset: usize, window: usize) -> usize {
    let mut start = 0;
    loop {
        let mut end = (start + window).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if offset < end || end <= start {
            return start;
        }
        start = end;
    }
}

/// The first character that may not stand in YAML: a control character, U+FFFE or U+FFFF.
fn forbidden(text: &str) -> Option<usize> {
    const STEP: usize = 64;
    let bytes = text.as_bytes();
    // The first byte of each of them; two start allowed characters too.
    let suspect = |byte: u8| {
        byte < b' ' && byte != b'\n' && byte != b'\t' && byte != b'\r' || byte == 0x7F || byte == 0xC2 || byte == 0xEF
    };
    let is_forbidden = |at: usize| match bytes[at] {
        0xC2 => bytes.get(at + 1).is_some_and(|next| *next < 0xA0 && *next != 0x85),
        0xEF => bytes.get(at + 1) == Some(&0xBF) && matches!(bytes.get(at + 2), Some(0xBE | 0xBF)),
        byte => suspect(byte),
    };
    for (index, chunk) in bytes.chunks(STEP).enumerate() {
        if chunk.iter().fold(false, |found, byte| found | suspect(*byte)) {
            let start = index * STEP;
            let found = (start..start + chunk.len()).find(|at| is_forbidden(*at));
            if found.is_some() {
                return found;
            }
        }
    }
    None
}
