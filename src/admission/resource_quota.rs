//! ResourceQuota: what the objects of a namespace may use together.
//!
//! apiserver `pkg/admission/plugin/resourcequota/controller.go` (Kubernetes 1.36).

use std::collections::BTreeMap;

use super::resources::{ResourceList, add, resource_list};
use super::usage::Charge;
use crate::model::quantity::Quantity;
use crate::yaml::View;

/// One quota, and what is used of it.
#[derive(Clone, Debug)]
struct Quota {
    scopes: Vec<Scope>,
    hard: ResourceList,
    used: ResourceList,
    /// Whether `used` came from a cluster and so has what is there.
    is_counted: bool,
}

/// What an object must be for a quota to count it.
#[derive(Clone, Debug)]
struct Scope {
    name: String,
    operator: String,
    values: Vec<String>,
}

/// What is used of one resource of a quota.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usage {
    pub quota: String,
    pub resource: String,
    pub used: Quantity,
    pub hard: Quantity,
}

/// The quotas of one namespace, by name.
#[derive(Clone, Debug, Default)]
pub struct Quotas {
    items: BTreeMap<String, Quota>,
}

impl Quotas {
    /// Takes in a quota; what is used so far is what its status says, here or in the cluster.
    pub(super) fn read(&mut self, name: &str, quota: View<'_>, written: View<'_>) {
        let Some(spec) = quota.get("spec") else { return };
        let status = written.at(&["status", "used"]);
        let known = self.items.remove(name);
        let (used, is_counted) = match (status, known) {
            (None, Some(known)) => (known.used, known.is_counted),
            (status, _) => (resource_list(status), status.is_some()),
        };
        let quota = Quota { scopes: scopes(spec), hard: resource_list(spec.get("hard")), used, is_counted };
        self.items.insert(name.to_owned(), quota);
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Why the plugin refuses an object, without its name (`CheckRequest`).
    pub fn refuses(&self, asked: &Charge) -> Option<String> {
        let matching: Vec<_> = self.items.iter().filter(|(_, quota)| quota.matches(asked)).collect();
        let unsaid = matching.iter().find_map(|(name, quota)| quota.unsaid(name, asked));
        unsaid.or_else(|| matching.iter().find_map(|(name, quota)| quota.exceeded(name, asked)))
    }

    /// Counts an object that was created, or that is there already.
    pub fn charge(&mut self, asked: &Charge, is_there: bool) {
        let counts = |quota: &&mut Quota| quota.matches(asked) && !(is_there && quota.is_counted);
        for quota in self.items.values_mut().filter(counts) {
            let counted = asked.usage.iter().filter(|(name, _)| quota.hard.contains_key(*name));
            let counted: ResourceList = counted.map(|(name, quantity)| (name.clone(), quantity.clone())).collect();
            add(&mut quota.used, &counted);
        }
    }

    /// Gives back what an object asked for that is gone.
    pub fn release(&mut self, asked: &Charge) {
        for quota in self.items.values_mut().filter(|quota| quota.matches(asked)) {
            for (name, quantity) in &asked.usage {
                if let Some(used) = quota.used.get_mut(name) {
                    *used -= quantity;
                }
            }
        }
    }

    /// What is used of the resources that an object asks for.
    pub fn usage(&self, asked: &Charge) -> Vec<Usage> {
        let matching = self.items.iter().filter(|(_, quota)| quota.matches(asked));
        let all = matching.flat_map(|(name, quota)| {
            let asked = quota.hard.iter().filter(|(resource, _)| asked.asks(resource));
            asked.map(|(resource, hard)| Usage {
                quota: name.clone(),
                resource: resource.clone(),
                used: quota.used.get(resource).cloned().unwrap_or_else(|| Quantity::from_i64(0)),
                hard: hard.clone(),
            })
        });
        all.collect()
    }
}

/// `scopes` and `scopeSelector` (`getScopeSelectorsFromQuota`).
fn scopes(spec: View<'_>) -> Vec<Scope> {
    let plain = spec.list("scopes").filter_map(View::str);
    let plain = plain.map(|name| Scope { name: name.to_owned(), operator: "Exists".to_owned(), values: Vec::new() });
    let expressions = spec.at(&["scopeSelector", "matchExpressions"]).into_iter().flat_map(View::items);
    let chosen = expressions.map(|expression| {
        let text = |key| expression.get_str(key).unwrap_or_default().to_owned();
        let values = expression.list("values").filter_map(View::str).map(str::to_owned).collect();
        Scope { name: text("scopeName"), operator: text("operator"), values }
    });
    plain.chain(chosen).collect()
}

impl Quota {
    /// `Matches`: it counts something of the kind, and all its scopes hold.
    fn matches(&self, asked: &Charge) -> bool {
        let holds = |scope: &Scope| {
            let values: Vec<&str> = scope.values.iter().map(String::as_str).collect();
            asked.in_scope(&scope.name, &scope.operator, &values)
        };
        self.hard.keys().any(|name| asked.matches(name)) && self.scopes.iter().all(holds)
    }

    /// `Constraints`
    fn unsaid(&self, name: &str, asked: &Charge) -> Option<String> {
        let missing = asked.missing.iter().filter(|(name, _)| self.hard.contains_key(**name));
        let said: Vec<String> = missing
            .map(|(name, containers)| {
                let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
                format!("{name} for: {}", containers.join(","))
            })
            .collect();
        (!said.is_empty()).then(|| format!("failed quota: {name}: must specify {}", said.join("; ")))
    }

    fn exceeded(&self, name: &str, asked: &Charge) -> Option<String> {
        let zero = Quantity::from_i64(0);
        let used = |name: &str| self.used.get(name).unwrap_or(&zero);
        let over = |(name, asked): &(&String, &Quantity)| {
            let mut total = used(name).clone();
            total += *asked;
            !asked.is_zero() && self.hard.get(*name).is_some_and(|hard| total > *hard)
        };
        let exceeded: Vec<(&String, &Quantity)> = asked.usage.iter().filter(over).collect();
        if exceeded.is_empty() {
            return None;
        }
        let print = |amount: &dyn Fn(&str, &Quantity) -> String| {
            let parts = exceeded.iter().map(|(name, asked)| format!("{name}={}", amount(name, asked)));
            parts.collect::<Vec<String>>().join(",")
        };
        Some(format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            print(&|_, asked| asked.canonical()),
            print(&|name, _| used(name).canonical()),
            print(&|name, _| self.hard.get(name).unwrap_or(&zero).canonical()),
        ))
    }
}
