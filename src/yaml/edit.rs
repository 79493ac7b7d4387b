//! Edits that keep every other byte: applying them, and writing scalars that read back as the text they are.

use super::scalar::{self, Scalar};
use crate::source::Span;

/// Applies replacements; those that overlap an earlier one are left out. Gives the new text and how many were applied.
pub fn apply(text: &str, edits: &[(Span, &str)]) -> (String, usize) {
    let mut sorted: Vec<&(Span, &str)> = edits.iter().collect();
    sorted.sort_by_key(|(span, _)| (span.start, span.end));
    sorted.dedup();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut applied = 0;
    for (span, new) in sorted {
        let (Some(kept), true) = (text.get(at..span.start as usize), text.is_char_boundary(span.end as usize)) else {
            continue;
        };
        out.push_str(kept);
        out.push_str(new);
        at = span.end as usize;
        applied += 1;
    }
    out.push_str(&text[at..]);
    (out, applied)
}

/// A string as a YAML scalar: plain where it reads back as itself, else in double quotes.
pub fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_' | '/');
    let starts = text.starts_with(|char: char| char.is_ascii_alphanumeric());
    if starts && text.chars().all(plain) && scalar::resolve(text) == Scalar::Str {
        return text.to_owned();
    }
    let mut out = String::new();
    super::write_json_string(&mut out, text);
    out
}

/// The white space in front of the text at `offset`, if nothing else stands before it on its line.
pub fn indentation(text: &str, offset: usize) -> Option<&str> {
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[start..offset];
    before.trim().is_empty().then_some(before)
}

/// The line end that a text uses.
pub fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_the_rest_and_never_overlap() {
        let edits = [(Span::new(3, 7), "\"True\""), (Span::new(3, 7), "\"True\""), (Span::new(4, 5), "x")];
        assert_eq!(apply("a: True # c\n", &edits), ("a: \"True\" # c\n".to_owned(), 1));
        assert_eq!(quoted("1.0"), "\"1.0\"");
        assert_eq!(quoted("1.0.0"), "1.0.0");
        assert_eq!(quoted("yes"), "\"yes\"");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(indentation("a:\n  b: 1\n", 5), Some("  "));
        assert_eq!(indentation("a:\n- b: 1\n", 5), None);
    }
}
