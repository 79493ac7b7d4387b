//! Sources → bundle.
