//! Which format the names of a kind have; the formats themselves are `model::names`.

pub(super) use crate::model::names::*;

/// What a name of a kind must be. Names with generateName are checked without their trailing dash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameRule {
    Subdomain,
    Label,
    PathSegment,
}

/// `ValidateNameFunc` (apimachinery `pkg/api/validation/generic.go`, Kubernetes 1.36).
pub(super) fn name_messages(rule: NameRule, name: &str, prefix: bool) -> Vec<String> {
    match rule {
        NameRule::Subdomain => name_is_dns_subdomain(name, prefix),
        NameRule::Label => name_is_dns_label(name, prefix),
        NameRule::PathSegment => name_is_path_segment(name, prefix),
    }
}
