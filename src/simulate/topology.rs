//! Counting over topology domains: how many pods of a kind a zone, a host or any other label value holds.

use std::collections::HashMap;
use std::sync::Arc;

use super::nodes::{HOSTNAME, Node};

/// Stands in [`Domains::of`] for a node without the label.
pub const NO_DOMAIN: u32 = u32::MAX;

/// Which value of one label each node has.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    /// Domain by node, or [`NO_DOMAIN`].
    pub of: Vec<u32>,
    /// Number of domains.
    pub count: usize,
    /// Hosts: nodes are told apart by what their domain holds, not by the domain.
    pub hosts: bool,
    /// Nodes by domain.
    pub members: Vec<Vec<u32>>,
}

impl Domains {
    fn new(of: Vec<u32>, count: usize, hosts: bool) -> Domains {
        let mut members = vec![Vec::new(); count];
        for (node, domain) in of.iter().enumerate() {
            if let Some(members) = members.get_mut(*domain as usize) {
                members.push(node as u32);
            }
        }
        Domains { of, count, hosts, members }
    }

    /// The domain of a node, or [`NO_DOMAIN`].
    pub fn at(&self, node: u32) -> u32 {
        self.of.get(node as usize).copied().unwrap_or(NO_DOMAIN)
    }
}

/// The domains of every label that was asked for; they change only with the nodes.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    by_key: HashMap<String, Arc<Domains>>,
    each_node: Option<Arc<Domains>>,
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
        let domains = Arc::new(Domains::new(of, known.len(), key == HOSTNAME));
        self.by_key.insert(key.to_owned(), domains.clone());
        domains
    }

    /// Every node that has a host name a domain of its own.
    pub fn each_node(&mut self, nodes: &[Node]) -> Arc<Domains> {
        let domain = |(index, node): (usize, &Node)| {
            if node.labels.contains_key(HOSTNAME) { index as u32 } else { NO_DOMAIN }
        };
        let each = || Arc::new(Domains::new(nodes.iter().enumerate().map(domain).collect(), nodes.len(), true));
        self.each_node.get_or_insert_with(each).clone()
    }
}

/// A sum per domain.
#[derive(Clone, Debug)]
pub struct Counter {
    pub domains: Arc<Domains>,
    /// Nodes whose pods count; `None` for all.
    pub eligible: Option<Arc<Vec<bool>>>,
    pub sums: Vec<i64>,
    /// Nodes that count, by domain.
    pub nodes: Vec<u32>,
    /// Over all domains.
    pub total: i64,
}

impl Counter {
    pub fn new(domains: Arc<Domains>, eligible: Option<Arc<Vec<bool>>>) -> Counter {
        let mut counter =
            Counter { sums: vec![0; domains.count], nodes: vec![0; domains.count], domains, eligible, total: 0 };
        (0..counter.domains.of.len() as u32).for_each(|node| counter.stand(node, true));
        counter
    }

    /// The domain that a node counts for; `None` where it has none or does not count.
    pub fn domain(&self, node: u32) -> Option<usize> {
        let counts = self.eligible.as_ref().is_none_or(|eligible| eligible.get(node as usize) == Some(&true));
        let domain = self.domains.at(node);
        (counts && domain != NO_DOMAIN).then_some(domain as usize)
    }

    /// Adds an amount to the domain of a node; false where the node does not count.
    pub fn add(&mut self, node: u32, amount: i64) -> bool {
        let Some(domain) = self.domain(node) else { return false };
        self.sums[domain] += amount;
        self.total += amount;
        true
    }

    /// A node is there, or is there no longer.
    pub fn stand(&mut self, node: u32, there: bool) {
        if let Some(domain) = self.domain(node) {
            let count = &mut self.nodes[domain];
            *count = if there { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// What a node has of it.
    pub fn place(&self, node: u32) -> Place {
        let domain = self.domains.at(node);
        Place { domain, value: self.sums.get(domain as usize).copied().unwrap_or(0) }
    }

    /// The smallest sum of the domains that have a node which counts, and the number of those domains.
    pub fn minimum(&self) -> (Option<i64>, usize) {
        let present = self.sums.iter().zip(&self.nodes).filter(|(_, nodes)| **nodes > 0);
        present.fold((None, 0), |(least, count), (sum, _)| {
            (Some(least.map_or(*sum, |least: i64| least.min(*sum))), count + 1)
        })
    }
}

/// A counter as a node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Domain of the node, or [`NO_DOMAIN`].
    pub domain: u32,
    /// Sum of that domain.
    pub value: i64,
}

impl Place {
    /// The sum; `None` where the node lacks the label.
    pub fn at(self) -> Option<i64> {
        (self.domain != NO_DOMAIN).then_some(self.value)
    }
}
