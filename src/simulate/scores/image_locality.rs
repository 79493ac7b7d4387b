//! ImageLocality (weight 1): nodes that have large images of the pod already.

use std::collections::HashMap;

use super::MAX;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

const MIB: i64 = 1024 * 1024;
const MIN_THRESHOLD: i64 = 23 * MIB;
const MAX_CONTAINER_THRESHOLD: i64 = 1000 * MIB;

/// How many nodes have each image of the pod.
pub struct Images<'a> {
    holders: HashMap<&'a str, i64>,
    nodes: i64,
}

impl Images<'_> {
    pub fn new<'a>(pod: &'a Pod, nodes: &[Node]) -> Images<'a> {
        let count = |image: &String| nodes.iter().filter(|node| node.images.contains_key(image)).count() as i64;
        let holders = pod.images.iter().map(|image| (image.as_str(), count(image))).collect();
        Images { holders, nodes: nodes.len() as i64 }
    }

    pub fn score(&self, pod: &Pod, node: &Node) -> i64 {
        let sizes = pod.images.iter().filter_map(|image| Some((image, *node.images.get(image)?)));
        let scaled = sizes.map(|(image, size)| {
            let spread = self.holders.get(image.as_str()).copied().unwrap_or(0) as f64 / self.nodes as f64;
            (size as f64 * spread) as i64
        });
        let highest = MAX_CONTAINER_THRESHOLD * pod.containers.max(1) as i64;
        let sum = scaled.sum::<i64>().clamp(MIN_THRESHOLD, highest);
        MAX * (sum - MIN_THRESHOLD) / (highest - MIN_THRESHOLD)
    }
}
