//! What admission makes of pods and claims, as far as the set itself decides.
//!
//! The plugins have the API server's names, and their order is the server's (`pkg/kubeapiserver/options/plugins.go`,
//! Kubernetes 1.36).

pub mod limit_ranger;
pub mod pod_security;
mod pod_security_checks;
pub mod resource_quota;
mod resources;

use std::collections::BTreeMap;

use crate::model::Bundle;
use crate::yaml::View;
use limit_ranger::LimitRanges;
use pod_security::Policy;
use resource_quota::{Charge, Quotas};

/// What holds in one namespace of a set.
#[derive(Clone, Debug, Default)]
pub struct Namespace<'b> {
    pub limits: Option<LimitRanges<'b>>,
    pub policy: Option<Policy>,
    pub quotas: Option<Quotas<'b>>,
}

impl<'b> Namespace<'b> {
    /// The namespaces of which a set says something.
    pub fn all(bundle: &'b Bundle) -> BTreeMap<&'b str, Namespace<'b>> {
        let mut all: BTreeMap<&str, Namespace<'b>> = BTreeMap::new();
        for (name, limits) in LimitRanges::by_namespace(bundle) {
            all.entry(name).or_default().limits = Some(limits);
        }
        for (name, policy) in Policy::by_namespace(bundle) {
            all.entry(name).or_default().policy = Some(policy);
        }
        for (name, quotas) in Quotas::by_namespace(bundle) {
            all.entry(name).or_default().quotas = Some(quotas);
        }
        all
    }

    /// The same, with what a live cluster has where the set says nothing.
    pub fn all_over(bundle: &'b Bundle, live: Option<&'b Bundle>) -> BTreeMap<&'b str, Namespace<'b>> {
        let mut all = live.map(Namespace::all).unwrap_or_default();
        for (name, written) in Namespace::all(bundle) {
            let known = all.entry(name).or_default();
            known.limits = written.limits.or(known.limits.take());
            known.policy = written.policy.or(known.policy);
            known.quotas = written.quotas.or(known.quotas.take());
        }
        all
    }

    /// Why a pod is refused that is valid otherwise, without its name: the plugin that says so, and its words.
    pub fn refuses_pod(&self, metadata: Option<View<'_>>, spec: View<'_>) -> Option<(Plugin, String)> {
        let limits = || self.limits.as_ref()?.validate_pod(spec).map(|words| (Plugin::LimitRanger, words));
        let policy = || self.policy?.enforced(metadata, spec).map(|words| (Plugin::PodSecurity, words));
        let quota = || self.quotas.as_ref()?.refuses(&Charge::of(spec)).map(|words| (Plugin::ResourceQuota, words));
        limits().or_else(policy).or_else(quota)
    }
}

/// An admission plugin that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    LimitRanger,
    PodSecurity,
    ResourceQuota,
}
