//! PodTopologySpread: how uneven the pods of a selector may be over the domains of a label.

use std::sync::Arc;

use super::{Rejection, taint_toleration};
use crate::simulate::labels::Selector;
use crate::simulate::nodes::{HOSTNAME, Node, ZONE};
use crate::simulate::pod::{Pod, Spread};
use crate::simulate::topology::{Counter, Delta, Domains, NO_DOMAIN, Topology};

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
    pub spread: Spread,
    /// Index of its counter.
    pub counter: usize,
    /// Domains with a node that counts; hard constraints only.
    present: Vec<u32>,
    self_match: i64,
}

/// Prepares the constraints of a pod (PreFilter and PreScore).
pub fn prepare(pod: &Pod, nodes: &[Node], topology: &mut Topology, counters: &mut Vec<Counter>) -> Spreading {
    let (hard, mut soft): (Vec<Spread>, Vec<Spread>) = pod.spread.iter().cloned().partition(|spread| spread.hard);
    if pod.spread.is_empty() && !pod.default_spread.is_empty() {
        soft = default_constraints(&pod.default_spread);
    }
    let require_all = !pod.spread.is_empty();
    let mut build = |all: &[Spread], spread: &Spread, keys_required: bool| {
        let domains = topology.domains(nodes, &spread.key);
        let (domains, eligible) = if !spread.hard && spread.key == HOSTNAME {
            // Scoring counts the node's own pods here, whatever the policies.
            (topology.each_node(nodes, HOSTNAME), None)
        } else {
            let eligible = |node: &Node| {
                (!keys_required || all.iter().all(|other| node.labels.contains_key(&other.key)))
                    && counts(pod, spread, node)
            };
            (domains, Some(Arc::new(nodes.iter().map(eligible).collect::<Vec<bool>>())))
        };
        let present = if spread.hard { present(&domains, eligible.as_deref()) } else { Vec::new() };
        let self_match = i64::from(spread.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels)));
        counters.push(Counter::new(domains, eligible));
        Constraint { spread: spread.clone(), counter: counters.len() - 1, present, self_match }
    };
    let hard = hard.iter().map(|spread| build(&hard, spread, true)).collect();
    let soft = soft.iter().map(|spread| build(&soft, spread, require_all)).collect();
    Spreading { hard, soft, require_all }
}

/// The scheduler's own constraints (`systemDefaultConstraints`), over the pods of the owner and its Services.
fn default_constraints(selector: &Selector) -> Vec<Spread> {
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

/// Whether the node's policies let its pods count.
fn counts(pod: &Pod, spread: &Spread, node: &Node) -> bool {
    (!spread.honor_affinity || pod.selects_node(&node.name, &node.labels))
        && (!spread.honor_taints || taint_toleration::untolerated(pod, node).is_none())
}

fn present(domains: &Domains, eligible: Option<&Vec<bool>>) -> Vec<u32> {
    let counts = |node: usize| eligible.is_none_or(|eligible| eligible.get(node) == Some(&true));
    let mut out: Vec<u32> = domains
        .of
        .iter()
        .enumerate()
        .filter(|(node, domain)| **domain != NO_DOMAIN && counts(*node))
        .map(|(_, domain)| *domain)
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// What a pod on a node adds to the counters.
pub fn deltas(spreading: &Spreading, pod: &Pod, other: &Pod) -> Vec<Delta> {
    if pod.namespace != other.namespace {
        return Vec::new();
    }
    let matched = |constraint: &&Constraint| {
        constraint.spread.selector.as_ref().is_some_and(|selector| selector.matches(&other.labels))
    };
    let delta = |constraint: &Constraint| Delta {
        counter: constraint.counter,
        weight: 1,
        dry_run_only: other.terminating || constraint.spread.selector.as_ref().is_some_and(Selector::is_empty),
    };
    spreading.hard.iter().chain(&spreading.soft).filter(matched).map(delta).collect()
}

/// The smallest count that each hard constraint compares with.
pub fn minimums(spreading: &Spreading, counters: &[Counter]) -> Vec<i64> {
    let minimum = |constraint: &Constraint| {
        let sums = counters.get(constraint.counter).map_or(&[][..], |counter| &counter.sums);
        if constraint.present.len() < constraint.spread.min_domains {
            return 0;
        }
        let counts = constraint.present.iter().filter_map(|domain| sums.get(*domain as usize));
        counts.copied().min().unwrap_or(i64::from(i32::MAX))
    };
    spreading.hard.iter().map(minimum).collect()
}

pub fn filter(spreading: &Spreading, minimums: &[i64], counters: &[Counter], node: u32) -> Option<Rejection> {
    for (constraint, minimum) in spreading.hard.iter().zip(minimums) {
        let Some(count) = counters.get(constraint.counter).and_then(|counter| counter.at(node)) else {
            return Some(Rejection::unresolvable(NO_LABEL));
        };
        if count + constraint.self_match - minimum > constraint.spread.max_skew {
            return Some(Rejection::resolvable(TOO_UNEVEN));
        }
    }
    None
}
