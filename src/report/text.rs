//! What differs between two texts: lines where there are several, the changed parts of a long line.

use serde_json::Value;
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};

use crate::diff::FieldChange;

/// Lines or words that stay, shown on each side of a change.
const AROUND: usize = 2;

/// More lines or words than this on both sides together are not compared one by one.
const MOST: usize = 4_000;

/// What to show of a text that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextChange {
    /// Lines with their sign, `-`, `+`, ` `, or `…` for lines that stay and are left out.
    Lines { removed: usize, added: usize, lines: Vec<(char, String)> },
    /// One line: `…level [-info-]{+debug+} to…`.
    Part(String),
}

/// How the text of a field changed; `None` where it is no text, is not there on both sides, or is short.
pub(super) fn of_field(field: &FieldChange, short: usize) -> Option<TextChange> {
    match (&field.before, &field.after) {
        (Some(Value::String(before)), Some(Value::String(after))) => change(before, after, short),
        _ => None,
    }
}

/// How a text changed; `None` where both are short enough to stand side by side.
fn change(before: &str, after: &str, short: usize) -> Option<TextChange> {
    if before.contains('\n') || after.contains('\n') {
        return Some(lines(before, after));
    }
    let long = before.chars().count().max(after.chars().count()) > short;
    long.then(|| TextChange::Part(part(before, after)))
}

fn lines(before: &str, after: &str) -> TextChange {
    let (old, new): (Vec<&str>, Vec<&str>) = (split(before), split(after));
    let (mut removed, mut added, mut lines) = (0, 0, Vec::new());
    let ops = compare(&old, &new);
    for (at, op) in ops.iter().enumerate() {
        let (from, to) = (&old[op.old_range()], &new[op.new_range()]);
        if op.tag() == DiffTag::Equal {
            let (head, tail) = kept(from.len(), at == 0, at + 1 == ops.len());
            lines.extend(from[..head].iter().map(|line| (' ', (*line).to_owned())));
            let hidden = from.len() - head - tail;
            if hidden > 0 {
                lines.push(('…', format!("{hidden} {} alike", if hidden == 1 { "line" } else { "lines" })));
            }
            lines.extend(from[from.len() - tail..].iter().map(|line| (' ', (*line).to_owned())));
            continue;
        }
        lines.extend(from.iter().map(|line| ('-', (*line).to_owned())));
        lines.extend(to.iter().map(|line| ('+', (*line).to_owned())));
        removed += from.len();
        added += to.len();
    }
    TextChange::Lines { removed, added, lines }
}

/// The lines of a text; a line break at its end makes no line more.
fn split(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split_inclusive('\n').collect() }
}

fn part(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (words(before), words(after));
    let ops = compare(&old, &new);
    let mut text = String::new();
    for (at, op) in ops.iter().enumerate() {
        let (from, to) = (&old[op.old_range()], &new[op.new_range()]);
        if op.tag() == DiffTag::Equal {
            // A word and what stands between words count as two.
            let (head, tail) = kept(from.len().div_ceil(3), at == 0, at + 1 == ops.len());
            let (head, tail) = ((head * 3).min(from.len()), (tail * 3).min(from.len()));
            if head + tail >= from.len() {
                text.push_str(&from.concat());
                continue;
            }
            text.push_str(&from[..head].concat());
            text.push('…');
            text.push_str(&from[from.len() - tail..].concat());
            continue;
        }
        if !from.is_empty() {
            text.push_str(&format!("[-{}-]", from.concat()));
        }
        if !to.is_empty() {
            text.push_str(&format!("{{+{}+}}", to.concat()));
        }
    }
    text
}

/// How many of those that stay are shown at the start and at the end, the rest of which is left out.
fn kept(count: usize, is_first: bool, is_last: bool) -> (usize, usize) {
    let head = if is_first { 0 } else { AROUND };
    let tail = if is_last { 0 } else { AROUND };
    // One that is left out saves nothing.
    if count <= head + tail + 1 { (count, 0) } else { (head, tail) }
}

/// Runs of letters and digits, and what stands between them, character by character.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut inside = false;
    for (at, char) in text.char_indices() {
        let is_word = char.is_alphanumeric();
        if at > start && !(inside && is_word) {
            words.extend(text.get(start..at));
            start = at;
        }
        inside = is_word;
    }
    words.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    words
}

/// What differs between two lists. Of long ones only what both begin and end with is found to be alike.
fn compare(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = (&old[head..], &new[head..]);
    let tail = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = (&rest.0[..rest.0.len() - tail], &rest.1[..rest.1.len() - tail]);
    if middle.0.len() + middle.1.len() <= MOST {
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    let equal = |old_index, new_index, len| DiffOp::Equal { old_index, new_index, len };
    let replaced =
        DiffOp::Replace { old_index: head, old_len: middle.0.len(), new_index: head, new_len: middle.1.len() };
    let all = [equal(0, 0, head), replaced, equal(old.len() - tail, new.len() - tail, tail)];
    all.into_iter().filter(|op| !op.old_range().is_empty() || !op.new_range().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        match change(before, after, 20) {
            None => "short".to_owned(),
            Some(TextChange::Part(part)) => part,
            Some(TextChange::Lines { removed, added, lines }) => {
                let lines: Vec<String> =
                    lines.iter().map(|(sign, line)| format!("{sign}{}", line.trim_end_matches('\n'))).collect();
                format!("-{removed} +{added}\n{}", lines.join("\n"))
            }
        }
    }

    #[test]
    fn lines_that_differ_stand_between_their_neighbours() {
        let before = "a\nb\nc\nd\ne\nlevel: info\nf\n";
        let after = "a\nb\nc\nd\ne\nlevel: debug\nf\n";
        assert_eq!(shown(before, after), "-1 +1\n…3 lines alike\n d\n e\n-level: info\n+level: debug\n f");
        assert_eq!(shown("a\n", "a"), "-1 +1\n-a\n+a");
        assert_eq!(shown("", "a\nb\n"), "-0 +2\n+a\n+b");
    }

    #[test]
    fn of_a_long_line_the_changed_part_is_shown() {
        assert_eq!(shown("info", "debug"), "short");
        let before = "{\"one\":1,\"level\":\"info\",\"two\":2,\"three\":3,\"four\":4,\"five\":5}";
        assert_eq!(shown(before, &before.replace("info", "debug")), "…,\"level\":\"[-info-]{+debug+}\",\"two\":…");
        assert_eq!(shown(before, &format!("{before}ü")), "…\"five\":5}{+ü+}");
    }

    #[test]
    fn large_texts_are_compared_at_their_ends() {
        let text = |middle: &str| -> String {
            (0..5_000)
                .map(|line| if (9..4_990).contains(&line) { format!("{middle} {line}\n") } else { format!("{line}\n") })
                .collect()
        };
        let Some(TextChange::Lines { removed, added, lines }) = change(&text("old"), &text("new"), 20) else {
            panic!("no lines")
        };
        assert_eq!((removed, added), (4_981, 4_981));
        assert_eq!(lines.first(), Some(&('…', "7 lines alike".to_owned())));
        assert_eq!(lines.last(), Some(&('…', "8 lines alike".to_owned())));
    }
}
