//! Reading a snapshot as kplan writes it, an object a line, in parts: of each no more stays in memory than its objects.

use std::io::BufRead;

use super::{Snapshot, about, complete, kinds, scope};
use crate::config::Settings;
use crate::parse;

/// So many bytes a part takes, and the rest of its last line.
const PART: usize = 4 << 20;

const HEAD: &str = "{\"apiVersion\":\"v1\",\"kind\":\"List\",";

/// Reads a snapshot in the form that [`super::document`] gives it. `None` where the text is anything else or has a
/// mistake, which [`super::read`] tells with its place.
pub fn read_parts(name: &str, text: impl BufRead + Send, settings: &Settings) -> Option<Snapshot> {
    let parts = Parts { text, next: Next::Head };
    let (mut bundle, diagnostics) = parse::state(name, parts, settings, &scope(settings))?;
    let roots = || bundle.files.iter().map(|file| Some(file.tree.view(file.documents.first()?.root?)));
    let items = roots().map(|root| Some(root?.list("items").len())).sum::<Option<usize>>()?;
    let about = about(name, roots().next()??, Some(items)).ok().filter(|_| diagnostics.is_empty())?;
    complete(&mut bundle, &about.unread, kinds::held(), settings);
    Some(Snapshot { bundle, about })
}

/// Texts of lists: that of the snapshot without its items, then its items, some thousand each; `None` where the text
/// is not in this form.
struct Parts<R> {
    text: R,
    next: Next,
}

#[derive(Clone, Copy)]
enum Next {
    Head,
    Items,
    End,
}

impl<R: BufRead> Iterator for Parts<R> {
    type Item = Option<String>;

    fn next(&mut self) -> Option<Option<String>> {
        let part = match self.next {
            Next::Head => self.head(),
            Next::Items => self.items(),
            Next::End => return None,
        };
        if part.is_none() {
            self.next = Next::End;
        }
        Some(part)
    }
}

impl<R: BufRead> Parts<R> {
    fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        self.text.read_line(&mut head).ok()?;
        self.next = Next::Items;
        (head.starts_with(HEAD) && head.ends_with("\"items\":[\n")).then_some(head + "]}")
    }

    fn items(&mut self) -> Option<String> {
        let mut part = String::with_capacity(PART + PART / 8);
        part.push_str(HEAD);
        part.push_str("\"items\":[\n");
        // Behind the last item there is no comma, and the end of the list comes next.
        while part.len() < PART || !part.ends_with(",\n") {
            let start = part.len();
            self.text.read_line(&mut part).ok()?;
            match &part[start..] {
                "]}\n" => {
                    self.next = Next::End;
                    return self.text.fill_buf().is_ok_and(<[u8]>::is_empty).then_some(part);
                }
                line if !line.starts_with('{') => return None,
                _ => {}
            }
        }
        let items = part.strip_suffix(",\n")?.len();
        part.truncate(items);
        Some(part + "]}")
    }
}
