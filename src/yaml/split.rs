//! Cuts a YAML stream into chunks at `---` lines, before any YAML is parsed, as kubectl does.

use crate::source::Span;

/// The text between two separators.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub span: Span,
    /// Lines that kubectl puts in front of the chunk, which shifts the lines in its messages: a separator that
    /// ends nothing stays with what follows it.
    pub lines_before: u64,
    /// What stands behind the `---` that ends this chunk, where kubectl allows nothing but a comment.
    pub bad_separator: Option<(String, Span)>,
}

/// Chunks of `text[from..]`; those with nothing but white space are left out.
pub(super) fn chunks(text: &str, from: usize) -> Vec<Chunk> {
    let mut found = Vec::new();
    let mut start = from;
    let mut lines_before = 0;
    let first = text[from..].starts_with("---").then_some(from);
    let later = memchr::memmem::find_iter(&text.as_bytes()[from..], "\n---").map(|at| from + at + 1);
    for line_start in first.into_iter().chain(later) {
        let rest_of_text = &text.as_bytes()[line_start..];
        let line_end = memchr::memchr(b'\n', rest_of_text).map_or(text.len(), |at| line_start + at + 1);
        let behind = &text[line_start + 3..line_end];
        let rest = behind.trim();
        let bad = !(rest.is_empty() || rest.starts_with('#'));
        let bad = bad.then(|| {
            let at = line_end - behind.trim_start().len();
            (rest.to_owned(), Span::new(at, at + rest.len()))
        });
        let ends_nothing = start == line_start && lines_before == 0;
        push(&mut found, text, Span::new(start, line_start), lines_before, bad);
        lines_before = u64::from(ends_nothing);
        start = line_end;
    }
    push(&mut found, text, Span::new(start, text.len()), lines_before, None);
    found
}

fn push(found: &mut Vec<Chunk>, text: &str, span: Span, lines_before: u64, bad_separator: Option<(String, Span)>) {
    let blank = text[span.range()].trim_matches([' ', '\n', '\r', '\u{feff}']).is_empty();
    if !blank || bad_separator.is_some() {
        found.push(Chunk { span, lines_before, bad_separator });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(&str, Option<String>)> {
        let chunks = chunks(text, 0);
        chunks.into_iter().map(|c| (&text[c.span.range()], c.bad_separator.map(|(rest, _)| rest))).collect()
    }

    #[test]
    fn separators_start_a_line() {
        let text = "---\na: 1\n--- # c\n\n---\nb: |\n  ---\n---  \n# only\n";
        assert_eq!(texts(text), [("a: 1\n", None), ("b: |\n  ---\n", None), ("# only\n", None)]);
        assert_eq!(texts("a: 1\n--- {b: 2}\n"), [("a: 1\n", Some("{b: 2}".to_owned()))]);
    }
}
