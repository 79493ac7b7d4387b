//! Plain scalars.

use std::borrow::Cow;

use super::fold::Fold;
use super::{Fault, Scanner};
use crate::yaml::events::Style;

/// What a byte can mean in a plain scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Space,
    Colon,
    Flow,
    /// The first byte of NEL, LS or PS, and of other characters.
    MayBreak,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Word; 256];
    classes[0] = Class::Space;
    classes[b' ' as usize] = Class::Space;
    classes[b'\t' as usize] = Class::Space;
    classes[b'\n' as usize] = Class::Space;
    classes[b'\r' as usize] = Class::Space;
    classes[b':' as usize] = Class::Colon;
    classes[b',' as usize] = Class::Flow;
    classes[b'[' as usize] = Class::Flow;
    classes[b']' as usize] = Class::Flow;
    classes[b'{' as usize] = Class::Flow;
    classes[b'}' as usize] = Class::Flow;
    classes[0xC2] = Class::MayBreak;
    classes[0xE2] = Class::MayBreak;
    classes
};

impl<'t> Scanner<'t> {
    pub(super) fn plain_scalar(&mut self) -> Result<(), Box<Fault>> {
        let candidate = self.candidate()?;
        self.key_allowed = false;
        let start = self.cursor.at;
        let mut end = start;
        // What was read so far, once it differs from what is written.
        let mut folded: Option<String> = None;
        let mut fold = Fold::default();
        while !self.cursor.is_document_indicator() && self.cursor.byte() != b'#' {
            let word = self.cursor.at;
            self.cursor.at = self.word_end(start)?;
            if self.cursor.at > word {
                if fold.any {
                    fold.write(folded.get_or_insert_with(|| self.cursor.text[start..end].to_owned()));
                } else if let Some(folded) = &mut folded {
                    folded.push_str(&self.cursor.text[end..word]);
                }
                if let Some(folded) = &mut folded {
                    folded.push_str(&self.cursor.text[word..self.cursor.at]);
                }
                end = self.cursor.at;
            }
            if !self.skip_space(&mut fold, start)? {
                break;
            }
        }
        self.key_allowed |= fold.any;
        let text = folded.map_or(Cow::Borrowed(&self.cursor.text[start..end]), Cow::Owned);
        self.push_scalar(candidate, Style::Plain, start, end, text);
        Ok(())
    }

    /// Where the word ends that starts here; empty where an indicator stands.
    #[inline]
    fn word_end(&mut self, scalar: usize) -> Result<usize, Box<Fault>> {
        let cursor = &self.cursor;
        let in_flow = self.flow_level > 0;
        let mut at = cursor.at;
        loop {
            match CLASSES[usize::from(cursor.byte_at(at))] {
                Class::Word => {}
                Class::Space => return Ok(at),
                Class::Colon
                    if in_flow && matches!(cursor.byte_at(at + 1), b',' | b'?' | b'[' | b']' | b'{' | b'}') =>
                {
                    self.cursor.at = at;
                    return Err(self.fault(scalar, "found unexpected ':'"));
                }
                Class::Colon if cursor.is_space_at(at + 1) => return Ok(at),
                Class::Flow if in_flow => return Ok(at),
                Class::MayBreak if cursor.break_at(at) > 0 => return Ok(at),
                Class::Colon | Class::Flow | Class::MayBreak => {}
            }
            at += 1;
        }
    }

    /// Steps over blanks and line breaks; whether the scalar can go on behind them.
    fn skip_space(&mut self, fold: &mut Fold, scalar: usize) -> Result<bool, Box<Fault>> {
        let before = self.cursor.at;
        let indent = self.indent + 1;
        loop {
            let shallow = fold.any && ((self.cursor.at - self.cursor.line_start) as isize) < indent;
            match self.cursor.byte() {
                b'\t' if shallow => {
                    return Err(self.fault(scalar, "found a tab character that violates indentation"));
                }
                b' ' | b'\t' => self.cursor.at += 1,
                _ => match self.cursor.take_break() {
                    "" => return Ok(self.cursor.at > before && !(shallow && self.flow_level == 0)),
                    meaning => fold.line_break(meaning),
                },
            }
        }
    }
}
