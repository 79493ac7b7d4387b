//! Anchors, aliases, tags and directives.

use std::borrow::Cow;

use super::{Fault, Kind, Scanner};

/// A version number longer than this is refused.
const LONGEST_VERSION: usize = 9;

/// The parts of a tag (`!handle!suffix`) or of a `%TAG` directive, whose prefix stands as the suffix.
#[derive(Debug, Default)]
pub(in crate::yaml) struct TagText<'t> {
    /// Empty where the suffix is the whole tag.
    pub handle: &'t str,
    pub suffix: Cow<'t, str>,
    /// Escapes that amount to no UTF-8 give a tag that has no text.
    pub is_text: bool,
}

impl<'t> Scanner<'t> {
    /// `&name` or `*name`.
    pub(super) fn name(&mut self, kind: Kind) -> Result<(), Box<Fault>> {
        self.may_be_key()?;
        self.key_allowed = false;
        let start = self.cursor.at;
        self.cursor.at += 1;
        let text = self.letters();
        let closed = self.cursor.is_space_at(self.cursor.at)
            || matches!(self.cursor.byte(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if text.is_empty() || !closed {
            return Err(self.fault(start, "did not find expected alphabetic or numeric character"));
        }
        self.push_token(kind, start, self.cursor.at, Cow::Borrowed(text));
        Ok(())
    }

    /// ASCII letters, digits, `-` and `_`.
    fn letters(&mut self) -> &'t str {
        let start = self.cursor.at;
        while matches!(self.cursor.byte(), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-') {
            self.cursor.at += 1;
        }
        &self.cursor.text[start..self.cursor.at]
    }

    pub(super) fn tag(&mut self) -> Result<(), Box<Fault>> {
        self.may_be_key()?;
        self.key_allowed = false;
        let start = self.cursor.at;
        let text = if self.cursor.byte_at(start + 1) == b'<' {
            self.cursor.at += 2;
            let from = self.cursor.at;
            let (suffix, is_text) = self.uri(from, true, start)?;
            if self.cursor.byte() != b'>' {
                return Err(self.fault(start, "did not find the expected '>'"));
            }
            self.cursor.at += 1;
            TagText { handle: "", suffix, is_text }
        } else {
            self.short_tag(start)?
        };
        let closed = self.cursor.is_space_at(self.cursor.at) || self.flow_level > 0 && self.cursor.byte() == b',';
        if !closed {
            return Err(self.fault(start, "did not find expected whitespace or line break"));
        }
        self.tags.push_back(text);
        self.push_token(Kind::Tag, start, self.cursor.at, Cow::Borrowed(""));
        Ok(())
    }

    /// `!suffix`, `!!suffix` or `!handle!suffix`.
    fn short_tag(&mut self, start: usize) -> Result<TagText<'t>, Box<Fault>> {
        let handle = self.handle(start)?;
        if handle.len() > 1 && handle.ends_with('!') {
            let from = self.cursor.at;
            let (suffix, is_text) = self.uri(from, false, start)?;
            return Ok(TagText { handle, suffix, is_text });
        }
        let (suffix, is_text) = self.uri(start + 1, false, start)?;
        let mark = &handle[..1];
        Ok(match suffix.is_empty() && is_text {
            true => TagText { handle: "", suffix: Cow::Borrowed(mark), is_text },
            false => TagText { handle: mark, suffix, is_text },
        })
    }

