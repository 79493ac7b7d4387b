//! Counting over topology domains: how many pods of a kind a zone, a host or any other label value holds.

use std::collections::HashMap;
use std::sync::Arc;

use super::nodes::Node;

/// Stands in [`Domains::of`] for a node without the label.
pub const NO_DOMAIN: u32 = u32::MAX;

/// Which value of one label each node has.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    /// Domain by node, or [`NO_DOMAIN`].
    pub of: Vec<u32>,
    /// Number of domains.
    pub count: usize,
}

/// The domains of every label that was asked for; they change only with the nodes.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    by_key: HashMap<String, Arc<Domains>>,
}

impl Topology {
    /// The domains of a label.
    pub fn domains(&mut self, nodes: &[Node], key: &str) -> Arc<Domains> {
        if let Some(found) = self.by_key.get(key) {
            return found.clone();
        }
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut of = Vec::with_capacity(nodes.len());
        for node in nodes {
            of.push(match node.labels.get(key) {
                Some(value) => {
                    let next = known.len() as u32;
                    *known.entry(value).or_insert(next)
                }
                None => NO_DOMAIN,
            });
        }
        let domains = Arc::new(Domains { of, count: known.len() });
        self.by_key.insert(key.to_owned(), domains.clone());
        domains
    }

    /// Every node that has the label a domain of its own; for one label only.
    pub fn each_node(&mut self, nodes: &[Node], key: &str) -> Arc<Domains> {
        let domain = |(index, node): (usize, &Node)| {
            if node.labels.contains_key(key) { index as u32 } else { NO_DOMAIN }
        };
        let each = || Arc::new(Domains { of: nodes.iter().enumerate().map(domain).collect(), count: nodes.len() });
        // No label has an empty key.
        self.by_key.entry(String::new()).or_insert_with(each).clone()
    }
}

/// A sum per domain.
#[derive(Clone, Debug)]
pub struct Counter {
    pub domains: Arc<Domains>,
    /// Nodes whose pods count; `None` for all.
    pub eligible: Option<Arc<Vec<bool>>>,
    pub sums: Vec<i64>,
    /// Over all domains.
    pub total: i64,
}

impl Counter {
    pub fn new(domains: Arc<Domains>, eligible: Option<Arc<Vec<bool>>>) -> Counter {
        let sums = vec![0; domains.count];
        Counter { domains, eligible, sums, total: 0 }
    }

    /// Adds an amount to the domain of a node, if the node has one and counts.
    pub fn add(&mut self, node: u32, amount: i64) {
        let counts = self.eligible.as_ref().is_none_or(|eligible| eligible.get(node as usize) == Some(&true));
        let domain = self.domains.of.get(node as usize).copied().unwrap_or(NO_DOMAIN);
        if let Some(sum) = self.sums.get_mut(domain as usize).filter(|_| counts) {
            *sum += amount;
            self.total += amount;
        }
    }

    /// The sum of a node's domain; `None` when the node lacks the label.
    pub fn at(&self, node: u32) -> Option<i64> {
        let domain = self.domains.of.get(node as usize).copied().unwrap_or(NO_DOMAIN);
        self.sums.get(domain as usize).copied()
    }
}

/// What one pod of a class adds to a counter of another class.
#[derive(Clone, Copy, Debug)]
pub struct Delta {
    pub counter: usize,
    pub weight: i64,
    /// Counts only while victims are taken out and put back: the scheduler then forgets two exemptions
    /// (`updateWithPod` in podtopologyspread/filtering.go, 1.34 to 1.36).
    pub dry_run_only: bool,
}
