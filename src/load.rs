//! Paths → sources.