    /// `!`, `!!` or `!name!`; also `!name`, which is no handle.
    fn handle(&mut self, start: usize) -> Result<&'t str, Box<Fault>> {
        let from = self.cursor.at;
        if self.cursor.byte() != b'!' {
            return Err(self.fault(start, "did not find expected '!'"));
        }
        self.cursor.at += 1;
        self.letters();
        self.cursor.at += usize::from(self.cursor.byte() == b'!');
        Ok(&self.cursor.text[from..self.cursor.at])
    }

    /// Reads a URI that began at `from`, some of which may have been read; `,` and brackets belong to it where
    /// `wide`. Only the one directly behind `!` may be empty. Gives its text up to the first zero, and whether it is
    /// text.
    fn uri(&mut self, from: usize, wide: bool, start: usize) -> Result<(Cow<'t, str>, bool), Box<Fault>> {
        let mut bytes: Option<Vec<u8>> = None;
        loop {
            match self.cursor.byte() {
                b'%' => {
                    let written = &self.cursor.text.as_bytes()[from..self.cursor.at];
                    let bytes = bytes.get_or_insert_with(|| written.to_vec());
                    self.octets(bytes, start)?;
                }
                byte if is_uri(byte) || wide && matches!(byte, b',' | b'[' | b']') => {
                    if let Some(bytes) = &mut bytes {
                        bytes.push(byte);
                    }
                    self.cursor.at += 1;
                }
                _ => break,
            }
        }
        if self.cursor.at == from && from != start + 1 {
            return Err(self.fault(start, "did not find expected tag URI"));
        }
        let Some(mut bytes) = bytes else { return Ok((Cow::Borrowed(&self.cursor.text[from..self.cursor.at]), true)) };
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        Ok(String::from_utf8(bytes).map_or((Cow::Borrowed(""), false), |text| (Cow::Owned(text), true)))
    }

    /// Reads the `%xx` of one character.
    fn octets(&mut self, bytes: &mut Vec<u8>, start: usize) -> Result<(), Box<Fault>> {
        let mut left = 0;
        loop {
            let digit = |at: usize| char::from(self.cursor.byte_at(at)).to_digit(16);
            let at = self.cursor.at;
            let (b'%', Some(high), Some(low)) = (self.cursor.byte(), digit(at + 1), digit(at + 2)) else {
                return Err(self.fault(start, "did not find URI escaped octet"));
            };
            let octet = (high << 4 | low) as u8;
            if left == 0 {
                left = match octet {
                    0x00..=0x7F => 1,
                    0xC0..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF7 => 4,
                    _ => return Err(self.fault(start, "found an incorrect leading UTF-8 octet")),
                };
            } else if octet & 0xC0 != 0x80 {
                return Err(self.fault(start, "found an incorrect trailing UTF-8 octet"));
            }
            bytes.push(octet);
            self.cursor.at += 3;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }
}

fn is_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$.!~*'()".contains(&byte)
}

/// Directives.
impl<'t> Scanner<'t> {
    pub(super) fn directive(&mut self) -> Result<(), Box<Fault>> {
        self.unroll(-1);
        self.is_no_key()?;
        self.key_allowed = false;
        let start = self.cursor.at;
        self.cursor.at += 1;
        let name = self.letters();
        if name.is_empty() {
            return Err(self.fault(start, "could not find expected directive name"));
        }
        if !self.cursor.is_space_at(self.cursor.at) {
            return Err(self.fault(start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.version(start)?,
            "TAG" => self.tag_directive(start)?,
            _ => return Err(self.fault(start, "found unknown directive name")),
        };
        self.push_token(kind, start, self.cursor.at, Cow::Borrowed(""));
        self.end_of_line(start)
    }

    fn version(&mut self, start: usize) -> Result<Kind, Box<Fault>> {
        self.cursor.skip_blanks();
        let major = self.version_number(start)?;
        if self.cursor.byte() != b'.' {
            return Err(self.fault(start, "did not find expected digit or '.' character"));
        }
        self.cursor.at += 1;
        let minor = self.version_number(start)?;
        Ok(Kind::Version(major == 1 && matches!(minor, 1 | 2)))
    }

    fn version_number(&mut self, start: usize) -> Result<u32, Box<Fault>> {
        let (mut number, from) = (0, self.cursor.at);
        while let digit @ b'0'..=b'9' = self.cursor.byte() {
            if self.cursor.at - from == LONGEST_VERSION {
                return Err(self.fault(start, "found extremely long version number"));
            }
            number = number * 10 + u32::from(digit - b'0');
            self.cursor.at += 1;
        }
        if self.cursor.at == from {
            return Err(self.fault(start, "did not find expected version number"));
        }
        Ok(number)
    }

    fn tag_directive(&mut self, start: usize) -> Result<Kind, Box<Fault>> {
        self.cursor.skip_blanks();
        let handle = self.handle(start)?;
        if handle != "!" && (handle.len() == 1 || !handle.ends_with('!')) {
            return Err(self.fault(start, "did not find expected '!'"));
        }
        if !self.cursor.is_blank() {
            return Err(self.fault(start, "did not find expected whitespace"));
        }
        self.cursor.skip_blanks();
        let from = self.cursor.at;
        let (suffix, is_text) = self.uri(from, true, start)?;
        if !self.cursor.is_space_at(self.cursor.at) {
            return Err(self.fault(start, "did not find expected whitespace or line break"));
        }
        self.tags.push_back(TagText { handle, suffix, is_text });
        Ok(Kind::TagDirective)
    }
}
