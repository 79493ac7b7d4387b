//! Literal (`|`) and folded (`>`) scalars.

use std::borrow::Cow;

use super::{Fault, Kind, Scanner};
use crate::yaml::events::Style;

/// What becomes of the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl<'t> Scanner<'t> {
    pub(super) fn block_scalar(&mut self) -> Result<(), Box<Fault>> {
        self.is_no_key()?;
        self.key_allowed = true;
        let start = self.cursor.at;
        let literal = self.cursor.byte() == b'|';
        let (chomping, increment) = self.block_header(start)?;
        let mut end = self.cursor.at;
        let mut indent = if increment > 0 { self.indent.max(0) as usize + increment } else { 0 };
        let mut text = String::new();
        // The line break behind the last line, and those of the empty lines after it.
        let (mut first, mut more) = ("", String::new());
        let mut last_was_blank = false;
        self.empty_lines(start, &mut indent, &mut more, &mut end)?;
        while self.cursor.at - self.cursor.line_start == indent && !self.cursor.is_end() {
            let blank = self.cursor.is_blank();
            if literal || first != "\n" || last_was_blank || blank {
                text.push_str(first);
            } else if more.is_empty() {
                text.push(' ');
            }
            text.push_str(&more);
            more.clear();
            last_was_blank = blank;
            let line = self.cursor.at;
            self.cursor.at = self.cursor.line_end(line);
            text.push_str(&self.cursor.text[line..self.cursor.at]);
            first = self.cursor.take_break();
            self.empty_lines(start, &mut indent, &mut more, &mut end)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(first);
        }
        if chomping == Chomping::Keep {
            text.push_str(&more);
        }
        self.push_token(Kind::Scalar(Style::Block), start, end, Cow::Owned(text));
        Ok(())
    }

    /// Reads `|` or `>` with its indicators and comment, to the next line; 0 where it gives no indentation.
    fn block_header(&mut self, start: usize) -> Result<(Chomping, usize), Box<Fault>> {
        self.cursor.at += 1;
        let mut chomping = None;
        let mut increment = 0;
        loop {
            match self.cursor.byte() {
                sign @ (b'+' | b'-') if chomping.is_none() => {
                    chomping = Some(if sign == b'+' { Chomping::Keep } else { Chomping::Strip });
                }
                b'0' if increment == 0 => return Err(self.fault(start, "found an indentation indicator equal to 0")),
                digit @ b'1'..=b'9' if increment == 0 => increment = usize::from(digit - b'0'),
                _ => break,
            }
            self.cursor.at += 1;
        }
        self.end_of_line(start)?;
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    /// Steps over blanks, a comment and the line break; nothing else may stand there.
    pub(super) fn end_of_line(&mut self, start: usize) -> Result<(), Box<Fault>> {
        self.cursor.skip_blanks();
        if self.cursor.byte() == b'#' {
            self.cursor.at = self.cursor.line_end(self.cursor.at);
        }
        if !self.cursor.is_line_end() {
            return Err(self.fault(start, "did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok(())
    }

    /// Steps over empty lines and the indentation behind them; finds out the indentation where it is still 0.
    fn empty_lines(
        &mut self,
        start: usize,
        indent: &mut usize,
        breaks: &mut String,
        end: &mut usize,
    ) -> Result<(), Box<Fault>> {
        let mut deepest = 0;
        *end = self.cursor.at;
        loop {
            let line_start = self.cursor.line_start;
            let limit = if *indent == 0 { usize::MAX } else { *indent };
            while self.cursor.byte() == b' ' && self.cursor.at - line_start < limit {
                self.cursor.at += 1;
            }
            let column = self.cursor.at - line_start;
            deepest = deepest.max(column);
            if column < limit && self.cursor.byte() == b'\t' {
                return Err(self.fault(start, "found a tab character where an indentation space is expected"));
            }
            match self.cursor.take_break() {
                "" => break,
                meaning => breaks.push_str(meaning),
            }
            *end = self.cursor.at;
        }
        if *indent == 0 {
            *indent = deepest.max((self.indent + 1) as usize).max(1);
        }
        Ok(())
    }
}
