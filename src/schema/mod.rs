//! Facts of a Kubernetes version, and the one walker that decodes by them.
