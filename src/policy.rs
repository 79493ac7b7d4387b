//! Rules that users write: files with CEL, and the ValidatingAdmissionPolicies that a set brings or `ruleDirs` holds.

mod answer;
pub mod cel;
mod matching;
mod rule;
mod vap;

pub use rule::{RuleError, UserRule, parse};
pub use vap::problems;

use std::collections::HashSet;

use rayon::prelude::*;

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::model::{Bundle, ObjectId};
use crate::schema::Schema;

/// Runs the users' rules and the policies over every object; `live` is the cluster around the set, `more` holds policies
/// that are part of neither.
pub fn run(
    bundle: &Bundle,
    live: Option<&Bundle>,
    more: Option<&Bundle>,
    rules: &[UserRule],
    schema: &Schema,
    settings: &Settings,
) -> Vec<Diagnostic> {
    let policies = vap::Policies::of(bundle, live, more);
    if rules.is_empty() && policies.is_empty() {
        return Vec::new();
    }
    let ids: Vec<ObjectId> = bundle.ids().collect();
    let judged: Vec<(Vec<Diagnostic>, Vec<vap::Unknown>)> = ids
        .par_iter()
        .map(|id| {
            let (denied, unknown) = policies.check(bundle, *id, schema);
            let own = rules.iter().flat_map(|rule| rule::check(rule, bundle, *id, settings));
            (own.chain(denied).collect(), unknown)
        })
        .collect();
    let (found, unknown): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
    let mut found: Vec<Diagnostic> = found.into_iter().flatten().collect();
    found.extend(policies.unjudged(bundle, &unknown.into_iter().flatten().collect::<Vec<_>>()));
    found.extend(policies.broken(bundle));
    found
}

/// The server asks policies last: where it says no before, and where one policy has refused already, it says nothing of
/// a policy.
pub fn settle(found: &mut [Diagnostic]) {
    let mut refused: HashSet<ObjectId> = HashSet::new();
    let is_policy = |found: &Diagnostic| found.rule == "policy-denied";
    let others = found.iter().filter(|found| !is_policy(found) && found.server.is_some());
    refused.extend(others.filter_map(|found| found.object));
    for found in found.iter_mut().filter(|found| is_policy(found)) {
        if found.object.is_some_and(|id| !refused.insert(id)) {
            found.server = None;
        }
    }
}
