//! Defaults of the API server, by API group.
