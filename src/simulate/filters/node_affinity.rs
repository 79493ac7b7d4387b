//! NodeAffinity: nodeSelector and required node affinity.

use std::collections::BTreeSet;

use super::Rejection;
use crate::simulate::labels::{NodeTerm, Operator};
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

/// Status of a node that [`pinned`] leaves out.
pub const NOT_PINNED: &str = "node(s) didn't satisfy plugin(s) [NodeAffinity]";

pub fn filter(pod: &Pod, node: &Node) -> Option<Rejection> {
    let added = pod.profile().added_nodes.as_ref();
    if added.is_some_and(|terms| !terms.iter().any(|term| term.matches(&node.name, &node.labels))) {
        return Some(Rejection::unresolvable("node(s) didn't match scheduler-enforced node affinity"));
    }
    let selected = pod.selects_node(&node.name, &node.labels);
    (!selected).then(|| Rejection::unresolvable("node(s) didn't match Pod's node affinity/selector"))
}

/// The nodes that every required term pins by name, as the pods of a DaemonSet are (PreFilter).
/// `None` when a term does not; an error when a term pins two names at once.
pub fn pinned(pod: &Pod) -> Result<Option<BTreeSet<String>>, Rejection> {
    let Some(terms) = pod.required_nodes.as_ref().filter(|terms| !terms.is_empty()) else {
        return Ok(None);
    };
    let mut all = BTreeSet::new();
    for term in terms {
        match term_names(term) {
            None => return Ok(None),
            Some(names) => all.extend(names),
        }
    }
    if all.is_empty() { Err(Rejection::unresolvable("pod affinity terms conflict")) } else { Ok(Some(all)) }
}

fn term_names(term: &NodeTerm) -> Option<BTreeSet<String>> {
    let pins = term.fields.iter().filter(|field| field.key == "metadata.name" && field.operator == Operator::In);
    pins.map(|field| field.values.iter().cloned().collect::<BTreeSet<_>>())
        .reduce(|names, more| names.intersection(&more).cloned().collect())
}
