//! Where the decoder is in an object, and the three ways in which the API server writes that down.

use super::types::{Field, Type, Word};
use crate::model::path;
use crate::source::Span;

/// One step on the way from the root to a value.
#[derive(Clone, Copy)]
pub(super) struct Frame<'f> {
    pub parent: Option<&'f Frame<'f>>,
    pub step: Step<'f>,
    /// Place of the key, also for the items of the list under it.
    pub key: Span,
}

#[derive(Clone, Copy)]
pub(super) enum Step<'f> {
    Field(&'f Type, &'f Field),
    Index(usize),
    Key(&'f str),
}

impl Frame<'_> {
    /// The path of the API server: `spec.ports[0].port`.
    pub fn path(&self) -> String {
        let mut path = self.parent.map_or(String::new(), Frame::path);
        match self.step {
            Step::Field(_, field) => path::push_key(&mut path, &field.name),
            Step::Key(key) => path::push_key(&mut path, key),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }

    /// The path in the sentence about unknown fields: map keys stand behind a dot, whatever is in them.
    pub fn strict_path(&self) -> String {
        let mut path = self.parent.map_or(String::new(), Frame::strict_path);
        let dot = if path.is_empty() { "" } else { "." };
        match self.step {
            Step::Field(_, field) => path.push_str(&format!("{dot}{}", field.name)),
            Step::Key(key) => path.push_str(&format!("{dot}{key}")),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }

    /// Go's name of the place: the innermost struct, then all field names with embedded structs, but no indices.
    pub fn go_path(&self) -> String {
        let mut names = Vec::new();
        let mut innermost = None;
        let mut frame = Some(self);
        while let Some(at) = frame {
            if let Step::Field(type_, field) = at.step {
                innermost.get_or_insert(type_);
                names.push(field.name.as_ref());
                names.extend(field.embedded.as_deref());
            }
            frame = at.parent;
        }
        names.reverse();
        format!("{}.{}", innermost.map_or("", Type::name), names.join("."))
    }

    /// The type and name of the innermost field.
    pub fn field(&self) -> (Word, Word) {
        match (self.step, self.parent) {
            (Step::Field(type_, field), _) => (type_.id.clone(), field.name.clone()),
            (_, Some(parent)) => parent.field(),
            _ => Default::default(),
        }
    }

    /// The nearest struct above this one that has a field of that name.
    pub fn above(&self, name: &str) -> Option<String> {
        match self.step {
            Step::Field(type_, _) if type_.field(name).is_some() => {
                Some(self.parent.map_or(String::new(), Frame::path))
            }
            _ => self.parent?.above(name),
        }
    }
}
