//! PodTopologySpread: how uneven the pods of a selector may be over the domains of a label.

use super::Rejection;
use crate::simulate::counters::{Counted, Eligible};
use crate::simulate::labels::Selector;
use crate::simulate::nodes::{HOSTNAME, ZONE};
use crate::simulate::pod::{Pod, Spread};
use crate::simulate::topology::Place;

const TOO_UNEVEN: &str = "node(s) didn't match pod topology spread constraints";
const NO_LABEL: &str = "node(s) didn't match pod topology spread constraints (missing required label)";

/// The constraints of a pod with their counters.
#[derive(Clone, Debug, Default)]
pub struct Spreading {
    pub hard: Vec<Constraint>,
    pub soft: Vec<Constraint>,
    /// Nodes must have every label to be scored; not so with the scheduler's own defaults.
    pub require_all: bool,
}

#[derive(Clone, Debug)]
pub struct Constraint {
    pub max_skew: i64,
    pub min_domains: usize,
    /// It spreads over hosts.
    pub hosts: bool,
    /// Index of its counter among those that the pod looks at.
    pub slot: usize,
    /// The pod itself counts.
    pub self_match: i64,
}

/// Prepares the constraints of a pod (PreFilter and PreScore); `slot` gives the index of a counter.
pub fn prepare(pod: &Pod, slot: &mut dyn FnMut(&str, Counted) -> usize) -> Spreading {
    let listed = pod.profile().spread.as_ref();
    let all = match pod.spread.is_empty() && !pod.default_spread.is_empty() {
        true => defaults(listed, &pod.default_spread),
        false => pod.spread.clone(),
    };
    let (hard, soft): (Vec<Spread>, Vec<Spread>) = all.into_iter().partition(|spread| spread.hard);
    let require_all = !pod.spread.is_empty() || listed.is_some();
    let mut build = |all: &[Spread], spread: &Spread, keys_required: bool| {
        let keys = if keys_required { all.iter().map(|other| other.key.clone()).collect() } else { Vec::new() };
        let on = Eligible::of(pod, spread, keys);
        let counted = Counted::Spread { namespace: pod.namespace.clone(), selector: spread.selector.clone(), on };
        Constraint {
            max_skew: spread.max_skew,
            min_domains: spread.min_domains,
            hosts: spread.key == HOSTNAME,
            slot: slot(&spread.key, counted),
            self_match: i64::from(spread.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels))),
        }
    };
    let hard = hard.iter().map(|spread| build(&hard, spread, true)).collect();
    let soft = soft.iter().map(|spread| build(&soft, spread, require_all)).collect();
    Spreading { hard, soft, require_all }
}

/// The scheduler's own constraints, over the pods of the owner and its Services: those that its configuration lists, else
/// `systemDefaultConstraints`.
fn defaults(listed: Option<&Vec<Spread>>, selector: &Selector) -> Vec<Spread> {
    if let Some(listed) = listed {
        return listed.iter().map(|spread| Spread { selector: Some(selector.clone()), ..spread.clone() }).collect();
    }
    let one = |key: &str, max_skew| Spread {
        max_skew,
        key: key.to_owned(),
        hard: false,
        selector: Some(selector.clone()),
        min_domains: 1,
        honor_affinity: true,
        honor_taints: false,
    };
    vec![one(HOSTNAME, 3), one(ZONE, 5)]
}

/// The smallest count that each hard constraint compares with; `minimum` gives it for a counter with the number of
/// domains.
pub fn minimums(spreading: &Spreading, minimum: &dyn Fn(usize) -> (Option<i64>, usize)) -> Vec<i64> {
    let least = |constraint: &Constraint| {
        let (least, domains) = minimum(constraint.slot);
        if domains < constraint.min_domains { 0 } else { least.unwrap_or(i64::from(i32::MAX)) }
    };
    spreading.hard.iter().map(least).collect()
}

/// `places` are the pod's counters as the node sees them.
pub fn filter(spreading: &Spreading, minimums: &[i64], places: &[Place]) -> Option<Rejection> {
    for (constraint, minimum) in spreading.hard.iter().zip(minimums) {
        let Some(count) = places[constraint.slot].at() else {
            return Some(Rejection::unresolvable(NO_LABEL));
        };
        if count + constraint.self_match - minimum > constraint.max_skew {
            return Some(Rejection::resolvable(TOO_UNEVEN));
        }
    }
    None
}
