//! JSON documents as Go's encoding/json reads them, into the same tree as YAML.

use super::builder::{Builder, ScalarNode};
use super::scalar::Scalar;
use super::tree::{NodeId, Tree};
use crate::source::Span;

/// A syntax error in Go's words; `offset` is the byte where it stands.
#[derive(Debug)]
pub(super) struct JsonError {
    pub message: String,
    pub offset: usize,
}

/// Whether a member of an object is passed over: asked with its key behind those around it, outermost first, and with
/// the text behind the colon.
pub type Skim<'f> = dyn FnMut(&[&str], &str) -> bool + 'f;

/// Reads one value that starts at or after `at`; gives its root and the offset behind it. Of members that are passed
/// over no more is read than where they end.
pub(super) fn read<'f>(
    tree: &mut Tree,
    text: &str,
    at: usize,
    skim: Option<&'f mut Skim<'f>>,
) -> Result<(NodeId, usize), JsonError> {
    let mut reader = Reader { text, at, builder: Builder::new(tree), brackets: Vec::new(), skim, keys: Vec::new() };
    reader.document()
}

/// Offset of the first byte that is no JSON white space.
pub(super) fn skip_space(text: &str, at: usize) -> usize {
    let space = text.as_bytes()[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    at + space.count()
}

struct Reader<'t, 's, 'f> {
    text: &'s str,
    at: usize,
    builder: Builder<'t>,
    /// The open brackets, `b'{'` or `b'['`.
    brackets: Vec<u8>,
    skim: Option<&'f mut Skim<'f>>,
    /// The key in each open object; empty where none was asked about.
    keys: Vec<&'s str>,
}

