//! Colours, widths and wrapping of the human report. Colour is never the only sign.

use anstyle::{AnsiColor, Style as Ansi};

use super::super::Style;

/// How to paint; [`Paint::on`] is false where there is no terminal or the user wants none.
pub(super) struct Paint {
    pub on: bool,
    /// Nothing is cut.
    pub verbose: bool,
    width: Option<usize>,
}

impl Paint {
    pub(super) fn new(style: &Style) -> Paint {
        Paint { on: style.color, verbose: style.verbose > 0, width: style.width }
    }

    /// Columns of the terminal, if there is one.
    pub(super) fn width(&self) -> Option<usize> {
        self.width.map(|width| width.max(40))
    }

    pub(super) fn severity(&self, severity: &str, text: &str) -> String {
        let color = match severity {
            "error" => AnsiColor::Red,
            "warning" => AnsiColor::Yellow,
            _ => AnsiColor::Cyan,
        };
        self.paint(Ansi::new().bold().fg_color(Some(color.into())), text)
    }

    pub(super) fn class(&self, class: &str) -> String {
        let color = match class {
            "unreadable" | "rejected" => AnsiColor::Red,
            "pending" => AnsiColor::Magenta,
            "broken" => AnsiColor::Yellow,
            _ => AnsiColor::Cyan,
        };
        self.paint(Ansi::new().fg_color(Some(color.into())), class)
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.paint(Ansi::new().bold(), text)
    }

    pub(super) fn dim(&self, text: &str) -> String {
        self.paint(Ansi::new().dimmed(), text)
    }

    pub(super) fn color(&self, color: AnsiColor, text: &str) -> String {
        self.paint(Ansi::new().fg_color(Some(color.into())), text)
    }

    fn paint(&self, style: Ansi, text: &str) -> String {
        if self.on && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The lines of a text within the terminal, the later ones indented; line breaks of the text stay.
    pub(super) fn wrap(&self, text: &str, indent: usize) -> Vec<String> {
        let text = plain(text);
        let indent = " ".repeat(indent);
        let Some(width) = self.width() else {
            let lines = text.lines().enumerate();
            return lines.map(|(at, line)| if at == 0 { line.to_owned() } else { format!("{indent}{line}") }).collect();
        };
        let options = textwrap::Options::new(width)
            .subsequent_indent(&indent)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::wrap(&text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
    }
}

/// The text without control characters, which a terminal would act on; line breaks stay.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim_end().replace('\t', " ");
    if !text.chars().any(|char| char.is_control() && char != '\n') {
        return text;
    }
    text.chars()
        .filter(|char| *char != '\r')
        .map(|char| match char {
            char if char.is_control() && char != '\n' => char.escape_unicode().to_string(),
            char => char.to_string(),
        })
        .collect()
}

/// Columns of a text on the terminal.
pub(super) fn width_of(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// Columns aligned with two spaces between them; the last one is not padded. Painted cells align by what shows.
pub(super) fn columns(rows: &[Vec<String>], indent: &str) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| width_of(cell)).max();
    let widths: Vec<usize> = (0..count).map(|column| wide(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - width_of(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
