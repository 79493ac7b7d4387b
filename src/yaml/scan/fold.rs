//! Line breaks inside of plain and quoted scalars.

/// What stands between two words of a scalar that goes over several lines.
#[derive(Default)]
pub(super) struct Fold {
    /// A line break, or an escaped one, was seen; blanks behind it do not count.
    pub any: bool,
    first: &'static str,
    more: String,
}

impl Fold {
    /// Adds a line break.
    pub(super) fn line_break(&mut self, meaning: &'static str) {
        if self.any {
            self.more.push_str(meaning);
        } else {
            self.first = meaning;
            self.any = true;
        }
    }

    /// Writes what the breaks amount to, and starts anew: one is a blank, of several the first does not count.
    pub(super) fn write(&mut self, out: &mut String) {
        match self.first {
            "\n" if self.more.is_empty() => out.push(' '),
            "\n" => out.push_str(&self.more),
            first => {
                out.push_str(first);
                out.push_str(&self.more);
            }
        }
        self.any = false;
        self.first = "";
        self.more.clear();
    }
}
