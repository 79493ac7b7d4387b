//! Kubernetes values and objects over plain data; numbers, quantities and times are parsed here, once.

pub mod cron;
pub mod image;
pub mod intstr;
pub mod names;
pub mod number;
mod object;
pub mod path;
pub mod pod;
pub mod quantity;
pub mod rule;
pub mod selector;
pub mod time;
mod version;
mod wildcard;

pub use object::{
    Bundle, Counts, CustomKind, Full, Key, Live, Object, ObjectId, Origin, OriginKind, ParsedFile, PodSecurityDefault,
    Rendering, Role, SetId,
};
pub use version::Version;
pub use wildcard::is_like;
