//! ImageLocality (weight 1): nodes that have large images of the pod already.

use super::MAX;
use crate::model::Version;
use crate::simulate::nodes::Node;
use crate::simulate::pod::Pod;

const MIB: i64 = 1024 * 1024;
const MIN_THRESHOLD: i64 = 23 * MIB;
const MAX_CONTAINER_THRESHOLD: i64 = 1000 * MIB;

/// What each image of a pod counts for on a node that has it.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// By place in the pod's list.
    scores: Vec<i64>,
}

impl Images {
    /// The scheduler remembers one size for an image, that of the first node that listed it
    /// (`addNodeImageStates` in backend/cache/cache.go).
    pub fn new(pod: &Pod, nodes: &[Node], version: Version) -> Images {
        let score = |image: &String| {
            let mut sizes = nodes.iter().filter_map(|node| node.images.get(image));
            let size = sizes.next().copied().unwrap_or(0);
            let spread = (sizes.count() + 1) as f64 / nodes.len() as f64;
            (size as f64 * spread) as i64
        };
        // Those of volumes count since 1.36.
        let counted = if version < Version::new(1, 36) { pod.containers } else { pod.images.len() };
        Images { scores: pod.images.iter().take(counted).map(score).collect() }
    }

    pub fn score(&self, pod: &Pod, node: &Node) -> i64 {
        if node.images.is_empty() {
            return 0;
        }
        let present = pod.images.iter().zip(&self.scores).filter(|(image, _)| node.images.contains_key(*image));
        let sum: i64 = present.map(|(_, score)| score).sum();
        let highest = MAX_CONTAINER_THRESHOLD * pod.containers.max(1) as i64;
        let sum = sum.clamp(MIN_THRESHOLD, highest);
        MAX * (sum - MIN_THRESHOLD) / (highest - MIN_THRESHOLD)
    }
}