impl Reader<'_, '_, '_> {
    fn document(&mut self) -> Result<(NodeId, usize), JsonError> {
        loop {
            self.value()?;
            // Close what ends here, then go on behind a comma.
            loop {
                let Some(open) = self.brackets.last().copied() else {
                    let root = self.builder.root().ok_or_else(|| self.error("unexpected EOF"))?;
                    return Ok((root, self.at));
                };
                match (open, self.peek()?) {
                    (_, b',') => {
                        self.at += 1;
                        if open == b'{' && !self.key()? {
                            self.close()?;
                            continue;
                        }
                        break;
                    }
                    (b'{', b'}') | (b'[', b']') => self.close()?,
                    (b'{', byte) => return Err(self.unexpected(byte, "after object key:value pair")),
                    (_, byte) => return Err(self.unexpected(byte, "after array element")),
                }
            }
        }
    }

    /// Reads a scalar, or opens containers down to the first scalar or empty container.
    fn value(&mut self) -> Result<(), JsonError> {
        loop {
            let byte = self.peek()?;
            match byte {
                b'{' => {
                    self.open(byte)?;
                    if self.peek()? == b'}' || !self.key()? {
                        return self.close();
                    }
                }
                b'[' => {
                    self.open(byte)?;
                    if self.peek()? == b']' {
                        return self.close();
                    }
                }
                b'"' => return self.string(),
                b'-' | b'0'..=b'9' => return self.number(),
                b't' => return self.literal("true", Scalar::Bool(true)),
                b'f' => return self.literal("false", Scalar::Bool(false)),
                b'n' => return self.literal("null", Scalar::Null),
                _ => return Err(self.unexpected(byte, "looking for beginning of value")),
            }
        }
    }

    /// Reads the next key; `false` where the object ends, since its last members were passed over.
    fn key(&mut self) -> Result<bool, JsonError> {
        loop {
            let byte = self.peek()?;
            if byte != b'"' {
                return Err(self.unexpected(byte, "looking for beginning of object key string"));
            }
            if !self.skips()? {
                self.string()?;
                self.colon()?;
                return Ok(true);
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => return Ok(false),
                byte => return Err(self.unexpected(byte, "after object key:value pair")),
            }
        }
    }

    fn colon(&mut self) -> Result<(), JsonError> {
        match self.peek()? {
            b':' => {
                self.at += 1;
                Ok(())
            }
            byte => Err(self.unexpected(byte, "after object key")),
        }
    }

    /// Passes a member over, where that is wanted; the key stands next.
    fn skips(&mut self) -> Result<bool, JsonError> {
        if self.skim.is_none() {
            return Ok(false);
        }
        let start = self.at;
        self.pass_string()?;
        let key = &self.text[start + 1..self.at - 1];
        if let Some(last) = self.keys.last_mut() {
            *last = key;
        }
        self.colon()?;
        self.peek()?;
        let rest = &self.text[self.at..];
        let skips = self.skim.as_mut().is_some_and(|skim| skim(&self.keys, rest));
        if skips {
            self.pass()?;
        } else {
            self.at = start;
        }
        Ok(skips)
    }

    /// Goes behind a value without reading it.
    fn pass(&mut self) -> Result<(), JsonError> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.pass_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
            if depth == 0 && matches!(self.peek()?, b',' | b'}' | b']') {
                return Ok(());
            }
        }
    }

    /// Goes behind a string without reading it.
    fn pass_string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            match memchr::memchr2(b'"', b'\\', &self.text.as_bytes()[self.at..]) {
                None => {
                    self.at = self.text.len();
                    return Err(self.error("unexpected EOF"));
                }
                Some(found) => self.at += found,
            }
            if self.text.as_bytes()[self.at] == b'"' {
                self.at += 1;
                return Ok(());
            }
            self.at = (self.at + 2).min(self.text.len());
        }
    }

    fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        self.builder.open(bracket == b'{', self.at as u32).map_err(|_| self.error("exceeded max depth"))?;
        self.brackets.push(bracket);
        if bracket == b'{' {
            self.keys.push("");
        }
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        if self.brackets.pop() == Some(b'{') {
            self.keys.pop();
        }
        let end = self.at as u32;
        self.builder.close(end).map(|_| ()).map_err(|message| self.error(&message))
    }

    /// The next byte that is no white space, which stays to be read.
    fn peek(&mut self) -> Result<u8, JsonError> {
        self.at = skip_space(self.text, self.at);
        self.text.as_bytes().get(self.at).copied().ok_or_else(|| self.error("unexpected EOF"))
    }

    fn error(&self, message: &str) -> JsonError {
        JsonError { message: message.to_owned(), offset: self.at }
    }

    fn unexpected(&self, byte: u8, context: &str) -> JsonError {
        let shown = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            b'\\' => r"'\\'".to_owned(),
            b'\n' => r"'\n'".to_owned(),
            b'\r' => r"'\r'".to_owned(),
            b'\t' => r"'\t'".to_owned(),
            0..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
            0x80..=0x9f => format!("'\\u{:04x}'", byte),
            _ => format!("'{}'", byte as char),
        };
        self.error(&format!("invalid character {shown} {context}"))
    }

    /// `at` is where the text stands in the source; `None` for one that escapes.
    fn scalar(&mut self, start: usize, text: &str, at: Option<usize>, resolved: Scalar) -> Result<(), JsonError> {
        let span = Span::new(start, self.at);
        let node = ScalarNode { span, text, resolved, at: at.map(|at| at as u32), merges: false };
        self.builder.scalar(&node).map(|_| ()).map_err(|message| self.error(&message))
    }

    fn literal(&mut self, word: &str, value: Scalar) -> Result<(), JsonError> {
        let start = self.at;
        for expected in word.bytes() {
            match self.text.as_bytes().get(self.at) {
                Some(byte) if *byte == expected => self.at += 1,
                Some(byte) => {
                    let context = format!("in literal {word} (expecting '{}')", expected as char);
                    return Err(self.unexpected(*byte, &context));
                }
                None => return Err(self.error("unexpected EOF")),
            }
        }
        self.scalar(start, word, Some(start), value)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let digits = |at: &mut usize| {
            let from = *at;
            while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            *at > from
        };
        let mut at = start + usize::from(bytes[start] == b'-');
        let leading_zero = bytes.get(at) == Some(&b'0');
        let mut valid = if leading_zero {
            at += 1;
            true
        } else {
            digits(&mut at)
        };
        let mut whole = true;
        if valid && bytes.get(at) == Some(&b'.') {
            whole = false;
            at += 1;
            valid = digits(&mut at);
        }
        if valid && matches!(bytes.get(at), Some(b'e' | b'E')) {
            whole = false;
            at += 1;
            if matches!(bytes.get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            valid = digits(&mut at);
        }
        self.at = at;
        if !valid {
            return Err(match bytes.get(at) {
                Some(byte) => self.unexpected(*byte, "in numeric literal"),
                None => self.error("unexpected EOF"),
            });
        }
        let text = &self.text[start..at];
        let resolved = match (whole, text.parse::<i64>(), text.parse::<u64>()) {
            (true, Ok(value), _) => Scalar::Int(value),
            (true, _, Ok(value)) => Scalar::Uint(value),
            _ => Scalar::Float(text.parse().unwrap_or(f64::MAX)),
        };
        self.scalar(start, text, Some(start), resolved)
    }

    fn string(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        self.at += 1;
        let mut owned: Option<String> = None;
        let mut copied = self.at;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let plain = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            // To the end, so that several are looked at in one step.
            if rest[..plain].iter().fold(false, |found, byte| found | (*byte < 0x20)) {
                let control = rest.iter().position(|byte| *byte < 0x20).unwrap_or_default();
                self.at += control;
                return Err(self.unexpected(rest[control], "in string literal"));
            }
            self.at += plain;
            match rest.get(plain) {
                None => return Err(self.error("unexpected EOF")),
                Some(b'"') => break,
                Some(_) => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[copied..self.at]);
                    let char = self.escape()?;
                    owned.get_or_insert_default().push(char);
                    copied = self.at;
                }
            }
        }
        let rest = &self.text[copied..self.at];
        self.at += 1;
        match owned {
            Some(text) => self.scalar(start, &(text + rest), None, Scalar::Str),
            None => self.scalar(start, rest, Some(copied), Scalar::Str),
        }
    }

    /// Reads an escape; a lone surrogate becomes U+FFFD as in Go.
    fn escape(&mut self) -> Result<char, JsonError> {
        let byte = self.text.as_bytes().get(self.at + 1).copied();
        let char = match byte {
            Some(b'u') => return self.unicode_escape(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte as char,
            Some(byte) => {
                self.at += 1;
                return Err(self.unexpected(byte, "in string escape code"));
            }
            None => return Err(self.error("unexpected EOF")),
        };
        self.at += 2;
        Ok(char)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let unit = |at: usize| {
            let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
            u32::from_str_radix(digits, 16).ok()
        };
        let Some(high) = unit(self.at) else {
            return Err(self.error("invalid character in \\u hexadecimal character escape"));
        };
        if let (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) = (high, unit(self.at + 6)) {
            self.at += 12;
            let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            return Ok(char::from_u32(code).unwrap_or('\u{FFFD}'));
        }
        self.at += 6;
        Ok(char::from_u32(high).unwrap_or('\u{FFFD}'))
    }
}

