//! Comments, which the scanner drops: every `#` outside of scalars that starts one.

use crate::source::Span;

/// Comments of a chunk, given the places of its scalars in order; each span runs from `#` to the line's end.
pub(super) fn find(text: &str, chunk: Span, scalars: &[Span]) -> Vec<Span> {
    let bytes = &text.as_bytes()[..chunk.end as usize];
    let mut found = Vec::new();
    let mut next_scalar = 0;
    let mut at = chunk.start as usize;
    while let Some(step) = memchr::memchr(b'#', &bytes[at..]) {
        let hash = at + step;
        at = hash + 1;
        while scalars.get(next_scalar).is_some_and(|span| (span.end as usize) <= hash) {
            next_scalar += 1;
        }
        let in_scalar = scalars.get(next_scalar).is_some_and(|span| (span.start as usize) <= hash);
        let spaced = hash == 0 || !matches!(bytes[hash - 1], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9');
        if in_scalar || !spaced {
            continue;
        }
        let length = memchr::memchr2(b'\n', b'\r', &bytes[hash..]).unwrap_or(bytes.len() - hash);
        found.push(Span::new(hash, hash + length));
        at = hash + length;
    }
    found
}
