//! What the set itself decides before an object is stored.
