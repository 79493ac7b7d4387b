//! NodeAffinity (weight 2): preferred terms that the node satisfies.

use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

/// Sum of the weights of matching terms; an empty term matches none.
pub fn score(pod: &Pod, node: &Node) -> i64 {
    let matching = pod.preferred_nodes.iter().filter(|(_, term)| term.matches(&node.name, &node.labels));
    matching.map(|(weight, _)| weight).sum()
}
