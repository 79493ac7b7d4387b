//! Scalars in quotes.

use std::borrow::Cow;

use super::fold::Fold;
use super::{Fault, Scanner};
use crate::yaml::events::Style;

impl<'t> Scanner<'t> {
    pub(super) fn quoted_scalar(&mut self) -> Result<(), Box<Fault>> {
        let candidate = self.candidate()?;
        self.key_allowed = false;
        let start = self.cursor.at;
        let quote = self.cursor.byte();
        self.cursor.at += 1;
        let text = match self.closed_as_written(quote) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.unquote(start, quote)?),
        };
        self.cursor.at += 1;
        let style = if quote == b'"' { Style::DoubleQuoted } else { Style::SingleQuoted };
        self.push_scalar(candidate, style, start, self.cursor.at, text);
        Ok(())
    }

    /// The text up to the closing quote, where it stands on the same line and nothing escapes before it.
    fn closed_as_written(&mut self, quote: u8) -> Option<&'t str> {
        let start = self.cursor.at;
        let rest = &self.cursor.text[start..];
        let length = match quote {
            b'"' => memchr::memchr3(quote, b'\\', b'\n', rest.as_bytes()),
            _ => memchr::memchr2(quote, b'\n', rest.as_bytes()),
        }?;
        let end = start + length;
        let doubled = quote == b'\'' && self.cursor.byte_at(end + 1) == quote;
        if self.cursor.byte_at(end) != quote || doubled || self.cursor.has_break(start, end) {
            return None;
        }
        self.cursor.at = end;
        Some(&rest[..length])
    }

    fn unquote(&mut self, start: usize, quote: u8) -> Result<String, Box<Fault>> {
        let mut out = String::new();
        let mut fold = Fold::default();
        loop {
            if self.cursor.is_document_indicator() {
                return Err(self.fault(start, "found unexpected document indicator"));
            }
            if self.cursor.is_end() {
                return Err(self.fault(start, "found unexpected end of stream"));
            }
            self.words(start, quote, &mut out, &mut fold)?;
            if self.cursor.byte() == quote {
                return Ok(out);
            }
            let blanks = self.cursor.at;
            let mut blanks_end = blanks;
            loop {
                if self.cursor.is_blank() {
                    self.cursor.at += 1;
                    blanks_end = if fold.any { blanks_end } else { self.cursor.at };
                } else {
                    match self.cursor.take_break() {
                        "" => break,
                        meaning => fold.line_break(meaning),
                    }
                }
            }
            if fold.any {
                fold.write(&mut out);
            } else {
                out.push_str(&self.cursor.text[blanks..blanks_end]);
            }
        }
    }

    /// Copies up to the next blank, line end or closing quote.
    fn words(&mut self, start: usize, quote: u8, out: &mut String, fold: &mut Fold) -> Result<(), Box<Fault>> {
        let double = quote == b'"';
        loop {
            let from = self.cursor.at;
            let mut at = from;
            while !self.cursor.is_space_at(at)
                && self.cursor.byte_at(at) != quote
                && !(double && self.cursor.byte_at(at) == b'\\')
            {
                at += 1;
            }
            out.push_str(&self.cursor.text[from..at]);
            self.cursor.at = at;
            if !double && self.cursor.byte() == quote && self.cursor.byte_at(at + 1) == quote {
                out.push('\'');
                self.cursor.at += 2;
            } else if self.cursor.byte() == b'\\' && double {
                if self.cursor.break_at(at + 1) > 0 {
                    self.cursor.at += 1;
                    self.cursor.take_break();
                    fold.any = true;
                    return Ok(());
                }
                out.push(self.escape(start)?);
            } else {
                return Ok(());
            }
        }
    }

    /// What the escape stands for that starts with the `\` here.
    fn escape(&mut self, start: usize) -> Result<char, Box<Fault>> {
        let digits = match self.cursor.byte_at(self.cursor.at + 1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            letter => {
                let char = escaped(letter).ok_or_else(|| self.fault(start, "found unknown escape character"))?;
                self.cursor.at += 2;
                return Ok(char);
            }
        };
        self.cursor.at += 2;
        let mut code = 0;
        for at in self.cursor.at..self.cursor.at + digits {
            let digit = char::from(self.cursor.byte_at(at)).to_digit(16);
            code = code << 4 | digit.ok_or_else(|| self.fault(start, "did not find expected hexadecimal number"))?;
        }
        let char =
            char::from_u32(code).ok_or_else(|| self.fault(start, "found invalid Unicode character escape code"))?;
        self.cursor.at += digits;
        Ok(char)
    }
}

/// Escapes of one letter.
fn escaped(letter: u8) -> Option<char> {
    Some(match letter {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{b}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'e' => '\u{1b}',
        b' ' => ' ',
        b'"' => '"',
        b'/' => '/',
        b'\\' => '\\',
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
