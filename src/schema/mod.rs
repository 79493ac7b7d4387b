//! What one Kubernetes version knows about kinds and fields, and whether an object decodes.

pub mod decode;
pub mod facts;
mod frame;
pub mod rules;
mod suggest;
mod types;

pub use decode::{DecodeError, Decoded, UnknownField, check};
pub use facts::{Kind, Life, Lookup, Schema};
pub use suggest::nearest;
pub use types::{Field, ListType, Shape, Type, TypeId, Word};
