//! NodeAffinity (weight 2): preferred terms that the node satisfies.

use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

/// Sum of the weights of matching terms; an empty term matches none.
pub fn score(pod: &Pod, node: &Node) -> i64 {
    let preferred = pod.profile().preferred_nodes.iter().chain(&pod.preferred_nodes);
    let matching = preferred.filter(|(_, term)| term.matches(&node.name, &node.labels));
    matching.map(|(weight, _)| weight).sum()
}
