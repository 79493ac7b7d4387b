//! Reading a snapshot as kplan writes it, an object a line, in parts: of each no more stays in memory than its objects.

use std::io::BufRead;

use super::{Snapshot, about, complete, kinds, parse_loaded};
use crate::config::Settings;
use crate::load::Loaded;
use crate::model::{Role, SetId};
use crate::source::Source;

/// So many bytes a part takes, and the rest of its last line.
const PART: usize = 4 << 20;

const HEAD: &str = "{\"apiVersion\":\"v1\",\"kind\":\"List\",";

/// Reads a snapshot in the form that [`super::document`] gives it. `None` where the text is anything else or has a
/// mistake, which [`super::read`] tells with its place.
pub fn read_parts(name: &str, text: impl BufRead, settings: &Settings) -> Option<Snapshot> {
    let Parts { texts, items } = split(text)?;
    let mut loaded = Loaded::default();
    for text in texts {
        loaded.sources.add(Source::new(name, text));
        loaded.sets.push(SetId(0));
        loaded.roles.push(Role::StatePart);
        loaded.explicit.push(true);
    }
    let (mut bundle, diagnostics) = parse_loaded(loaded, settings);
    let mut documents = bundle.files.iter().flat_map(|file| &file.documents);
    if !diagnostics.is_empty() || documents.any(|document| document.error.is_some()) {
        return None;
    }
    let head = bundle.files.first()?;
    let about = about(name, head.tree.view(head.documents.first()?.root?), Some(items)).ok()?;
    complete(&mut bundle, &about.unread, kinds::held(), settings);
    Some(Snapshot { bundle, about })
}

/// Texts of lists: that of the snapshot without its items, then its items, some thousand each.
struct Parts {
    texts: Vec<String>,
    items: usize,
}

fn split(mut text: impl BufRead) -> Option<Parts> {
    let mut head = String::new();
    text.read_line(&mut head).ok()?;
    if !head.starts_with(HEAD) || !head.ends_with("\"items\":[\n") {
        return None;
    }
    let mut parts = Parts { texts: vec![head + "]}"], items: 0 };
    let mut part = begin();
    loop {
        let start = part.len();
        text.read_line(&mut part).ok()?;
        match &part[start..] {
            "]}\n" => {
                parts.texts.push(part);
                return is_at_end(text).then_some(parts);
            }
            line if !line.starts_with('{') => return None,
            _ => parts.items += 1,
        }
        if part.len() >= PART {
            let items = part.strip_suffix(",\n")?.len();
            part.truncate(items);
            parts.texts.push(part + "]}");
            part = begin();
        }
    }
}

fn begin() -> String {
    let mut part = String::with_capacity(PART + PART / 8);
    part.push_str(HEAD);
    part.push_str("\"items\":[\n");
    part
}

fn is_at_end(mut text: impl BufRead) -> bool {
    text.fill_buf().is_ok_and(<[u8]>::is_empty)
}
