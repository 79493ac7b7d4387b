//! Source files: their text, their names as the user wrote them, and lines and columns.

use std::sync::{Arc, OnceLock};

/// Index of a [`Source`] in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The span from `start` to `end`; offsets beyond 4 GiB never occur because `load` refuses such files.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
    }

    /// Byte range for slicing the text of the file.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether `other` lies inside this span.
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// A place as people count it: 1-based line, 1-based column in code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    pub line: u32,
    pub column: u32,
}

/// The text of a file, shared by all that refer to places in it; a `String` becomes one without being copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText(Arc<String>);

impl<T: Into<String>> From<T> for SourceText {
    fn from(text: T) -> SourceText {
        SourceText(Arc::new(text.into()))
    }
}

impl std::ops::Deref for SourceText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl SourceText {
    /// Whether both are the text of one file.
    pub fn is(&self, other: &SourceText) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// One file that was read.
#[derive(Debug)]
pub struct Source {
    /// The path as given on the command line joined with the walk; `-` for standard input.
    pub name: String,
    /// The text; bytes that are not UTF-8 stand as `?`, so offsets equal those on disk.
    pub text: SourceText,
    /// Offsets of bytes that are no UTF-8.
    pub invalid: Vec<u32>,
    lines: OnceLock<Vec<u32>>,
}

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<SourceText>) -> Source {
        Source { name: name.into(), text: text.into(), invalid: Vec::new(), lines: OnceLock::new() }
    }

    fn line_starts(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let bytes = self.text.as_bytes();
            let mut starts = vec![0];
            for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
                let ends_with_next = bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
                if !ends_with_next {
                    starts.push(at as u32 + 1);
                }
            }
            starts
        })
    }

    /// Line and column of a byte offset; a byte-order mark at the start of the file takes no column.
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let starts = self.line_starts();
        let offset = offset.min(self.text.len() as u32);
        let line = starts.partition_point(|start| *start <= offset) - 1;
        let mut before = &self.text.as_bytes()[starts[line] as usize..offset as usize];
        if line == 0 {
            before = before.strip_prefix("\u{feff}".as_bytes()).unwrap_or(before);
        }
        // Every code point has exactly one byte that is no continuation byte.
        let column = before.iter().filter(|byte| (**byte & 0xC0) != 0x80).count();
        LineColumn { line: line as u32 + 1, column: column as u32 + 1 }
    }

    /// Byte range of a 1-based line, its line end excluded; `None` beyond the end of the file.
    pub fn line_span(&self, line: u32) -> Option<Span> {
        let starts = self.line_starts();
        let start = *starts.get(line.checked_sub(1)? as usize)? as usize;
        let end = starts.get(line as usize).map_or(self.text.len(), |next| *next as usize);
        let text = self.text[start..end].trim_end_matches(['\n', '\r']);
        Some(Span::new(start, start + text.len()))
    }
}

/// All files of a run.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    pub fn add(&mut self, source: Source) -> FileId {
        self.files.push(source);
        FileId(self.files.len() as u32 - 1)
    }

    pub fn get(&self, id: FileId) -> &Source {
        &self.files[id.0 as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files.iter().enumerate().map(|(index, source)| (FileId(index as u32), source))
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_code_points() {
        let source = Source::new("x", "\u{feff}a: ü€x\r\nb\rc\n");
        let at = |needle: &str| {
            let place = source.line_column(source.text.find(needle).unwrap() as u32);
            (place.line, place.column)
        };
        assert_eq!(at("a:"), (1, 1));
        assert_eq!(at("x"), (1, 6));
        assert_eq!(at("b"), (2, 1));
        assert_eq!(at("c"), (3, 1));
        assert_eq!(source.line_span(1).map(|s| &source.text[s.range()]), Some("\u{feff}a: ü€x"));
        assert_eq!(source.line_span(9), None);
    }
}
