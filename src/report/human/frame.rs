//! A source frame by miette: the lines of a finding with what is marked in them.
//!
//! miette gets an excerpt instead of the file: the few lines at stake, clipped, with secrets masked. So a frame at
//! the end of a large file costs as much as one at its start.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};

use crate::source::{Source, Span};

/// More lines than this between two marks give no common frame.
pub(super) const MAX_LINES: u32 = 8;

/// Characters of a line that are shown where the terminal does not say.
const LINE_WIDTH: usize = 140;

/// What to draw.
pub(super) struct Marks<'a> {
    pub source: &'a Source,
    /// Sorted places whose text is hidden.
    pub secrets: &'a [Span],
    /// The finding itself.
    pub primary: (Span, Option<String>),
    /// Further places within [`MAX_LINES`] of it.
    pub others: Vec<(Span, String)>,
    pub color: bool,
    pub width: Option<usize>,
}

/// The frame, ending in a line break; the place stands in its first line. Empty where the file has no such line.
pub(super) fn draw(marks: &Marks<'_>) -> String {
    let Some(frame) = Frame::new(marks) else {
        return String::new();
    };
    let mut theme = if marks.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    theme.characters = ThemeCharacters { ltop: '┌', lbot: '└', ..ThemeCharacters::unicode() };
    if marks.color {
        theme.styles = ThemeStyles::ansi();
    }
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(marks.width.unwrap_or(400))
        .with_context_lines(0)
        .without_primary_span_start()
        .without_syntax_highlighting()
        .tab_width(2);
    let mut text = String::new();
    if handler.render_report(&mut text, &frame).is_err() {
        return String::new();
    }
    // The first line is miette's own header, the last one closes the frame; both would say nothing here.
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    while lines.last().is_some_and(|line| line.is_empty() || line.trim_start().starts_with('└')) {
        lines.pop();
    }
    let start = lines.iter().position(|line| line.contains('┌')).unwrap_or(0);
    lines[start..].iter().flat_map(|line| [*line, "\n"]).collect()
}

/// The excerpt and its labels, as miette wants them.
struct Frame {
    /// `file:line:column`.
    name: String,
    text: String,
    /// 0-based number of the first line.
    first_line: usize,
    labels: Vec<LabeledSpan>,
}

impl Frame {
    fn new(marks: &Marks<'_>) -> Option<Frame> {
        let source = marks.source;
        let line_of = |span: Span| source.line_column(span.start).line;
        let start = source.line_column(marks.primary.0.start);
        let lines = || marks.others.iter().map(|(span, _)| line_of(*span)).chain([start.line]);
        let (first, last) = (lines().min()?, lines().max()?);
        let width = marks.width.map_or(LINE_WIDTH, |width| width.saturating_sub(12).max(30));
        let mut excerpt = Excerpt::default();
        for line in first..=last {
            let span = source.line_span(line)?;
            let focus = if line == start.line { marks.primary.0.start } else { span.start };
            excerpt.push_line(source, span, focus, width, marks.secrets);
        }
        let (span, label) = &marks.primary;
        let mut labels =
            vec![LabeledSpan::new_primary_with_span(label.clone(), excerpt.place(*span, source, start.line))];
        for (span, label) in &marks.others {
            let place = excerpt.place(*span, source, line_of(*span));
            labels.push(LabeledSpan::new_with_span(Some(label.clone()), place));
        }
        let name = format!("{}:{}:{}", source.name, start.line, start.column);
        Some(Frame { name, text: excerpt.text, first_line: first as usize - 1, labels })
    }
}

/// Text cut out of a file, and where its bytes came from.
#[derive(Default)]
struct Excerpt {
    text: String,
    pieces: Vec<Piece>,
}

/// A run of the excerpt; hidden and clipped runs stand for other bytes than they show.
struct Piece {
    from: Span,
    at: usize,
    verbatim: bool,
}

