//! The rules: each looks at an object or at the whole set.
