//! Which rules look at which kinds, as the catalogue names them: a rule costs nothing to any other.

use foldhash::fast::FixedState;

use super::catalog::RULES;
use super::params::{Params, RuleParams};
use super::{CHECKS, Check};
use crate::config::Settings;
use crate::diag::{Rule, is_on};
use crate::model::{Bundle, Object};

type HashMap<K, V> = std::collections::HashMap<K, V, FixedState>;

/// A rule that runs.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub rule: &'static str,
    pub check: Check,
    pub params: &'a RuleParams,
}

/// Built once for a run.
pub(super) struct Dispatch<'a> {
    by_kind: HashMap<(&'a str, &'a str), Vec<Entry<'a>>>,
    pub params: &'a Params<'a>,
}

impl<'a> Dispatch<'a> {
    /// The rules for each kind of a bundle, without those of which nothing would be reported.
    pub(super) fn new(bundle: &'a Bundle, settings: &Settings, params: &'a Params<'a>) -> Dispatch<'a> {
        let rules: HashMap<&str, &Rule> = RULES.iter().map(|rule| (rule.id, rule)).collect();
        let on = |(id, check): &(&'static str, Check)| {
            let rule = rules.get(id).filter(|rule| is_on(rule, settings))?;
            let entry = Entry { rule: id, check: *check, params: params.of(id) };
            (!entry.params.lacks).then_some((rule.kinds, entry))
        };
        let active: Vec<(&[&str], Entry<'a>)> = CHECKS.iter().filter_map(on).collect();
        let mut by_kind: HashMap<(&str, &str), Vec<Entry<'a>>> = HashMap::default();
        for (_, object) in bundle.iter() {
            let (group, kind) = (object.group(), object.kind.as_str());
            by_kind.entry((group, kind)).or_insert_with(|| {
                let wanted = active.iter().filter(|(kinds, _)| kinds.iter().any(|name| is_meant(name, object)));
                wanted.map(|(_, entry)| *entry).collect()
            });
        }
        Dispatch { by_kind, params }
    }

    pub(super) fn rules(&self, group: &'a str, kind: &'a str) -> &[Entry<'a>] {
        self.by_kind.get(&(group, kind)).map_or(&[], Vec::as_slice)
    }
}

/// Whether a catalogue file means a kind: `any`, `workload` for all with a pod template, a kind of Kubernetes by its name
/// alone, one of others as `group/Kind`.
fn is_meant(name: &str, object: &Object) -> bool {
    let (group, kind) = (object.group(), object.kind.as_str());
    match name {
        "any" => true,
        "workload" => object.template_at.is_some(),
        _ => match name.split_once('/') {
            Some((its_group, name)) => its_group == group && name == kind,
            None => name == kind && is_of_kubernetes(group),
        },
    }
}

fn is_of_kubernetes(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}