#[cfg(test)]
mod tests {
    use crate::source::SourceText;

    use crate::yaml;

    /// The text of what is read where members named `x` are passed over.
    fn without_x(text: &str) -> Result<String, String> {
        let text = SourceText::from(text);
        let file = yaml::read_skimmed(&text, &mut |keys, _| keys.last() == Some(&"x"));
        let document = file.documents.first().ok_or("nothing")?;
        let mut out = String::new();
        match (document.root, &document.error) {
            (Some(root), None) => file.tree.view(root).write_json(&mut out),
            (_, error) => return Err(format!("{error:?}")),
        }
        Ok(out)
    }

    #[test]
    fn members_are_passed_over_wherever_they_stand() {
        let cases = [
            (r#"{"x": 1, "a": 2}"#, r#"{"a":2}"#),
            (r#"{"a": 2, "x": {"a": [1, "}\"]\\"]}}"#, r#"{"a":2}"#),
            (r#"{"a": 1, "x": [ ] , "b": {"x": "é\u00e9", "x": -1e5}, "x": null}"#, r#"{"a":1,"b":{}}"#),
            (r#"{ "x" : true }"#, "{}"),
            (r#"{"a": [{"x": 1}, {"y": {"x": {}, "z": [{"x": []}]}}]}"#, r#"{"a":[{},{"y":{"z":[{}]}}]}"#),
            (r#"{"x ": 1, "\u0078": 2}"#, r#"{"x":2,"x ":1}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(without_x(text).as_deref(), Ok(expected), "{text}");
            // What is cut off anywhere is an error, or YAML, and no panic.
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                let _ = without_x(&format!("{} ", &text[..end]));
            }
        }
        for text in [r#"{"x": [1, "a": 2}  "#, r#"{"x": "a  "#, r#"{"x"  "#] {
            assert!(without_x(text).is_err(), "{text}");
        }
    }
}
