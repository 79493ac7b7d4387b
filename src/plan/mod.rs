//! Order, risk and consequences of changes.