impl Excerpt {
    /// Adds a line: the window around `focus` that fits the width, without secrets and control characters.
    fn push_line(&mut self, source: &Source, line: Span, focus: u32, width: usize, secrets: &[Span]) {
        let window = clip(&source.text, line, focus, width);
        if window.start > line.start {
            self.push_hidden(Span { start: line.start, end: window.start }, "…");
        }
        let mut at = window.start;
        let first = secrets.partition_point(|secret| secret.end <= window.start);
        for secret in secrets[first..].iter().take_while(|secret| secret.start < window.end) {
            let secret = Span { start: secret.start.max(window.start), end: secret.end.min(window.end) };
            self.push_plain(source, Span { start: at, end: secret.start });
            let text = &source.text[secret.range()];
            let indent = (text.len() - text.trim_start().len()) as u32;
            let value = Span { start: secret.start + indent, end: secret.end };
            self.push_plain(source, Span { start: secret.start, end: value.start });
            if value.start < value.end {
                self.push_hidden(value, super::super::mask::MASKED);
            }
            at = secret.end;
        }
        self.push_plain(source, Span { start: at, end: window.end });
        if window.end < line.end {
            self.push_hidden(Span { start: window.end, end: line.end }, "…");
        }
        // The end of the line is a place too: what is missing is marked there.
        self.pieces.push(Piece { from: Span { start: line.end, end: line.end }, at: self.text.len(), verbatim: true });
        self.text.push('\n');
    }

    fn push_hidden(&mut self, from: Span, shown: &str) {
        self.pieces.push(Piece { from, at: self.text.len(), verbatim: false });
        self.text.push_str(shown);
    }

    /// Control characters become one-byte stand-ins, so that offsets stay; a byte-order mark is not shown.
    fn push_plain(&mut self, source: &Source, mut from: Span) {
        let mut text = &source.text[from.range()];
        if let Some(rest) = text.strip_prefix('\u{feff}') {
            text = rest;
            from.start += 3;
        }
        if from.start >= from.end {
            return;
        }
        self.pieces.push(Piece { from, at: self.text.len(), verbatim: true });
        for char in text.chars() {
            let escape = char.is_control() && char != '\t';
            match char.len_utf8() {
                length if escape => (0..length).for_each(|_| self.text.push('?')),
                _ => self.text.push(char),
            }
        }
    }

    /// Where a place of the file stands in the excerpt; marks end with their first line.
    fn place(&self, span: Span, source: &Source, line: u32) -> SourceSpan {
        let line_end = source.line_span(line).map_or(span.start, |line| line.end);
        let start = self.offset(span.start.min(line_end), false);
        let end = self.offset(span.end.min(line_end).max(span.start), true).max(start);
        let length = if end == start { usize::from(start < self.text.len()) } else { end - start };
        let char_end = (start + length..=self.text.len()).find(|at| self.text.is_char_boundary(*at));
        (start, char_end.unwrap_or(self.text.len()) - start).into()
    }

    fn offset(&self, at: u32, is_end: bool) -> usize {
        let piece = self.pieces.iter().rposition(|piece| piece.from.start < at || (piece.from.start == at && !is_end));
        let Some(index) = piece else {
            return self.pieces.first().map_or(0, |piece| piece.at);
        };
        let piece = &self.pieces[index];
        let next = self.pieces.get(index + 1).map_or(self.text.len(), |next| next.at);
        match piece.verbatim {
            true => (piece.at + (at - piece.from.start) as usize).min(next),
            false if is_end => next,
            false => piece.at,
        }
    }
}

/// The part of a line that is shown: all of it where it fits, else a window around `focus`.
fn clip(text: &str, line: Span, focus: u32, width: usize) -> Span {
    if line.range().len() <= width {
        return line;
    }
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let focus = (focus as usize).clamp(line.range().start, line.range().end);
    let mut start = line.range().start;
    if focus - start > width / 2 {
        start = boundary((focus - width / 4).max(start));
    }
    let end = boundary((start + width).min(line.range().end));
    Span::new(start, end)
}

impl SourceCode for Frame {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset() + span.len();
        let head = self.text.get(..span.offset()).ok_or(MietteError::OutOfBounds)?;
        let tail = self.text.get(end..).ok_or(MietteError::OutOfBounds)?;
        let start = head.rfind('\n').map_or(0, |newline| newline + 1);
        let end = if self.text[start..end].ends_with('\n') { end } else { end + tail.find('\n').unwrap_or(tail.len()) };
        let line = self.first_line + head.matches('\n').count();
        let data = &self.text.as_bytes()[start..end];
        // So many that miette draws all marks in one frame.
        let count = MAX_LINES as usize;
        let place = (start, end - start).into();
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, place, line, 0, count)))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// miette's header line, which is cut off.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")
    }
}

impl std::error::Error for Frame {}

impl Diagnostic for Frame {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
